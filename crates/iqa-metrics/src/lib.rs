//! How well objective scores agree with human opinion, and the classical measures they are compared with.
//!
//! [`agreement`] has the figures every paper reports: PLCC, SRCC, KRCC, RMSE, with and without a logistic mapping,
//! and their confidence intervals. [`image`] has PSNR, SSIM, MS-SSIM, GMSD, FSIM, VSI and VIF. Plain `f64`, no tensors.

pub mod agreement;
pub mod chart;
mod error;
pub mod image;
mod summary;

// The arrays in the signatures are of this version.
pub use ndarray;

pub use error::{List, MetricsError};
pub use summary::Summary;
