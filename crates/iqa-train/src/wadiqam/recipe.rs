//! The numbers of a run.

use std::path::PathBuf;

use iqa_core::Direction;
use iqa_heads::Stored;
use iqa_heads::wadiqam::{Fusion, Initialisation, Wadiqam, WadiqamConfig, bundled};
use iqa_nn::NamedTensors;
use serde::{Deserialize, Serialize};

use crate::{QualityLoss, Recipe, Schedule, Term, TrainError, limits};

/// Everything that decides what a run does, but for the data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct WadiqamRecipe {
    /// The network.
    pub model: WadiqamConfig,
    /// Epochs; an epoch ends with a validation and a checkpoint.
    pub epochs: usize,
    /// Optimiser steps in an epoch; `None` for one pass over the training set.
    pub steps_per_epoch: Option<usize>,
    /// Images in a batch.
    pub images: usize,
    /// Random patches of each image, at each of the network's scales.
    pub patches: usize,
    /// What is lowered and validated by; the absolute error in the paper. Terms of single images are taken over what the
    /// network learns from, which is patches for DIQaM, those that compare images over the images of each source.
    pub loss: QualityLoss,
    /// Weight of `(1 - PLCC) / 2` over the images of a source in a batch, beside the loss and not part of the validation;
    /// 0 in the paper.
    pub correlation: f64,
    /// Learning rate of the first step.
    pub learning_rate: f64,
    /// How it changes.
    pub schedule: Schedule,
    /// Adam's epsilon. Burn's default of 1e-5 is not the paper's 1e-8.
    pub epsilon: f32,
    /// Random patches of each validation image, drawn once.
    pub validation_patches: usize,
    /// A weights file of ours to start from: all of a model of the same kind, the convolutions of another kind. [`BUNDLED`]
    /// for the bundled weights (a file of that name is `./bundled`), whose network [`Self::from_bundled`] has.
    pub start_from: Option<PathBuf>,
    /// Seed of the weights, the patches, the dropout and the order.
    pub seed: u64,
}

/// What [`WadiqamRecipe::start_from`] is for the bundled weights.
pub const BUNDLED: &str = "bundled";

impl WadiqamRecipe {
    /// The recipe for the bundled network, starting from its weights: to go on with them on other data. A run that is not meant to
    /// begin anew takes a learning rate lower than [`Self::fast`]'s: a fifth of it here.
    ///
    /// # Errors
    /// [`TrainError::Head`] does not happen: the bundled weights can be read.
    pub fn from_bundled(full_reference: bool) -> Result<Self, TrainError> {
        let tensors = NamedTensors::from_safetensors(bundled(full_reference), "bundled weights")?;
        let kind = if full_reference { WadiqamConfig::wadiqam_fr() } else { WadiqamConfig::wadiqam_nr() };
        let fast = Self::fast(kind);
        let model = Wadiqam::stored_in(&tensors)?.unwrap_or_else(|| fast.model.clone());
        Ok(Self { model, learning_rate: fast.learning_rate / 5.0, start_from: Some(BUNDLED.into()), ..fast })
    }

    /// The paper's: batches of 4 images x 32 patches, Adam at 1e-4 throughout, 3000 epochs, inputs of 0..255 and
    /// labels of 0..100 (sections III-E and IV-B).
    pub fn paper(model: WadiqamConfig) -> Self {
        Self {
            model,
            epochs: 3000,
            steps_per_epoch: None,
            images: 4,
            patches: 32,
            loss: QualityLoss::of(Term::Mae),
            correlation: 0.0,
            learning_rate: 1e-4,
            schedule: Schedule::Constant,
            epsilon: 1e-8,
            validation_patches: 32,
            start_from: None,
            seed: 1,
        }
    }

    /// A recipe for minutes on a CPU: the shallow network, fused by difference alone, inputs around zero, labels in
    /// `[0, 1]` (higher is better), Adam rising to 1e-3 in 100 steps and falling to 2 %, batches of 8 images x 16 patches.
    pub fn fast(model: WadiqamConfig) -> Self {
        let model = WadiqamConfig {
            fusion: Fusion::DiffOnly,
            input_scale: 4.0,
            input_offset: -2.0,
            initialisation: Initialisation::HeCentred,
            direction: Direction::HigherIsBetter,
            range: (0.0, 1.0),
            ..model.shallow()
        };
        Self {
            epochs: 30,
            steps_per_epoch: Some(100),
            images: 8,
            patches: 16,
            learning_rate: 1e-3,
            schedule: Schedule::WarmupLinear { warmup_steps: 100, final_fraction: 0.02 },
            ..Self::paper(model)
        }
    }
}

/// The paper's; what a checkpoint has of a field that came later.
impl Default for WadiqamRecipe {
    fn default() -> Self {
        Self::paper(WadiqamConfig::wadiqam_fr())
    }
}

impl Recipe for WadiqamRecipe {
    fn validate(&self) -> Result<(), TrainError> {
        self.model.validate()?;
        self.loss.validate()?;
        limits::EPOCHS.check("epochs", self.epochs)?;
        limits::STEPS.check("steps_per_epoch", self.steps_per_epoch.unwrap_or(1))?;
        limits::images(&self.loss).check("images", self.images)?;
        limits::PATCHES.check("patches", self.patches)?;
        limits::BATCH_PATCHES.check("patches", self.images * self.patches * self.model.scales)?;
        limits::PATCHES.check("validation_patches", self.validation_patches)?;
        if !(self.correlation >= 0.0 && self.correlation.is_finite()) {
            return Err(TrainError::InvalidRecipe {
                field: "correlation",
                found: self.correlation.to_string(),
                expected: "a weight of 0 or more",
            });
        }
        limits::learning_rate("learning_rate", self.learning_rate)
    }
}
