use burn::tensor::{Device, Tensor};
use image::RgbImage;
use iqa_core::{NamedTensors, ScoreSpec};
use iqa_heads::gsn::{FusedGsn, Gsn, GsnConfig, PreparedReference, ScoreOptions as Crops};
use iqa_heads::wadiqam::ScoreOptions;

use super::{AnyModel, Model, Scored};
use crate::ModelError;

/// GSN; a file without a configuration is of the published network.
pub(crate) fn open(tensors: NamedTensors, device: &Device) -> Result<Box<dyn AnyModel>, ModelError> {
    Ok(Box::new(Gsn::from_tensors(tensors, &GsnConfig::new(), device)?.fuse()))
}

impl Model for FusedGsn {
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
        Ok(self.score(distorted, reference, &Crops::default())?.score.into())
    }

    fn prepare(&self, reference: &RgbImage, _: &ScoreOptions) -> Result<PreparedReference, ModelError> {
        Ok(self.prepare(reference, &Crops::default())?)
    }

    fn score_prepared(
        &self,
        distorted: &RgbImage,
        prepared: &PreparedReference,
    ) -> Result<Scored, ModelError> {
        Ok(self.score_prepared(distorted, prepared)?.score.into())
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
