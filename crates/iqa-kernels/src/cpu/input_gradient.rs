//! Gradients of images.

use rayon::prelude::*;

use super::weights::PackedWeights;
use super::{Buffer, Finish, Geometry, Size, buffers, convolve};

/// Along an axis, input pixels of one remainder by the stride: those that the same places of the kernel lie over. Their
/// gradient is a convolution without stride of the outputs' with these places, in the opposite order.
#[derive(Debug)]
struct Phase {
    /// Places of the kernel, a stride apart; `None` for a weight of zero, where an output has no share in these pixels.
    places: Vec<Option<usize>>,
    /// Input pixels.
    length: usize,
    padding: [usize; 2],
}

fn phases(length: usize, above: usize, kernel: usize, stride: usize, padding: usize) -> Vec<Phase> {
    let phase = |remainder: usize| {
        let [first, skipped] = [(remainder + padding) % stride, (remainder + padding) / stride];
        let length = length.saturating_sub(remainder).div_ceil(stride);
        let count = kernel.saturating_sub(first).div_ceil(stride);
        if count == 0 || length == 0 {
            return Phase { places: Vec::new(), length, padding: [0; 2] };
        }
        // Outputs before the first of these pixels and behind the last have to be passed over.
        let count = count.max(skipped + 1);
        let before = count - 1 - skipped;
        let behind = (above + before).saturating_sub(length + count - 1);
        let place = |index: usize| (index < count).then(|| first + (count - 1 - index) * stride);
        let places = (0..count + behind).map(|index| place(index).filter(|place| *place < kernel)).collect();
        Phase { places, length, padding: [before, length + count - 1 + behind - above - before] }
    };
    (0..stride).map(phase).collect()
}

/// The gradient of images of the size `input`, from that of the convolution's result, and from its weights, `[out, in, kernel
/// height, kernel width]`. `None` for dilations.
pub fn input_gradient(
    gradient: &[f32],
    above: Size,
    weights: &[f32],
    shape: [usize; 4],
    geometry: &Geometry,
    input: Size,
) -> Option<Buffer> {
    if geometry.dilation != [1, 1] {
        return None;
    }
    let [high, wide] = geometry.stride;
    let down = phases(input.height, above.height, shape[2], high, geometry.vertical[0]);
    let across = phases(input.width, above.width, shape[3], wide, geometry.horizontal[0]);
    let part = |rows: &Phase, columns: &Phase| {
        let kernel = [rows.places.len(), columns.places.len()];
        if kernel.contains(&0) {
            return None;
        }
        let turned = turned(weights, shape, [&rows.places, &columns.places]);
        let geometry = Geometry {
            kernel,
            stride: [1, 1],
            dilation: [1, 1],
            vertical: rows.padding,
            horizontal: columns.padding,
        };
        let packed = PackedWeights::new([shape[1], shape[0], kernel[0], kernel[1]]);
        let bias = vec![0.0; shape[1]];
        Some(convolve(gradient, above, &packed.with(&turned), &bias, &geometry, Finish::default()).0)
    };
    if let ([rows], [columns]) = (&down[..], &across[..]) {
        return part(rows, columns);
    }
    let parts: Vec<Vec<Option<Buffer>>> =
        down.iter().map(|rows| across.iter().map(|columns| part(rows, columns)).collect()).collect();
    let mut result = buffers::take(input.values());
    let channels = input.channels;
    let row = (input.width * channels).max(1);
    result.par_chunks_mut(row).with_min_len(16).enumerate().for_each(|(index, row)| {
        let [image, y] = [index / input.height, index % input.height];
        for (column, (part, phase)) in parts[y % high].iter().zip(&across).enumerate() {
            let pixels = row.chunks_exact_mut(channels).skip(column).step_by(wide);
            match part {
                None => pixels.for_each(|pixel| pixel.fill(0.0)),
                Some(part) => {
                    let line = phase.length * channels;
                    let from = &part[(image * down[y % high].length + y / high) * line..][..line];
                    for (pixel, from) in pixels.zip(from.chunks_exact(channels)) {
                        pixel.copy_from_slice(from);
                    }
                }
            }
        }
    });
    Some(result)
}

/// The weights of some places of the kernel, channels exchanged: `[in, out, rows, columns]`.
fn turned(
    weights: &[f32],
    [out, into, _, width]: [usize; 4],
    [rows, columns]: [&[Option<usize>]; 2],
) -> Vec<f32> {
    let area = weights.len() / (out * into).max(1);
    let places: Vec<Option<usize>> =
        rows.iter().flat_map(|y| columns.iter().map(move |x| Some((*y)? * width + (*x)?))).collect();
    let mut turned = vec![0.0; out * into * places.len()];
    turned.par_chunks_mut((out * places.len()).max(1)).enumerate().for_each(|(i, kernels)| {
        for (o, kernel) in kernels.chunks_exact_mut(places.len()).enumerate() {
            let from = &weights[(o * into + i) * area..][..area];
            for (value, place) in kernel.iter_mut().zip(&places) {
                *value = place.map_or(0.0, |place| from[place]);
            }
        }
    });
    turned
}
