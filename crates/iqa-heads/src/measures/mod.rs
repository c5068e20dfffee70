//! Image measures: formulas, without weights, on pictures and, with gradients, on tensors.
//!
//! Pictures are scored by `iqa_metrics::image` in double precision. PSNR, SSIM (both forms), MS-SSIM, GMSD and VSI have a
//! second form on tensors, of the same conventions and numbers: in single precision the same score for the same picture,
//! and gradients everywhere. Where a formula has a kink without a derivative (a gradient of length 0, the deviation of a
//! map that is everywhere the same, PSNR at its cap), what flows back is 0.

mod gmsd;
mod models;
mod planes;
mod psnr;
mod saliency;
mod ssim;
mod vsi;

pub use models::{MODELS, MeasureModel};
