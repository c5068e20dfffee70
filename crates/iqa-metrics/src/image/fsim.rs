use image::RgbImage;
use ndarray::ArrayView3;

use super::phase::phase_congruency;
use super::plane::{Plane, automatic_factor, real_part, similarity, weighted_mean};
use super::roots::fifth_root;
use super::{rgb_view, same_size, size};
use crate::MetricsError;

/// Luminance and the two chrominances of YIQ from RGB, with the digits of the authors' program.
const YIQ: [[f64; 3]; 3] = [[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]];
/// Smoothing across a Scharr gradient.
pub const SCHARR: [f64; 3] = [3.0 / 16.0, 10.0 / 16.0, 3.0 / 16.0];
/// Constants of the similarities of phase congruency, gradient and chrominance (`T1` to `T4`).
const PHASE: f64 = 0.85;
const GRADIENT: f64 = 160.0;
const CHROMA: f64 = 200.0;
/// Exponent of the chrominance part.
const LAMBDA: f64 = 0.03;
/// Smallest side: a 3x3 gradient.
pub(super) const MINIMUM: usize = 3;

/// Feature similarity of the luminance: higher is better, 0 to 1.
///
/// Conventions of the authors' `FeatureSIM.m`: `Y = 0.299 R + 0.587 G + 0.114 B` of 8-bit RGB, not rounded, averaged
/// over `f x f` pixels and every `f`-th kept (`f` the shorter side over 256, rounded, at least 1), zeros beyond the edge;
/// phase congruency of four scales and four orientations, Scharr gradients; no crop. Where neither image has any
/// structure, and the published formula is 0/0, all pixels weigh the same.
///
/// Source: L. Zhang, L. Zhang, X. Mou, D. Zhang, "FSIM: A Feature Similarity Index for Image Quality Assessment", IEEE
/// TIP 20(8), 2011, equation 5.
///
/// # Errors
/// [`MetricsError::SizeMismatch`], [`MetricsError::TooSmall`] below 3 pixels.
pub fn fsim(distorted: &RgbImage, reference: &RgbImage) -> Result<f64, MetricsError> {
    score(rgb_view(distorted), rgb_view(reference))
}

/// Feature similarity with colour: [`fsim`] times the similarity of the YIQ chrominances to the power 0.03.
///
/// Where the two chrominance similarities have unlike signs, the real part of the complex power counts, as in the
/// authors' program.
///
/// Source: as [`fsim`], equation 9.
///
/// # Errors
/// As [`fsim`].
pub fn fsimc(distorted: &RgbImage, reference: &RgbImage) -> Result<f64, MetricsError> {
    score_with_colour(rgb_view(distorted), rgb_view(reference))
}

pub(super) fn score(
    distorted: ArrayView3<'_, u8>,
    reference: ArrayView3<'_, u8>,
) -> Result<f64, MetricsError> {
    Ok(both("fsim", distorted, reference, false)?.0)
}

pub(super) fn score_with_colour(
    distorted: ArrayView3<'_, u8>,
    reference: ArrayView3<'_, u8>,
) -> Result<f64, MetricsError> {
    Ok(both("fsimc", distorted, reference, true)?.1)
}

/// FSIM, and FSIMc if `colour`.
fn both(
    measure: &'static str,
    distorted: ArrayView3<'_, u8>,
    reference: ArrayView3<'_, u8>,
    colour: bool,
) -> Result<(f64, f64), MetricsError> {
    same_size(measure, size(&distorted), size(&reference), MINIMUM)?;
    let factor = automatic_factor(size(&reference));
    let pixels = [distorted, reference].map(|image| Plane::decimated_pixels(image, factor));
    let channel = |index: usize| pixels.each_ref().map(|pixels| Plane::weighted(pixels, YIQ[index]));
    let [d, r] = channel(0);
    let [phase_d, phase_r] = phase_congruency([&d, &r]);
    let gradients =
        d.gradient_magnitude(SCHARR).zip(&r.gradient_magnitude(SCHARR), |d, r| similarity(d, r, GRADIENT));
    let weight = phase_d.zip(&phase_r, f64::max);
    let features = phase_d.zip(&phase_r, |d, r| similarity(d, r, PHASE)).zip(&gradients, |a, b| a * b);
    let pool = |map: &Plane| weighted_mean(map.values().iter().copied().zip(weight.values().iter().copied()));
    let fsim = pool(&features);
    if !colour {
        return Ok((fsim, fsim));
    }
    let [i, q] = [1, 2].map(|index| {
        let [d, r] = channel(index);
        d.zip(&r, |d, r| similarity(d, r, CHROMA))
    });
    let chroma = i.zip(
        &q,
        #[inline(always)]
        |i, q| to_lambda(i * q),
    );
    Ok((fsim, pool(&features.zip(&chroma, |a, b| a * b))))
}

/// The real part of `x^LAMBDA`, 3/100: of the fifth root of the fifth root of the fourth root of the cube.
#[inline(always)]
fn to_lambda(x: f64) -> f64 {
    let square_root = x.abs().sqrt();
    real_part(x, LAMBDA, fifth_root(fifth_root(square_root * square_root.sqrt())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::plane::real_power;

    #[test]
    fn the_power_is_that_of_the_exponent() {
        for x in [1e-9, 0.3, 0.999, 1.0] {
            assert!((to_lambda(x) - real_power(x, LAMBDA)).abs() < 1e-15);
            assert!((to_lambda(-x) - real_power(-x, LAMBDA)).abs() < 1e-15);
        }
        assert_eq!(to_lambda(0.0), 0.0);
    }
}
