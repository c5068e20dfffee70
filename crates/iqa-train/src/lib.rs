//! Training recipes of the papers, with exact resume.
//!
//! [`wadiqam`] trains DIQaM and WaDIQaM, [`multi_branch`] the model of Dutta et al., [`gsn`] GSN, and
//! [`hiqa`], which has files of its own, HIQA. A run writes into one folder:
//!
//! | file | what |
//! |---|---|
//! | `best.safetensors` | weights of the epoch with the lowest validation loss, with their configuration; none in a run without validation images, of which the last weights count |
//! | `last.safetensors` | weights as the last step left them, when all epochs are done |
//! | `checkpoint.safetensors` | all that is needed to go on: weights, optimiser state, log |
//! | `log.csv` | one line an epoch; empty cells for a validation that there is not |
//! | `loss.svg` | the learning curves |
//! | `.iqa-models` | the names of these files, and of those that `iqa train` adds; locked while the run lasts |
//!
//! A second run in the folder is refused meanwhile ([`iqa_core::FolderClaim`]), and so is a folder in which files of these
//! names are not of a run.
//!
//! Every file is written to a temporary name and renamed, after each epoch. A run that was killed goes on from
//! its last epoch and, on a deterministic backend such as `flex`, ends with the same weights bit for bit. A run that
//! diverges stops, with the weights and the checkpoint of the last epoch before.
//!
//! [`Recipe`], [`Task`] and [`train`] are the same for a network of your own.

mod adam;
mod data;
mod error;
mod float;
pub mod gsn;
pub mod hiqa;
mod limits;
pub mod losses;
mod mixture;
pub mod multi_branch;
mod ranger;
mod run;
mod schedule;
mod seed;
pub mod wadiqam;
mod within;

pub use adam::Adam;
pub use data::{
    DataKey, SetTraining, SetValidation, Shuffled, TrainingPair, TrainingPairs, ValidationPairs,
    check_pictures,
};
pub use error::TrainError;
pub use losses::{KlDirection, QualityLoss, Term};
pub use mixture::{Mixture, ValidationMixture};
pub use ranger::{Centralisation, Ranger, RangerConfig, RangerState};
pub use run::{EpochLog, FILES, Outcome, Plan, Recipe, Task, Validation, read_log, train};
pub use schedule::Schedule;
