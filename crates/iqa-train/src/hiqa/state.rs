//! Checkpoints of the whole run: one file, so that no part can be newer than another.

use std::path::Path;

use burn::module::Module;
use burn::optim::{ModuleOptimizer, OptimizerRecord};
use burn::store::ModuleRecord;
use burn::tensor::Bytes;
use iqa_core::{CoreError, write_atomically};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};

use super::log::HiqaLog;
use super::recipe::HiqaRecipe;
use super::trainer::Trainer;
use crate::TrainError;
use crate::data::DataKey;

const STATE: &str = "state";

/// How far a run is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Progress {
    /// The recipe the run was started with.
    pub(super) recipe: HiqaRecipe,
    /// What its samples depend on.
    pub(super) data: DataKey,
    /// Index in the recipe's phases.
    pub(super) phase: usize,
    /// Steps done in it.
    pub(super) step: usize,
    pub(super) log: Vec<HiqaLog>,
}

fn failed(path: &Path) -> impl Fn(String) -> TrainError {
    let path = path.to_path_buf();
    move |reason| TrainError::Checkpoint { path: path.clone(), reason }
}

pub(super) fn write(path: &Path, trainer: &Trainer, progress: &Progress) -> Result<(), TrainError> {
    let failed = failed(path);
    let weights = |record: ModuleRecord| record.into_bytes().map_err(|error| failed(error.to_string()));
    let optimiser =
        |optimiser: &ModuleOptimizer| optimiser.into_bytes().map_err(|error| failed(error.to_string()));
    let state = serde_json::to_vec(progress).map_err(|error| failed(error.to_string()))?;
    let parts: [(&str, Bytes); 9] = [
        ("generator", weights(trainer.generator.clone().into_record())?),
        ("discriminator", weights(trainer.discriminator.clone().into_record())?),
        ("regressor", weights(trainer.regressor.clone().into_record())?),
        ("baseline", weights(trainer.baseline.clone().into_record())?),
        ("generator_optimiser", optimiser(&trainer.generator_optimiser)?),
        ("discriminator_optimiser", optimiser(&trainer.discriminator_optimiser)?),
        ("regressor_optimiser", optimiser(&trainer.regressor_optimiser)?),
        ("baseline_optimiser", optimiser(&trainer.baseline_optimiser)?),
        (STATE, Bytes::from_bytes_vec(state)),
    ];
    let file = parts
        .iter()
        .map(|(name, bytes)| Ok((*name, TensorView::new(Dtype::U8, vec![bytes.len()], bytes)?)))
        .collect::<Result<Vec<_>, safetensors::SafeTensorError>>()
        .and_then(|views| safetensors::serialize(views, None))
        .map_err(|error| failed(error.to_string()))?;
    Ok(write_atomically(path, &file)?)
}

/// `same` refuses the progress of another run, before its weights are tried.
pub(super) fn read(
    path: &Path,
    trainer: Trainer,
    same: impl FnOnce(&Progress) -> Result<(), TrainError>,
) -> Result<(Trainer, Progress), TrainError> {
    let failed = failed(path);
    let bytes = std::fs::read(path).map_err(|source| CoreError::Io { path: path.into(), source })?;
    let file = SafeTensors::deserialize(&bytes).map_err(|error| failed(error.to_string()))?;
    let part = |name: &str| {
        let view = file.tensor(name).map_err(|error| failed(error.to_string()))?;
        Ok::<_, TrainError>(Bytes::from_bytes_vec(view.data().to_vec()))
    };
    let progress = serde_json::from_slice(&part(STATE)?).map_err(|error| failed(error.to_string()))?;
    same(&progress)?;
    let record = |name| ModuleRecord::from_bytes(part(name)?).map_err(|error| failed(error.to_string()));
    let optimiser = |name, optimiser: ModuleOptimizer| {
        let record = OptimizerRecord::from_bytes(part(name)?).map_err(|error| failed(error.to_string()))?;
        Ok::<_, TrainError>(optimiser.load_record(record))
    };
    fn load<M: Module>(
        network: M,
        record: ModuleRecord,
        failed: impl Fn(String) -> TrainError,
    ) -> Result<M, TrainError> {
        network.try_load_record(record).map_err(|error| failed(error.to_string()))
    }
    let trainer = Trainer {
        generator: load(trainer.generator, record("generator")?, &failed)?,
        discriminator: load(trainer.discriminator, record("discriminator")?, &failed)?,
        regressor: load(trainer.regressor, record("regressor")?, &failed)?,
        baseline: load(trainer.baseline, record("baseline")?, &failed)?,
        generator_optimiser: optimiser("generator_optimiser", trainer.generator_optimiser)?,
        discriminator_optimiser: optimiser("discriminator_optimiser", trainer.discriminator_optimiser)?,
        regressor_optimiser: optimiser("regressor_optimiser", trainer.regressor_optimiser)?,
        baseline_optimiser: optimiser("baseline_optimiser", trainer.baseline_optimiser)?,
        ..trainer
    };
    Ok((trainer, progress))
}
