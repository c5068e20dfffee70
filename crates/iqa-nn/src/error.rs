//! The one error type of this crate.

use std::path::PathBuf;

use iqa_core::CoreError;
use thiserror::Error;

use crate::weights::first_names;

/// Names after what introduces them; nothing where there are none.
fn listed(before: &str, names: &[String]) -> String {
    if names.is_empty() { String::new() } else { format!("{before}{}", names.join(", ")) }
}

/// What can go wrong with devices, tensors and weight files.
///
/// Every variant that concerns a file names it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum NnError {
    /// From a lower crate: reading and writing files.
    #[error(transparent)]
    Core(#[from] CoreError),
    /// A tensor that is no single RGB image.
    #[error("expected an image tensor [1, 3, height, width], found the shape {found:?}")]
    ImageTensorShape {
        /// What was found.
        found: Vec<usize>,
    },
    /// A device name that no build of this crate knows.
    #[error("unknown device `{name}`: expected one of {}", .known.join(", "))]
    UnknownDevice {
        /// The name given.
        name: String,
        /// The names there are.
        known: Vec<&'static str>,
    },
    /// A device that exists but was not compiled in.
    #[error(
        "device `{name}` is not compiled in: build with `--features {feature}` (this build has: {})",
        .available.join(", ")
    )]
    DeviceNotCompiled {
        /// The name given.
        name: &'static str,
        /// The Cargo feature of `iqa-models` that brings it.
        feature: &'static str,
        /// The devices of this build.
        available: Vec<&'static str>,
    },
    /// A device of this build cannot be used on this computer.
    #[error("device `{name}` cannot be used here: {reason}; expected {needs}")]
    DeviceUnavailable {
        /// The name given.
        name: &'static str,
        /// What the backend says.
        reason: String,
        /// What the device needs.
        needs: &'static str,
    },
    /// A weights file is in none of the formats there are.
    #[error("{path}: cannot read weights: neither safetensors nor PyTorch nor HDF5", path = path.display())]
    UnknownWeights {
        /// The file.
        path: PathBuf,
    },
    /// A folder in place of a weights file.
    #[error("{path}: a folder: name the file of weights in it, such as the `best.safetensors` of a run", path = path.display())]
    WeightsFolder {
        /// The folder.
        path: PathBuf,
    },
    /// A weights file is damaged, or of a flavour of its format that is not supported.
    #[error("{path}: cannot read weights, taken for {format}: {source}", path = path.display())]
    WeightsFormat {
        /// The file.
        path: PathBuf,
        /// The format found.
        format: &'static str,
        /// The reader's reason.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Weights do not fit a module, or a module cannot be written as weights.
    #[error("{path}: weights and network do not fit: {source}", path = path.display())]
    WeightsUnfit {
        /// The file.
        path: PathBuf,
        /// The reason.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A weights file without a tensor.
    #[error("{path}: holds no tensors{}", listed("; it has ", found), path = path.display())]
    NoTensors {
        /// The file.
        path: PathBuf,
        /// The first names of what it holds.
        found: Vec<String>,
    },
    /// A weights file needs a reader that was not compiled in.
    #[error("{path}: {format} weights need the Cargo feature `{feature}`", path = path.display())]
    WeightsNotCompiled {
        /// The file.
        path: PathBuf,
        /// The format found.
        format: &'static str,
        /// The Cargo feature of `iqa-models` that brings the reader.
        feature: &'static str,
    },
    /// A tensor that the model needs is not in the file.
    #[error("{path}: tensor `{key}` is missing{}", listed("; the file has ", found), path = path.display())]
    MissingTensor {
        /// The file.
        path: PathBuf,
        /// The tensor's name in the file's own naming.
        key: String,
        /// The first names of the file.
        found: Vec<String>,
    },
    /// The file holds tensors that the model does not know.
    #[error("{path}: unused tensors{}", listed(": ", &first_names(keys)), path = path.display())]
    UnusedTensors {
        /// The file.
        path: PathBuf,
        /// Their names.
        keys: Vec<String>,
    },
    /// A tensor has another shape than the model's.
    #[error("{path}: tensor `{key}` has shape {found:?}, expected {expected:?}", path = path.display())]
    TensorShape {
        /// The file.
        path: PathBuf,
        /// The tensor's name.
        key: String,
        /// The model's shape, in the file's own axis order.
        expected: Vec<usize>,
        /// The shape in the file.
        found: Vec<usize>,
    },
    /// A tensor holds NaN or infinity.
    #[error("{path}: tensor `{key}` holds a value that is not finite", path = path.display())]
    TensorNotFinite {
        /// The file.
        path: PathBuf,
        /// The tensor's name.
        key: String,
    },
    /// A tensor holds a value that no training leaves, and of which a network makes a score like any other: a variance of a
    /// batch norm below zero, or an amount whose square is beyond `f32`.
    #[error("{path}: tensor `{key}` holds {found:?}, expected {expected}; the file is damaged", path = path.display())]
    TensorValue {
        /// The file.
        path: PathBuf,
        /// The tensor's name in the file's own naming.
        key: String,
        /// The first such value.
        found: f32,
        /// What its values are.
        expected: &'static str,
    },
    /// A weights file's metadata is missing or malformed.
    #[error("{path}: metadata `{key}`: expected {expected}", path = path.display())]
    Metadata {
        /// The file.
        path: PathBuf,
        /// The metadata key.
        key: String,
        /// What was expected there.
        expected: String,
    },
}
