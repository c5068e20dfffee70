//! The losses of Lin and Wang 2018.

use burn::tensor::activation::relu;
use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};

/// How squared differences become one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reduction {
    /// The mean over everything.
    Mean,
    /// Half the sum over each image for pixels, as in Caffe's `EuclideanLoss`, and the sum over channels of the mean
    /// over places for features, as equations 4 and 5 print it; the mean over the batch in both.
    PerSample,
}

/// The generator's part in the adversarial game.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Adversarial {
    /// `log(1 - D(G(I_d)))`, as printed: flat where the discriminator is sure.
    Saturating,
    /// `-log D(G(I_d))`: the same fixed points, steep where the discriminator is sure (Goodfellow et al. 2014).
    NonSaturating,
}

/// Up to which error of the regressor a hallucination counts as real.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Epsilon {
    /// Errors below this, in the units of the score. The paper does not give its value.
    Fixed(f64),
    /// This part of each batch, the smallest errors. Not of the paper.
    Quantile(f64),
}

/// `L_p`: the squared difference of hallucinated and true reference.
///
/// # Shapes
/// - both: `[n, 3, height, width]`; returns `[1]`
pub fn pixel_loss(hallucinated: Tensor<4>, reference: Tensor<4>, reduction: Reduction) -> Tensor<1> {
    let [n, ..] = reference.dims();
    let squares = (hallucinated - reference).powi_scalar(2);
    match reduction {
        Reduction::Mean => squares.mean(),
        Reduction::PerSample => squares.sum() / (2.0 * n as f64),
    }
}

/// `l_v` and `l_q`: the squared difference of the features of both in a fixed network (equations 4 and 5).
///
/// # Shapes
/// - both: `[n, channels, height, width]`; returns `[1]`
pub fn feature_loss(hallucinated: Tensor<4>, reference: Tensor<4>, reduction: Reduction) -> Tensor<1> {
    let [_, channels, ..] = reference.dims();
    let mean = (hallucinated - reference).powi_scalar(2).mean();
    match reduction {
        Reduction::Mean => mean,
        Reduction::PerSample => mean * channels as f64,
    }
}

/// `d_fake` of equation 7: 1 where the regressor, given the hallucination, is close to the label, else 0. Detached.
///
/// # Shapes
/// - both: `[n]`; returns `[n]`
pub fn agreement(predicted: Tensor<1>, targets: Tensor<1>, epsilon: Epsilon) -> Tensor<1> {
    let device = targets.device();
    let errors = (predicted.detach() - targets).abs().into_data();
    let errors: Vec<f64> = errors.iter::<f64>().collect();
    let limit = match epsilon {
        Epsilon::Fixed(limit) => limit,
        Epsilon::Quantile(part) => {
            let mut sorted = errors.clone();
            sorted.sort_by(f64::total_cmp);
            let count = (part * sorted.len() as f64).round() as usize;
            sorted.get(count).copied().unwrap_or(f64::INFINITY)
        }
    };
    let accepted: Vec<f32> = errors.iter().map(|&error| f32::from(u8::from(error < limit))).collect();
    let count = accepted.len();
    Tensor::from_data(TensorData::new(accepted, [count]), &device)
}

/// `log(1 + exp(x))`, without overflow.
fn softplus(x: Tensor<1>) -> Tensor<1> {
    relu(x.clone()) + (-x.abs()).exp().log1p()
}

/// What the discriminator minimises: the cross-entropy of its logits with targets of 0 and 1.
///
/// The paper prints `log(1 - |D - d_fake|)` to be maximised; for targets of 0 and 1 that is the same number.
///
/// # Shapes
/// - both: `[n]`; returns `[1]`
pub fn cross_entropy(logits: Tensor<1>, targets: Tensor<1>) -> Tensor<1> {
    (softplus(logits.clone()) - logits * targets).mean()
}

/// `L_adv`, minimised by the generator.
///
/// # Shapes
/// - `logits`: `[n]`, of the hallucinations; returns `[1]`
pub fn adversarial_loss(logits: Tensor<1>, kind: Adversarial) -> Tensor<1> {
    match kind {
        Adversarial::Saturating => -softplus(logits).mean(),
        Adversarial::NonSaturating => softplus(-logits).mean(),
    }
}
