//! The networks by name, and what each does to an image first.

use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};

use crate::{FeatureInfo, efficientnet, inception, resnet, sequential};

/// A network of this crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Architecture {
    /// VGG with 13 convolutions (configuration D).
    #[serde(rename = "vgg16")]
    Vgg16,
    /// VGG with 16 convolutions (configuration E).
    #[serde(rename = "vgg19")]
    Vgg19,
    /// Residual network of basic blocks.
    #[serde(rename = "resnet18")]
    ResNet18,
    /// Residual network of bottlenecks, their stride on the 3x3 convolution (v1.5).
    #[serde(rename = "resnet50")]
    ResNet50,
    /// Inception-v3.
    #[serde(rename = "inception_v3")]
    InceptionV3,
    /// AlexNet as torchvision has it, on one GPU.
    #[serde(rename = "alexnet")]
    AlexNet,
    /// EfficientNet-Lite0: inverted residuals without attention, for small devices.
    #[serde(rename = "efficientnet_lite0")]
    EfficientNetLite0,
}

impl Architecture {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Vgg16,
        Self::Vgg19,
        Self::ResNet18,
        Self::ResNet50,
        Self::InceptionV3,
        Self::AlexNet,
        Self::EfficientNetLite0,
    ];

    /// torchvision's name: `vgg16`, `vgg19`, `resnet18`, `resnet50`, `inception_v3` or `alexnet`; `efficientnet_lite0`,
    /// which torchvision does not have.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Vgg16 => "vgg16",
            Self::Vgg19 => "vgg19",
            Self::ResNet18 => "resnet18",
            Self::ResNet50 => "resnet50",
            Self::InceptionV3 => "inception_v3",
            Self::AlexNet => "alexnet",
            Self::EfficientNetLite0 => "efficientnet_lite0",
        }
    }

    /// Every layer that can be tapped, first to last, at full width.
    ///
    /// Names are torchvision's: `features.8` (VGG: convolutions, ReLUs and pools each have a number), `relu`,
    /// `maxpool` and `layer1` (ResNet), `Conv2d_2b_3x3` and `Mixed_6e` (Inception); `blocks.4` is EfficientNet's fifth block.
    pub fn layers(self) -> Vec<FeatureInfo> {
        match self {
            Self::Vgg16 | Self::Vgg19 | Self::AlexNet => sequential::layers(self),
            Self::ResNet18 => resnet::layers(resnet::RESNET18),
            Self::ResNet50 => resnet::layers(resnet::RESNET50),
            Self::InceptionV3 => inception::layers(),
            Self::EfficientNetLite0 => efficientnet::layers(),
        }
    }

    /// The last layer of each resolution: the deepest activation before the next reduction.
    ///
    /// These are the maps that timm's `features_only` gives, under torchvision's names; VGG's also hold the last pool,
    /// behind which nothing follows.
    pub fn deepest_layers(self) -> Vec<FeatureInfo> {
        let layers = self.layers();
        let last = |index: usize| {
            layers.get(index + 1).is_none_or(|next: &FeatureInfo| next.reduction != layers[index].reduction)
        };
        (0..layers.len()).filter(|&index| last(index)).map(|index| layers[index].clone()).collect()
    }

    /// What the published weights expect of an image in `[0, 1]`.
    ///
    /// ImageNet's mean and deviation; for Inception, whose weights come from TensorFlow, one half and one half,
    /// which is torchvision's own normalisation followed by its `transform_input`; for EfficientNet-Lite 127 and 128 of 255.
    pub const fn normalisation(self) -> Normalisation {
        match self {
            Self::InceptionV3 => Normalisation { mean: [0.5; 3], std: [0.5; 3] },
            Self::EfficientNetLite0 => Normalisation { mean: [127.0 / 255.0; 3], std: [128.0 / 255.0; 3] },
            _ => Normalisation { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
        }
    }

    /// Width and height, in pixels, of the smallest image that still gives one pixel at that layer.
    pub(crate) fn minimum_size(self, layer: &FeatureInfo) -> usize {
        match self {
            Self::Vgg16 | Self::Vgg19 | Self::AlexNet => sequential::minimum_size(self, &layer.name),
            Self::ResNet18 | Self::ResNet50 => 1,
            // One pixel that has seen more than the zeros round the image.
            Self::EfficientNetLite0 => layer.reduction,
            Self::InceptionV3 => inception::minimum_size(&layer.name),
        }
    }
}

