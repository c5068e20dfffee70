//! The loop that all recipes with one optimiser share: read-ahead, epochs, validation, checkpoints, exact resume.

use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::time::Instant;

use burn::module::Module;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::Tensor;
use iqa_core::{FolderClaim, Observer, Work};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::checkpoint::{self, RunState, same_run};
use crate::data::DataKey;
use crate::divergence::Check;
use crate::within::places;
use crate::{EpochLog, Schedule, TrainError, curve, log};

/// Batches prepared ahead of the network.
const READ_AHEAD: usize = 4;
const CHECKPOINT: &str = "checkpoint.safetensors";
/// What is written into the folder of a run; the last two by the program `train`, after it.
const FILES: [&str; 7] = [
    CHECKPOINT,
    "best.safetensors",
    "last.safetensors",
    "log.csv",
    "loss.svg",
    "best.f16.safetensors",
    "report.md",
];

/// Whether a run in that folder has a checkpoint to go on from.
pub(crate) fn is_begun(folder: &Path) -> bool {
    folder.join(CHECKPOINT).exists()
}

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

/// Loss and correlations of a model on the validation set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Validation {
    pub(crate) loss: f64,
    /// In quality orientation, as the other two; `None` where it is undefined.
    pub(crate) srcc: Option<f64>,
    pub(crate) plcc: Option<f64>,
    pub(crate) krcc: Option<f64>,
}

impl Validation {
    /// The correlations of predictions with their targets, both in the same orientation.
    pub(crate) fn new(loss: f64, predictions: &[f64], targets: &[f64]) -> Self {
        use iqa_metrics::agreement::{krcc, plcc, srcc};
        Self {
            loss,
            srcc: srcc(predictions, targets).ok(),
            plcc: plcc(predictions, targets).ok(),
            krcc: krcc(predictions, targets).ok(),
        }
    }

    /// The correlations within each source, and their means; `loss` is over all.
    pub(crate) fn by_source(loss: f64, predictions: &[f64], targets: &[f64], sources: &[usize]) -> Self {
        let each: Vec<Self> = places(sources)
            .into_values()
            .map(|places| {
                let of = |values: &[f64]| -> Vec<f64> { places.iter().map(|&place| values[place]).collect() };
                Self::new(loss, &of(predictions), &of(targets))
            })
            .collect();
        Self::mean(&each)
    }

    /// The means over several sources; a correlation that is undefined for one is undefined.
    pub(crate) fn mean(each: &[Self]) -> Self {
        let count = each.len() as f64;
        let mean =
            |of: fn(&Self) -> Option<f64>| each.iter().map(of).sum::<Option<f64>>().map(|sum| sum / count);
        Self {
            loss: each.iter().map(|found| found.loss).sum::<f64>() / count,
            srcc: mean(|found| found.srcc),
            plcc: mean(|found| found.plcc),
            krcc: mean(|found| found.krcc),
        }
    }
}

/// How long a run is, and how fast it learns.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) epochs: usize,
    pub(crate) steps_per_epoch: usize,
    pub(crate) learning_rate: f64,
    pub(crate) schedule: Schedule,
}

/// A recipe with its data, as the loop sees it.
pub(crate) trait Task: Sync {
    /// The network, on an autodiff device while it learns.
    type Model: Module;
    /// What one step learns from, made ahead on a thread of its own.
    type Batch: Send;
    /// The numbers of the run, kept in its checkpoints: a run goes on only under the same. A file that the run reads
    /// stands in it with its digest for a path.
    type Recipe: Serialize + DeserializeOwned + Clone;

    fn recipe(&self) -> &Self::Recipe;

    /// What the samples depend on: a run goes on only on the same.
    fn data(&self) -> &DataKey;

    /// The batch of `step`, from 0: a pure function of it, so that a resumed run sees the same.
    fn batch(&self, step: usize) -> Result<Self::Batch, TrainError>;

    /// The loss to lower, shape `[1]`. Randomness must be seeded from `step`.
    fn loss(&self, model: &Self::Model, batch: Self::Batch, step: usize) -> Result<Tensor<1>, TrainError>;

    /// Evaluates a model that is on a plain device.
    fn validate(&self, model: &Self::Model) -> Result<Validation, TrainError>;

    /// Writes the weights of a model that is on a plain device.
    fn save(&self, model: &Self::Model, path: &Path) -> Result<(), TrainError>;
}

