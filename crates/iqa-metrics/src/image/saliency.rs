//! SDSP, the saliency map of VSI.

use std::sync::LazyLock;

use ndarray::ArrayView3;
use rayon::prelude::*;
use rustfft::num_complex::Complex;

use super::fourier::Fourier;
use super::plane::{Plane, add_scaled, mirrored, wide};
use super::roots::{cube_root, fifth_root};

/// Side at which saliency is computed, in pixels.
pub const SIDE: usize = 256;
/// Centre frequency, in cycles a pixel, and bandwidth of the log-Gabor filter, as VSI sets them.
const OMEGA: f64 = 0.021;
const SIGMA_F: f64 = 1.34;
/// Reach of the prior for the centre, in pixels.
const SIGMA_D: f64 = 145.0;
/// Differences that rounding leaves in a picture of one colour are some 1e-14, in units of CIELAB; one level of one pixel in a
/// picture of a hundred megapixels is 1e-4 of a colour.
const FLAT: f64 = 1e-9;
/// Where `exp` of its negative is 0.
const NO_MORE: f64 = 750.0;
/// The same for every picture.
static FOURIER: LazyLock<Fourier> = LazyLock::new(|| Fourier::new(SIDE, SIDE));
static BAND: LazyLock<Vec<f64>> = LazyLock::new(band_pass);
static CENTRAL: LazyLock<Vec<f64>> = LazyLock::new(centre_prior);
/// Reach of the prior for warm colours.
pub const SIGMA_C: f64 = 0.001;
/// `X`, `Y` and `Z` of linear sRGB.
pub const XYZ: [[f64; 3]; 3] =
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]];
/// `X`, `Y` and `Z` of white, D50.
pub const WHITE: [f64; 3] = [0.9642, 1.0, 0.8251];

/// Salience of each pixel, scaled to 0..1 over the image: the product of a band-pass response in CIELAB, nearness
/// to the centre, and warmth.
///
/// Source: L. Zhang, Z. Gu, H. Li, "SDSP: A Novel Saliency Detection Method by Combining Simple Priors", ICIP 2013; the
/// conversion to CIELAB takes sRGB to the white point D50, as the authors' program does.
pub(super) fn saliency(image: ArrayView3<'_, u8>) -> Plane {
    let [l, a, b] = lab(image);
    // Two channels in one transform.
    let pairs = l.iter().zip(&a).map(|(l, a)| Complex::new(*l, *a));
    let single = b.iter().map(|b| Complex::new(*b, 0.0));
    let (pairs, single) = rayon::join(
        || FOURIER.filtered(pairs.collect(), &BAND),
        || FOURIER.filtered(single.collect(), &BAND),
    );
    let (a, b) = (unit_range(&a), unit_range(&b));
    let mut values = vec![0.0; SIDE * SIDE];
    wide(
        #[inline(always)]
        || {
            for (((value, pair), single), central) in
                values.iter_mut().zip(&pairs).zip(&single).zip(&*CENTRAL)
            {
                *value = (pair.norm_sqr() + single.re * single.re).sqrt() * central;
            }
        },
    );
    // Few are as cold as that; a call for each of the others would be most of the work.
    for ((value, a), b) in values.iter_mut().zip(&a).zip(&b) {
        let warmth = (a * a + b * b) / (SIGMA_C * SIGMA_C);
        if warmth <= NO_MORE {
            *value *= 1.0 - (-warmth).exp();
        }
    }
    let (height, width, _) = image.dim();
    let map = resize(&Plane::from_parts(SIDE, SIDE, values), width, height);
    Plane::from_parts(map.width(), map.height(), unit_range(map.values()))
}

