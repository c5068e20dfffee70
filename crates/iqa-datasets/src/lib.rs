//! Image-quality data: synthetic distortions with known mean opinion scores, reference-disjoint splits, and a
//! KADID-10k-style set made on the fly from pristine photographs.
//!
//! A data set knows no model. Images are 8-bit RGB.

pub mod distort;
mod error;
pub mod split;
pub mod synthetic;

pub use error::DatasetError;
