use burn::tensor::Tensor;
use iqa_metrics::image::Downsampling;
use iqa_metrics::image::conventions::{
    MS_SSIM_EXPONENTS, SSIM_C1, SSIM_C2, SSIM_WINDOW, automatic_factor, gaussian,
};

use super::planes::{Border, correlate_valid, decimate, image_means, luma, power};

/// The middle of the scale, taken off before values are squared: single precision has few digits for variances.
const MIDDLE: f64 = 127.5;

/// [`iqa_metrics::image::ssim`] of tensors.
pub(super) fn ssim(distorted: Tensor<4>, reference: Tensor<4>, downsampling: Downsampling) -> Tensor<1> {
    let pair = both(distorted, reference);
    let [_, _, height, width] = pair.dims();
    let factor = match downsampling {
        Downsampling::Automatic => automatic_factor((width, height)),
        Downsampling::None => 1,
    };
    mean_ssim(decimate(pair, factor, Border::Symmetric)).0
}

/// [`iqa_metrics::image::ms_ssim`] of tensors.
pub(super) fn ms_ssim(distorted: Tensor<4>, reference: Tensor<4>) -> Tensor<1> {
    let mut pair = both(distorted, reference);
    let (last, scales) = MS_SSIM_EXPONENTS.split_last().expect("five scales");
    let mut score = Tensor::ones([pair.dims()[0]], (&pair.device(), pair.dtype()));
    for exponent in scales {
        score = score * power(mean_ssim(pair.clone()).1, *exponent);
        pair = decimate(pair, 2, Border::Symmetric);
    }
    score * power(mean_ssim(pair).0, *last)
}

/// Luma of both images.
///
/// # Shapes
/// - returns `[n, 2, height, width]`
fn both(distorted: Tensor<4>, reference: Tensor<4>) -> Tensor<4> {
    Tensor::cat(vec![luma(distorted), luma(reference)], 1)
}

/// Means over each image of SSIM and of its contrast-structure part.
///
/// # Shapes
/// - `pair`: `[n, 2, height, width]`
/// - returns `[n]` twice
fn mean_ssim(pair: Tensor<4>) -> (Tensor<1>, Tensor<1>) {
    let (side, sigma) = SSIM_WINDOW;
    let [x, y] = parts(pair - MIDDLE);
    let (sum, difference) = (x.clone() + y.clone(), x - y);
    let planes = vec![sum.clone(), difference.clone(), sum.square(), difference.square()];
    let means = correlate_valid(Tensor::cat(planes, 1), &gaussian(side, sigma));
    let [sum, difference, sums, differences] = parts(means);
    // Of the sum the variance is `sigma_x^2 + sigma_y^2 + 2 sigma_xy`, of the difference with `- 2 sigma_xy`.
    let (sums, difference) = (sums - sum.clone().square(), difference.square());
    let differences = differences - difference.clone();
    let sum = (sum + 2.0 * MIDDLE).square();
    let luminance =
        ((sum.clone() - difference.clone()) / 2.0 + SSIM_C1) / ((sum + difference) / 2.0 + SSIM_C1);
    let contrast_structure =
        ((sums.clone() - differences.clone()) / 2.0 + SSIM_C2) / ((sums + differences) / 2.0 + SSIM_C2);
    (image_means(luminance * contrast_structure.clone()), image_means(contrast_structure))
}

/// The channels one by one.
fn parts<const CHANNELS: usize>(planes: Tensor<4>) -> [Tensor<4>; CHANNELS] {
    planes.chunk(CHANNELS, 1).try_into().expect("as many channels")
}
