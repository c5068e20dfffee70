//! The multi-branch model of Dutta, Das and Shah.
//!
//! Whole images, the squared error on raw opinion scores, flips of both images of a pair alike, and a rate that falls
//! from 1e-4 to 1e-6. The frozen branch gives the same for the same pair in every epoch and in every run:
//! [`FrozenCache`] keeps it.

mod cache;
mod recipe;
mod run;

pub use cache::FrozenCache;
pub use recipe::MultiBranchRecipe;
pub use run::{evaluate, train};
