//! The training loop.

use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::time::Instant;

use burn::module::Module;
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor, TensorData};
use indicatif::{ProgressBar, ProgressStyle};
use iqa_core::{CoreError, Direction, NamedTensors, Precision};
use iqa_heads::wadiqam::{PatchSampler, Wadiqam, WadiqamConfig, cut_patches};

use super::data::{TrainingPair, TrainingPairs, ValidationPairs};
use super::recipe::WadiqamRecipe;
use super::validation::ValidationPatches;
use crate::checkpoint::{self, RunState};
use crate::{EpochLog, TrainError, curve, log, seed};

/// Batches prepared ahead of the network.
const READ_AHEAD: usize = 4;

/// What a finished run leaves.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The weights with the lowest validation loss.
    pub best: PathBuf,
    /// One row an epoch.
    pub log: Vec<EpochLog>,
    /// Index in `log` of the epoch that gave `best`.
    pub best_epoch: usize,
    /// The weights as the last step left them.
    pub last: PathBuf,
}

/// Trains a network and writes into `folder`; goes on where an earlier run in that folder stopped.
///
/// `device` is a plain device; the loop puts autodiff on it. A progress bar goes to standard error when that is a
/// terminal. The seeding of dropout is global on most backends: one run a process.
///
/// # Errors
/// [`TrainError::InvalidRecipe`], [`TrainError::Empty`]; [`TrainError::RecipeChanged`] when the folder holds a run
/// of another recipe (only the number of epochs may grow, and only under a constant schedule);
/// [`TrainError::Checkpoint`], [`TrainError::NonFiniteLoss`], and what reading the data or writing files gives.
pub fn train(
    recipe: &WadiqamRecipe,
    training: &dyn TrainingPairs,
    validation: &dyn ValidationPairs,
    folder: &Path,
    device: &Device,
) -> Result<Outcome, TrainError> {
    recipe.validate()?;
    if training.samples() == 0 {
        return Err(TrainError::Empty { set: "training" });
    }
    std::fs::create_dir_all(folder).map_err(|source| CoreError::Io { path: folder.into(), source })?;
    let device = device.clone().autodiff();
    let file = |name: &str| folder.join(name);
    let best = file("best.safetensors");
    let checkpoint_file = file("checkpoint.safetensors");

    device.seed(recipe.seed);
    let mut model = recipe.model.init(&device);
    let mut optimiser: ModuleOptimizer = AdamConfig::new().with_epsilon(recipe.epsilon).init();
    let mut state = RunState { recipe: recipe.clone(), log: Vec::new() };
    if checkpoint_file.exists() {
        let found: RunState<WadiqamRecipe>;
        (model, optimiser, found) = checkpoint::read(&checkpoint_file, model, optimiser)?;
        same_recipe(&found.recipe, recipe, &checkpoint_file)?;
        state.log = found.log;
    } else if let Some(path) = &recipe.start_from {
        model = model.starting_from(&earlier_model(path, recipe, &device)?);
    }

    let validation = ValidationPatches::draw(validation, recipe)?;
    let steps_per_epoch =
        recipe.steps_per_epoch.unwrap_or_else(|| training.samples().div_ceil(recipe.images));
    let steps = recipe.epochs * steps_per_epoch;
    let first_step = state.log.len() * steps_per_epoch;
    let bar = progress_bar(steps, first_step);

    let model = std::thread::scope(|scope| -> Result<Wadiqam, TrainError> {
        // Distorting and decoding go on while the network works.
        let (sender, batches) = sync_channel(READ_AHEAD);
        scope.spawn(move || {
            for step in first_step..steps {
                let batch = (0..recipe.images)
                    .map(|image| {
                        let sample = step * recipe.images + image;
                        training.pair((sample / training.samples()) as u64, sample % training.samples())
                    })
                    .collect::<Result<Vec<_>, _>>();
                if sender.send(batch).is_err() {
                    return; // The loop has ended with an error of its own.
                }
            }
        });
        // The thread sends a batch a step, or the error that ends the run.
        let next = || batches.recv().unwrap_or(Err(TrainError::Empty { set: "training" }));

        for epoch in state.log.len()..recipe.epochs {
            let start = Instant::now();
            let mut sum = 0.0;
            let mut rate = 0.0;
            for step in epoch * steps_per_epoch..(epoch + 1) * steps_per_epoch {
                let batch = next()?;
                rate = recipe.learning_rate * recipe.schedule.factor(step, steps);
                let loss;
                (model, loss) = optimise(model, &mut optimiser, recipe, &batch, step, rate, &device)?;
                if !loss.is_finite() {
                    return Err(TrainError::NonFiniteLoss { step });
                }
                sum += loss;
                bar.inc(1);
                bar.set_message(format!("loss {:.4}", sum / (step % steps_per_epoch + 1) as f64));
            }
            let found = validation.evaluate(&model.valid());
            let row = EpochLog {
                epoch: epoch + 1,
                steps: (epoch + 1) * steps_per_epoch,
                learning_rate: rate,
                train_loss: sum / steps_per_epoch as f64,
                validation_loss: found.loss,
                validation_srcc: found.srcc,
                validation_plcc: found.plcc,
                seconds: start.elapsed().as_secs_f64(),
            };
            if state.log.iter().all(|earlier| row.validation_loss < earlier.validation_loss) {
                model.valid().save(&best, Precision::F32)?;
            }
            state.log.push(row);
            checkpoint::write(&checkpoint_file, &model, &optimiser, &state)?;
            log::write_log(&file("log.csv"), &state.log)?;
            curve::write_loss_curve(&file("loss.svg"), &state.log)?;
            let line = format!(
                "epoch {:>4}: training loss {:.4}, validation loss {:.4}, SRCC {}",
                row.epoch,
                row.train_loss,
                row.validation_loss,
                row.validation_srcc.map_or_else(|| "undefined".into(), |srcc| format!("{srcc:.4}")),
            );
            // Above the bar where there is one; a bar that is not shown would swallow the line.
            bar.suspend(|| eprintln!("{line}"));
        }
        Ok(model)
    })?;
    bar.finish();
    let best_epoch = (0..state.log.len())
        .min_by(|&a, &b| state.log[a].validation_loss.total_cmp(&state.log[b].validation_loss))
        .unwrap_or(0);
    let last = file("last.safetensors");
    model.valid().save(&last, Precision::F32)?;
    Ok(Outcome { best, log: state.log, best_epoch, last })
}

