//! What the example programs share.

mod evaluation;
mod sets;
mod width;

pub use evaluation::{Evaluation, evaluate};
pub use sets::{Better, SetOptions};
pub use width::width;
