//! Brightness, contrast, sharpness and grey levels (KADID-10k types 16 to 18, 22, 24, 25).

use image::RgbImage;

use super::color::{from_lab, to_lab};
use super::planes::{to_image, to_planes};

/// Part of the brightness change that acts on RGB; the rest acts on L of CIELAB.
const RGB_PART: f32 = 2.0 / 3.0;
/// Standard deviation of the unsharp mask, in pixels.
const UNSHARP_SIGMA: f32 = 3.0;
/// Rounds of the threshold search; it settles within some twenty.
const THRESHOLD_ROUNDS: usize = 64;

/// Types 16 and 17: the curve through `(0, 0), (0.5, 0.5 + shift), (1, 1)`.
pub(super) fn brightness(image: &RgbImage, shift: f32) -> RgbImage {
    let curve = Curve::through([(0.0, 0.0), (0.5, 0.5 + shift), (1.0, 1.0)]);
    let rgb = to_planes(image).map(|plane| plane.map(|value| curve.at(value)));
    let [l, a, b] = to_lab(image);
    let lab = from_lab(&[l.map(|value| 100.0 * curve.at(value / 100.0)), a, b]);
    let mut mixed = rgb;
    for (plane, other) in mixed.iter_mut().zip(&lab) {
        for (value, other) in plane.values.iter_mut().zip(&other.values) {
            *value = RGB_PART * *value + (1.0 - RGB_PART) * other;
        }
    }
    to_image(&mixed)
}

/// Type 18: `shift` is added to each channel.
pub(super) fn mean_shift(image: &RgbImage, shift: f32) -> RgbImage {
    to_image(&to_planes(image).map(|plane| plane.map(|value| value + shift)))
}

/// Type 25: the curve through `(0, 0), (1/4, 1/4 - change/4), (3/4, 3/4 + change/4), (1, 1)`.
pub(super) fn contrast(image: &RgbImage, change: f32) -> RgbImage {
    let quarter = change / 4.0;
    let curve = Curve::through([(0.0, 0.0), (0.25, 0.25 - quarter), (0.75, 0.75 + quarter), (1.0, 1.0)]);
    to_image(&to_planes(image).map(|plane| plane.map(|value| curve.at(value))))
}

/// Type 24: an unsharp mask of `amount` on L of CIELAB.
pub(super) fn sharpen(image: &RgbImage, amount: f32) -> RgbImage {
    let [mut l, a, b] = to_lab(image);
    let smooth = l.gaussian(UNSHARP_SIGMA);
    for (value, smooth) in l.values.iter_mut().zip(&smooth.values) {
        *value += amount * (*value - smooth);
    }
    to_image(&from_lab(&[l, a, b]))
}

/// Type 22: each channel takes one of `levels` values; the thresholds between them part the luminance histogram
/// with the least variance inside the parts (Otsu's criterion).
pub(super) fn quantise(image: &RgbImage, levels: usize) -> RgbImage {
    let mut histogram = [0f64; 256];
    for pixel in image.pixels() {
        // ITU-R BT.601 luma.
        let luma = 0.299 * f32::from(pixel[0]) + 0.587 * f32::from(pixel[1]) + 0.114 * f32::from(pixel[2]);
        histogram[luma.round() as usize] += 1.0;
    }
    let centres = least_variance_centres(&histogram, levels);
    let table: [u8; 256] = std::array::from_fn(|byte| {
        let distance = |centre: &f64| (centre - byte as f64).abs();
        let nearest = centres.iter().copied().min_by(|a, b| distance(a).total_cmp(&distance(b)));
        nearest.map_or(byte as u8, |centre| centre.round() as u8)
    });
    let mut out = image.clone();
    out.iter_mut().for_each(|value| *value = table[*value as usize]);
    out
}

/// Lloyd's algorithm on a histogram, from centres at equal parts of its mass.
fn least_variance_centres(histogram: &[f64; 256], count: usize) -> Vec<f64> {
    let total: f64 = histogram.iter().sum();
    let mut centres: Vec<f64> = Vec::with_capacity(count);
    let mut mass = 0.0;
    for (byte, weight) in histogram.iter().enumerate() {
        mass += weight;
        while centres.len() < count && mass >= total * (centres.len() as f64 + 0.5) / count as f64 {
            centres.push(byte as f64);
        }
    }
    centres.dedup();
    for _ in 0..THRESHOLD_ROUNDS {
        let mut sums = vec![(0.0, 0.0); centres.len()];
        let mut nearest = 0;
        for (byte, weight) in histogram.iter().enumerate() {
            let value = byte as f64;
            while nearest + 1 < centres.len()
                && (centres[nearest + 1] - value).abs() < (centres[nearest] - value).abs()
            {
                nearest += 1;
            }
            sums[nearest].0 += weight * value;
            sums[nearest].1 += weight;
        }
        for (centre, (sum, weight)) in centres.iter_mut().zip(sums) {
            if weight > 0.0 {
                *centre = sum / weight;
            }
        }
    }
    centres
}

