use iqa_core::CoreError;
use thiserror::Error;

/// What can go wrong with a backbone.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BackboneError {
    /// From a lower crate: reading files and weights.
    #[error(transparent)]
    Core(#[from] CoreError),
}
