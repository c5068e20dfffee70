//! HIQA by name.

use iqa_core::ReferenceNeed::NoReference;
use iqa_nn::{ModelInfo, Source, WeightSource};

use super::quality::HiqaModel;

/// The models of the family.
pub static MODELS: &[ModelInfo] = &[ModelInfo {
    name: "hiqa",
    reference: NoReference,
    paper: "Lin and Wang, CVPR 2018",
    options: &[],
    source: Source::Network(
        WeightSource::File("none were published; `iqa train --recipe hiqa` makes them"),
        |tensors, _, device| Ok(Box::new(HiqaModel::from_tensors(tensors, device)?)),
    ),
}];
