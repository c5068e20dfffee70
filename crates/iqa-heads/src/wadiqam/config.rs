//! What a network of the family is made of.

use burn::nn::conv::Conv2dConfig;
use burn::nn::{DropoutConfig, Initializer, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::Device;
use iqa_core::{Direction, ReferenceNeed, ScoreSpec};
use serde::{Deserialize, Serialize};

use super::model::Wadiqam;
use crate::HeadError;
use crate::bounds::{self, LAYERS, WIDTH};

/// Side of the square patches, in pixels (Bosse et al., section III-A).
pub const PATCH: usize = 32;
/// Most sizes at which patches are cut.
const MAX_SCALES: usize = 6;
/// Added to a patch weight after its ReLU (Bosse et al., equation 4; deepIQA, `nr_model.py`).
pub const WEIGHT_EPSILON: f64 = 1e-6;

/// How the features of a distorted patch `d` and its reference patch `r` become one vector (section IV-G).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fusion {
    /// `d - r`.
    DiffOnly,
    /// `d, r`.
    Concat,
    /// `d - r, d, r`: what the paper reports, in the order of the official weights.
    ConcatDiff,
}

impl Fusion {
    /// Length of the fused vector, in units of the feature length.
    pub fn multiple(self) -> usize {
        match self {
            Self::DiffOnly => 1,
            Self::Concat => 2,
            Self::ConcatDiff => 3,
        }
    }
}

/// How patch scores become the score of the image (section III-C).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pooling {
    /// The mean: DIQaM.
    Mean,
    /// The mean weighted by a second learned output: WaDIQaM.
    Weighted,
}

/// How weights start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Initialisation {
    /// Normal with variance `1 / fan_in`, zero bias: Chainer's default, for inputs in 0..255.
    LeCunNormal,
    /// Normal with variance `2 / fan_in` before a ReLU and zero bias, for inputs around zero. Output units start
    /// with a hundredth of that variance around the middle of the score's range and around a patch weight of 1:
    /// the first steps then need not push every layer towards the labels, which leaves many units dead.
    HeCentred,
}

/// Configuration of [`Wadiqam`]: the four models of the paper, its shallow network, and their variants.
///
/// Start from a constructor ([`Self::wadiqam_fr`] and its siblings) and change what differs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WadiqamConfig {
    /// Full-reference (two images) or no-reference (one).
    pub reference: ReferenceNeed,
    /// Mean (DIQaM) or weighted (WaDIQaM) pooling.
    pub pooling: Pooling,
    /// Fusion of the two feature vectors; without effect for a no-reference model.
    pub fusion: Fusion,
    /// Output channels of the 3x3 convolutions, block by block; a 2x2 max-pool ends each block.
    pub blocks: Vec<Vec<usize>>,
    /// Width of the hidden layer of each head.
    pub hidden: usize,
    /// Dropout probability on the hidden layer, in training only.
    pub dropout: f64,
    /// Added to the patch weights.
    pub weight_epsilon: f64,
    /// The network sees `x * input_scale + input_offset` for `x` in `[0, 1]`.
    pub input_scale: f64,
    /// See [`Self::input_scale`].
    pub input_offset: f64,
    /// Sizes at which patches are cut: 1 for the image as it is (the paper), 2 for its half size too, and so on. The
    /// same network sees them all, and each size counts as much as another in the pooled score.
    #[serde(default = "one_scale")]
    pub scales: usize,
    /// How weights start.
    pub initialisation: Initialisation,
    /// Which way the score grows.
    pub direction: Direction,
    /// Nominal range of the score.
    pub range: (f64, f64),
}

/// Of files from before there were several.
fn one_scale() -> usize {
    1
}

impl WadiqamConfig {
    /// WaDIQaM-FR of the paper: 6,287,138 parameters.
    pub fn wadiqam_fr() -> Self {
        Self::full(ReferenceNeed::FullReference, Pooling::Weighted)
    }

    /// DIQaM-FR of the paper: 5,499,681 parameters.
    pub fn diqam_fr() -> Self {
        Self::full(ReferenceNeed::FullReference, Pooling::Mean)
    }

    /// WaDIQaM-NR of the paper: 5,238,562 parameters.
    pub fn wadiqam_nr() -> Self {
        Self::full(ReferenceNeed::NoReference, Pooling::Weighted)
    }

    /// DIQaM-NR of the paper: 4,975,393 parameters.
    pub fn diqam_nr() -> Self {
        Self::full(ReferenceNeed::NoReference, Pooling::Mean)
    }

    fn full(reference: ReferenceNeed, pooling: Pooling) -> Self {
        let blocks = [32, 64, 128, 256, 512].map(|channels| vec![channels; 2]).to_vec();
        Self {
            reference,
            pooling,
            fusion: Fusion::ConcatDiff,
            blocks,
            hidden: 512,
            dropout: 0.5,
            weight_epsilon: WEIGHT_EPSILON,
            input_scale: 255.0,
            input_offset: 0.0,
            scales: 1,
            initialisation: Initialisation::LeCunNormal,
            direction: Direction::LowerIsBetter,
            range: (0.0, 100.0),
        }
    }

    /// The shallow network of section IV-H in place of the ten-layer one: five convolutions and heads of 256.
    ///
    /// As printed, a patch would end at 256x2x2; the paper's "about 790k parameters" needs one more
    /// reduction, which is the block without convolutions here (791,906 for weighted FR).
    #[must_use]
    pub fn shallow(mut self) -> Self {
        self.blocks = vec![vec![32, 32], vec![64], vec![128], vec![256], vec![]];
        self.hidden = 256;
        self
    }

