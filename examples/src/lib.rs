//! What the example programs share.

mod evaluation;

pub use evaluation::{Evaluation, evaluate};
