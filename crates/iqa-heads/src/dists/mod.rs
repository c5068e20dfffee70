//! DISTS: structure and texture of deep features.
//!
//! Source: K. Ding, K. Ma, S. Wang, E. P. Simoncelli, "Image Quality Assessment: Unifying Structure and Texture
//! Similarity", IEEE TPAMI 44(5), 2022 (arXiv:2004.07728); constants of the authors' package `DISTS-pytorch`.
//!
//! Both images go through VGG16, trained on ImageNet, whose pools are replaced by an L2 pool. The image itself and the
//! features of five blocks are compared channel by channel: their means (texture) and their covariance (structure), with
//! learned weights that sum to one. Images are taken as they are: the authors' class does not resize them either; their
//! example program shrinks the shorter side to 256 pixels first.

mod models;
mod network;

pub use models::MODELS;
pub use network::{Dists, dists_backbone};
