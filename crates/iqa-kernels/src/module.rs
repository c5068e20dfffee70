//! The convolution layer.

use burn::module::{Content, DisplaySettings, Module, ModuleDisplay, Param};
use burn::nn::PaddingConfig2d;
use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use burn::tensor::module::{conv2d, max_pool2d};
use burn::tensor::ops::{ConvOptions, MaxPoolOptions};

use crate::cpu::{Finish, Geometry};

/// A 2D convolution: [`burn::nn::conv::Conv2d`] with this crate's kernels behind it. The same fields, so the same
/// names in weight files.
///
/// ```
/// use burn::nn::conv::Conv2dConfig;
/// use iqa_kernels::Conv2d;
///
/// # fn example(device: &burn::tensor::Device, x: burn::tensor::Tensor<4>) {
/// let conv: Conv2d = Conv2dConfig::new([3, 32], [3, 3]).init(device).into();
/// let y = conv.forward_relu(x);
/// # }
/// ```
#[derive(Module, Debug)]
#[module(custom_display)]
pub struct Conv2d {
    /// `[channels_out, channels_in / groups, height, width]`
    pub weight: Param<Tensor<4>>,
    /// `[channels_out]`
    pub bias: Option<Param<Tensor<1>>>,
    stride: [usize; 2],
    kernel_size: [usize; 2],
    dilation: [usize; 2],
    groups: usize,
    #[module(skip)]
    padding: PaddingConfig2d,
    #[module(skip)]
    exact: bool,
    #[cfg(feature = "flex")]
    #[module(skip)]
    cache: crate::ops::WeightCache,
}

impl From<burn::nn::conv::Conv2d> for Conv2d {
    fn from(conv: burn::nn::conv::Conv2d) -> Self {
        Self {
            weight: conv.weight,
            bias: conv.bias,
            stride: conv.stride,
            kernel_size: conv.kernel_size,
            dilation: conv.dilation,
            groups: conv.groups,
            padding: conv.padding,
            exact: false,
            #[cfg(feature = "flex")]
            cache: crate::ops::WeightCache::default(),
        }
    }
}

impl ModuleDisplay for Conv2d {
    fn custom_settings(&self) -> Option<DisplaySettings> {
        DisplaySettings::new().with_new_line_after_attribute(false).optional()
    }

    fn custom_content(&self, content: Content) -> Option<Content> {
        let [out, into, _, _] = self.weight.dims();
        content
            .add("ch_in", &(into * self.groups))
            .add("ch_out", &out)
            .add("stride", &format!("{:?}", self.stride))
            .add("kernel_size", &format!("{:?}", self.kernel_size))
            .add("dilation", &format!("{:?}", self.dilation))
            .add("groups", &self.groups)
            .add_debug_attribute("padding", &self.padding)
            .optional()
    }
}

