//! VGG16 and VGG19 (torchvision's `vgg.py`, without batch norm).

use burn::module::Module;
use burn::nn::Initializer;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use iqa_kernels::{Conv2d, max_pool};

use crate::config::Plan;
use crate::layers::{Geometry, conv, kaiming_fan_out};
use crate::{Architecture, BackboneConfig, FeatureExtractor, FeatureInfo};

/// Convolutions in each of the five blocks.
pub(crate) const VGG16: [usize; 5] = [2, 2, 3, 3, 3];
pub(crate) const VGG19: [usize; 5] = [2, 2, 4, 4, 4];

/// Channels of the blocks.
const CHANNELS: [usize; 5] = [64, 128, 256, 512, 512];

/// A layer of torchvision's `features`, which numbers each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layer {
    Conv,
    Relu,
    Pool,
}

/// The kinds of the layers with the block they end or lie in.
fn kinds(convs: [usize; 5]) -> Vec<(Layer, usize)> {
    let block = |(block, convs): (usize, usize)| {
        let convs = (0..convs).flat_map(move |_| [(Layer::Conv, block), (Layer::Relu, block)]);
        convs.chain([(Layer::Pool, block)])
    };
    convs.into_iter().enumerate().flat_map(block).collect()
}

pub(crate) fn layers(convs: [usize; 5]) -> Vec<FeatureInfo> {
    let layer = |(index, (kind, block)): (usize, (Layer, usize))| FeatureInfo {
        name: format!("features.{index}"),
        channels: CHANNELS[block],
        reduction: 1 << (block + usize::from(kind == Layer::Pool)),
    };
    kinds(convs).into_iter().enumerate().map(layer).collect()
}

fn convs_of(architecture: Architecture) -> [usize; 5] {
    if architecture == Architecture::Vgg19 { VGG19 } else { VGG16 }
}

/// VGG16 or VGG19, cut off behind the deepest tap. Create it with [`BackboneConfig`].
#[derive(Module, Debug)]
pub struct Vgg {
    convs: Vec<Conv2d>,
    #[module(skip)]
    kinds: Vec<Layer>,
    #[module(skip)]
    pub(crate) plan: Plan,
    #[module(skip)]
    pub(crate) config: BackboneConfig,
}

impl Vgg {
    pub(crate) fn new(config: &BackboneConfig, plan: Plan, device: &Device) -> Self {
        let mut kinds: Vec<_> =
            kinds(convs_of(config.architecture)).into_iter().map(|(kind, _)| kind).collect();
        kinds.truncate(plan.layers.len());
        let geometry = Geometry { kernel: [3, 3], stride: 1, padding: [1, 1] };
        let mut channels = 3;
        let mut convs = Vec::new();
        for (_, layer) in kinds.iter().zip(&plan.layers).filter(|(kind, _)| **kind == Layer::Conv) {
            let mut conv = conv([channels, layer.channels], geometry, kaiming_fan_out(), device);
            conv.bias = Some(Initializer::Zeros.init([layer.channels], device));
            convs.push(conv);
            channels = layer.channels;
        }
        Self { convs, kinds, plan, config: config.clone() }
    }

    /// The convolutions, first to last: for networks that put something else between them.
    pub fn convs(&self) -> &[Conv2d] {
        &self.convs
    }

    pub(crate) fn device(&self) -> Device {
        self.convs[0].weight.device()
    }

    /// As many layers at once as lie between two taps: convolution, ReLU and pool are one pass of the kernels.
    pub(crate) fn features(&self, mut x: Tensor<4>) -> Vec<Tensor<4>> {
        let mut features = Vec::new();
        let mut convs = self.convs.iter();
        let mut next = 0;
        while let Some(&kind) = self.kinds.get(next) {
            // Whether a layer is of that kind and nothing before it is tapped.
            let follows = |ahead: usize, kind| {
                self.kinds.get(next + ahead) == Some(&kind) && !self.plan.tapped[next + ahead - 1]
            };
            let done;
            (x, done) = match kind {
                Layer::Conv => {
                    let Some(conv) = convs.next() else { break };
                    if !follows(1, Layer::Relu) {
                        (conv.forward(x), 1)
                    } else if follows(2, Layer::Pool) {
                        (conv.forward_relu_max_pool2(x), 3)
                    } else {
                        (conv.forward_relu(x), 2)
                    }
                }
                Layer::Relu => (relu(x), 1),
                Layer::Pool => (max_pool(x, 2, 2, 0), 1),
            };
            next += done;
            if self.plan.tapped[next - 1] {
                features.push(x.clone());
            }
        }
        features
    }
}

impl FeatureExtractor for Vgg {
    fn feature_info(&self) -> Vec<FeatureInfo> {
        self.plan.feature_info()
    }

    fn forward_features(&self, images: Tensor<4>) -> Vec<Tensor<4>> {
        self.features(images)
    }

    fn forward_features_training(&self, images: Tensor<4>) -> Vec<Tensor<4>> {
        self.features(images)
    }

    fn fuse(self) -> Self {
        self
    }
}

/// `(path in the module, torchvision's name)` of every parameter.
pub(crate) fn names(config: &BackboneConfig, plan: &Plan) -> Vec<(String, String)> {
    let kinds = kinds(convs_of(config.architecture));
    let convs = kinds.iter().zip(&plan.layers).filter(|((kind, _), _)| *kind == Layer::Conv);
    convs
        .enumerate()
        .flat_map(|(index, (_, layer))| {
            ["weight", "bias"].map(|parameter| {
                (format!("convs.{index}.{parameter}"), format!("{}.{parameter}", layer.name))
            })
        })
        .collect()
}
