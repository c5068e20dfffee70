//! GSN: a siamese network of central difference convolutions, full-reference.
//!
//! Source: H. Cong, L. Fu, R. Zhang, Y. Zhang, H. Wang, J. He, J. Gao, "Image Quality Assessment with Gradient Siamese
//! Network", CVPR Workshops 2022 (arXiv:2208.04081). Its layer table is that of CDCN++ (Yu et al., "Searching Central
//! Difference Convolutional Networks for Face Anti-Spoofing", CVPR 2020), which decides what the paper leaves open:
//! paddings, orders, no bias. No code of the authors is public; where neither says, [`GsnConfig`] has a field.
//!
//! Distorted image and reference go through one stack of convolutions; at three levels spatial attention picks what
//! matters; the maps of both, resized to one grid, are fused from the finest level to the coarsest, reduced to one
//! channel and weighted into a score. [`Gsn`] is the network to train; [`Gsn::fuse`] makes of it the [`FusedGsn`] that
//! scores: each convolution with its central difference and its batch norm folded into one set of weights.

mod cdc;
mod config;
mod crops;
mod fused;
mod graph;
mod model;
mod models;
mod quality;
mod resize;
mod score;
mod weights;

pub use cdc::{CentralDifferenceConv2d, CentralDifferenceConv2dConfig, THETA};
pub use config::{GsnConfig, PairFusion};
pub use crops::{CropPosition, five_crops};
pub use fused::FusedGsn;
pub use model::Gsn;
pub use models::MODELS;
pub use quality::GsnModel;
pub use resize::resize_bilinear;
pub use score::{CropScore, ImageScore, PreparedReference, ScoreOptions};
