//! Grey levels, colour, and their place (TID2013 types 7, 16 to 18, 22 and 23).

use image::RgbImage;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::super::dct;
use super::super::palette;
use super::super::planes::{Plane, to_image, to_planes};
use super::compression::{from_ycc, to_ycc};
use super::search::{Dial, TOLERANCE};
use super::{Tuned, psnr};
use crate::DatasetError;

/// Colours of a palette at most.
const MOST_COLOURS: usize = 2048;
/// Blur of the shifted channels of type 23, in pixels for each pixel of shift.
const FRINGE_BLUR: f32 = 0.3;

/// Type 7: each channel in multiples of a step; by the step.
///
/// The PSNR does not fall steadily with the step: values near a multiple gain, others lose.
pub(super) fn quantisation(image: &RgbImage) -> Dial<'static> {
    let planes = to_planes(image);
    Dial::new((4.0 / 255.0, 1.0), 0.15, move |step| {
        to_image(&planes.clone().map(|plane| plane.map(|value| (value / step).round() * step)))
    })
    .jagged()
}

/// Either sign first, at random.
fn signs(rng: &mut ChaCha8Rng) -> [f32; 2] {
    if rng.random() { [1.0, -1.0] } else { [-1.0, 1.0] }
}

/// Type 16: a constant on each channel, up or down; by its size.
pub(super) fn mean_shift(image: &RgbImage, rng: &mut ChaCha8Rng) -> Vec<Dial<'static>> {
    let dial = |sign: f32| {
        let planes = to_planes(image);
        Dial::new((1.0 / 255.0, 1.0), 0.05, move |shift| {
            to_image(&planes.clone().map(|plane| plane.map(|value| value + sign * shift)))
        })
    };
    signs(rng).map(dial).into()
}

/// Type 16 in the published set: a constant on each channel.
pub(super) fn shifted(image: &RgbImage, shift: f32) -> RgbImage {
    to_image(&to_planes(image).map(|plane| plane.map(|value| value + shift)))
}

/// Type 17: deviations from each channel's mean times a factor, less or more than 1; by its distance from 1.
pub(super) fn contrast(image: &RgbImage, rng: &mut ChaCha8Rng) -> Vec<Dial<'static>> {
    let dial = |sign: f32| {
        let planes = to_planes(image);
        let range = if sign > 0.0 { (0.002, 200.0) } else { (0.002, 1.0) };
        Dial::new(range, 0.4, move |change| {
            to_image(&planes.clone().map(|plane| {
                let mean = plane.values.iter().sum::<f32>() / plane.values.len() as f32;
                plane.map(|value| mean + (1.0 + sign * change) * (value - mean))
            }))
        })
    };
    signs(rng).map(dial).into()
}

/// Type 17 in the published set: deviations from the mean of all values times a factor.
pub(super) fn stretched(image: &RgbImage, factor: f32) -> RgbImage {
    let mean = image.iter().map(|&value| f64::from(value)).sum::<f64>() / (255.0 * image.len() as f64);
    let mean = mean as f32;
    to_image(&to_planes(image).map(|plane| plane.map(|value| mean + factor * (value - mean))))
}

/// Type 18: Cb and Cr times a factor below 1, 0 and less too; by its distance from 1.
pub(super) fn saturation(image: &RgbImage) -> Dial<'static> {
    let ycc = dct::mixed(&to_planes(image), to_ycc);
    Dial::new((0.002, 200.0), 0.4, move |change| {
        let factor = 1.0 - change;
        to_image(&dct::mixed(&ycc, |[y, cb, cr]| from_ycc([y, factor * cb, factor * cr])))
    })
}

/// Type 23: red and blue shifted in opposite directions and blurred a little; by the shift in pixels.
pub(super) fn aberration(image: &RgbImage, rng: &mut ChaCha8Rng) -> Dial<'static> {
    let (sin, cos) = rng.random_range(0.0..std::f32::consts::TAU).sin_cos();
    let planes = to_planes(image);
    let longest = f64::from(image.width().max(image.height()));
    Dial::new((0.02, longest.max(1.0)), 1.5, move |shift| {
        let moved = |plane: &Plane, by: f32| {
            let mut out = Plane::new(plane.width, plane.height);
            for (y, row) in out.values.chunks_exact_mut(plane.width).enumerate() {
                for (x, value) in row.iter_mut().enumerate() {
                    *value = plane.sample(x as f32 - by * cos, y as f32 - by * sin);
                }
            }
            out.gaussian((FRINGE_BLUR * by.abs()).min(4.0))
        };
        let [red, green, blue] = &planes;
        to_image(&[moved(red, shift), green.clone(), moved(blue, -shift)])
    })
}

/// Type 22: a palette of least variance, with dither; by the number of colours.
///
/// One colour more or less may change the PSNR by more than the tolerance; then the dither of the number below the
/// target is weakened, so that less error is handed on.
pub(super) fn palette(image: &RgbImage, target: f64) -> Result<Tuned, DatasetError> {
    let at = |count: usize, dither: f32| {
        let image_at = palette::map(image, &palette::least_variance(image, count), dither);
        Tuned::new(image_at, image, count as f64)
    };
    // The largest number of colours whose PSNR is not above the target.
    let (mut few, mut many) = (1, MOST_COLOURS);
    let mut best = at(few, 1.0);
    if best.psnr > target {
        return Ok(best);
    }
    while many - few > 1 {
        // Geometric: the PSNR goes with the logarithm.
        let count = ((few as f64 * many as f64).sqrt() as usize).clamp(few + 1, many - 1);
        let tuned = at(count, 1.0);
        let below = tuned.psnr <= target;
        if below {
            few = count;
        } else {
            many = count;
        }
        if (tuned.psnr - target).abs() < (best.psnr - target).abs() {
            best = tuned;
        }
        if (best.psnr - target).abs() < TOLERANCE / 5.0 {
            return Ok(best);
        }
    }
    if (best.psnr - target).abs() > TOLERANCE / 2.0 {
        let colours = palette::least_variance(image, few);
        let weaker = Dial::new((0.01, 1.0), 0.5, |dither| palette::map(image, &colours, dither));
        let tuned = weaker.turn(image, target)?;
        if (tuned.psnr - target).abs() < (best.psnr - target).abs() {
            let strength = few as f64;
            best = Tuned { strength, ..tuned };
        }
    }
    debug_assert_eq!(best.psnr, psnr(&best.image, image));
    Ok(best)
}
