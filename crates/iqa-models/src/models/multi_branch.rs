use burn::tensor::{Device, Tensor};
use image::RgbImage;
use iqa_core::{NamedTensors, ScoreSpec};
use iqa_heads::multi_branch::{MultiBranch, MultiBranchConfig, PreparedReference};
use iqa_heads::wadiqam::ScoreOptions;

use super::{AnyModel, Model, Scored};
use crate::ModelError;

/// A multi-branch model, to score alone: its batch norms are folded.
pub(crate) fn open(
    expected: &MultiBranchConfig,
    tensors: NamedTensors,
    device: &Device,
) -> Result<Box<dyn AnyModel>, ModelError> {
    Ok(Box::new(MultiBranch::from_tensors(tensors, expected, device)?.fuse()))
}

impl Model for MultiBranch {
    type Prepared = PreparedReference;

    fn spec(&self) -> ScoreSpec {
        self.score_spec()
    }

    fn score(
        &self,
        distorted: &RgbImage,
        reference: Option<&RgbImage>,
        _: &ScoreOptions,
    ) -> Result<Scored, ModelError> {
        Ok(self.score(distorted, reference)?.into())
    }

    fn prepare(&self, reference: &RgbImage, _: &ScoreOptions) -> Result<PreparedReference, ModelError> {
        Ok(self.prepare(reference)?)
    }

    fn score_prepared(
        &self,
        distorted: &RgbImage,
        prepared: &PreparedReference,
    ) -> Result<Scored, ModelError> {
        Ok(self.score_prepared(distorted, prepared)?.into())
    }

    fn score_tensors(
        &self,
        distorted: Tensor<4>,
        reference: Option<Tensor<4>>,
        _: &ScoreOptions,
    ) -> Result<Tensor<1>, ModelError> {
        Ok(self.score_tensor(distorted, reference)?)
    }
}
