//! What a network is made of.

use burn::config::Config;
use burn::nn::conv::Conv2dConfig;
use burn::nn::{LinearConfig, PaddingConfig2d};
use burn::tensor::Device;
use iqa_core::{Direction, ReferenceNeed, ScoreSpec};
use serde::{Deserialize, Serialize};

use super::cdc::{CentralDifferenceConv2dConfig, KERNEL, THETA};
use super::model::{Gsn, NormedConv};
use crate::HeadError;
use crate::bounds::{self, LAYERS, MAX_SIDE, WIDTH};
use crate::shapes::Shapes;

/// Side of an attention's kernel; 7 in the paper.
const MAX_ATTENTION: usize = 63;
/// Side of the grid; 36 in the paper.
const MAX_GRID: usize = 512;

/// How the maps of the distorted image `d` and of the reference `r` come together at each level. The paper speaks of
/// concatenation, and only its conclusion of residuals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PairFusion {
    /// `r, d`.
    Concat,
    /// `d - r`.
    Diff,
    /// `r, d, d - r`.
    ConcatDiff,
}

impl PairFusion {
    /// Channels of the result, in units of those of one image.
    pub fn multiple(self) -> usize {
        match self {
            Self::Diff => 1,
            Self::Concat => 2,
            Self::ConcatDiff => 3,
        }
    }
}

/// Configuration of [`Gsn`]; [`Self::new`] is the paper's network, of 2,996,441 parameters.
#[derive(Config, Debug, PartialEq)]
pub struct GsnConfig {
    /// Share of central differences in every convolution; 0 is the ablation with ordinary ones (table 5).
    #[config(default = "THETA")]
    pub theta: f64,
    /// Output channels of the first convolution.
    #[config(default = 64)]
    pub stem: usize,
    /// Output channels of the convolutions of each block; a 3x3 max-pool with stride 2 ends it (table 1).
    #[config(default = "vec![vec![128, 204, 128], vec![153, 128, 179, 128], vec![128, 153, 128]]")]
    pub blocks: Vec<Vec<usize>>,
    /// Side of the spatial attention's kernel after each block (table 1).
    #[config(default = "vec![7, 5, 3]")]
    pub attention: Vec<usize>,
    /// Channels that the levels are reduced to as they are fused.
    #[config(default = 128)]
    pub fusion: usize,
    /// Side of the grid that the maps of all levels are resized to; the score weighs its 1296 places.
    #[config(default = 36)]
    pub grid: usize,
    /// Side of the square crops, in pixels, in training and evaluation.
    #[config(default = 192)]
    pub crop: usize,
    /// How the two images come together.
    #[config(default = "PairFusion::Concat")]
    pub pair_fusion: PairFusion,
    /// Whether the next block sees a map after its attention, instead of before as in CDCN++.
    #[config(default = false)]
    pub attend_before_next: bool,
    /// A ReLU on the one-channel map before the last layer, as in CDCN++. Where it starts below zero it never learns.
    #[config(default = false)]
    pub final_relu: bool,
    /// The network sees `x * input_scale + input_offset` for `x` in `[0, 1]`.
    #[config(default = 2.0)]
    pub input_scale: f64,
    /// See [`Self::input_scale`].
    #[config(default = "-1.0")]
    pub input_offset: f64,
    /// Which way the score grows.
    #[config(default = "Direction::HigherIsBetter")]
    pub direction: Direction,
    /// Nominal range of the score. Losses on normalised scores leave scale and offset free.
    #[config(default = "(0.0, 1.0)")]
    pub range: (f64, f64),
    /// Whether the network was trained by losses that leave scale and offset free, so that the range means little; `None` where
    /// that is not known.
    pub free_scale: Option<bool>,
}

impl GsnConfig {
    /// The same topology with all widths multiplied and rounded down, at least 1.
    #[must_use]
    pub fn scaled(mut self, multiplier: f64) -> Self {
        let widths = [&mut self.stem, &mut self.fusion];
        for width in self.blocks.iter_mut().flatten().chain(widths) {
            *width = ((*width as f64 * multiplier) as usize).max(1);
        }
        self
    }

    /// The network that is bundled: narrow where the maps are large, wider where they are small, the two images joined by their
    /// difference alone, so that a picture and itself differ in nothing whatever is in it.
    pub fn small() -> Self {
        Self {
            stem: 8,
            blocks: vec![vec![16, 16, 16], vec![24, 24, 24, 32], vec![48, 64, 64]],
            fusion: 48,
            pair_fusion: PairFusion::Diff,
            ..Self::new()
        }
    }

    /// The grid for crops of another side: as many pixels to a place, or a few less.
    pub fn grid_for(&self, crop: usize) -> usize {
        (self.grid * crop).div_ceil(self.crop.max(1))
    }

    /// The same topology at an eighth of the width, on crops of 32 pixels and a grid of 6x6, for tests.
    #[must_use]
    pub fn tiny(self) -> Self {
        Self { crop: 32, grid: 6, ..self.scaled(0.125) }
    }

    /// What the score means.
    pub fn score_spec(&self) -> ScoreSpec {
        ScoreSpec { direction: self.direction, range: self.range, reference: ReferenceNeed::FullReference }
    }

