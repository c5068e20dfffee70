//! ResNet18 and ResNet50 (torchvision's `resnet.py`; the stride of a bottleneck on its 3x3 convolution).

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use iqa_kernels::{channels_first, channels_last, max_pool};
use iqa_nn::Statistics;

use crate::config::Plan;
use crate::layers::{ConvNorm, Geometry, kaiming_fan_out};
use crate::{Architecture, BackboneConfig, FeatureExtractor, FeatureInfo};

const EPSILON: f64 = 1e-5;
/// Channels of the first convolution and inside the blocks of the four layers.
const CHANNELS: [usize; 4] = [64, 128, 256, 512];

/// What tells the networks apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// Blocks in each layer.
    blocks: [usize; 4],
    /// Whether a block is 1x1, 3x3, 1x1 with four times the channels at its end, instead of twice 3x3.
    bottleneck: bool,
}

pub(crate) const RESNET18: Shape = Shape { blocks: [2, 2, 2, 2], bottleneck: false };
pub(crate) const RESNET50: Shape = Shape { blocks: [3, 4, 6, 3], bottleneck: true };

impl Shape {
    fn of(architecture: Architecture) -> Self {
        if architecture == Architecture::ResNet18 { RESNET18 } else { RESNET50 }
    }

    fn expansion(self) -> usize {
        if self.bottleneck { 4 } else { 1 }
    }

    /// Convolutions of a block: channels inside or at its end, and where they are strided.
    fn convs(self, into: usize, inner: usize, stride: usize) -> Vec<([usize; 2], Geometry)> {
        let square = |side: usize, stride| Geometry { kernel: [side; 2], stride, padding: [side / 2; 2] };
        if self.bottleneck {
            vec![
                ([into, inner], square(1, 1)),
                ([inner, inner], square(3, stride)),
                ([inner, 4 * inner], square(1, 1)),
            ]
        } else {
            vec![([into, inner], square(3, stride)), ([inner, inner], square(3, 1))]
        }
    }
}

pub(crate) fn layers(shape: Shape) -> Vec<FeatureInfo> {
    let layer = |name: &str, channels, reduction| FeatureInfo { name: name.into(), channels, reduction };
    let mut layers = vec![layer("relu", CHANNELS[0], 2), layer("maxpool", CHANNELS[0], 4)];
    for (index, channels) in CHANNELS.into_iter().enumerate() {
        layers.push(layer(&format!("layer{}", index + 1), channels * shape.expansion(), 4 << index));
    }
    layers
}

/// A residual block, basic or bottleneck.
#[derive(Module, Debug)]
struct Block {
    convs: Vec<ConvNorm>,
    /// Where the sum needs another number of channels or another size.
    downsample: Option<ConvNorm>,
}

impl Block {
    fn new(shape: Shape, into: usize, inner: usize, stride: usize, device: &Device) -> Self {
        let unit = |channels, geometry| ConvNorm::new(channels, geometry, kaiming_fan_out(), EPSILON, device);
        let out = inner * shape.expansion();
        let projection = Geometry { kernel: [1, 1], stride, padding: [0, 0] };
        Self {
            convs: shape.convs(into, inner, stride).into_iter().map(|(c, g)| unit(c, g)).collect(),
            downsample: (stride != 1 || into != out).then(|| unit([into, out], projection)),
        }
    }

    /// From and to `[n, height, width, channels]`: the gradients of the block and of what goes past it meet at `x`, and Burn adds
    /// them quickly in the order in which they lie.
    fn forward(&self, x: Tensor<4>, statistics: Statistics) -> Tensor<4> {
        let identity = channels_first(x.clone());
        let identity = match &self.downsample {
            Some(downsample) => downsample.forward(identity, statistics),
            None => identity,
        };
        let last = self.convs.len() - 1;
        let x = channels_first(x);
        let x = self.convs[..last].iter().fold(x, |x, conv| conv.forward_relu(x, statistics));
        channels_last(self.convs[last].forward_add_relu(x, identity, statistics))
    }