/// CIELAB of an image at [`SIDE`], as [`resize`] has it, each channel row by row.
fn lab(image: ArrayView3<'_, u8>) -> [Vec<f64>; 3] {
    let (height, width, _) = image.dim();
    let image = image.as_standard_layout();
    let pixels = image.as_slice().expect("pixels lie row by row");
    let (columns, rows) = (triangles(width, SIDE), triangles(height, SIDE));
    let mut lab = [0, 1, 2].map(|_| vec![0.0; SIDE * SIDE]);
    let [l, a, b] = lab.each_mut().map(|channel| channel.par_chunks_mut(SIDE));
    rows.par_iter().zip(l).zip(a).zip(b).for_each(|(((rows, l), a), b)| {
        wide(
            #[inline(always)]
            || {
                let mut across = vec![0.0; 3 * width];
                for &(row, weight) in rows {
                    for (sum, value) in across.iter_mut().zip(&pixels[row * 3 * width..]) {
                        *sum += weight * f64::from(*value);
                    }
                }
                let (across, _) = across.as_chunks::<3>();
                for (((taps, l), a), b) in columns.iter().zip(&mut *l).zip(&mut *a).zip(&mut *b) {
                    let mut sums = [0.0; 3];
                    for &(x, weight) in taps {
                        let [red, green, blue] = across[x];
                        sums = [sums[0] + weight * red, sums[1] + weight * green, sums[2] + weight * blue];
                    }
                    [*l, *a, *b] = sums;
                }
                to_lab(l, a, b);
            },
        );
    });
    lab
}

/// Red, green and blue in 0..255 become CIELAB, in passes that vectors do.
#[inline(always)]
fn to_lab(l: &mut [f64], a: &mut [f64], b: &mut [f64]) {
    for channel in [&mut *l, a, b] {
        channel.iter_mut().for_each(|value| *value = linear(*value));
    }
    for ((l, a), b) in l.iter_mut().zip(a).zip(b) {
        [*l, *a, *b] = lab_of(*l, *a, *b);
    }
}

/// The gain of SDSP's log-Gabor filter at each frequency of a picture of [`SIDE`] pixels, zero first; the same along rows
/// and columns, and for a frequency and its negative.
pub fn band_pass() -> Vec<f64> {
    FOURIER.filter(|x, y| {
        let square = x * x + y * y;
        // The corners beyond the circle of frequency 0.5 are cut off, and the mean.
        if square > 0.25 || square == 0.0 {
            return 0.0;
        }
        (-(square.sqrt() / OMEGA).ln().powi(2) / (2.0 * SIGMA_F * SIGMA_F)).exp()
    })
}

/// How near to the centre each pixel of a picture of [`SIDE`] pixels is, row by row, 1 at the centre.
pub fn centre_prior() -> Vec<f64> {
    // The published program counts from 1 and puts the centre at half the side.
    let off = |index: usize| (index as f64 + 1.0 - SIDE as f64 / 2.0).powi(2);
    (0..SIDE * SIDE).map(|at| (-(off(at / SIDE) + off(at % SIDE)) / (SIGMA_D * SIGMA_D)).exp()).collect()
}

/// Values scaled so that the least is 0 and the greatest 1; all 0 where they are the same but for rounding.
fn unit_range(values: &[f64]) -> Vec<f64> {
    wide(
        #[inline(always)]
        || {
            // Several at once.
            let (mut low, mut high) = ([f64::INFINITY; 16], [f64::NEG_INFINITY; 16]);
            let (whole, rest) = values.as_chunks::<16>();
            for values in whole.iter().map(<[f64; 16]>::as_slice).chain([rest]) {
                for ((low, high), value) in low.iter_mut().zip(&mut high).zip(values) {
                    *low = if *value < *low { *value } else { *low };
                    *high = if *value > *high { *value } else { *high };
                }
            }
            let low = low.into_iter().fold(f64::INFINITY, f64::min);
            let high = high.into_iter().fold(f64::NEG_INFINITY, f64::max);
            // Of no value at all, which the published program divides by zero for, but what rounding leaves.
            if high - low <= FLAT {
                return vec![0.0; values.len()];
            }
            let span = high - low;
            values.iter().map(|value| (value - low) / span).collect()
        },
    )
}

