//! The loop that every recipe runs on, and what a network of one's own needs to run on it.
//!
//! A [`Recipe`] has the numbers, a [`Task`] brings them together with a network and its data: the batch of a step, the loss,
//! the validation, the file of weights. [`train`] does the rest: batches are made ahead on a thread, each epoch ends with a
//! validation, a checkpoint in one file, a log and a curve, and a run that was stopped goes on bit for bit. The files are
//! those of every run, as the [crate] lists them.
//!
//! `tests/tests/own_recipe.rs` of the workspace trains a network from outside of it, and `docs/ADDING_A_RECIPE.md` walks
//! through the parts.

mod checkpoint;
mod course;
mod curve;
mod divergence;
mod log;
mod recipe;
mod task;

pub(crate) use checkpoint::{Found, Parts, by_content};
pub(crate) use course::{Course, Phase, RunFolder, Step, is_begun, run};
pub(crate) use curve::{Curve, write_curves};
pub(crate) use divergence::Check;
pub use log::{EpochLog, read_log};
pub use recipe::Recipe;
pub use task::{FILES, Outcome, Plan, Task, Validation, train};
