//! LPIPS as a model that scores.

use burn::tensor::{Device, Tensor};
use image::RgbImage;
use iqa_backbones::Backbone;
use iqa_backbones::pretrained::{PretrainedFile, PretrainedSource};
use iqa_core::{Direction, ReferenceNeed, ScoreSpec};
use iqa_nn::{
    Identity, ModelError, NamedTensors, Prepared, QualityModel, ScoreError, Scored, image_to_tensor,
};

use super::network::{Lpips, LpipsTrunk};
use crate::HeadError;

/// LPIPS with the trunk's name.
#[derive(Debug)]
pub struct LpipsModel {
    network: Lpips,
    name: &'static str,
    minimum: (u32, u32),
    digest: String,
}

impl LpipsModel {
    /// The weights of the channels, on torchvision's weights of the trunk from `source`.
    ///
    /// # Errors
    /// [`HeadError::Backbone`] when the trunk's weights are not at hand, [`HeadError::Nn`] for weights that do not fit.
    pub fn open(
        tensors: &NamedTensors,
        trunk: LpipsTrunk,
        source: &PretrainedSource,
        device: &Device,
    ) -> Result<Self, HeadError> {
        let config = trunk.backbone(1);
        let file = NamedTensors::read(source.locate(PretrainedFile::torchvision(config.architecture))?)?;
        let digest = format!("{} on {}", tensors.digest()?, file.digest()?);
        let backbone = Backbone::from_tensors(file, &config, device)?;
        let network = Lpips::new(tensors, backbone)?;
        let side = network.minimum_size()? as u32;
        let name = if trunk == LpipsTrunk::Alex { "lpips_alex" } else { "lpips_vgg" };
        Ok(Self { network, name, minimum: (side, side), digest })
    }

    fn features(&self, image: &RgbImage) -> Vec<Tensor<4>> {
        self.network.features(image_to_tensor(image, &self.network.device()))
    }
}

impl QualityModel for LpipsModel {
    fn name(&self) -> &str {
        self.name
    }

    fn spec(&self) -> ScoreSpec {
        ScoreSpec::new(Direction::LowerIsBetter, 0.0, 1.0, ReferenceNeed::FullReference)
    }

    fn identity(&self) -> Identity {
        Identity::weights(&self.digest, &self.network.device())
    }

    fn minimum_size(&self) -> (u32, u32) {
        self.minimum
    }

    fn score(&self, distorted: &RgbImage, reference: Option<&RgbImage>) -> Result<Scored, ModelError> {
        let reference = self.features(reference.ok_or(ScoreError::ReferenceMissing)?);
        Ok(self.network.distance(self.features(distorted), reference).into_scalar::<f64>().into())
    }

    fn prepare(&self, reference: &RgbImage) -> Result<Prepared, ModelError> {
        Ok(Prepared::new(self.features(reference)))
    }

    fn score_prepared(&self, distorted: &RgbImage, reference: &Prepared) -> Result<Scored, ModelError> {
        let reference = reference.get::<Vec<Tensor<4>>>()?.clone();
        Ok(self.network.distance(self.features(distorted), reference).into_scalar::<f64>().into())
    }

    fn score_tensors(
        &self,
        distorted: Tensor<4>,
        reference: Option<Tensor<4>>,
    ) -> Result<Tensor<1>, ModelError> {
        Ok(self.network.forward(distorted, reference.ok_or(ScoreError::ReferenceMissing)?))
    }
}
