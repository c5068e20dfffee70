//! Burn's training-step traits, so that its `Learner` can drive the networks.

use burn::tensor::Tensor;
use burn_train::{InferenceStep, RegressionOutput, TrainOutput, TrainStep};

use super::model::{PatchScores, Wadiqam};

/// Patches of a few images, as many of each, one image after another.
#[derive(Clone, Debug)]
pub struct WadiqamBatch {
    /// Distorted patches, `[images * patches, 3, 32, 32]`, RGB in `[0, 1]`.
    pub distorted: Tensor<4>,
    /// The patches at the same places of the references; `None` for a no-reference model.
    pub reference: Option<Tensor<4>>,
    /// Label of each image, `[images]`, in the units and direction of the score.
    pub targets: Tensor<1>,
}

fn output(scores: &PatchScores, targets: Tensor<1>) -> RegressionOutput {
    let [images] = targets.dims();
    let loss = scores.l1_loss(targets.clone());
    RegressionOutput::new(loss, scores.pool(images).reshape([images, 1]), targets.reshape([images, 1]))
}

/// The loss of the papers ([`PatchScores::l1_loss`]), with dropout.
impl TrainStep for Wadiqam {
    type Input = WadiqamBatch;
    type Output = RegressionOutput;

    fn step(&self, batch: WadiqamBatch) -> TrainOutput<RegressionOutput> {
        let item = output(&self.forward_training(batch.distorted, batch.reference), batch.targets);
        TrainOutput::new(self, item.loss.backward(), item)
    }
}

impl InferenceStep for Wadiqam {
    type Input = WadiqamBatch;
    type Output = RegressionOutput;

    fn step(&self, batch: WadiqamBatch) -> RegressionOutput {
        output(&self.forward(batch.distorted, batch.reference), batch.targets)
    }
}
