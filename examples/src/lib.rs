//! What the example programs share.

mod evaluation;
mod options;
pub mod output;
mod sets;
mod terminal;
mod width;

pub use evaluation::{Evaluation, evaluate};
pub use options::within;
pub use sets::{Better, SetOptions, set_names};
pub use terminal::Terminal;
pub use width::width;

/// Says on standard error, at the end of a run, that a colour profile was ignored.
pub fn warn_of_profile() {
    if let Some(path) = iqa_models::core::ignored_profile() {
        note!(
            "warning: {}: its colour profile is not that of sRGB and was ignored (no further files are named)",
            path.display()
        );
    }
}
