//! Inception-v3 (torchvision's `inception.py`): no padding in the first layers, batch norm with an epsilon of 1e-3.

mod blocks;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use iqa_kernels::{average_pool, channels_first, channels_last, max_pool};
use iqa_nn::Statistics;

use crate::config::Plan;
use crate::layers::{ConvNorm, Geometry};
use crate::{BackboneConfig, FeatureExtractor, FeatureInfo};
use blocks::{Branch, Pool, Unit, inception_a, inception_b, inception_c, inception_d, inception_e};

const EPSILON: f64 = 1e-3;
/// Deviation of the initial weights.
const INITIAL_STD: f64 = 0.1;

/// A layer, in the order of the network.
enum Layer {
    Conv(Unit),
    Pool,
    Mixed(Vec<Branch>),
}

/// A row of [`table`]: name, reduction, and the smallest side of an image that still gives one pixel.
type Row = (&'static str, usize, usize, Layer);

fn table() -> Vec<Row> {
    let conv = |out, side, stride, padding| {
        Layer::Conv(Unit { name: "", out, kernel: [side; 2], stride, padding: [padding; 2] })
    };
    vec![
        ("Conv2d_1a_3x3", 2, 3, conv(32, 3, 2, 0)),
        ("Conv2d_2a_3x3", 2, 7, conv(32, 3, 1, 0)),
        ("Conv2d_2b_3x3", 2, 7, conv(64, 3, 1, 1)),
        ("maxpool1", 4, 11, Layer::Pool),
        ("Conv2d_3b_1x1", 4, 11, conv(80, 1, 1, 0)),
        ("Conv2d_4a_3x3", 4, 19, conv(192, 3, 1, 0)),
        ("maxpool2", 8, 27, Layer::Pool),
        ("Mixed_5b", 8, 27, Layer::Mixed(inception_a(32))),
        ("Mixed_5c", 8, 27, Layer::Mixed(inception_a(64))),
        ("Mixed_5d", 8, 27, Layer::Mixed(inception_a(64))),
        ("Mixed_6a", 16, 43, Layer::Mixed(inception_b())),
        ("Mixed_6b", 16, 43, Layer::Mixed(inception_c(128))),
        ("Mixed_6c", 16, 43, Layer::Mixed(inception_c(160))),
        ("Mixed_6d", 16, 43, Layer::Mixed(inception_c(160))),
        ("Mixed_6e", 16, 43, Layer::Mixed(inception_c(192))),
        ("Mixed_7a", 32, 75, Layer::Mixed(inception_d())),
        ("Mixed_7b", 32, 75, Layer::Mixed(inception_e())),
        ("Mixed_7c", 32, 75, Layer::Mixed(inception_e())),
    ]
}

pub(crate) fn layers() -> Vec<FeatureInfo> {
    let mut channels = 3;
    let layer = |(name, reduction, _, layer): Row| {
        channels = match &layer {
            Layer::Conv(unit) => unit.out,
            Layer::Pool => channels,
            Layer::Mixed(branches) => branches.iter().map(|branch| branch.out(channels)).sum(),
        };
        FeatureInfo { name: name.into(), channels, reduction }
    };
    table().into_iter().map(layer).collect()
}

pub(crate) fn minimum_size(name: &str) -> usize {
    table().into_iter().find(|row| row.0 == name).map_or(1, |(_, _, side, _)| side)
}

/// A layer with weights, or a pool.
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant, reason = "a handful of values")]
enum Stage {
    Conv(ConvNorm),
    Mixed(Vec<MixedBranch>),
}

/// A branch of an Inception block.
#[derive(Module, Debug)]
struct MixedBranch {
    convs: Vec<ConvNorm>,
    /// Convolutions side by side behind the last of `convs`.
    split: Vec<ConvNorm>,
    #[module(skip)]
    pool: Pool,
}

impl MixedBranch {
    fn new(branch: &Branch, into: usize, divisor: usize, device: &Device) -> Self {
        let mut channels = into;
        let unit = |unit: &Unit, channels: &mut usize| {
            let into = std::mem::replace(channels, unit.out / divisor);
            conv_norm([into, *channels], unit, device)
        };
        let convs = branch.convs.iter().map(|conv| unit(conv, &mut channels)).collect();
        let split = branch.split.iter().map(|conv| unit(conv, &mut channels.clone())).collect();
        Self { convs, split, pool: branch.pool }
    }

    /// The outputs to concatenate.
    fn forward(&self, x: Tensor<4>, statistics: Statistics) -> Vec<Tensor<4>> {
        let x = match self.pool {
            Pool::None => x,
            Pool::Average => average_pool(x, 3, 1, 1),
            Pool::Max => max_pool(x, 3, 2, 0),
        };
        let x = self.convs.iter().fold(x, |x, conv| conv.forward_relu(x, statistics));
        if self.split.is_empty() {
            vec![x]
        } else {
            self.split.iter().map(|conv| conv.forward_relu(x.clone(), statistics)).collect()
        }
    }

