use std::path::PathBuf;

use iqa_core::CoreError;
use iqa_heads::HeadError;
use iqa_metrics::MetricsError;
use thiserror::Error;

/// What can go wrong when a model is opened or scores.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ModelError {
    /// Reading images and weights, or opening a device.
    #[error(transparent)]
    Core(#[from] CoreError),
    /// The network: images of unequal or too small size, a reference too many or too few.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// An image measure: images of unequal or too small size.
    #[error(transparent)]
    Measure(#[from] MetricsError),
    /// A model name that does not exist.
    #[error("unknown model `{name}`: expected one of {}", .known.join(", "))]
    UnknownModel {
        /// The name given.
        name: String,
        /// The names there are.
        known: Vec<&'static str>,
    },
    /// A model without bundled weights was opened without a weights file.
    #[error("`{name}` has no bundled weights: give a file ({origin})")]
    WeightsNeeded {
        /// The model.
        name: &'static str,
        /// Where to get weights.
        origin: &'static str,
    },
    /// A measure without weights was opened with a weights file.
    #[error("`{name}` is a formula: it takes no weights")]
    WeightsUnexpected {
        /// The measure.
        name: &'static str,
    },
    /// A measure of 8-bit images was given tensors.
    #[error("`{name}` scores images, not tensors")]
    ImagesOnly {
        /// The measure.
        name: &'static str,
    },
    /// A reference was prepared by a scorer that gives other scores, and whose features mean something else.
    #[error("the reference was prepared with another {what}: expected {expected}, found {found}")]
    ForeignReference {
        /// What differs.
        what: &'static str,
        /// That of the scorer.
        expected: String,
        /// That of the scorer that prepared the reference.
        found: String,
    },
    /// Patches were chosen for a model in whose scores the choice has no say.
    #[error("`{name}` takes no choice of patches: it looks at the whole image, or at places of its own")]
    NoPatches {
        /// The model.
        name: &'static str,
    },
    /// An image could not be scored; says which file it was.
    #[error("{distorted}: {source}", distorted = distorted.display())]
    Pair {
        /// The distorted image's file.
        distorted: PathBuf,
        /// What happened.
        #[source]
        source: Box<ModelError>,
    },
}