    /// The same topology at an eighth of the width, for tests.
    #[must_use]
    pub fn tiny(mut self) -> Self {
        for channels in self.blocks.iter_mut().flatten() {
            *channels /= 8;
        }
        self.hidden /= 8;
        self
    }

    /// What the score means.
    pub fn score_spec(&self) -> ScoreSpec {
        ScoreSpec { direction: self.direction, range: self.range, reference: self.reference }
    }

    /// Length of the feature vector of one patch.
    pub fn features(&self) -> usize {
        self.blocks.iter().flatten().last().copied().unwrap_or(0)
    }

    /// Length of the vector that the heads take in.
    pub(super) fn fused(&self) -> usize {
        if self.is_full_reference() { self.features() * self.fusion.multiple() } else { self.features() }
    }

    /// Whether the model compares with a reference.
    pub fn is_full_reference(&self) -> bool {
        self.reference == ReferenceNeed::FullReference
    }

    /// Whether the convolutions of one network can serve in the other: the same blocks on the same inputs.
    pub fn shares_features_with(&self, other: &Self) -> bool {
        self.blocks == other.blocks
            && self.input_scale == other.input_scale
            && self.input_offset == other.input_offset
    }

    /// Checks a configuration that was read from a file.
    ///
    /// # Errors
    /// [`HeadError::InvalidConfig`] naming the field.
    pub fn validate(&self) -> Result<(), HeadError> {
        let invalid =
            |field, found: &dyn std::fmt::Debug, expected| Err(bounds::invalid(field, found, expected));
        if 1usize << self.blocks.len().min(16) != PATCH {
            return invalid("blocks", &self.blocks.len(), "5 blocks, which reduce 32 pixels to 1");
        }
        let sound =
            |block: &Vec<usize>| block.len() <= LAYERS && block.iter().all(|width| WIDTH.contains(width));
        if self.blocks[0].is_empty() || !self.blocks.iter().all(sound) {
            let expected = "blocks of up to 64 numbers of channels from 1 to 16384, and some in block 1";
            return invalid("blocks", &self.blocks, expected);
        }
        bounds::width("hidden", self.hidden)?;
        if !(0.0..1.0).contains(&self.dropout) {
            return invalid("dropout", &self.dropout, "a probability in [0, 1)");
        }
        if !(self.weight_epsilon > 0.0 && self.weight_epsilon <= 1.0) {
            return invalid("weight_epsilon", &self.weight_epsilon, "a number above 0, at most 1");
        }
        if !(1..=MAX_SCALES).contains(&self.scales) {
            return invalid("scales", &self.scales, "1 to 6 sizes");
        }
        bounds::input(self.input_scale, self.input_offset)?;
        bounds::score_range(self.range)
    }

    /// A network with random weights.
    ///
    /// # Panics
    /// When [`Self::validate`] would fail.
    pub fn init(&self, device: &Device) -> Wadiqam {
        if let Err(error) = self.validate() {
            panic!("{error}");
        }
        let mut convs = Vec::new();
        let mut channels = 3;
        for &out in self.blocks.iter().flatten() {
            convs.push(self.conv(channels, out, device));
            channels = out;
        }
        let fused = self.fused();
        let weighted = self.pooling == Pooling::Weighted;
        Wadiqam {
            convs,
            fc1: self.linear(fused, self.hidden, device),
            fc2: self.output(f64::midpoint(self.range.0, self.range.1), device),
            fc1_a: weighted.then(|| self.linear(fused, self.hidden, device)),
            fc2_a: weighted.then(|| self.output(1.0, device)),
            dropout: DropoutConfig::new(self.dropout).init(),
            config: self.clone(),
        }
    }

    /// Gain of the normal initialiser, whose standard deviation is `gain / sqrt(fan_in)`.
    fn gain(&self) -> f64 {
        match self.initialisation {
            Initialisation::LeCunNormal => 1.0,
            Initialisation::HeCentred => std::f64::consts::SQRT_2,
        }
    }

    fn conv(&self, channels: usize, out: usize, device: &Device) -> iqa_kernels::Conv2d {
        let initializer = Initializer::KaimingNormal { gain: self.gain(), fan_out_only: false };
        let mut conv = Conv2dConfig::new([channels, out], [3, 3])
            .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
            .with_initializer(initializer)
            .init(device);
        conv.bias = Some(Initializer::Zeros.init([out], device));
        conv.into()
    }

    fn linear(&self, inputs: usize, out: usize, device: &Device) -> Linear {
        // No ReLU follows an output unit.
        let gain = match (out, self.initialisation) {
            (1, Initialisation::LeCunNormal) => 1.0,
            (1, Initialisation::HeCentred) => 0.1,
            _ => self.gain(),
        };
        let initializer = Initializer::KaimingNormal { gain, fan_out_only: false };
        let mut linear = LinearConfig::new(inputs, out).with_initializer(initializer).init(device);
        linear.bias = Some(Initializer::Zeros.init([out], device));
        linear
    }

    /// An output unit that starts at about `centre`.
    fn output(&self, centre: f64, device: &Device) -> Linear {
        let mut linear = self.linear(self.hidden, 1, device);
        if self.initialisation == Initialisation::HeCentred {
            linear.bias = Some(Initializer::Constant { value: centre }.init([1], device));
        }
        linear
    }
}
