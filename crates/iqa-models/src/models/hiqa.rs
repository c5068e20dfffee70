use burn::tensor::{Device, Tensor};
use image::RgbImage;
use iqa_core::{NamedTensors, ScoreSpec};
use iqa_heads::HeadError;
use iqa_heads::hiqa::{Hiqa, HiqaScoreOptions};
use iqa_heads::wadiqam::ScoreOptions;

use super::{AnyModel, Model, Scored};
use crate::ModelError;

/// HIQA or its baseline, as the file says.
pub(crate) fn open(tensors: NamedTensors, device: &Device) -> Result<Box<dyn AnyModel>, ModelError> {
    Ok(Box::new(Hiqa::from_tensors(tensors, device)?))
}

/// Scores without a reference; the oracle, which takes one, is [`Hiqa::score_oracle`]. `ScoreOptions` are those of
/// patches of 32 pixels and have no say here.
impl Model for Hiqa {
    type Prepared = ();

    fn spec(&self) -> ScoreSpec {
        self.score_spec()
    }

    fn score(
        &self,
        distorted: &RgbImage,
        reference: Option<&RgbImage>,
        _options: &ScoreOptions,
    ) -> Result<Scored, ModelError> {
        Ok(self.score(distorted, reference, &HiqaScoreOptions::default())?.score.into())
    }

    fn prepare(&self, _reference: &RgbImage, _options: &ScoreOptions) -> Result<(), ModelError> {
        Err(HeadError::ReferenceUnexpected.into())
    }

    fn score_prepared(&self, _distorted: &RgbImage, _prepared: &()) -> Result<Scored, ModelError> {
        Err(HeadError::ReferenceUnexpected.into())
    }

    fn score_tensors(
        &self,
        distorted: Tensor<4>,
        reference: Option<Tensor<4>>,
        _options: &ScoreOptions,
    ) -> Result<Tensor<1>, ModelError> {
        match reference {
            Some(_) => Err(HeadError::ReferenceUnexpected.into()),
            None => Ok(self.score_tensor(distorted, &HiqaScoreOptions::default())?),
        }
    }
}