    fn fuse(self) -> Self {
        let fused = |convs: Vec<ConvNorm>| convs.into_iter().map(ConvNorm::fuse).collect();
        Self { convs: fused(self.convs), split: fused(self.split), pool: self.pool }
    }
}

fn conv_norm(channels: [usize; 2], unit: &Unit, device: &Device) -> ConvNorm {
    let geometry = Geometry { kernel: unit.kernel, stride: unit.stride, padding: unit.padding };
    let initializer = burn::nn::Initializer::Normal { mean: 0.0, std: INITIAL_STD };
    ConvNorm::new(channels, geometry, initializer, EPSILON, device)
}

/// Inception-v3, cut off behind the deepest tap. Create it with [`BackboneConfig`].
#[derive(Module, Debug)]
pub struct InceptionV3 {
    /// Those with weights, in the order of the network.
    stages: Vec<Stage>,
    #[module(skip)]
    pub(crate) plan: Plan,
    #[module(skip)]
    pub(crate) config: BackboneConfig,
}

impl InceptionV3 {
    pub(crate) fn new(config: &BackboneConfig, plan: Plan, device: &Device) -> Self {
        let divisor = config.width_divisor;
        let mut channels = 3;
        let mut stages = Vec::new();
        for ((_, _, _, layer), info) in table().into_iter().zip(&plan.layers) {
            match layer {
                Layer::Conv(unit) => {
                    stages.push(Stage::Conv(conv_norm([channels, info.channels], &unit, device)));
                }
                Layer::Pool => {}
                Layer::Mixed(branches) => {
                    let branch = |branch| MixedBranch::new(branch, channels, divisor, device);
                    stages.push(Stage::Mixed(branches.iter().map(branch).collect()));
                }
            }
            channels = info.channels;
        }
        Self { stages, plan, config: config.clone() }
    }

    pub(crate) fn is_fused(&self) -> bool {
        self.first().is_fused()
    }

    pub(crate) fn device(&self) -> Device {
        self.first().device()
    }

    fn first(&self) -> &ConvNorm {
        match &self.stages[0] {
            Stage::Conv(conv) => conv,
            Stage::Mixed(branches) => &branches[0].convs[0],
        }
    }
}

impl FeatureExtractor for InceptionV3 {
    fn feature_info(&self) -> Vec<FeatureInfo> {
        self.plan.feature_info()
    }

    fn features_by(&self, images: Tensor<4>, statistics: Statistics) -> Vec<Tensor<4>> {
        let mut features = Vec::new();
        let mut stages = self.stages.iter();
        let mut x = images;
        for (layer, tapped) in self.plan.layers.iter().zip(&self.plan.tapped) {
            x = if layer.name.starts_with("maxpool") {
                max_pool(x, 3, 2, 0)
            } else {
                match stages.next() {
                    Some(Stage::Conv(conv)) => conv.forward_relu(x, statistics),
                    Some(Stage::Mixed(branches)) => {
                        // The branches' gradients meet here, in the order in which they lie.
                        let x = channels_last(x);
                        let outputs = branches
                            .iter()
                            .flat_map(|branch| branch.forward(channels_first(x.clone()), statistics));
                        channels_first(Tensor::cat(outputs.map(channels_last).collect(), 3))
                    }
                    None => break,
                }
            };
            if *tapped {
                features.push(x.clone());
            }
        }
        features
    }

    fn fuse(self) -> Self {
        let fuse = |stage| match stage {
            Stage::Conv(conv) => Stage::Conv(conv.fuse()),
            Stage::Mixed(branches) => Stage::Mixed(branches.into_iter().map(MixedBranch::fuse).collect()),
        };
        Self { stages: self.stages.into_iter().map(fuse).collect(), ..self }
    }
}

/// `(path in the module, torchvision's names of convolution and batch norm)` of every unit.
pub(crate) fn units(plan: &Plan) -> Vec<(String, [String; 2])> {
    let names = |name: String| [format!("{name}.conv"), format!("{name}.bn")];
    let mut units = Vec::new();
    let with_weights =
        table().into_iter().zip(&plan.layers).filter(|((_, _, _, layer), _)| !matches!(layer, Layer::Pool));
    for (stage, ((name, _, _, layer), _)) in with_weights.enumerate() {
        let path = format!("stages.{stage}");
        let Layer::Mixed(branches) = layer else {
            units.push((path, names(name.into())));
            continue;
        };
        for (index, branch) in branches.iter().enumerate() {
            for (list, convs) in [("convs", &branch.convs), ("split", &branch.split)] {
                for (conv, unit) in convs.iter().enumerate() {
                    units.push((
                        format!("{path}.{index}.{list}.{conv}"),
                        names(format!("{name}.{}", unit.name)),
                    ));
                }
            }
        }
    }
    units
}
