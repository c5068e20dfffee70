//! The recipe as a task of the training loop.

use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor};
use iqa_core::{Observer, sha256};
use iqa_heads::Stored;
use iqa_heads::wadiqam::{Wadiqam, bundled, patch_values, patches_to_tensor};
use iqa_nn::{NamedTensors, Precision};
use rayon::prelude::*;

use super::learner::Learner;
use super::patches::random_patches;
use super::recipe::{BUNDLED, WadiqamRecipe};
use super::units::units;
use super::validation::ValidationPatches;
use crate::data::{DataKey, data_key, target};
use crate::run::{self, by_content};
use crate::within::mean_by_source;
use crate::{
    Adam, Outcome, Plan, QualityLoss, Recipe, Task, Term, TrainError, TrainingPair, TrainingPairs,
    Validation, ValidationPairs, seed,
};

/// Trains a network and writes into `folder`; goes on where an earlier run in that folder stopped.
///
/// `device` is a plain device; the loop puts autodiff on it. `observer` sees steps and epochs.
/// Without validation images the last weights count. The seeding of dropout is global on most backends: one run a process.
///
/// # Errors
/// [`TrainError::InvalidRecipe`], [`TrainError::Empty`]; [`TrainError::RecipeChanged`], [`TrainError::DataChanged`] when the folder holds a run
/// of another recipe (only the number of epochs may grow, and only under a constant schedule);
/// [`CoreError::FolderInUse`](iqa_core::CoreError::FolderInUse), [`CoreError::ForeignFile`](iqa_core::CoreError::ForeignFile), [`TrainError::Checkpoint`], [`TrainError::NonFiniteLoss`], and what reading the data or writing files gives.
pub fn train(
    recipe: &WadiqamRecipe,
    training: &dyn TrainingPairs,
    validation: &dyn ValidationPairs,
    folder: &Path,
    device: &Device,
    observer: &dyn Observer,
) -> Result<Outcome, TrainError> {
    train_watched(recipe, training, validation, None, folder, device, observer)
}

/// As [`train`], with the loss on further images in the log and the chart, which selects nothing: the paper's figure 8 has
/// those of the test part.
///
/// # Errors
/// As [`train`].
pub fn train_watched(
    recipe: &WadiqamRecipe,
    training: &dyn TrainingPairs,
    validation: &dyn ValidationPairs,
    watched: Option<&dyn ValidationPairs>,
    folder: &Path,
    device: &Device,
    observer: &dyn Observer,
) -> Result<Outcome, TrainError> {
    recipe.validate()?;
    if training.samples() == 0 {
        return Err(TrainError::Empty { set: "training" });
    }
    let device = device.clone().autodiff();
    device.seed(recipe.seed);
    let mut model = recipe.model.init(&device);
    if let Some(path) = &recipe.start_from
        && !run::is_begun(folder)
    {
        model = model.starting_from(&earlier_model(path, recipe, &device)?);
    }
    let start_from = recipe.start_from.as_deref().map(|path| start_by_content(path, recipe)).transpose()?;
    let recorded = WadiqamRecipe { start_from, ..recipe.clone() };
    let data = data_key(training, validation)?;
    let validation = ValidationPatches::draw(validation, recipe)?;
    let watched = watched.map(|images| ValidationPatches::draw(images, recipe)).transpose()?.flatten();
    let task = Run { recipe, recorded, data, training, validation, watched, device: device.clone() };
    let optimiser = Adam::new(recipe.epsilon).into();
    let learner = Learner::new(model, training.sources(), &device);
    run::train(&task, learner, optimiser, folder, observer)
}

/// What a step learns from, cut while the network works on the one before.
struct Batch {
    /// Patches, image by image, as [`patch_values`] gives them.
    distorted: Vec<f32>,
    /// The patches at the same places of the references, for a full-reference network.
    reference: Option<Vec<f32>>,
    /// Labels, on the scale of the score.
    targets: Vec<f64>,
    sources: Vec<usize>,
}

struct Run<'a> {
    recipe: &'a WadiqamRecipe,
    /// As checkpoints keep it.
    recorded: WadiqamRecipe,
    data: DataKey,
    training: &'a dyn TrainingPairs,
    validation: Option<ValidationPatches>,
    watched: Option<ValidationPatches>,
    device: Device,
}

