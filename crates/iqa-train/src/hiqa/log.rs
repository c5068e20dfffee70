//! What a run says between two checkpoints.

use std::fmt::{self, Display, Formatter, Write as _};
use std::path::Path;

use iqa_core::write_atomically;
use serde::{Deserialize, Serialize};

use super::recipe::Phase;
use super::trainer::JointLosses;
use crate::TrainError;

/// Means over the steps since the row before; a loss that the phase does not have, or the recipe leaves out, is `None`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct HiqaLog {
    /// The phase.
    pub phase: Phase,
    /// Steps of the phase that are done.
    pub step: usize,
    /// Factor of the schedule at the last of them.
    pub rate_factor: f64,
    /// `L_R` of the network in training: `R_pre` in the baseline phase.
    #[serde(with = "crate::float")]
    pub regressor: f64,
    /// `L_p`.
    pub pixel: Option<f64>,
    /// `l_v`.
    pub vgg: Option<f64>,
    /// `l_q`.
    pub quality: Option<f64>,
    /// `L_adv`.
    pub adversarial: Option<f64>,
    /// Cross-entropy of the discriminator on true references.
    pub real: Option<f64>,
    /// Cross-entropy of the discriminator on hallucinated ones.
    pub fake: Option<f64>,
    /// Part of the hallucinations with `d_fake = 1`.
    pub accepted: Option<f64>,
    /// Wall-clock seconds; the one field that two equal runs do not share.
    pub seconds: f64,
}

/// A line for people.
impl Display for HiqaLog {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:>6}: L_R {:.4}", self.phase.as_str(), self.step, self.regressor)?;
        let terms = [
            ("L_p", self.pixel),
            ("l_v", self.vgg),
            ("l_q", self.quality),
            ("L_adv", self.adversarial),
            ("D real", self.real),
            ("D fake", self.fake),
            ("d_fake=1", self.accepted),
        ];
        let there = terms.into_iter().filter_map(|(name, value)| Some((name, value?)));
        there.into_iter().try_for_each(|(name, value)| write!(f, ", {name} {value:.4}"))
    }
}

const HEADER: &str =
    "phase,step,rate_factor,regressor,pixel,vgg,quality,adversarial,real,fake,accepted,seconds";

pub(super) fn write_log(path: &Path, rows: &[HiqaLog]) -> Result<(), TrainError> {
    let mut text = format!("{HEADER}\n");
    for row in rows {
        let _ =
            write!(text, "{},{},{:.4},{:.6}", row.phase.as_str(), row.step, row.rate_factor, row.regressor);
        let losses = [row.pixel, row.vgg, row.quality, row.adversarial, row.real, row.fake, row.accepted];
        for loss in losses {
            let _ = match loss {
                Some(loss) => write!(text, ",{loss:.6}"),
                None => write!(text, ","),
            };
        }
        let _ = writeln!(text, ",{:.1}", row.seconds);
    }
    Ok(write_atomically(path, text.as_bytes())?)
}

/// Losses summed over some steps.
#[derive(Default)]
pub(super) struct Sums {
    steps: usize,
    sums: JointLosses,
}

impl Sums {
    pub(super) fn add(&mut self, losses: &JointLosses) {
        let JointLosses { pixel, vgg, quality, adversarial, real, fake, accepted, regressor } = *losses;
        self.steps += 1;
        self.sums.pixel += pixel;
        self.sums.vgg += vgg;
        self.sums.quality += quality;
        self.sums.adversarial += adversarial;
        self.sums.real += real;
        self.sums.fake += fake;
        self.sums.accepted += accepted;
        self.sums.regressor += regressor;
    }

    pub(super) fn row(&self, phase: Phase, step: usize, rate_factor: f64, seconds: f64) -> HiqaLog {
        let steps = self.steps.max(1) as f64;
        // A loss that the recipe leaves out stays at nothing.
        let joint = |sum: f64| (phase == Phase::Joint && sum != 0.0).then_some(sum / steps);
        let sums = &self.sums;
        HiqaLog {
            phase,
            step,
            rate_factor,
            regressor: sums.regressor / steps,
            pixel: joint(sums.pixel),
            vgg: joint(sums.vgg),
            quality: joint(sums.quality),
            adversarial: joint(sums.adversarial),
            real: joint(sums.real),
            fake: joint(sums.fake),
            accepted: joint(sums.real).map(|_| sums.accepted / steps),
            seconds,
        }
    }
}
