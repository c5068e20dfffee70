//! Bilinear resizing with half-pixel centres.

use burn::tensor::{Device, Tensor, TensorData};

/// Resizes maps, as PyTorch's `interpolate` does with `mode="bilinear"` and `align_corners=False`: no smoothing before
/// a reduction, values beyond the border as those at it.
///
/// # Shapes
/// - `maps`: `[n, channels, height, width]`
/// - returns `[n, channels, size[0], size[1]]`
///
/// # Panics
/// When a side is 0.
pub fn resize_bilinear(maps: Tensor<4>, size: [usize; 2]) -> Tensor<4> {
    let [n, channels, height, width] = maps.dims();
    if [height, width] == size {
        return maps;
    }
    let device = maps.device();
    // Two products with matrices of two values a row, channels last so that nothing moves in memory.
    let rows: Tensor<3> = maps.permute([0, 2, 3, 1]).reshape([n, height, width * channels]);
    let rows = weights(height, size[0], &device).matmul(rows);
    let columns = rows.reshape([n * size[0], width, channels]);
    let columns = weights(width, size[1], &device).matmul(columns);
    columns.reshape([n, size[0], size[1], channels]).permute([0, 3, 1, 2])
}

/// `[1, to, from]`: what each of the old values adds to the new ones.
fn weights(from: usize, to: usize, device: &Device) -> Tensor<3> {
    let mut values = vec![0f32; to * from];
    for (index, row) in values.chunks_exact_mut(from).enumerate() {
        let place = (index as f64 + 0.5) * from as f64 / to as f64 - 0.5;
        let place = place.clamp(0.0, (from - 1) as f64);
        let first = place.floor() as usize;
        let part = (place - first as f64) as f32;
        row[first] += 1.0 - part;
        row[(first + 1).min(from - 1)] += part;
    }
    Tensor::from_data(TensorData::new(values, [1, to, from]), device)
}
