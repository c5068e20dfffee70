//! Configurations inside weight files.

use iqa_nn::{NamedTensors, NnError};
use serde::de::DeserializeOwned;

use crate::HeadError;

/// The configuration under a key of a file's metadata, checked; `None` in a file without.
pub(crate) fn stored_config<C: DeserializeOwned>(
    tensors: &NamedTensors,
    key: &'static str,
    validate: fn(&C) -> Result<(), HeadError>,
) -> Result<Option<C>, HeadError> {
    let Some(json) = tensors.metadata(key) else { return Ok(None) };
    let config: C = serde_json::from_str(json).map_err(|error| NnError::Metadata {
        path: tensors.origin().into(),
        key: key.into(),
        expected: format!("a configuration as JSON ({error})"),
    })?;
    validate(&config).map_err(|source| HeadError::StoredConfig {
        path: tensors.origin().into(),
        source: Box::new(source),
    })?;
    Ok(Some(config))
}
