//! DISTS as a model that scores.

use burn::tensor::{Device, Tensor};
use image::RgbImage;
use iqa_backbones::Backbone;
use iqa_backbones::pretrained::{PretrainedFile, PretrainedSource};
use iqa_core::{Direction, ReferenceNeed, ScoreSpec};
use iqa_nn::{
    Identity, ModelError, NamedTensors, Prepared, QualityModel, ScoreError, Scored, image_to_tensor,
};

use super::network::{Dists, dists_backbone};
use crate::HeadError;

/// Four poolings by two.
const MINIMUM: u32 = 16;

/// DISTS with what its scores depend on.
#[derive(Debug)]
pub struct DistsModel {
    network: Dists,
    digest: String,
}

impl DistsModel {
    /// The weights of the channels, on torchvision's weights of VGG16 from `source`.
    ///
    /// # Errors
    /// [`HeadError::Backbone`] when VGG16's weights are not at hand, [`HeadError::Nn`] for weights that do not fit.
    pub fn open(
        tensors: &NamedTensors,
        source: &PretrainedSource,
        device: &Device,
    ) -> Result<Self, HeadError> {
        let config = dists_backbone(1);
        let file = NamedTensors::read(source.locate(PretrainedFile::torchvision(config.architecture))?)?;
        let digest = format!("{} on {}", tensors.digest()?, file.digest()?);
        let network = Dists::new(tensors, &Backbone::from_tensors(file, &config, device)?)?;
        Ok(Self { network, digest })
    }

    fn features(&self, image: &RgbImage) -> Vec<Tensor<4>> {
        self.network.features(image_to_tensor(image, &self.network.device()))
    }
}

impl QualityModel for DistsModel {
    fn name(&self) -> &str {
        "dists"
    }

    fn spec(&self) -> ScoreSpec {
        ScoreSpec::new(Direction::LowerIsBetter, 0.0, 1.0, ReferenceNeed::FullReference)
    }

    fn identity(&self) -> Identity {
        Identity::weights(&self.digest, &self.network.device())
    }

    fn minimum_size(&self) -> (u32, u32) {
        (MINIMUM, MINIMUM)
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