    fn fuse(self) -> Self {
        Self {
            convs: self.convs.into_iter().map(ConvNorm::fuse).collect(),
            downsample: self.downsample.map(ConvNorm::fuse),
        }
    }
}

/// ResNet18 or ResNet50, cut off behind the deepest tap. Create it with [`BackboneConfig`].
#[derive(Module, Debug)]
pub struct ResNet {
    conv1: ConvNorm,
    layers: Vec<Vec<Block>>,
    #[module(skip)]
    pub(crate) plan: Plan,
    #[module(skip)]
    pub(crate) config: BackboneConfig,
}

impl ResNet {
    pub(crate) fn new(config: &BackboneConfig, plan: Plan, device: &Device) -> Self {
        let shape = Shape::of(config.architecture);
        let first = CHANNELS[0] / config.width_divisor;
        let stem = Geometry { kernel: [7, 7], stride: 2, padding: [3, 3] };
        let mut channels = first;
        let mut layers = Vec::new();
        for (index, blocks) in shape.blocks.into_iter().enumerate() {
            if !plan.has(&format!("layer{}", index + 1)) {
                break;
            }
            let inner = CHANNELS[index] / config.width_divisor;
            let layer = (0..blocks).map(|block| {
                let stride = if index > 0 && block == 0 { 2 } else { 1 };
                let into = std::mem::replace(&mut channels, inner * shape.expansion());
                Block::new(shape, into, inner, stride, device)
            });
            layers.push(layer.collect());
        }
        Self {
            conv1: ConvNorm::new([3, first], stem, kaiming_fan_out(), EPSILON, device),
            layers,
            plan,
            config: config.clone(),
        }
    }

    pub(crate) fn is_fused(&self) -> bool {
        self.conv1.is_fused()
    }

    pub(crate) fn device(&self) -> Device {
        self.conv1.device()
    }
}

impl FeatureExtractor for ResNet {
    fn feature_info(&self) -> Vec<FeatureInfo> {
        self.plan.feature_info()
    }

    fn features_by(&self, images: Tensor<4>, statistics: Statistics) -> Vec<Tensor<4>> {
        let mut features = Vec::new();
        let mut x = images;
        for (index, tapped) in self.plan.tapped.iter().enumerate() {
            x = match index {
                0 => self.conv1.forward_relu(x, statistics),
                1 => max_pool(x, 3, 2, 1),
                _ => {
                    let blocks = self.layers[index - 2].iter();
                    channels_first(blocks.fold(channels_last(x), |x, block| block.forward(x, statistics)))
                }
            };
            if *tapped {
                features.push(x.clone());
            }
        }
        features
    }

    fn fuse(self) -> Self {
        let layers =
            self.layers.into_iter().map(|layer| layer.into_iter().map(Block::fuse).collect()).collect();
        Self { conv1: self.conv1.fuse(), layers, ..self }
    }
}

/// `(path in the module, torchvision's names of convolution and batch norm)` of every unit.
pub(crate) fn units(config: &BackboneConfig, plan: &Plan) -> Vec<(String, [String; 2])> {
    let shape = Shape::of(config.architecture);
    let mut units = vec![("conv1".to_owned(), ["conv1".to_owned(), "bn1".to_owned()])];
    for (index, blocks) in shape.blocks.into_iter().enumerate() {
        if !plan.has(&format!("layer{}", index + 1)) {
            break;
        }
        for block in 0..blocks {
            let (path, name) = (format!("layers.{index}.{block}"), format!("layer{}.{block}", index + 1));
            for conv in 0..shape.convs(1, 1, 1).len() {
                let number = conv + 1;
                units.push((
                    format!("{path}.convs.{conv}"),
                    [format!("{name}.conv{number}"), format!("{name}.bn{number}")],
                ));
            }
            if block == 0 && (index > 0 || shape.bottleneck) {
                units.push((
                    format!("{path}.downsample"),
                    [format!("{name}.downsample.0"), format!("{name}.downsample.1")],
                ));
            }
        }
    }
    units
}