/// The shape-preserving cubic through points (Fritsch and Carlson 1980; MATLAB's `pchip`); values stay in `[0, 1]`.
struct Curve<const N: usize> {
    points: [(f32, f32); N],
    slopes: [f32; N],
}

impl<const N: usize> Curve<N> {
    /// A curve through at least three points, given from left to right.
    fn through(points: [(f32, f32); N]) -> Self {
        let step = |i: usize| points[i + 1].0 - points[i].0;
        let secant = |i: usize| (points[i + 1].1 - points[i].1) / step(i);
        // pchip's three-point formula at an end, kept between zero and three times the secant.
        let end = |near: usize, far: usize| {
            let (h, g) = (step(near), step(far));
            let (near, far) = (secant(near), secant(far));
            let slope = ((2.0 * h + g) * near - h * far) / (h + g);
            if slope * near <= 0.0 {
                0.0
            } else if near * far <= 0.0 && slope.abs() > 3.0 * near.abs() {
                3.0 * near
            } else {
                slope
            }
        };
        let slopes = std::array::from_fn(|i| match i {
            0 => end(0, 1),
            i if i == N - 1 => end(N - 2, N - 3),
            i => {
                let (before, after) = (secant(i - 1), secant(i));
                // The weighted harmonic mean, or a flat turn.
                let (w, v) = (2.0 * step(i) + step(i - 1), step(i) + 2.0 * step(i - 1));
                if before * after > 0.0 { (w + v) * before * after / (w * after + v * before) } else { 0.0 }
            }
        });
        Self { points, slopes }
    }

    fn at(&self, x: f32) -> f32 {
        let i = self.points[1..N - 1].iter().filter(|point| x >= point.0).count();
        let ((x0, y0), (x1, y1)) = (self.points[i], self.points[i + 1]);
        let (s0, s1) = (self.slopes[i], self.slopes[i + 1]);
        let step = x1 - x0;
        let t = (x - x0) / step;
        let (t2, t3) = (t * t, t * t * t);
        let value = (2.0 * t3 - 3.0 * t2 + 1.0) * y0
            + (t3 - 2.0 * t2 + t) * step * s0
            + (3.0 * t2 - 2.0 * t3) * y1
            + (t3 - t2) * step * s1;
        value.clamp(0.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use image::Rgb;

    use super::*;

    #[test]
    fn the_curve_is_pchip() {
        // scipy.interpolate.PchipInterpolator, SciPy 1.17.1.
        const AT: [f32; 4] = [0.1, 0.3, 0.6, 0.9];
        let three = |m| {
            let curve = Curve::through([(0.0, 0.0), (0.5, m), (1.0, 1.0)]);
            AT.map(|x| curve.at(x))
        };
        let four = |a, b| {
            let curve = Curve::through([(0.0, 0.0), (0.25, a), (0.75, b), (1.0, 1.0)]);
            AT.map(|x| curve.at(x))
        };
        let cases: [([f32; 4], [f64; 4]); 4] = [
            (three(0.7), [0.17456, 0.47952, 0.78176, 0.96944]),
            (three(0.1), [0.00464, 0.03888, 0.17504, 0.74576]),
            (four(0.175, 0.825), [0.058_464_516, 0.224_903_226, 0.647_612_903, 0.941_535_484]),
            (four(0.4, 0.6), [0.196_342_857, 0.430_285_714, 0.528, 0.803_657_143]),
        ];
        for (found, expected) in cases {
            for (found, expected) in found.into_iter().zip(expected) {
                assert!((f64::from(found) - expected).abs() < 1e-6, "{found} {expected}");
            }
        }
    }

    #[test]
    fn the_curve_rises() {
        for middle in [0.1, 0.3, 0.5, 0.7, 0.95] {
            let curve = Curve::through([(0.0, 0.0), (0.5, middle), (1.0, 1.0)]);
            let values: Vec<_> = (0..=100).map(|i| curve.at(i as f32 / 100.0)).collect();
            assert!(values.is_sorted(), "middle {middle}");
        }
    }

    #[test]
    fn no_shift_changes_nothing() {
        let image = RgbImage::from_fn(16, 16, |x, y| Rgb([(x * 16) as u8, (y * 16) as u8, 99]));
        assert_eq!(brightness(&image, 0.0), image);
        assert_eq!(contrast(&image, 0.0), image);
        assert_eq!(mean_shift(&image, 0.0), image);
        assert_eq!(sharpen(&image, 0.0), image);
    }

    #[test]
    fn quantisation_leaves_that_many_levels() {
        let ramp = RgbImage::from_fn(256, 4, |x, _| Rgb([x as u8; 3]));
        for levels in [20, 16, 13, 10, 7] {
            let values: BTreeSet<u8> = quantise(&ramp, levels).iter().copied().collect();
            assert_eq!(values.len(), levels);
        }
        // A uniform ramp is parted evenly: the centres of four parts.
        let values: Vec<u8> =
            quantise(&ramp, 4).iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
        for (found, expected) in values.iter().zip([31.5f32, 95.5, 159.5, 223.5]) {
            assert!((f32::from(*found) - expected).abs() <= 2.0, "{values:?}");
        }
    }
}
