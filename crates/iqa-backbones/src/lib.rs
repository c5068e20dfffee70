//! Convolutional networks for features: VGG16, VGG19, ResNet18, ResNet50, Inception-v3 and AlexNet, as in
//! torchvision, and EfficientNet-Lite0.
//!
//! [`BackboneConfig`] says which network and which layers are wanted; the [`Backbone`] made from it is cut off behind
//! the deepest of them and gives their outputs through [`FeatureExtractor`]. Layer names, shapes for every input size,
//! and random initialisation are torchvision's, and its weight files load strictly ([`Backbone::load`]); EfficientNet-Lite0's
//! are those of the package `efficientnet_lite_pytorch`.
//!
//! | network | paper |
//! |---|---|
//! | VGG | Simonyan, Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition", ICLR 2015 |
//! | ResNet | He et al., "Deep Residual Learning for Image Recognition", CVPR 2016 |
//! | AlexNet | Krizhevsky, "One weird trick for parallelizing convolutional neural networks", 2014, arXiv:1404.5997 |
//! | EfficientNet | Tan, Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", ICML 2019; Lite0: its authors' variant for small devices, 2020 |
//! | Inception-v3 | Szegedy et al., "Rethinking the Inception Architecture for Computer Vision", CVPR 2016 |
//!
//! Images come normalised ([`Architecture::normalisation`]).
//!
//! ```
//! use burn::tensor::{Device, Tensor};
//! use iqa_backbones::{Architecture, BackboneConfig, FeatureExtractor};
//!
//! # fn example(images: Tensor<4>, device: &Device) {
//! let network = BackboneConfig::four_scales(Architecture::ResNet50).init(device).fuse();
//! let images = Architecture::ResNet50.normalisation().apply(images);
//! for (info, features) in network.feature_info().iter().zip(network.forward_features(images)) {
//!     assert_eq!(features.dims()[1], info.channels);
//! }
//! # }
//! ```

mod architecture;
mod backbone;
mod config;
mod efficientnet;
mod error;
mod inception;
mod layers;
pub mod pretrained;
mod resnet;
mod sequential;
mod weights;

pub use architecture::{Architecture, Normalisation};
pub use backbone::{Backbone, FeatureExtractor, FeatureInfo};
pub use config::BackboneConfig;
pub use efficientnet::EfficientNet;
pub use error::{BackboneError, MissingReason};
pub use inception::InceptionV3;
pub use resnet::ResNet;
pub use sequential::Sequential;
