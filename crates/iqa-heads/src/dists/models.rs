//! DISTS by name.

use iqa_core::ReferenceNeed::FullReference;
use iqa_nn::{ModelInfo, Source, WeightSource};

use super::network::{Dists, dists_backbone};
use crate::perceptual::{DISTANCE, FeatureModel, TRUNK, trunk_file};

const WEIGHTS: WeightSource = WeightSource::Partly(
    include_bytes!("../../weights/dists.safetensors"),
    "weights of the channels: MIT, of the package `DISTS-pytorch`; VGG16's are torchvision's (BSD 3-Clause), trained on \
     ImageNet-1k, whose images are for research",
);

/// The models of the family.
pub static MODELS: &[ModelInfo] = &[ModelInfo {
    name: "dists",
    reference: FullReference,
    scale: DISTANCE,
    paper: "Ding et al., IEEE TPAMI 44(5), 2022",
    options: &[TRUNK],
    accuracy: &[],
    source: Source::Network(WEIGHTS, |tensors, chosen, device| {
        let config = dists_backbone(1);
        let file = trunk_file(chosen, &config)?;
        let make = |tensors: &_, trunk| Dists::new(tensors, &trunk);
        Ok(Box::new(FeatureModel::open("dists", &tensors, &config, &file, device, make)?))
    }),
}];
