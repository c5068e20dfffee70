use burn::tensor::Tensor;
use iqa_metrics::image::PSNR_CAP;

use super::planes::image_means;

/// A mean squared error beyond the cap.
const LEAST: f64 = 1e-12;

/// [`iqa_metrics::image::psnr`] of tensors.
pub(super) fn psnr(distorted: Tensor<4>, reference: Tensor<4>) -> Tensor<1> {
    let mse = image_means((distorted - reference).square()).clamp_min(LEAST);
    (mse.log() * (-10.0 / std::f64::consts::LN_10)).clamp_max(PSNR_CAP)
}
