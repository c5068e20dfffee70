//! Channels of images as tensors `[n, channels, height, width]` on the scale 0 to 255, and the filters that measures share.

use burn::tensor::module::{avg_pool2d, conv2d};
use burn::tensor::ops::{AvgPoolOptions, ConvOptions, PadMode};
use burn::tensor::{Int, Tensor, TensorData};
use iqa_metrics::image::conventions::{LUMA, mirrored};

/// What lies beyond the edge.
#[derive(Clone, Copy, Debug)]
pub(super) enum Border {
    /// Zeros.
    Zero,
    /// The image mirrored, the edge pixel twice.
    Symmetric,
}

/// Numbers as a tensor like another: on its device, of its type.
pub(super) fn constant<const D: usize>(values: Vec<f64>, shape: [usize; D], like: &Tensor<4>) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values, shape), (&like.device(), like.dtype()))
}

/// Weighted sums of red, green and blue.
///
/// # Shapes
/// - `rgb`: `[n, 3, height, width]`
/// - returns `[n, sums, height, width]`
pub(super) fn weighted(rgb: Tensor<4>, sums: &[[f64; 3]]) -> Tensor<4> {
    // Not a convolution: devices round the factors of one to few digits.
    let channels = rgb.chunk(3, 1);
    let sum = |weights: &[f64; 3]| {
        let [red, green, blue] = [0, 1, 2].map(|channel| channels[channel].clone() * weights[channel]);
        red + green + blue
    };
    Tensor::cat(sums.iter().map(sum).collect(), 1)
}

/// Luma of RGB in `[0, 1]`, rounded to 8 bits as the published programs have it. The gradient is that of luma not rounded.
///
/// # Shapes
/// - returns `[n, 1, height, width]`
pub(super) fn luma(rgb: Tensor<4>) -> Tensor<4> {
    let rgb = rgb * 255.0;
    let exact = weighted(rgb.clone(), &[LUMA]);
    let rounding = rounded_luma(rgb.detach()) - exact.clone().detach();
    exact + rounding
}

/// Luma of whole numbers 0..255, rounded as in double precision: of some colours in a hundred thousand it is so near to a half
/// that single precision rounds it to the other side.
fn rounded_luma(rgb: Tensor<4>) -> Tensor<4> {
    // Of the first 14 bits of a weight products and sums are exact.
    let coarse = LUMA.map(|weight| (weight * f64::from(1 << 14)).round() / f64::from(1 << 14));
    let fine = std::array::from_fn(|channel| LUMA[channel] - coarse[channel]);
    let sum = weighted(rgb.clone(), &[coarse]);
    let whole = sum.clone().floor();
    let rest = sum - whole.clone() + weighted(rgb, &[fine]);
    whole + rest.round()
}

/// Correlation of each channel with `taps` along rows and columns, where the window lies inside.
pub(super) fn correlate_valid(planes: Tensor<4>, taps: &[f64]) -> Tensor<4> {
    let [n, channels, height, width] = planes.dims();
    let side = taps.len();
    let down = constant(taps.to_vec(), [1, 1, side, 1], &planes);
    let across = constant(taps.to_vec(), [1, 1, 1, side], &planes);
    let options = || ConvOptions::new([1, 1], [0, 0], [1, 1], 1);
    // Channels as images: on the CPU half the time that groups take.
    let planes = planes.reshape([n * channels, 1, height, width]);
    let filtered = conv2d(conv2d(planes, down, None, options()), across, None, options());
    filtered.reshape([n, channels, height + 1 - side, width + 1 - side])
}

/// The mean over `factor x factor` pixels round every `factor`-th pixel, from the first on; for even factors the window
/// reaches one pixel farther right and down.
pub(super) fn decimate(planes: Tensor<4>, factor: usize, border: Border) -> Tensor<4> {
    if factor == 1 {
        return planes;
    }
    let whole = extended(extended(planes, 2, factor, border), 3, factor, border);
    avg_pool2d(whole, AvgPoolOptions::new([factor, factor]))
}

/// The planes with as many pixels more along an axis as windows of [`decimate`] reach beyond the edge.
fn extended(planes: Tensor<4>, axis: usize, factor: usize, border: Border) -> Tensor<4> {
    let length = planes.dims()[axis];
    let before = (factor - 1) / 2;
    let after = (length.div_ceil(factor) * factor).saturating_sub(before + length);
    if before + after == 0 {
        return planes;
    }
    match border {
        Border::Zero => {
            let mut padding = [(0, 0); 4];
            padding[axis] = (before, after);
            planes.pad(padding, PadMode::Constant(0.0))
        }
        Border::Symmetric => {
            let (first, last) = (-(before as isize), (length + after) as isize);
            let sources: Vec<i32> = (first..last).map(|at| mirrored(at, length) as i32).collect();
            let sources = Tensor::<1, Int>::from_data(sources.as_slice(), &planes.device());
            planes.select(axis, sources)
        }
    }
}

/// Length of the gradient of one channel, from a central difference in one direction and `smoothing` in the other, zeros
/// beyond the edge.
///
/// # Shapes
/// - `plane`: `[n, 1, height, width]`
/// - returns the same
pub(super) fn gradient_magnitude(plane: Tensor<4>, smoothing: [f64; 3]) -> Tensor<4> {
    let across = smoothing.map(|weight| [-weight, 0.0, weight]);
    let down = [smoothing.map(|weight| -weight), [0.0; 3], smoothing];
    let kernels = constant([across, down].as_flattened().as_flattened().to_vec(), [2, 1, 3, 3], &plane);
    let parts = conv2d(plane, kernels, None, ConvOptions::new([1, 1], [1, 1], [1, 1], 1));
    power(parts.square().sum_dim(1), 0.5)
}

/// `x^exponent` of values that are not negative, with 0 as the gradient at 0.
pub(super) fn power<const D: usize>(x: Tensor<D>, exponent: f64) -> Tensor<D> {
    let zero = x.clone().lower_equal_elem(0.0);
    let x = x.mask_fill(zero.clone(), 1.0);
    let raised = if exponent == 0.5 { x.sqrt() } else { x.powf_scalar(exponent) };
    raised.mask_fill(zero, 0.0)
}

/// The similarity of two values that runs through these measures: 1 where they are the same.
pub(super) fn similarity(a: Tensor<4>, b: Tensor<4>, constant: f64) -> Tensor<4> {
    let product = a.clone() * b.clone() * 2.0 + constant;
    product / (a.square() + b.square() + constant)
}

/// The values of each image in a row.
///
/// # Shapes
/// - returns `[n, channels * height * width]`
pub(super) fn flat(planes: Tensor<4>) -> Tensor<2> {
    planes.flatten(1, 3)
}

/// The mean over each image.
///
/// # Shapes
/// - returns `[n]`
pub(super) fn image_means(planes: Tensor<4>) -> Tensor<1> {
    flat(planes).mean_dim(1).squeeze_dim(1)
}
