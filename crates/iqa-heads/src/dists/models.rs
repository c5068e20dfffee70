//! DISTS by name.

use iqa_core::ReferenceNeed::FullReference;
use iqa_nn::{Make, ModelInfo, WeightSource};

use super::quality::DistsModel;
use crate::lpips::{TRUNK, source};

/// The models of the family.
pub static MODELS: &[ModelInfo] = &[ModelInfo {
    name: "dists",
    reference: FullReference,
    paper: "Ding et al., IEEE TPAMI 44(5), 2022",
    weights: WeightSource::Partly(
        include_bytes!("../../weights/dists.safetensors"),
        "weights of the channels: MIT, of the package `DISTS-pytorch`; VGG16's are torchvision's (BSD 3-Clause), trained on \
         ImageNet-1k, whose images are for research",
    ),
    options: &[TRUNK],
    make: Make::Network(|tensors, chosen, device| {
        Ok(Box::new(DistsModel::open(&tensors, &source(chosen)?, device)?))
    }),
}];
