//! What the example programs share.

mod evaluation;
mod sets;

pub use evaluation::{Evaluation, evaluate};
pub use sets::{Better, SetOptions};
