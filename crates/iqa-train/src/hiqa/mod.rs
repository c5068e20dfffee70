//! HIQA (Lin and Wang 2018): Algorithm 1 of its supplementary material, in three phases.
//!
//! | phase | learns | from |
//! |---|---|---|
//! | [`Phase::Baseline`] | `R_pre`, the regressor of the distorted image alone | `L_R` |
//! | [`Phase::Joint`] | generator, discriminator and regressor, in turn ([`Trainer::joint_step`]) | `L_G`, cross-entropy, `L_R` |
//! | [`Phase::Regressor`] | the regressor, on the fixed generator | `L_R` |
//!
//! A run writes into one folder:
//!
//! | file | what |
//! |---|---|
//! | `hiqa.safetensors` | generator and regressor, when all phases are done |
//! | `baseline.safetensors` | `R_pre`, which is the paper's baseline, when its phase is done |
//! | `checkpoint.safetensors` | all that is needed to go on: four networks, three optimisers, log |
//! | `log.csv` | the mean of each loss between two checkpoints |
//! | `loss.svg` | the same as curves |
//! | `sheet_STEP.png` | distorted, hallucinated and true reference and discrepancy map of a few images |
//!
//! The checkpoint is one file, written to a temporary name and renamed: a run that was killed goes on from it, in any
//! phase, and on a deterministic backend ends with the same weights bit for bit.

mod batch;
mod curve;
mod log;
mod losses;
mod perceptual;
mod recipe;
mod run;
mod sheet;
mod trainer;

pub use batch::Batch;
pub use log::HiqaLog;
pub use losses::{
    Adversarial, Epsilon, Reduction, adversarial_loss, agreement, cross_entropy, feature_loss, pixel_loss,
};
pub use recipe::{HiqaRecipe, LossConfig, Optimiser, Perceptual, Phase, Rung};
pub use run::{FILES, HiqaOutcome, train};
pub use sheet::sample_sheet;
pub use trainer::{JointLosses, Trainer};
