//! The distortions of KADID-10k on any image, with the mean opinion score of each type and level.
//!
//! Source: H. Lin, V. Hosu, D. Saupe, "KADID-10k: A Large-scale Artificially Distorted IQA Database", QoMEX 2019:
//! 81 photographs, 25 types, 5 levels, rated from 1 (bad) to 5 (excellent). The *mean* rating of a (type, level)
//! over the 81 photographs predicts a single image's rating well (SRCC 0.938), so that any pristine photograph
//! distorted here comes with a label close to human opinion.
//!
//! All 25 types are here; two of them ([`Distortion::MeanShift`] and [`Distortion::ContrastChange`]) without scores,
//! since their published levels are not in the order of severity. [`tid`] has the 24 types of TID2013, which come
//! without scores. `docs/DISTORTIONS.md` in the repository shows them all.
//!
//! ```
//! use iqa_datasets::distort::{Distortion, Level};
//! let image = image::RgbImage::from_fn(64, 48, |x, y| image::Rgb([(4 * x) as u8, (5 * y) as u8, 90]));
//! let level = Level::new(3.0)?;
//! let blurred = Distortion::GaussianBlur.apply(&image, level, 1)?;
//! assert_eq!(blurred.dimensions(), image.dimensions());
//! assert_eq!(Distortion::GaussianBlur.mean_mos(level), Some(2.9111)); // of 1 to 5, higher is better
//! # Ok::<(), iqa_datasets::DatasetError>(())
//! ```

mod blur;
mod codec;
mod color;
mod dct;
mod mos;
mod noise;
mod palette;
mod planes;
mod spatial;
pub mod tid;
mod tone;

use std::str::FromStr;

use image::RgbImage;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::DatasetError;

/// Severity of a distortion, from 1 (mildest) to 5.
///
/// Whole levels are the published ones. Between them the parameter is interpolated (geometrically where both
/// neighbours are positive) and so is the mean opinion score (linearly).
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Level(f32);

impl Level {
    /// The mildest level.
    pub const MILDEST: Self = Self(1.0);
    /// The worst level.
    pub const WORST: Self = Self(5.0);

    /// A level from a number.
    ///
    /// # Errors
    /// [`DatasetError::Level`] outside 1 to 5, or for NaN.
    pub fn new(level: f32) -> Result<Self, DatasetError> {
        if (1.0..=5.0).contains(&level) { Ok(Self(level)) } else { Err(DatasetError::Level { found: level }) }
    }

    /// The five published levels, mildest first.
    pub fn published() -> impl Iterator<Item = Self> {
        (1u8..=5).map(|level| Self(f32::from(level)))
    }

    /// The number.
    pub fn value(self) -> f32 {
        self.0
    }

    /// Index of the published level at or below, and the way from there to the next.
    fn split(self) -> (usize, f32) {
        let below = (self.0.floor() as usize - 1).min(3);
        (below, self.0 - 1.0 - below as f32)
    }

    fn between(self, values: [f32; 5]) -> f32 {
        let (below, part) = self.split();
        values[below] + part * (values[below + 1] - values[below])
    }

    fn interpolate(self, values: [f32; 5]) -> f32 {
        let (below, part) = self.split();
        let (low, high) = (values[below], values[below + 1]);
        if part == 0.0 {
            low
        } else if part == 1.0 {
            high
        } else if low > 0.0 && high > 0.0 {
            low * (high / low).powf(part)
        } else {
            low + part * (high - low)
        }
    }
}

