//! Noise (KADID-10k types 11 to 15).

use image::RgbImage;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use super::dct;
use super::planes::{to_image, to_planes};

/// Gains of noise in Y, Cb, Cr on R, G, B: the inverse of ITU-R BT.601's studio-range matrix, as in MATLAB's
/// `ycbcr2rgb`.
const YCBCR_TO_RGB: [[f32; 3]; 3] = [
    [1.164_383_6, 0.0, 1.596_026_8],
    [1.164_383_6, -0.391_762_3, -0.812_967_6],
    [1.164_383_6, 2.017_232_1, 0.0],
];

fn normal(rng: &mut ChaCha8Rng) -> f32 {
    rng.sample(StandardNormal)
}

/// Type 11: Gaussian of this variance on each channel.
pub(super) fn white(image: &RgbImage, variance: f32, rng: &mut ChaCha8Rng) -> RgbImage {
    let sigma = variance.sqrt();
    let mut planes = to_planes(image);
    for value in planes.iter_mut().flat_map(|plane| &mut plane.values) {
        *value += sigma * normal(rng);
    }
    to_image(&planes)
}

/// Type 12: Gaussian of this variance on each of Y, Cb and Cr.
pub(super) fn white_ycbcr(image: &RgbImage, variance: f32, rng: &mut ChaCha8Rng) -> RgbImage {
    let sigma = variance.sqrt();
    let mut planes = to_planes(image);
    for index in 0..planes[0].values.len() {
        let noise = [(); 3].map(|()| sigma * normal(rng));
        for (plane, gains) in planes.iter_mut().zip(&YCBCR_TO_RGB) {
            plane.values[index] += gains.iter().zip(noise).map(|(gain, noise)| gain * noise).sum::<f32>();
        }
    }
    to_image(&planes)
}

/// Type 13: a `density` part of the channel values becomes 0 or 1, half each.
pub(super) fn impulse(image: &RgbImage, density: f32, rng: &mut ChaCha8Rng) -> RgbImage {
    let mut out = image.clone();
    for value in out.iter_mut() {
        let draw: f32 = rng.random();
        if draw < density {
            *value = if draw < density / 2.0 { 0 } else { 255 };
        }
    }
    out
}

/// Type 14: `x + x n`, with `n` Gaussian of this variance.
pub(super) fn multiplicative(image: &RgbImage, variance: f32, rng: &mut ChaCha8Rng) -> RgbImage {
    let sigma = variance.sqrt();
    let mut planes = to_planes(image);
    for value in planes.iter_mut().flat_map(|plane| &mut plane.values) {
        *value += *value * sigma * normal(rng);
    }
    to_image(&planes)
}

/// Type 15: white noise of this variance, cut to 8 bits, and the denoiser that knows its variance.
pub(super) fn denoised(image: &RgbImage, variance: f32, rng: &mut ChaCha8Rng) -> RgbImage {
    to_image(&dct::denoise(&to_planes(&white(image, variance, rng)), variance.sqrt(), dct::FINE))
}

#[cfg(test)]
mod tests {
    use image::Rgb;
    use rand::SeedableRng;

    use super::*;

    fn rng() -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(7)
    }

    /// Sample variance of a channel around `mean`, in units of [0, 1].
    fn variance(image: &RgbImage, channel: usize, mean: f64) -> f64 {
        let squares = image.pixels().map(|p| (f64::from(p[channel]) / 255.0 - mean).powi(2));
        squares.sum::<f64>() / f64::from(image.width() * image.height())
    }

    #[test]
    fn noise_has_the_variance_asked_for() {
        let grey = RgbImage::from_pixel(300, 300, Rgb([128; 3]));
        let mean = 128.0 / 255.0;
        for channel in 0..3 {
            let found = variance(&white(&grey, 0.005, &mut rng()), channel, mean);
            assert!((found / 0.005 - 1.0).abs() < 0.03, "{found}");
            let found = variance(&multiplicative(&grey, 0.01, &mut rng()), channel, mean);
            assert!((found / (0.01 * mean * mean) - 1.0).abs() < 0.03, "{found}");
        }
        // Var(R) = (1.1644^2 + 1.5960^2) s, and so on.
        for (channel, gain) in [(0, 3.903), (1, 2.170), (2, 5.425)] {
            let found = variance(&white_ycbcr(&grey, 0.001, &mut rng()), channel, mean);
            assert!((found / (0.001 * gain) - 1.0).abs() < 0.03, "channel {channel}: {found}");
        }
    }

    #[test]
    fn the_denoiser_takes_most_of_the_noise_from_what_is_smooth() {
        let ramp = RgbImage::from_fn(128, 96, |x, y| Rgb([x as u8 + 60, y as u8 + 80, 120]));
        let error = |image: &RgbImage| -> f64 {
            image.iter().zip(ramp.iter()).map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2)).sum()
        };
        let left = error(&denoised(&ramp, 0.01, &mut rng())) / error(&white(&ramp, 0.01, &mut rng()));
        assert!(left < 0.05, "{left}");
    }

    #[test]
    fn impulses_have_the_density_asked_for() {
        let grey = RgbImage::from_pixel(300, 300, Rgb([128; 3]));
        let out = impulse(&grey, 0.02, &mut rng());
        let part = |byte: u8| out.iter().filter(|&&value| value == byte).count() as f64 / out.len() as f64;
        assert!((part(0) - 0.01).abs() < 0.001 && (part(255) - 0.01).abs() < 0.001);
        assert!((part(128) - 0.98).abs() < 0.002);
    }
}
