//! HIQA by name.

use iqa_core::ReferenceNeed::{self, FullReference, NoReference};
use iqa_nn::{MakeNetwork, ModelInfo, Source, WeightSource};

use super::quality::HiqaModel;

const fn model(
    name: &'static str,
    reference: ReferenceNeed,
    origin: &'static str,
    make: MakeNetwork,
) -> ModelInfo {
    let source = Source::Network(WeightSource::File(origin), make);
    let paper = "Lin and Wang, CVPR 2018";
    ModelInfo { name, reference, scale: None, paper, options: &[], accuracy: &[], source }
}

/// The models of the family.
pub static MODELS: &[ModelInfo] = &[
    model(
        "hiqa",
        NoReference,
        "none were published; `iqa train --recipe hiqa` makes them",
        |tensors, _, device| Ok(Box::new(HiqaModel::from_tensors(tensors, device)?)),
    ),
    model(
        "hiqa_oracle",
        FullReference,
        "none were published; `iqa train --recipe hiqa` with `--plug-in` and `--oracle` makes them",
        |tensors, _, device| Ok(Box::new(HiqaModel::oracle(tensors, device)?)),
    ),
];
