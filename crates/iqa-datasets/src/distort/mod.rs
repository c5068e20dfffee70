//! The distortions of KADID-10k on any image, with the mean opinion score of each type and level.
//!
//! Source: H. Lin, V. Hosu, D. Saupe, "KADID-10k: A Large-scale Artificially Distorted IQA Database", QoMEX 2019:
//! 81 photographs, 25 types, 5 levels, rated from 1 (bad) to 5 (excellent). The *mean* rating of a (type, level)
//! over the 81 photographs predicts a single image's rating well (SRCC 0.938), so that any pristine photograph
//! distorted here comes with a label close to human opinion.
//!
//! | KADID-10k types here | not yet |
//! |---|---|
//! | 1 to 4, 7, 8, 10 to 14, 16, 17, 19 to 24 | 5, 6, 9 (JPEG 2000), 15, 18, 25 |
//!
//! ```
//! use iqa_datasets::distort::{Distortion, Level};
//! let image = image::RgbImage::from_fn(64, 48, |x, y| image::Rgb([(4 * x) as u8, (5 * y) as u8, 90]));
//! let level = Level::new(3.0)?;
//! let blurred = Distortion::GaussianBlur.apply(&image, level, 1);
//! assert_eq!(blurred.dimensions(), image.dimensions());
//! assert!((Distortion::GaussianBlur.mean_mos(level) - 2.9111).abs() < 1e-6); // of 1 to 5, higher is better
//! # Ok::<(), iqa_datasets::DatasetError>(())
//! ```

mod blur;
mod codec;
mod color;
mod mos;
mod noise;
mod planes;
mod spatial;
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
    /// Saturation of HSV; the factor on it.
    ColorSaturation1 = 7, "color_saturation_1", [0.4, 0.2, 0.1, 0.0, -0.4];
    /// Chroma of CIELAB; the factor on it.
    ColorSaturation2 = 8, "color_saturation_2", [1.0, 2.0, 3.0, 6.0, 9.0];
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
    /// A brightening curve; twice its shift at mid-grey.
    Brighten = 16, "brighten", [0.1, 0.2, 0.4, 0.7, 1.1];
    /// A darkening curve; twice its shift at mid-grey.
    Darken = 17, "darken", [0.05, 0.1, 0.2, 0.4, 0.8];
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
}

impl Distortion {
    /// Distorts an image; the same image, level and seed give the same result.
    ///
    /// # Panics
    /// On an image without pixels.
    pub fn apply(self, image: &RgbImage, level: Level, seed: u64) -> RgbImage {
        assert!(image.width() > 0 && image.height() > 0, "an image without pixels");
        let parameter = level.interpolate(self.levels());
        let rng = &mut ChaCha8Rng::seed_from_u64(seed);
        match self {
            Self::GaussianBlur => blur::gaussian(image, parameter),
            Self::LensBlur => blur::lens(image, parameter),
            Self::MotionBlur => blur::motion(image, parameter, rng),
            Self::ColorDiffusion => color::diffusion(image, parameter),
            Self::ColorSaturation1 => color::saturation_hsv(image, parameter),
            Self::ColorSaturation2 => color::saturation_lab(image, parameter),
            Self::Jpeg => codec::jpeg(image, parameter.round() as u8),
            Self::WhiteNoise => noise::white(image, parameter, rng),
            Self::WhiteNoiseColor => noise::white_ycbcr(image, parameter, rng),
            Self::ImpulseNoise => noise::impulse(image, parameter, rng),
            Self::MultiplicativeNoise => noise::multiplicative(image, parameter, rng),
            Self::Brighten => tone::brightness(image, parameter / 2.0),
            Self::Darken => tone::brightness(image, -parameter / 2.0),
            Self::Jitter => spatial::jitter(image, parameter, rng),
            Self::NonEccentricityPatch => spatial::non_eccentricity(image, parameter, rng),
            Self::Pixelate => spatial::pixelate(image, parameter),
            Self::Quantization => tone::quantise(image, parameter.round() as usize),
            Self::ColorBlock => spatial::blocks(image, parameter, rng),
            Self::HighSharpen => tone::sharpen(image, parameter),
        }
    }

    /// Mean opinion score over the 81 photographs of KADID-10k: 1 (bad) to 5 (excellent), higher is better.
    pub fn mean_mos(self, level: Level) -> f32 {
        let values = mos::mean_mos(self.kadid_type());
        let (below, part) = level.split();
        values[below] + part * (values[below + 1] - values[below])
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

    #[test]
    fn every_type_gets_worse_with_its_level() {
        let image = photograph_like(384, 320);
        for &distortion in Distortion::ALL {
            let errors: Vec<f64> = Level::published()
                .map(|level| squared_error(&image, &distortion.apply(&image, level, 3)))
                .collect();
            // Patches may fall on one another, so that one level more can change a little less.
            let grows = errors.windows(2).all(|pair| pair[1] >= 0.9 * pair[0]);
            assert!(grows, "{distortion}: {errors:?}");
            assert!(errors[4] > 2.0 * errors[0] || errors[0] == 0.0, "{distortion}: {errors:?}");
        }
    }

    #[test]
    fn the_seed_decides_and_nothing_else() {
        let image = photograph_like(96, 80);
        for &distortion in Distortion::ALL {
            let at = |seed| distortion.apply(&image, Level::WORST, seed);
            assert_eq!(at(1), at(1), "{distortion}");
        }
        let noise = |seed| Distortion::WhiteNoise.apply(&image, Level::WORST, seed);
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
        let mos = Distortion::GaussianBlur.mean_mos(level(1.5));
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
