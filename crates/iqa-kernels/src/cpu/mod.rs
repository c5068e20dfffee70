//! Convolutions of `f32` images in channels-last order, on this computer's vector units.
//!
//! Nothing here knows of tensors: images are slices `[n, height, width, channels]`, weights
//! `[out, in, kernel height, kernel width]`. Results do not depend on the number of threads, nor on how a batch
//! is divided: each output value is summed in the same order wherever it lies.

mod adam;
mod average_pool;
mod bf16;
mod buffers;
mod depthwise;
mod direct;
mod gradient;
mod input_gradient;
mod max_pool;
mod normalise;
mod pool;
mod simd;
mod weights;
mod winograd;

use rayon::prelude::*;

pub use adam::{AdamStep, AdamValues, adam};
pub use average_pool::{average_pool, average_pool_backward};
pub use bf16::Unit;
pub use buffers::{Buffer, keep_for_training};
pub use depthwise::depthwise_relu6;
pub use gradient::{bias_gradient, weight_gradient};
pub use input_gradient::input_gradient;
pub use max_pool::{Window, max_pool, max_pool_backward};
pub use normalise::{Normalisation, NormalisationGradients, channel_statistics};
pub use pool::{add_relu, max_pool2, max_pool2_backward, relu_backward};
pub use weights::{PackedWeights, Weights};
use winograd::{F2, F4, Single};

/// Sizes of a batch of images, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Images in the batch.
    pub images: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Values of a pixel.
    pub channels: usize,
}

impl Size {
    /// Values in the batch.
    pub fn values(&self) -> usize {
        self.images * self.height * self.width * self.channels
    }

    fn pixels(&self) -> usize {
        self.images * self.height * self.width
    }
}

/// What a convolution does beside its weights; `[vertical, horizontal]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Geometry {
    /// Height and width of the kernel.
    pub kernel: [usize; 2],
    /// Steps between outputs.
    pub stride: [usize; 2],
    /// Steps between the places of the kernel.
    pub dilation: [usize; 2],
    /// Rows of zeros above and below.
    pub vertical: [usize; 2],
    /// Columns of zeros to the left and right.
    pub horizontal: [usize; 2],
}

impl Geometry {
    /// Height and width of the result; zero where the kernel does not fit.
    pub fn output(&self, height: usize, width: usize) -> [usize; 2] {
        let along = |axis: usize, length: usize, padding: [usize; 2]| {
            let reach = self.dilation[axis] * (self.kernel[axis] - 1) + 1;
            (length + padding[0] + padding[1])
                .checked_sub(reach)
                .map_or(0, |rest| rest / self.stride[axis] + 1)
        };
        [along(0, height, self.vertical), along(1, width, self.horizontal)]
    }

    fn is_plain_3x3(&self) -> bool {
        self.kernel == [3, 3] && self.stride == [1, 1] && self.dilation == [1, 1]
    }
}

/// Images `[n, channels, height, width]` in channels-last order.
pub fn channels_last(x: &[f32], size: Size) -> Buffer {
    let mut result = buffers::take(size.values());
    let area = size.height * size.width;
    let image = area * size.channels;
    if image == 0 {
        return result;
    }
    // Some rows of pixels at a time, so that both sides stay in the cache.
    let step = 256;
    result.par_chunks_mut(image).zip(x.par_chunks(image)).for_each(|(result, x)| {
        for first in (0..area).step_by(step) {
            let last = area.min(first + step);
            for (channel, x) in x.chunks_exact(area).enumerate() {
                let result = result[first * size.channels..].iter_mut().skip(channel).step_by(size.channels);
                for (result, x) in result.zip(&x[first..last]) {
                    *result = *x;
                }
            }
        }
    });
    result
}

/// What follows the sum in the same pass.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Finish<'a> {
    /// Added first, as large as the result; not with `pool`.
    pub added: Option<&'a [f32]>,
    /// Negative values become zero.
    pub relu: bool,
    /// The largest of each 2x2 square, stride 2; an odd last row or column is dropped.
    pub pool: bool,
}

/// The ways to compute a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// Winograd's F(4x4, 3x3): 36 products for 16 outputs instead of 144.
    Winograd4,
    /// Winograd's F(2x2, 3x3): 16 products for 4 outputs instead of 36.
    Winograd2,
    /// Sums in the order of the definition.
    Direct,
    /// Sums of products of bf16 values, for convolutions without dilation.
    Bf16(Unit),
    /// The same of f32 values, each a sum of three of bf16, by [`Unit::Tiles`]: as exact as [`Self::Direct`], except for values below
    /// some 1e-33, whose last digits are smaller than a normal number and taken for zeros.
    Split,
    /// [`Self::Winograd4`] whose products are those of [`Self::Split`].
    SplitWinograd4,
}

impl Algorithm {
    /// The cheapest for these sizes.
    ///
    /// Counts multiplications; a Winograd tile also costs its transforms, about 32 multiplications for each of its
    /// values and channels (measured: the time goes into the second-level cache).
    pub fn choose(geometry: &Geometry, input: Size, channels_out: usize) -> Self {
        const TRANSFORM: usize = 32;
        if !geometry.is_plain_3x3() {
            return Self::Direct;
        }
        let [height, width] = geometry.output(input.height, input.width);
        let products = input.channels * channels_out;
        let transforms = TRANSFORM * (input.channels + channels_out);
        let winograd = |tile: usize| {
            let tiles = height.div_ceil(tile) * width.div_ceil(tile);
            tiles * (tile + 2) * (tile + 2) * (products + transforms)
        };
        let costs = [
            (9 * height * width * products, Self::Direct),
            (winograd(2), Self::Winograd2),
            (winograd(4), Self::Winograd4),
        ];
        costs.into_iter().min_by_key(|(cost, _)| *cost).map_or(Self::Direct, |(_, algorithm)| algorithm)
    }

