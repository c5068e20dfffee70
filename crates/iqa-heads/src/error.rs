use std::path::PathBuf;

use iqa_backbones::BackboneError;
use iqa_core::CoreError;
use thiserror::Error;

/// What can go wrong in a network of this crate.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum HeadError {
    /// From a lower crate: reading files and weights.
    #[error(transparent)]
    Core(#[from] CoreError),
    /// From a lower crate: a network for features.
    #[error(transparent)]
    Backbone(#[from] BackboneError),
    /// A full-reference model was given no reference.
    #[error("a full-reference model needs a reference image")]
    ReferenceMissing,
    /// A no-reference model was given a reference.
    #[error("a no-reference model takes no reference image")]
    ReferenceUnexpected,
    /// Distorted image and reference differ in size.
    #[error("the distorted image is {}x{} but its reference is {}x{}", distorted.0, distorted.1, reference.0, reference.1)]
    SizeMismatch {
        /// Width and height of the distorted image, in pixels.
        distorted: (u32, u32),
        /// Width and height of the reference, in pixels.
        reference: (u32, u32),
    },
    /// An image is smaller than one patch.
    #[error("the image is {}x{}, the smallest this model takes is {}x{}", size.0, size.1, minimum.0, minimum.1)]
    TooSmall {
        /// Width and height of the image, in pixels.
        size: (u32, u32),
        /// Smallest width and height, in pixels.
        minimum: (u32, u32),
    },
    /// A tensor has another shape than `[n, 3, height, width]`.
    #[error("expected an image tensor {expected}, found the shape {found:?}")]
    TensorShape {
        /// What was expected.
        expected: &'static str,
        /// What was found.
        found: Vec<usize>,
    },
    /// A patch sampler that cuts no patch: no patches, or a stride of 0.
    #[error("the patch sampler has {what} = 0")]
    EmptySampler {
        /// The field that is 0.
        what: &'static str,
    },
    /// The network's output is NaN or infinite.
    #[error("the score is not finite ({value})")]
    NonFiniteScore {
        /// The value.
        value: f64,
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
    /// A weights file with a configuration that describes no network.
    #[error("{path}: {source}", path = path.display())]
    StoredConfig {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: Box<HeadError>,
    },
    /// A weights file of no known layout.
    #[error(
        "{path}: unknown weight layout; expected one of {expected}; the file has {}",
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
