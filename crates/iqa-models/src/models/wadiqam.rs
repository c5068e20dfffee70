use burn::tensor::{Device, Tensor};
use image::RgbImage;
use iqa_core::{NamedTensors, ScoreSpec};
use iqa_heads::wadiqam::{ImageScore, PreparedReference, ScoreOptions, Wadiqam, WadiqamConfig};

use super::{AnyModel, Model, Scored};
use crate::ModelError;

/// DIQaM or WaDIQaM; `expected` says of which kind.
pub(crate) fn open(
    expected: &WadiqamConfig,
    tensors: NamedTensors,
    device: &Device,
) -> Result<Box<dyn AnyModel>, ModelError> {
    Ok(Box::new(Wadiqam::from_tensors(tensors, expected, device)?))
}

impl From<ImageScore> for Scored {
    fn from(ImageScore { score, patches }: ImageScore) -> Self {
        Self { score, patches: Some(patches) }
    }
}

impl Model for Wadiqam {
    type Prepared = PreparedReference;

    fn spec(&self) -> ScoreSpec {
        self.score_spec()
    }

    fn has_options(&self) -> bool {
        true
    }

    fn score(
        &self,
        distorted: &RgbImage,
        reference: Option<&RgbImage>,
        options: &ScoreOptions,
    ) -> Result<Scored, ModelError> {
        Ok(self.score(distorted, reference, options)?.into())
    }

    fn prepare(&self, reference: &RgbImage, options: &ScoreOptions) -> Result<PreparedReference, ModelError> {
        Ok(self.prepare(reference, options)?)
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
        options: &ScoreOptions,
    ) -> Result<Tensor<1>, ModelError> {
        Ok(self.score_tensor(distorted, reference, options.sampler)?)
    }
}
