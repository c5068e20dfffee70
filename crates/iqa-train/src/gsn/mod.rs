//! GSN (Cong et al., CVPR Workshops 2022).
//!
//! A batch holds pairs, flipped and cropped alike. The loss compares the batch's scores with its labels as a list:
//! normalised pair by pair, and as two distributions. After each epoch the loss on the validation images, scored by five
//! crops, decides which weights are kept.
//!
//! The paper trains on all of KADID-10k and tests on LIVE, CSIQ and TID2013, and trains on PIPAL: [`GsnRecipe::paper`]
//! with [`SetTraining`](crate::SetTraining) on those sets, whose labels it sees scaled to `[0, 1]` by their range (that of
//! PIPAL is what its training part spans).

mod recipe;
mod run;
mod validation;

pub use recipe::{Ablation, GsnRecipe};
pub use run::train;
