use image::RgbImage;
use ndarray::{ArrayView3, Zip};
use rayon::prelude::*;

use super::{rgb_view, same_size, size};
use crate::MetricsError;

/// The highest PSNR that is given, in dB; identical images have no finite one.
pub const PSNR_CAP: f64 = 100.0;

/// Peak signal-to-noise ratio in dB: `10 log10(255^2 / MSE)`, higher is better, 0 to 100.
///
/// Conventions: mean squared error over all pixels and the three channels of 8-bit RGB, no crop. Identical images
/// get [`PSNR_CAP`], as do pairs that differ by less than that.
///
/// # Errors
/// [`MetricsError::SizeMismatch`], [`MetricsError::TooSmall`] without a pixel.
pub fn psnr(distorted: &RgbImage, reference: &RgbImage) -> Result<f64, MetricsError> {
    score(rgb_view(distorted), rgb_view(reference))
}

pub(super) fn score(
    distorted: ArrayView3<'_, u8>,
    reference: ArrayView3<'_, u8>,
) -> Result<f64, MetricsError> {
    same_size("psnr", size(&distorted), size(&reference), 1)?;
    let squares = match (distorted.as_slice(), reference.as_slice()) {
        (Some(distorted), Some(reference)) => {
            distorted.par_chunks(PIECE).zip(reference.par_chunks(PIECE)).map(|(a, b)| squares(a, b)).sum()
        }
        _ => Zip::from(distorted).and(reference).fold(0, |sum, a, b| sum + u64::from(a.abs_diff(*b)).pow(2)),
    };
    let mse = squares as f64 / distorted.len() as f64;
    Ok((10.0 * (255.0f64.powi(2) / mse).log10()).min(PSNR_CAP))
}

/// Values of which the squared differences add up to no more than 32 bits hold.
const PIECE: usize = 1 << 15;

/// The sum of the squared differences, in 32 bits for as long as it fits: several at once.
fn squares(a: &[u8], b: &[u8]) -> u64 {
    u64::from(a.iter().zip(b).map(|(a, b)| u32::from(a.abs_diff(*b)).pow(2)).sum::<u32>())
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    #[test]
    fn closed_forms() {
        let grey = |value| RgbImage::from_pixel(4, 3, Rgb([value; 3]));
        let found = psnr(&grey(10), &grey(20)).expect("defined");
        assert!((found - 10.0 * (65025.0f64 / 100.0).log10()).abs() < 1e-12);
        assert_eq!(psnr(&grey(0), &grey(255)).expect("defined"), 0.0);
        assert_eq!(psnr(&grey(7), &grey(7)).expect("defined"), PSNR_CAP);
        // Many pieces of the greatest difference.
        let large = |value| RgbImage::from_pixel(640, 480, Rgb([value; 3]));
        assert_eq!(psnr(&large(0), &large(255)).expect("defined"), 0.0);
    }
}
