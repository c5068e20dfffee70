//! Sparse sampling and reconstruction (TID2013 type 24).

use image::RgbImage;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::super::dct;
use super::super::planes::{Plane, Planes, to_image, to_planes};
use super::search::Dial;

/// Noise levels, falling, that the rounds of the reconstruction remove.
const ROUNDS: [f32; 5] = [0.12, 0.08, 0.05, 0.03, 0.02];

/// Type 24: a random part of the pixels is kept and the others are reconstructed; by how many times fewer are kept.
///
/// The reconstruction starts from averages over growing squares, then shrinks DCT coefficients in rounds, each of
/// which puts the kept pixels back.
///
/// Source: O. G. Guleryuz, "Nonlinear approximation based image recovery using adaptive sparse reconstructions and
/// iterated denoising", IEEE TIP 15(3), 2006.
pub(super) fn sampled(image: &RgbImage, rng: &mut ChaCha8Rng) -> Dial<'static> {
    let planes = to_planes(image);
    let ranks: Vec<f32> = planes[0].values.iter().map(|_| rng.random()).collect();
    Dial::new((1.005, 4000.0), 4.0, move |sparsity| {
        let kept: Vec<bool> = ranks.iter().map(|rank| rank * sparsity < 1.0).collect();
        to_image(&reconstructed(&planes, &kept))
    })
}

fn reconstructed(planes: &Planes, kept: &[bool]) -> Planes {
    let mut out = planes.clone().map(|plane| filled(&plane, kept));
    for sigma in ROUNDS {
        out = dct::denoise(&out, sigma, dct::COARSE);
        for (out, plane) in out.iter_mut().zip(planes) {
            for ((value, known), kept) in out.values.iter_mut().zip(&plane.values).zip(kept) {
                *value = if *kept { *known } else { *value };
            }
        }
    }
    out
}

/// Fills what is not kept with a blend of the means of the kept pixels at coarser and coarser scales.
fn filled(plane: &Plane, kept: &[bool]) -> Plane {
    let weights = Plane { values: kept.iter().map(|&kept| f32::from(u8::from(kept))).collect(), ..*plane };
    let mut sums = plane.clone();
    sums.values.iter_mut().zip(&weights.values).for_each(|(value, weight)| *value *= weight);
    pulled(&sums, &weights)
}

/// The mean where the weight is 1, and the interpolated coarser level to the extent that it is not.
fn pulled(sums: &Plane, weights: &Plane) -> Plane {
    if sums.width == 1 && sums.height == 1 {
        let weight = weights.values[0];
        // Nothing kept at all: mid-grey.
        let value = if weight > 0.0 { sums.values[0] / weight } else { 0.5 };
        return Plane { values: vec![value], ..*sums };
    }
    let (coarse_sums, coarse_weights) = (halved(sums), halved(weights));
    let coarse = pulled(&coarse_sums, &coarse_weights);
    let mut out = Plane::new(sums.width, sums.height);
    for y in 0..out.height {
        for x in 0..out.width {
            let index = y * out.width + x;
            let weight = weights.values[index].min(1.0);
            let below = coarse.sample(x as f32 / 2.0 - 0.25, y as f32 / 2.0 - 0.25);
            let own = if weight > 0.0 { sums.values[index] / weights.values[index] } else { 0.0 };
            out.values[index] = weight * own + (1.0 - weight) * below;
        }
    }
    out
}

/// Sums over 2x2 squares.
fn halved(plane: &Plane) -> Plane {
    let mut out = Plane::new(plane.width.div_ceil(2), plane.height.div_ceil(2));
    for y in 0..plane.height {
        for (x, value) in plane.row(y).iter().enumerate() {
            out.values[y / 2 * out.width + x / 2] += value;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ramp_comes_back_from_a_tenth_of_its_pixels() {
        let values = (0..64 * 48).map(|i| (i % 64) as f32 / 128.0 + (i / 64) as f32 / 96.0).collect();
        let plane = Plane { width: 64, height: 48, values };
        let kept: Vec<bool> = (0..64 * 48).map(|i| i * 7919 % 3001 < 300).collect();
        let out = reconstructed(&[plane.clone(), plane.clone(), plane.clone()], &kept);
        let error = out[0].values.iter().zip(&plane.values).map(|(a, b)| (a - b).powi(2)).sum::<f32>();
        assert!((error / 3072.0).sqrt() < 0.02, "{}", (error / 3072.0).sqrt());
    }

    #[test]
    fn what_is_kept_stays_and_nothing_kept_is_grey() {
        let plane = Plane { width: 3, height: 1, values: vec![0.1, 0.9, 0.3] };
        let planes = [plane.clone(), plane.clone(), plane.clone()];
        assert_eq!(reconstructed(&planes, &[true; 3]), planes);
        assert!(filled(&plane, &[false; 3]).values.iter().all(|&value| value == 0.5));
    }
}