impl Conv2d {
    /// The convolution.
    ///
    /// # Shapes
    /// - `input`: `[n, channels_in, height, width]`
    /// - returns `[n, channels_out, height_out, width_out]`
    ///
    /// # Panics
    /// When the channels do not match, or the kernel is larger than the padded image.
    pub fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        self.run(input, Finish::default())
    }

    /// The convolution, negative values set to zero.
    ///
    /// # Panics
    /// As [`Self::forward`].
    pub fn forward_relu(&self, input: Tensor<4>) -> Tensor<4> {
        self.run(input, Finish { relu: true, ..Finish::default() })
    }

    /// [`Self::forward_relu`], then the largest of each 2x2 square with stride 2; an odd last row or column is
    /// dropped.
    ///
    /// # Panics
    /// As [`Self::forward`].
    pub fn forward_relu_max_pool2(&self, input: Tensor<4>) -> Tensor<4> {
        self.run(input, Finish { relu: true, pool: true, added: None })
    }

    /// `relu(convolution + identity)`, the end of a residual block; one pass on the `flex` backend without gradients.
    ///
    /// # Shapes
    /// - `identity`: as the result
    ///
    /// # Panics
    /// As [`Self::forward`], and when the shape of `identity` is another.
    pub fn forward_add_relu(&self, input: Tensor<4>, identity: Tensor<4>) -> Tensor<4> {
        #[cfg(feature = "flex")]
        if self.groups == 1
            && crate::ops::serves(&input)
            && crate::ops::serves(&identity)
            && !input.device().is_autodiff()
        {
            let options = self.options(&input, Finish::default());
            let [n, _, height, width] = input.dims();
            let [height, width] = options.geometry.output(height, width);
            assert_eq!(
                identity.dims(),
                [n, self.weight.dims()[0], height, width],
                "a sum of images of one shape"
            );
            let (weight, bias) = (self.weight.val(), self.bias_or_zeros());
            return crate::ops::convolve_add_relu(input, weight, bias, identity, options);
        }
        crate::add_relu(self.forward(input), identity)
    }

    #[cfg(feature = "flex")]
    fn options(&self, input: &Tensor<4>, finish: Finish<'static>) -> crate::ops::Options {
        let [_, _, height, width] = input.dims();
        let geometry = self.geometry(height, width);
        crate::ops::Options { geometry, finish, cache: self.cache.clone(), kept: true, exact: self.exact }
    }

    /// [`Self::forward`] with `weight` in place of the layer's own, for weights that are computed from others at every
    /// step: gradients flow into it.
    ///
    /// The kernels' copies of a weight are kept only while the same tensor comes again. Where the computed weight
    /// stays the same, [`Self::with_weight`] once is cheaper.
    ///
    /// # Shapes
    /// - `weight`: as the layer's own, `[channels_out, channels_in / groups, height, width]`
    ///
    /// # Panics
    /// When the shape of `weight` is another, and as [`Self::forward`].
    pub fn forward_with_weight(&self, input: Tensor<4>, weight: Tensor<4>) -> Tensor<4> {
        assert_eq!(weight.dims(), self.weight.dims(), "a weight of another shape");
        self.run_with(input, weight, Finish::default())
    }

    /// The same layer with other weights, as a layer of its own.
    ///
    /// # Panics
    /// When the shape of `weight` is another.
    #[must_use]
    pub fn with_weight(&self, weight: Tensor<4>) -> Self {
        assert_eq!(weight.dims(), self.weight.dims(), "a weight of another shape");
        Self {
            weight: Param::from_tensor(weight.detach()),
            #[cfg(feature = "flex")]
            cache: crate::ops::WeightCache::default(),
            ..self.clone()
        }
    }

    /// The same layer, whose values keep all their digits where those of others are rounded (`multiply_in_bf16`): for
    /// networks that add up what is rounded from block to block.
    #[must_use]
    pub fn exact(self) -> Self {
        Self { exact: true, ..self }
    }

    /// `relu6(convolution(relu6(input)))`, where ReLU6 is the ReLU that ends at 6: what stands in the middle of the blocks
    /// of MobileNet and its heirs. On the `flex` backend, without gradients, one pass if each channel has its own kernel.
    ///
    /// # Panics
    /// As [`Self::forward`].
    pub fn between_relu6(&self, input: Tensor<4>) -> Tensor<4> {
        #[cfg(feature = "flex")]
        {
            let [out, into, _, _] = self.weight.dims();
            let each = into == 1 && self.groups == out && input.dims()[1] == out;
            if each && crate::ops::serves(&input) && !input.device().is_autodiff() {
                let [_, _, height, width] = input.dims();
                let geometry = self.geometry(height, width);
                return crate::ops::depthwise_relu6(input, self.weight.val(), self.bias_or_zeros(), geometry);
            }
        }
        self.forward(input.clamp(0.0, 6.0)).clamp(0.0, 6.0)
    }

    /// `[channels_out]`
    #[cfg(feature = "flex")]
    fn bias_or_zeros(&self) -> Tensor<1> {
        match &self.bias {
            Some(bias) => bias.val(),
            None => Tensor::zeros([self.weight.dims()[0]], &self.weight.device()),
        }
    }

    fn run(&self, input: Tensor<4>, finish: Finish<'static>) -> Tensor<4> {
        self.run_with(input, self.weight.val(), finish)
    }

    fn run_with(&self, input: Tensor<4>, weight: Tensor<4>, finish: Finish<'static>) -> Tensor<4> {
        #[cfg(feature = "flex")]
        if self.groups == 1 && crate::ops::serves(&input) {
            let options = self.options(&input, finish);
            return crate::ops::convolve(input, weight, self.bias_or_zeros(), options);
        }
        let [_, _, height, width] = input.dims();
        let geometry = self.geometry(height, width);
        let bias = self.bias.as_ref().map(Param::val);
        let mut x = conv2d(input, weight, bias, burn_options(&geometry, self.groups));
        if finish.relu {
            x = relu(x);
        }
        if finish.pool { max_pool2d(x, MaxPoolOptions::new([2, 2])) } else { x }
    }

    fn geometry(&self, height: usize, width: usize) -> Geometry {
        // As in Burn and TensorFlow: the odd row or column of zeros goes to the end.
        let same = |axis: usize, length: usize| {
            let steps = length.div_ceil(self.stride[axis]).saturating_sub(1);
            let total = (steps * self.stride[axis] + self.kernel_size[axis]).saturating_sub(length);
            [total / 2, total - total / 2]
        };
        let [vertical, horizontal] = match self.padding {
            PaddingConfig2d::Valid => [[0; 2]; 2],
            PaddingConfig2d::Explicit(top, left, bottom, right) => [[top, bottom], [left, right]],
            PaddingConfig2d::Same => [same(0, height), same(1, width)],
        };
        Geometry {
            kernel: self.kernel_size,
            stride: self.stride,
            dilation: self.dilation,
            vertical,
            horizontal,
        }
    }
}

/// The same for Burn's own convolution.
pub(crate) fn burn_options(geometry: &Geometry, groups: usize) -> ConvOptions<2> {
    let padding = [geometry.vertical.into(), geometry.horizontal.into()];
    ConvOptions::new_with_padding(geometry.stride, padding, geometry.dilation, groups)
}
