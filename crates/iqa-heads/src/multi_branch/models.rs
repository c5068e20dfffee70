//! The multi-branch models by name.

use iqa_core::ReferenceNeed::FullReference;
use iqa_nn::{MakeNetwork, ModelInfo, Source, WeightSource};

use super::config::MultiBranchConfig;
use super::quality::MultiBranchModel;

const WEIGHTS: WeightSource = WeightSource::File(
    "`best.safetensors` of a run of `iqa train` with `--recipe multibranch`; no trained weights are published",
);

const fn model(name: &'static str, make: MakeNetwork) -> ModelInfo {
    let source = Source::Network(WEIGHTS, make);
    let paper = "Dutta, Das, Shah";
    ModelInfo { name, reference: FullReference, scale: None, paper, options: &[], accuracy: &[], source }
}

/// The models of the family.
pub static MODELS: &[ModelInfo] = &[
    model("multibranch", |tensors, _, device| {
        Ok(Box::new(MultiBranchModel::from_tensors(tensors, &MultiBranchConfig::small(), device)?))
    }),
    model("multibranch_vgg16", |tensors, _, device| {
        Ok(Box::new(MultiBranchModel::from_tensors(tensors, &MultiBranchConfig::vgg16(), device)?))
    }),
    model("multibranch_resnet50", |tensors, _, device| {
        Ok(Box::new(MultiBranchModel::from_tensors(tensors, &MultiBranchConfig::resnet50(), device)?))
    }),
    model("multibranch_inception_v3", |tensors, _, device| {
        Ok(Box::new(MultiBranchModel::from_tensors(tensors, &MultiBranchConfig::inception_v3(), device)?))
    }),
];
