use std::path::PathBuf;

use iqa_core::CoreError;
use iqa_datasets::DatasetError;
use iqa_heads::HeadError;
use iqa_nn::{NnError, ScoreError};
use thiserror::Error;

/// What can go wrong in training.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TrainError {
    /// Reading or writing a file.
    #[error(transparent)]
    Core(#[from] CoreError),
    /// From a lower crate: weights and tensors.
    #[error(transparent)]
    Nn(#[from] NnError),
    /// An image, a reference or a score that a model cannot take or give.
    #[error(transparent)]
    Score(#[from] ScoreError),
    /// The network or its weights.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// The training data.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// A picture that cannot be learned from.
    #[error("{name}: {source}")]
    Picture {
        /// [`TrainingPair::name`](crate::TrainingPair::name).
        name: String,
        /// Why.
        source: Box<TrainError>,
    },
    /// A picture without a reference, in a training that looks at references: of a no-reference model too, as HIQA's.
    #[error("it has no reference, and this training looks at references")]
    ReferenceMissing,
    /// A file that was to hold features of a frozen branch.
    #[error(
        "{path}: not a file of features of this network; expected one that a run with the same `--frp` and `--branches` has written, or none",
        path = path.display()
    )]
    FeatureFile {
        /// The file.
        path: PathBuf,
    },
    /// There is nothing to train on.
    #[error("the {set} set is empty")]
    Empty {
        /// `training`.
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
    /// A run diverges: a number of it became NaN or infinite. Weights and checkpoint are those from before.
    #[error(
        "step {step}: {what} is {value}: the run diverges; try a learning rate below its {learning_rate:.1e}, in another folder"
    )]
    NonFiniteLoss {
        /// The step, from 0.
        step: usize,
        /// What is not finite: the training loss, say.
        what: &'static str,
        /// Its value.
        value: f64,
        /// The learning rate that the schedule starts from.
        learning_rate: f64,
    },
    /// A label is NaN or infinite.
    #[error("target {index} of the batch is not finite ({value})")]
    NonFiniteTarget {
        /// Index in the batch.
        index: usize,
        /// The label.
        value: f64,
    },
    /// The network gave NaN or infinity.
    #[error("prediction {index} of the batch is not finite ({value}); try a lower learning rate")]
    NonFinitePrediction {
        /// Index in the batch.
        index: usize,
        /// The prediction.
        value: f64,
    },
    /// A loss over a batch was given too few images.
    #[error("a batch of {images}: a loss over the batch needs at least {least}")]
    BatchTooSmall {
        /// Images in the batch.
        images: usize,
        /// The fewest there may be.
        least: usize,
    },
    /// A loss that normalises by the spread of a batch was given one without.
    #[error("all {what} of the batch are {value}: a loss over the batch has no value")]
    ConstantBatch {
        /// `targets` or `predictions`.
        what: &'static str,
        /// The one value.
        value: f64,
    },
    /// A checkpoint is damaged or of another version.
    #[error("{path}: not a checkpoint of this recipe: {reason}", path = path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The best weights of a run that goes on are not those that it has written.
    #[error("{path}: not the weights that this run has kept there; put those back, or use another folder", path = path.display())]
    KeptWeights {
        /// The file.
        path: PathBuf,
    },
    /// A run is to be resumed under another recipe than it was started with.
    #[error("{path}: the run was started with another recipe ({field} differs); use another folder", path = path.display())]
    RecipeChanged {
        /// The checkpoint.
        path: PathBuf,
        /// The first field that differs.
        field: String,
    },
    /// A run is to be resumed on other data than it was started on.
    #[error("{path}: the run was started with other {what}; use another folder", path = path.display())]
    DataChanged {
        /// The checkpoint.
        path: PathBuf,
        /// What differs first: `training images`, say.
        what: String,
    },
    /// The learning curve could not be drawn.
    #[error("{path}: cannot draw the learning curve: {reason}", path = path.display())]
    Curve {
        /// The picture.
        path: PathBuf,
        /// The drawing library's reason.
        reason: String,
    },
    /// What a task of one's own says.
    #[error(transparent)]
    Task(Box<dyn std::error::Error + Send + Sync>),
}
