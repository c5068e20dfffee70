//! Models and devices as options of a command.

use std::error::Error;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use iqa_models::heads::wadiqam::MAX_PATCHES;
use iqa_models::{
    Device, FloatDType, ModelError, ModelInfo, ReferenceNeed, Scorer, device_by_name, device_with_float,
};

use crate::config::config;
use crate::options::{Known, within};
use crate::output::detail;
use crate::terminal::Terminal;

/// Which models, with what weights, and where they compute.
#[derive(Args)]
pub(crate) struct ModelOptions {
    /// The models, by name (`iqa models` lists them): several with commas, or repeated. `NAME=FILE` is one with the weights of a
    /// file, whose name may have a comma if there is such a file [default: the model whose weights `--weights` are; else wadiqam_fr
    /// with references; without, multibranch_lite_nr, or wadiqam_nr for what looks at patches]
    #[arg(long, value_parser = Known::MODELS, hide_possible_values = true)]
    pub(crate) model: Vec<String>,
    /// Weights to use instead of the bundled ones, for a single model: our safetensors; for DIQaM and WaDIQaM also deepIQA's
    /// `.model` or a `.pth` of lidq92 or pyiqa.
    #[arg(long)]
    pub(crate) weights: Option<PathBuf>,
    /// Where to compute; `iqa devices` lists those of this build.
    #[arg(long, default_value = "flex", value_parser = Known::DEVICES, hide_possible_values = true)]
    device: String,
    /// Compute in half precision: faster on some GPUs, and less exact. For networks.
    #[arg(long, value_enum)]
    float: Option<Half>,
    /// Look at so many random patches of each image instead of all; for patch networks.
    #[arg(long, value_parser = within(1..=MAX_PATCHES))]
    patches: Option<usize>,
    /// Seed of what is random: patches, resamples, splits [default: 1].
    #[arg(long)]
    seed: Option<u64>,
}

/// The seed where none is given.
const SEED: u64 = 1;

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

impl NamedModel {
    pub(crate) fn takes_reference(&self) -> bool {
        self.scorer.spec().reference == ReferenceNeed::FullReference
    }
}

impl ModelOptions {
    /// `--device help`.
    pub(crate) fn asks_for_devices(&self) -> bool {
        self.device == "help"
    }

    pub(crate) fn seed(&self) -> u64 {
        self.seed.unwrap_or(SEED)
    }

    /// That no seed is given to a command of which patches alone are random, without them.
    pub(crate) fn check_seed(&self) -> Result<(), Box<dyn Error>> {
        if self.seed.is_some() && self.patches.is_none() {
            return Err("--seed is for --patches: nothing else is random here".into());
        }
        Ok(())
    }

    /// The files of weights that are named.
    pub(crate) fn weights(&self) -> Vec<PathBuf> {
        let labels = self.labels();
        let own = labels.iter().filter_map(|label| Some(label.split_once('=')?.1.into()));
        own.chain(self.weights.clone()).collect()
    }

