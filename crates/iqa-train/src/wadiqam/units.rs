//! What the network learns from.

use burn::tensor::Tensor;
use iqa_heads::wadiqam::PatchScores;

/// Scores, and as many labels: of patches where an image's score is their mean, else of images, each of which has as many
/// patches.
pub(super) fn units(scores: &PatchScores, targets: &[f64]) -> (Tensor<1>, Vec<f64>) {
    if scores.weight.is_some() {
        return (scores.pool(targets.len()), targets.to_vec());
    }
    let [patches] = scores.quality.dims();
    let labels = targets.iter().flat_map(|&target| vec![target; patches / targets.len()]);
    (scores.quality.clone(), labels.collect())
}
