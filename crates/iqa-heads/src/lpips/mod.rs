//! LPIPS: distances of deep features, weighted channel by channel.
//!
//! Source: R. Zhang, P. Isola, A. A. Efros, E. Shechtman, O. Wang, "The Unreasonable Effectiveness of Deep Features as a
//! Perceptual Metric", CVPR 2018 (arXiv:1801.03924), version 0.1 of the authors' package `lpips`.
//!
//! Both images go through a network trained on ImageNet; at five layers the features of each place are scaled to length
//! one, and the squared differences are summed with a learned weight a channel and averaged over the places. Images are
//! taken as they are: the authors' program does not resize them either.

mod models;
mod network;

pub use models::MODELS;
pub(crate) use network::tensor;
pub use network::{Lpips, LpipsTrunk};
