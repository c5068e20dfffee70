//! Brightness, sharpness and grey levels (KADID-10k types 16, 17, 22, 24).

use image::RgbImage;

use super::color::{from_lab, to_lab};
use super::planes::{Plane, to_image, to_planes};

/// Part of the brightness change that acts on RGB; the rest acts on L of CIELAB.
const RGB_PART: f32 = 2.0 / 3.0;
/// Standard deviation of the unsharp mask, in pixels.
const UNSHARP_SIGMA: f32 = 3.0;
/// Rounds of the threshold search; it settles within some twenty.
const THRESHOLD_ROUNDS: usize = 64;

/// Types 16 and 17: the curve through `(0, 0), (0.5, 0.5 + shift), (1, 1)`.
pub(super) fn brightness(image: &RgbImage, shift: f32) -> RgbImage {
    let curve = Curve::through_middle(0.5 + shift);
    let rgb = to_planes(image).map(|plane| mapped(plane, |value| curve.at(value)));
    let [l, a, b] = to_lab(image);
    let lab = from_lab(&[mapped(l, |value| 100.0 * curve.at(value / 100.0)), a, b]);
    let mut mixed = rgb;
    for (plane, other) in mixed.iter_mut().zip(&lab) {
        for (value, other) in plane.values.iter_mut().zip(&other.values) {
            *value = RGB_PART * *value + (1.0 - RGB_PART) * other;
        }
    }
    to_image(&mixed)
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

fn mapped(mut plane: Plane, f: impl Fn(f32) -> f32) -> Plane {
    plane.values.iter_mut().for_each(|value| *value = f(*value));
    plane
}

/// The shape-preserving cubic through `(0, 0), (0.5, m), (1, 1)` (Fritsch and Carlson 1980; MATLAB's `pchip`).
struct Curve {
    middle: f32,
    slopes: [f32; 3],
}

impl Curve {
    fn through_middle(middle: f32) -> Self {
        let (first, second) = (middle / 0.5, (1.0 - middle) / 0.5);
        let inner = if first * second > 0.0 { 2.0 * first * second / (first + second) } else { 0.0 };
        // pchip's three-point formula at an end, kept between zero and three times the secant.
        let end = |near: f32, far: f32| {
            let slope = (3.0 * near - far) / 2.0;
            if slope * near <= 0.0 {
                0.0
            } else if near * far <= 0.0 && slope.abs() > 3.0 * near.abs() {
                3.0 * near
            } else {
                slope
            }
        };
        Self { middle, slopes: [end(first, second), inner, end(second, first)] }
    }

    fn at(&self, x: f32) -> f32 {
        let (x0, y0, y1, s0, s1) = if x < 0.5 {
            (0.0, 0.0, self.middle, self.slopes[0], self.slopes[1])
        } else {
            (0.5, self.middle, 1.0, self.slopes[1], self.slopes[2])
        };
        let t = (x - x0) / 0.5;
        let (t2, t3) = (t * t, t * t * t);
        let value = (2.0 * t3 - 3.0 * t2 + 1.0) * y0
            + (t3 - 2.0 * t2 + t) * 0.5 * s0
            + (3.0 * t2 - 2.0 * t3) * y1
            + (t3 - t2) * 0.5 * s1;
        value.clamp(0.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use image::Rgb;

    use super::*;

    #[test]
    fn the_curve_goes_through_its_points_and_rises() {
        // scipy.interpolate.PchipInterpolator([0, 0.5, 1], [0, 0.7, 1]) at 0.25 and 0.75.
        let curve = Curve::through_middle(0.7);
        assert!((curve.at(0.25) - 0.404_375).abs() < 0.01 && (curve.at(0.5) - 0.7).abs() < 1e-6);
        assert!(curve.at(0.0).abs() < 1e-6 && (curve.at(1.0) - 1.0).abs() < 1e-6);
        for middle in [0.1, 0.3, 0.5, 0.7, 0.95] {
            let curve = Curve::through_middle(middle);
            let values: Vec<_> = (0..=100).map(|i| curve.at(i as f32 / 100.0)).collect();
            assert!(values.is_sorted(), "middle {middle}");
        }
    }

    #[test]
    fn no_shift_changes_nothing() {
        let image = RgbImage::from_fn(16, 16, |x, y| Rgb([(x * 16) as u8, (y * 16) as u8, 99]));
        assert_eq!(brightness(&image, 0.0), image);
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
