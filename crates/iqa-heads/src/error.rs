use std::path::PathBuf;

use iqa_backbones::BackboneError;
use iqa_nn::{ModelError, NnError, ScoreError};
use thiserror::Error;

/// What can go wrong in a network of this crate.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum HeadError {
    /// From a lower crate: files, weights and tensors.
    #[error(transparent)]
    Nn(#[from] NnError),
    /// An image, a reference or a score that the model cannot take or give.
    #[error(transparent)]
    Score(#[from] ScoreError),
    /// From a lower crate: a network for features.
    #[error(transparent)]
    Backbone(#[from] BackboneError),
    /// A patch sampler that cuts no patch: no patches, or a stride of 0.
    #[error("the patch sampler has {what} = 0")]
    EmptySampler {
        /// The field that is 0.
        what: &'static str,
    },
    /// Feature vectors of another network.
    #[error("the feature vectors have {found} values, not {expected}")]
    FeatureLength {
        /// Values in a vector.
        found: usize,
        /// Values expected.
        expected: usize,
    },
    /// Principal components of too few patches.
    #[error("principal components need at least {needed} patches, not {found}")]
    TooFewPatches {
        /// Patches given.
        found: usize,
        /// Patches needed.
        needed: usize,
    },
    /// More principal components than there are.
    #[error("{found} components asked for, there are {available}")]
    TooManyComponents {
        /// Components asked for.
        found: usize,
        /// Components there are.
        available: usize,
    },
    /// A configuration that describes no network.
    #[error("invalid configuration: {field} is {found}, expected {expected}")]
    InvalidConfig {
        /// The field.
        field: &'static str,
        /// Its value.
        found: String,
        /// What it should have been.
        expected: &'static str,
    },
    /// A hallucinated reference with values that are NaN or infinite.
    #[error("the hallucinated reference is not finite: no picture")]
    NonFiniteImage,
    /// A weights file with a configuration that describes no network.
    #[error("{path}: {source}", path = path.display())]
    StoredConfig {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: Box<HeadError>,
    },
    /// A weights file that carries no configuration, and is not of the one that was taken in its place.
    #[error(
        "{source}; the file has no `{key}` in its metadata, so that the usual configuration was taken: is it lost?"
    )]
    ConfigurationMissing {
        /// The metadata key of the configuration.
        key: &'static str,
        /// What does not fit.
        #[source]
        source: NnError,
    },
    /// A network whose batch norms are folded into its convolutions has no weights to store.
    #[error(
        "batch norms of this network are folded into its convolutions: weights of {family} are stored before that"
    )]
    Fused {
        /// What networks of this kind are called.
        family: &'static str,
    },
    /// A weights file of no known layout.
    #[error(
        "{path}: not the weights of this model, by the names of its tensors; expected {expected}; the file has {}",
        found.join(", "), path = path.display()
    )]
    UnknownLayout {
        /// The file.
        path: PathBuf,
        /// The layouts there are.
        expected: &'static str,
        /// The first names of the file.
        found: Vec<String>,
    },
    /// A weights file made for another kind of model.
    #[error("{path}: the weights are for {found}, not for {expected}", path = path.display())]
    WrongModel {
        /// The file.
        path: PathBuf,
        /// What the model is.
        expected: String,
        /// What the file holds.
        found: String,
    },
}

impl From<HeadError> for ModelError {
    fn from(error: HeadError) -> Self {
        match error {
            HeadError::Score(error) => error.into(),
            HeadError::Nn(error) => error.into(),
            other => Self::model(other),
        }
    }
}
