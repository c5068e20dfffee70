//! What a multi-branch model is made of.

use burn::config::Config;
use burn::nn::LinearConfig;
use burn::tensor::Device;
use iqa_backbones::{Architecture, Backbone, BackboneConfig};
use iqa_core::{Direction, ReferenceNeed, ScoreSpec};
use iqa_nn::BatchNorm2d;
use serde::{Deserialize, Serialize};

use super::model::MultiBranch;
use crate::HeadError;
use crate::bounds::{self, LAYERS, WIDTH};

/// Which branches take part: the ablation of the paper's Table 2, and two settings of ours in which the perceptron alone
/// learns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Branches {
    /// The frozen one alone.
    Frp,
    /// The frozen and the learned difference.
    FrpFrnp,
    /// Both and the no-reference branch: the paper's model.
    All,
    /// Differences in the frozen network, and its features of the distorted image alone.
    FrozenAll,
    /// The frozen network's features of the image alone: without a reference.
    FrozenNr,
}

impl Branches {
    /// The settings of Table 2, in its order.
    pub const ALL: [Self; 3] = [Self::Frp, Self::FrpFrnp, Self::All];

    /// Whether there are differences to a reference in the frozen network.
    pub const fn has_frp(self) -> bool {
        !matches!(self, Self::FrozenNr)
    }

    /// Whether the difference branch learns.
    pub const fn has_frnp(self) -> bool {
        matches!(self, Self::FrpFrnp | Self::All)
    }

    /// Whether the no-reference branch learns.
    pub const fn has_nr(self) -> bool {
        matches!(self, Self::All)
    }

    /// Whether more than the perceptron learns.
    pub const fn learn(self) -> bool {
        self.has_frnp() || self.has_nr()
    }

    /// Whether there are the frozen network's features of the distorted image alone.
    pub const fn has_frozen_nr(self) -> bool {
        matches!(self, Self::FrozenAll | Self::FrozenNr)
    }
}

/// Where VGG is tapped; the paper's text allows both. For the other networks there is one reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TapRule {
    /// The last activation before the next pool: `relu2_2`, `relu3_3`, `relu4_3`, `relu5_3` in VGG16.
    DeepestActivation,
    /// The output of the first four pools.
    AfterPool,
}

/// Where EfficientNet-Lite0 is tapped.
const LITE_TAPS: [&str; 6] = ["blocks.0", "blocks.2", "blocks.4", "blocks.7", "blocks.10", "blocks.11"];

/// Configuration of [`MultiBranch`].
#[derive(Config, Debug, PartialEq)]
pub struct MultiBranchConfig {
    /// The network of every branch.
    pub architecture: Architecture,
    /// The branches.
    #[config(default = "Branches::All")]
    pub branches: Branches,
    /// Where VGG is tapped.
    #[config(default = "TapRule::DeepestActivation")]
    pub taps: TapRule,
    /// Widths of the perceptron's hidden layers. The paper says "three fully-connected layers": two, and the output.
    #[config(default = "vec![512, 128]")]
    pub hidden: Vec<usize>,
    /// Divides the channels of the frozen branch: 1 where it has ImageNet weights, which have the whole width.
    #[config(default = 1)]
    pub frp_width_divisor: usize,
    /// Divides the channels of the branches that learn; 1 in the paper.
    #[config(default = 1)]
    pub width_divisor: usize,
    /// Which way the score grows.
    #[config(default = "Direction::HigherIsBetter")]
    pub direction: Direction,
    /// Nominal range of the score: that of the data's opinion scores, 1 to 5 for KADID-10k.
    #[config(default = "(1.0, 5.0)")]
    pub range: (f64, f64),
    /// Larger pictures are looked at in overlapping tiles of that side, the features of which are averaged; only where no
    /// branch learns. `None`: whole, as in the paper.
    #[config(default = "None")]
    pub tile: Option<usize>,
}

impl MultiBranchConfig {
    /// The paper's model on VGG16.
    pub fn vgg16() -> Self {
        Self::new(Architecture::Vgg16)
    }

    /// The paper's model on ResNet50.
    pub fn resnet50() -> Self {
        Self::new(Architecture::ResNet50)
    }

    /// The paper's model on Inception-v3.
    pub fn inception_v3() -> Self {
        Self::new(Architecture::InceptionV3)
    }

    /// The model that is bundled: every branch a ResNet18 at a quarter of its width, scores from 0 to 1. There are no
    /// ImageNet weights of that network: its frozen branch is one that an earlier run has trained
    /// ([`MultiBranch::frnp`]).
    pub fn small() -> Self {
        Self {
            frp_width_divisor: 4,
            width_divisor: 4,
            hidden: vec![128, 32],
            range: (0.0, 1.0),
            ..Self::new(Architecture::ResNet18)
        }
    }

    /// A perceptron over EfficientNet-Lite0, which stays as it is: small enough to be bundled with its ImageNet weights.
    /// Scores from 0 to 1; pictures beyond 512x512 in tiles. For [`Branches::FrozenAll`] and [`Branches::FrozenNr`].
    pub fn lite(branches: Branches) -> Self {
        Self {
            branches,
            hidden: vec![64],
            range: (0.0, 1.0),
            tile: Some(512),
            ..Self::new(Architecture::EfficientNetLite0)
        }
    }

