//! Convolutions of images so small that a kernel sees all of them, as products of one matrix.
//!
//! In memory an image of 2x2 pixels of 512 channels is one pixel of 2,048. Of the nine taps for each of its four pixels five lie
//! outside, and in tiles of sixteen pixels most would be empty: as a matrix it is less than half of the products, and all
//! tiles are full.

use super::{Panels, Unit, convolve};
use crate::cpu::{Buffer, Finish, Geometry, Size, max_pool2};

/// Whether a convolution is one of those.
pub(in crate::cpu) fn is_dense(geometry: &Geometry, input: Size) -> bool {
    geometry.is_plain_3x3()
        && [geometry.vertical, geometry.horizontal] == [[1, 1]; 2]
        && (1..=2).contains(&input.height)
        && (1..=2).contains(&input.width)
}

/// The matrix of the weights `[out, in, 3, 3]` for images of that size, `[pixel * out, pixel * in]`.
pub(in crate::cpu) fn matrix(
    original: &[f32],
    [out, into]: [usize; 2],
    [height, width]: [usize; 2],
) -> Vec<f32> {
    let pixels = height * width;
    let mut matrix = Vec::with_capacity(pixels * out * pixels * into);
    for to in 0..pixels {
        for kernels in original.chunks_exact(9 * into) {
            for from in 0..pixels {
                let tap = (1 + from / width - to / width) * 3 + 1 + from % width - to % width;
                matrix.extend(kernels.chunks_exact(9).map(|kernel| kernel[tap]));
            }
        }
    }
    matrix
}

/// [`convolve`] of such images; `weights` are of their [`matrix`].
#[allow(clippy::too_many_arguments)]
pub(in crate::cpu) fn multiply<const PARTS: usize>(
    unit: Unit,
    x: &[f32],
    input: Size,
    weights: &Panels<PARTS>,
    bias: &[f32],
    full: Size,
    finish: Finish<'_>,
) -> (Buffer, Size) {
    let pixels = input.height * input.width;
    // One pixel an image, one under the other.
    let column = |channels| Size { images: 1, height: input.images, width: 1, channels: pixels * channels };
    let geometry =
        Geometry { kernel: [1, 1], stride: [1, 1], dilation: [1, 1], vertical: [0, 0], horizontal: [0, 0] };
    let unpooled = Finish { pool: false, ..finish };
    let (from, to, bias) = (column(input.channels), column(full.channels), bias.repeat(pixels));
    let (result, _) = convolve(unit, x, from, weights, &bias, &geometry, to, unpooled);
    if finish.pool { max_pool2(&result, full) } else { (result, full) }
}
