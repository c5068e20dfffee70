//! A convolution of each channel by itself, between two ReLUs that end at 6.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::{Buffer, Geometry, Size, buffers, direct, simd};

/// Where ReLU6 ends.
const MOST: f32 = 6.0;

/// `relu6(convolution(relu6(x)) + bias)`, channels last. `weights` are `[channels, 1, kernel height, kernel width]`.
///
/// # Panics
/// When sizes do not match.
pub fn depthwise_relu6(
    x: &[f32],
    input: Size,
    weights: &[f32],
    bias: &[f32],
    geometry: &Geometry,
) -> (Buffer, Size) {
    let channels = input.channels;
    let [high, wide] = geometry.kernel;
    let area = high * wide;
    assert_eq!(x.len(), input.values(), "an image of another size");
    assert!(weights.len() == channels * area && bias.len() == channels, "weights of other channels");
    let [height, width] = geometry.output(input.height, input.width);
    let output = Size { height, width, ..input };
    let mut result = buffers::take(output.values());
    if result.is_empty() {
        return (result, output);
    }
    // `[tap, channel]`, and whole groups of channels.
    let padded = channels.next_multiple_of(simd::panel());
    let mut taps = vec![0.0; area * padded];
    for (channel, kernel) in weights.chunks_exact(area).enumerate() {
        for (tap, weight) in kernel.iter().enumerate() {
            taps[tap * padded + channel] = *weight;
        }
    }
    let biases = simd::filled_up(bias, padded);
    let arch = simd::arch();
    result.par_chunks_mut(width * channels).enumerate().for_each(|(index, row)| {
        let [image, y] = [index / height, index % height];
        let image = &x[image * input.height * input.width * channels..];
        arch.dispatch(Row { image, input, geometry, taps: &taps, biases: &biases, padded, y, row });
    });
    (result, output)
}

/// A row of the result.
struct Row<'a> {
    image: &'a [f32],
    input: Size,
    geometry: &'a Geometry,
    taps: &'a [f32],
    biases: &'a [f32],
    /// Channels in whole groups.
    padded: usize,
    y: usize,
    row: &'a mut [f32],
}

impl WithSimd for Row<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { image, input, geometry, taps, biases, padded, y, row } = self;
        let Size { height, width, channels, .. } = input;
        let lanes = S::F32_LANES;
        let most = simd.splat_f32s(MOST);
        // As in a ReLU, what is not a number stays so.
        let cap = |value| simd.min_f32s(most, simd::relu(simd, value));
        for (at, pixel) in row.chunks_exact_mut(channels).enumerate() {
            // Taps inside the image.
            let starts = [y * geometry.stride[0], at * geometry.stride[1]];
            let inside = |axis: usize, before: usize, length: usize| {
                let dilation = geometry.dilation[axis];
                let first = before.saturating_sub(starts[axis]).div_ceil(dilation);
                let end = (length + before).saturating_sub(starts[axis]).div_ceil(dilation);
                [first, end.min(geometry.kernel[axis])]
            };
            let rows = inside(0, geometry.vertical[0], height);
            let columns = inside(1, geometry.horizontal[0], width);
            for (group, result) in pixel.chunks_mut(2 * lanes).enumerate() {
                let first = group * 2 * lanes;
                let mut sums = [simd::load::<S>(&biases[first..]), simd::load::<S>(&biases[first + lanes..])];
                for tap_y in rows[0]..rows[1] {
                    let from_y = starts[0] + tap_y * geometry.dilation[0] - geometry.vertical[0];
                    for tap_x in columns[0]..columns[1] {
                        let from_x = starts[1] + tap_x * geometry.dilation[1] - geometry.horizontal[0];
                        let from = &image[(from_y * width + from_x) * channels + first..][..result.len()];
                        let weights = &taps[(tap_y * geometry.kernel[1] + tap_x) * padded + first..];
                        let values = direct::read(simd, from);
                        for (half, (sum, value)) in sums.iter_mut().zip(values).enumerate() {
                            let weight = simd::load::<S>(&weights[half * lanes..]);
                            *sum = simd.mul_add_e_f32s(cap(value), weight, *sum);
                        }
                    }
                }
                let [left, right] = sums.map(cap);
                direct::write(simd, result, left, right);
            }
        }
    }
}
