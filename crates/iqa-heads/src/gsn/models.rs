//! GSN by name.

use iqa_core::Direction;
use iqa_core::ReferenceNeed::FullReference;
use iqa_nn::{Accuracy, ModelInfo, Source, TrainingSource, WeightSource};

use super::quality::GsnModel;

/// Of [`GsnConfig::small`](super::GsnConfig::small).
const BUNDLED: &[u8] = include_bytes!("../../weights/gsn.safetensors");

/// The models of the family.
pub static MODELS: &[ModelInfo] = &[ModelInfo {
    name: "gsn",
    reference: FullReference,
    scale: Some((Direction::HigherIsBetter, (0.0, 1.0))),
    paper: "Cong et al., CVPR Workshops 2022",
    options: &[],
    accuracy: &[Accuracy::tid2013(0.833, 0.844)],
    source: Source::Network(WeightSource::Bundled(BUNDLED, TrainingSource::PAIRS), |tensors, _, device| {
        Ok(Box::new(GsnModel::from_tensors(tensors, device)?))
    }),
}];
