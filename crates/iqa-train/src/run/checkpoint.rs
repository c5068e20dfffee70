//! All that a run needs to go on, in one file.
//!
//! The file is safetensors with byte arrays: networks and optimisers as Burn records, and the rest as JSON. One file means
//! one rename: there is never a new weight file beside an old optimiser state.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::optim::{ModuleOptimizer, OptimizerRecord};
use burn::store::ModuleRecord;
use burn::tensor::Bytes;
use iqa_core::{CoreError, short_sha256_of_file, write_atomically};
use iqa_nn::content_digest;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::data::DataKey;
use crate::error::TrainError;

const STATE: &str = "state";
/// The one entry of the metadata: a digest of all parts.
const DIGEST: &str = "sha256";

/// What a run knows besides networks and optimisers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct RunState<R, L> {
    /// The recipe the run was started with.
    pub(super) recipe: R,
    /// What its samples depend on.
    pub(super) data: DataKey,
    /// One row a mark.
    pub(super) log: Vec<L>,
    /// The digest of the file of weights that an earlier mark has written and that still counts.
    #[serde(default)]
    pub(super) kept: Option<PathBuf>,
}

/// That a run goes on under the recipe and on the data that it was started with; its number of epochs may be up to `longest`
/// where it may grow.
pub(super) fn same_run<R: Serialize, L>(
    found: &Found<'_>,
    before: &RunState<R, L>,
    asked: (&R, &DataKey),
    longest: Option<usize>,
) -> Result<(), TrainError> {
    /// The recipe as the file has it.
    #[derive(Deserialize)]
    struct Stored {
        recipe: Map<String, Value>,
    }
    let fields = |recipe: &R| match serde_json::to_value(recipe) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    };
    let (before_fields, asked_fields) = (fields(&before.recipe), fields(asked.0));
    let epochs = before_fields.get("epochs").and_then(Value::as_u64).unwrap_or(u64::MAX);
    let longer = longest.is_some_and(|longest| longest as u64 >= epochs);
    let differs = |field: &&String| {
        before_fields.get(*field) != asked_fields.get(*field) && !(*field == "epochs" && longer)
    };
    // A field of another version, which this one would leave out, means something there.
    let stored: Stored = found.state()?;
    let unknown = stored.recipe.keys().find(|field| !asked_fields.contains_key(*field));
    if let Some(field) = asked_fields.keys().find(differs).or(unknown) {
        return Err(TrainError::RecipeChanged { path: found.path.into(), field: field.clone() });
    }
    // Of either: what only one of them has differs too.
    let mut names = before.data.keys().chain(asked.1.keys());
    match names.find(|name| before.data.get(*name) != asked.1.get(*name)) {
        None => Ok(()),
        Some(what) => Err(TrainError::DataChanged { path: found.path.into(), what: what.clone() }),
    }
}

/// The digest of a file that a run reads, in place of its path: the same file elsewhere is the same.
pub(crate) fn by_content(path: &Path) -> Result<PathBuf, TrainError> {
    Ok(short_sha256_of_file(path)?.into())
}

fn failed(path: &Path, reason: impl ToString) -> TrainError {
    TrainError::Checkpoint { path: path.into(), reason: reason.to_string() }
}

/// What goes into a checkpoint.
pub(crate) struct Parts {
    path: PathBuf,
    parts: Vec<(&'static str, Bytes)>,
}

impl Parts {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.into(), parts: Vec::new() }
    }

    pub(crate) fn network<M: Module>(&mut self, name: &'static str, network: &M) -> Result<(), TrainError> {
        let bytes = network.clone().into_record().into_bytes().map_err(|error| failed(&self.path, error))?;
        self.parts.push((name, bytes));
        Ok(())
    }

    pub(crate) fn optimiser(
        &mut self,
        name: &'static str,
        optimiser: &ModuleOptimizer,
    ) -> Result<(), TrainError> {
        let bytes = optimiser.into_bytes().map_err(|error| failed(&self.path, error))?;
        self.parts.push((name, bytes));
        Ok(())
    }

    pub(super) fn write<R: Serialize, L: Serialize>(self, state: &RunState<R, L>) -> Result<(), TrainError> {
        let Self { path, mut parts } = self;
        let state = serde_json::to_vec(state).map_err(|error| failed(&path, error))?;
        parts.push((STATE, Bytes::from_bytes_vec(state)));
        let file = parts
            .iter()
            .map(|(name, bytes)| {
                Ok(((*name).to_owned(), TensorView::new(Dtype::U8, vec![bytes.len()], bytes)?))
            })
            .collect::<Result<Vec<_>, safetensors::SafeTensorError>>()
            .and_then(|views| {
                let metadata = HashMap::from([(DIGEST.to_owned(), content_digest(&views, &BTreeMap::new()))]);
                safetensors::serialize(views, Some(metadata))
            })
            .map_err(|error| failed(&path, error))?;
        Ok(write_atomically(&path, &file)?)
    }
}

/// The content of a checkpoint.
pub(super) fn bytes(path: &Path) -> Result<Vec<u8>, TrainError> {
    Ok(std::fs::read(path).map_err(|source| CoreError::Io { path: path.into(), source })?)
}

/// A checkpoint that was found.
pub(crate) struct Found<'a> {
    path: &'a Path,
    file: SafeTensors<'a>,
}

impl<'a> Found<'a> {
    pub(super) fn new(path: &'a Path, bytes: &'a [u8]) -> Result<Self, TrainError> {
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(|error| failed(path, error))?;
        let file = SafeTensors::deserialize(bytes).map_err(|error| failed(path, error))?;
        // Those of earlier versions have none.
        let expected = header.metadata().as_ref().and_then(|metadata| metadata.get(DIGEST));
        if expected.is_some_and(|expected| *expected != content_digest(&file.tensors(), &BTreeMap::new())) {
            return Err(failed(path, "it changed since it was written: damaged"));
        }
        Ok(Self { path, file })
    }

    fn part(&self, name: &str) -> Result<Bytes, TrainError> {
        let view = self.file.tensor(name).map_err(|error| failed(self.path, error))?;
        Ok(Bytes::from_bytes_vec(view.data().to_vec()))
    }

    pub(super) fn state<S: DeserializeOwned>(&self) -> Result<S, TrainError> {
        serde_json::from_slice(&self.part(STATE)?).map_err(|error| failed(self.path, error))
    }

    /// The network with the weights that it had.
    pub(crate) fn network<M: Module>(&self, name: &str, network: M) -> Result<M, TrainError> {
        let record = ModuleRecord::from_bytes(self.part(name)?).map_err(|error| failed(self.path, error))?;
        network.try_load_record(record).map_err(|error| failed(self.path, error))
    }

    /// The optimiser in the state that it had.
    pub(crate) fn optimiser(
        &self,
        name: &str,
        optimiser: ModuleOptimizer,
    ) -> Result<ModuleOptimizer, TrainError> {
        let record =
            OptimizerRecord::from_bytes(self.part(name)?).map_err(|error| failed(self.path, error))?;
        Ok(optimiser.load_record(record))
    }
}
