//! The models by name.

use burn::tensor::Device;
use iqa_core::{NamedTensors, ReferenceNeed};
use iqa_heads::multi_branch::MultiBranchConfig;
use iqa_heads::wadiqam::WadiqamConfig;
use iqa_metrics::image::Measure;

use crate::ModelError;
use crate::models::{AnyModel, open_gsn, open_hiqa, open_multi_branch, open_wadiqam};
use crate::provenance::{self, TrainingSource};

/// A model that can be opened by name.
#[derive(Clone, Copy, Debug)]
pub struct ModelInfo {
    /// The name.
    pub name: &'static str,
    /// Whether it needs a reference image.
    pub reference: ReferenceNeed,
    weights: Weights,
    kind: Kind,
}

/// Where a model's weights come from.
#[derive(Clone, Copy, Debug)]
enum Weights {
    /// Safetensors inside this crate, and what they have learned from.
    Bundled(&'static [u8], &'static [TrainingSource]),
    /// There are none: the model is an image measure.
    Formula(Measure),
    /// A file that the caller gives; the text says where to get one.
    File(&'static str),
}

/// What is opened. The weights decide on everything but what is named here.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Wadiqam(fn() -> WadiqamConfig),
    Gsn,
    MultiBranch(fn() -> MultiBranchConfig),
    Formula,
    Hiqa,
}

impl ModelInfo {
    const fn new(name: &'static str, reference: ReferenceNeed, weights: Weights, kind: Kind) -> Self {
        Self { name, reference, weights, kind }
    }

    const fn measure(measure: Measure) -> Self {
        Self::new(measure.name(), FullReference, Weights::Formula(measure), Kind::Formula)
    }

    /// Whether the model scores without a file of weights.
    pub fn is_bundled(&self) -> bool {
        !matches!(self.weights, Weights::File(_))
    }

    /// What the bundled weights have learned from, with its terms; nothing where there are none.
    pub fn training_data(&self) -> &'static [TrainingSource] {
        if let Weights::Bundled(_, sources) = self.weights { sources } else { &[] }
    }

    /// The licence of the bundled weights, or of the formula, and what follows from the terms of the training data for
    /// those who use them; `None` where the caller gives the weights.
    pub fn licence(&self) -> Option<&'static str> {
        match self.weights {
            Weights::Bundled(_, sources) => Some(provenance::licence(sources)),
            Weights::Formula(_) => Some(provenance::OWN),
            Weights::File(_) => None,
        }
    }

    /// The weights inside this crate, as a safetensors file.
    pub(crate) fn bundled_weights(&self) -> Option<&'static [u8]> {
        if let Weights::Bundled(bytes, _) = self.weights { Some(bytes) } else { None }
    }

    /// The model with the weights inside this crate, if it has any.
    pub(crate) fn open_bundled(&self, device: &Device) -> Result<Box<dyn AnyModel>, ModelError> {
        match self.weights {
            Weights::Formula(measure) => Ok(Box::new(measure)),
            Weights::Bundled(bytes, _) => {
                let name = format!("bundled weights of {}", self.name);
                self.open(NamedTensors::from_safetensors(bytes, name)?, device)
            }
            Weights::File(source) => Err(ModelError::WeightsNeeded { name: self.name, origin: source }),
        }
    }

    /// The model with the weights of a file.
    pub(crate) fn open(
        &self,
        tensors: NamedTensors,
        device: &Device,
    ) -> Result<Box<dyn AnyModel>, ModelError> {
        match self.kind {
            Kind::Wadiqam(config) => open_wadiqam(&config(), tensors, device),
            Kind::Gsn => open_gsn(tensors, device),
            Kind::MultiBranch(config) => open_multi_branch(&config(), tensors, device),
            Kind::Formula => Err(ModelError::WeightsUnexpected { name: self.name }),
            Kind::Hiqa => open_hiqa(tensors, device),
        }
    }
}

const NONE_PUBLISHED: &str = "its authors published none; the recipe `gsn` trains some";
const MULTI_BRANCH: &str = "`best.safetensors` of a run of the example `train` with `--recipe multibranch`; no trained \
                            weights are published";
