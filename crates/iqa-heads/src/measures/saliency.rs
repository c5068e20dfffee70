//! SDSP, the saliency map of VSI.

use std::f64::consts::TAU;

use burn::tensor::Tensor;
use iqa_metrics::image::conventions::{
    SALIENCY_SIDE as SIDE, WARM_SIGMA, WHITE, XYZ, band_pass, centre_prior, resize_weights,
};

use super::planes::{constant, power, weighted};

/// CIELAB values nearer than this over a whole image are taken for the same: single precision does not tell them apart. One
/// level of one pixel makes a greater difference.
const SAME_COLOUR: f64 = 1e-2;

/// Salience of each pixel, scaled to 0..1 over the image, as `iqa_metrics` has it.
///
/// # Shapes
/// - `images`: `[n, 3, height, width]`, sRGB in 0..255
/// - returns `[n, 1, height, width]`
pub(super) fn saliency(images: Tensor<4>) -> Tensor<4> {
    let [_, _, height, width] = images.dims();
    let lab = lab(resized(images, SIDE, SIDE) / 255.0);
    let energy = power(filtered(lab.clone()).square().sum_dim(1), 0.5);
    let colours = unit_range(lab.slice_dim(1, 1..3), SAME_COLOUR);
    let warmth = colours.square().sum_dim(1) / (WARM_SIGMA * WARM_SIGMA);
    let warm = -(-warmth).exp() + 1.0;
    let central = constant(centre_prior(), [1, 1, SIDE, SIDE], &warm);
    unit_range(resized(energy * warm * central, height, width), 0.0)
}

/// Each channel of each image scaled so that its least value is 0 and its greatest 1; all 0 where they are no farther apart
/// than `same`.
fn unit_range(planes: Tensor<4>, same: f64) -> Tensor<4> {
    let shape = planes.dims();
    let [n, channels, height, width] = shape;
    let values = planes.reshape([n * channels, height * width]);
    let low = values.clone().min_dim(1);
    let span = values.clone().max_dim(1) - low.clone();
    let none = span.clone().lower_equal_elem(same);
    let scaled = (values - low) / span.mask_fill(none.clone(), 1.0);
    scaled.mask_fill(none.expand([n * channels, height * width]), 0.0).reshape(shape)
}

/// CIELAB of sRGB in 0..1, relative to D50 without adaptation, but for a constant in L.
fn lab(rgb: Tensor<4>) -> Tensor<4> {
    let above = ((rgb.clone().clamp_min(0.04045) + 0.055) / 1.055).powf_scalar(2.4);
    let dark = rgb.clone().lower_equal_elem(0.04045);
    let linear = above.mask_where(dark, rgb / 12.92);
    let relative: [[f64; 3]; 3] = std::array::from_fn(|row| XYZ[row].map(|weight| weight / WHITE[row]));
    let xyz = weighted(linear, &relative);
    let dark = xyz.clone().lower_equal_elem(0.008856);
    let root = xyz.clone().clamp_min(0.008856).powf_scalar(1.0 / 3.0);
    let root = root.mask_where(dark, (xyz * 903.3 + 16.0) / 116.0);
    // Without the -16 of L, of which the filter lets nothing through.
    weighted(root, &[[0.0, 116.0, 0.0], [500.0, -500.0, 0.0], [0.0, 200.0, -200.0]])
}

/// SDSP's log-Gabor filter, on planes of [`SIDE`] pixels that go on at the opposite edge.
///
/// By Hartley's transform, `cos + sin` along rows and columns, which is real: the gain is that of a frequency and of its
/// mirror images alike, so that it may stand between two of them as between two of Fourier's.
fn filtered(planes: Tensor<4>) -> Tensor<4> {
    let angles = (0..SIDE).map(|k| TAU * k as f64 / SIDE as f64);
    let waves: Vec<f64> = angles.map(|angle| angle.cos() + angle.sin()).collect();
    let table = (0..SIDE * SIDE).map(|at| waves[(at / SIDE) * (at % SIDE) % SIDE]).collect();
    let hartley = constant(table, [1, 1, SIDE, SIDE], &planes);
    let gain = band_pass().into_iter().map(|gain| gain / (SIDE * SIDE) as f64).collect();
    let gain = constant(gain, [1, 1, SIDE, SIDE], &planes);
    let transform = |planes: Tensor<4>| hartley.clone().matmul(planes).matmul(hartley.clone());
    transform(transform(planes) * gain)
}

/// MATLAB's `imresize` with `'bilinear'`.
fn resized(planes: Tensor<4>, height: usize, width: usize) -> Tensor<4> {
    let [_, _, rows, columns] = planes.dims();
    let matrix = |before: usize, after: usize| {
        let mut values = vec![0.0; after * before];
        for (at, sources) in resize_weights(before, after).into_iter().enumerate() {
            for (source, weight) in sources {
                values[at * before + source] += weight;
            }
        }
        constant(values, [1, 1, after, before], &planes)
    };
    let (down, across) = (matrix(rows, height), matrix(columns, width).swap_dims(2, 3));
    down.matmul(planes.clone().matmul(across))
}
