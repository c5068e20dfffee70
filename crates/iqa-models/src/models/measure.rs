use burn::tensor::Tensor;
use image::RgbImage;
use iqa_core::{Direction, ReferenceNeed, ScoreSpec};
use iqa_heads::HeadError;
use iqa_heads::wadiqam::ScoreOptions;
use iqa_metrics::image::Measure;

use super::{Model, Scored};
use crate::ModelError;

impl Model for Measure {
    type Prepared = RgbImage;

    fn spec(&self) -> ScoreSpec {
        let direction =
            if self.higher_is_better() { Direction::HigherIsBetter } else { Direction::LowerIsBetter };
        ScoreSpec { direction, range: self.range(), reference: ReferenceNeed::FullReference }
    }

    fn score(
        &self,
        distorted: &RgbImage,
        reference: Option<&RgbImage>,
        _options: &ScoreOptions,
    ) -> Result<Scored, ModelError> {
        let reference = reference.ok_or(HeadError::ReferenceMissing)?;
        Ok((*self).score(distorted, reference)?.into())
    }

    fn prepare(&self, reference: &RgbImage, _options: &ScoreOptions) -> Result<RgbImage, ModelError> {
        Ok(reference.clone())
    }

    fn score_prepared(&self, distorted: &RgbImage, prepared: &RgbImage) -> Result<Scored, ModelError> {
        Ok((*self).score(distorted, prepared)?.into())
    }

    fn score_tensors(
        &self,
        _distorted: Tensor<4>,
        _reference: Option<Tensor<4>>,
        _options: &ScoreOptions,
    ) -> Result<Tensor<1>, ModelError> {
        Err(ModelError::ImagesOnly { name: self.name() })
    }
}
