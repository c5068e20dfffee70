//! GSN by name.

use iqa_core::ReferenceNeed::FullReference;
use iqa_nn::{ModelInfo, Source, WeightSource};

use super::quality::GsnModel;

/// The models of the family.
pub static MODELS: &[ModelInfo] = &[ModelInfo {
    name: "gsn",
    reference: FullReference,
    scale: None,
    paper: "Cong et al., CVPR Workshops 2022",
    options: &[],
    accuracy: &[],
    source: Source::Network(
        WeightSource::File("its authors published none; the recipe `gsn` trains some"),
        |tensors, _, device| Ok(Box::new(GsnModel::from_tensors(tensors, device)?)),
    ),
}];
