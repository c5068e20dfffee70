//! What learns: the network, and a line from its score to the labels of each further source.

use burn::module::{Module, Param};
use burn::tensor::{Device, Int, Tensor, TensorData};
use iqa_heads::wadiqam::{PatchScores, Wadiqam};

/// A network with the scales of its sources.
///
/// The labels of source 0 are on the scale of the score. Those of another are taken to be a rising line of it,
/// `exp(a) * score + b` in units of the score's range, where `a` and `b` are learned; they serve the training alone.
#[derive(Module, Debug)]
pub(super) struct Learner {
    pub(super) network: Wadiqam,
    /// `[sources - 1, 2]`: `a` and `b`; `None` with one source.
    lines: Option<Param<Tensor<2>>>,
}

impl Learner {
    /// Lines start as the identity.
    pub(super) fn new(network: Wadiqam, sources: usize, device: &Device) -> Self {
        let lines = (sources > 1).then(|| Param::from_tensor(Tensor::zeros([sources - 1, 2], device)));
        Self { network, lines }
    }

    /// Patch scores on the scale of each image's labels; `sources` has the source of every image, each of which has
    /// the same number of patches.
    pub(super) fn on_labels(&self, scores: PatchScores, sources: &[usize]) -> PatchScores {
        let Some(lines) = &self.lines else { return scores };
        let [patches] = scores.quality.dims();
        let device = scores.quality.device();
        let (low, high) = self.network.config().range;
        let lines = Tensor::cat(vec![Tensor::zeros([1, 2], &device), lines.val()], 0);
        let each: Vec<i64> =
            sources.iter().flat_map(|&source| vec![source as i64; patches / sources.len()]).collect();
        let each = Tensor::<1, Int>::from_data(TensorData::new(each, [patches]), &device);
        let lines = lines.select(0, each);
        let column = |index: usize| -> Tensor<1> {
            lines.clone().slice([0..patches, index..index + 1]).reshape([patches])
        };
        let unit = (scores.quality.clone() - low) / (high - low);
        let quality = (unit * column(0).exp() + column(1)) * (high - low) + low;
        PatchScores { quality, ..scores }
    }
}
