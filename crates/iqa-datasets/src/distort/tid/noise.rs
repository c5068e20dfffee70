//! Noise (TID2013 types 1 to 6 and 19).

use image::RgbImage;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use super::super::dct::{self, Block, SIDE};
use super::super::planes::{Plane, Planes, Tap, to_image, to_planes};
use super::compression::LUMINANCE;
use super::search::Dial;

/// Chroma noise is this many times as strong as that of the luma.
const CHROMA_GAIN: f32 = 2.0;
/// How far the mean reaches that makes noise correlated, and that high-frequency noise lacks: 3x3 pixels.
const REACH: isize = 1;

/// Standard deviations of noise on images in `[0, 1]`.
const SIGMAS: (f64, f64) = (0.002, 3.0);

/// Unit normal noise on three channels.
pub(super) fn normal(image: &RgbImage, rng: &mut ChaCha8Rng) -> Planes {
    [(); 3].map(|()| {
        let mut plane = Plane::new(image.width() as usize, image.height() as usize);
        plane.values.iter_mut().for_each(|value| *value = rng.sample(StandardNormal));
        plane
    })
}

/// `planes + strength * noise`.
pub(super) fn added(planes: &Planes, noise: &Planes, strength: f32) -> Planes {
    std::array::from_fn(|channel| {
        let mut out = planes[channel].clone();
        for (value, noise) in out.values.iter_mut().zip(&noise[channel].values) {
            *value += strength * noise;
        }
        out
    })
}

/// Noise that is added, by its standard deviation.
fn additive(image: &RgbImage, noise: Planes) -> Dial<'static> {
    let planes = to_planes(image);
    Dial::new(SIGMAS, 0.05, move |strength| to_image(&added(&planes, &noise, strength)))
}

/// Type 1: white, on R, G and B.
pub(super) fn white(image: &RgbImage, rng: &mut ChaCha8Rng) -> Dial<'static> {
    additive(image, normal(image, rng))
}

/// Type 2: on Y, Cb and Cr (JFIF), twice as strong on the latter two.
pub(super) fn color(image: &RgbImage, rng: &mut ChaCha8Rng) -> Dial<'static> {
    let noise = dct::mixed(&normal(image, rng), |[y, cb, cr]| {
        super::compression::from_ycc([y, CHROMA_GAIN * cb, CHROMA_GAIN * cr])
    });
    additive(image, noise)
}

/// Type 3: means of 3x3 values of white noise.
pub(super) fn correlated(image: &RgbImage, rng: &mut ChaCha8Rng) -> Dial<'static> {
    additive(image, normal(image, rng).map(|plane| normalised(smooth(&plane))))
}

/// Type 5: white noise less its means of 3x3 values.
pub(super) fn high_frequency(image: &RgbImage, rng: &mut ChaCha8Rng) -> Dial<'static> {
    let noise = normal(image, rng).map(|mut plane| {
        let smooth = smooth(&plane);
        plane.values.iter_mut().zip(&smooth.values).for_each(|(value, smooth)| *value -= smooth);
        normalised(plane)
    });
    additive(image, noise)
}

/// Means of 3x3 values.
fn smooth(plane: &Plane) -> Plane {
    let side = (2 * REACH + 1) as f32;
    let taps = |dx: isize, dy: isize| -> Vec<Tap> {
        (-REACH..=REACH).map(|d| Tap { dx: d * dx, dy: d * dy, weight: 1.0 / side }).collect()
    };
    plane.filter(&taps(1, 0)).filter(&taps(0, 1))
}

fn normalised(plane: Plane) -> Plane {
    let power = plane.values.iter().map(|value| value * value).sum::<f32>() / plane.values.len() as f32;
    if power > 0.0 { plane.map(|value| value / power.sqrt()) } else { plane }
}

/// Type 4: noise where it is masked. In each 8x8 block and channel, a coefficient gets noise in proportion to the
/// eye's threshold for its frequency and to the masking of the block: the energy of its weighted coefficients, less
/// where the block holds an edge.
///
/// Source of the masking: N. Ponomarenko, F. Silvestri, K. Egiazarian, M. Carli, J. Astola, V. Lukin, "On
/// between-coefficient contrast masking of DCT basis functions", VPQM 2007 (PSNR-HVS-M).
pub(super) fn masked(image: &RgbImage, rng: &mut ChaCha8Rng) -> Dial<'static> {
    let noise = to_planes(image).map(|plane| {
        dct::map_blocks(&plane, |coefficients| {
            let masking = masking(coefficients);
            for (value, threshold) in coefficients.iter_mut().zip(LUMINANCE) {
                *value = masking * threshold * rng.sample::<f32, _>(StandardNormal);
            }
            coefficients[0] = 0.0;
        })
    });
    let power: f32 = noise.iter().flat_map(|plane| &plane.values).map(|value| value * value).sum();
    let scale = (power / image.len() as f32).sqrt().max(f32::MIN_POSITIVE);
    additive(image, noise.map(|plane| plane.map(|value| value / scale)))
}

/// The masking of a block, as an amplitude.
fn masking(coefficients: &Block) -> f32 {
    let energy: f32 = coefficients
        .iter()
        .zip(LUMINANCE)
        .skip(1)
        .map(|(value, threshold)| (value / threshold).powi(2))
        .sum();
    let block = dct::inverse(coefficients);
    // Squared deviations of an 8x8 block, or of one of its 4x4 quarters.
    let spread = |left: usize, top: usize, side: usize| -> f32 {
        let values =
            || (top..top + side).flat_map(|y| block[y * SIDE + left..y * SIDE + left + side].iter().copied());
        let mean = values().sum::<f32>() / (side * side) as f32;
        values().map(|value| (value - mean).powi(2)).sum()
    };
    let whole = spread(0, 0, SIDE);
    let half = SIDE / 2;
    let quarters: f32 =
        [(0, 0), (half, 0), (0, half), (half, half)].map(|(x, y)| spread(x, y, half)).iter().sum();
    if whole > 0.0 { (energy * quarters / whole).sqrt() } else { 0.0 }
}

/// Type 6: values become random ones; by their density.
pub(super) fn impulse(image: &RgbImage, rng: &mut ChaCha8Rng) -> Dial<'static> {
    let draws: Vec<(f32, u8)> = (0..image.len()).map(|_| (rng.random(), rng.random())).collect();
    let image = image.clone();
    Dial::new((1e-5, 1.0), 0.01, move |density| {
        let mut out = image.clone();
        for (value, &(draw, impulse)) in out.iter_mut().zip(&draws) {
            *value = if draw < density { impulse } else { *value };
        }
        out
    })
}

/// Type 19: `x + x n`, by the standard deviation of `n`.
pub(super) fn multiplicative(image: &RgbImage, rng: &mut ChaCha8Rng) -> Dial<'static> {
    let planes = to_planes(image);
    let mut noise = normal(image, rng);
    for (noise, plane) in noise.iter_mut().zip(&planes) {
        noise.values.iter_mut().zip(&plane.values).for_each(|(noise, value)| *noise *= value);
    }
    Dial::new((0.002, 30.0), 0.1, move |strength| to_image(&added(&planes, &noise, strength)))
}