impl Task for Run<'_> {
    type Model = Learner;
    type Batch = Batch;
    type Recipe = WadiqamRecipe;

    fn recipe(&self) -> &WadiqamRecipe {
        &self.recorded
    }

    fn plan(&self) -> Plan {
        let recipe = self.recipe;
        Plan {
            epochs: recipe.epochs,
            steps_per_epoch: recipe
                .steps_per_epoch
                .unwrap_or_else(|| self.training.samples().div_ceil(recipe.images)),
            learning_rate: recipe.learning_rate,
            schedule: recipe.schedule,
        }
    }

    fn data(&self) -> &DataKey {
        &self.data
    }

    fn batch(&self, step: usize) -> Result<Batch, TrainError> {
        let recipe = self.recipe;
        let pairs = self.training.batch(step, recipe.images)?;
        let cut = |(index, pair): (usize, &TrainingPair)| {
            let seed = seed::derive(recipe.seed, &[seed::PATCHES, step as u64, index as u64]);
            let positions = random_patches(recipe, recipe.patches, seed, pair)?;
            let mut values = vec![patch_values(&pair.distorted, &positions)];
            if recipe.model.is_full_reference() {
                values.push(patch_values(pair.needed_reference()?, &positions));
            }
            Ok(values)
        };
        let patches = pairs.par_iter().enumerate().map(cut).collect::<Result<Vec<_>, TrainError>>()?;
        let joined =
            |image: usize| patches.iter().map(|values| values[image].as_slice()).collect::<Vec<_>>().concat();
        let spec = recipe.model.score_spec();
        Ok(Batch {
            distorted: joined(0),
            reference: recipe.model.is_full_reference().then(|| joined(1)),
            targets: pairs.iter().map(|pair| target(&spec, pair.quality01)).collect(),
            sources: pairs.iter().map(|pair| pair.source).collect(),
        })
    }

    fn loss(&self, model: &Learner, batch: Batch, step: usize) -> Result<Tensor<1>, TrainError> {
        let Self { recipe, device, .. } = self;
        let Batch { distorted, reference, targets, sources } = batch;
        let images = sources.len();
        // Dropout draws from the device's generator: seeded for each step, a resumed run draws the same.
        device.seed(seed::derive(recipe.seed, &[seed::DROPOUT, step as u64]));
        let reference = reference.map(|values| patches_to_tensor(values, device));
        let scores = model.network.forward_training(patches_to_tensor(distorted, device), reference);
        let scores = model.on_labels(scores, &sources);
        let (units, labels) = units(&scores, &targets);
        let [each, compared] = recipe.loss.parts();
        let mut loss = each.loss(units, &labels)?;
        let correlation = (recipe.correlation, QualityLoss::of(Term::Plcc));
        for (weight, terms) in [(1.0, compared), correlation] {
            if weight > 0.0 && !terms.terms().is_empty() {
                let found = mean_by_source(&scores.pool(images), &targets, &sources, |s, t| terms.sum(s, t));
                loss = loss + found * weight;
            }
        }
        Ok(loss)
    }

    fn validate(&self, model: &Learner) -> Result<Option<Validation>, TrainError> {
        Ok(self.validation.as_ref().map(|validation| validation.evaluate(model, &self.recipe.loss)))
    }

    fn watch(&self, model: &Learner) -> Result<Option<f64>, TrainError> {
        Ok(self.watched.as_ref().map(|images| images.evaluate(model, &self.recipe.loss).loss))
    }

    fn save(&self, model: &Learner, path: &Path) -> Result<(), TrainError> {
        Ok(model.network.save(path, Precision::F32)?)
    }
}

/// The weights that the crate brings of a network of the recipe's kind, if it is they that the run starts from.
fn bundled_start(path: &Path, recipe: &WadiqamRecipe) -> Option<&'static [u8]> {
    (path == Path::new(BUNDLED)).then(|| bundled(recipe.model.is_full_reference()))
}

fn start_by_content(path: &Path, recipe: &WadiqamRecipe) -> Result<PathBuf, TrainError> {
    match bundled_start(path, recipe) {
        Some(bytes) => Ok(sha256(bytes).into()),
        None => by_content(path),
    }
}

/// The model that a run starts from.
fn earlier_model(path: &Path, recipe: &WadiqamRecipe, device: &Device) -> Result<Wadiqam, TrainError> {
    let invalid = |expected| {
        Err(TrainError::InvalidRecipe { field: "start_from", found: path.display().to_string(), expected })
    };
    let tensors = match bundled_start(path, recipe) {
        Some(bytes) => NamedTensors::from_safetensors(bytes, "bundled weights")?,
        None => NamedTensors::read(path)?,
    };
    match Wadiqam::stored_in(&tensors)? {
        None => invalid("weights of ours, which carry their configuration"),
        Some(config) if !config.shares_features_with(&recipe.model) => {
            invalid("a network of the same blocks and input scale")
        }
        Some(config) => Ok(Wadiqam::from_tensors(tensors, &config, device)?),
    }
}
