//! How well objective scores agree with human opinion.
//!
//! [`agreement`] has the figures every paper reports: PLCC, SRCC, KRCC, RMSE, with and without a logistic mapping,
//! and their confidence intervals. Plain `f64`, no tensors.

pub mod agreement;
mod error;

pub use error::{List, MetricsError};
