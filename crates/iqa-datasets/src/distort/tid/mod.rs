//! The distortions of TID2013 on any image: at the levels of the published set, or turned up to a PSNR.
//!
//! Source: N. Ponomarenko, L. Jin, O. Ieremeiev, V. Lukin, K. Egiazarian, J. Astola, B. Vozel, K. Chehdi, M. Carli,
//! F. Battisti, C.-C. J. Kuo, "Image database TID2013: Peculiarities, results and perspectives", Signal Processing:
//! Image Communication 30, 2015: 25 images, 24 types, 5 levels. The paper gives the levels as 33, 30, 27, 24 and 21 dB;
//! the images say that only some types follow it. The authors' code is not public: `docs/DISTORTIONS.md` in the
//! repository says which types are theirs to the last bit, which are not, and how that is known.
//!
//! ```
//! use iqa_datasets::distort::Level;
//! use iqa_datasets::distort::tid::{TidDistortion, TidLevel};
//! let image = image::RgbImage::from_fn(64, 48, |x, y| image::Rgb([(3 * x) as u8, (5 * y) as u8, 90]));
//! let compressed = TidDistortion::Jpeg.apply(&image, TidLevel::Published(Level::WORST), 1)?;
//! assert_eq!(compressed.strength, 4.0); // the quality
//! let noisy = TidDistortion::WhiteNoise.apply(&image, TidLevel::Psnr(27.0), 1)?;
//! assert!((noisy.psnr - 27.0).abs() < 0.5);
//! # Ok::<(), iqa_datasets::DatasetError>(())
//! ```

mod compression;
mod jpeg;
mod local;
mod noise;
mod search;
mod sparse;
mod tone;

use std::str::FromStr;

use image::RgbImage;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::{Level, blur};
use crate::DatasetError;
use search::{Dial, turn_first};

/// The PSNR of the five levels as the paper gives it, in dB, mildest first.
pub const TARGET_PSNR: [f64; 5] = [33.0, 30.0, 27.0, 24.0, 21.0];
/// What stands for the PSNR of an unchanged image in the search, in dB.
const UNCHANGED_PSNR: f64 = 100.0;
/// Draws of transmission errors tried for one image: one error may change the PSNR by more than the tolerance.
const DRAWS: usize = 12;
/// How close to the target transmission errors must come for no others to be tried, in dB.
const DRAWN_CLOSE: f64 = 0.25;

/// How strong a distortion is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TidLevel {
    /// As in the published set. Between two levels strengths are interpolated.
    ///
    /// Not every type gets worse with its level: [`TidDistortion::LocalBlockWise`] gets better,
    /// [`TidDistortion::MeanShift`] and [`TidDistortion::ContrastChange`] go to and fro.
    Published(Level),
    /// Turned until the PSNR over R, G and B together, in dB, is as close to this as the type allows.
    Psnr(f64),
}

/// A distorted image, and how far it was distorted.
#[derive(Clone, Debug)]
pub struct Tuned {
    /// The distorted image, of the size of its reference.
    pub image: RgbImage,
    /// PSNR over R, G and B together, in dB; infinite for an unchanged image.
    pub psnr: f64,
    /// The setting that the search ended with, in the unit that the type's documentation names.
    pub strength: f64,
}

impl Tuned {
    fn new(image: RgbImage, reference: &RgbImage, strength: f64) -> Self {
        let psnr = psnr(&image, reference);
        Self { image, psnr, strength }
    }
}

/// PSNR of 8-bit images over all channels, in dB; infinite when they are equal.
///
/// Not that of `iqa-metrics`: that one ends at 100 dB, and may differ in the last digit, which a search may follow. For this
/// formula `iqa-datasets` would also rest on the fits and transforms of that crate.
pub(crate) fn psnr(distorted: &RgbImage, reference: &RgbImage) -> f64 {
    let squares: u64 =
        distorted.iter().zip(reference.iter()).map(|(&a, &b)| u64::from(a.abs_diff(b)).pow(2)).sum();
    10.0 * (255.0 * 255.0 * reference.len() as f64 / squares as f64).log10()
}

