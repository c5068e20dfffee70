//! All that a run needs to go on, in one file.
//!
//! The file is safetensors with three byte arrays: the weights and the optimiser state as Burn records, and
//! the rest as JSON. One file means one rename: there is never a new weight file beside an old optimiser state.

use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::optim::{ModuleOptimizer, OptimizerRecord};
use burn::store::ModuleRecord;
use burn::tensor::Bytes;
use iqa_core::{CoreError, short_sha256_of_file, write_atomically};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};

use crate::data::DataKey;
use crate::{EpochLog, TrainError};

const WEIGHTS: &str = "weights";
const OPTIMISER: &str = "optimiser";
const STATE: &str = "state";

/// What a run knows besides weights and optimiser state.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RunState<R> {
    /// The recipe the run was started with.
    pub(crate) recipe: R,
    /// What its samples depend on.
    pub(crate) data: DataKey,
    /// One row an epoch done.
    pub(crate) log: Vec<EpochLog>,
}

/// That a run goes on under the recipe and on the data that it was `found` to have been started with; its number of epochs
/// may be up to `longest` where it may grow.
pub(crate) fn same_run<R: Serialize>(
    found: (&R, &DataKey),
    asked: (&R, &DataKey),
    longest: Option<usize>,
    path: &Path,
) -> Result<(), TrainError> {
    let fields = |recipe: &R| match serde_json::to_value(recipe) {
        Ok(serde_json::Value::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    };
    let (found_fields, asked_fields) = (fields(found.0), fields(asked.0));
    let epochs = found_fields.get("epochs").and_then(serde_json::Value::as_u64).unwrap_or(u64::MAX);
    let longer = longest.is_some_and(|longest| longest as u64 >= epochs);
    for (field, value) in &asked_fields {
        if found_fields.get(field) != Some(value) && !(field == "epochs" && longer) {
            return Err(TrainError::RecipeChanged { path: path.into(), field: field.clone() });
        }
    }
    // Of either: what only one of them has differs too.
    let mut names = found.1.keys().chain(asked.1.keys());
    match names.find(|name| found.1.get(*name) != asked.1.get(*name)) {
        None => Ok(()),
        Some(what) => Err(TrainError::DataChanged { path: path.into(), what: what.clone() }),
    }
}

/// The digest of a file that a run reads, in place of its path: the same file elsewhere is the same.
pub(crate) fn by_content(path: &Path) -> Result<PathBuf, TrainError> {
    Ok(short_sha256_of_file(path)?.into())
}

pub(crate) fn write<M: Module, R: Serialize>(
    path: &Path,
    model: &M,
    optimiser: &ModuleOptimizer,
    state: &RunState<R>,
) -> Result<(), TrainError> {
    let failed = |reason: String| TrainError::Checkpoint { path: path.into(), reason };
    let weights = model.clone().into_record().into_bytes().map_err(|error| failed(error.to_string()))?;
    let optimiser = optimiser.into_bytes().map_err(|error| failed(error.to_string()))?;
    let state = serde_json::to_vec(state).map_err(|error| failed(error.to_string()))?;
    let parts: [(&str, &[u8]); 3] = [(WEIGHTS, &weights), (OPTIMISER, &optimiser), (STATE, &state)];
    let views = parts
        .into_iter()
        .map(|(name, bytes)| Ok((name, TensorView::new(Dtype::U8, vec![bytes.len()], bytes)?)))
        .collect::<Result<Vec<_>, safetensors::SafeTensorError>>()
        .and_then(|views| safetensors::serialize(views, None))
        .map_err(|error| failed(error.to_string()))?;
    Ok(write_atomically(path, &views)?)
}

/// `same` refuses the state of another run, before its weights are tried.
pub(crate) fn read<M: Module, R: for<'de> Deserialize<'de>>(
    path: &Path,
    model: M,
    optimiser: ModuleOptimizer,
    same: impl FnOnce(&RunState<R>) -> Result<(), TrainError>,
) -> Result<(M, ModuleOptimizer, RunState<R>), TrainError> {
    let failed = |reason: String| TrainError::Checkpoint { path: path.into(), reason };
    let bytes = std::fs::read(path).map_err(|source| CoreError::Io { path: path.into(), source })?;
    let file = SafeTensors::deserialize(&bytes).map_err(|error| failed(error.to_string()))?;
    let part = |name: &str| {
        let view = file.tensor(name).map_err(|error| failed(error.to_string()))?;
        Ok::<_, TrainError>(Bytes::from_bytes_vec(view.data().to_vec()))
    };
    let state = serde_json::from_slice(&part(STATE)?).map_err(|error| failed(error.to_string()))?;
    same(&state)?;
    let record = ModuleRecord::from_bytes(part(WEIGHTS)?).map_err(|error| failed(error.to_string()))?;
    let model = model.try_load_record(record).map_err(|error| failed(error.to_string()))?;
    let record = OptimizerRecord::from_bytes(part(OPTIMISER)?).map_err(|error| failed(error.to_string()))?;
    Ok((model, optimiser.load_record(record), state))
}
