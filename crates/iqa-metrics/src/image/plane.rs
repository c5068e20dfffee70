//! One channel of an image in double precision, and the few filters that the measures share.
//!
//! The filters are ours because each measure stands on MATLAB's windows and borders: where a box of even side lies, which
//! pixels it keeps, what is beyond the edge. They run along slices of rows, for which an `Array2` within [`Plane`] was
//! tried: more code, and no faster.

use std::ops::Range;

use image::RgbImage;
use ndarray::{ArrayView2, ArrayView3};
use pulp::Arch;
use rayon::prelude::*;

use super::rgb_view;
use crate::MetricsError;

/// Weights of red, green and blue in MATLAB's `rgb2gray`: ITU-R BT.601, with all digits.
pub const LUMA: [f64; 3] = [0.298_936_021_293_775, 0.587_043_074_451_121, 0.114_020_904_255_103];

/// One channel of an image, row by row, on the scale 0 to 255.
#[derive(Clone, Debug, PartialEq)]
pub struct Plane {
    width: usize,
    height: usize,
    values: Vec<f64>,
}

/// Values that one thread takes at a time.
pub(super) const PIECE: usize = 1 << 13;

/// What lies beyond the edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Border {
    /// Zeros, as in MATLAB's `conv2`.
    Zero,
    /// The image mirrored, the edge pixel twice, as in MATLAB's `imfilter` with `'symmetric'`.
    Symmetric,
}

impl Plane {
    /// A channel from its values, row by row.
    ///
    /// # Errors
    /// [`MetricsError::PlaneSize`] when there are not `width * height` values, or none.
    pub fn new(width: usize, height: usize, values: Vec<f64>) -> Result<Self, MetricsError> {
        if values.is_empty() || width.checked_mul(height) != Some(values.len()) {
            return Err(MetricsError::PlaneSize { width, height, values: values.len() });
        }
        Ok(Self { width, height, values })
    }

    /// The luma that the published programs are given: MATLAB's `rgb2gray` of an 8-bit image, which is rounded to 8
    /// bits again.
    pub fn luma(image: &RgbImage) -> Self {
        Self::luma_of(rgb_view(image))
    }

    /// [`Self::luma`] of an array of `(height, width, channel)`, the channels red, green and blue.
    ///
    /// # Errors
    /// [`MetricsError::Channels`] unless there are three, [`MetricsError::PlaneSize`] without a pixel.
    pub fn luma_array(image: ArrayView3<'_, u8>) -> Result<Self, MetricsError> {
        match image.dim() {
            (height, width, 3) => Self::new(width, height, Self::luma_of(image).values),
            (.., found) => Err(MetricsError::Channels { found }),
        }
    }

    pub(super) fn luma_of(image: ArrayView3<'_, u8>) -> Self {
        let (height, width, _) = image.dim();
        let [red, green, blue] = LUMA;
        // By whole pixels: along three strided channels takes longer.
        let image = image.as_standard_layout();
        let (pixels, _) = image.as_slice().expect("pixels lie row by row").as_chunks::<3>();
        Self::from_rows(
            width,
            height,
            #[inline(always)]
            |y, out| {
                for (out, [r, g, b]) in out.iter_mut().zip(&pixels[y * width..]) {
                    *out = rounded(red * f64::from(*r) + green * f64::from(*g) + blue * f64::from(*b));
                }
            },
        )
    }

    /// Red, green and blue side by side, three values a pixel, each as by [`Self::decimate`] with zeros beyond the edge. Windows
    /// are summed as whole numbers.
    pub(super) fn decimated_pixels(image: ArrayView3<'_, u8>, factor: usize) -> Self {
        let (height, width, _) = image.dim();
        let image = image.as_standard_layout();
        let pixels = image.as_slice().expect("pixels lie row by row");
        let before = (factor - 1) / 2;
        let window = |index: usize, length: usize| {
            (index * factor).saturating_sub(before)..(index * factor + factor - before).min(length)
        };
        let scale = 1.0 / (factor * factor) as f64;
        Self::from_rows(
            3 * width.div_ceil(factor),
            height.div_ceil(factor),
            #[inline(always)]
            |y, out| {
                let mut sums = vec![0_u32; 3 * width];
                for row in window(y, height) {
                    for (sum, value) in sums.iter_mut().zip(&pixels[row * 3 * width..]) {
                        *sum += u32::from(*value);
                    }
                }
                let ((sums, _), (out, _)) = (sums.as_chunks::<3>(), out.as_chunks_mut::<3>());
                for (x, out) in out.iter_mut().enumerate() {
                    let mut all = [0; 3];
                    for [r, g, b] in &sums[window(x, width)] {
                        all = [all[0] + r, all[1] + g, all[2] + b];
                    }
                    *out = all.map(|sum| f64::from(sum) * scale);
                }
            },
        )
    }

