//! The network to train.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor, TensorData};
use iqa_core::ScoreSpec;
use iqa_kernels::Conv2d;
use iqa_nn::{BatchNorm2d, Statistics};

use super::cdc::CentralDifferenceConv2d;
use super::config::GsnConfig;
use super::fused::FusedGsn;
use super::graph::{self, Layers};

/// The network with its parameters as they are trained. Create it with [`GsnConfig`]; score with what [`Self::fuse`]
/// gives.
///
/// Source: Cong et al. 2022, table 1 and figure 2.
#[derive(Module, Debug)]
pub struct Gsn {
    pub(super) stem: NormedConv,
    pub(super) blocks: Vec<Vec<NormedConv>>,
    pub(super) attention: Vec<Conv2d>,
    pub(super) fusion: Vec<NormedConv>,
    pub(super) squeeze: CentralDifferenceConv2d,
    pub(super) fc: Linear,
    #[module(skip)]
    pub(super) config: GsnConfig,
}

/// Central difference convolution, batch norm, ReLU.
#[derive(Module, Debug)]
pub(super) struct NormedConv {
    conv: CentralDifferenceConv2d,
    norm: BatchNorm2d,
}

impl NormedConv {
    pub(super) fn new(conv: CentralDifferenceConv2d, channels: usize, device: &Device) -> Self {
        Self { conv, norm: BatchNorm2d::new(channels, device) }
    }

    fn forward_training(&self, x: Tensor<4>) -> Tensor<4> {
        self.norm.forward_relu(self.conv.forward(x), Statistics::BatchAndTrack)
    }

    /// Both in one convolution, by the running statistics; the ReLU is left to the caller.
    fn fuse(&self) -> Conv2d {
        let (scale, shift) = self.norm.affine();
        self.conv.fold(scale, shift)
    }
}

/// A new value of a parameter, which learns where parameters do.
fn learned<const D: usize>(value: Tensor<D>) -> Tensor<D> {
    if value.device().is_autodiff() { value.require_grad() } else { value }
}

impl Gsn {
    /// With a last layer that starts as the mean of the places of its map. Centralised gradients hardly move the mean of its
    /// weights, which random ones leave anywhere about zero: the score of such a network says where something is before it says how
    /// much there is of it.
    #[must_use]
    pub fn with_mean_head(mut self) -> Self {
        self.fc.weight = self.fc.weight.map(|weight| {
            let places = weight.dims()[0] as f64;
            learned(weight.full_like(1.0 / places))
        });
        self
    }

    /// The offset of the scores is such that those of these pairs are `mean` on average, for instance the mean of their labels.
    /// Running statistics take the pairs up, as in a step.
    ///
    /// # Shapes
    /// As of [`Self::forward_training`].
    ///
    /// # Panics
    /// As [`Self::forward_training`].
    #[must_use]
    pub fn with_mean(mut self, mean: f64, distorted: Tensor<4>, reference: Tensor<4>) -> Self {
        let off = mean - self.forward_training(distorted, reference).mean().into_scalar::<f64>();
        let moved = |bias: Tensor<1>| learned(bias.full_like(bias.clone().into_scalar::<f64>() + off));
        self.fc.bias = self.fc.bias.map(|bias| bias.map(moved));
        self
    }

    /// The same network on crops of another side and a grid of another: each place of the new grid has the weight that the old one
    /// has there, and all weights add up to what they did. A map that is the same everywhere gives the score that it gave.
    #[must_use]
    pub fn on_crops(mut self, crop: usize, grid: usize) -> Self {
        let before = self.config.grid;
        self.config = GsnConfig { crop, grid, ..self.config };
        let at = |index: usize| (2 * index + 1) * before / (2 * grid);
        self.fc.weight = self.fc.weight.map(|weight| {
            let old: Vec<f64> = weight.to_data().iter().collect();
            let places = (grid * grid) as f64;
            let share = (before * before) as f64 / places;
            let picked = (0..grid * grid).map(|at_new| (at(at_new / grid), at(at_new % grid)));
            let mut new: Vec<f64> = picked.map(|(y, x)| share * old[y * before + x]).collect();
            // Where a grid is no multiple of the other, some places count more often than others.
            let missing = (old.iter().sum::<f64>() - new.iter().sum::<f64>()) / places;
            new.iter_mut().for_each(|weight| *weight += missing);
            let data = TensorData::new(new, [grid * grid, 1]);
            learned(Tensor::from_data(data, &weight.device()))
        });
        self
    }

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

    /// Scores of pairs, normalised by the statistics of the batch, which the running ones take up.
    ///
    /// # Shapes
    /// - both: `[n, 3, height, width]`, RGB in `[0, 1]`, of the side of the crops
    /// - returns `[n]`
    ///
    /// # Panics
    /// When the shapes are others.
    pub fn forward_training(&self, distorted: Tensor<4>, reference: Tensor<4>) -> Tensor<1> {
        graph::pair_scores(self, distorted, reference)
    }

    /// The network that scores: the weights as they are now, each convolution in one with its central difference and
    /// its batch norm, by the running statistics.
    pub fn fuse(&self) -> FusedGsn {
        let fuse = |convs: &Vec<NormedConv>| convs.iter().map(NormedConv::fuse).collect();
        let zeros = Tensor::zeros([1], &self.device());
        FusedGsn {
            stem: self.stem.fuse(),
            blocks: self.blocks.iter().map(fuse).collect(),
            attention: self.attention.clone(),
            fusion: fuse(&self.fusion),
            squeeze: self.squeeze.fold(zeros.ones_like(), zeros),
            fc: self.fc.clone(),
            config: self.config.clone(),
        }
    }
}

/// In training mode.
impl Layers for Gsn {
    fn config(&self) -> &GsnConfig {
        &self.config
    }

    fn stem(&self, x: Tensor<4>) -> Tensor<4> {
        self.stem.forward_training(x)
    }

    fn block(&self, level: usize, x: Tensor<4>) -> Tensor<4> {
        self.blocks[level].iter().fold(x, |x, conv| conv.forward_training(x))
    }

    fn attention(&self, level: usize) -> &Conv2d {
        &self.attention[level]
    }

    fn fusion(&self, level: usize, x: Tensor<4>) -> Tensor<4> {
        self.fusion[level].forward_training(x)
    }

    fn squeeze(&self, x: Tensor<4>) -> Tensor<4> {
        self.squeeze.forward(x)
    }

    fn fc(&self) -> &Linear {
        &self.fc
    }
}
