//! Real or hallucinated.

use burn::module::Module;
use burn::nn::PaddingConfig2d;
use burn::nn::conv::Conv2dConfig;
use burn::tensor::activation::leaky_relu;
use burn::tensor::{Device, Tensor};
use iqa_kernels::{Conv2d, channels_last};
use iqa_nn::{BatchNorm2d, Statistics};

use super::config::{DiscriminatorConfig, PATCH_MULTIPLE};
use super::layers::{conv, convolve, normalise};

/// Slope of the leaky ReLUs below zero (DCGAN).
const SLOPE: f64 = 0.2;
/// Side of the features before the last convolution, which covers them all.
const LAST: usize = 4;

/// The IQA-discriminator, which sees one image at a time. Create it with [`DiscriminatorConfig::init`].
///
/// The paper draws it as a box and cites DCGAN (Radford, Metz, Chintala 2016), whose layers it has here: 4x4 convolutions of
/// stride 2 with leaky ReLUs, normalised but for the first, down to 4x4 features and one logit.
#[derive(Module, Debug)]
pub struct Discriminator {
    convs: Vec<Conv2d>,
    /// Of all convolutions but the first.
    norms: Vec<BatchNorm2d>,
    output: Conv2d,
    #[module(skip)]
    config: DiscriminatorConfig,
}

impl DiscriminatorConfig {
    /// A network with random weights.
    ///
    /// # Panics
    /// When the width is 0 or the patch is no power of two from 64 on.
    pub fn init(&self, device: &Device) -> Discriminator {
        assert!(
            self.width > 0 && self.patch.is_power_of_two() && self.patch >= PATCH_MULTIPLE,
            "a width above 0 and a patch that is a power of two from 64 on"
        );
        let halvings = (self.patch / LAST).ilog2() as usize;
        let widths: Vec<usize> = (0..halvings).map(|layer| self.width << layer.min(3)).collect();
        let mut channels = 3;
        let mut convs = Vec::with_capacity(halvings);
        for (layer, &out) in widths.iter().enumerate() {
            convs.push(conv([channels, out], 4, 2, layer == 0, device));
            channels = out;
        }
        let output = Conv2dConfig::new([channels, 1], [LAST, LAST])
            .with_padding(PaddingConfig2d::Valid)
            .init(device)
            .into();
        Discriminator {
            convs,
            norms: widths[1..].iter().map(|&width| BatchNorm2d::new(width, device)).collect(),
            output,
            config: self.clone(),
        }
    }
}

impl Discriminator {
    /// The configuration the network was made from.
    pub fn config(&self) -> &DiscriminatorConfig {
        &self.config
    }

    /// Logits: above zero for a real image.
    ///
    /// # Shapes
    /// - `images`: `[n, 3, patch, patch]`, RGB in `[-1, 1]`
    /// - returns `[n]`
    ///
    /// # Panics
    /// For images of another size.
    pub fn forward(&self, images: Tensor<4>, statistics: Statistics) -> Tensor<1> {
        let [n, channels, height, width] = images.dims();
        let patch = self.config.patch;
        assert_eq!([channels, height, width], [3, patch, patch], "images of the discriminator's size");
        let mut x = channels_last(images);
        for (layer, conv) in self.convs.iter().enumerate() {
            x = convolve(conv, x);
            if layer > 0 {
                x = normalise(&self.norms[layer - 1], x, statistics);
            }
            x = leaky_relu(x, SLOPE);
        }
        convolve(&self.output, x).reshape([n])
    }
}
