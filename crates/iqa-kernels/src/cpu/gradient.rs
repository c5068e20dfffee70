//! Gradients of weights and bias.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::simd::{self, load, panel_width, store};
use super::winograd::{self, F2, F4};
use super::{Algorithm, Geometry, Size};

/// The sum of the gradients of all pixels, for each channel.
pub fn bias_gradient(gradient: &[f32], output: Size) -> Vec<f32> {
    let channels = output.channels;
    // Pieces of a fixed size, so that the order of the sums does not depend on the number of threads.
    let pieces: Vec<Vec<f32>> = gradient
        .par_chunks((1024 * channels).max(1))
        .map(|piece| {
            let mut sums = vec![0.0_f32; channels];
            for pixel in piece.chunks_exact(channels) {
                for (sum, value) in sums.iter_mut().zip(pixel) {
                    *sum += value;
                }
            }
            sums
        })
        .collect();
    let mut sums = vec![0.0; channels];
    for piece in pieces {
        for (sum, value) in sums.iter_mut().zip(piece) {
            *sum += value;
        }
    }
    sums
}

/// What one place of the kernel joins: where an input pixel begins, and the index of the output pixel.
type Pairs = Vec<(u32, u32)>;

/// The gradient of the weights, `[out, in, kernel height, kernel width]`: for each place of the kernel, the products
/// of the input under it with the gradient of the output, summed over all pixels.
///
/// In the domain of Winograd's tiles where the convolution itself is, if there are many tiles: a few do not repay
/// the transform of the sums, and tap by tap a gradient to which nothing contributes is exactly zero, which optimisers
/// that divide by its size (Adam) are grateful for.
pub fn weight_gradient(
    x: &[f32],
    input: Size,
    gradient: &[f32],
    output: Size,
    geometry: &Geometry,
) -> Vec<f32> {
    const MANY: usize = 64;
    let many =
        |tile: usize| output.images * output.height.div_ceil(tile) * output.width.div_ceil(tile) >= MANY;
    match Algorithm::choose(geometry, input, output.channels) {
        Algorithm::Winograd4 if many(4) => {
            winograd::weight_gradient::<F4, 6, 4>(x, input, gradient, output, geometry)
        }
        Algorithm::Winograd2 if many(2) => {
            winograd::weight_gradient::<F2, 4, 2>(x, input, gradient, output, geometry)
        }
        _ => direct(x, input, gradient, output, geometry),
    }
}

/// Tap by tap.
fn direct(x: &[f32], input: Size, gradient: &[f32], output: Size, geometry: &Geometry) -> Vec<f32> {
    assert!(x.len().max(gradient.len()) <= u32::MAX as usize, "more values than offsets reach");
    let [high, wide] = geometry.kernel;
    let area = high * wide;
    let [into, out] = [input.channels, output.channels];
    let width = simd::panel();
    let padded = out.next_multiple_of(width);
    let pixels = output.pixels();
    // `[panel, pixel, channel]`, so that a panel of many pixels is one run of memory.
    let mut panels = vec![0.0; pixels * padded];
    panels.par_chunks_mut((pixels * width).max(1)).enumerate().for_each(|(panel, values)| {
        let channels = panel * width..out.min((panel + 1) * width);
        for (target, from) in values.chunks_exact_mut(width).zip(gradient.chunks_exact(out)) {
            target[..channels.len()].copy_from_slice(&from[channels.clone()]);
        }
    });
    let pairs: Vec<Pairs> =
        (0..area).into_par_iter().map(|tap| pairs(tap, input, output, geometry)).collect();

    // One task for a place and some input channels: the sum over pixels is never divided.
    let rows = if area * into.div_ceil(24) >= 16 { 24 } else { 12 };
    let groups = into.div_ceil(rows);
    let arch = simd::arch();
    let parts: Vec<Vec<f32>> = (0..area * groups)
        .into_par_iter()
        .map(|index| {
            let [tap, group] = [index / groups, index % groups];
            let channels = group * rows..into.min((group + 1) * rows);
            let mut sums = vec![0.0; channels.len() * padded];
            for pairs in pairs[tap].chunks(CHUNK) {
                arch.dispatch(Products {
                    x,
                    panels: &panels,
                    pixels,
                    pairs,
                    channels: channels.clone(),
                    padded,
                    sums: &mut sums,
                });
            }
            sums
        })
        .collect();

    let mut result = vec![0.0; out * into * area];
    for (index, part) in parts.iter().enumerate() {
        let [tap, group] = [index / groups, index % groups];
        for (i, sums) in part.chunks_exact(padded).enumerate() {
            for (o, sum) in sums[..out].iter().enumerate() {
                result[(o * into + group * rows + i) * area + tap] = *sum;
            }
        }
    }
    result
}

