//! DIQaM and WaDIQaM by name.

use burn::tensor::Device;
use iqa_core::ReferenceNeed::{FullReference, NoReference};
use iqa_nn::{
    Chosen, Make, ModelError, ModelInfo, NamedTensors, OptionInfo, QualityModel, TrainingSource, WeightSource,
};

use super::config::WadiqamConfig;
use super::patches::PatchSampler;
use super::quality::WadiqamModel;

const PAPER: &str = "Bosse et al., IEEE Transactions on Image Processing 27(1), 2018";
const DEEP_IQA: WeightSource = WeightSource::File("the official ones are at github.com/dmaniry/deepIQA");

/// What the bundled WaDIQaM-FR has seen.
const PAIRS: &[TrainingSource] =
    &[TrainingSource::KODAK, TrainingSource::CID22, TrainingSource::KADID10K_MEANS, TrainingSource::TID2013];
/// What the bundled WaDIQaM-NR has seen; it went on from weights trained on the second.
const SINGLE: &[TrainingSource] = &[
    TrainingSource::KODAK,
    TrainingSource::PACKAGES,
    TrainingSource::CID22,
    TrainingSource::KADID10K_MEANS,
    TrainingSource::TID2013,
    TrainingSource::BIQ2021,
];

const OPTIONS: &[OptionInfo] = &[
    OptionInfo {
        name: "patches",
        help: "look at so many random patches of each image and scale, instead of the whole grid",
    },
    OptionInfo { name: "seed", help: "where the random patches lie (0)" },
    OptionInfo { name: "stride", help: "distance of the grid's patches, in pixels (32)" },
];

fn make(
    expected: &WadiqamConfig,
    tensors: NamedTensors,
    chosen: &Chosen<'_>,
    device: &Device,
) -> Result<Box<dyn QualityModel>, ModelError> {
    let model = WadiqamModel::from_tensors(tensors, expected, device)?;
    let patches = chosen.parse("patches", "a number of patches")?;
    let seed = chosen.parse("seed", "a whole number")?;
    let stride = chosen.parse("stride", "a distance in pixels")?;
    let sampler = match (patches, stride) {
        (Some(patches), _) => PatchSampler::Random { patches, seed: seed.unwrap_or(0) },
        (None, Some(stride)) => PatchSampler::Grid { stride, inclusive: true },
        (None, None) => PatchSampler::official(),
    };
    Ok(Box::new(model.with_sampler(sampler)?))
}

/// The models of the family.
pub static MODELS: &[ModelInfo] = &[
    ModelInfo {
        name: "wadiqam_fr",
        reference: FullReference,
        paper: PAPER,
        weights: WeightSource::Bundled(include_bytes!("../../weights/wadiqam_fr.safetensors"), PAIRS),
        options: OPTIONS,
        make: Make::Network(|tensors, chosen, device| {
            make(&WadiqamConfig::wadiqam_fr(), tensors, chosen, device)
        }),
    },
    ModelInfo {
        name: "wadiqam_nr",
        reference: NoReference,
        paper: PAPER,
        weights: WeightSource::Bundled(include_bytes!("../../weights/wadiqam_nr.safetensors"), SINGLE),
        options: OPTIONS,
        make: Make::Network(|tensors, chosen, device| {
            make(&WadiqamConfig::wadiqam_nr(), tensors, chosen, device)
        }),
    },
    ModelInfo {
        name: "diqam_fr",
        reference: FullReference,
        paper: PAPER,
        weights: DEEP_IQA,
        options: OPTIONS,
        make: Make::Network(|tensors, chosen, device| {
            make(&WadiqamConfig::diqam_fr(), tensors, chosen, device)
        }),
    },
    ModelInfo {
        name: "diqam_nr",
        reference: NoReference,
        paper: PAPER,
        weights: DEEP_IQA,
        options: OPTIONS,
        make: Make::Network(|tensors, chosen, device| {
            make(&WadiqamConfig::diqam_nr(), tensors, chosen, device)
        }),
    },
];
