//! Deep image-quality assessment on Burn: how good does an image look to a person?
//!
//! [`Scorer`] opens a model by name and scores images. The bundled models need no download. Everything below it is
//! re-exported: [`heads`] (the networks), [`backbones`], [`metrics`], [`nn`] (what networks share; [`QualityModel`] is what a
//! model of your own is) and [`core`]; with features also `evaluate` (agreement with people on rated sets), `train` (the
//! recipes) and `datasets`.
//!
//! # Features
//! | feature | device names | what it brings |
//! |---|---|---|
//! | `flex` (default) | `flex` | the CPU, pure Rust |
//! | `evaluate` | | `evaluate` and `datasets`: evaluation on rated sets, plots |
//! | `train` | | `train` and `datasets`: the training recipes |
//! | `wgpu` | `wgpu` | GPUs through Vulkan, Metal or DirectX 12 |
//! | `tch` | `libtorch`, `libtorch-cuda` | PyTorch's C++ library, 2.9.0 |
//! | `cuda` | `cuda` | NVIDIA GPUs, without libtorch |
//! | `hdf5` | | reads the official Chainer weights |
//! | `learner` | | Burn's training-step traits on the models, for its `Learner` |
//! | `download` | | pretrained backbones from the network, see [`backbones::pretrained`] |

mod heatmap;
mod input;
mod preprocessing;
mod read_ahead;
mod registry;
mod scorer;
mod scorers;

pub use heatmap::heatmap;
pub use input::ImageInput;
pub use preprocessing::Preprocessing;
pub use registry::{model_by_name, models};
pub use scorer::{Score, Scorer};
pub use scorers::{Pair, Scorers, Scores};

pub use burn::tensor::{Device, FloatDType, Tensor, TensorData};
pub use image;
pub use iqa_backbones as backbones;
pub use iqa_core as core;
pub use iqa_core::{AlphaPolicy, DecodeOptions, Direction, PatchMap, ReferenceNeed, ScoreSpec, read_image};
#[cfg(any(feature = "evaluate", feature = "train"))]
pub use iqa_datasets as datasets;
#[cfg(feature = "evaluate")]
pub use iqa_evaluate as evaluate;
pub use iqa_heads as heads;
pub use iqa_heads::measures::MeasureModel;
pub use iqa_metrics as metrics;
pub use iqa_nn as nn;
pub use iqa_nn::{
    CheckedModel, Identity, ModelError, ModelInfo, PreparedReference, QualityModel, ScoreError, Scored,
    TrainingSource, available_devices, device_by_name, device_with_float,
};
#[cfg(feature = "train")]
pub use iqa_train as train;
pub use ndarray;
