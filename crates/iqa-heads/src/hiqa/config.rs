//! What the networks are made of.

use burn::config::Config;
use iqa_core::{Direction, ReferenceNeed, ScoreSpec};
use serde::{Deserialize, Serialize};

use crate::HeadError;
use crate::bounds::{self, LAYERS, MAX_SIDE};

/// Side of the square patches of the paper, in pixels.
pub const PATCH: usize = 256;
/// The side of a patch is a multiple of this: both networks halve it six times.
pub const PATCH_MULTIPLE: usize = 64;
/// Halvings in an hourglass: "H_{5,2}" names its fifth residual unit as the deepest.
pub(super) const DEPTH: usize = 4;

/// What the generator's last convolution gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GeneratorOutput {
    /// The hallucinated image.
    Linear,
    /// The hallucinated image, through the hyperbolic tangent.
    Tanh,
    /// What is to be added to the distorted image; nothing at the start of training, when that convolution is zero.
    /// The decoder's features are summed with the encoder's of the same resolution, as they are within the hourglasses:
    /// the paper's decoder knows a quarter of the resolution alone, from which no noise of single pixels can be told.
    /// Not of the paper: it spares a small or briefly trained generator from learning to copy.
    Residual,
}

/// Configuration of [`Generator`](super::Generator).
#[derive(Config, Debug, PartialEq)]
pub struct GeneratorConfig {
    /// Channels at full resolution; twice and four times as many at a half and a quarter.
    #[config(default = 64)]
    pub width: usize,
    /// Hourglasses, one after the other.
    #[config(default = 2)]
    pub stacks: usize,
    /// What the last convolution gives.
    #[config(default = "GeneratorOutput::Linear")]
    pub output: GeneratorOutput,
}

impl GeneratorConfig {
    /// Channels of the hourglasses, and so of the features that the regressor may take in.
    pub fn bottleneck(&self) -> usize {
        4 * self.width
    }
}

/// Configuration of [`Regressor`](super::Regressor).
#[derive(Config, Debug, PartialEq)]
pub struct RegressorConfig {
    /// Channels of the first of the four stages; each next one doubles them.
    #[config(default = 64)]
    pub width: usize,
    /// Width of the hidden fully connected layer.
    #[config(default = 512)]
    pub hidden: usize,
    /// Whether there is a branch for the discrepancy map.
    #[config(default = true)]
    pub map: bool,
    /// Channels of the generator's features that are fused in; `None` for no fusion.
    pub fusion: Option<usize>,
}

impl RegressorConfig {
    /// The paper's baseline, and the fixed network of its quality-aware loss: the distorted image alone.
    pub fn baseline(width: usize) -> Self {
        Self { width, hidden: 8 * width, map: false, fusion: None }
    }

    /// With the discrepancy map, but without the generator's features.
    pub fn mapped(width: usize) -> Self {
        Self { map: true, ..Self::baseline(width) }
    }

    /// The whole regressor, which takes in the features of such a generator.
    pub fn fused(width: usize, generator: &GeneratorConfig) -> Self {
        Self { fusion: Some(generator.bottleneck()), ..Self::mapped(width) }
    }
}

/// Configuration of [`Discriminator`](super::Discriminator).
#[derive(Config, Debug, PartialEq)]
pub struct DiscriminatorConfig {
    /// Channels of the first convolution; they double until eight times as many.
    #[config(default = 64)]
    pub width: usize,
    /// Side of the images, in pixels.
    #[config(default = "PATCH")]
    pub patch: usize,
}

/// What the discrepancy maps are of that a regressor learned from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MapSource {
    /// The hallucinated reference.
    Hallucination,
    /// The true reference: the paper's oracle.
    Reference,
}

/// Configuration of [`Hiqa`](super::Hiqa): what scores an image.
///
/// Start from [`Self::published`], [`Self::reduced`] or [`Self::baseline`] and change what differs.
#[derive(Config, Debug, PartialEq)]
pub struct HiqaConfig {
    /// The generator; `None` for the baseline.
    pub generator: Option<GeneratorConfig>,
    /// The regressor.
    pub regressor: RegressorConfig,
    /// Side of the square patches, in pixels.
    #[config(default = "PATCH")]
    pub patch: usize,
    /// Whether the discrepancy map keeps its sign. Algorithm 1 of the supplementary prints the absolute value.
    #[config(default = false)]
    pub signed_map: bool,
    /// What its maps are of; `None`, in files from before this was said, for hallucinated references.
    pub map_source: Option<MapSource>,
    /// Which way the score grows.
    #[config(default = "Direction::HigherIsBetter")]
    pub direction: Direction,
    /// Nominal range of the score.
    #[config(default = "(0.0, 1.0)")]
    pub range: (f64, f64),
}

