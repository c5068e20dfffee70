//! What the networks are built from.

use burn::module::Module;
use burn::nn::conv::Conv2dConfig;
use burn::nn::{Initializer, PaddingConfig2d};
use burn::tensor::{Device, Tensor};
use iqa_kernels::{Conv2d, add_relu};
use iqa_nn::{BatchNorm2d, Statistics};

/// Extents of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Geometry {
    pub(crate) kernel: [usize; 2],
    pub(crate) stride: usize,
    /// Rows above and below, columns left and right.
    pub(crate) padding: [usize; 2],
}

/// Normal with variance `2 / fan_out` (torchvision's `kaiming_normal_(mode="fan_out", nonlinearity="relu")`).
pub(crate) fn kaiming_fan_out() -> Initializer {
    Initializer::KaimingNormal { gain: std::f64::consts::SQRT_2, fan_out_only: true }
}

/// A convolution without bias.
pub(crate) fn conv(
    channels: [usize; 2],
    geometry: Geometry,
    initializer: Initializer,
    device: &Device,
) -> Conv2d {
    let [rows, columns] = geometry.padding;
    Conv2dConfig::new(channels, geometry.kernel)
        .with_stride([geometry.stride; 2])
        .with_padding(PaddingConfig2d::Explicit(rows, columns, rows, columns))
        .with_bias(false)
        .with_initializer(initializer)
        .init(device)
        .into()
}

/// A convolution without bias and the batch norm behind it; once fused, a convolution with bias.
#[derive(Module, Debug)]
pub(crate) struct ConvNorm {
    conv: Conv2d,
    bn: Option<BatchNorm2d>,
}

impl ConvNorm {
    pub(crate) fn new(
        channels: [usize; 2],
        geometry: Geometry,
        initializer: Initializer,
        epsilon: f64,
        device: &Device,
    ) -> Self {
        Self {
            conv: conv(channels, geometry, initializer, device),
            bn: Some(BatchNorm2d::new(channels[1], device).with_epsilon(epsilon)),
        }
    }

    /// Padded as TensorFlow's `SAME`; with `groups`, each group of channels by itself.
    pub(crate) fn same(
        channels: [usize; 2],
        kernel: usize,
        stride: usize,
        groups: usize,
        epsilon: f64,
        device: &Device,
    ) -> Self {
        let conv = Conv2dConfig::new(channels, [kernel; 2])
            .with_stride([stride; 2])
            .with_groups(groups)
            .with_padding(PaddingConfig2d::Same)
            .with_bias(false)
            .with_initializer(kaiming_fan_out())
            .init(device);
        // Linear ends of blocks, added up: in bf16 scores moved by half a hundredth, and took nine tenths of the time.
        Self {
            conv: Conv2d::from(conv).exact(),
            bn: Some(BatchNorm2d::new(channels[1], device).with_epsilon(epsilon)),
        }
    }

    pub(crate) fn is_fused(&self) -> bool {
        self.bn.is_none()
    }

    pub(crate) fn device(&self) -> Device {
        self.conv.weight.device()
    }

    pub(crate) fn forward(&self, x: Tensor<4>, statistics: Statistics) -> Tensor<4> {
        let x = self.conv.forward(x);
        match &self.bn {
            None => x,
            Some(bn) => bn.forward(x, statistics),
        }
    }

    pub(crate) fn forward_relu(&self, x: Tensor<4>, statistics: Statistics) -> Tensor<4> {
        match &self.bn {
            None => self.conv.forward_relu(x),
            Some(bn) => bn.forward_relu(self.conv.forward(x), statistics),
        }
    }

    /// The end of a residual block.
    pub(crate) fn forward_add_relu(
        &self,
        x: Tensor<4>,
        identity: Tensor<4>,
        statistics: Statistics,
    ) -> Tensor<4> {
        match &self.bn {
            None => self.conv.forward_add_relu(x, identity),
            Some(bn) => add_relu(bn.forward(self.conv.forward(x), statistics), identity),
        }
    }

    /// Between two ReLUs that end at 6.
    pub(crate) fn between_relu6(&self, x: Tensor<4>, statistics: Statistics) -> Tensor<4> {
        match &self.bn {
            None => self.conv.between_relu6(x),
            Some(_) => self.forward(x.clamp(0.0, 6.0), statistics).clamp(0.0, 6.0),
        }
    }

    /// One convolution in place of both.
    pub(crate) fn fuse(self) -> Self {
        let conv = match &self.bn {
            Some(bn) => bn.fold_into(&self.conv),
            None => self.conv,
        };
        Self { conv, bn: None }
    }
}
