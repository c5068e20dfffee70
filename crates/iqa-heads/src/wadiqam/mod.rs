//! DIQaM and WaDIQaM: patch networks, full- and no-reference, with learned patch weights.
//!
//! Source: S. Bosse, D. Maniry, K.-R. Müller, T. Wiegand, W. Samek, "Deep Neural Networks for No-Reference and
//! Full-Reference Image Quality Assessment", IEEE Transactions on Image Processing 27(1), 2018
//! (arXiv:1612.01697); constants, layer names and orders that the paper leaves open follow the authors' test
//! code, deepIQA.
//!
//! An image is cut into 32x32 patches; each goes through a VGG-like stack to a feature vector; a head gives the
//! patch its quality, a second one its weight; the image score is the (weighted) mean. Beyond the paper, patches may also
//! be cut from the image at half its size and less ([`WadiqamConfig::scales`]).

mod config;
#[cfg(feature = "learner")]
mod learner;
mod model;
mod models;
mod patches;
mod quality;
mod reduced;
mod score;
mod weights;

pub use config::{Fusion, Initialisation, PATCH, Pooling, WEIGHT_EPSILON, WadiqamConfig};
#[cfg(feature = "learner")]
pub use learner::WadiqamBatch;
pub use model::{PatchScores, Wadiqam};
pub use models::{MODELS, bundled};
pub use patches::{MAX_PATCHES, PatchSampler, cut_patches, patch_values, patches_to_tensor};
pub use quality::WadiqamModel;
pub use reduced::{FeaturePca, PcaFit, ReducedReference};
pub use score::{ImageScore, PreparedReference, ScoreOptions};
pub use weights::WeightLayout;
