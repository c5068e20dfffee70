//! The network that scores.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};
use iqa_core::ScoreSpec;
use iqa_kernels::Conv2d;

use super::config::GsnConfig;
use super::graph::{self, Layers};

/// A [`Gsn`](super::Gsn) in which batch norms and central differences are folded into the convolutions: the same scores
/// in fewer passes over memory. Its weights are not to be trained.
#[derive(Module, Debug)]
pub struct FusedGsn {
    pub(super) stem: Conv2d,
    pub(super) blocks: Vec<Vec<Conv2d>>,
    pub(super) attention: Vec<Conv2d>,
    pub(super) fusion: Vec<Conv2d>,
    pub(super) squeeze: Conv2d,
    pub(super) fc: Linear,
    #[module(skip)]
    pub(super) config: GsnConfig,
}

impl FusedGsn {
    /// The configuration the network was made from.
    pub fn config(&self) -> &GsnConfig {
        &self.config
    }

    /// What the score means.
    pub fn score_spec(&self) -> ScoreSpec {
        self.config.score_spec()
    }

    /// The device that holds the weights.
    pub fn device(&self) -> Device {
        self.fc.weight.device()
    }

    /// The attended maps of images at each level, before they are resized to the grid.
    ///
    /// # Shapes
    /// - `images`: `[n, 3, height, width]`, RGB in `[0, 1]`
    /// - returns `[n, channels, height / 2, width / 2]`, then half of that each time, rounded up
    pub fn level_maps(&self, images: Tensor<4>) -> Vec<Tensor<4>> {
        graph::level_maps(self, images)
    }

    /// Scores of pairs.
    ///
    /// # Shapes
    /// - both: `[n, 3, height, width]`, RGB in `[0, 1]`; meant for the side of the crops
    /// - returns `[n]`
    ///
    /// # Panics
    /// When the shapes are others.
    pub fn forward(&self, distorted: Tensor<4>, reference: Tensor<4>) -> Tensor<1> {
        graph::pair_scores(self, distorted, reference)
    }
}

impl Layers for FusedGsn {
    fn config(&self) -> &GsnConfig {
        &self.config
    }

    fn stem(&self, x: Tensor<4>) -> Tensor<4> {
        self.stem.forward_relu(x)
    }

    fn block(&self, level: usize, x: Tensor<4>) -> Tensor<4> {
        self.blocks[level].iter().fold(x, |x, conv| conv.forward_relu(x))
    }

    fn attention(&self, level: usize) -> &Conv2d {
        &self.attention[level]
    }

    fn fusion(&self, level: usize, x: Tensor<4>) -> Tensor<4> {
        self.fusion[level].forward_relu(x)
    }

    fn squeeze(&self, x: Tensor<4>) -> Tensor<4> {
        self.squeeze.forward(x)
    }

    fn fc(&self) -> &Linear {
        &self.fc
    }
}