    /// A weighted sum of red, green and blue that lie side by side.
    pub(super) fn weighted(pixels: &Self, [red, green, blue]: [f64; 3]) -> Self {
        Self::from_rows(
            pixels.width / 3,
            pixels.height,
            #[inline(always)]
            |y, out| {
                for (out, [r, g, b]) in out.iter_mut().zip(pixels.row(y).as_chunks::<3>().0) {
                    *out = red * r + green * g + blue * b;
                }
            },
        )
    }

    pub(super) fn from_parts(width: usize, height: usize, values: Vec<f64>) -> Self {
        debug_assert_eq!(width * height, values.len());
        Self { width, height, values }
    }

    /// Columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// The values, row by row.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// The values as an array of `(height, width)`.
    pub fn array(&self) -> ArrayView2<'_, f64> {
        ArrayView2::from_shape((self.height, self.width), &self.values).expect("as many values as pixels")
    }

    /// Width and height.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.width, self.height)
    }

    pub(super) fn row(&self, y: usize) -> &[f64] {
        &self.values[y * self.width..(y + 1) * self.width]
    }

    /// Some rows, copied.
    pub(super) fn rows(&self, rows: Range<usize>) -> Self {
        let values = self.values[rows.start * self.width..rows.end * self.width].to_vec();
        Self { width: self.width, height: rows.len(), values }
    }

    /// A plane of another size, row by row in parallel.
    pub(super) fn from_rows(width: usize, height: usize, fill: impl Fn(usize, &mut [f64]) + Sync) -> Self {
        let mut values = vec![0.0; width * height];
        values.par_chunks_mut(width).enumerate().for_each(|(y, row)| {
            wide(
                #[inline(always)]
                || fill(y, row),
            );
        });
        Self { width, height, values }
    }

    /// A new value for each pair.
    pub(super) fn zip(&self, other: &Self, f: impl Fn(f64, f64) -> f64 + Sync) -> Self {
        let mut values = vec![0.0; self.values.len()];
        let pieces = values.par_chunks_mut(PIECE).zip(self.values.par_chunks(PIECE));
        pieces.zip(other.values.par_chunks(PIECE)).for_each(|((out, a), b)| {
            wide(
                #[inline(always)]
                || {
                    for ((out, a), b) in out.iter_mut().zip(a).zip(b) {
                        *out = f(*a, *b);
                    }
                },
            );
        });
        Self { values, ..*self }
    }

    /// Correlation with `taps` along rows and columns, where the window lies inside (MATLAB's `filter2` with
    /// `'valid'`): smaller by one less than the taps.
    pub(super) fn correlate_valid(&self, taps: &[f64]) -> Self {
        let (width, height) = (self.width + 1 - taps.len(), self.height + 1 - taps.len());
        Self::from_rows(
            width,
            height,
            #[inline(always)]
            |y, out| {
                let mut column = vec![0.0; self.width];
                for (k, tap) in taps.iter().enumerate() {
                    add_scaled(&mut column, self.row(y + k), *tap);
                }
                for (k, tap) in taps.iter().enumerate() {
                    add_scaled(out, &column[k..k + width], *tap);
                }
            },
        )
    }

    /// The mean over `factor x factor` pixels round every `factor`-th pixel, from the first on; for even factors the
    /// window reaches one pixel farther right and down.
    ///
    /// This is filtering with a box (`conv2` or `imfilter`, `'same'`) followed by `(1:factor:end, 1:factor:end)`.
    pub(super) fn decimate(&self, factor: usize, border: Border) -> Self {
        if factor == 1 {
            return self.clone();
        }
        let before = (factor - 1) / 2;
        let at = |length: usize, centre: usize, k: usize| match (centre + k).checked_sub(before) {
            Some(index) if index < length => Some(index),
            _ if border == Border::Zero => None,
            Some(index) => Some(mirrored(index as isize, length)),
            None => Some(mirrored((centre + k) as isize - before as isize, length)),
        };
        let (width, height) = (self.width.div_ceil(factor), self.height.div_ceil(factor));
        let scale = 1.0 / (factor * factor) as f64;
        Self::from_rows(
            width,
            height,
            #[inline(always)]
            |y, out| {
                let mut column = vec![0.0; self.width];
                for row in (0..factor).filter_map(|k| at(self.height, y * factor, k)) {
                    add_scaled(&mut column, self.row(row), scale);
                }
                for (x, out) in out.iter_mut().enumerate() {
                    let inside =
                        (x * factor).checked_sub(before).and_then(|first| column.get(first..first + factor));
                    *out = match inside {
                        Some(inside) => inside.iter().sum(),
                        None => {
                            (0..factor).filter_map(|k| at(self.width, x * factor, k)).map(|x| column[x]).sum()
                        }
                    };
                }
            },
        )
    }

    /// Length of the gradient, from a central difference in one direction and `smoothing` in the other, with zeros
    /// beyond the edge (MATLAB's `conv2` with `'same'`).
    pub(super) fn gradient_magnitude(&self, smoothing: [f64; 3]) -> Self {
        let padded = self.bordered();
        Self::from_rows(
            self.width,
            self.height,
            #[inline(always)]
            |y, out| {
                let rows = [0, 1, 2].map(|k| &padded.row(y + k)[..out.len() + 2]);
                for (x, out) in out.iter_mut().enumerate() {
                    let (mut across, mut down) = (0.0, 0.0);
                    for (k, weight) in smoothing.iter().enumerate() {
                        across += weight * (rows[k][x + 2] - rows[k][x]);
                        down += weight * (rows[2][x + k] - rows[0][x + k]);
                    }
                    *out = (across * across + down * down).sqrt();
                }
            },
        )
    }

    /// The plane with a pixel of zeros more on each side.
    fn bordered(&self) -> Self {
        Self::from_rows(
            self.width + 2,
            self.height + 2,
            #[inline(always)]
            |y, out| {
                if (1..=self.height).contains(&y) {
                    out[1..=self.width].copy_from_slice(self.row(y - 1));
                }
            },
        )
    }
}

