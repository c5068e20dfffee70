//! Central difference convolution.

use burn::config::Config;
use burn::module::{Module, Param, ParamId};
use burn::nn::PaddingConfig2d;
use burn::nn::conv::Conv2dConfig;
use burn::tensor::{Device, Tensor, TensorData};
use iqa_kernels::Conv2d;

/// The paper's share of central differences.
pub const THETA: f64 = 0.7;

/// Side of the kernels.
pub(super) const KERNEL: usize = 3;

/// Configuration of [`CentralDifferenceConv2d`].
#[derive(Config, Debug)]
pub struct CentralDifferenceConv2dConfig {
    /// Channels of the input and of the output.
    pub channels: [usize; 2],
    /// Share of central differences: 0 gives the ordinary convolution.
    #[config(default = "THETA")]
    pub theta: f64,
    /// Step between outputs, in both directions.
    #[config(default = 1)]
    pub stride: usize,
}

/// A 3x3 convolution without bias, padded by 1, part of which sees differences to the pixel in its middle:
/// `y(p) = theta * sum w(n) (x(p + n) - x(p)) + (1 - theta) * sum w(n) x(p + n)`.
///
/// The sums collect into one ordinary convolution with `w'(n) = w(n) - theta * [n is the middle] * sum w`, which is what
/// runs: no second convolution, no second map. It is exact at borders too, where a missing neighbour counts as zero in
/// both sums. What is stored, decayed and trained is `w`.
///
/// Source: Cong et al. 2022, equation 1; Yu et al. 2020.
///
/// ```
/// use iqa_heads::gsn::CentralDifferenceConv2dConfig;
///
/// # fn example(device: &burn::tensor::Device, x: burn::tensor::Tensor<4>) {
/// let conv = CentralDifferenceConv2dConfig::new([3, 64]).init(device);
/// let y = conv.forward(x); // [n, 3, height, width] -> [n, 64, height, width]
/// # }
/// ```
#[derive(Module, Debug)]
pub struct CentralDifferenceConv2d {
    /// `w`, `[channels_out, channels_in, 3, 3]`
    pub weight: Param<Tensor<4>>,
    theta: f64,
    stride: usize,
}

impl CentralDifferenceConv2dConfig {
    /// A layer with random weights, uniform within `1 / sqrt(fan_in)` on both sides of zero as in PyTorch.
    ///
    /// # Panics
    /// When channels or stride are 0.
    pub fn init(&self, device: &Device) -> CentralDifferenceConv2d {
        assert!(self.stride > 0, "a stride above 0");
        let conv = Conv2dConfig::new(self.channels, [KERNEL; 2]).with_bias(false).init(device);
        CentralDifferenceConv2d { weight: conv.weight, theta: self.theta, stride: self.stride }
    }
}

impl CentralDifferenceConv2d {
    /// The convolution.
    ///
    /// The weights are folded in each call; on an autodiff device gradients go through the fold to `w`.
    ///
    /// # Shapes
    /// - `input`: `[n, channels_in, height, width]`
    /// - returns `[n, channels_out, height.div_ceil(stride), width.div_ceil(stride)]`
    ///
    /// # Panics
    /// When the channels do not match.
    pub fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        self.convolution(self.folded_weight(), None).forward(input)
    }

    /// `w'`, `[channels_out, channels_in, 3, 3]`.
    pub fn folded_weight(&self) -> Tensor<4> {
        let weight = self.weight.val();
        if self.theta == 0.0 {
            return weight;
        }
        let mut middle = [0f32; KERNEL * KERNEL];
        middle[KERNEL * KERNEL / 2] = self.theta as f32;
        let middle =
            Tensor::from_data(TensorData::new(middle.to_vec(), [1, 1, KERNEL, KERNEL]), &weight.device());
        let sums = weight.clone().sum_dim(3).sum_dim(2);
        weight - sums * middle
    }

    /// The ordinary convolution that gives `scale * y + shift`, its weights computed once.
    ///
    /// # Shapes
    /// - `scale` and `shift`: `[channels_out]`
    pub fn fold(&self, scale: Tensor<1>, shift: Tensor<1>) -> Conv2d {
        let [out, ..] = self.weight.dims();
        self.convolution(self.folded_weight() * scale.reshape([out, 1, 1, 1]), Some(shift))
    }

    fn convolution(&self, weight: Tensor<4>, bias: Option<Tensor<1>>) -> Conv2d {
        // Not `Param::from_tensor`, which would make a new leaf of the autodiff graph.
        let parameter = |tensor| Param::initialized(ParamId::new(), tensor);
        burn::nn::conv::Conv2d {
            weight: parameter(weight),
            bias: bias.map(|bias| Param::initialized(ParamId::new(), bias)),
            stride: [self.stride; 2],
            kernel_size: [KERNEL; 2],
            dilation: [1, 1],
            groups: 1,
            padding: PaddingConfig2d::Explicit(1, 1, 1, 1),
        }
        .into()
    }
}
