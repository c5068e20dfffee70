//! EfficientNet-Lite0: its authors' EfficientNet without squeeze-and-excitation and with ReLU6, in the arrangement of the
//! package `efficientnet_lite_pytorch`, padded as in TensorFlow.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use iqa_kernels::{channels_first, channels_last};
use iqa_nn::Statistics;

use crate::config::Plan;
use crate::layers::ConvNorm;
use crate::{BackboneConfig, FeatureExtractor, FeatureInfo};

const EPSILON: f64 = 1e-3;
/// Channels of the first convolution.
const STEM: usize = 32;
/// Stages: how many times wider a block is in its middle, side of its kernel, stride of the first block, channels, blocks.
const STAGES: [[usize; 5]; 7] = [
    [1, 3, 1, 16, 1],
    [6, 3, 2, 24, 2],
    [6, 5, 2, 40, 2],
    [6, 3, 2, 80, 3],
    [6, 5, 1, 112, 3],
    [6, 5, 2, 192, 4],
    [6, 3, 1, 320, 1],
];

/// A block of the full width.
#[derive(Clone, Copy)]
struct Shape {
    expansion: usize,
    kernel: usize,
    stride: usize,
    channels: usize,
}

fn shapes() -> impl Iterator<Item = Shape> {
    STAGES.into_iter().flat_map(|[expansion, kernel, stride, channels, blocks]| {
        (0..blocks).map(move |block| Shape {
            expansion,
            kernel,
            stride: if block == 0 { stride } else { 1 },
            channels,
        })
    })
}

pub(crate) fn layers() -> Vec<FeatureInfo> {
    let mut reduction = 2;
    let layer = |(index, shape): (usize, Shape)| {
        reduction *= shape.stride;
        FeatureInfo { name: format!("blocks.{index}"), channels: shape.channels, reduction }
    };
    shapes().enumerate().map(layer).collect()
}

/// An inverted residual: wider, each channel by itself, narrow again.
#[derive(Module, Debug)]
struct Block {
    expand: Option<ConvNorm>,
    depthwise: ConvNorm,
    project: ConvNorm,
    residual: bool,
}

impl Block {
    fn new(into: usize, out: usize, shape: Shape, device: &Device) -> Self {
        let Shape { expansion, kernel, stride, .. } = shape;
        let wide = into * expansion;
        let unit = |channels, kernel, stride, groups| {
            ConvNorm::same(channels, kernel, stride, groups, EPSILON, device)
        };
        Self {
            expand: (expansion > 1).then(|| unit([into, wide], 1, 1, 1)),
            depthwise: unit([wide, wide], kernel, stride, wide),
            project: unit([wide, out], 1, 1, 1),
            residual: stride == 1 && into == out,
        }
    }

    /// The ReLU before the middle convolution ends at 6 there.
    fn forward(&self, x: Tensor<4>, statistics: Statistics) -> Tensor<4> {
        let wide = match &self.expand {
            Some(expand) => expand.forward_relu(x.clone(), statistics),
            None => x.clone(),
        };
        let y = self.project.forward(self.depthwise.between_relu6(wide, statistics), statistics);
        if self.residual { channels_first(channels_last(y) + channels_last(x)) } else { y }
    }

    fn fuse(self) -> Self {
        Self {
            expand: self.expand.map(ConvNorm::fuse),
            depthwise: self.depthwise.fuse(),
            project: self.project.fuse(),
            ..self
        }
    }
}

/// EfficientNet-Lite0, cut off behind the deepest tap. Create it with [`BackboneConfig`].
#[derive(Module, Debug)]
pub struct EfficientNet {
    stem: ConvNorm,
    blocks: Vec<Block>,
    #[module(skip)]
    pub(crate) plan: Plan,
    #[module(skip)]
    pub(crate) config: BackboneConfig,
}

impl EfficientNet {
    pub(crate) fn new(config: &BackboneConfig, plan: Plan, device: &Device) -> Self {
        let stem = STEM / config.width_divisor;
        let mut into = stem;
        let blocks = shapes().zip(&plan.layers).map(|(shape, layer)| {
            Block::new(std::mem::replace(&mut into, layer.channels), layer.channels, shape, device)
        });
        let blocks = blocks.collect();
        let stem = ConvNorm::same([3, stem], 3, 2, 1, EPSILON, device);
        Self { stem, blocks, plan, config: config.clone() }
    }

    pub(crate) fn is_fused(&self) -> bool {
        self.stem.is_fused()
    }

    pub(crate) fn device(&self) -> Device {
        self.stem.device()
    }
}

impl FeatureExtractor for EfficientNet {
    fn feature_info(&self) -> Vec<FeatureInfo> {
        self.plan.feature_info()
    }

    fn features_by(&self, images: Tensor<4>, statistics: Statistics) -> Vec<Tensor<4>> {
        let mut x = self.stem.forward_relu(images, statistics);
        let mut features = Vec::new();
        for (block, tapped) in self.blocks.iter().zip(&self.plan.tapped) {
            x = block.forward(x, statistics);
            if *tapped {
                features.push(x.clone());
            }
        }
        features
    }

    fn fuse(self) -> Self {
        let blocks = self.blocks.into_iter().map(Block::fuse).collect();
        Self { stem: self.stem.fuse(), blocks, ..self }
    }
}

/// `(path in the module, published names of convolution and batch norm)` of every unit.
pub(crate) fn units(plan: &Plan) -> Vec<(String, [String; 2])> {
    let mut units = vec![("stem".to_owned(), ["_conv_stem".to_owned(), "_bn0".to_owned()])];
    for (index, (shape, _)) in shapes().zip(&plan.layers).enumerate() {
        let parts = [
            ("expand", "_expand_conv", 0),
            ("depthwise", "_depthwise_conv", 1),
            ("project", "_project_conv", 2),
        ];
        for (path, conv, norm) in parts.into_iter().skip(usize::from(shape.expansion == 1)) {
            let names = [format!("_blocks.{index}.{conv}"), format!("_blocks.{index}._bn{norm}")];
            units.push((format!("blocks.{index}.{path}"), names));
        }
    }
    units
}
