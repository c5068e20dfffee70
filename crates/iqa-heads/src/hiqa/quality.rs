//! HIQA as a model that scores.

use std::path::PathBuf;

use burn::tensor::{Device, Tensor};
use image::RgbImage;
use iqa_core::{ReferenceNeed, ScoreSpec};
use iqa_nn::{Identity, ModelError, NamedTensors, QualityModel, Scored, check_reference};

use super::config::MapSource;
use super::model::Hiqa;
use super::score::HiqaScoreOptions;
use crate::{HeadError, Stored};

/// HIQA or its baseline; or its oracle, which takes the true reference in place of the hallucinated one.
#[derive(Debug)]
pub struct HiqaModel {
    network: Hiqa,
    options: HiqaScoreOptions,
    digest: String,
    oracle: bool,
}

impl HiqaModel {
    /// The network of a weights file.
    ///
    /// # Errors
    /// As [`Hiqa::from_tensors`]; [`HeadError::WrongModel`] for a regressor that learned from maps of true references.
    pub fn from_tensors(tensors: NamedTensors, device: &Device) -> Result<Self, HeadError> {
        let (model, path) = Self::read(tensors, device)?;
        if model.network.config().map_source == Some(MapSource::Reference) {
            let found = "one that has learned from true ones: `hiqa_oracle`";
            return Err(wrong(path, "HIQA for hallucinated references", found));
        }
        Ok(model)
    }

    /// That of the paper's oracle: the discrepancy to the true reference is scored, so it needs one. It is trained so; weights
    /// that have learned from hallucinated references are taken too.
    ///
    /// # Errors
    /// As [`Hiqa::from_tensors`]; [`HeadError::WrongModel`] for the baseline, which looks at no discrepancy.
    pub fn oracle(tensors: NamedTensors, device: &Device) -> Result<Self, HeadError> {
        let (model, path) = Self::read(tensors, device)?;
        if model.network.generator().is_none() {
            return Err(wrong(path, "HIQA with a discrepancy map", "the baseline"));
        }
        Ok(Self { oracle: true, ..model })
    }

    fn read(tensors: NamedTensors, device: &Device) -> Result<(Self, PathBuf), HeadError> {
        let (digest, path) = (tensors.digest()?, tensors.origin().into());
        let network = Hiqa::from_tensors(tensors, device)?;
        Ok((
            Self { network: network.fuse(), options: HiqaScoreOptions::default(), digest, oracle: false },
            path,
        ))
    }

    /// A network as it is now.
    ///
    /// # Errors
    /// [`HeadError::Nn`] when its weights cannot be read back from the device.
    pub fn new(network: Hiqa) -> Result<Self, HeadError> {
        let digest = network.digest()?;
        Ok(Self { network: network.fuse(), options: HiqaScoreOptions::default(), digest, oracle: false })
    }
}

/// Of weights that a user may have taken for the oracle's.
const NOT_OF_TRUE_REFERENCES: &str = "the regressor has not learned from discrepancies to true references, which it is given here (`--oracle` trains one)";

fn wrong(path: PathBuf, expected: &'static str, found: &str) -> HeadError {
    HeadError::WrongModel { path, expected: expected.into(), found: found.into() }
}

impl QualityModel for HiqaModel {
    fn name(&self) -> &str {
        if self.oracle { "hiqa_oracle" } else { "hiqa" }
    }

    fn remark(&self) -> Option<&str> {
        let learned = self.network.config().map_source;
        (self.oracle && learned != Some(MapSource::Reference)).then_some(NOT_OF_TRUE_REFERENCES)
    }

    fn spec(&self) -> ScoreSpec {
        let reference = if self.oracle { ReferenceNeed::FullReference } else { ReferenceNeed::NoReference };
        ScoreSpec { reference, ..self.network.score_spec() }
    }

    fn identity(&self) -> Identity {
        Identity::weights(&self.digest, &self.network.device())
    }

    fn minimum_size(&self) -> (u32, u32) {
        let side = self.network.config().patch as u32;
        (side, side)
    }

    fn score(&self, distorted: &RgbImage, reference: Option<&RgbImage>) -> Result<Scored, ModelError> {
        let found = match reference {
            Some(reference) if self.oracle => {
                self.network.score_oracle(distorted, reference, &self.options)?
            }
            _ => self.network.score(distorted, reference, &self.options)?,
        };
        Ok(found.score.into())
    }

    fn score_tensors(
        &self,
        distorted: Tensor<4>,
        reference: Option<Tensor<4>>,
    ) -> Result<Tensor<1>, ModelError> {
        check_reference(self.spec().reference, reference.is_some())?;
        Ok(self.network.score_tensor(distorted, reference, &self.options)?)
    }
}
