use std::path::PathBuf;

use iqa_core::CoreError;
use iqa_datasets::DatasetError;
use iqa_metrics::MetricsError;
use thiserror::Error;

/// What can go wrong in an evaluation.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum EvaluateError {
    /// Reading or writing a file.
    #[error(transparent)]
    Core(#[from] CoreError),
    /// The rated set.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// A figure of agreement that does not exist.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// Images of a set that cannot be read; those that can have been scored.
    #[error("{source}{}", match others { 0 => String::new(), _ => format!(" (and {others} more cannot be read)") })]
    Unread {
        /// Why the first cannot.
        #[source]
        source: DatasetError,
        /// How many others.
        others: usize,
    },
    /// A list of scores lacks images of the set.
    #[error("{path}: no score of {image}{}", match missing { 1 => String::new(), _ => format!(" (and {} more)", missing - 1) }, path = path.display(), image = image.display())]
    NoScore {
        /// The list.
        path: PathBuf,
        /// The first image.
        image: PathBuf,
        /// How many there are.
        missing: usize,
    },
    /// A model has no score for an image.
    #[error("{image}: {source}", image = image.display())]
    Scoring {
        /// The image.
        image: PathBuf,
        /// The model's reason.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Splits without a test part cannot be reported on.
    #[error("the splits of `{preset}` have no test part: its tests are on other sets")]
    NoTestPart {
        /// Name of the preset.
        preset: &'static str,
    },
    /// A page would replace what is not one.
    #[error("{path}: not a page of scores, and not replaced", path = path.display())]
    NotAPage {
        /// What is there.
        path: PathBuf,
    },
    /// A plot could not be drawn.
    #[error("{path}: cannot draw the plot: {reason}", path = path.display())]
    Drawing {
        /// The picture.
        path: PathBuf,
        /// The drawing library's reason.
        reason: String,
    },
}
