//! The numbers of a run.

use std::path::PathBuf;

use iqa_heads::gsn::GsnConfig;
use serde::{Deserialize, Serialize};

use crate::limits::{self, Limit};
use crate::{KlDirection, QualityLoss, RangerConfig, Recipe, Schedule, Term, TrainError};

/// Channels of any layer. The published network has up to 196.
const WIDTH: Limit = Limit::new(1..=2048, "channels from 1 to 2,048");
const CROP: Limit = Limit::new(1..=4096, "1 to 4,096 pixels");

/// Everything that decides what a run does, but for the data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct GsnRecipe {
    /// The network.
    pub model: GsnConfig,
    /// What is lowered.
    pub loss: QualityLoss,
    /// Epochs; an epoch ends with a validation and a checkpoint.
    pub epochs: usize,
    /// Optimiser steps in an epoch; `None` for one pass over the training set, without an incomplete batch.
    pub steps_per_epoch: Option<usize>,
    /// Pairs in a batch, at least 2 where the loss compares them.
    pub images: usize,
    /// Learning rate of the first step.
    pub learning_rate: f64,
    /// How it changes.
    pub schedule: Schedule,
    /// The optimiser.
    pub optimiser: RangerConfig,
    /// Whether the last layer starts as the mean of its map ([`Gsn::with_mean_head`](iqa_heads::gsn::Gsn::with_mean_head)), with
    /// the labels' mean as that of the first scores ([`Gsn::with_mean`](iqa_heads::gsn::Gsn::with_mean)).
    pub mean_head: bool,
    /// Weights of ours of the same network to start from; `None` for random ones.
    pub start_from: Option<PathBuf>,
    /// Seed of the weights, the crops and the order.
    pub seed: u64,
}

/// The cells of the paper's table 5: which convolution, and whether the list loss is added to the pair loss, which the
/// table calls MSE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ablation {
    /// Ordinary convolutions, pair loss.
    CnnMse,
    /// Ordinary convolutions, pair and list loss.
    CnnMseKl,
    /// Central difference convolutions, pair loss.
    CdcMse,
    /// Central difference convolutions, pair and list loss: the proposed network.
    CdcMseKl,
}

impl Ablation {
    /// In the order of the table.
    pub const ALL: [Self; 4] = [Self::CnnMse, Self::CnnMseKl, Self::CdcMse, Self::CdcMseKl];

    /// As in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::CnnMse => "CNN+MSE",
            Self::CnnMseKl => "CNN+MSE+KL",
            Self::CdcMse => "CDC+MSE",
            Self::CdcMseKl => "CDC+MSE+KL",
        }
    }
}

impl GsnRecipe {
    /// The paper's: batches of 32, Ranger at 1e-3 with a weight decay of 1e-5, 300 epochs. How the rate changes is not
    /// said: it does not.
    pub fn paper(model: GsnConfig) -> Self {
        Self {
            model,
            loss: QualityLoss::gsn(),
            epochs: 300,
            steps_per_epoch: None,
            images: 32,
            learning_rate: 1e-3,
            schedule: Schedule::Constant,
            optimiser: RangerConfig::new().with_weight_decay(1e-5),
            mean_head: false,
            start_from: None,
            seed: 1,
        }
    }

    /// A recipe for minutes on a CPU: an eighth of the widths, crops of 96 pixels, batches of 16, and a rate that falls
    /// over the last quarter, as Ranger's authors advise.
    pub fn fast(model: GsnConfig) -> Self {
        let model = GsnConfig { crop: 96, grid: 18, ..model.scaled(0.125) };
        Self {
            epochs: 20,
            steps_per_epoch: Some(40),
            images: 16,
            learning_rate: 3e-3,
            schedule: Schedule::FlatCosine { flat_fraction: 0.72 },
            ..Self::paper(model)
        }
    }

    /// For the network that is bundled ([`GsnConfig::small`]): an hour or two on a CPU, minutes on a GPU. A squared error
    /// beside the paper's losses fixes scale and offset of the scores, which those leave free.
    pub fn small() -> Self {
        Self {
            model: GsnConfig::small(),
            loss: QualityLoss::of(Term::Mse)
                .with(0.1, Term::NormInNorm)
                .with(0.1, Term::ListKl(KlDirection::PredictionTarget)),
            steps_per_epoch: Some(100),
            mean_head: true,
            ..Self::fast(GsnConfig::new())
        }
    }

    /// The same run in a cell of the paper's ablation.
    #[must_use]
    pub fn ablation(mut self, cell: Ablation) -> Self {
        if matches!(cell, Ablation::CnnMse | Ablation::CnnMseKl) {
            self.model.theta = 0.0;
        }
        self.loss = match cell {
            Ablation::CnnMse | Ablation::CdcMse => QualityLoss::gsn_pair(),
            Ablation::CnnMseKl | Ablation::CdcMseKl => QualityLoss::gsn(),
        };
        self
    }
}

/// The paper's; what a checkpoint has of a field that came later.
impl Default for GsnRecipe {
    fn default() -> Self {
        Self::paper(GsnConfig::new())
    }
}

impl Recipe for GsnRecipe {
    fn validate(&self) -> Result<(), TrainError> {
        // Before the network's own check, which may multiply them.
        CROP.check("crop", self.model.crop)?;
        let widths = self.model.blocks.iter().flatten().chain([&self.model.stem, &self.model.fusion]);
        widths.into_iter().try_for_each(|&width| WIDTH.check("width", width))?;
        self.model.validate()?;
        self.loss.validate()?;
        limits::EPOCHS.check("epochs", self.epochs)?;
        limits::STEPS.check("steps_per_epoch", self.steps_per_epoch.unwrap_or(1))?;
        limits::images(&self.loss).check("images", self.images)?;
        limits::learning_rate("learning_rate", self.learning_rate)
    }
}
