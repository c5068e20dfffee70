//! The multi-branch models by name.

use iqa_core::ReferenceNeed::{self, FullReference, NoReference};
use iqa_nn::{MakeNetwork, ModelInfo, Source, WeightSource};

use super::config::{Branches, MultiBranchConfig};
use super::quality::MultiBranchModel;

const WEIGHTS: WeightSource = WeightSource::File(
    "`best.safetensors` of a run of `iqa train` with `--recipe multibranch`; no trained weights are published",
);

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
    model("multibranch_lite_nr", NoReference, |tensors, _, device| {
        let expected = MultiBranchConfig::lite(Branches::FrozenNr);
        Ok(Box::new(MultiBranchModel::from_tensors(tensors, &expected, device)?))
    }),
];