impl std::fmt::Display for Architecture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Mean and standard deviation of each channel, RGB, of images in `[0, 1]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Normalisation {
    /// Subtracted first.
    pub mean: [f32; 3],
    /// Divided by then.
    pub std: [f32; 3],
}

impl Normalisation {
    /// `(x - mean) / std`, channel by channel.
    ///
    /// # Shapes
    /// - `images`: `[n, 3, height, width]`, RGB in `[0, 1]`
    ///
    /// # Panics
    /// When the images do not have three channels.
    pub fn apply(&self, images: Tensor<4>) -> Tensor<4> {
        assert_eq!(images.dims()[1], 3, "images must be RGB");
        let channels = |values: [f32; 3]| -> Tensor<4> {
            Tensor::from_data(TensorData::new(values.to_vec(), [1, 3, 1, 1]), &images.device())
        };
        let (mean, std) = (channels(self.mean), channels(self.std));
        (images - mean) / std
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `timm.create_model(name, features_only=True).feature_info`: module, channels, reduction (timm 1.0); what timm
    /// calls `act1` in a ResNet is torchvision's `relu`.
    #[test]
    fn the_deepest_layers_are_those_of_timm() {
        let vgg16 = [
            ("features.3", 64, 1),
            ("features.8", 128, 2),
            ("features.15", 256, 4),
            ("features.22", 512, 8),
            ("features.29", 512, 16),
            ("features.30", 512, 32),
        ];
        let vgg19 = [
            ("features.3", 64, 1),
            ("features.8", 128, 2),
            ("features.17", 256, 4),
            ("features.26", 512, 8),
            ("features.35", 512, 16),
            ("features.36", 512, 32),
        ];
        let resnet18 = [
            ("relu", 64, 2),
            ("layer1", 64, 4),
            ("layer2", 128, 8),
            ("layer3", 256, 16),
            ("layer4", 512, 32),
        ];
        let resnet50 = [
            ("relu", 64, 2),
            ("layer1", 256, 4),
            ("layer2", 512, 8),
            ("layer3", 1024, 16),
            ("layer4", 2048, 32),
        ];
        let inception = [
            ("Conv2d_2b_3x3", 64, 2),
            ("Conv2d_4a_3x3", 192, 4),
            ("Mixed_5d", 288, 8),
            ("Mixed_6e", 768, 16),
            ("Mixed_7c", 2048, 32),
        ];
        // Not in timm: by torchvision's `alexnet.py`.
        let alexnet = [
            ("features.1", 64, 4),
            ("features.4", 192, 8),
            ("features.11", 256, 16),
            ("features.12", 256, 32),
        ];
        // timm's `tf_efficientnet_lite0` numbers stages, `blocks.0`, `blocks.1`, `blocks.2`, `blocks.4`, `blocks.6`.
        let lite = [
            ("blocks.0", 16, 2),
            ("blocks.2", 24, 4),
            ("blocks.4", 40, 8),
            ("blocks.10", 112, 16),
            ("blocks.15", 320, 32),
        ];
        let expected: [&[(&str, usize, usize)]; 7] =
            [&vgg16, &vgg19, &resnet18, &resnet50, &inception, &alexnet, &lite];
        for (architecture, expected) in Architecture::ALL.into_iter().zip(expected) {
            let found = architecture.deepest_layers();
            let found: Vec<_> =
                found.iter().map(|layer| (layer.name.as_str(), layer.channels, layer.reduction)).collect();
            assert_eq!(found, expected, "{architecture}");
        }
    }
}
