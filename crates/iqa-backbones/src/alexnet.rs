//! AlexNet (torchvision's `alexnet.py`: Krizhevsky's network of 2014 on one GPU).

use burn::module::Module;
use burn::nn::Initializer;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use iqa_kernels::{Conv2d, max_pool};

use crate::config::Plan;
use crate::layers::{Geometry, conv, kaiming_fan_out};
use crate::{BackboneConfig, FeatureExtractor, FeatureInfo};

/// Output channels, kernel, stride and padding of the convolutions, and whether a pool of 3x3 with stride 2 follows the
/// ReLU.
const CONVS: [(usize, usize, usize, usize, bool); 5] = [
    (64, 11, 4, 2, true),
    (192, 5, 1, 2, true),
    (384, 3, 1, 1, false),
    (256, 3, 1, 1, false),
    (256, 3, 1, 1, true),
];

/// A layer of torchvision's `features`, which numbers each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layer {
    Conv(usize),
    Relu,
    Pool,
}

fn kinds() -> Vec<Layer> {
    let of = |(index, conv): (usize, &(usize, usize, usize, usize, bool))| {
        [Layer::Conv(index), Layer::Relu].into_iter().chain(conv.4.then_some(Layer::Pool))
    };
    CONVS.iter().enumerate().flat_map(of).collect()
}

pub(crate) fn layers() -> Vec<FeatureInfo> {
    let (mut channels, mut reduction) = (3, 1);
    let layer = |(index, kind)| {
        match kind {
            Layer::Conv(conv) => {
                channels = CONVS[conv].0;
                reduction *= CONVS[conv].2;
            }
            Layer::Relu => {}
            Layer::Pool => reduction *= 2,
        }
        FeatureInfo { name: format!("features.{index}"), channels, reduction }
    };
    kinds().into_iter().enumerate().map(layer).collect()
}

/// Width and height of the smallest image that still gives one pixel at that layer: backwards through what comes before.
pub(crate) fn minimum_size(name: &str) -> usize {
    let index = layers().iter().position(|layer| layer.name == name).unwrap_or(0);
    kinds()[..=index].iter().rev().fold(1, |least, kind| match *kind {
        Layer::Conv(conv) => {
            let (_, kernel, stride, padding, _) = CONVS[conv];
            ((least - 1) * stride + kernel).saturating_sub(2 * padding).max(1)
        }
        Layer::Relu => least,
        Layer::Pool => (least - 1) * 2 + 3,
    })
}

/// AlexNet, cut off behind the deepest tap. Create it with [`BackboneConfig`].
#[derive(Module, Debug)]
pub struct AlexNet {
    convs: Vec<Conv2d>,
    #[module(skip)]
    kinds: Vec<Layer>,
    #[module(skip)]
    pub(crate) plan: Plan,
    #[module(skip)]
    pub(crate) config: BackboneConfig,
}

impl AlexNet {
    pub(crate) fn new(config: &BackboneConfig, plan: Plan, device: &Device) -> Self {
        let mut kinds = kinds();
        kinds.truncate(plan.layers.len());
        let mut channels = 3;
        let mut convs = Vec::new();
        for (kind, layer) in kinds.iter().zip(&plan.layers) {
            let Layer::Conv(index) = *kind else { continue };
            let (_, kernel, stride, padding, _) = CONVS[index];
            let geometry = Geometry { kernel: [kernel; 2], stride, padding: [padding; 2] };
            let mut conv = conv([channels, layer.channels], geometry, kaiming_fan_out(), device);
            conv.bias = Some(Initializer::Zeros.init([layer.channels], device));
            convs.push(conv);
            channels = layer.channels;
        }
        Self { convs, kinds, plan, config: config.clone() }
    }

    pub(crate) fn device(&self) -> Device {
        self.convs[0].weight.device()
    }

    pub(crate) fn features(&self, mut x: Tensor<4>) -> Vec<Tensor<4>> {
        let mut features = Vec::new();
        for (kind, &tapped) in self.kinds.iter().zip(&self.plan.tapped) {
            x = match *kind {
                Layer::Conv(index) => self.convs[index].forward(x),
                Layer::Relu => relu(x),
                Layer::Pool => max_pool(x, 3, 2, 0),
            };
            if tapped {
                features.push(x.clone());
            }
        }
        features
    }
}

impl FeatureExtractor for AlexNet {
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
pub(crate) fn names(plan: &Plan) -> Vec<(String, String)> {
    let convs = kinds().into_iter().zip(&plan.layers).filter(|(kind, _)| matches!(kind, Layer::Conv(_)));
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
        assert_eq!(minimum_size("features.12"), 63);
        assert_eq!(minimum_size("features.11"), 31);
        assert_eq!(minimum_size("features.1"), 7);
    }
}
