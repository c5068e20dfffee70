//! The one error type of this crate.

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::weights::first_names;

/// Names after what introduces them; nothing where there are none.
fn listed(before: &str, names: &[String]) -> String {
    if names.is_empty() { String::new() } else { format!("{before}{}", names.join(", ")) }
}

/// What can go wrong between a file and a tensor.
///
/// Every variant that concerns a file names it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CoreError {
    /// A file could not be opened, read or written.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        #[source]
        source: std::io::Error,
    },
    /// A file of results that another run is writing.
    #[error("{path}: another run is writing this file", path = path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// A file that should hold results, and holds something else.
    #[error("{path}, line {line}: expected {expected}, found `{found}`", path = path.display())]
    NotResults {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What belongs there.
        expected: String,
        /// What is there; the beginning of it, where it is long.
        found: String,
    },
    /// A file of results that depend on something else than those of this run do.
    #[error("{path}: scores of another {what}: expected {expected}, found {found}; use another file or folder", path = path.display())]
    OtherResults {
        /// The file.
        path: PathBuf,
        /// What differs.
        what: &'static str,
        /// That of this run.
        expected: String,
        /// That of the file.
        found: String,
    },
    /// An image file is damaged, or of a flavour that its decoder does not know.
    #[error("{path}: cannot decode the image: {source}", path = path.display())]
    Decode {
        /// The file.
        path: PathBuf,
        /// The decoder's reason, cut to a line.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// An image file is of a flavour that is not read.
    #[error("{path}: {what} is not supported", path = path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// The flavour.
        what: String,
    },
    /// An image file ends before its image does.
    #[error("{path}: the image is truncated", path = path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
    },
    /// The content is none of the supported image formats.
    #[error("{path}: not a PNG, JPEG, BMP, TIFF or WebP image", path = path.display())]
    UnknownFormat {
        /// The file.
        path: PathBuf,
    },
    /// An image is larger than the decoder may decode.
    #[error("{path}: {width}x{height} is above the limit of {max_pixels} pixels", path = path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// The limit in force, in pixels.
        max_pixels: u64,
    },
    /// An image has an alpha channel and the options refuse one.
    #[error("{path}: has an alpha channel, which the options refuse", path = path.display())]
    AlphaRefused {
        /// The file.
        path: PathBuf,
    },
    /// An image has no pixels.
    #[error("{path}: the image is empty", path = path.display())]
    EmptyImage {
        /// The file.
        path: PathBuf,
    },
    /// A floating-point image holds NaN or infinity.
    #[error("{path}: the image holds a value that is not finite", path = path.display())]
    NonFinite {
        /// The file.
        path: PathBuf,
    },
    /// A floating-point image holds a value far outside the range.
    #[error("{path}: the image holds the value {value}, expected floats of 0 (black) to 1 (white)", path = path.display())]
    FloatRange {
        /// The file.
        path: PathBuf,
        /// The value.
        value: f64,
    },
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

/// Longest part of a foreign file that an error shows, in characters.
const SHOWN: usize = 80;

impl CoreError {
    /// [`Self::NotResults`] that shows the beginning of what it found.
    pub fn not_results(path: &Path, line: usize, expected: &str, found: &str) -> Self {
        let mut shown: String = found.chars().take(SHOWN).flat_map(char::escape_debug).collect();
        if found.chars().nth(SHOWN).is_some() {
            shown += "...";
        }
        Self::NotResults { path: path.into(), line, expected: expected.into(), found: shown }
    }
}