/// Pixels of which the products are summed before the next input channels: their values stay in the cache.
const CHUNK: usize = 256;

fn pairs(tap: usize, input: Size, output: Size, geometry: &Geometry) -> Pairs {
    let [dy, dx] =
        [tap / geometry.kernel[1] * geometry.dilation[0], tap % geometry.kernel[1] * geometry.dilation[1]];
    let mut pairs = Vec::with_capacity(output.pixels());
    for image in 0..output.images {
        for y in 0..output.height {
            let from_y = (y * geometry.stride[0] + dy).wrapping_sub(geometry.vertical[0]);
            if from_y >= input.height {
                continue;
            }
            for x in 0..output.width {
                let from_x = (x * geometry.stride[1] + dx).wrapping_sub(geometry.horizontal[0]);
                if from_x < input.width {
                    let from = ((image * input.height + from_y) * input.width + from_x) * input.channels;
                    let to = (image * output.height + y) * output.width + x;
                    pairs.push((from as u32, to as u32));
                }
            }
        }
    }
    pairs
}

struct Products<'a> {
    x: &'a [f32],
    panels: &'a [f32],
    pixels: usize,
    pairs: &'a [(u32, u32)],
    channels: std::ops::Range<usize>,
    padded: usize,
    sums: &'a mut [f32],
}

impl WithSimd for Products<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { x, panels, pixels, pairs, channels, padded, sums } = self;
        let width = panel_width::<S>();
        for (group, first) in channels.clone().step_by(6).enumerate() {
            let count = (channels.end - first).min(6);
            for panel in (0..padded).step_by(width) {
                let gradient = &panels[panel * pixels..][..pixels * width];
                let mut totals = [[simd.splat_f32s(0.0); 2]; 6];
                for (r, total) in totals.iter_mut().enumerate().take(count) {
                    let at = (group * 6 + r) * padded + panel;
                    *total = [load::<S>(&sums[at..]), load::<S>(&sums[at + S::F32_LANES..])];
                }
                if count == 6 {
                    for (from, to) in pairs {
                        let to = &gradient[*to as usize * width..][..width];
                        let [left, right] = [load::<S>(to), load::<S>(&to[S::F32_LANES..])];
                        let from = &x[*from as usize + first..][..6];
                        for (total, value) in totals.iter_mut().zip(from) {
                            let value = simd.splat_f32s(*value);
                            total[0] = simd.mul_add_e_f32s(value, left, total[0]);
                            total[1] = simd.mul_add_e_f32s(value, right, total[1]);
                        }
                    }
                } else {
                    for (from, to) in pairs {
                        let to = &gradient[*to as usize * width..][..width];
                        let [left, right] = [load::<S>(to), load::<S>(&to[S::F32_LANES..])];
                        let from = &x[*from as usize + first..][..count];
                        for (total, value) in totals.iter_mut().zip(from) {
                            let value = simd.splat_f32s(*value);
                            total[0] = simd.mul_add_e_f32s(value, left, total[0]);
                            total[1] = simd.mul_add_e_f32s(value, right, total[1]);
                        }
                    }
                }
                for (r, total) in totals.into_iter().enumerate().take(count) {
                    let at = (group * 6 + r) * padded + panel;
                    store::<S>(&mut sums[at..], total[0]);
                    store::<S>(&mut sums[at + S::F32_LANES..], total[1]);
                }
            }
        }
    }
}
