//! HIQA as a model that scores.

use burn::tensor::{Device, Tensor};
use image::RgbImage;
use iqa_core::ScoreSpec;
use iqa_nn::{Identity, ModelError, NamedTensors, QualityModel, Scored, check_reference};

use super::model::Hiqa;
use super::score::HiqaScoreOptions;
use crate::HeadError;

/// HIQA or its baseline; the oracle, which takes a reference, is [`Hiqa::score_oracle`].
#[derive(Debug)]
pub struct HiqaModel {
    network: Hiqa,
    options: HiqaScoreOptions,
    digest: String,
}

impl HiqaModel {
    /// The network of a weights file.
    ///
    /// # Errors
    /// As [`Hiqa::from_tensors`].
    pub fn from_tensors(tensors: NamedTensors, device: &Device) -> Result<Self, HeadError> {
        let digest = tensors.digest()?;
        let network = Hiqa::from_tensors(tensors, device)?;
        Ok(Self { network, options: HiqaScoreOptions::default(), digest })
    }

    /// A network as it is now.
    ///
    /// # Errors
    /// [`HeadError::Nn`] when its weights cannot be read back from the device.
    pub fn new(network: Hiqa) -> Result<Self, HeadError> {
        let digest = network.to_tensors("model".as_ref())?.digest()?;
        Ok(Self { network, options: HiqaScoreOptions::default(), digest })
    }
}

impl QualityModel for HiqaModel {
    fn name(&self) -> &str {
        "hiqa"
    }

    fn spec(&self) -> ScoreSpec {
        self.network.score_spec()
    }

    fn identity(&self) -> Identity {
        Identity::weights(&self.digest, &self.network.device())
    }

    fn minimum_size(&self) -> (u32, u32) {
        let side = self.network.config().patch as u32;
        (side, side)
    }

    fn score(&self, distorted: &RgbImage, reference: Option<&RgbImage>) -> Result<Scored, ModelError> {
        Ok(self.network.score(distorted, reference, &self.options)?.score.into())
    }

    fn score_tensors(
        &self,
        distorted: Tensor<4>,
        reference: Option<Tensor<4>>,
    ) -> Result<Tensor<1>, ModelError> {
        check_reference(self.spec().reference, reference.is_some())?;
        Ok(self.network.score_tensor(distorted, &self.options)?)
    }
}
