//! Sums, ReLU and 2x2 pooling, and their gradients.

use rayon::prelude::*;

use super::simd::larger_of;
use super::{Buffer, Size, buffers};

/// The largest of each 2x2 square; an odd last row or column is dropped.
pub fn max_pool2(x: &[f32], input: Size) -> (Buffer, Size) {
    let output = Size { height: input.height / 2, width: input.width / 2, ..input };
    let mut result = buffers::take(output.values());
    if result.is_empty() {
        return (result, output);
    }
    let row = output.width * output.channels;
    result.par_chunks_mut(row).enumerate().for_each(|(index, result)| {
        let [image, y] = [index / output.height, index % output.height];
        let from = (image * input.height + 2 * y) * input.width * input.channels;
        let (top, bottom) = x[from..].split_at(input.width * input.channels);
        let squares = top.chunks_exact(2 * input.channels).zip(bottom.chunks_exact(2 * input.channels));
        for (result, (top, bottom)) in result.chunks_exact_mut(input.channels).zip(squares) {
            let (a, b) = top.split_at(input.channels);
            let (c, d) = bottom.split_at(input.channels);
            for ((((result, a), b), c), d) in result.iter_mut().zip(a).zip(b).zip(c).zip(d) {
                *result = larger_of(larger_of(*a, *b), larger_of(*c, *d));
            }
        }
    });
    (result, output)
}

/// The sum of both, negative values set to zero.
pub fn add_relu(x: &[f32], y: &[f32]) -> Buffer {
    each(x, y, |x, y| larger_of(x + y, 0.0))
}

/// The gradient before a ReLU: `gradient` where its output `y` is positive.
pub fn relu_backward(y: &[f32], gradient: &[f32]) -> Buffer {
    each(y, gradient, |y, gradient| if y > 0.0 { gradient } else { 0.0 })
}

/// A function of two images, value by value.
fn each(x: &[f32], y: &[f32], f: impl Fn(f32, f32) -> f32 + Sync) -> Buffer {
    assert_eq!(x.len(), y.len(), "images of one size");
    let mut result = buffers::take(x.len());
    let step = 1 << 14;
    result.par_chunks_mut(step).zip(x.par_chunks(step)).zip(y.par_chunks(step)).for_each(
        |((result, x), y)| {
            for ((result, x), y) in result.iter_mut().zip(x).zip(y) {
                *result = f(*x, *y);
            }
        },
    );
    result
}

/// The gradient before a 2x2 pooling: in each square it goes to the first of the largest values, in row order; with
/// `relu` only if that is positive.
///
/// `y` are the values that were pooled, of size `input`; `gradient` is that of the pooled values.
pub fn max_pool2_backward(y: &[f32], input: Size, gradient: &[f32], relu: bool) -> Buffer {
    let Size { images, height, width, channels } = input;
    let [high, wide] = [height / 2, width / 2];
    assert_eq!(gradient.len(), images * high * wide * channels, "a gradient of another size");
    let row = width * channels;
    if high == 0 || wide == 0 || input.values() == 0 {
        return buffers::zeros(input.values());
    }
    let mut result = buffers::take(input.values());
    result.par_chunks_mut(height * row).zip(y.par_chunks(height * row)).enumerate().for_each(
        |(image, (result, y))| {
            // What the pooling dropped.
            result[2 * high * row..].fill(0.0);
            if width % 2 == 1 {
                for line in result.chunks_exact_mut(row) {
                    line[row - channels..].fill(0.0);
                }
            }
            for pooled in 0..high {
                let gradient = &gradient[(image * high + pooled) * wide * channels..][..wide * channels];
                let y = &y[2 * pooled * row..][..2 * row];
                let result = &mut result[2 * pooled * row..][..2 * row];
                let (y0, y1) = y.split_at(row);
                let (r0, r1) = result.split_at_mut(row);
                for (x, gradient) in gradient.chunks_exact(channels).enumerate() {
                    let at = 2 * x * channels..2 * (x + 1) * channels;
                    let (a, b) = y0[at.clone()].split_at(channels);
                    let (c, d) = y1[at.clone()].split_at(channels);
                    let (ra, rb) = r0[at.clone()].split_at_mut(channels);
                    let (rc, rd) = r1[at].split_at_mut(channels);
                    for k in 0..channels {
                        let largest = a[k].max(b[k]).max(c[k].max(d[k]));
                        let value = if largest > 0.0 || !relu { gradient[k] } else { 0.0 };
                        let is_a = a[k] == largest;
                        let is_b = !is_a && b[k] == largest;
                        let is_c = !is_a && !is_b && c[k] == largest;
                        let is_d = !is_a && !is_b && !is_c;
                        ra[k] = if is_a { value } else { 0.0 };
                        rb[k] = if is_b { value } else { 0.0 };
                        rc[k] = if is_c { value } else { 0.0 };
                        rd[k] = if is_d { value } else { 0.0 };
                    }
                }
            }
        },
    );
    result
}