    /// Channels of the map after each block.
    pub fn level_channels(&self) -> Vec<usize> {
        self.blocks.iter().filter_map(|block| block.last().copied()).collect()
    }

    /// Bytes of the largest pair of neighbouring maps of one image: what a pass through the network holds at least.
    pub(super) fn bytes(&self) -> usize {
        let mut side = self.crop;
        let mut channels = self.stem;
        let mut largest = (3 + self.stem) * side * side;
        for block in &self.blocks {
            for &out in block {
                largest = largest.max((channels + out) * side * side);
                channels = out;
            }
            side = side.div_ceil(2);
        }
        largest * size_of::<f32>()
    }

    /// Checks a configuration that was read from a file.
    ///
    /// # Errors
    /// [`HeadError::InvalidConfig`] naming the field.
    pub fn validate(&self) -> Result<(), HeadError> {
        let invalid =
            |field, found: &dyn std::fmt::Debug, expected| Err(bounds::invalid(field, found, expected));
        if !(0.0..=1.0).contains(&self.theta) {
            return invalid("theta", &self.theta, "a share from 0 to 1");
        }
        bounds::width("stem", self.stem)?;
        let sound = |block: &Vec<usize>| {
            (1..=LAYERS).contains(&block.len()) && block.iter().all(|width| WIDTH.contains(width))
        };
        if self.blocks.is_empty() || !self.blocks.iter().all(sound) {
            return invalid("blocks", &self.blocks, "blocks of 1 to 64 numbers of channels from 1 to 16384");
        }
        let odd = |side: &usize| side % 2 == 1 && *side <= MAX_ATTENTION;
        if self.attention.len() != self.blocks.len() || !self.attention.iter().all(odd) {
            return invalid("attention", &self.attention, "an odd side up to 63 for each block");
        }
        bounds::width("fusion", self.fusion)?;
        if !(1..=MAX_GRID).contains(&self.grid) {
            return invalid("grid", &self.grid, "a side of 1 to 512");
        }
        let least = 1usize.checked_shl(self.blocks.len() as u32).unwrap_or(usize::MAX);
        if !(least..=MAX_SIDE).contains(&self.crop) {
            return invalid("crop", &self.crop, "a side up to 2048 that the pools do not reduce to nothing");
        }
        bounds::input(self.input_scale, self.input_offset)?;
        bounds::score_range(self.range)
    }

    /// The parameters of the network.
    pub(super) fn shapes(&self) -> Shapes {
        let mut shapes = Shapes::default();
        let mut normed = |layer: &str, channels: [usize; 2]| {
            shapes.conv(&format!("{layer}.conv"), channels, KERNEL, false);
            shapes.norm(&format!("{layer}.norm"), channels[1]);
        };
        normed("stem", [3, self.stem]);
        let mut channels = self.stem;
        for (index, block) in self.blocks.iter().enumerate() {
            for (place, &out) in block.iter().enumerate() {
                normed(&format!("blocks.{index}.{place}"), [std::mem::replace(&mut channels, out), out]);
            }
        }
        for (level, inputs) in self.fusion_channels().enumerate() {
            normed(&format!("fusion.{level}"), [inputs, self.fusion]);
        }
        for (level, &side) in self.attention.iter().enumerate() {
            shapes.conv(&format!("attention.{level}"), [2, 1], side, false);
        }
        shapes.conv("squeeze", [self.fusion, 1], KERNEL, false);
        shapes.linear("fc", self.grid * self.grid, 1);
        shapes
    }

    /// Channels that come into the fusion of each level: those carried from the level before, and both images'.
    fn fusion_channels(&self) -> impl Iterator<Item = usize> {
        self.level_channels().into_iter().enumerate().map(|(level, channels)| {
            let carried = if level == 0 { 0 } else { self.fusion };
            carried + channels * self.pair_fusion.multiple()
        })
    }

    /// A network with random weights, each layer as PyTorch starts it.
    ///
    /// # Panics
    /// When [`Self::validate`] would fail.
    pub fn init(&self, device: &Device) -> Gsn {
        if let Err(error) = self.validate() {
            panic!("{error}");
        }
        let conv = |channels, out| {
            CentralDifferenceConv2dConfig::new([channels, out]).with_theta(self.theta).init(device)
        };
        let normed = |channels, out| NormedConv::new(conv(channels, out), out, device);
        let mut channels = self.stem;
        let blocks = self
            .blocks
            .iter()
            .map(|block| {
                block.iter().map(|&out| normed(std::mem::replace(&mut channels, out), out)).collect()
            })
            .collect();
        let attention = self
            .attention
            .iter()
            .map(|&side| {
                let around = side / 2;
                Conv2dConfig::new([2, 1], [side; 2])
                    .with_padding(PaddingConfig2d::Explicit(around, around, around, around))
                    .with_bias(false)
                    .init(device)
                    .into()
            })
            .collect();
        let fusion = self.fusion_channels().map(|inputs| normed(inputs, self.fusion)).collect();
        Gsn {
            stem: normed(3, self.stem),
            blocks,
            attention,
            fusion,
            squeeze: conv(self.fusion, 1),
            fc: LinearConfig::new(self.grid * self.grid, 1).init(device),
            config: self.clone(),
        }
    }
}
