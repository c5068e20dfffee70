//! DIQaM and WaDIQaM by name.

use burn::tensor::Device;
use iqa_core::Direction;
use iqa_core::ReferenceNeed::{self, FullReference, NoReference};
use iqa_nn::{
    Accuracy, Chosen, MakeNetwork, ModelError, ModelInfo, NamedTensors, OptionInfo, QualityModel, Source,
    TrainingSource, WeightSource,
};

use super::config::WadiqamConfig;
use super::patches::PatchSampler;
use super::quality::WadiqamModel;

const PAPER: &str = "Bosse et al., IEEE Transactions on Image Processing 27(1), 2018";
const DEEP_IQA: WeightSource = WeightSource::File("the official ones are at github.com/dmaniry/deepIQA");

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
        help: "look at so many random patches of each image and scale, drawn for each image, instead of the whole grid",
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

const fn model(
    name: &'static str,
    reference: ReferenceNeed,
    weights: WeightSource,
    accuracy: &'static [Accuracy],
    make: MakeNetwork,
) -> ModelInfo {
    let scale = match weights {
        WeightSource::Bundled(..) => Some((Direction::HigherIsBetter, (0.0, 1.0))),
        _ => None,
    };
    let source = Source::Network(weights, make);
    ModelInfo { name, reference, scale, paper: PAPER, options: OPTIONS, accuracy, source }
}

const BUNDLED_FR: &[u8] = include_bytes!("../../weights/wadiqam_fr.safetensors");
const BUNDLED_NR: &[u8] = include_bytes!("../../weights/wadiqam_nr.safetensors");

/// The bundled weights of WaDIQaM-FR or WaDIQaM-NR, as safetensors with their configuration.
pub fn bundled(full_reference: bool) -> &'static [u8] {
    if full_reference { BUNDLED_FR } else { BUNDLED_NR }
}

/// The models of the family.
pub static MODELS: &[ModelInfo] = &[
    model(
        "wadiqam_fr",
        FullReference,
        WeightSource::Bundled(BUNDLED_FR, TrainingSource::PAIRS),
        &[Accuracy::tid2013(0.906, 0.913)],
        |tensors, chosen, device| make(&WadiqamConfig::wadiqam_fr(), tensors, chosen, device),
    ),
    model(
        "wadiqam_nr",
        NoReference,
        WeightSource::Bundled(BUNDLED_NR, SINGLE),
        &[Accuracy::tid2013(0.717, 0.735), Accuracy::biq2021(0.662, 0.715)],
        |tensors, chosen, device| make(&WadiqamConfig::wadiqam_nr(), tensors, chosen, device),
    ),
    model("diqam_fr", FullReference, DEEP_IQA, &[], |tensors, chosen, device| {
        make(&WadiqamConfig::diqam_fr(), tensors, chosen, device)
    }),
    model("diqam_nr", NoReference, DEEP_IQA, &[], |tensors, chosen, device| {
        make(&WadiqamConfig::diqam_nr(), tensors, chosen, device)
    }),
];
