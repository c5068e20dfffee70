//! HIQA by name.

use burn::tensor::Device;
use iqa_core::Direction;
use iqa_core::ReferenceNeed::{FullReference, NoReference};
use iqa_nn::{Accuracy, ModelInfo, NamedTensors, Source, TrainingSource, WeightSource};

use super::model::Hiqa;
use super::quality::HiqaModel;
use crate::HeadError;

/// Of [`HiqaConfig::small`](super::HiqaConfig::small).
const BUNDLED: &[u8] = include_bytes!("../../weights/hiqa.safetensors");
const PAPER: &str = "Lin and Wang, CVPR 2018";

/// The network that is bundled.
///
/// # Errors
/// None that is known: the weights are in the crate.
pub fn bundled_network(device: &Device) -> Result<Hiqa, HeadError> {
    Hiqa::from_tensors(NamedTensors::from_safetensors(BUNDLED, "bundled hiqa")?, device)
}

/// The models of the family.
pub static MODELS: &[ModelInfo] = &[
    ModelInfo {
        name: "hiqa",
        reference: NoReference,
        scale: Some((Direction::HigherIsBetter, (0.0, 1.0))),
        paper: PAPER,
        options: &[],
        accuracy: &[Accuracy::tid2013(0.571, 0.581)],
        source: Source::Network(
            WeightSource::Bundled(BUNDLED, TrainingSource::PAIRS),
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