impl TryFrom<ArrayView2<'_, f64>> for Plane {
    type Error = MetricsError;

    /// [`MetricsError::PlaneSize`] for an array without values.
    fn try_from(array: ArrayView2<'_, f64>) -> Result<Self, MetricsError> {
        Self::new(array.ncols(), array.nrows(), array.iter().copied().collect())
    }
}

/// The nearest whole number of a luma, without a call for each: a sum with 2^52 has no digits behind the point. Halves would go to
/// the even neighbour, and there are none.
#[inline(always)]
fn rounded(luma: f64) -> f64 {
    const WHOLE: f64 = (1_u64 << 52) as f64;
    (luma + WHOLE) - WHOLE
}

/// Does `work` with the widest vectors of this processor. Numbers come out the same: nothing is fused, and no sum reordered.
#[inline(always)]
pub(super) fn wide<R>(work: impl FnOnce() -> R) -> R {
    Arch::new().dispatch(work)
}

/// `sum += scale * values`.
#[inline(always)]
pub(super) fn add_scaled(sum: &mut [f64], values: &[f64], scale: f64) {
    for (sum, value) in sum.iter_mut().zip(values) {
        *sum += scale * value;
    }
}

/// Index of a pixel beyond the edge when the image is mirrored with the edge pixel twice, as often as needed.
pub fn mirrored(index: isize, length: usize) -> usize {
    let index = index.rem_euclid(2 * length as isize) as usize;
    index.min(2 * length - 1 - index)
}

/// A normalised Gaussian of `length` taps (MATLAB's `fspecial('gaussian')`, which is separable).
pub fn gaussian(length: usize, sigma: f64) -> Vec<f64> {
    let centre = (length - 1) as f64 / 2.0;
    let taps: Vec<f64> =
        (0..length).map(|k| (-(k as f64 - centre).powi(2) / (2.0 * sigma * sigma)).exp()).collect();
    let sum: f64 = taps.iter().sum();
    taps.into_iter().map(|tap| tap / sum).collect()
}