const HIQA: &str = "none were published; `train --recipe hiqa` makes them";
const DEEP_IQA: &str = "the official ones are at github.com/dmaniry/deepIQA";

/// What the bundled WaDIQaM-FR has seen.
const PAIRS: &[TrainingSource] =
    &[TrainingSource::KODAK, TrainingSource::CID22, TrainingSource::KADID10K_MEANS, TrainingSource::TID2013];
/// What the bundled WaDIQaM-NR has seen; it went on from weights trained on the second.
const SINGLE: &[TrainingSource] = &[
    TrainingSource::KODAK,
    TrainingSource::PACKAGES,
    TrainingSource::CID22,
    TrainingSource::KADID10K_MEANS,
    TrainingSource::TID2013,
    TrainingSource::BIQ2021,
];

use ReferenceNeed::{FullReference, NoReference};

/// Every model there is.
pub static MODELS: &[ModelInfo] = &[
    ModelInfo::new(
        "wadiqam_fr",
        FullReference,
        Weights::Bundled(include_bytes!("../weights/wadiqam_fr.safetensors"), PAIRS),
        Kind::Wadiqam(WadiqamConfig::wadiqam_fr),
    ),
    ModelInfo::new(
        "wadiqam_nr",
        NoReference,
        Weights::Bundled(include_bytes!("../weights/wadiqam_nr.safetensors"), SINGLE),
        Kind::Wadiqam(WadiqamConfig::wadiqam_nr),
    ),
    ModelInfo::new(
        "diqam_fr",
        FullReference,
        Weights::File(DEEP_IQA),
        Kind::Wadiqam(WadiqamConfig::diqam_fr),
    ),
    ModelInfo::new("diqam_nr", NoReference, Weights::File(DEEP_IQA), Kind::Wadiqam(WadiqamConfig::diqam_nr)),
    ModelInfo::new("gsn", FullReference, Weights::File(NONE_PUBLISHED), Kind::Gsn),
    ModelInfo::new(
        "multibranch",
        FullReference,
        Weights::File(MULTI_BRANCH),
        Kind::MultiBranch(MultiBranchConfig::small),
    ),
    ModelInfo::new(
        "multibranch_vgg16",
        FullReference,
        Weights::File(MULTI_BRANCH),
        Kind::MultiBranch(MultiBranchConfig::vgg16),
    ),
    ModelInfo::new(
        "multibranch_resnet50",
        FullReference,
        Weights::File(MULTI_BRANCH),
        Kind::MultiBranch(MultiBranchConfig::resnet50),
    ),
    ModelInfo::new(
        "multibranch_inception_v3",
        FullReference,
        Weights::File(MULTI_BRANCH),
        Kind::MultiBranch(MultiBranchConfig::inception_v3),
    ),
    ModelInfo::measure(Measure::Psnr),
    ModelInfo::measure(Measure::Ssim),
    ModelInfo::measure(Measure::MsSsim),
    ModelInfo::measure(Measure::Gmsd),
    ModelInfo::measure(Measure::Fsim),
    ModelInfo::measure(Measure::Fsimc),
    ModelInfo::measure(Measure::Vsi),
    ModelInfo::measure(Measure::Vif),
    ModelInfo::measure(Measure::Vifp),
    ModelInfo::new("hiqa", NoReference, Weights::File(HIQA), Kind::Hiqa),
];

/// The model of that name.
///
/// # Errors
/// [`ModelError::UnknownModel`], which lists the names there are.
pub fn model_by_name(name: &str) -> Result<&'static ModelInfo, ModelError> {
    MODELS.iter().find(|model| model.name == name).ok_or_else(|| ModelError::UnknownModel {
        name: name.into(),
        known: MODELS.iter().map(|model| model.name).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bundled_weights_say_what_they_have_learned_from_and_formulas_nothing() {
        for model in MODELS {
            let (sources, licence) = (model.training_data(), model.licence());
            match model.weights {
                Weights::Bundled(..) => assert!(!sources.is_empty() && licence.is_some(), "{}", model.name),
                Weights::Formula(_) => assert!(sources.is_empty() && licence.is_some(), "{}", model.name),
                Weights::File(_) => assert!(sources.is_empty() && licence.is_none(), "{}", model.name),
            }
        }
    }
}
