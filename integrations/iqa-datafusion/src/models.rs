//! Models by name: each is opened once a process, and serves all threads and queries.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use iqa_models::{Device, ReferenceNeed, Scorer, model_by_name};

use crate::SqlError;
use crate::error::arguments;

/// A model as a query names it: `NAME`, or `NAME=FILE` with the weights of a file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ModelLabel(String);

impl ModelLabel {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    fn parts(&self) -> (&str, Option<&Path>) {
        match self.0.split_once('=') {
            Some((name, file)) => (name, Some(Path::new(file))),
            None => (&self.0, None),
        }
    }

    /// Whether it takes a reference, without opening it.
    pub(crate) fn needs_reference(&self) -> Result<bool, SqlError> {
        let info = model_by_name(self.parts().0).map_err(|source| self.error(source))?;
        Ok(info.reference == ReferenceNeed::FullReference)
    }

    /// The model: opened at the first call of this process, by one thread while the others wait.
    pub(crate) fn open(&self) -> Result<Arc<Scorer>, SqlError> {
        /// A model that is open, or being opened.
        type Slot = Arc<Mutex<Option<Arc<Scorer>>>>;
        static OPEN: LazyLock<Mutex<HashMap<ModelLabel, Slot>>> = LazyLock::new(Mutex::default);
        let slot = {
            let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(open.entry(self.clone()).or_default())
        };
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(scorer) = &*slot {
            return Ok(Arc::clone(scorer));
        }
        let (name, weights) = self.parts();
        let scorer =
            Scorer::open(name, weights, &[], &Device::flex()).map_err(|source| self.error(source))?;
        Ok(Arc::clone(slot.insert(Arc::new(scorer))))
    }

    fn error(&self, source: iqa_models::ModelError) -> SqlError {
        SqlError::Model { label: self.0.clone(), source }
    }
}

/// The models of a list with commas.
pub(crate) fn labels(function: &'static str, list: &str) -> Result<Vec<ModelLabel>, SqlError> {
    let mut labels: Vec<ModelLabel> = Vec::new();
    for label in list.split(',').map(str::trim) {
        let label = ModelLabel(label.to_owned());
        if matches!(label.parts(), ("", _)) || label.as_str().ends_with('=') {
            return Err(arguments(function, format!("`{list}`: expected models as NAME or NAME=FILE")));
        }
        if labels.contains(&label) {
            return Err(arguments(function, format!("`{}` is there twice", label.as_str())));
        }
        label.needs_reference()?;
        labels.push(label);
    }
    Ok(labels)
}
