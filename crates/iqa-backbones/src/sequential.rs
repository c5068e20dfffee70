//! Networks whose layers come one after another: VGG16 and VGG19 without batch norm (torchvision's `vgg.py`), and AlexNet
//! (`alexnet.py`, Krizhevsky's network of 2014 on one GPU).

use burn::module::Module;
use burn::nn::Initializer;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use iqa_kernels::{Conv2d, max_pool};
use iqa_nn::Statistics;

use crate::config::Plan;
use crate::layers::{Geometry, conv, kaiming_fan_out};
use crate::{Architecture, BackboneConfig, FeatureExtractor, FeatureInfo};

/// A layer of torchvision's `features`, which numbers each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layer {
    Conv(Geometry),
    Relu,
    Pool { side: usize, stride: usize },
}

/// The only pool that the kernels do in one pass with a convolution.
const HALVING: Layer = Layer::Pool { side: 2, stride: 2 };

const fn square(kernel: usize, stride: usize, padding: usize) -> Geometry {
    Geometry { kernel: [kernel; 2], stride, padding: [padding; 2] }
}

/// Every layer with the channels of its output.
fn table(architecture: Architecture) -> Vec<(Layer, usize)> {
    let block = |channels: usize, convs: usize, geometry: Geometry, pool: Option<Layer>| {
        let convs = (0..convs).flat_map(move |_| [Layer::Conv(geometry), Layer::Relu]);
        convs.chain(pool).map(move |layer| (layer, channels))
    };
    let vgg = |convs: [usize; 5]| {
        let blocks = [64, 128, 256, 512, 512].into_iter().zip(convs);
        blocks.flat_map(|(channels, convs)| block(channels, convs, square(3, 1, 1), Some(HALVING))).collect()
    };
    match architecture {
        Architecture::Vgg16 => vgg([2, 2, 3, 3, 3]),
        Architecture::Vgg19 => vgg([2, 2, 4, 4, 4]),
        Architecture::AlexNet => {
            let pool = Some(Layer::Pool { side: 3, stride: 2 });
            let blocks = [
                (64, square(11, 4, 2), pool),
                (192, square(5, 1, 2), pool),
                (384, square(3, 1, 1), None),
                (256, square(3, 1, 1), None),
                (256, square(3, 1, 1), pool),
            ];
            let layers = |(channels, geometry, pool)| block(channels, 1, geometry, pool);
            blocks.into_iter().flat_map(layers).collect()
        }
        Architecture::ResNet18
        | Architecture::ResNet50
        | Architecture::InceptionV3
        | Architecture::EfficientNetLite0 => Vec::new(),
    }
}

pub(crate) fn layers(architecture: Architecture) -> Vec<FeatureInfo> {
    let mut reduction = 1;
    let info = |(index, (layer, channels))| {
        reduction *= match layer {
            Layer::Conv(Geometry { stride, .. }) | Layer::Pool { stride, .. } => stride,
            Layer::Relu => 1,
        };
        FeatureInfo { name: format!("features.{index}"), channels, reduction }
    };
    table(architecture).into_iter().enumerate().map(info).collect()
}

/// Width and height of the smallest image that still gives one pixel at that layer: backwards through what comes before.
pub(crate) fn minimum_size(architecture: Architecture, name: &str) -> usize {
    let index = layers(architecture).iter().position(|layer| layer.name == name).unwrap_or(0);
    table(architecture)[..=index].iter().rev().fold(1, |least, (layer, _)| match *layer {
        Layer::Conv(Geometry { kernel: [kernel, _], stride, padding: [padding, _] }) => {
            ((least - 1) * stride + kernel).saturating_sub(2 * padding).max(1)
        }
        Layer::Relu => least,
        Layer::Pool { side, stride } => (least - 1) * stride + side,
    })
}

/// VGG16, VGG19 or AlexNet, cut off behind the deepest tap. Create it with [`BackboneConfig`].
#[derive(Module, Debug)]
pub struct Sequential {
    convs: Vec<Conv2d>,
    #[module(skip)]
    kinds: Vec<Layer>,
    #[module(skip)]
    pub(crate) plan: Plan,
    #[module(skip)]
    pub(crate) config: BackboneConfig,
}

impl Sequential {
    pub(crate) fn new(config: &BackboneConfig, plan: Plan, device: &Device) -> Self {
        let kinds: Vec<_> = table(config.architecture).into_iter().map(|(kind, _)| kind).collect();
        let kinds = kinds[..plan.layers.len()].to_vec();
        let mut channels = 3;
        let mut convs = Vec::new();
        for (kind, layer) in kinds.iter().zip(&plan.layers) {
            let Layer::Conv(geometry) = *kind else { continue };
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
}

impl FeatureExtractor for Sequential {
    fn feature_info(&self) -> Vec<FeatureInfo> {
        self.plan.feature_info()
    }

    /// As many layers at once as lie between two taps: convolution, ReLU and pool are one pass of the kernels.
    fn features_by(&self, mut x: Tensor<4>, _: Statistics) -> Vec<Tensor<4>> {
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
                Layer::Conv(_) => {
                    let Some(conv) = convs.next() else { break };
                    if !follows(1, Layer::Relu) {
                        (conv.forward(x), 1)
                    } else if follows(2, HALVING) {
                        (conv.forward_relu_max_pool2(x), 3)
                    } else {
                        (conv.forward_relu(x), 2)
                    }
                }
                Layer::Relu => (relu(x), 1),
                Layer::Pool { side, stride } => (max_pool(x, side, stride, 0), 1),
            };
            next += done;
            if self.plan.tapped[next - 1] {
                features.push(x.clone());
            }
        }
        features
    }

    fn fuse(self) -> Self {
        self
    }
}

/// `(path in the module, torchvision's name)` of every parameter.
pub(crate) fn names(architecture: Architecture, plan: &Plan) -> Vec<(String, String)> {
    let layers = table(architecture).into_iter().zip(&plan.layers);
    let convs = layers.filter(|((kind, _), _)| matches!(kind, Layer::Conv(_)));
    convs
        .enumerate()
        .flat_map(|(index, (_, layer))| {
            ["weight", "bias"].map(|parameter| {
                (format!("convs.{index}.{parameter}"), format!("{}.{parameter}", layer.name))
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 63 is torchvision's `min_size` of the whole network (`AlexNet_Weights`).
    #[test]
    fn the_smallest_image_gives_one_pixel() {
        let minimum = |name| minimum_size(Architecture::AlexNet, name);
        assert_eq!(minimum("features.12"), 63);
        assert_eq!(minimum("features.11"), 31);
        assert_eq!(minimum("features.1"), 7);
    }
}
