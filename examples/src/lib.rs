//! What the example programs share.

mod evaluation;
mod options;
pub mod output;

pub use evaluation::{Evaluation, evaluate};
pub use options::within;
