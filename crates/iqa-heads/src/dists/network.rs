//! The network.

use burn::tensor::{Device, Tensor};
use iqa_backbones::{Architecture, Backbone, BackboneConfig, Normalisation};
use iqa_kernels::{Conv2d, average_pool};
use iqa_nn::NamedTensors;

use crate::HeadError;
use crate::lpips::tensor;
use crate::perceptual::FeatureDistance;

/// Convolutions of each block; between blocks there is a pool.
const BLOCKS: [usize; 5] = [2, 2, 3, 3, 3];
/// `c1` and `c2` of the paper's equations 5 and 6, as the package has them.
const STABILITY: f64 = 1e-6;
/// Under the root of the pool.
const POOL_STABILITY: f64 = 1e-12;

/// VGG16 up to `relu5_3`; `width_divisor` is 1 but in tests.
pub fn dists_backbone(width_divisor: usize) -> BackboneConfig {
    BackboneConfig::new(Architecture::Vgg16, vec!["features.29".into()]).with_width_divisor(width_divisor)
}

/// DISTS.
#[derive(Debug)]
pub struct Dists {
    convs: Vec<Conv2d>,
    normalisation: Normalisation,
    /// Weights of texture and structure of the image and of each block, `[1, channels, 1, 1]`; all sum to one.
    weights: Vec<[Tensor<4>; 2]>,
}

impl Dists {
    /// The weights `alpha` and `beta`, `[1, 1475, 1, 1]`, on a network that [`dists_backbone`] describes.
    ///
    /// # Errors
    /// [`HeadError::Nn`] for a tensor that is missing, unused or misshapen; [`HeadError::InvalidConfig`] for another
    /// network.
    pub fn new(tensors: &NamedTensors, trunk: &Backbone) -> Result<Self, HeadError> {
        let convs = match trunk {
            Backbone::Sequential(network) if trunk.config().architecture == Architecture::Vgg16 => {
                network.convs().to_vec()
            }
            _ => {
                let found = trunk.config().architecture.to_string();
                return Err(HeadError::InvalidConfig { field: "trunk", found, expected: "vgg16" });
            }
        };
        let mut last = 0;
        let channels: Vec<usize> = [3]
            .into_iter()
            .chain(BLOCKS.iter().map(|convs_of| {
                last += convs_of;
                convs[last - 1].weight.dims()[0]
            }))
            .collect();
        let all = channels.iter().sum();
        let names = ["alpha", "beta"];
        tensors.check_shapes(&names.map(|name| (name.to_owned(), vec![1, all, 1, 1])))?;
        let values = [&tensors.get(names[0])?.values, &tensors.get(names[1])?.values];
        let sum: f32 = values.iter().flat_map(|values| values.iter()).sum();
        let device = trunk.device();
        let mut first = 0;
        let mut weights = Vec::with_capacity(channels.len());
        for channels in channels {
            let part = |values: &[f32]| -> Tensor<4> {
                tensor(&values[first..first + channels], vec![1, channels, 1, 1], &device) / sum
            };
            weights.push([part(values[0]), part(values[1])]);
            first += channels;
        }
        Ok(Self { convs, normalisation: trunk.config().architecture.normalisation(), weights })
    }
}

impl FeatureDistance for Dists {
    /// The device that holds the weights.
    fn device(&self) -> Device {
        self.convs[0].weight.device()
    }

    /// The images and the features of each block.
    ///
    /// # Shapes
    /// - `images`: `[n, 3, height, width]`, RGB in `[0, 1]`
    fn features(&self, images: Tensor<4>) -> Vec<Tensor<4>> {
        let mut x = self.normalisation.apply(images.clone());
        let mut features = vec![images];
        let mut convs = self.convs.iter();
        for (block, &count) in BLOCKS.iter().enumerate() {
            if block > 0 {
                x = l2_pool(x);
            }
            x = convs.by_ref().take(count).fold(x, |x, conv| conv.forward_relu(x));
            features.push(x.clone());
        }
        features
    }

    /// One minus the similarity of images by their [`Self::features`].
    ///
    /// # Shapes
    /// - returns `[n]`
    ///
    /// Source: Ding et al., equations 5 to 7.
    fn distance(&self, distorted: Vec<Tensor<4>>, reference: Vec<Tensor<4>>) -> Tensor<1> {
        let pairs = distorted.into_iter().zip(reference).zip(&self.weights);
        let each = pairs.map(|((x, y), [alpha, beta])| {
            let [n, ..] = x.dims();
            let mean = |x: Tensor<4>| x.mean_dim(2).mean_dim(3);
            let (mean_x, mean_y) = (mean(x.clone()), mean(y.clone()));
            let product = mean_x.clone() * mean_y.clone();
            let squares = mean_x.clone().powi_scalar(2) + mean_y.clone().powi_scalar(2);
            let texture = (product.clone() * 2 + STABILITY) / (squares + STABILITY);
            let variance = |x: &Tensor<4>, mean_x: Tensor<4>| mean((x.clone() - mean_x).powi_scalar(2));
            let variances = variance(&x, mean_x) + variance(&y, mean_y);
            let covariance = mean(x * y) - product;
            let structure = (covariance * 2 + STABILITY) / (variances + STABILITY);
            (texture * alpha.clone() + structure * beta.clone()).sum_dim(1).reshape([n, 1])
        });
        let each: Tensor<2> = Tensor::cat(each.collect(), 1);
        each.sum_dim(1).squeeze_dim::<1>(1).neg() + 1
    }
}

/// Half the size: the root of squares under a Hann window of 3x3, `[1, 2, 1] / 4` each way, over a border of one zero.
/// That window is two means of two, one after the other.
fn l2_pool(x: Tensor<4>) -> Tensor<4> {
    let squares = average_pool(x.powi_scalar(2), 2, 1, 1);
    (average_pool(squares, 2, 2, 0) + POOL_STABILITY).sqrt()
}
