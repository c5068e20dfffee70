//! The networks by name.

use serde::{Deserialize, Serialize};

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
}

impl Architecture {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Vgg16, Self::Vgg19, Self::ResNet18, Self::ResNet50, Self::InceptionV3];

    /// torchvision's name: `vgg16`, `vgg19`, `resnet18`, `resnet50` or `inception_v3`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Vgg16 => "vgg16",
            Self::Vgg19 => "vgg19",
            Self::ResNet18 => "resnet18",
            Self::ResNet50 => "resnet50",
            Self::InceptionV3 => "inception_v3",
        }
    }
}

impl std::fmt::Display for Architecture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
