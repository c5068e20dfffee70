//! HIQA by name.

use iqa_core::ReferenceNeed::{FullReference, NoReference};
use iqa_nn::{ModelInfo, Source, WeightSource};

use super::quality::HiqaModel;

const PAPER: &str = "Lin and Wang, CVPR 2018";

/// The models of the family.
pub static MODELS: &[ModelInfo] = &[
    ModelInfo {
        name: "hiqa",
        reference: NoReference,
        scale: None,
        paper: PAPER,
        options: &[],
        accuracy: &[],
        source: Source::Network(
            WeightSource::File("none were published; `iqa train --recipe hiqa` makes them"),
            |tensors, _, device| Ok(Box::new(HiqaModel::from_tensors(tensors, device)?)),
        ),
    },
    ModelInfo {
        name: "hiqa_oracle",
        reference: FullReference,
        scale: None,
        paper: PAPER,
        options: &[],
        accuracy: &[],
        source: Source::Network(
            WeightSource::File(
                "none were published; `iqa train --recipe hiqa` with `--plug-in` and `--oracle` makes them",
            ),
            |tensors, _, device| Ok(Box::new(HiqaModel::oracle(tensors, device)?)),
        ),
    },
];
