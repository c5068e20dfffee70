use std::path::PathBuf;

use iqa_core::CoreError;
use iqa_datasets::DatasetError;
use iqa_heads::HeadError;
use thiserror::Error;

/// What can go wrong in a training run.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TrainError {
    /// Reading or writing a file.
    #[error(transparent)]
    Core(#[from] CoreError),
    /// The network or its weights.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// The training data.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// There is nothing to train on, or nothing to validate with.
    #[error("the {set} set is empty")]
    Empty {
        /// `training` or `validation`.
        set: &'static str,
    },
    /// A recipe's field has a value that makes no sense.
    #[error("invalid recipe: {field} is {found}, expected {expected}")]
    InvalidRecipe {
        /// The field.
        field: &'static str,
        /// Its value.
        found: String,
        /// What it should have been.
        expected: &'static str,
    },
    /// The loss became NaN or infinite; the last checkpoint is from before.
    #[error("the loss is not finite at step {step}; try a lower learning rate")]
    NonFiniteLoss {
        /// The step, from 0.
        step: usize,
    },
    /// A checkpoint is damaged or of another version.
    #[error("{path}: not a checkpoint of this recipe: {reason}", path = path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A run is to be resumed under another recipe than it was started with.
    #[error("{path}: the run was started with another recipe ({field} differs); use another folder", path = path.display())]
    RecipeChanged {
        /// The checkpoint.
        path: PathBuf,
        /// The first field that differs.
        field: String,
    },
    /// The learning curve could not be drawn.
    #[error("{path}: cannot draw the learning curve: {reason}", path = path.display())]
    Curve {
        /// The picture.
        path: PathBuf,
        /// The drawing library's reason.
        reason: String,
    },
}
