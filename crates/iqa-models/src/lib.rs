//! Deep image-quality assessment on Burn: how good does an image look to a person?
//!
//! [`Scorer`] opens a model by name and scores images. The bundled models need no download. Everything below it is
//! re-exported: [`heads`] (the networks), [`backbones`], [`metrics`], [`nn`] (what networks share; [`QualityModel`] is what a
//! model of your own is) and [`core`]; with features also `evaluate` (agreement with people on rated sets), `train` (the
//! recipes) and `datasets`.
//!
//! # Models
//! | name | reference | score | weights |
//! |---|---|---|---|
//! | `wadiqam_fr`, `wadiqam_nr` | full, none | 0 to 1, higher is better | bundled |
//! | `diqam_fr`, `diqam_nr` | full, none | that of the weights | a file, deepIQA's and others' too |
//! | `gsn`, `hiqa` | full, none | 0 to 1, higher is better | bundled |
//! | `multibranch` | full | 0 to 1, higher is better | a file, trained by `iqa train` |
//! | `multibranch_lite_nr` | none | 0 to 1, higher is better | bundled |
//! | `multibranch_lite` | full | 0 to 1, higher is better | a file, trained by `iqa train` |
//! | `multibranch_vgg16`, `multibranch_resnet50`, `multibranch_inception_v3` | full | that of the weights | a file |
//! | `hiqa_oracle` | full | 0 to 1, higher is better | a file, trained by `iqa train` |
//! | `lpips_alex`, `lpips_vgg`, `dists` | full | 0 to 1, lower is better | bundled, on a backbone from the cache |
//! | `psnr` | full | 0 to 100 dB, higher is better | none: a formula |
//! | `ssim`, `ssim_full`, `ms_ssim`, `fsim`, `fsimc`, `vsi`, `vif`, `vifp` | full | 0 to 1, higher is better | none |
//! | `gmsd` | full | 0 to 0.5, lower is better | none |
//!
//! [`models`] lists them with paper, licence, training data and options.
//!
//! # Uses
//! A pair, and one image alone, from files, bytes, pictures or arrays ([`ImageInput`]):
//!
//! ```no_run
//! use iqa_models::{Device, Scorer};
//! let score = Scorer::new("wadiqam_fr", &Device::flex())?.score_pair("distorted.jpg", "original.png")?;
//! println!("{} ({}, {:?})", score.value, score.direction, score.range);
//! let bytes = std::fs::read("photograph.jpg").expect("reads");
//! let score = Scorer::new("multibranch_lite_nr", &Device::flex())?.score_single(bytes)?;
//! # Ok::<(), iqa_models::ModelError>(())
//! ```
//!
//! Many pairs by several models, each file decoded once: [`Scorers`]. Weights of a file: [`Scorer::with_weights`]. Options:
//! [`Scorer::open`]. Where an image is bad: [`Score::patches`] and [`heatmap`]. A model of your own: [`QualityModel`] and
//! [`Scorer::from_model`].
//!
//! A model as a loss, with gradients:
//!
//! ```
//! use iqa_models::{Device, Scorer, Tensor};
//! let device = Device::flex().autodiff();
//! let scorer = Scorer::new("ssim", &device)?;
//! let reference = Tensor::<4>::ones([1, 3, 32, 32], &device) * 0.5;
//! let restored = (reference.clone() * 0.9).require_grad();
//! // Scores `[n]` of images `[n, 3, height, width]`, RGB in 0 to 1; here higher is better.
//! let scores = scorer.score_tensors(restored.clone(), Some(reference))?;
//! let loss: Tensor<1> = 1.0 - scores.mean();
//! assert!(restored.grad(&loss.backward()).is_some());
//! # Ok::<(), iqa_models::ModelError>(())
//! ```
//!
//! Agreement with people: `evaluate::evaluate` (feature `evaluate`). Training: `train::wadiqam::train` and those of the other
//! papers, `train::train` for a recipe of your own (feature `train`). The repository's `examples` hold a short program for each
//! use, and the crate `iqa-cli` the program `iqa`.
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

pub use heatmap::{heatmap, heatmap_panels};
pub use input::ImageInput;
pub use preprocessing::Preprocessing;
pub use registry::{model_by_name, models};
pub use scorer::{Score, Scorer};
pub use scorers::{Pair, Pictures, Scorers, Scores};

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
