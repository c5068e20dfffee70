//! DIQaM and WaDIQaM as models that score.

use burn::tensor::{Device, Tensor};
use image::RgbImage;
use iqa_core::ScoreSpec;
use iqa_nn::{Identity, ModelError, NamedTensors, Prepared, QualityModel, Scored};

use super::config::{Fusion, Pooling, WadiqamConfig};
use super::model::Wadiqam;
use super::patches::PatchSampler;
use super::score::ScoreOptions;
use super::weights::{Lost, lost_configuration};
use crate::{HeadError, Stored};

/// A [`Wadiqam`] with the patches that it looks at.
#[derive(Debug)]
pub struct WadiqamModel {
    network: Wadiqam,
    options: ScoreOptions,
    digest: String,
    remark: Option<&'static str>,
}

/// Of weights in our layout whose configuration was lost, by a tool that keeps tensors alone say.
const NO_CONFIGURATION: &str = "the weights say nothing of their scale: taken for the paper's, 0 to 100, lower is better, inputs of 0 \
                                to 255; scores of weights that were trained otherwise are wrong";

/// The same of those that were taken for a full-reference network's by the name of the model alone.
const NO_CONFIGURATION_NOR_KIND: &str = "the weights say nothing of their kind and scale: taken for those of a network that compares \
                                         features by their difference alone, and for the paper's, 0 to 100, lower is better, inputs \
                                         of 0 to 255; scores of weights that were trained otherwise, or without references, are wrong";

impl WadiqamModel {
    /// The network of a weights file, ours or one of those that [`WeightLayout`](super::WeightLayout) lists; `expected`
    /// says of which kind. That decides too where weights in our layout have lost their configuration and fit both kinds: as those
    /// of a full-reference network they are taken for one that fuses by difference alone, and [`Self::remark`] says so.
    ///
    /// # Errors
    /// As [`Wadiqam::from_tensors`].
    pub fn from_tensors(
        tensors: NamedTensors,
        expected: &WadiqamConfig,
        device: &Device,
    ) -> Result<Self, HeadError> {
        let digest = tensors.digest()?;
        let lost = lost_configuration(&tensors)?;
        let mut expected = expected.clone();
        let remark = match lost {
            Some(Lost::EitherKind) if expected.is_full_reference() => {
                expected.fusion = Fusion::DiffOnly;
                Some(NO_CONFIGURATION_NOR_KIND)
            }
            Some(_) => Some(NO_CONFIGURATION),
            None => None,
        };
        let network = Wadiqam::from_tensors(tensors, &expected, device)?;
        Ok(Self { remark, ..Self::of(network, digest) })
    }

    /// A network as it is now.
    ///
    /// # Errors
    /// [`HeadError::Nn`] when its weights cannot be read back from the device.
    pub fn new(network: Wadiqam) -> Result<Self, HeadError> {
        let digest = network.digest()?;
        Ok(Self::of(network, digest))
    }

    fn of(network: Wadiqam, digest: String) -> Self {
        Self { options: ScoreOptions::on(&network.device()), network, digest, remark: None }
    }

    /// Changes which patches are looked at.
    ///
    /// # Errors
    /// As [`PatchSampler::validate`].
    pub fn with_sampler(mut self, sampler: PatchSampler) -> Result<Self, HeadError> {
        sampler.validate()?;
        self.options.sampler = sampler;
        Ok(self)
    }

    /// The network.
    pub fn network(&self) -> &Wadiqam {
        &self.network
    }
}

impl QualityModel for WadiqamModel {
    fn name(&self) -> &str {
        let config = self.network.config();
        match (config.pooling, config.is_full_reference()) {
            (Pooling::Weighted, true) => "wadiqam_fr",
            (Pooling::Weighted, false) => "wadiqam_nr",
            (Pooling::Mean, true) => "diqam_fr",
            (Pooling::Mean, false) => "diqam_nr",
        }
    }

    fn remark(&self) -> Option<&str> {
        self.remark
    }

    fn spec(&self) -> ScoreSpec {
        self.network.score_spec()
    }

    fn identity(&self) -> Identity {
        let patches = match self.options.sampler {
            sampler if sampler == PatchSampler::official() => String::new(),
            PatchSampler::Grid { stride, inclusive } => {
                format!(
                    "a grid with stride {stride}{}",
                    if inclusive { "" } else { ", less its last places" }
                )
            }
            PatchSampler::Random { patches, seed } => {
                format!("{patches} random patches, drawn for each image, with seed {seed}")
            }
        };
        Identity::weights(&self.digest, &self.network.device()).with("choice of patches", patches)
    }

    fn minimum_size(&self) -> (u32, u32) {
        let side = self.options.sampler.minimum_side();
        (side, side)
    }

    fn has_patches(&self) -> bool {
        true
    }

    fn score(&self, distorted: &RgbImage, reference: Option<&RgbImage>) -> Result<Scored, ModelError> {
        let sampler = self.options.sampler.for_picture(distorted);
        Ok(self.network.score(distorted, reference, &ScoreOptions { sampler, ..self.options })?.into())
    }

    fn prepare(&self, reference: &RgbImage) -> Result<Prepared, ModelError> {
        Ok(match self.options.sampler {
            PatchSampler::Grid { .. } => Prepared::new(self.network.prepare(reference, &self.options)?),
            // Each version of it is looked at in other places.
            PatchSampler::Random { .. } => Prepared::new(reference.clone()),
        })
    }

    fn score_prepared(&self, distorted: &RgbImage, reference: &Prepared) -> Result<Scored, ModelError> {
        match self.options.sampler {
            PatchSampler::Grid { .. } => Ok(self.network.score_prepared(distorted, reference.get()?)?.into()),
            PatchSampler::Random { .. } => self.score(distorted, Some(reference.get::<RgbImage>()?)),
        }
    }

    /// Random patches lie at the same places in all images of the batch: they are not read for it.
    fn score_tensors(
        &self,
        distorted: Tensor<4>,
        reference: Option<Tensor<4>>,
    ) -> Result<Tensor<1>, ModelError> {
        Ok(self.network.score_tensor(distorted, reference, self.options.sampler)?)
    }
}
