//! The numbers of a run.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::TrainError;

/// The numbers of a run, kept in its checkpoints: a run goes on only under the same. A file that the run reads stands in
/// them with its digest for a path.
///
/// With `#[serde(default)]` on the struct a checkpoint from before a field was there has the default's value for it: give
/// the field the value there that the recipe meant before. A field `epochs` may grow, under [`Schedule::Constant`](crate::Schedule::Constant).
pub trait Recipe: Clone + Serialize + DeserializeOwned {
    /// Refuses numbers that make no sense, or would ask for all memory.
    ///
    /// # Errors
    /// [`TrainError::InvalidRecipe`] naming the field, and what the network's own check gives.
    fn validate(&self) -> Result<(), TrainError>;
}