/// Runs a task's epochs and writes into `folder`; goes on where an earlier run in that folder stopped.
///
/// `model` is the one to start with; after a stop its values are replaced by those of the checkpoint. A folder that
/// cannot be written, and data that give no first batch, are told before the first step; the folder is then as it was.
pub(crate) fn run<T: Task>(
    task: &T,
    plan: &Plan,
    mut model: T::Model,
    mut optimiser: ModuleOptimizer,
    folder: &Path,
    observer: &dyn Observer,
) -> Result<Outcome, TrainError> {
    let mut first_batch = if is_begun(folder) { None } else { Some(task.batch(0)?) };
    let _claim = FolderClaim::new(folder, "train", &FILES)?;
    let file = |name: &str| folder.join(name);
    let (best, last) = (file("best.safetensors"), file("last.safetensors"));
    let checkpoint_file = file(CHECKPOINT);
    let publish = |rows: &[EpochLog]| {
        log::write_log(&file("log.csv"), rows)?;
        curve::write_loss_curve(&file("loss.svg"), rows)
    };

    let mut state = RunState { recipe: task.recipe().clone(), data: task.data().clone(), log: Vec::new() };
    if checkpoint_file.exists() {
        let found: RunState<T::Recipe>;
        // More epochs change nothing about those done, under a constant rate.
        let longest = (plan.schedule == Schedule::Constant).then_some(plan.epochs);
        let asked = (task.recipe(), task.data());
        let same = |found: &RunState<T::Recipe>| {
            same_run((&found.recipe, &found.data), asked, longest, &checkpoint_file)
        };
        (model, optimiser, found) = checkpoint::read(&checkpoint_file, model, optimiser, same)?;
        state.log = found.log;
    }
    // The run may have ended between a checkpoint and its row.
    publish(&state.log)?;

    let steps_per_epoch = plan.steps_per_epoch;
    let steps = plan.epochs * steps_per_epoch;
    let first_step = state.log.len() * steps_per_epoch;
    let (units, done) = (Some(steps as u64), first_step as u64);
    observer.begin(Work { name: "", unit: "steps", units, done });

    let model = std::thread::scope(|scope| -> Result<T::Model, TrainError> {
        // Distorting and decoding go on while the network works.
        let (sender, batches) = sync_channel(READ_AHEAD);
        scope.spawn(move || {
            for step in first_step..steps {
                let batch = first_batch.take().filter(|_| step == 0).map_or_else(|| task.batch(step), Ok);
                if sender.send(batch).is_err() {
                    return; // The loop has ended with an error of its own.
                }
            }
        });
        // The thread sends a batch a step, or the error that ends the run.
        let next = || batches.recv().unwrap_or(Err(TrainError::Empty { set: "training" }));

        for epoch in state.log.len()..plan.epochs {
            let start = Instant::now();
            let mut sum = 0.0;
            let mut rate = 0.0;
            for step in epoch * steps_per_epoch..(epoch + 1) * steps_per_epoch {
                rate = plan.learning_rate * plan.schedule.factor(step, steps);
                let check = Check { step, learning_rate: plan.learning_rate };
                let loss = check.scores(task.loss(&model, next()?, step))?;
                let value = loss.clone().into_scalar::<f64>();
                check.finite("the training loss", value)?;
                let gradients = GradientsParams::from_grads(loss.backward(), &model);
                model = optimiser.step(rate, model, gradients);
                sum += value;
                let mean = sum / (step % steps_per_epoch + 1) as f64;
                observer.advance(1, format_args!("loss {mean:.4}"));
            }
            let plain = model.valid();
            let step = (epoch + 1) * steps_per_epoch - 1;
            let check = Check { step, learning_rate: plan.learning_rate };
            check.weights(&plain)?;
            let found = check.scores(task.validate(&plain))?;
            check.finite("the validation loss", found.loss)?;
            let row = EpochLog {
                epoch: epoch + 1,
                steps: (epoch + 1) * steps_per_epoch,
                learning_rate: rate,
                train_loss: sum / steps_per_epoch as f64,
                validation_loss: found.loss,
                validation_srcc: found.srcc,
                validation_plcc: found.plcc,
                validation_krcc: found.krcc,
                seconds: start.elapsed().as_secs_f64(),
            };
            state.log.push(row);
            if best_epoch(&state.log) == epoch {
                task.save(&plain, &best)?;
            }
            checkpoint::write(&checkpoint_file, &model, &optimiser, &state)?;
            publish(&state.log)?;
            observer.line(format_args!(
                "epoch {:>4}: training loss {:.4}, validation loss {:.4}, SRCC {}",
                row.epoch,
                row.train_loss,
                row.validation_loss,
                row.validation_srcc.map_or_else(|| "undefined".into(), |srcc| format!("{srcc:.4}")),
            ));
        }
        Ok(model)
    })?;
    observer.end();
    task.save(&model.valid(), &last)?;
    Ok(Outcome { best, best_epoch: best_epoch(&state.log), log: state.log, last })
}

/// The first epoch with the lowest validation loss.
fn best_epoch(log: &[EpochLog]) -> usize {
    (0..log.len()).min_by(|&a, &b| log[a].validation_loss.total_cmp(&log[b].validation_loss)).unwrap_or(0)
}
