//! One network and one optimiser, over epochs.

use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::Tensor;
use iqa_core::Observer;

use super::checkpoint::{Found, Parts};
use super::course::{self, Course, Phase, RunFolder, Step};
use super::curve::write_loss_curve;
use super::divergence::Check;
use super::log::{EpochLog, write_log};
use super::recipe::Recipe;
use crate::data::DataKey;
use crate::error::TrainError;
use crate::schedule::Schedule;
use crate::within::places;

const BEST: &str = "best.safetensors";
const LAST: &str = "last.safetensors";
const LOG: &str = "log.csv";
const CURVE: &str = "loss.svg";
/// What a [`train`] writes into the folder of a run besides its checkpoint; the last three by the program `train`, after it.
pub const FILES: [&str; 7] =
    [BEST, LAST, LOG, CURVE, "best.f16.safetensors", "last.f16.safetensors", "report.md"];

/// How long a run is, and how fast it learns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plan {
    /// Epochs; each ends with a validation and a checkpoint.
    pub epochs: usize,
    /// Optimiser steps in an epoch, at least 1.
    pub steps_per_epoch: usize,
    /// Learning rate before the schedule.
    pub learning_rate: f64,
    /// How it changes over the run.
    pub schedule: Schedule,
}

/// A recipe with its network and its data, as the loop sees it.
pub trait Task: Sync {
    /// The network, on an autodiff device while it learns.
    type Model: Module;
    /// What one step learns from, made ahead on a thread of its own.
    type Batch: Send;
    /// The numbers of the run.
    type Recipe: Recipe;

    /// As checkpoints keep it.
    fn recipe(&self) -> &Self::Recipe;

    /// Length and learning rate.
    fn plan(&self) -> Plan;

    /// What the samples depend on, as [`TrainingPairs::key`](crate::TrainingPairs::key) tells it: a run goes on only on the
    /// same.
    fn data(&self) -> &DataKey;

    /// The batch of `step`, from 0: a pure function of it, so that a resumed run sees the same.
    ///
    /// # Errors
    /// What reading the data gives; it ends the run.
    fn batch(&self, step: usize) -> Result<Self::Batch, TrainError>;

    /// The loss to lower, shape `[1]`. Randomness must be seeded from `step`.
    ///
    /// # Errors
    /// For a batch without a loss; it ends the run before the batch reaches the weights.
    fn loss(&self, model: &Self::Model, batch: Self::Batch, step: usize) -> Result<Tensor<1>, TrainError>;

    /// Evaluates a model that is on a plain device. The weights of the lowest loss are kept; `None`, in every epoch, where
    /// there is nothing to validate on: the last weights count then.
    ///
    /// # Errors
    /// What reading the data gives; it ends the run.
    fn validate(&self, model: &Self::Model) -> Result<Option<Validation>, TrainError>;

    /// The loss of a model that is on a plain device on images that select nothing, for the log; `None` for a task without.
    ///
    /// # Errors
    /// What reading the data gives; it ends the run.
    fn watch(&self, _model: &Self::Model) -> Result<Option<f64>, TrainError> {
        Ok(None)
    }

    /// Writes the weights of a model that is on a plain device.
    ///
    /// # Errors
    /// What writing gives.
    fn save(&self, model: &Self::Model, path: &Path) -> Result<(), TrainError>;
}

/// What a finished run leaves.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The weights that count: those with the lowest validation loss, or, in a run without validation, [`Self::last`].
    pub best: PathBuf,
    /// One row an epoch.
    pub log: Vec<EpochLog>,
    /// Index in `log` of the epoch that gave `best`.
    pub best_epoch: usize,
    /// The weights as the last step left them.
    pub last: PathBuf,
}

/// Loss and correlations of a model on the validation set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Validation {
    /// The loss, lower is better.
    pub loss: f64,
    /// Spearman's correlation of scores with their labels, in quality orientation as the other two; `None` where it is
    /// undefined.
    pub srcc: Option<f64>,
    /// Pearson's.
    pub plcc: Option<f64>,
    /// Kendall's.
    pub krcc: Option<f64>,
}

impl Validation {
    /// The correlations of predictions with their targets, both in the same orientation.
    pub fn new(loss: f64, predictions: &[f64], targets: &[f64]) -> Self {
        use iqa_metrics::agreement::{krcc, plcc, srcc};
        Self {
            loss,
            srcc: srcc(predictions, targets).ok(),
            plcc: plcc(predictions, targets).ok(),
            krcc: krcc(predictions, targets).ok(),
        }
    }