    /// The same topology at a sixteenth of the width, for tests.
    #[must_use]
    pub fn tiny(self) -> Self {
        let hidden = self.hidden.iter().map(|width| width / 16).collect();
        Self { frp_width_divisor: 16, width_divisor: 16, hidden, ..self }
    }

    /// What the score means.
    pub fn score_spec(&self) -> ScoreSpec {
        let reference =
            if self.branches.has_frp() { ReferenceNeed::FullReference } else { ReferenceNeed::NoReference };
        ScoreSpec { direction: self.direction, range: self.range, reference }
    }

    /// The network of the frozen branch.
    pub fn frp(&self) -> BackboneConfig {
        BackboneConfig { width_divisor: self.frp_width_divisor, ..self.backbone() }
    }

    /// The network of the branches that learn.
    pub fn learned(&self) -> BackboneConfig {
        BackboneConfig { width_divisor: self.width_divisor, ..self.backbone() }
    }

    fn backbone(&self) -> BackboneConfig {
        let architecture = self.architecture;
        if architecture == Architecture::EfficientNetLite0 {
            // Each width once, as far as the first block at a thirty-second of the resolution: two thirds of the weights
            // lie behind it.
            return BackboneConfig::new(architecture, LITE_TAPS.map(str::to_owned).into());
        }
        if self.taps == TapRule::DeepestActivation || !self.is_vgg() {
            return BackboneConfig::four_scales(architecture);
        }
        // A pool is the first layer of its resolution.
        let layers = architecture.layers();
        let pools = layers.windows(2).filter(|pair| pair[1].reduction > pair[0].reduction);
        BackboneConfig::new(architecture, pools.take(4).map(|pair| pair[1].name.clone()).collect())
    }

    fn is_vgg(&self) -> bool {
        matches!(self.architecture, Architecture::Vgg16 | Architecture::Vgg19)
    }

    /// Inputs of the perceptron: 4224 (VGG16), 5568 (ResNet50), 3936 (Inception-v3) for the paper's models.
    ///
    /// # Errors
    /// [`HeadError::Backbone`].
    pub fn features(&self) -> Result<usize, HeadError> {
        let branches = self.branches;
        let learned = usize::from(branches.has_frnp()) + usize::from(branches.has_nr());
        Ok(self.frozen_features()? + channels(&self.learned())? * learned)
    }

    /// Those of the frozen network.
    ///
    /// # Errors
    /// [`HeadError::Backbone`].
    pub fn frozen_features(&self) -> Result<usize, HeadError> {
        let branches = self.branches;
        // Means and deviations of the features themselves.
        let times = usize::from(branches.has_frp()) + 2 * usize::from(branches.has_frozen_nr());
        Ok(channels(&self.frp())? * times)
    }

    /// Smallest width and height that the network takes, in pixels.
    ///
    /// # Errors
    /// [`HeadError::Backbone`] for an architecture that gives no features.
    pub fn minimum_size(&self) -> Result<(u32, u32), HeadError> {
        let side = self.frp().minimum_size()? as u32;
        Ok((side, side))
    }

    /// Checks a configuration that was read from a file.
    ///
    /// # Errors
    /// [`HeadError::InvalidConfig`] naming the field, [`HeadError::Backbone`].
    pub fn validate(&self) -> Result<(), HeadError> {
        self.features()?;
        if self.hidden.len() > LAYERS || !self.hidden.iter().all(|width| WIDTH.contains(width)) {
            return Err(bounds::invalid("hidden", &self.hidden, "at most 64 widths from 1 to 16384"));
        }
        if self.tile.is_some_and(|side| self.branches.learn() || !(64..=1 << 14).contains(&side)) {
            return Err(bounds::invalid("tile", self.tile, "64 to 16384, where no branch learns"));
        }
        bounds::score_range(self.range)
    }

    /// A model around a frozen branch; the others start with random weights, as torchvision's do, the perceptron as
    /// PyTorch's linear layers, with the middle of the range as the last bias.
    ///
    /// `frp` is taken to a plain device of the same kind and stays there.
    ///
    /// # Panics
    /// When [`Self::validate`] would fail, or `frp` is another network than [`Self::frp`].
    pub fn init(&self, frp: Backbone, device: &Device) -> MultiBranch {
        let inputs = self.validate().and_then(|()| self.features()).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(frp.config(), &self.frp(), "the frozen branch is another network");
        let learned = |is_there: bool| is_there.then(|| self.learned().init(device));
        let widths: Vec<usize> = [inputs].into_iter().chain(self.hidden.iter().copied()).chain([1]).collect();
        let mlp = widths.windows(2).map(|pair| LinearConfig::new(pair[0], pair[1]).init(device)).collect();
        MultiBranch::new(
            learned(self.branches.has_frnp()),
            learned(self.branches.has_nr()),
            self.branches.has_frozen_nr().then(|| BatchNorm2d::new(inputs, device)),
            mlp,
            frp,
            self.clone(),
        )
        .with_mean(f64::midpoint(self.range.0, self.range.1))
    }
}

/// Channels of all taps.
fn channels(config: &BackboneConfig) -> Result<usize, HeadError> {
    Ok(config.feature_info()?.iter().map(|tap| tap.channels).sum())
}
