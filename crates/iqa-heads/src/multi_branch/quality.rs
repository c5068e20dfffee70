//! The multi-branch model as one that scores.

use burn::tensor::{Device, Tensor};
use image::RgbImage;
use iqa_backbones::Architecture;
use iqa_core::ScoreSpec;
use iqa_nn::{Identity, ModelError, NamedTensors, Prepared, QualityModel, Scored};

use super::config::MultiBranchConfig;
use super::model::MultiBranch;
use crate::{HeadError, Stored};

/// A [`MultiBranch`] whose batch norms are folded.
#[derive(Debug)]
pub struct MultiBranchModel {
    network: MultiBranch,
    minimum: (u32, u32),
    digest: String,
}

impl MultiBranchModel {
    /// The network of a weights file, on the backbone that `expected` has.
    ///
    /// # Errors
    /// As [`MultiBranch::from_tensors`].
    pub fn from_tensors(
        tensors: NamedTensors,
        expected: &MultiBranchConfig,
        device: &Device,
    ) -> Result<Self, HeadError> {
        let digest = tensors.digest()?;
        Self::of(MultiBranch::from_tensors(tensors, expected, device)?, digest)
    }

    /// A network as it is now, not folded yet.
    ///
    /// # Errors
    /// As [`Stored::weights`].
    pub fn new(network: MultiBranch) -> Result<Self, HeadError> {
        let digest = network.digest()?;
        Self::of(network, digest)
    }

    fn of(network: MultiBranch, digest: String) -> Result<Self, HeadError> {
        let minimum = network.minimum_size()?;
        Ok(Self { network: network.fuse(), minimum, digest })
    }
}

impl QualityModel for MultiBranchModel {
    fn name(&self) -> &str {
        let config = self.network.config();
        match config.architecture {
            Architecture::EfficientNetLite0 if !config.branches.has_frp() => "multibranch_lite_nr",
            Architecture::EfficientNetLite0 => "multibranch_lite",
            Architecture::Vgg16 => "multibranch_vgg16",
            Architecture::ResNet50 => "multibranch_resnet50",
            Architecture::InceptionV3 => "multibranch_inception_v3",
            _ => "multibranch",
        }
    }

    fn spec(&self) -> ScoreSpec {
        self.network.score_spec()
    }

    fn identity(&self) -> Identity {
        Identity::weights(&self.digest, &self.network.device())
    }

    fn minimum_size(&self) -> (u32, u32) {
        self.minimum
    }

    fn score(&self, distorted: &RgbImage, reference: Option<&RgbImage>) -> Result<Scored, ModelError> {
        Ok(self.network.score(distorted, reference)?.into())
    }

    fn prepare(&self, reference: &RgbImage) -> Result<Prepared, ModelError> {
        Ok(Prepared::new(self.network.prepare(reference)?))
    }

    fn score_prepared(&self, distorted: &RgbImage, reference: &Prepared) -> Result<Scored, ModelError> {
        Ok(self.network.score_prepared(distorted, reference.get()?)?.into())
    }

    fn score_tensors(
        &self,
        distorted: Tensor<4>,
        reference: Option<Tensor<4>>,
    ) -> Result<Tensor<1>, ModelError> {
        Ok(self.network.score_tensor(distorted, reference)?)
    }
}
