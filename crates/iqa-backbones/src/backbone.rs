//! One face for all networks.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use iqa_nn::Statistics;

use crate::{BackboneConfig, EfficientNet, InceptionV3, ResNet, Sequential};

/// What a tapped layer gives (timm's `feature_info`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeatureInfo {
    /// Name of the layer ([`Architecture::layers`](crate::Architecture::layers)).
    pub name: String,
    /// Channels of its output.
    pub channels: usize,
    /// How many times smaller than the image its output is, each way; about so for Inception, whose first layers are
    /// not padded.
    pub reduction: usize,
}

/// A network that gives the outputs of some of its layers.
pub trait FeatureExtractor: Module {
    /// Name, channels and reduction of the features, in the order in which they come.
    fn feature_info(&self) -> Vec<FeatureInfo>;

    /// The outputs of the tapped layers, batch norm by the statistics asked for.
    ///
    /// # Shapes
    /// - `images`: `[n, 3, height, width]`, normalised
    /// - returns one `[n, channels, about height / reduction, about width / reduction]` a tap
    ///
    /// # Panics
    /// When the images do not have three channels, or are smaller than [`BackboneConfig::minimum_size`].
    fn features_by(&self, images: Tensor<4>, statistics: Statistics) -> Vec<Tensor<4>>;

    /// [`Self::features_by`] running statistics: the same on every device, and differentiable on an autodiff one.
    ///
    /// # Panics
    /// As [`Self::features_by`].
    fn forward_features(&self, images: Tensor<4>) -> Vec<Tensor<4>> {
        self.features_by(images, Statistics::Running)
    }

    /// As [`Self::forward_features`], but on an autodiff device batch norm goes by the statistics of the batch, which its
    /// running ones take up.
    ///
    /// # Panics
    /// As [`Self::features_by`].
    fn forward_features_training(&self, images: Tensor<4>) -> Vec<Tensor<4>> {
        let learning = images.device().is_autodiff();
        self.features_by(images, if learning { Statistics::BatchAndTrack } else { Statistics::Running })
    }

    /// Folds batch norm by its running statistics into the convolutions before it: the same features, faster. The network
    /// can then be neither trained as before nor saved. Nothing to do for a network without batch norm.
    #[must_use]
    fn fuse(self) -> Self;
}

/// Any of the networks. Create it with [`BackboneConfig`].
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant, reason = "one value a model")]
pub enum Backbone {
    /// VGG16, VGG19 or AlexNet.
    Sequential(Sequential),
    /// ResNet18 or ResNet50.
    ResNet(ResNet),
    /// Inception-v3.
    Inception(InceptionV3),
    /// EfficientNet-Lite0.
    EfficientNet(EfficientNet),
}

impl Backbone {
    /// The configuration the network was made from.
    pub fn config(&self) -> &BackboneConfig {
        match self {
            Self::Sequential(network) => &network.config,
            Self::ResNet(network) => &network.config,
            Self::Inception(network) => &network.config,
            Self::EfficientNet(network) => &network.config,
        }
    }

    /// The device that holds the weights.
    pub fn device(&self) -> Device {
        match self {
            Self::Sequential(network) => network.device(),
            Self::ResNet(network) => network.device(),
            Self::Inception(network) => network.device(),
            Self::EfficientNet(network) => network.device(),
        }
    }

    /// Whether batch norms have been folded into the convolutions ([`FeatureExtractor::fuse`]).
    pub fn is_fused(&self) -> bool {
        match self {
            Self::Sequential(_) => false,
            Self::ResNet(network) => network.is_fused(),
            Self::Inception(network) => network.is_fused(),
            Self::EfficientNet(network) => network.is_fused(),
        }
    }
}

impl FeatureExtractor for Backbone {
    fn feature_info(&self) -> Vec<FeatureInfo> {
        match self {
            Self::Sequential(network) => network.plan.feature_info(),
            Self::ResNet(network) => network.plan.feature_info(),
            Self::Inception(network) => network.plan.feature_info(),
            Self::EfficientNet(network) => network.plan.feature_info(),
        }
    }

    fn features_by(&self, images: Tensor<4>, statistics: Statistics) -> Vec<Tensor<4>> {
        assert_eq!(images.dims()[1], 3, "images must be [n, 3, height, width]");
        match self {
            Self::Sequential(network) => network.features_by(images, statistics),
            Self::ResNet(network) => network.features_by(images, statistics),
            Self::Inception(network) => network.features_by(images, statistics),
            Self::EfficientNet(network) => network.features_by(images, statistics),
        }
    }

    fn fuse(self) -> Self {
        match self {
            Self::Sequential(network) => Self::Sequential(network),
            Self::ResNet(network) => Self::ResNet(network.fuse()),
            Self::Inception(network) => Self::Inception(network.fuse()),
            Self::EfficientNet(network) => Self::EfficientNet(network.fuse()),
        }
    }
}