macro_rules! distortions {
    ($($(#[$doc:meta])* $variant:ident = $kadid:literal, $name:literal, $levels:expr;)*) => {
        /// A distortion of KADID-10k.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Distortion {
            $($(#[$doc])* $variant,)*
        }

        impl Distortion {
            /// Every distortion, in the order of KADID-10k.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Its number in KADID-10k, from 1 to 25: the second part of that set's file names.
            pub fn kadid_type(self) -> u8 {
                match self { $(Self::$variant => $kadid,)* }
            }

            /// Its name in `snake_case`.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The published parameter at each level.
            fn levels(self) -> [f32; 5] {
                match self { $(Self::$variant => $levels,)* }
            }
        }
    };
}

distortions! {
    /// Gaussian blur; the parameter is its standard deviation in pixels.
    GaussianBlur = 1, "gaussian_blur", [0.1, 0.5, 1.0, 2.0, 5.0];
    /// Blur by a disk; its radius in pixels.
    LensBlur = 2, "lens_blur", [1.0, 2.0, 4.0, 6.0, 8.0];
    /// Blur along a line at a random angle; its length in pixels.
    MotionBlur = 3, "motion_blur", [1.0, 2.0, 4.0, 6.0, 10.0];
    /// Chroma blurred and amplified in CIELAB.
    ColorDiffusion = 4, "color_diffusion", [1.0, 3.0, 6.0, 8.0, 12.0];
    /// Green moved where there are edges; the distance in pixels.
    ColorShift = 5, "color_shift", [1.0, 3.0, 6.0, 8.0, 12.0];
    /// Few colours, with dither; their number.
    ColorQuantization = 6, "color_quantization", [64.0, 48.0, 32.0, 16.0, 8.0];
    /// Saturation of HSV; the factor on it.
    ColorSaturation1 = 7, "color_saturation_1", [0.4, 0.2, 0.1, 0.0, -0.4];
    /// Chroma of CIELAB; the factor on it.
    ColorSaturation2 = 8, "color_saturation_2", [1.0, 2.0, 3.0, 6.0, 9.0];
    /// JPEG 2000; how many times smaller than the pixels the stream is.
    Jpeg2000 = 9, "jpeg2000", [16.0, 32.0, 45.0, 120.0, 170.0];
    /// JPEG; the quality.
    Jpeg = 10, "jpeg", [43.0, 36.0, 24.0, 7.0, 4.0];
    /// Gaussian noise on RGB; its variance.
    WhiteNoise = 11, "white_noise", [0.001, 0.002, 0.003, 0.005, 0.01];
    /// Gaussian noise on YCbCr; its variance.
    WhiteNoiseColor = 12, "white_noise_color", [0.0001, 0.0005, 0.001, 0.002, 0.003];
    /// Salt and pepper; the part of the values hit.
    ImpulseNoise = 13, "impulse_noise", [0.001, 0.005, 0.01, 0.02, 0.03];
    /// Noise proportional to the signal; its variance.
    MultiplicativeNoise = 14, "multiplicative_noise", [0.001, 0.005, 0.01, 0.02, 0.05];
    /// White noise and its removal by thresholds in the DCT domain (the original uses a trained network); the
    /// variance of the noise.
    Denoise = 15, "denoise", [0.001, 0.002, 0.003, 0.005, 0.01];
    /// A brightening curve; twice its shift at mid-grey.
    Brighten = 16, "brighten", [0.1, 0.2, 0.4, 0.7, 1.1];
    /// A darkening curve; twice its shift at mid-grey.
    Darken = 17, "darken", [0.05, 0.1, 0.2, 0.4, 0.8];
    /// A constant on each channel; the constant. Not ordered by severity: the third level changes nothing.
    MeanShift = 18, "mean_shift", [0.15, 0.08, 0.0, -0.08, -0.15];
    /// Random displacement of pixels; its size in pixels.
    Jitter = 19, "jitter", [0.05, 0.1, 0.2, 0.5, 1.0];
    /// Patches copied a little off; their number on 512x384.
    NonEccentricityPatch = 20, "non_eccentricity_patch", [20.0, 40.0, 60.0, 80.0, 100.0];
    /// Nearest-neighbour shrinking and growing; its strength.
    Pixelate = 21, "pixelate", [0.01, 0.05, 0.1, 0.2, 0.5];
    /// Few grey levels; their number.
    Quantization = 22, "quantization", [20.0, 16.0, 13.0, 10.0, 7.0];
    /// Blocks of random colour; their number on 512x384.
    ColorBlock = 23, "color_block", [2.0, 4.0, 6.0, 8.0, 10.0];
    /// Unsharp mask on the lightness; its amount.
    HighSharpen = 24, "high_sharpen", [1.0, 2.0, 3.0, 6.0, 12.0];
    /// A curve that raises or lowers the contrast; four times its shift at the quartiles. Not ordered by severity:
    /// the third level changes nothing.
    ContrastChange = 25, "contrast_change", [0.3, 0.15, 0.0, -0.4, -0.6];
}

impl Distortion {
    /// Every distortion with mean opinion scores, in the order of KADID-10k: 23 of the 25.
    pub fn labelled() -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(|distortion| distortion.is_labelled())
    }

    /// Whether the scores of its levels are known. They are not where the levels are not ordered by severity, since
    /// which published level is which parameter is then a guess.
    pub fn is_labelled(self) -> bool {
        !matches!(self, Self::MeanShift | Self::ContrastChange)
    }

    /// Distorts an image; the same image, level and seed give the same result.
    ///
    /// # Errors
    /// [`DatasetError::Codec`] when a codec refuses the image: JPEG above 65,535 pixels a side, JPEG 2000 without
    /// room for a temporary file.
    ///
    /// # Panics
    /// On an image without pixels.
    pub fn apply(self, image: &RgbImage, level: Level, seed: u64) -> Result<RgbImage, DatasetError> {
        assert!(image.width() > 0 && image.height() > 0, "an image without pixels");
        let parameter = level.interpolate(self.levels());
        let rng = &mut ChaCha8Rng::seed_from_u64(seed);
        Ok(match self {
            Self::GaussianBlur => blur::gaussian(image, parameter),
            Self::LensBlur => blur::lens(image, parameter),
            Self::MotionBlur => blur::motion(image, parameter, rng),
            Self::ColorDiffusion => color::diffusion(image, parameter),
            Self::ColorShift => color::shift(image, parameter, rng),
            Self::ColorQuantization => {
                palette::map(image, &palette::least_variance(image, parameter.round() as usize), 1.0)
            }
            Self::ColorSaturation1 => color::saturation_hsv(image, parameter),
            Self::ColorSaturation2 => color::saturation_lab(image, parameter),
            Self::Jpeg2000 => codec::jpeg2000(image, parameter)?,
            Self::Jpeg => codec::jpeg(image, parameter.round() as u8)?,
            Self::WhiteNoise => noise::white(image, parameter, rng),
            Self::WhiteNoiseColor => noise::white_ycbcr(image, parameter, rng),
            Self::ImpulseNoise => noise::impulse(image, parameter, rng),
            Self::MultiplicativeNoise => noise::multiplicative(image, parameter, rng),
            Self::Denoise => noise::denoised(image, parameter, rng),
            Self::Brighten => tone::brightness(image, parameter / 2.0),
            Self::Darken => tone::brightness(image, -parameter / 2.0),
            Self::MeanShift => tone::mean_shift(image, parameter),
            Self::Jitter => spatial::jitter(image, parameter, rng),
            Self::NonEccentricityPatch => spatial::non_eccentricity(image, parameter, rng),
            Self::Pixelate => spatial::pixelate(image, parameter),
            Self::Quantization => tone::quantise(image, parameter.round() as usize),
            Self::ColorBlock => spatial::blocks(image, parameter, rng),
            Self::HighSharpen => tone::sharpen(image, parameter),
            Self::ContrastChange => tone::contrast(image, parameter),
        })
    }

    /// Mean opinion score over the 81 photographs of KADID-10k: 1 (bad) to 5 (excellent), higher is better; `None`
    /// unless the distortion [is labelled](Self::is_labelled).
    pub fn mean_mos(self, level: Level) -> Option<f32> {
        self.is_labelled().then(|| level.between(mos::mean_mos(self.kadid_type())))
    }

    /// Standard deviation, over the 81 photographs, of the mean opinion score of a photograph; `None` likewise.
    pub fn mos_spread(self, level: Level) -> Option<f32> {
        self.is_labelled().then(|| level.between(mos::spread(self.kadid_type())))
    }
}

impl FromStr for Distortion {
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

impl std::fmt::Display for Distortion {
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
            let wave = |f: f32, p: f32| {
                (0.5 + 0.3 * (x as f32 * f + p).sin() * (y as f32 * f * 0.7 - p).cos()) * 255.0
            };
            Rgb([wave(0.11, 0.0) as u8, wave(0.23, 1.0) as u8, wave(0.05, 2.0) as u8])
        })
    }

    fn squared_error(a: &RgbImage, b: &RgbImage) -> f64 {
        a.iter().zip(b.iter()).map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2)).sum()
    }

    fn apply(distortion: Distortion, image: &RgbImage, level: Level, seed: u64) -> RgbImage {
        distortion.apply(image, level, seed).unwrap_or_else(|error| panic!("{distortion}: {error}"))
    }

    #[test]
    fn every_type_gets_worse_with_its_level() {
        let image = photograph_like(384, 320);
        for distortion in Distortion::labelled() {
            let errors: Vec<f64> = Level::published()
                .map(|level| squared_error(&image, &apply(distortion, &image, level, 3)))
                .collect();
            // Patches may fall on one another, so that one level more can change a little less.
            let grows = errors.windows(2).all(|pair| pair[1] >= 0.9 * pair[0]);
            assert!(grows, "{distortion}: {errors:?}");
            assert!(errors[4] > 2.0 * errors[0] || errors[0] == 0.0, "{distortion}: {errors:?}");
        }
    }

    fn fixture(name: &str) -> RgbImage {
        let path = format!("{}/tests/fixtures/distort/{name}.png", env!("CARGO_MANIFEST_DIR"));
        image::open(&path).unwrap_or_else(|error| panic!("{path}: {error}")).into_rgb8()
    }

    #[test]
    fn distortions_are_those_of_scipy_scikit_image_and_pillow() {
        let image = fixture("input");
        for (distortion, level) in [
            (Distortion::GaussianBlur, 4),
            (Distortion::ColorDiffusion, 2),
            (Distortion::ColorSaturation1, 2),
            (Distortion::ColorSaturation2, 2),
            (Distortion::Brighten, 3),
            (Distortion::Darken, 4),
            (Distortion::MeanShift, 1),
            (Distortion::HighSharpen, 2),
            (Distortion::ContrastChange, 5),
        ] {
            let expected = fixture(&format!("{distortion}_{level}"));
            let level = Level::new(level as f32).expect("in range");
            let found = apply(distortion, &image, level, 1);
            assert_eq!(found.dimensions(), expected.dimensions());
            // The last bit of a value may be rounded the other way.
            let largest = found.iter().zip(expected.iter()).map(|(&a, &b)| a.abs_diff(b)).max();
            assert!(largest <= Some(1), "{distortion}: off by {largest:?}");
        }
        // JPEG encoders round a coefficient in the middle either way: what they lose is the same, not where.
        let level = Level::new(3.0).expect("in range");
        let jpeg = tid::psnr(&apply(Distortion::Jpeg, &image, level, 1), &image);
        let expected = tid::psnr(&fixture("jpeg_3"), &image);
        assert!((jpeg - expected).abs() < 0.05, "JPEG: {jpeg} dB, Pillow {expected} dB");
    }

    #[test]
    fn types_without_scores_are_mildest_in_the_middle() {
        let image = photograph_like(96, 80);
        for distortion in [Distortion::MeanShift, Distortion::ContrastChange] {
            let errors: Vec<f64> = Level::published()
                .map(|level| squared_error(&image, &apply(distortion, &image, level, 3)))
                .collect();
            assert_eq!(errors[2], 0.0);
            assert!(errors[0] > errors[1] && errors[1] > 0.0 && errors[4] > errors[3] && errors[3] > 0.0);
            assert!(distortion.mean_mos(Level::WORST).is_none());
        }
        assert_eq!(Distortion::labelled().count(), 23);
        assert_eq!(
            Distortion::ALL.iter().map(|d| d.kadid_type()).collect::<Vec<_>>(),
            (1..=25).collect::<Vec<_>>()
        );
    }

    #[test]
    fn tiny_images_are_no_trouble() {
        for (width, height) in [(1, 1), (3, 5), (1, 40), (17, 2)] {
            let image = photograph_like(width, height);
            for &distortion in Distortion::ALL {
                let out = apply(distortion, &image, Level::WORST, 1);
                assert_eq!(out.dimensions(), (width, height), "{distortion}");
            }
        }
    }

    #[test]
    fn the_seed_decides_and_nothing_else() {
        let image = photograph_like(96, 80);
        for &distortion in Distortion::ALL {
            let at = |seed| apply(distortion, &image, Level::WORST, seed);
            assert_eq!(at(1), at(1), "{distortion}");
        }
        let noise = |seed| apply(Distortion::WhiteNoise, &image, Level::WORST, seed);
        assert_ne!(noise(1), noise(2));
    }

    #[test]
    fn a_level_between_two_lies_between_them() {
        let level = |value| Level::new(value).expect("in range");
        let sigma = [0.1, 0.5, 1.0, 2.0, 5.0];
        assert_eq!(level(4.0).interpolate(sigma), 2.0);
        assert!((level(4.5).interpolate(sigma) - 10f32.sqrt()).abs() < 1e-5);
        assert_eq!(level(5.0).interpolate(sigma), 5.0);
        assert_eq!(level(4.5).interpolate([0.4, 0.2, 0.1, 0.0, -0.4]), -0.2);
        let mos = Distortion::GaussianBlur.mean_mos(level(1.5)).expect("labelled");
        assert!((mos - (4.6122 + 4.3817) / 2.0).abs() < 1e-4, "{mos}");
        assert!(Level::new(0.9).is_err() && Level::new(f32::NAN).is_err());
    }

    #[test]
    fn names_and_numbers_are_those_of_the_table() {
        for &distortion in Distortion::ALL {
            assert_eq!(distortion.name().parse::<Distortion>().expect("its own name"), distortion);
            assert_eq!(mos::name(distortion.kadid_type()), distortion.name());
        }
        assert!("fog".parse::<Distortion>().expect_err("unknown").to_string().contains("gaussian_blur"));
    }
}
