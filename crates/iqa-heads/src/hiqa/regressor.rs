//! Distorted image and discrepancy map to a score.

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use iqa_kernels::{Conv2d, channels_first, channels_last, max_pool};
use iqa_nn::Statistics;

use super::config::RegressorConfig;
use super::layers::{BasicBlock, ConvNorm, conv, convolve};

/// Stages of the body, each at half the size of the one before it.
pub const STAGES: usize = 4;
/// Blocks of a stage.
pub(super) const BLOCKS: usize = 2;

/// The hallucination-guided quality regressor. Create it with [`RegressorConfig::init`].
///
/// Source: Lin and Wang 2018, figure 2, section 3.3 and equation 11: two branches joined by a sum, the body of a
/// ResNet-18, the generator's features through a linear projection beside its own, two fully connected layers. Strides are
/// such that both kinds of features have the same size, which the paper asks for; pooling before the fully connected
/// layers and their width (512) are not given.
#[derive(Module, Debug)]
pub struct Regressor {
    distorted: Branch,
    map: Option<Branch>,
    join: ConvNorm,
    blocks: Vec<BasicBlock>,
    fusion: Option<Conv2d>,
    fc1: Linear,
    fc2: Linear,
    #[module(skip)]
    config: RegressorConfig,
}

/// What a regressor makes of a batch.
#[derive(Clone, Debug)]
pub struct Regression {
    /// The scores, `[n]`.
    pub score: Tensor<1>,
    /// Features after each of the four stages, `[n, channels, height, width]`; the last are "R_1" of the paper.
    pub stages: Vec<Tensor<4>>,
}

/// The way of one input to the sum.
#[derive(Module, Debug)]
struct Branch {
    stem: ConvNorm,
    block: BasicBlock,
}

impl Branch {
    fn new(width: usize, device: &Device) -> Self {
        Self {
            stem: ConvNorm::new([3, width], 7, 2, false, device),
            block: BasicBlock::new(width, width, 1, device),
        }
    }

    fn fuse(self) -> Self {
        Self { stem: self.stem.fuse(), block: self.block.fuse() }
    }

    fn forward(&self, x: Tensor<4>, statistics: Statistics) -> Tensor<4> {
        self.block.forward(self.stem.forward(channels_last(x), statistics), statistics)
    }
}

impl RegressorConfig {
    /// A network with random weights.
    pub fn init(&self, device: &Device) -> Regressor {
        let width = self.width;
        let deepest = width << (STAGES - 1);
        let blocks = (0..STAGES * BLOCKS).map(|index| {
            let (stage, first) = (index / BLOCKS, index % BLOCKS == 0);
            let out = width << stage;
            let down = first && stage > 0;
            BasicBlock::new(if down { out / 2 } else { out }, out, if down { 2 } else { 1 }, device)
        });
        let fused = if self.fusion.is_some() { 2 * deepest } else { deepest };
        Regressor {
            distorted: Branch::new(width, device),
            map: self.map.then(|| Branch::new(width, device)),
            join: ConvNorm::new([width, width], 3, 2, false, device),
            blocks: blocks.collect(),
            fusion: self.fusion.map(|channels| conv([channels, deepest], 1, 1, true, device)),
            fc1: LinearConfig::new(fused, self.hidden).init(device),
            fc2: LinearConfig::new(self.hidden, 1).init(device),
            config: self.clone(),
        }
    }
}

impl Regressor {
    /// The configuration the network was made from.
    pub fn config(&self) -> &RegressorConfig {
        &self.config
    }

    /// The device that holds the weights.
    pub fn device(&self) -> Device {
        self.fc1.weight.device()
    }

    /// Folds batch norm into the convolutions: the same scores by the running statistics, faster. It can then be neither trained
    /// nor saved.
    #[must_use]
    pub fn fuse(self) -> Self {
        Self {
            distorted: self.distorted.fuse(),
            map: self.map.map(Branch::fuse),
            join: self.join.fuse(),
            blocks: self.blocks.into_iter().map(BasicBlock::fuse).collect(),
            ..self
        }
    }

    pub(super) fn is_fused(&self) -> bool {
        self.join.is_fused()
    }

    /// Scores a batch.
    ///
    /// # Shapes
    /// - `distorted` and `map`: `[n, 3, height, width]`, RGB in `[-1, 1]` and its discrepancy, sides multiples of 64
    /// - `bottleneck`: `[n, channels, height / 64, width / 64]`, of the generator
    ///
    /// # Panics
    /// When an input that the configuration asks for is missing, or one that it does not know is given.
    pub fn forward(
        &self,
        distorted: Tensor<4>,
        map: Option<Tensor<4>>,
        bottleneck: Option<Tensor<4>>,
        statistics: Statistics,
    ) -> Regression {
        let mut x = self.distorted.forward(distorted, statistics);
        match (&self.map, map) {
            (Some(branch), Some(map)) => x = x + branch.forward(map, statistics),
            (None, None) => {}
            (Some(_), None) => panic!("this regressor needs a discrepancy map"),
            (None, Some(_)) => panic!("this regressor takes no discrepancy map"),
        }
        let x = channels_first(self.join.forward(x, statistics));
        let mut x = channels_last(max_pool(x, 3, 2, 1));
        let mut stages = Vec::with_capacity(STAGES);
        for stage in self.blocks.chunks(BLOCKS) {
            for block in stage {
                x = block.forward(x, statistics);
            }
            stages.push(channels_first(x.clone()));
        }
        let x = match (&self.fusion, bottleneck) {
            (Some(fusion), Some(bottleneck)) => {
                Tensor::cat(vec![convolve(fusion, channels_last(bottleneck)), x], 3)
            }
            (None, _) => x,
            (Some(_), None) => panic!("this regressor needs the generator's features"),
        };
        let [n, height, width, channels] = x.dims();
        let pooled: Tensor<3> = x.reshape([n, height * width, channels]).mean_dim(1);
        let score = self.fc2.forward(relu(self.fc1.forward(pooled.reshape([n, channels]))));
        Regression { score: score.reshape([n]), stages }
    }
}