macro_rules! distortions {
    ($($(#[$doc:meta])* $variant:ident = $number:literal, $name:literal;)*) => {
        /// A distortion of TID2013.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum TidDistortion {
            $($(#[$doc])* $variant,)*
        }

        impl TidDistortion {
            /// Every distortion, in the order of TID2013.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Its number in TID2013, from 1 to 24: the second part of that set's file names.
            pub fn tid_type(self) -> u8 {
                match self { $(Self::$variant => $number,)* }
            }

            /// Its name in `snake_case`, as the [readers](crate::readers) give it.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

distortions! {
    /// Gaussian noise on R, G and B; its standard deviation on `[0, 1]`.
    WhiteNoise = 1, "white_noise";
    /// Gaussian noise on Y, Cb and Cr, twice as strong on the latter two; its standard deviation on Y.
    ColorNoise = 2, "color_noise";
    /// Means of 3x3 values of Gaussian noise; their standard deviation.
    SpatiallyCorrelatedNoise = 3, "spatially_correlated_noise";
    /// Noise in the DCT domain, in proportion to the masking of PSNR-HVS-M; its standard deviation.
    MaskedNoise = 4, "masked_noise";
    /// Gaussian noise less its means of 3x3 values; the standard deviation of what is left.
    HighFrequencyNoise = 5, "high_frequency_noise";
    /// Values replaced by random ones; the part of the values hit.
    ImpulseNoise = 6, "impulse_noise";
    /// Channels in multiples of a step; the step, of 255.
    QuantizationNoise = 7, "quantization_noise";
    /// Gaussian blur, in the published set within 11x11 pixels and with black around the image; its standard
    /// deviation in pixels.
    GaussianBlur = 8, "gaussian_blur";
    /// White noise and its removal by thresholds in the DCT domain; the standard deviation of the noise.
    Denoising = 9, "denoising";
    /// JPEG; in the published set libjpeg's with chroma at half the resolution, by its quality. At a PSNR: the loss
    /// of JPEG at the full resolution, by the factor on the tables of ITU-T T.81, annex K.
    Jpeg = 10, "jpeg";
    /// JPEG 2000; how many times smaller than the pixels the stream is.
    Jpeg2000 = 11, "jpeg2000";
    /// Bit errors in the entropy-coded bytes of a JPEG stream whose prediction starts anew every eight rows; their
    /// rate. What does not decode is grey.
    JpegTransmissionErrors = 12, "jpeg_transmission_errors";
    /// Bit errors in the packet bodies of a JPEG 2000 stream; their rate.
    Jpeg2000TransmissionErrors = 13, "jpeg2000_transmission_errors";
    /// Patches of 15x15 from nearby; in the published set the part of the image's area that they would cover side by
    /// side, at a PSNR their number.
    NonEccentricityPattern = 14, "non_eccentricity_pattern";
    /// Blocks of 32x32, off by a constant on each channel; the largest, of 255. In the published set blocks of one
    /// colour, the fewer the further off; at a PSNR blocks on a twelfth of the image.
    LocalBlockWise = 15, "local_block_wise";
    /// A constant on each channel, up or down; in the published set with its sign, at a PSNR its size, on `[0, 1]`.
    MeanShift = 16, "mean_shift";
    /// Deviations from a mean times a factor; in the published set that of all values and the factor, at a PSNR each
    /// channel's and the factor's distance from 1.
    ContrastChange = 17, "contrast_change";
    /// Cb and Cr times a factor below 1, which may be negative; its distance from 1.
    ColorSaturation = 18, "color_saturation";
    /// Noise in proportion to the signal; its standard deviation.
    MultiplicativeNoise = 19, "multiplicative_noise";
    /// DCT coefficients below a step drawn anew with the same energy; the step on `[0, 1]`. On smooth images all of
    /// them with more energy; the factor on their amplitude.
    ComfortNoise = 20, "comfort_noise";
    /// White noise, then a DCT coder with a step of four times its standard deviation; that deviation.
    LossyCompressionOfNoisyImages = 21, "lossy_compression_of_noisy_images";
    /// A palette of least variance, with dither; the number of colours.
    ColorQuantizationWithDither = 22, "color_quantization_with_dither";
    /// Red shifted to the right and blue to the left; the shift in pixels.
    ChromaticAberrations = 23, "chromatic_aberrations";
    /// A random part of the pixels, the others reconstructed; how many times fewer are kept.
    SparseSamplingAndReconstruction = 24, "sparse_sampling_and_reconstruction";
}

/// What makes the five levels of a type in the published set.
enum Ladder {
    /// The same strength on every image.
    Strength([f32; 5]),
    /// The PSNR, in dB.
    Psnr([f32; 5]),
}

impl TidDistortion {
    /// Distorts an image; the same image, level and seed give the same result.
    ///
    /// At a PSNR, photographs come within 0.5 dB of 33, 30, 27, 24 and 21 dB. The result may be further off where an
    /// image leaves no room: images of a few pixels, of one colour (what changes colours or places changes nothing),
    /// or black and white ones.
    ///
    /// # Errors
    /// [`DatasetError::Codec`] when a codec refuses the image: JPEG above 65,535 pixels a side, JPEG 2000 without
    /// room for a temporary file.
    ///
    /// # Panics
    /// On an image without pixels.
    pub fn apply(self, image: &RgbImage, level: TidLevel, seed: u64) -> Result<Tuned, DatasetError> {
        assert!(image.width() > 0 && image.height() > 0, "an image without pixels");
        let rng = &mut ChaCha8Rng::seed_from_u64(seed);
        match level {
            TidLevel::Psnr(target) => self.turned(image, target, rng),
            TidLevel::Published(level) => match self.ladder() {
                Ladder::Psnr(targets) => self.turned(image, f64::from(level.between(targets)), rng),
                Ladder::Strength(strengths) => {
                    let strength = level.interpolate(strengths);
                    let distorted = self.at_strength(image, level, strength, rng)?;
                    Ok(Tuned::new(distorted, image, f64::from(strength)))
                }
            },
        }
    }

    fn ladder(self) -> Ladder {
        match self {
            Self::ColorNoise => Ladder::Psnr([33.3, 30.3, 27.3, 24.3, 21.3]),
            Self::HighFrequencyNoise => Ladder::Psnr([33.0, 30.0, 25.0, 20.0, 15.0]),
            Self::ImpulseNoise => Ladder::Strength([0.0042, 0.0085, 0.017, 0.034, 0.068]),
            Self::QuantizationNoise => Ladder::Strength([19.0, 27.0, 39.0, 55.0, 76.0]),
            Self::GaussianBlur => Ladder::Strength([0.5, 0.65, 1.0, 1.7, 4.0]),
            Self::Denoising => Ladder::Strength([0.037, 0.0555, 0.098, 0.182, 0.35]),
            Self::Jpeg => Ladder::Strength([80.0, 60.0, 23.0, 8.0, 4.0]),
            Self::NonEccentricityPattern => Ladder::Strength([0.05, 0.05, 0.076, 0.105, 0.13]),
            Self::LocalBlockWise => Ladder::Strength([15.0, 40.0, 60.0, 90.0, 150.0]),
            Self::MeanShift => Ladder::Strength([-6.0, 10.0, -20.0, 30.0, -40.0].map(|shift| shift / 255.0)),
            Self::ContrastChange => Ladder::Strength([0.9, 1.2, 0.75, 1.45, 0.5]),
            Self::ColorQuantizationWithDither => Ladder::Psnr([33.0, 30.0, 26.7, 24.6, 20.7]),
            Self::ChromaticAberrations => Ladder::Psnr([33.0, 28.0, 25.0, 23.0, 21.0]),
            _ => Ladder::Psnr(TARGET_PSNR.map(|psnr| psnr as f32)),
        }
    }

    /// The types whose levels are strengths.
    fn at_strength(
        self,
        image: &RgbImage,
        level: Level,
        strength: f32,
        rng: &mut ChaCha8Rng,
    ) -> Result<RgbImage, DatasetError> {
        Ok(match self {
            Self::ImpulseNoise => noise::impulse(image, rng).set(strength)?,
            Self::QuantizationNoise => tone::quantisation(image).set(strength)?,
            Self::GaussianBlur => blur::windowed(image, strength),
            Self::Denoising => compression::denoised(image, rng).set(strength)?,
            Self::Jpeg => jpeg::recompressed(image, strength.round() as u8),
            Self::NonEccentricityPattern => {
                local::patches_on(image, strength, level.interpolate(local::PUBLISHED_SHIFT), rng)
            }
            Self::LocalBlockWise => {
                local::flat_blocks(image, level.interpolate(local::FLAT_BLOCKS), strength, rng)
            }
            Self::MeanShift => tone::shifted(image, strength),
            Self::ContrastChange => tone::stretched(image, strength),
            _ => unreachable!("{self} has PSNRs for levels"),
        })
    }

    /// Turned until the PSNR is that of `target`.
    fn turned(self, image: &RgbImage, target: f64, rng: &mut ChaCha8Rng) -> Result<Tuned, DatasetError> {
        let dial = match self {
            Self::WhiteNoise => noise::white(image, rng),
            Self::ColorNoise => noise::color(image, rng),
            Self::SpatiallyCorrelatedNoise => noise::correlated(image, rng),
            Self::MaskedNoise => noise::masked(image, rng),
            Self::HighFrequencyNoise => noise::high_frequency(image, rng),
            Self::ImpulseNoise => noise::impulse(image, rng),
            Self::QuantizationNoise => tone::quantisation(image),
            Self::GaussianBlur => Dial::new((0.2, 80.0), 1.5, move |sigma| blur::gaussian(image, sigma)),
            Self::Denoising => compression::denoised(image, rng),
            Self::Jpeg => compression::jpeg(image),
            Self::Jpeg2000 => compression::jpeg2000(image),
            Self::JpegTransmissionErrors => {
                return redrawn(image, target, || compression::jpeg_errors(image, rng));
            }
            Self::Jpeg2000TransmissionErrors => {
                return redrawn(image, target, || compression::jpeg2000_errors(image, rng));
            }
            Self::NonEccentricityPattern => return turn_first(local::patches(image, rng), image, target),
            Self::LocalBlockWise => local::blocks(image, rng),
            Self::MeanShift => return turn_first(tone::mean_shift(image, rng), image, target),
            Self::ContrastChange => return turn_first(tone::contrast(image, rng), image, target),
            Self::ColorSaturation => tone::saturation(image),
            Self::MultiplicativeNoise => noise::multiplicative(image, rng),
            Self::ComfortNoise => return turn_first(compression::comfort(image, rng), image, target),
            Self::LossyCompressionOfNoisyImages => compression::noisy(image, rng),
            Self::ColorQuantizationWithDither => return tone::palette(image, target),
            Self::ChromaticAberrations => tone::aberration(image),
            Self::SparseSamplingAndReconstruction => sparse::sampled(image, rng),
        };
        dial.turn(image, target)
    }
}

/// New errors until some come close enough, or else the closest.
fn redrawn<'a>(
    image: &RgbImage,
    target: f64,
    mut draw: impl FnMut() -> Result<Dial<'a>, DatasetError>,
) -> Result<Tuned, DatasetError> {
    let mut best = draw()?.turn(image, target)?;
    for _ in 1..DRAWS {
        if (best.psnr - target).abs() <= DRAWN_CLOSE {
            break;
        }
        let tuned = draw()?.turn(image, target)?;
        if (tuned.psnr - target).abs() < (best.psnr - target).abs() {
            best = tuned;
        }
    }
    Ok(best)
}

impl FromStr for TidDistortion {
    type Err = DatasetError;

    fn from_str(name: &str) -> Result<Self, DatasetError> {
        Self::ALL.iter().copied().find(|distortion| distortion.name() == name).ok_or_else(|| {
            DatasetError::UnknownDistortion {
                name: name.into(),
                known: Self::ALL.iter().map(|distortion| distortion.name()).collect(),
            }
        })
    }
}

impl std::fmt::Display for TidDistortion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    fn photograph_like(width: u32, height: u32) -> RgbImage {
        RgbImage::from_fn(width, height, |x, y| {
            let wave = |f: f32, p: f32| (x as f32 * f + p).sin() * (y as f32 * f * 0.7 - p).cos();
            let value =
                |p: f32| (0.5 + 0.25 * wave(0.05, p) + 0.15 * wave(0.31, p) + 0.08 * wave(1.3, p)) * 255.0;
            Rgb([value(0.0) as u8, value(0.6) as u8, value(1.5) as u8])
        })
    }

    fn apply(distortion: TidDistortion, image: &RgbImage, target: f64, seed: u64) -> Tuned {
        let level = TidLevel::Psnr(target);
        distortion.apply(image, level, seed).unwrap_or_else(|error| panic!("{distortion}: {error}"))
    }

    #[test]
    fn every_type_reaches_every_target() {
        let image = photograph_like(160, 120);
        for &distortion in TidDistortion::ALL {
            for target in TARGET_PSNR {
                let tuned = apply(distortion, &image, target, 5);
                assert_eq!(tuned.psnr, psnr(&tuned.image, &image));
                assert!((tuned.psnr - target).abs() <= 0.5, "{distortion}: {} for {target}", tuned.psnr);
            }
        }
    }

    fn published(distortion: TidDistortion, image: &RgbImage, level: f32, seed: u64) -> Tuned {
        let level = TidLevel::Published(Level::new(level).expect("in range"));
        distortion.apply(image, level, seed).unwrap_or_else(|error| panic!("{distortion}: {error}"))
    }

    fn fixture(name: &str) -> RgbImage {
        let path = format!("{}/tests/fixtures/distort/{name}.png", env!("CARGO_MANIFEST_DIR"));
        image::open(&path).unwrap_or_else(|error| panic!("{path}: {error}")).into_rgb8()
    }

    /// The types that are the same on every image, as NumPy, SciPy and Pillow (libjpeg-turbo) make them.
    #[test]
    fn what_is_exact_is_that_of_scipy_and_libjpeg() {
        let image = fixture("input");
        for (distortion, level, largest, part) in [
            (TidDistortion::QuantizationNoise, 3, 0, 0.0),
            (TidDistortion::QuantizationNoise, 5, 0, 0.0),
            (TidDistortion::MeanShift, 3, 0, 0.0),
            // A value in the middle of two goes either way.
            (TidDistortion::GaussianBlur, 2, 1, 0.001),
            (TidDistortion::GaussianBlur, 5, 1, 0.001),
            (TidDistortion::ContrastChange, 4, 1, 0.001),
        ] {
            let expected = fixture(&format!("tid_{distortion}_{level}"));
            let found = published(distortion, &image, level as f32, 1).image;
            assert_eq!(found.dimensions(), expected.dimensions());
            let apart: Vec<u8> = found.iter().zip(expected.iter()).map(|(&a, &b)| a.abs_diff(b)).collect();
            let off = apart.iter().filter(|&&difference| difference > 0).count() as f64 / apart.len() as f64;
            let most = apart.iter().max().copied().unwrap_or_default();
            assert!(
                most <= largest && off <= part,
                "{distortion} {level}: off by {most}, {off:.4} of values"
            );
        }
        // Encoders round a coefficient in the middle either way: what they lose is a hundred times as much.
        for level in [1u8, 3, 5] {
            let expected = fixture(&format!("tid_jpeg_{level}"));
            let found = published(TidDistortion::Jpeg, &image, f32::from(level), 1).image;
            let (apart, lost) = (psnr(&found, &expected), psnr(&expected, &image));
            assert!(apart > lost + 20.0, "JPEG {level}: {apart} dB apart, {lost} dB lost");
        }
    }

    #[test]
    fn levels_that_are_psnrs_have_them() {
        let image = photograph_like(160, 120);
        for &distortion in TidDistortion::ALL {
            let Ladder::Psnr(targets) = distortion.ladder() else { continue };
            for (target, level) in targets.into_iter().zip(1u8..) {
                let found = published(distortion, &image, f32::from(level), 5).psnr;
                assert!(
                    (found - f64::from(target)).abs() <= 0.5,
                    "{distortion} {level}: {found} for {target}"
                );
            }
        }
    }

    #[test]
    fn blocks_are_fewer_and_further_off_with_the_level() {
        let image = photograph_like(512, 384);
        for (level, count, offset) in [(1.0, 10, 15.0), (3.0, 6, 60.0), (5.0, 2, 150.0)] {
            let tuned = published(TidDistortion::LocalBlockWise, &image, level, 3);
            assert_eq!(tuned.strength, offset);
            let changed = tuned.image.pixels().zip(image.pixels()).filter(|(a, b)| a != b).count();
            assert!(
                changed <= count * 32 * 32 && changed > (count - 1) * 32 * 32,
                "level {level}: {changed}"
            );
        }
    }

    #[test]
    fn the_seed_decides_and_nothing_else() {
        let image = photograph_like(64, 48);
        for &distortion in TidDistortion::ALL {
            let at = |seed| apply(distortion, &image, 27.0, seed).image;
            assert_eq!(at(1), at(1), "{distortion}");
            let level = |seed| published(distortion, &image, 3.0, seed).image;
            assert_eq!(level(1), level(1), "{distortion}");
        }
        let noise = |seed| apply(TidDistortion::MaskedNoise, &image, 27.0, seed).image;
        assert_ne!(noise(1), noise(2));
    }

    #[test]
    fn tiny_and_flat_images_are_no_trouble() {
        let flat = RgbImage::from_pixel(24, 16, Rgb([255, 255, 0]));
        for image in [photograph_like(1, 1), photograph_like(3, 5), photograph_like(40, 1), flat] {
            for &distortion in TidDistortion::ALL {
                for tuned in [apply(distortion, &image, 21.0, 1), published(distortion, &image, 5.0, 1)] {
                    assert_eq!(tuned.image.dimensions(), image.dimensions(), "{distortion}");
                }
            }
        }
    }

    #[test]
    fn the_psnr_is_that_of_its_definition() {
        let grey = RgbImage::from_pixel(4, 4, Rgb([100; 3]));
        // A third of the values off by 6: MSE 12.
        let other = RgbImage::from_pixel(4, 4, Rgb([100, 106, 100]));
        assert!((psnr(&other, &grey) - 10.0 * (65025.0f64 / 12.0).log10()).abs() < 1e-12);
        assert_eq!(psnr(&grey, &grey), f64::INFINITY);
    }

    #[test]
    fn names_and_numbers_agree() {
        for (&distortion, number) in TidDistortion::ALL.iter().zip(1..) {
            assert_eq!(distortion.tid_type(), number);
            assert_eq!(distortion.name().parse::<TidDistortion>().expect("its own name"), distortion);
        }
    }
}
