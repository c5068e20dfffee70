//! What all models of `iqa-models` share: images as tensors, the meaning of a score, devices by name, and
//! strict weight loading.
//!
//! Images are RGB, 8 bits a channel, until they become tensors; tensors are `[n, 3, height, width]` with
//! values in `[0, 1]`. Each model scales them for itself.

mod decode;
#[cfg(feature = "burn")]
mod device;
mod digest;
mod error;
mod file;
mod folder;
mod notice;
mod panics;
mod results;
mod score;
#[cfg(feature = "burn")]
mod tensor;
#[cfg(feature = "burn")]
mod weights;

pub use decode::{AlphaPolicy, DecodeOptions, decode_image, ignored_profile, read_image, to_rgb8};
#[cfg(feature = "burn")]
pub use device::{DEVICE_NAMES, available_devices, device_by_name, device_with_float};
pub use digest::{sha256, sha256_of_file};
pub use error::CoreError;
pub use file::{create_folder, write_atomically};
pub use folder::images_in;
pub use notice::notice;
pub use results::{RecordForm, ResultsFile, read_records};
pub use score::{Direction, ReferenceNeed, ScoreSpec};
#[cfg(feature = "burn")]
pub use tensor::{image_to_tensor, tensor_to_image};
#[cfg(feature = "burn")]
pub use weights::{NamedTensor, NamedTensors, Precision};
