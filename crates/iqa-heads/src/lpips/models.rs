//! LPIPS by name.

use burn::tensor::Device;
use iqa_core::ReferenceNeed::FullReference;
use iqa_nn::{Chosen, MakeNetwork, ModelError, ModelInfo, NamedTensors, QualityModel, Source, WeightSource};

use super::network::{Lpips, LpipsTrunk};
use crate::perceptual::{DISTANCE, FeatureModel, TRUNK, trunk_file};

const PAPER: &str = "Zhang et al., CVPR 2018";
const TERMS: &str = "weights of the channels: BSD 2-Clause, of the package `lpips`; the trunk's are torchvision's (BSD \
                     3-Clause), trained on ImageNet-1k, whose images are for research";

fn make(
    name: &'static str,
    trunk: LpipsTrunk,
    tensors: &NamedTensors,
    chosen: &Chosen<'_>,
    device: &Device,
) -> Result<Box<dyn QualityModel>, ModelError> {
    let config = trunk.backbone(1);
    let file = trunk_file(chosen, &config)?;
    Ok(Box::new(FeatureModel::open(name, tensors, &config, &file, device, Lpips::new)?))
}

const fn model(name: &'static str, weights: &'static [u8], make: MakeNetwork) -> ModelInfo {
    let source = Source::Network(WeightSource::Partly(weights, TERMS), make);
    let (reference, options) = (FullReference, &[TRUNK]);
    ModelInfo { name, reference, scale: DISTANCE, paper: PAPER, options, accuracy: &[], source }
}

/// The models of the family.
pub static MODELS: &[ModelInfo] = &[
    model("lpips_alex", include_bytes!("../../weights/lpips_alex.safetensors"), |tensors, chosen, device| {
        make("lpips_alex", LpipsTrunk::Alex, &tensors, chosen, device)
    }),
    model("lpips_vgg", include_bytes!("../../weights/lpips_vgg.safetensors"), |tensors, chosen, device| {
        make("lpips_vgg", LpipsTrunk::Vgg, &tensors, chosen, device)
    }),
];