impl HiqaConfig {
    /// The published system.
    pub fn published() -> Self {
        Self::reduced(64, PATCH)
    }

    /// The published topology with `width` channels in place of 64, on patches of another size.
    pub fn reduced(width: usize, patch: usize) -> Self {
        let generator = GeneratorConfig::new().with_width(width);
        let regressor = RegressorConfig::fused(width, &generator);
        Self::new(regressor).with_generator(Some(generator)).with_patch(patch)
    }

    /// The system that is bundled: 12 channels in place of 64, one hourglass in place of two, patches of 128, and a
    /// generator that adds to the distorted image ([`GeneratorOutput::Residual`]).
    pub fn small() -> Self {
        let generator = GeneratorConfig::new().with_width(12).with_stacks(1);
        let generator = generator.with_output(GeneratorOutput::Residual);
        let regressor = RegressorConfig::fused(12, &generator);
        Self::new(regressor).with_generator(Some(generator)).with_patch(128)
    }

    /// The paper's baseline: the regressor of the distorted image alone.
    pub fn baseline(width: usize, patch: usize) -> Self {
        Self::new(RegressorConfig::baseline(width)).with_patch(patch)
    }

    /// What the score means.
    pub fn score_spec(&self) -> ScoreSpec {
        ScoreSpec { direction: self.direction, range: self.range, reference: ReferenceNeed::NoReference }
    }

    /// Checks a configuration that was read from a file.
    ///
    /// # Errors
    /// [`HeadError::InvalidConfig`] naming the field.
    pub fn validate(&self) -> Result<(), HeadError> {
        let invalid =
            |field, found: &dyn std::fmt::Debug, expected| Err(bounds::invalid(field, found, expected));
        if !(1..=MAX_SIDE).contains(&self.patch) || !self.patch.is_multiple_of(PATCH_MULTIPLE) {
            return invalid("patch", &self.patch, "a multiple of 64 up to 2048");
        }
        if let Some(generator) = &self.generator {
            bounds::width("generator.width", generator.width)?;
            if !generator.width.is_multiple_of(2) {
                return invalid("generator.width", &generator.width, "an even number");
            }
            if !(1..=LAYERS).contains(&generator.stacks) {
                return invalid("generator.stacks", &generator.stacks, "1 to 64");
            }
        }
        bounds::width("regressor.width", self.regressor.width)?;
        bounds::width("regressor.hidden", self.regressor.hidden)?;
        if self.regressor.map != self.generator.is_some() {
            return invalid("regressor.map", &self.regressor.map, "true with a generator, false without");
        }
        let bottleneck = self.generator.as_ref().map(GeneratorConfig::bottleneck);
        if self.regressor.fusion.is_some() && self.regressor.fusion != bottleneck {
            return invalid(
                "regressor.fusion",
                &self.regressor.fusion,
                "none, or four times the generator's width",
            );
        }
        bounds::score_range(self.range)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_describes_no_network_is_refused_by_field() {
        let good = HiqaConfig::reduced(8, 64);
        assert!(good.validate().is_ok() && HiqaConfig::published().validate().is_ok());
        assert!(HiqaConfig::baseline(8, 64).validate().is_ok());
        let bad = [
            ("patch", good.clone().with_patch(100)),
            ("generator.width", good.clone().with_generator(Some(GeneratorConfig::new().with_width(3)))),
            ("regressor.map", good.clone().with_generator(None)),
            (
                "regressor.fusion",
                HiqaConfig { regressor: good.regressor.clone().with_fusion(Some(5)), ..good.clone() },
            ),
            ("range", good.clone().with_range((1.0, 0.0))),
        ];
        for (field, config) in bad {
            let message = config.validate().expect_err(field).to_string();
            assert!(message.contains(field), "{message}");
        }
    }
}
