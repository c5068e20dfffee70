//! The multi-branch models by name.

use iqa_core::ReferenceNeed::FullReference;
use iqa_nn::{Make, ModelInfo, WeightSource};

use super::config::MultiBranchConfig;
use super::quality::MultiBranchModel;

const MODEL: ModelInfo = ModelInfo {
    name: "",
    reference: FullReference,
    paper: "Dutta, Das, Shah",
    weights: WeightSource::File(
        "`best.safetensors` of a run of the example `train` with `--recipe multibranch`; no trained weights are published",
    ),
    options: &[],
    make: Make::Formula(|| unreachable!("each model says how it is made")),
};

/// The models of the family.
pub static MODELS: &[ModelInfo] = &[
    ModelInfo {
        name: "multibranch",
        make: Make::Network(|tensors, _, device| {
            Ok(Box::new(MultiBranchModel::from_tensors(tensors, &MultiBranchConfig::small(), device)?))
        }),
        ..MODEL
    },
    ModelInfo {
        name: "multibranch_vgg16",
        make: Make::Network(|tensors, _, device| {
            Ok(Box::new(MultiBranchModel::from_tensors(tensors, &MultiBranchConfig::vgg16(), device)?))
        }),
        ..MODEL
    },
    ModelInfo {
        name: "multibranch_resnet50",
        make: Make::Network(|tensors, _, device| {
            Ok(Box::new(MultiBranchModel::from_tensors(tensors, &MultiBranchConfig::resnet50(), device)?))
        }),
        ..MODEL
    },
    ModelInfo {
        name: "multibranch_inception_v3",
        make: Make::Network(|tensors, _, device| {
            Ok(Box::new(MultiBranchModel::from_tensors(tensors, &MultiBranchConfig::inception_v3(), device)?))
        }),
        ..MODEL
    },
];
