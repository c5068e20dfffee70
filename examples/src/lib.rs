//! What the example programs share.

mod evaluation;
mod width;

pub use evaluation::{Evaluation, evaluate};
pub use width::width;
