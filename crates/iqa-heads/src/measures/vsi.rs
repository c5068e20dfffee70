use burn::tensor::{FloatDType, Tensor};
use iqa_metrics::image::conventions::{
    LMN, SCHARR, VSI_ALPHA, VSI_BETA, VSI_CHROMA, VSI_GRADIENT, VSI_SALIENCY, automatic_factor,
};

use super::planes::{Border, decimate, flat, gradient_magnitude, power, similarity, weighted};
use super::saliency::saliency;

/// [`iqa_metrics::image::vsi`] of tensors.
///
/// In double precision where the device has it. Gradients are largest where the formula is all but singular, which leaves
/// single precision two digits: at pixels whose chrominances are similar by nearly 0, of which it takes the power 0.02, and at
/// the least warm ones.
pub(super) fn vsi(distorted: Tensor<4>, reference: Tensor<4>) -> Tensor<1> {
    let [_, _, height, width] = distorted.dims();
    let factor = automatic_factor((width, height));
    let usual = distorted.dtype();
    let double = distorted.device().supports_dtype(FloatDType::F64);
    let [(salient_d, d), (salient_r, r)] = [distorted, reference].map(|image| {
        // Whole numbers for 8-bit images, in single precision too.
        let image = image * 255.0;
        let image = if double { image.cast(FloatDType::F64) } else { image };
        let maps = Tensor::cat(vec![saliency(image.clone()), weighted(image, &LMN)], 1);
        let mut maps = decimate(maps, factor, Border::Zero).split_with_sizes(vec![1, 3], 1).into_iter();
        (maps.next().expect("saliency"), maps.next().expect("colours").chunk(3, 1))
    });
    let colours = |channel: usize| similarity(d[channel].clone(), r[channel].clone(), VSI_CHROMA);
    let chroma = real_power(colours(1) * colours(2), VSI_BETA);
    let [gradient_d, gradient_r] = [&d, &r].map(|lmn| gradient_magnitude(lmn[0].clone(), SCHARR));
    let gradients = similarity(gradient_d, gradient_r, VSI_GRADIENT).powf_scalar(VSI_ALPHA);
    let map = similarity(salient_d.clone(), salient_r.clone(), VSI_SALIENCY) * gradients * chroma;
    let weight = flat(salient_d.max_pair(salient_r));
    // Where nothing is salient all pixels weigh the same.
    let nothing = weight.clone().sum_dim(1).lower_equal_elem(0.0).expand(weight.dims());
    let weight = weight.mask_fill(nothing, 1.0);
    let score: Tensor<1> = ((flat(map) * weight.clone()).sum_dim(1) / weight.sum_dim(1)).squeeze_dim(1);
    score.cast(usual)
}

/// The real part of `x^exponent`, which is complex for a negative `x`.
fn real_power(x: Tensor<4>, exponent: f64) -> Tensor<4> {
    let negative = x.clone().lower_elem(0.0);
    let size = power(x.abs(), exponent);
    let turned = size.clone() * (std::f64::consts::PI * exponent).cos();
    size.mask_where(negative, turned)
}
