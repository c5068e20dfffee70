//! `l_v`: the difference of features in a VGG that stays as it is.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use iqa_backbones::{Architecture, Backbone, BackboneConfig, FeatureExtractor};
use iqa_heads::HeadError;
use iqa_heads::hiqa::to_unit;

use super::losses::{Reduction, feature_loss};
use super::recipe::Perceptual;
use crate::TrainError;

/// A VGG cut off behind the deepest of the layers compared.
#[derive(Clone, Debug)]
pub(super) struct VggLoss(Backbone);

impl VggLoss {
    /// The network of the recipe; `None` where it has none.
    pub(super) fn load(perceptual: &Perceptual, device: &Device) -> Result<Option<Self>, TrainError> {
        let (architecture, weights, layers) = match perceptual {
            Perceptual::None => return Ok(None),
            Perceptual::Vgg16 { weights, layers } => (Architecture::Vgg16, weights, layers),
            Perceptual::Vgg19 { weights, layers } => (Architecture::Vgg19, weights, layers),
        };
        let taps = layers.iter().map(|layer| format!("features.{layer}")).collect();
        let config = BackboneConfig::new(architecture, taps);
        let network = Backbone::load(weights, &config, device).map_err(HeadError::from)?;
        Ok(Some(Self(network.no_grad())))
    }

    /// `l_v` of images in `[-1, 1]`, the mean over the layers.
    pub(super) fn loss(&self, image: Tensor<4>, reference: Tensor<4>, reduction: Reduction) -> Tensor<1> {
        let features = |images| {
            let normalisation = self.0.config().architecture.normalisation();
            self.0.forward_features(normalisation.apply(to_unit(images)))
        };
        let (found, expected) = (features(image), features(reference));
        let count = found.len() as f64;
        let losses = found.into_iter().zip(expected);
        let losses = losses.map(|(found, expected)| feature_loss(found, expected, reduction) / count);
        Tensor::cat(losses.collect(), 0).sum()
    }
}
