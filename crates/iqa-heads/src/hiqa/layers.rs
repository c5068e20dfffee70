//! The layers that the networks share.
//!
//! Between these layers images are `[n, height, width, channels]`: the order in which this workspace's convolutions
//! leave their results, so that sums, ReLUs and normalisation run over memory as it lies.

use burn::module::Module;
use burn::nn::PaddingConfig2d;
use burn::nn::conv::Conv2dConfig;
use burn::tensor::{Device, Tensor};
use iqa_kernels::{Conv2d, add_relu, channels_first, channels_last, max_pool};
use iqa_nn::{BatchNorm2d, Statistics};

pub(super) fn convolve(conv: &Conv2d, x: Tensor<4>) -> Tensor<4> {
    channels_last(conv.forward(channels_first(x)))
}

pub(super) fn normalise(norm: &BatchNorm2d, x: Tensor<4>, statistics: Statistics) -> Tensor<4> {
    channels_last(norm.forward(channels_first(x), statistics))
}

/// A convolution, its normalisation, which may be folded into it, and a ReLU.
fn convolve_normed(
    conv: &Conv2d,
    norm: Option<&BatchNorm2d>,
    x: Tensor<4>,
    statistics: Statistics,
) -> Tensor<4> {
    let x = channels_first(x);
    channels_last(match norm {
        Some(norm) => norm.forward_relu(conv.forward(x), statistics),
        None => conv.forward_relu(x),
    })
}

/// A convolution with the normalisation behind it.
fn folded(conv: Conv2d, norm: Option<BatchNorm2d>) -> Conv2d {
    match norm {
        Some(norm) => norm.fold_into(&conv),
        None => conv,
    }
}

/// A convolution of a square kernel, padded so that stride 1 keeps the size (up to the last row for even kernels).
pub(super) fn conv(
    channels: [usize; 2],
    kernel: usize,
    stride: usize,
    bias: bool,
    device: &Device,
) -> Conv2d {
    let padding = (kernel - 1) / 2;
    Conv2dConfig::new(channels, [kernel, kernel])
        .with_stride([stride, stride])
        .with_padding(PaddingConfig2d::Explicit(padding, padding, padding, padding))
        .with_bias(bias)
        .init(device)
        .into()
}

/// The largest of each 2x2 square.
pub(super) fn pool2(x: Tensor<4>) -> Tensor<4> {
    channels_last(max_pool(channels_first(x), 2, 2, 0))
}

/// Each pixel four times.
pub(super) fn upsample2(x: Tensor<4>) -> Tensor<4> {
    let [n, height, width, channels] = x.dims();
    let x: Tensor<6> = x.reshape([n, height, 1, width, 1, channels]);
    x.expand([n, height, 2, width, 2, channels]).reshape([n, 2 * height, 2 * width, channels])
}

/// Convolution, batch normalisation, ReLU.
#[derive(Module, Debug)]
pub(super) struct ConvNorm {
    conv: Conv2d,
    /// `None` where it is folded into the convolution.
    norm: Option<BatchNorm2d>,
}

impl ConvNorm {
    pub(super) fn new(
        channels: [usize; 2],
        kernel: usize,
        stride: usize,
        bias: bool,
        device: &Device,
    ) -> Self {
        Self {
            conv: conv(channels, kernel, stride, bias, device),
            norm: Some(BatchNorm2d::new(channels[1], device)),
        }
    }

    pub(super) fn fuse(self) -> Self {
        Self { conv: folded(self.conv, self.norm), norm: None }
    }

    pub(super) fn is_fused(&self) -> bool {
        self.norm.is_none()
    }

    pub(super) fn forward(&self, x: Tensor<4>, statistics: Statistics) -> Tensor<4> {
        convolve_normed(&self.conv, self.norm.as_ref(), x, statistics)
    }

    pub(super) fn without_relu(&self, x: Tensor<4>, statistics: Statistics) -> Tensor<4> {
        let x = convolve(&self.conv, x);
        match &self.norm {
            Some(norm) => normalise(norm, x, statistics),
            None => x,
        }
    }
}

/// The residual unit of stacked hourglasses: normalisation and ReLU before each of three convolutions, the middle one
/// at half the width.
///
/// Source: Newell, Yang, Deng, "Stacked Hourglass Networks for Human Pose Estimation", ECCV 2016, figure 4, and its
/// public code (convolutions with bias; a 1x1 convolution of the unit's own input where the width changes).
#[derive(Module, Debug)]
pub(super) struct Residual {
    norm1: BatchNorm2d,
    conv1: Conv2d,
    /// `None` where it is folded into `conv1`.
    norm2: Option<BatchNorm2d>,
    conv2: Conv2d,
    /// `None` where it is folded into `conv2`.
    norm3: Option<BatchNorm2d>,
    conv3: Conv2d,
    project: Option<Conv2d>,
}

impl Residual {
    pub(super) fn new(channels: usize, out: usize, device: &Device) -> Self {
        let half = out / 2;
        Self {
            norm1: BatchNorm2d::new(channels, device),
            conv1: conv([channels, half], 1, 1, true, device),
            norm2: Some(BatchNorm2d::new(half, device)),
            conv2: conv([half, half], 3, 1, true, device),
            norm3: Some(BatchNorm2d::new(half, device)),
            conv3: conv([half, out], 1, 1, true, device),
            project: (channels != out).then(|| conv([channels, out], 1, 1, true, device)),
        }
    }

    pub(super) fn fuse(self) -> Self {
        Self {
            conv1: folded(self.conv1, self.norm2),
            norm2: None,
            conv2: folded(self.conv2, self.norm3),
            norm3: None,
            ..self
        }
    }

    pub(super) fn forward(&self, x: Tensor<4>, statistics: Statistics) -> Tensor<4> {
        let y = channels_last(self.norm1.forward_relu(channels_first(x.clone()), statistics));
        let y = convolve_normed(&self.conv1, self.norm2.as_ref(), y, statistics);
        let y = convolve_normed(&self.conv2, self.norm3.as_ref(), y, statistics);
        let y = convolve(&self.conv3, y);
        match &self.project {
            Some(project) => y + convolve(project, x),
            None => y + x,
        }
    }
}

/// The basic block of ResNet-18.
///
/// Source: He, Zhang, Ren, Sun, "Deep Residual Learning for Image Recognition", CVPR 2016; layout as in torchvision.
#[derive(Module, Debug)]
pub(super) struct BasicBlock {
    conv1: ConvNorm,
    conv2: ConvNorm,
    downsample: Option<ConvNorm>,
}

impl BasicBlock {
    pub(super) fn new(channels: usize, out: usize, stride: usize, device: &Device) -> Self {
        Self {
            conv1: ConvNorm::new([channels, out], 3, stride, false, device),
            conv2: ConvNorm::new([out, out], 3, 1, false, device),
            downsample: (channels != out || stride != 1)
                .then(|| ConvNorm::new([channels, out], 1, stride, false, device)),
        }
    }

    pub(super) fn fuse(self) -> Self {
        Self {
            conv1: self.conv1.fuse(),
            conv2: self.conv2.fuse(),
            downsample: self.downsample.map(ConvNorm::fuse),
        }
    }

    pub(super) fn forward(&self, x: Tensor<4>, statistics: Statistics) -> Tensor<4> {
        let y = self.conv2.without_relu(self.conv1.forward(x.clone(), statistics), statistics);
        let identity = match &self.downsample {
            Some(downsample) => downsample.without_relu(x, statistics),
            None => x,
        };
        channels_last(add_relu(channels_first(y), channels_first(identity)))
    }
}
