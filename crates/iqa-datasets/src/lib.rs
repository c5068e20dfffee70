//! Image-quality data: readers of the published sets, reference-disjoint splits, lazy decoding, augmentation,
//! synthetic distortions with known mean opinion scores, and a KADID-10k-style set made on the fly from pristine
//! photographs.
//!
//! A data set knows no model. Images are 8-bit RGB.

pub mod augment;
pub mod dataset;
pub mod distort;
mod error;
pub mod loader;
mod mat;
pub mod readers;
pub mod split;
pub mod synthetic;

pub use dataset::{DataSet, Sample, ScoreKind, ScoreScale};
pub use error::DatasetError;
pub use iqa_core::Direction;
pub use readers::{DataSetKind, ListedPair, ListedScore, Strictness, read_pairs, read_scores};