/// The model that a run starts from.
fn earlier_model(path: &Path, recipe: &WadiqamRecipe, device: &Device) -> Result<Wadiqam, TrainError> {
    let invalid = |expected| {
        Err(TrainError::InvalidRecipe { field: "start_from", found: path.display().to_string(), expected })
    };
    let tensors = NamedTensors::read(path)?;
    match WadiqamConfig::stored_in(&tensors)? {
        None => invalid("weights of ours, which carry their configuration"),
        Some(config) if !config.shares_features_with(&recipe.model) => {
            invalid("a network of the same blocks and input scale")
        }
        Some(config) => Ok(Wadiqam::from_tensors(tensors, &config, device)?),
    }
}

/// The label on the scale of the model's score.
pub(super) fn target(model: &WadiqamConfig, quality01: f64) -> f64 {
    let (low, high) = model.range;
    match model.direction {
        Direction::HigherIsBetter => low + quality01 * (high - low),
        Direction::LowerIsBetter => high - quality01 * (high - low),
    }
}

/// One step of Adam; gives the loss before it.
fn optimise(
    model: Wadiqam,
    optimiser: &mut ModuleOptimizer,
    recipe: &WadiqamRecipe,
    batch: &[TrainingPair],
    step: usize,
    rate: f64,
    device: &Device,
) -> Result<(Wadiqam, f64), TrainError> {
    let mut distorted = Vec::with_capacity(batch.len());
    let mut references = Vec::with_capacity(batch.len());
    let mut targets = Vec::with_capacity(batch.len());
    for (index, pair) in batch.iter().enumerate() {
        let seed = seed::derive(recipe.seed, &[seed::PATCHES, step as u64, index as u64]);
        let sampler = PatchSampler::Random { patches: recipe.patches, seed };
        let positions = sampler.positions(pair.distorted.width(), pair.distorted.height())?;
        distorted.push(cut_patches(&pair.distorted, &positions, device));
        if recipe.model.is_full_reference() {
            references.push(cut_patches(&pair.reference, &positions, device));
        }
        targets.push(target(&recipe.model, pair.quality01) as f32);
    }
    // Dropout draws from the device's generator: seeded for each step, a resumed run draws the same.
    device.seed(seed::derive(recipe.seed, &[seed::DROPOUT, step as u64]));
    let reference = (!references.is_empty()).then(|| Tensor::cat(references, 0));
    let scores = model.forward_training(Tensor::cat(distorted, 0), reference);
    let targets = Tensor::from_data(TensorData::new(targets, [batch.len()]), device);
    let loss = scores.l1_loss(targets);
    let value = loss.clone().into_scalar::<f64>();
    let gradients = GradientsParams::from_grads(loss.backward(), &model);
    Ok((optimiser.step(rate, model, gradients), value))
}

fn same_recipe(found: &WadiqamRecipe, asked: &WadiqamRecipe, path: &Path) -> Result<(), TrainError> {
    let as_object = |recipe: &WadiqamRecipe| match serde_json::to_value(recipe) {
        Ok(serde_json::Value::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    };
    let (found_fields, asked_fields) = (as_object(found), as_object(asked));
    let longer = asked.epochs >= found.epochs && asked.schedule == crate::Schedule::Constant;
    for (field, value) in &asked_fields {
        if found_fields.get(field) != Some(value) && !(field == "epochs" && longer) {
            return Err(TrainError::RecipeChanged { path: path.into(), field: field.clone() });
        }
    }
    Ok(())
}

fn progress_bar(steps: usize, done: usize) -> ProgressBar {
    let bar = ProgressBar::new(steps as u64).with_position(done as u64);
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} steps, {eta} left, {msg}") {
        bar.set_style(style);
    }
    bar.reset_eta();
    bar
}
