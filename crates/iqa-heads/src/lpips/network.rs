//! The network.

use burn::tensor::{Device, Tensor, TensorData};
use iqa_backbones::{Architecture, Backbone, BackboneConfig, FeatureExtractor};
use iqa_nn::{NamedTensors, NnError};

use crate::HeadError;
use crate::perceptual::FeatureDistance;

/// Added to the length of a place's features (`normalize_tensor` of the package).
const EPSILON: f64 = 1e-10;

/// What the features come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LpipsTrunk {
    /// AlexNet, the authors' default.
    Alex,
    /// VGG16.
    Vgg,
}

impl LpipsTrunk {
    /// The network, tapped behind the ReLUs that the package calls `relu1` to `relu5`; `width_divisor` is 1 but in tests.
    pub fn backbone(self, width_divisor: usize) -> BackboneConfig {
        let (architecture, taps) = match self {
            Self::Alex => (Architecture::AlexNet, [1, 4, 7, 9, 11]),
            Self::Vgg => (Architecture::Vgg16, [3, 8, 15, 22, 29]),
        };
        let taps = taps.iter().map(|layer| format!("features.{layer}")).collect();
        BackboneConfig::new(architecture, taps).with_width_divisor(width_divisor)
    }
}

/// LPIPS on a trunk.
#[derive(Debug)]
pub struct Lpips {
    trunk: Backbone,
    /// `[1, channels, 1, 1]` of each tap.
    weights: Vec<Tensor<4>>,
}

impl Lpips {
    /// The weights of the channels, named as in the package (`lin0.model.1.weight`, ..., of shape `[1, channels, 1, 1]`),
    /// on a trunk that [`LpipsTrunk::backbone`] describes.
    ///
    /// # Errors
    /// [`HeadError::Nn`] for a tensor that is missing, unused or misshapen.
    pub fn new(tensors: &NamedTensors, trunk: Backbone) -> Result<Self, HeadError> {
        let name = |tap| format!("lin{tap}.model.1.weight");
        let shapes: Vec<_> = trunk
            .feature_info()
            .iter()
            .enumerate()
            .map(|(tap, info)| (name(tap), vec![1, info.channels, 1, 1]))
            .collect();
        tensors.check_shapes(&shapes)?;
        let device = trunk.device();
        let weights = shapes
            .into_iter()
            .map(|(name, shape)| Ok(tensor(&tensors.get(&name)?.values, shape, &device)))
            .collect::<Result<_, NnError>>()?;
        Ok(Self { trunk, weights })
    }
}

impl FeatureDistance for Lpips {
    /// The device that holds the weights.
    fn device(&self) -> Device {
        self.trunk.device()
    }

    /// The features of images at each tap, scaled to length one at each place.
    ///
    /// # Shapes
    /// - `images`: `[n, 3, height, width]`, RGB in `[0, 1]`
    fn features(&self, images: Tensor<4>) -> Vec<Tensor<4>> {
        // The package's scaling layer, on [-1, 1], is ImageNet's normalisation on [0, 1].
        let images = self.trunk.config().architecture.normalisation().apply(images);
        let unit = |features: Tensor<4>| {
            let length = features.clone().powi_scalar(2).sum_dim(1).sqrt();
            features / (length + EPSILON)
        };
        self.trunk.forward_features(images).into_iter().map(unit).collect()
    }

    /// The distances of images by their [`Self::features`].
    ///
    /// # Shapes
    /// - returns `[n]`
    fn distance(&self, distorted: Vec<Tensor<4>>, reference: Vec<Tensor<4>>) -> Tensor<1> {
        let taps = distorted.into_iter().zip(reference).zip(&self.weights);
        let each = taps.map(|((distorted, reference), weights)| {
            let [n, ..] = distorted.dims();
            let differences = (distorted - reference).powi_scalar(2) * weights.clone();
            differences.sum_dim(1).mean_dim(2).mean_dim(3).reshape([n, 1])
        });
        let each: Tensor<2> = Tensor::cat(each.collect(), 1);
        each.sum_dim(1).squeeze_dim(1)
    }
}

/// Values as a tensor.
pub(crate) fn tensor<const D: usize>(values: &[f32], shape: Vec<usize>, device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), device)
}
