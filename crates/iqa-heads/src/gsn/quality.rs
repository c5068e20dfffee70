//! GSN as a model that scores.

use burn::tensor::{Device, Tensor};
use image::RgbImage;
use iqa_core::ScoreSpec;
use iqa_nn::{Identity, ModelError, NamedTensors, Prepared, QualityModel, Scored};

use super::config::GsnConfig;
use super::fused::FusedGsn;
use super::model::Gsn;
use super::score::ScoreOptions;
use crate::{HeadError, Stored};

/// A network that scores by five crops.
#[derive(Debug)]
pub struct GsnModel {
    network: FusedGsn,
    options: ScoreOptions,
    digest: String,
}

impl GsnModel {
    /// The network of a weights file; of one without a configuration it is the paper's.
    ///
    /// # Errors
    /// As [`Gsn::from_tensors`].
    pub fn from_tensors(tensors: NamedTensors, device: &Device) -> Result<Self, HeadError> {
        let digest = tensors.digest()?;
        let network = Gsn::from_tensors(tensors, &GsnConfig::new(), device)?.fuse();
        Ok(Self { network, options: ScoreOptions::default(), digest })
    }

    /// A network as it is now.
    ///
    /// # Errors
    /// [`HeadError::Nn`] when its weights cannot be read back from the device.
    pub fn new(network: &Gsn) -> Result<Self, HeadError> {
        let digest = network.digest()?;
        Ok(Self { network: network.fuse(), options: ScoreOptions::default(), digest })
    }
}

impl QualityModel for GsnModel {
    fn name(&self) -> &str {
        "gsn"
    }

    fn spec(&self) -> ScoreSpec {
        self.network.score_spec()
    }

    fn identity(&self) -> Identity {
        Identity::weights(&self.digest, &self.network.device())
    }

    fn has_free_scale(&self) -> bool {
        self.network.config().free_scale == Some(true)
    }

    fn minimum_size(&self) -> (u32, u32) {
        let side = self.network.config().crop as u32;
        (side, side)
    }

    fn score(&self, distorted: &RgbImage, reference: Option<&RgbImage>) -> Result<Scored, ModelError> {
        Ok(self.network.score(distorted, reference, &self.options)?.score.into())
    }

    fn prepare(&self, reference: &RgbImage) -> Result<Prepared, ModelError> {
        Ok(Prepared::new(self.network.prepare(reference, &self.options)?))
    }

    fn score_prepared(&self, distorted: &RgbImage, reference: &Prepared) -> Result<Scored, ModelError> {
        Ok(self.network.score_prepared(distorted, reference.get()?)?.score.into())
    }

    fn score_tensors(
        &self,
        distorted: Tensor<4>,
        reference: Option<Tensor<4>>,
    ) -> Result<Tensor<1>, ModelError> {
        Ok(self.network.score_tensor(distorted, reference)?)
    }
}
