//! Convolutional networks for features: VGG16, VGG19, ResNet18, ResNet50 and Inception-v3, as in torchvision.

mod architecture;
mod error;

pub use architecture::Architecture;
pub use error::BackboneError;
