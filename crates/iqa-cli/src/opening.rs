//! Models and devices as options of a command.

use std::error::Error;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use iqa_models::heads::wadiqam::MAX_PATCHES;
use iqa_models::{Device, FloatDType, ReferenceNeed, Scorer, device_by_name, device_with_float};

use crate::config::config;
use crate::options::{Known, within};
use crate::output::detail;
use crate::terminal::Terminal;

/// Which models, with what weights, and where they compute.
#[derive(Args)]
pub(crate) struct ModelOptions {
    /// The models, by name (`iqa models` lists them): several with commas, or repeated. `NAME=FILE` is one with the weights of a
    /// file [default: the model whose weights `--weights` are; else wadiqam_fr with references; without, multibranch_lite_nr, or
    /// wadiqam_nr for what looks at patches]
    #[arg(long, value_delimiter = ',', value_parser = Known::MODELS, hide_possible_values = true)]
    pub(crate) model: Vec<String>,
    /// Weights to use instead of the bundled ones, for a single model: our safetensors; for DIQaM and WaDIQaM also deepIQA's
    /// `.model` or a `.pth` of lidq92 or pyiqa.
    #[arg(long)]
    pub(crate) weights: Option<PathBuf>,
    /// Where to compute; `iqa devices` lists those of this build.
    #[arg(long, default_value = "flex", value_parser = Known::DEVICES, hide_possible_values = true)]
    device: String,
    /// Compute in half precision: faster on some GPUs, and less exact.
    #[arg(long, value_enum)]
    float: Option<Half>,
    /// Look at so many random patches of each image instead of all; for patch networks.
    #[arg(long, value_parser = within(1..=MAX_PATCHES))]
    patches: Option<usize>,
    /// Seed of what is random: patches, resamples, splits.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

/// A type of half the size.
#[derive(Clone, Copy, ValueEnum)]
enum Half {
    /// IEEE 754, eleven binary digits.
    F16,
    /// The range of f32, eight binary digits.
    Bf16,
}

/// A model with what tells it from the others.
pub(crate) struct NamedModel {
    pub(crate) label: String,
    pub(crate) scorer: Scorer,
}

impl ModelOptions {
    /// `--device help`.
    pub(crate) fn asks_for_devices(&self) -> bool {
        self.device == "help"
    }

    pub(crate) fn device(&self) -> Result<Device, Box<dyn Error>> {
        Ok(match self.float {
            None => device_by_name(&self.device)?,
            Some(Half::F16) => device_with_float(&self.device, FloatDType::F16)?,
            Some(Half::Bf16) => device_with_float(&self.device, FloatDType::BF16)?,
        })
    }

    /// The models, opened; where none is named the one whose weights are given, that of `iqa.toml`, or the bundled one, for images
    /// with or without references, or for a picture of the scores of patches.
    pub(crate) fn open(&self, references: bool, map: bool) -> Result<Vec<NamedModel>, Box<dyn Error>> {
        let device = self.device()?;
        let patches = self.patches.map(|patches| (patches.to_string(), self.seed.to_string()));
        let options = patches.as_ref().map(|(patches, seed)| [("patches", &**patches), ("seed", &**seed)]);
        let options = options.as_ref().map_or(&[][..], |options| options);
        let told = |label: &str, weights: Option<&Path>, scorer: &Scorer| {
            if let (Some(weights), Some(remark)) = (weights, scorer.weights_remark()) {
                note!("{}: {remark}", weights.display());
            }
            detail(format_args!("{label}: {}", scorer.identity()));
        };
        if let (Some(weights), true) = (&self.weights, self.model.is_empty()) {
            let need = if references { ReferenceNeed::FullReference } else { ReferenceNeed::NoReference };
            let scorer = Scorer::of_weights(weights, need, options, &device)?;
            told(scorer.name(), Some(weights), &scorer);
            return Ok(vec![NamedModel { label: scorer.name().into(), scorer }]);
        }
        let labels: Vec<&str> = if self.model.is_empty() {
            default_models(references, map || self.patches.is_some()).split(',').collect()
        } else {
            self.model.iter().map(String::as_str).collect()
        };
        if self.weights.is_some() && (labels.len() > 1 || labels[0].contains('=')) {
            return Err("--weights is for a single model by its name: write NAME=FILE for each".into());
        }
        let terminal = Terminal::new();
        let mut models: Vec<NamedModel> = Vec::with_capacity(labels.len());
        for &label in &labels {
            if models.iter().any(|earlier| earlier.label == label) {
                return Err(format!("--model: `{label}` is there twice").into());
            }
            let (name, weights) = match label.split_once('=') {
                Some((_, "")) => return Err(format!("--model: `{label}`: expected NAME=FILE").into()),
                Some((name, file)) => (name, Some(Path::new(file))),
                None => (label, self.weights.as_deref()),
            };
            // Of several models those that look at patches, and of one its error.
            let options =
                if labels.len() == 1 || option_of(label, "patches") == Some(true) { options } else { &[] };
            let scorer = Scorer::open_observed(name, weights, options, &device, &terminal)?;
            told(label, weights, &scorer);
            models.push(NamedModel { label: label.into(), scorer });
        }
        Ok(models)
    }
}

/// The models where none is named: those of `iqa.toml`, but for a single one that has no patches to look at where they are asked
/// for; else a bundled one.
fn default_models(references: bool, of_patches: bool) -> &'static str {
    let settings = config();
    let settings = if references { &settings.model } else { &settings.model_without_reference };
    let bundled = match (references, of_patches) {
        (true, _) => "wadiqam_fr",
        (false, true) => "wadiqam_nr",
        (false, false) => "multibranch_lite_nr",
    };
    let lacks = |labels: &str| option_of(labels, "patches") == Some(false);
    settings.as_deref().filter(|labels| !(of_patches && lacks(labels))).unwrap_or(bundled)
}

/// Whether a model, `NAME` or `NAME=FILE`, has that option; `None` where there is no such model.
fn option_of(label: &str, option: &str) -> Option<bool> {
    let name = label.split_once('=').map_or(label, |(name, _)| name);
    let info = iqa_models::model_by_name(name).ok()?;
    Some(info.options.iter().any(|known| known.name == option))
}

/// That `--reference` is given if and only if some model needs one.
pub(crate) fn check_references(models: &[NamedModel], given: bool) -> Result<(), Box<dyn Error>> {
    let needs = |model: &&NamedModel| model.scorer.spec().reference == ReferenceNeed::FullReference;
    match models.iter().find(needs) {
        Some(model) if !given => Err(format!("`{}` needs --reference", model.label).into()),
        None if given => Err(format!("`{}` takes no --reference", models[0].label).into()),
        _ => Ok(()),
    }
}
