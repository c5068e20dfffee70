//! LPIPS by name.

use burn::tensor::Device;
use iqa_backbones::pretrained::PretrainedSource;
use iqa_core::ReferenceNeed::FullReference;
use iqa_nn::{Chosen, Make, ModelError, ModelInfo, NamedTensors, OptionInfo, QualityModel, WeightSource};

use super::network::LpipsTrunk;
use super::quality::LpipsModel;

const PAPER: &str = "Zhang et al., CVPR 2018";
const TERMS: &str = "weights of the channels: BSD 2-Clause, of the package `lpips`; the trunk's are torchvision's (BSD \
                     3-Clause), trained on ImageNet-1k, whose images are for research";

/// Of models on a published network.
pub(crate) const TRUNK: OptionInfo =
    OptionInfo { name: "trunk", help: "file or folder of torchvision's weights (the cache folder)" };

/// Where the weights of the published network come from.
pub(crate) fn source(chosen: &Chosen<'_>) -> Result<PretrainedSource, ModelError> {
    let path: Option<String> = chosen.parse(TRUNK.name, "a path")?;
    Ok(path.map_or_else(PretrainedSource::from_env, PretrainedSource::from_path))
}

fn make(
    trunk: LpipsTrunk,
    tensors: &NamedTensors,
    chosen: &Chosen<'_>,
    device: &Device,
) -> Result<Box<dyn QualityModel>, ModelError> {
    Ok(Box::new(LpipsModel::open(tensors, trunk, &source(chosen)?, device)?))
}

/// The models of the family.
pub static MODELS: &[ModelInfo] = &[
    ModelInfo {
        name: "lpips_alex",
        reference: FullReference,
        paper: PAPER,
        weights: WeightSource::Partly(include_bytes!("../../weights/lpips_alex.safetensors"), TERMS),
        options: &[TRUNK],
        make: Make::Network(|tensors, chosen, device| make(LpipsTrunk::Alex, &tensors, chosen, device)),
    },
    ModelInfo {
        name: "lpips_vgg",
        reference: FullReference,
        paper: PAPER,
        weights: WeightSource::Partly(include_bytes!("../../weights/lpips_vgg.safetensors"), TERMS),
        options: &[TRUNK],
        make: Make::Network(|tensors, chosen, device| make(LpipsTrunk::Vgg, &tensors, chosen, device)),
    },
];
