//! The numbers of a run.

use iqa_heads::multi_branch::MultiBranchConfig;
use serde::{Deserialize, Serialize};

use crate::{QualityLoss, Recipe, Schedule, Term, TrainError, limits};

/// Everything that decides what a run does, but for the data and the weights of the frozen branch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct MultiBranchRecipe {
    /// The network. Its range is that of the labels.
    pub model: MultiBranchConfig,
    /// What is lowered, within a source; the squared error in the paper.
    pub loss: QualityLoss,
    /// Epochs; an epoch ends with a validation and a checkpoint.
    pub epochs: usize,
    /// Optimiser steps in an epoch; `None` for one pass over the training set.
    pub steps_per_epoch: Option<usize>,
    /// Pairs in a batch. Those of different sizes go through the network apart.
    pub images: usize,
    /// Learning rate of the first step.
    pub learning_rate: f64,
    /// How it changes.
    pub schedule: Schedule,
    /// Adam's epsilon. Burn's default of 1e-5 is not the paper's 1e-8.
    pub epsilon: f32,
    /// Seed of the weights.
    pub seed: u64,
}

impl MultiBranchRecipe {
    /// The paper's: batches of 8 whole images, Adam from 1e-4 to 1e-6. The number of epochs is not given there: 30.
    pub fn paper(model: MultiBranchConfig) -> Self {
        Self {
            model,
            loss: QualityLoss::of(Term::Mse),
            epochs: 30,
            steps_per_epoch: None,
            images: 8,
            learning_rate: 1e-4,
            schedule: Schedule::Geometric { final_fraction: 1e-2, stages: 30 },
            epsilon: 1e-8,
            seed: 1,
        }
    }

    /// For minutes on a CPU: the branches that learn at an eighth of the width, ten epochs, ten times the rate.
    pub fn fast(model: MultiBranchConfig) -> Self {
        let model = MultiBranchConfig { width_divisor: 8, ..model };
        Self { learning_rate: 1e-3, ..Self::paper(model).with_epochs(10) }
    }

    /// For the model that is bundled ([`MultiBranchConfig::small`]): an hour or two on a CPU, minutes on a GPU.
    pub fn small(model: MultiBranchConfig) -> Self {
        Self { steps_per_epoch: Some(100), learning_rate: 1e-3, ..Self::paper(model).with_epochs(20) }
    }

    /// For a perceptron over frozen features ([`MultiBranchConfig::lite`]): the features are computed once, an epoch then
    /// takes as long as its pictures take to be read.
    pub fn lite(model: MultiBranchConfig) -> Self {
        Self {
            loss: QualityLoss::of(Term::Mse).with(0.2, Term::Plcc),
            steps_per_epoch: Some(100),
            images: 64,
            learning_rate: 1e-3,
            ..Self::paper(model).with_epochs(30)
        }
    }

    /// Another number of epochs; a falling rate then falls once an epoch.
    #[must_use]
    pub fn with_epochs(mut self, epochs: usize) -> Self {
        self.epochs = epochs;
        if let Schedule::Geometric { stages, .. } = &mut self.schedule {
            *stages = epochs;
        }
        self
    }
}

/// The paper's; what a checkpoint has of a field that came later.
impl Default for MultiBranchRecipe {
    fn default() -> Self {
        Self::paper(MultiBranchConfig::vgg16())
    }
}

impl Recipe for MultiBranchRecipe {
    fn validate(&self) -> Result<(), TrainError> {
        self.model.validate()?;
        self.loss.validate()?;
        limits::EPOCHS.check("epochs", self.epochs)?;
        limits::STEPS.check("steps_per_epoch", self.steps_per_epoch.unwrap_or(1))?;
        limits::images(&self.loss).check("images", self.images)?;
        limits::learning_rate("learning_rate", self.learning_rate)
    }
}
