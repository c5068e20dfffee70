//! DIQaM and WaDIQaM (Bosse et al. 2018, sections III-E and IV-B).
//!
//! A batch holds a few images and as many random patches of each. DIQaM learns from each patch, WaDIQaM from the
//! pooled score of each image, both by the absolute error ([`WadiqamRecipe::loss`] has others). With several sources ([`Mixture`](crate::Mixture)) the labels of
//! all but the first may be on another scale: a line to each is learned beside the network. After each epoch the loss on patches drawn once from the
//! validation images decides which weights are kept.

mod learner;
mod patches;
mod recipe;
mod run;
mod units;
mod validation;

pub use recipe::{BUNDLED, WadiqamRecipe};
pub use run::{train, train_watched};
