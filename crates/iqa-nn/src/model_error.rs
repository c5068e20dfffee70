use std::error::Error;
use std::path::PathBuf;

use iqa_core::{CoreError, ReferenceNeed};
use thiserror::Error;

use crate::{NnError, ScoreError};

/// What can go wrong when a model is opened or scores.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ModelError {
    /// Reading images.
    #[error(transparent)]
    Core(#[from] CoreError),
    /// Reading weights, or opening a device.
    #[error(transparent)]
    Nn(#[from] NnError),
    /// Images of unequal size, a reference too many or too few, a score that is no number.
    #[error(transparent)]
    Score(#[from] ScoreError),
    /// The model's own reason.
    #[error(transparent)]
    Model(Box<dyn Error + Send + Sync>),
    /// An image is smaller than the model takes.
    #[error("the image is {}x{}, the smallest `{model}` takes is {}x{}", size.0, size.1, minimum.0, minimum.1)]
    TooSmall {
        /// The model.
        model: String,
        /// Width and height of the image, in pixels.
        size: (u32, u32),
        /// Smallest width and height, in pixels.
        minimum: (u32, u32),
    },
    /// The model scores images of 8 bits alone.
    #[error("`{name}` scores images, not tensors")]
    ImagesOnly {
        /// The model.
        name: String,
    },
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
    /// A formula was opened with a weights file.
    #[error("`{name}` is a formula: it takes no weights")]
    WeightsUnexpected {
        /// The formula.
        name: &'static str,
    },
    /// Weights of a model that scores with a reference were to score without, or the other way round.
    #[error(
        "{path}: the weights are of `{name}`, which {}",
        match reference {
            ReferenceNeed::FullReference => "needs a reference: give one",
            ReferenceNeed::NoReference => "takes no reference: leave it out",
        },
        path = path.display()
    )]
    WeightsOfAnother {
        /// The file.
        path: PathBuf,
        /// The model that they are of.
        name: &'static str,
        /// Whether it needs a reference.
        reference: ReferenceNeed,
    },
    /// Weights of which no model was named, and that no model's network takes.
    #[error(
        "{path}: no model takes these weights; name the model that they were made for, and it says what does not fit",
        path = path.display()
    )]
    WeightsUnknown {
        /// The file.
        path: PathBuf,
    },
    /// Weights of which no model was named, and that may be of a model with a reference or of one without.
    #[error(
        "{path}: the weights may be of `{}` or of `{}`, and do not say which: name the model (`--model` of the program)",
        names[0], names[1], path = path.display()
    )]
    WeightsAmbiguous {
        /// The file.
        path: PathBuf,
        /// A model of the kind that was wanted, and one of the other.
        names: [&'static str; 2],
    },
    /// An option that the model does not have.
    #[error("`{name}` has no option `{option}`{}", if .known.is_empty() { "; it has none".into() } else { format!(": expected one of {}", .known.join(", ")) })]
    UnknownOption {
        /// The model.
        name: &'static str,
        /// The option given.
        option: String,
        /// The options there are.
        known: Vec<&'static str>,
    },
    /// An option with a value that it cannot have.
    #[error("option `{option}` of `{name}`: expected {expected}, found `{found}`")]
    OptionValue {
        /// The model.
        name: &'static str,
        /// The option.
        option: &'static str,
        /// What it takes.
        expected: &'static str,
        /// What was given.
        found: String,
    },
    /// A reference was prepared by a model that gives other scores, and whose features mean something else.
    #[error("the reference was prepared with another {what}: expected {expected}, found {found}")]
    ForeignReference {
        /// What differs.
        what: &'static str,
        /// That of the model.
        expected: String,
        /// That of the model that prepared the reference.
        found: String,
    },
    /// What was prepared by a model of another kind.
    #[error("the reference was prepared by a model of another kind")]
    ForeignKind,
    /// A border to be cut off is all of the image.
    #[error("the image is {}x{}: nothing is left of it without {border} pixels on each side", size.0, size.1)]
    BorderTooWide {
        /// Pixels to be cut off on each side.
        border: u32,
        /// Width and height of the image, in pixels.
        size: (u32, u32),
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

impl ModelError {
    /// [`Self::Model`] of any error.
    pub fn model(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Model(error.into())
    }
}