    /// The cheapest for weights that come again. Where there are tiles, sums of split values take two thirds of the time of
    /// single ones (measured), but each value must go into enough products to be worth the splitting.
    pub fn choose_for_kept(geometry: &Geometry, input: Size, channels_out: usize) -> Self {
        let single = Self::choose(geometry, input, channels_out);
        if !Unit::all().contains(&Unit::Tiles) {
            return single;
        }
        let [height, width] = geometry.output(input.height, input.width);
        match single {
            Self::Direct
                if geometry.dilation == [1, 1] && (geometry.kernel != [1, 1] || channels_out >= 128) =>
            {
                Self::Split
            }
            _ if bf16::is_dense(geometry, input) => Self::Split,
            // Of a batch the choice is that of one image, so that their results are the same; images of a few tiles come in large
            // batches. Of Winograd's weights there are four times as many, and split ones are half as many bytes again: few tiles
            // are not worth them, and with many they must stay in a cache.
            Self::Winograd4 => {
                let tiles = height.div_ceil(4) * width.div_ceil(4);
                let weights = input.channels * channels_out;
                // Matrices, and bytes of three parts.
                let cached = 36 * 6 * weights <= simd::second_level_cache() / 2;
                if (12..64).contains(&tiles) && weights >= 1 << 15 {
                    Self::Split
                } else if input.channels >= 256 || input.channels >= 32 && cached {
                    Self::SplitWinograd4
                } else {
                    single
                }
            }
            _ => single,
        }
    }

    /// The cheapest where products may be of bf16 values, by that unit. Pairs are at most twice as fast as f32, and
    /// Winograd's tiles save more than that. Pictures, from or to which few channels lead, keep all their digits: those are
    /// small layers, and what is rounded there goes into all others.
    pub fn choose_bf16(unit: Unit, geometry: &Geometry, input: Size, channels_out: usize) -> Self {
        const FEW: usize = 16;
        if input.channels < FEW || channels_out < FEW {
            return Self::choose_for_kept(geometry, input, channels_out);
        }
        let single = Self::choose(geometry, input, channels_out);
        let better = unit == Unit::Tiles || single == Self::Direct;
        if better && geometry.dilation == [1, 1] { Self::Bf16(unit) } else { single }
    }
}

/// A convolution, with bias, and with ReLU and pooling if asked. Returns the result, channels last, and its size.
///
/// # Panics
/// When sizes do not match.
pub fn convolve(
    x: &[f32],
    input: Size,
    weights: &Weights<'_>,
    bias: &[f32],
    geometry: &Geometry,
    finish: Finish<'_>,
) -> (Buffer, Size) {
    let algorithm = Algorithm::choose(geometry, input, weights.channels_out());
    convolve_by(algorithm, x, input, weights, bias, geometry, finish)
}

/// [`convolve`] by the algorithm named.
///
/// # Panics
/// When sizes do not match, something is added before a pooling, a Winograd algorithm is asked for another convolution than 3x3 with stride 1, or bf16 for one
/// with dilation, or it or split values where [`Unit::all`] has no such unit.
pub fn convolve_by(
    algorithm: Algorithm,
    x: &[f32],
    input: Size,
    weights: &Weights<'_>,
    bias: &[f32],
    geometry: &Geometry,
    finish: Finish<'_>,
) -> (Buffer, Size) {
    assert_eq!(x.len(), input.values(), "an image of another size");
    assert_eq!(input.channels, weights.channels_in(), "channels of another number");
    assert_eq!(bias.len(), weights.channels_out(), "bias of another length");
    let [height, width] = geometry.output(input.height, input.width);
    let full = Size { images: input.images, height, width, channels: weights.channels_out() };
    if let Some(added) = finish.added {
        assert!(added.len() == full.values() && !finish.pool, "a sum of images of one size, not pooled");
    }
    match algorithm {
        Algorithm::Winograd4 => {
            let single = Single { weights: weights.winograd4(), channels: input.channels };
            winograd::convolve::<F4, _, 6, 4>(x, input, single, bias, geometry, full, finish)
        }
        Algorithm::Winograd2 => {
            let single = Single { weights: weights.winograd2(), channels: input.channels };
            winograd::convolve::<F2, _, 4, 2>(x, input, single, bias, geometry, full, finish)
        }
        Algorithm::SplitWinograd4 => {
            let split = winograd::Split::new(weights.winograd4_split(), input.channels);
            winograd::convolve::<F4, _, 6, 4>(x, input, split, bias, geometry, full, finish)
        }
        Algorithm::Direct => {
            let result = direct::convolve(x, input, weights.direct(), bias, geometry, full, finish);
            if finish.pool { max_pool2(&result, full) } else { (result, full) }
        }
        Algorithm::Bf16(unit) => {
            let kept = &weights.packed.bf16;
            bf16::convolve_kept(unit, x, input, weights, kept, bias, geometry, full, finish)
        }
        Algorithm::Split => {
            let kept = &weights.packed.split;
            bf16::convolve_kept(Unit::Tiles, x, input, weights, kept, bias, geometry, full, finish)
        }
    }
}
