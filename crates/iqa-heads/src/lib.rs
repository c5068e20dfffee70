//! The published image-quality networks as Burn modules, one module each, and image measures.
//!
//! | module | paper |
//! |---|---|
//! | [`gsn`] | Cong et al., "Image Quality Assessment with Gradient Siamese Network", CVPR Workshops 2022, arXiv:2208.04081 |
//! | [`multi_branch`] | Dutta, Das, Shah: frozen and learned difference branches, and a no-reference one |
//! | [`wadiqam`] | Bosse et al., "Deep Neural Networks for No-Reference and Full-Reference Image Quality Assessment", IEEE TIP 27(1), 2018, arXiv:1612.01697 |
//! | [`dists`] | Ding et al., "Image Quality Assessment: Unifying Structure and Texture Similarity", IEEE TPAMI 2022 |
//! | [`lpips`] | Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric", CVPR 2018 |
//! | [`measures`] | PSNR, SSIM and others: formulas, see `docs/MEASURES.md` |
//! | [`hiqa`] | Lin and Wang, "Hallucinated-IQA: No-Reference Image Quality Assessment via Adversarial Learning", CVPR 2018 |
//!
//! Images go `(distorted, reference)`, in that order, everywhere.

mod bounds;
pub mod dists;
mod error;
pub mod gsn;
pub mod hiqa;
pub mod lpips;
pub mod measures;
pub mod multi_branch;
mod perceptual;
mod shapes;
mod stored;
pub mod wadiqam;

pub use error::HeadError;
pub use perceptual::{FeatureDistance, FeatureModel};
pub use stored::{Stored, family_of};
