//! A convolution of each channel by itself, between two ReLUs that end at 6.

use rayon::prelude::*;

use super::{Buffer, Geometry, Size, buffers, simd};

/// Channels summed at once, in registers.
const LANES: usize = 16;
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
    let padded = channels.next_multiple_of(LANES);
    let mut taps = vec![0.0; area * padded];
    for (channel, kernel) in weights.chunks_exact(area).enumerate() {
        for (tap, weight) in kernel.iter().enumerate() {
            taps[tap * padded + channel] = *weight;
        }
    }
    let mut biases = vec![0.0; padded];
    biases[..channels].copy_from_slice(bias);
    let arch = simd::arch();
    result.par_chunks_mut(width * channels).enumerate().for_each(|(index, row)| {
        let [image, y] = [index / height, index % height];
        let image = &x[image * input.height * input.width * channels..];
        arch.dispatch(|| {
            for (at, pixel) in row.chunks_exact_mut(channels).enumerate() {
                for (group, result) in pixel.chunks_mut(LANES).enumerate() {
                    let first = group * LANES;
                    let mut sums = [0.0_f32; LANES];
                    sums.copy_from_slice(&biases[first..][..LANES]);
                    for tap_y in 0..high {
                        let from_y = (y * geometry.stride[0] + tap_y * geometry.dilation[0])
                            .wrapping_sub(geometry.vertical[0]);
                        if from_y >= input.height {
                            continue;
                        }
                        for tap_x in 0..wide {
                            let from_x = (at * geometry.stride[1] + tap_x * geometry.dilation[1])
                                .wrapping_sub(geometry.horizontal[0]);
                            if from_x >= input.width {
                                continue;
                            }
                            let from = &image[(from_y * input.width + from_x) * channels + first..];
                            let weights = &taps[(tap_y * wide + tap_x) * padded + first..][..LANES];
                            match from.first_chunk::<LANES>() {
                                Some(values) if result.len() == LANES => {
                                    for ((sum, value), weight) in sums.iter_mut().zip(values).zip(weights) {
                                        *sum += value.clamp(0.0, MOST) * weight;
                                    }
                                }
                                _ => {
                                    let values = &from[..result.len()];
                                    for ((sum, value), weight) in sums.iter_mut().zip(values).zip(weights) {
                                        *sum += value.clamp(0.0, MOST) * weight;
                                    }
                                }
                            }
                        }
                    }
                    for (result, sum) in result.iter_mut().zip(sums) {
                        *result = sum.clamp(0.0, MOST);
                    }
                }
            }
        });
    });
    (result, output)
}