/// The factor by which Zhang's and Wang's programs shrink an image of that width and height first: the one that brings
/// its shorter side nearest to 256 pixels.
pub fn automatic_factor((width, height): (usize, usize)) -> usize {
    ((width.min(height) as f64 / 256.0).round() as usize).max(1)
}

/// The similarity of two values that runs through all these measures, in (-1, 1]: 1 where they are the same.
#[inline(always)]
pub(super) fn similarity(a: f64, b: f64, constant: f64) -> f64 {
    (2.0 * a * b + constant) / (a * a + b * b + constant)
}

/// The real part of `x^exponent`, what MATLAB's `real(x .^ exponent)` is for a negative `x`, from `|x|^exponent`.
#[inline(always)]
pub(super) fn real_part(x: f64, exponent: f64, size: f64) -> f64 {
    if x < 0.0 { size * (std::f64::consts::PI * exponent).cos() } else { size }
}

/// [`real_part`] of any power.
#[cfg(test)]
pub(super) fn real_power(x: f64, exponent: f64) -> f64 {
    real_part(x, exponent, x.abs().powf(exponent))
}

/// Mean of `(value, weight)` pairs; the plain mean where all weights are zero.
pub(super) fn weighted_mean(pairs: impl Iterator<Item = (f64, f64)>) -> f64 {
    let (mut sum, mut weights, mut plain, mut count) = (0.0, 0.0, 0.0, 0.0);
    for (value, weight) in pairs {
        sum += value * weight;
        weights += weight;
        plain += value;
        count += 1.0;
    }
    if weights > 0.0 { sum / weights } else { plain / count }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(width: usize, height: usize) -> Plane {
        Plane::new(width, height, (0..width * height).map(|v| v as f64).collect()).expect("whole")
    }

    #[test]
    fn mirroring_repeats_the_edge_pixel() {
        let found: Vec<usize> = (-4..7).map(|index| mirrored(index, 3)).collect();
        assert_eq!(found, [2, 2, 1, 0, 0, 1, 2, 2, 1, 0, 0]);
    }

    /// Worked by hand for rows 0 1 2 / 3 4 5 / 6 7 8.
    #[test]
    fn decimation_takes_the_windows_of_matlab() {
        let zero = ramp(3, 3).decimate(2, Border::Zero);
        assert_eq!(zero.values(), [2.0, 7.0 / 4.0, 13.0 / 4.0, 2.0]);
        let symmetric = ramp(3, 3).decimate(2, Border::Symmetric);
        assert_eq!(symmetric.values(), [2.0, 3.5, 6.5, 8.0]);
        // Odd factors are centred: the first window hangs over the edge.
        let three = ramp(3, 3).decimate(3, Border::Zero);
        assert!((three.values()[0] - 8.0 / 9.0).abs() < 1e-15);
        let three = ramp(3, 3).decimate(3, Border::Symmetric);
        assert!((three.values()[0] - 12.0 / 9.0).abs() < 1e-15);
    }

    #[test]
    fn the_luma_of_every_colour_is_rounded_as_by_the_standard_library() {
        let differs = (0..1_u32 << 24).into_par_iter().find_any(|color| {
            let [_, rgb @ ..] = color.to_be_bytes().map(f64::from);
            let luma = LUMA[0] * rgb[0] + LUMA[1] * rgb[1] + LUMA[2] * rgb[2];
            rounded(luma) != luma.round()
        });
        assert_eq!(differs, None);
    }

    #[test]
    fn the_gradient_of_a_slope_is_its_steepness_inside() {
        let prewitt = ramp(5, 4).gradient_magnitude([1.0 / 3.0; 3]);
        let expected = (2.0f64.powi(2) + 10.0f64.powi(2)).sqrt();
        assert!((prewitt.row(1)[2] - expected).abs() < 1e-12);
    }

    #[test]
    fn a_negative_base_gives_the_real_part_of_the_complex_power() {
        assert!((real_power(-4.0, 0.5)).abs() < 1e-15);
        assert!((real_power(-8.0, 1.0 / 3.0) - 1.0).abs() < 1e-12);
        assert!((real_power(8.0, 1.0 / 3.0) - 2.0).abs() < 1e-12);
    }

    #[test]
    fn a_plane_of_another_length_is_refused() {
        assert!(Plane::new(2, 2, vec![0.0; 3]).is_err());
        assert!(Plane::new(0, 2, vec![]).is_err());
    }
}
