//! The multi-branch models by name.

use burn::tensor::Device;
use iqa_backbones::Backbone;
use iqa_core::Direction;
use iqa_core::ReferenceNeed::{self, FullReference, NoReference};
use iqa_nn::{
    Accuracy, Chosen, MakeNetwork, ModelError, ModelInfo, NamedTensors, QualityModel, Source, TrainingSource,
    WeightSource,
};

use super::config::{Branches, MultiBranchConfig};
use super::model::MultiBranch;
use super::quality::MultiBranchModel;
use crate::HeadError;

const WEIGHTS: WeightSource = WeightSource::File(
    "`best.safetensors` of a run of `iqa train` with `--recipe multibranch`; no trained weights are published",
);

const BUNDLED_NR: &[u8] = include_bytes!("../../weights/multibranch_lite_nr.safetensors");

/// What the bundled one has seen.
const SINGLE: &[TrainingSource] = &[
    TrainingSource::EFFICIENTNET_LITE0,
    TrainingSource::KODAK,
    TrainingSource::CID22,
    TrainingSource::KADID10K_MEANS,
    TrainingSource::TID2013,
    TrainingSource::BIQ2021,
];

/// The frozen network that is bundled, EfficientNet-Lite0 as far as [`MultiBranchConfig::lite`] goes.
///
/// # Errors
/// As [`MultiBranch::from_tensors`].
pub fn bundled_network(device: &Device) -> Result<Backbone, HeadError> {
    let tensors = NamedTensors::from_safetensors(BUNDLED_NR, "bundled multibranch_lite_nr")?;
    let model = MultiBranch::from_tensors(tensors, &MultiBranchConfig::lite(Branches::FrozenNr), device)?;
    Ok(model.frp().clone())
}

const fn model(name: &'static str, reference: ReferenceNeed, make: MakeNetwork) -> ModelInfo {
    let source = Source::Network(WEIGHTS, make);
    let paper = "Dutta, Das, Shah";
    ModelInfo { name, reference, scale: None, paper, options: &[], accuracy: &[], source }
}

/// The models of the family.
pub static MODELS: &[ModelInfo] = &[
    model("multibranch", FullReference, |tensors, _, device| {
        Ok(Box::new(MultiBranchModel::from_tensors(tensors, &MultiBranchConfig::small(), device)?))
    }),
    model("multibranch_vgg16", FullReference, |tensors, _, device| {
        Ok(Box::new(MultiBranchModel::from_tensors(tensors, &MultiBranchConfig::vgg16(), device)?))
    }),
    model("multibranch_resnet50", FullReference, |tensors, _, device| {
        Ok(Box::new(MultiBranchModel::from_tensors(tensors, &MultiBranchConfig::resnet50(), device)?))
    }),
    model("multibranch_inception_v3", FullReference, |tensors, _, device| {
        Ok(Box::new(MultiBranchModel::from_tensors(tensors, &MultiBranchConfig::inception_v3(), device)?))
    }),
    model("multibranch_lite", FullReference, |tensors, _, device| {
        let expected = MultiBranchConfig::lite(Branches::FrozenAll);
        Ok(Box::new(MultiBranchModel::from_tensors(tensors, &expected, device)?))
    }),
    ModelInfo {
        scale: Some((Direction::HigherIsBetter, (0.0, 1.0))),
        accuracy: &[Accuracy::tid2013(0.806, 0.837), Accuracy::biq2021(0.779, 0.813)],
        source: Source::Network(WeightSource::Bundled(BUNDLED_NR, SINGLE), lite_nr),
        ..model("multibranch_lite_nr", NoReference, lite_nr)
    },
];

fn lite_nr(
    tensors: NamedTensors,
    _: &Chosen<'_>,
    device: &Device,
) -> Result<Box<dyn QualityModel>, ModelError> {
    let expected = MultiBranchConfig::lite(Branches::FrozenNr);
    Ok(Box::new(MultiBranchModel::from_tensors(tensors, &expected, device)?))
}