/// Linear light from a channel of sRGB in 0..255.
#[inline(always)]
fn linear(value: f64) -> f64 {
    let value = value / 255.0;
    let root = (value + 0.055) / 1.055;
    // To the power of 2.4; both, so that there is no branch.
    let square = root * root;
    let (power, line) = (square * fifth_root(square), value / 12.92);
    if value <= 0.04045 { line } else { power }
}

/// CIELAB of linear sRGB, relative to D50 without adaptation.
#[inline(always)]
fn lab_of(red: f64, green: f64, blue: f64) -> [f64; 3] {
    let root = |row: usize| {
        let [r, g, b] = XYZ[row];
        let value = (r * red + g * green + b * blue) / WHITE[row];
        // Both, so that there is no branch.
        let (root, line) = (cube_root(value), (903.3 * value + 16.0) / 116.0);
        if value > 0.008856 { root } else { line }
    };
    let (x, y, z) = (root(0), root(1), root(2));
    [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
}

/// MATLAB's `imresize` with `'bilinear'`: a triangle, widened when the image shrinks, mirrored at the edges. Ours because
/// `image` cuts the triangle off at the edges, and resizes 8 bits or `f32`.
fn resize(plane: &Plane, width: usize, height: usize) -> Plane {
    let (columns, rows) = (triangles(plane.width(), width), triangles(plane.height(), height));
    let down = |plane: &Plane| {
        Plane::from_rows(
            plane.width(),
            height,
            #[inline(always)]
            |y, out| {
                for &(row, weight) in &rows[y] {
                    add_scaled(out, plane.row(row), weight);
                }
            },
        )
    };
    // Down goes by vectors: first where that leaves fewer rows.
    if height < plane.height() { across(&down(plane), &columns) } else { down(&across(plane, &columns)) }
}

/// Rows of other pixels, each a sum of some.
fn across(plane: &Plane, columns: &[Vec<(usize, f64)>]) -> Plane {
    Plane::from_rows(
        columns.len(),
        plane.height(),
        #[inline(always)]
        |y, out| {
            let row = plane.row(y);
            for (out, taps) in out.iter_mut().zip(columns) {
                *out = taps.iter().map(|&(x, weight)| weight * row[x]).sum();
            }
        },
    )
}

/// MATLAB's `imresize` with `'bilinear'` along one axis: for each pixel after it those that it comes from, with weights that
/// add to 1.
pub fn triangles(before: usize, after: usize) -> Vec<Vec<(usize, f64)>> {
    let scale = after as f64 / before as f64;
    let reach = 1.0 / scale.min(1.0);
    (0..after)
        .map(|index| {
            let centre = (index as f64 + 0.5) / scale - 0.5;
            let first = (centre - reach).floor() as isize;
            let taps: Vec<(usize, f64)> = (first..=(centre + reach).ceil() as isize)
                .map(|at| (mirrored(at, before), (1.0 - (centre - at as f64).abs() / reach).max(0.0)))
                .filter(|&(_, weight)| weight > 0.0)
                .collect();
            let sum: f64 = taps.iter().map(|(_, weight)| weight).sum();
            taps.into_iter().map(|(at, weight)| (at, weight / sum)).collect()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand, as MATLAB's documentation has it: pixel centres at whole numbers, both edges mirrored.
    #[test]
    fn a_row_changes_size_as_in_matlab() {
        let row = |width, values| Plane::from_parts(width, 1, values);
        let larger = resize(&row(2, vec![0.0, 4.0]), 4, 1);
        assert_eq!(larger.values(), [0.0, 1.0, 3.0, 4.0]);
        // Halving: the triangle reaches over two pixels to each side, weights 1, 3, 3, 1 of 8.
        let smaller = resize(&row(4, vec![0.0, 8.0, 16.0, 24.0]), 2, 1);
        assert_eq!(smaller.values(), [5.0, 19.0]);
    }

    #[test]
    fn grey_is_not_neutral_at_this_white_point() {
        let [l, a, b] = lab_of(linear(255.0), linear(255.0), linear(255.0));
        assert!((l - 100.0).abs() < 1e-5);
        assert!(a < -1.0 && b < -1.0, "{a} {b}");
    }
}
