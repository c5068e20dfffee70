//! Weight files that carry the configuration of their network.

use std::path::Path;

use iqa_nn::{NamedTensors, NnError, Precision};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::HeadError;
use crate::gsn::Gsn;
use crate::hiqa::Hiqa;
use crate::multi_branch::MultiBranch;
use crate::wadiqam::Wadiqam;

/// The key of each family here, and what errors call it.
const FAMILIES: [(&str, &str); 4] = [
    (Wadiqam::CONFIG_KEY, Wadiqam::FAMILY),
    (MultiBranch::CONFIG_KEY, MultiBranch::FAMILY),
    (Gsn::CONFIG_KEY, Gsn::FAMILY),
    (Hiqa::CONFIG_KEY, Hiqa::FAMILY),
];

/// The families here whose configurations a file carries.
fn families_in(tensors: &NamedTensors) -> impl Iterator<Item = (&'static str, &'static str)> {
    FAMILIES.into_iter().filter(|(key, _)| tensors.metadata(key).is_some())
}

/// The family here whose configuration a file carries, as errors call it; `None` for a file of another origin.
pub fn family_of(tensors: &NamedTensors) -> Option<&'static str> {
    families_in(tensors).next().map(|(_, family)| family)
}

/// The first field of `found` that `known` does not have, with those that it stands in: `generator.width`.
fn unknown_field(found: &Value, known: &Value) -> Option<String> {
    match (found, known) {
        (Value::Object(found), Value::Object(known)) => found.iter().find_map(|(name, value)| {
            let short = || name.chars().take(80).collect::<String>();
            let Some(known) = known.get(name) else { return Some(short()) };
            unknown_field(value, known).map(|inner| format!("{}.{inner}", short()))
        }),
        (Value::Array(found), Value::Array(known)) => {
            found.iter().zip(known).find_map(|(found, known)| unknown_field(found, known))
        }
        _ => None,
    }
}

/// A network whose weight files carry its configuration, so that a file alone makes it again.
pub trait Stored {
    /// What the network is made from.
    type Config: Serialize + DeserializeOwned;

    /// What errors call networks of this kind.
    const FAMILY: &'static str;

    /// Metadata key under which a file keeps the configuration, as JSON.
    const CONFIG_KEY: &'static str;

    /// The configuration of this network.
    fn stored(&self) -> &Self::Config;

    /// Whether a network can be made of a configuration.
    ///
    /// # Errors
    /// [`HeadError::InvalidConfig`].
    fn validate(config: &Self::Config) -> Result<(), HeadError>;

    /// The weights under their names in a file, without the configuration.
    ///
    /// # Errors
    /// [`HeadError::Nn`] when they cannot be read back from the device; [`HeadError::Backbone`] of folded ones.
    fn weights(&self, origin: &Path) -> Result<NamedTensors, HeadError>;

    /// The configuration that a file carries beside the weights; `None` in a file of another origin.
    ///
    /// # Errors
    /// [`HeadError::Nn`], [`HeadError::StoredConfig`] when it is damaged or there are those of two families;
    /// [`HeadError::WrongModel`] for a file with that of another family of this crate.
    fn stored_in(tensors: &NamedTensors) -> Result<Option<Self::Config>, HeadError> {
        let Some(json) = tensors.metadata(Self::CONFIG_KEY) else {
            let Some(found) = family_of(tensors) else { return Ok(None) };
            let path = tensors.origin().into();
            return Err(HeadError::WrongModel { path, expected: Self::FAMILY.into(), found: found.into() });
        };
        let malformed = |reason: String| NnError::Metadata {
            path: tensors.origin().into(),
            key: Self::CONFIG_KEY.into(),
            expected: format!("a configuration as JSON ({reason})"),
        };
        if let Some((key, _)) = families_in(tensors).find(|(key, _)| *key != Self::CONFIG_KEY) {
            return Err(malformed(format!("beside it is a `{key}`: a file is of one family")).into());
        }
        let not_json = |error: serde_json::Error| malformed(error.to_string());
        let config: Self::Config = serde_json::from_str(json).map_err(not_json)?;
        // What this version does not know may change the score.
        let (found, known) = (serde_json::from_str(json), serde_json::to_value(&config));
        if let Some(field) = unknown_field(&found.map_err(not_json)?, &known.map_err(not_json)?) {
            let newer = "of a newer version of this program, or damaged";
            return Err(malformed(format!("the field `{field}` is unknown here: {newer}")).into());
        }
        Self::validate(&config).map_err(|source| HeadError::StoredConfig {
            path: tensors.origin().into(),
            source: Box::new(source),
        })?;
        Ok(Some(config))
    }

    /// The weights under their names in a file, with the configuration as metadata; `origin` is what errors call them.
    ///
    /// # Errors
    /// As [`Self::weights`].
    fn to_tensors(&self, origin: &Path) -> Result<NamedTensors, HeadError> {
        let config = serde_json::to_string(self.stored())
            .map_err(|source| NnError::WeightsUnfit { path: origin.into(), source: source.into() })?;
        Ok(self.weights(origin)?.with_metadata(Self::CONFIG_KEY, config))
    }

    /// Writes weights and configuration as safetensors, atomically.
    ///
    /// # Errors
    /// As [`Self::weights`]; [`HeadError::Nn`] when the file cannot be written.
    fn save(&self, path: &Path, precision: Precision) -> Result<(), HeadError> {
        Ok(self.to_tensors(path)?.write_safetensors(path, precision)?)
    }

    /// SHA-256 of weights and configuration as they are now, as [`NamedTensors::digest`] gives it.
    ///
    /// # Errors
    /// As [`Self::weights`].
    fn digest(&self) -> Result<String, HeadError> {
        Ok(self.to_tensors("model".as_ref())?.digest()?)
    }
}