    /// The correlations within each source, and their means; `loss` is over all.
    pub fn by_source(loss: f64, predictions: &[f64], targets: &[f64], sources: &[usize]) -> Self {
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

/// Runs a task's epochs and writes into `folder`; goes on where an earlier run in that folder stopped.
///
/// `model`, on an autodiff device, is the one to start with; after a stop its values are replaced by those of the
/// checkpoint. `observer` sees steps and epochs.
///
/// # Errors
/// What [`Recipe::validate`] and the task's methods give; [`TrainError::RecipeChanged`], [`TrainError::DataChanged`] when the
/// folder holds a run of another recipe or on other data; [`TrainError::NonFiniteLoss`] for a run that diverges;
/// [`TrainError::Checkpoint`]; [`CoreError::FolderInUse`](iqa_core::CoreError::FolderInUse),
/// [`CoreError::ForeignFile`](iqa_core::CoreError::ForeignFile), and what writing files gives. A folder that cannot be
/// written, and data that give no first batch, are told before the first step. After an error in the first epoch the folder is as
/// it was.
pub fn train<T: Task>(
    task: &T,
    model: T::Model,
    optimiser: ModuleOptimizer,
    folder: &Path,
    observer: &dyn Observer,
) -> Result<Outcome, TrainError> {
    let learner = Learner { model, optimiser, sum: 0.0, steps: 0, rate: 0.0 };
    let (learner, log) = course::run(&Epochs { task, plan: task.plan() }, learner, folder, observer)?;
    let (best, last) = (folder.join(BEST), folder.join(LAST));
    task.save(&learner.model.valid(), &last)?;
    Ok(match best_epoch(&log) {
        Some(best_epoch) => Outcome { best, best_epoch, log, last },
        None => Outcome { best: last.clone(), best_epoch: log.len().saturating_sub(1), log, last },
    })
}

/// A task as a course of one phase, with a mark an epoch.
struct Epochs<'a, T> {
    task: &'a T,
    plan: Plan,
}

struct Learner<M> {
    model: M,
    optimiser: ModuleOptimizer,
    /// Of the losses of this epoch.
    sum: f64,
    steps: usize,
    /// Of the last step.
    rate: f64,
}

impl<T> Epochs<'_, T> {
    fn check(&self, step: Step) -> Check {
        Check { step: step.index, learning_rate: self.plan.learning_rate }
    }
}

impl<T: Task> Course for Epochs<'_, T> {
    type Recipe = T::Recipe;
    type Batch = T::Batch;
    type Learner = Learner<T::Model>;
    type Row = EpochLog;

    fn recipe(&self) -> &T::Recipe {
        self.task.recipe()
    }

    fn data(&self) -> &DataKey {
        self.task.data()
    }

    fn phases(&self) -> Vec<Phase> {
        let every = self.plan.steps_per_epoch;
        vec![Phase { name: "", steps: self.plan.epochs * every, every }]
    }

    /// More epochs change nothing about those done, under a constant rate.
    fn longest(&self) -> Option<usize> {
        (self.plan.schedule == Schedule::Constant).then_some(self.plan.epochs)
    }

    fn files(&self, _: &Path) -> Vec<String> {
        FILES.map(Into::into).into()
    }

    fn kept(&self, log: &[EpochLog]) -> Option<&'static str> {
        best_epoch(log).filter(|best| best + 1 < log.len()).map(|_| BEST)
    }

    fn batch(&self, index: usize) -> Result<T::Batch, TrainError> {
        self.task.batch(index)
    }

    fn step(&self, learner: Self::Learner, batch: T::Batch, step: Step) -> Result<Self::Learner, TrainError> {
        let Learner { model, mut optimiser, sum, steps, .. } = learner;
        let all = self.plan.epochs * self.plan.steps_per_epoch;
        let rate = self.plan.learning_rate * self.plan.schedule.factor(step.index, all);
        let check = self.check(step);
        let loss = check.scores(self.task.loss(&model, batch, step.index))?;
        let value = loss.clone().into_scalar::<f64>();
        check.finite("the training loss", value)?;
        let gradients = GradientsParams::from_grads(loss.backward(), &model);
        let model = optimiser.step(rate, model, gradients);
        Ok(Learner { model, optimiser, sum: sum + value, steps: steps + 1, rate })
    }

    fn state(&self, learner: &Self::Learner) -> String {
        format!("loss {:.4}", learner.sum / learner.steps as f64)
    }

    fn mark(&self, learner: &mut Self::Learner, step: Step, seconds: f64) -> Result<EpochLog, TrainError> {
        let plain = learner.model.valid();
        let check = self.check(step);
        check.weights(&plain)?;
        let found = check.scores(self.task.validate(&plain))?;
        if let Some(found) = found {
            check.finite("the validation loss", found.loss)?;
        }
        let steps = step.index + 1;
        let row = EpochLog {
            epoch: steps / self.plan.steps_per_epoch,
            steps,
            learning_rate: learner.rate,
            train_loss: learner.sum / learner.steps as f64,
            validation_loss: found.map(|found| found.loss),
            validation_srcc: found.and_then(|found| found.srcc),
            validation_plcc: found.and_then(|found| found.plcc),
            validation_krcc: found.and_then(|found| found.krcc),
            test_loss: self.task.watch(&plain)?,
            seconds,
        };
        (learner.sum, learner.steps) = (0.0, 0);
        Ok(row)
    }

    fn publish(
        &self,
        learner: &Self::Learner,
        log: &[EpochLog],
        folder: &mut RunFolder,
    ) -> Result<(), TrainError> {
        if best_epoch(log).is_some_and(|best| best + 1 == log.len()) {
            self.task.save(&learner.model.valid(), &folder.file(BEST))?;
        }
        write_log(&folder.file(LOG), log)?;
        write_loss_curve(&folder.file(CURVE), log)
    }

    fn store(&self, learner: &Self::Learner, parts: &mut Parts) -> Result<(), TrainError> {
        parts.network("weights", &learner.model)?;
        parts.optimiser("optimiser", &learner.optimiser)
    }

    fn restore(&self, learner: Self::Learner, found: &Found<'_>) -> Result<Self::Learner, TrainError> {
        Ok(Learner {
            model: found.network("weights", learner.model)?,
            optimiser: found.optimiser("optimiser", learner.optimiser)?,
            ..learner
        })
    }
}

/// The first epoch with the lowest validation loss; `None` without validation.
fn best_epoch(log: &[EpochLog]) -> Option<usize> {
    let losses = log.iter().enumerate().filter_map(|(epoch, row)| Some((epoch, row.validation_loss?)));
    losses.min_by(|(_, a), (_, b)| a.total_cmp(b)).map(|(epoch, _)| epoch)
}
