//! What all models of `iqa-models` share: images as tensors, the meaning of a score, devices by name, and
//! strict weight loading.
//!
//! Images are RGB, 8 bits a channel, until they become tensors; tensors are `[n, 3, height, width]` with
//! values in `[0, 1]`. Each model scales them for itself.

mod decode;
#[cfg(feature = "burn")]
mod device;
mod error;
mod file;
mod folder;
mod panics;
mod score;
#[cfg(feature = "burn")]
mod tensor;
#[cfg(feature = "burn")]
mod weights;

pub use decode::{AlphaPolicy, DecodeOptions, decode_image, ignored_profile, read_image, to_rgb8};
#[cfg(feature = "burn")]
pub use device::{DEVICE_NAMES, available_devices, device_by_name, device_with_float};
pub use error::CoreError;
pub use file::write_atomically;
pub use folder::images_in;
pub use score::{Direction, ReferenceNeed, ScoreSpec};
#[cfg(feature = "burn")]
pub use tensor::{image_to_tensor, tensor_to_image};
#[cfg(feature = "burn")]
pub use weights::{NamedTensor, NamedTensors, Precision};
