//! What the networks of `iqa-models` share: devices by name, images as tensors, strict weight loading, batch norm, and
//! [`QualityModel`], what every model that scores is.
//!
//! Tensors of images are `[n, 3, height, width]`, RGB with values in `[0, 1]`. Each model scales them for itself.

mod checked;
mod checks;
mod device;
mod entry;
mod error;
mod identity;
mod model_error;
mod norm;
mod provenance;
mod quality;
mod tensor;
mod weights;

pub use checked::{CheckedModel, PreparedReference};
pub use checks::{ScoreError, check_finite, check_minimum, check_reference, check_sizes, check_tensors};
pub use device::{DEVICE_NAMES, available_devices, device_by_name, device_with_float};
pub use entry::{Accuracy, Chosen, MakeNetwork, ModelInfo, OptionInfo, Source, WeightSource};
pub use error::NnError;
pub use identity::Identity;
pub use iqa_kernels::keep_freed_memory;
pub use model_error::ModelError;
pub use norm::{BatchNorm2d, Statistics};
pub use provenance::TrainingSource;
pub use quality::{Prepared, QualityModel, Scored};
pub use tensor::{image_to_tensor, pixels_to_tensor, takes_bytes, tensor_to_image};
pub use weights::{NamedTensor, NamedTensors, Precision, content_digest};