    /// The models that are named.
    fn labels(&self) -> Vec<String> {
        self.model.iter().flat_map(|text| split_models(text, Path::new(""))).collect()
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
    ///
    /// With `need` of `None` there are references, which a model of the weights given may leave alone.
    pub(crate) fn open(
        &self,
        need: Option<ReferenceNeed>,
        map: bool,
    ) -> Result<Vec<NamedModel>, Box<dyn Error>> {
        let device = self.device()?;
        let patches = self.patches.map(|patches| (patches.to_string(), self.seed().to_string()));
        let options = patches.as_ref().map(|(patches, seed)| [("patches", &**patches), ("seed", &**seed)]);
        let options = options.as_ref().map_or(&[][..], |options| options);
        let told = |label: &str, weights: Option<&Path>, scorer: &Scorer| {
            if let (Some(weights), Some(remark)) = (weights, scorer.weights_remark()) {
                remark!("{}: {remark}", weights.display());
            }
            detail(format_args!("{label}: {}", scorer.identity()));
        };
        if let (Some(weights), true) = (&self.weights, self.model.is_empty()) {
            let scorer = Scorer::of_weights(weights, need, options, &device)?;
            told(scorer.name(), Some(weights), &scorer);
            return Ok(vec![NamedModel { label: scorer.name().into(), scorer }]);
        }
        let labels = match self.labels() {
            named if named.is_empty() => {
                let references = need != Some(ReferenceNeed::NoReference);
                default_models(references, map || self.patches.is_some())
            }
            named => named,
        };
        self.check_effect(&labels)?;
        if self.weights.is_some() && (labels.len() > 1 || labels[0].contains('=')) {
            return Err("--weights is for a single model by its name: write NAME=FILE for each".into());
        }
        let terminal = Terminal::new();
        let mut models: Vec<NamedModel> = Vec::with_capacity(labels.len());
        for label in &labels {
            if models.iter().any(|earlier| earlier.label == *label) {
                return Err(format!("--model: `{label}` is there twice").into());
            }
            let (name, weights) = match label.split_once('=') {
                Some((_, "")) => return Err(format!("--model: `{label}`: expected NAME=FILE").into()),
                Some((name, file)) => (name, Some(Path::new(file))),
                None => (label.as_str(), self.weights.as_deref()),
            };
            // Of several models those that look at patches, and of one its error.
            let options =
                if labels.len() == 1 || option_of(label, "patches") == Some(true) { options } else { &[] };
            let scorer = Scorer::open_observed(name, weights, options, &device, &terminal)
                .map_err(|error| in_list(error, label, models.last()))?;
            told(label, weights, &scorer);
            models.push(NamedModel { label: label.clone(), scorer });
        }
        Ok(models)
    }

    /// That what is asked for changes some of these models' scores. Of a single one its own error says so of patches.
    fn check_effect(&self, labels: &[String]) -> Result<(), Box<dyn Error>> {
        let info = |label: &String| iqa_models::model_by_name(name_of(label)).ok();
        if self.float.is_some() && labels.iter().all(|label| info(label).is_some_and(ModelInfo::is_formula)) {
            let which = if labels.len() == 1 { "is a formula" } else { "and the others are formulas" };
            return Err(format!("--float is for networks: `{}` {which}", labels[0]).into());
        }
        let lacks_patches = |label: &String| option_of(label, "patches") == Some(false);
        if self.patches.is_some() && labels.len() > 1 && labels.iter().all(lacks_patches) {
            return Err("--patches: none of these models looks at patches".into());
        }
        Ok(())
    }
}

/// What images that come with or without references need of a model.
pub(crate) fn need_of(references: bool) -> ReferenceNeed {
    if references { ReferenceNeed::FullReference } else { ReferenceNeed::NoReference }
}

/// Models separated by commas. One may be in the name of a file, of `NAME=FILE`, where a file of the longer name is there and what
/// follows it is a model: files lie below `folder`.
pub(crate) fn split_models(text: &str, folder: &Path) -> Vec<String> {
    let parts: Vec<&str> = text.split(',').collect();
    let is_model = |part: &str| iqa_models::model_by_name(name_of(part)).is_ok();
    let file_of = |model: String| model.split_once('=').map(|(_, file)| folder.join(file));
    let (mut models, mut first) = (Vec::new(), 0);
    while first < parts.len() {
        let is_whole = |&last: &usize| {
            file_of(parts[first..=last].join(",")).is_some_and(|file| file.exists())
                && parts.get(last + 1).is_none_or(|next| is_model(next))
        };
        let mut ends = (first..parts.len()).filter(|_| parts[first].contains('='));
        let last = ends.find(is_whole).unwrap_or(first);
        models.push(parts[first..=last].join(","));
        first = last + 1;
    }
    models
}

/// An unknown name after a file may be the rest of that file's name.
fn in_list(error: ModelError, label: &str, before: Option<&NamedModel>) -> Box<dyn Error> {
    match (error, before.map(|model| &model.label).filter(|before| before.contains('='))) {
        (error @ ModelError::UnknownModel { .. }, Some(before)) => {
            let file = before.split_once('=').map_or("", |(_, file)| file);
            format!("{error} (a comma separates models, and there is no file `{file},{label}`)").into()
        }
        (error, _) => error.into(),
    }
}

/// The name of a model of `NAME` or `NAME=FILE`.
fn name_of(label: &str) -> &str {
    label.split_once('=').map_or(label, |(name, _)| name)
}

/// The models where none is named: those of `iqa.toml`, but for a single one that has no patches to look at where they are asked
/// for; else a bundled one.
fn default_models(references: bool, of_patches: bool) -> Vec<String> {
    let settings = config();
    let settings = if references { &settings.models } else { &settings.models_without_reference };
    let bundled = match (references, of_patches) {
        (true, _) => "wadiqam_fr",
        (false, true) => "wadiqam_nr",
        (false, false) => "multibranch_lite_nr",
    };
    match &settings[..] {
        [] => vec![bundled.into()],
        [label] if of_patches && option_of(label, "patches") == Some(false) => vec![bundled.into()],
        labels => labels.to_vec(),
    }
}

/// Whether a model, `NAME` or `NAME=FILE`, has that option; `None` where there is no such model.
fn option_of(label: &str, option: &str) -> Option<bool> {
    let info = iqa_models::model_by_name(name_of(label)).ok()?;
    Some(info.options.iter().any(|known| known.name == option))
}

/// That `--reference` is given if and only if some model needs one.
pub(crate) fn check_references(models: &[NamedModel], given: bool) -> Result<(), Box<dyn Error>> {
    match models.iter().find(|model| model.takes_reference()) {
        Some(model) if !given => Err(format!("`{}` needs --reference", model.label).into()),
        None if given => Err(format!("`{}` takes no --reference", models[0].label).into()),
        _ => Ok(()),
    }
}
