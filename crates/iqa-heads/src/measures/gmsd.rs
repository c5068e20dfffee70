use burn::tensor::Tensor;
use iqa_metrics::image::conventions::{GMSD_C, PREWITT};

use super::planes::{Border, decimate, flat, gradient_magnitude, luma, power, similarity};

/// [`iqa_metrics::image::gmsd`] of tensors.
pub(super) fn gmsd(distorted: Tensor<4>, reference: Tensor<4>) -> Tensor<1> {
    let [d, r] = [distorted, reference]
        .map(|image| gradient_magnitude(decimate(luma(image), 2, Border::Zero), PREWITT));
    let map = flat(similarity(d, r, GMSD_C));
    let count = map.dims()[1];
    let squares = (map.clone() - map.mean_dim(1)).square().sum_dim(1);
    power(squares.squeeze_dim(1) / (count - 1) as f64, 0.5)
}
