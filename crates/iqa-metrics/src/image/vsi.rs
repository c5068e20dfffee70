use image::RgbImage;
use ndarray::ArrayView3;

use super::fsim::SCHARR;
use super::plane::{Border, Plane, automatic_factor, real_part, similarity, weighted_mean};
use super::roots::fifth_root;
use super::saliency::saliency;
use super::{rgb_view, same_size, size};
use crate::MetricsError;

/// The opponent colours `L`, `M` and `N` from RGB.
pub const LMN: [[f64; 3]; 3] = [[0.06, 0.63, 0.27], [0.30, 0.04, -0.35], [0.34, -0.60, 0.17]];
/// Constant of the similarity of saliency.
pub const SALIENCY: f64 = 1.27;
/// Constant of the similarity of gradients.
pub const GRADIENT: f64 = 386.0;
/// Constant of the similarity of chrominances.
pub const CHROMA: f64 = 130.0;
/// Exponent of the gradient part.
pub const ALPHA: f64 = 0.4;
/// Exponent of the chrominance part.
pub const BETA: f64 = 0.02;
/// Smallest side: a 3x3 gradient.
pub(super) const MINIMUM: usize = 3;

/// Visual saliency-induced index: higher is better, 0 to 1.
///
/// Conventions of the authors' `VSI.m`: 8-bit RGB in 0..255, saliency by SDSP on the image brought to 256x256 (MATLAB's
/// `imresize`, `'bilinear'`, with antialiasing), opponent colours LMN; all maps averaged over `f x f` pixels and every
/// `f`-th kept (`f` the shorter side over 256, rounded, at least 1), zeros beyond the edge; Scharr gradients; no crop.
/// Where neither image has a salient place, and the published formula is 0/0, all pixels weigh the same.
///
/// Source: L. Zhang, Y. Shen, H. Li, "VSI: A Visual Saliency-Induced Index for Perceptual Image Quality Assessment",
/// IEEE TIP 23(10), 2014, equation 7.
///
/// # Errors
/// [`MetricsError::SizeMismatch`], [`MetricsError::TooSmall`] below 3 pixels.
pub fn vsi(distorted: &RgbImage, reference: &RgbImage) -> Result<f64, MetricsError> {
    score(rgb_view(distorted), rgb_view(reference))
}

pub(super) fn score(
    distorted: ArrayView3<'_, u8>,
    reference: ArrayView3<'_, u8>,
) -> Result<f64, MetricsError> {
    same_size("vsi", size(&distorted), size(&reference), MINIMUM)?;
    let factor = automatic_factor(size(&reference));
    let shrink = |plane: Plane| plane.decimate(factor, Border::Zero);
    let images = [distorted, reference];
    let (salient_d, salient_r) = rayon::join(|| shrink(saliency(distorted)), || shrink(saliency(reference)));
    let pixels = images.map(|image| Plane::decimated_pixels(image, factor));
    let [l, m, n] = LMN.map(|weights| pixels.each_ref().map(|pixels| Plane::weighted(pixels, weights)));
    let [gradient_d, gradient_r] = l.map(|plane| plane.gradient_magnitude(SCHARR));
    let gradients = gradient_d.zip(
        &gradient_r,
        #[inline(always)]
        |d, r| to_alpha(similarity(d, r, GRADIENT)),
    );
    let chroma = m[0].zip(&m[1], |d, r| similarity(d, r, CHROMA)).zip(
        &n[0].zip(&n[1], |d, r| similarity(d, r, CHROMA)),
        #[inline(always)]
        |m, n| to_beta(m * n),
    );
    let map = salient_d
        .zip(&salient_r, |d, r| similarity(d, r, SALIENCY))
        .zip(&gradients, |a, b| a * b)
        .zip(&chroma, |a, b| a * b);
    let weight = salient_d.zip(&salient_r, f64::max);
    Ok(weighted_mean(map.values().iter().copied().zip(weight.values().iter().copied())))
}

/// `x^ALPHA`: the fifth root of the square.
#[inline(always)]
fn to_alpha(x: f64) -> f64 {
    fifth_root(x * x)
}

/// The real part of `x^BETA`: of the fifth root of the fifth root of the square root.
#[inline(always)]
fn to_beta(x: f64) -> f64 {
    real_part(x, BETA, fifth_root(fifth_root(x.abs().sqrt())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::plane::real_power;

    #[test]
    fn powers_are_those_of_the_exponents() {
        for x in [1e-9, 0.3, 0.999, 1.0] {
            assert!((to_alpha(x) - x.powf(ALPHA)).abs() < 1e-15);
            assert!((to_beta(x) - real_power(x, BETA)).abs() < 1e-15);
            assert!((to_beta(-x) - real_power(-x, BETA)).abs() < 1e-15);
        }
        assert_eq!([to_alpha(0.0), to_beta(0.0)], [0.0, 0.0]);
    }

    /// Nothing is salient in a picture of one colour, at any size. Then all pixels weigh the same, and but for the edges, where
    /// zeros lie beyond, they differ in their chrominances alone.
    #[test]
    fn pictures_of_one_colour_are_compared_by_their_edges_and_colours() {
        let of = |[r, g, b]: [f64; 3]| LMN.map(|[red, green, blue]| red * r + green * g + blue * b);
        let colours: [([u8; 3], [u8; 3]); 4] =
            [([100; 3], [101; 3]), ([128; 3], [255; 3]), ([37, 201, 90], [0, 0, 255]), ([0; 3], [9, 0, 0])];
        // The second size is the one that the maps have.
        for (size, shrunk) in [
            ((640, 480), (320, 240)),
            ((512, 512), (256, 256)),
            ((257, 257), (257, 257)),
            ((300, 371), (300, 371)),
            ((1025, 300), (1025, 300)),
        ] {
            for (a, b) in colours {
                let [a, b] = [a, b].map(|colour| RgbImage::from_pixel(size.0, size.1, image::Rgb(colour)));
                let [[l_a, m_a, n_a], [l_b, m_b, n_b]] =
                    [&a, &b].map(|picture| of(picture.get_pixel(0, 0).0.map(f64::from)));
                let chroma = similarity(m_a, m_b, CHROMA) * similarity(n_a, n_b, CHROMA);
                let edge = |slope: f64| similarity(slope * l_a, slope * l_b, GRADIENT).powf(ALPHA);
                // Scharr: 16/16 along an edge, 13/16 both ways at a corner.
                let (corner, side) = (edge(13.0 / 16.0 * 2f64.sqrt()), edge(1.0));
                let sides = f64::from(2 * (shrunk.0 + shrunk.1) - 8);
                let inside = f64::from((shrunk.0 - 2) * (shrunk.1 - 2));
                let mean = (4.0 * corner + sides * side + inside) / f64::from(shrunk.0 * shrunk.1);
                let expected = mean * real_power(chroma, BETA);
                let found = vsi(&a, &b).expect("scores");
                assert!(
                    (found - expected).abs() < 1e-9,
                    "{size:?} {a_b:?}: {found}, {expected}",
                    a_b = (l_a, l_b)
                );
                assert!((vsi(&a, &a).expect("scores") - 1.0).abs() < 1e-12);
            }
        }
    }
}
