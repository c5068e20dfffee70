//! GSN by name.

use iqa_core::ReferenceNeed::FullReference;
use iqa_nn::{Make, ModelInfo, WeightSource};

use super::quality::GsnModel;

/// The models of the family.
pub static MODELS: &[ModelInfo] = &[ModelInfo {
    name: "gsn",
    reference: FullReference,
    paper: "Cong et al., CVPR Workshops 2022",
    weights: WeightSource::File("its authors published none; the recipe `gsn` trains some"),
    options: &[],
    make: Make::Network(|tensors, _, device| Ok(Box::new(GsnModel::from_tensors(tensors, device)?))),
}];
