//! Learning-rate schedules.

use serde::{Deserialize, Serialize};

/// How the learning rate changes over a run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// The same from the first step to the last.
    Constant,
    /// Rises from nothing to the full rate, then falls on a straight line.
    WarmupLinear {
        /// Steps until the full rate.
        warmup_steps: usize,
        /// Rate of the last step over the full rate.
        final_fraction: f64,
    },
    /// Falls by the same factor from each stage to the next, to the given part of the full rate in the last.
    Geometric {
        /// Rate of the last stage over the full rate.
        final_fraction: f64,
        /// Stages of the same number of steps; the epochs, usually.
        stages: usize,
    },
    /// Falls along half a cosine.
    Cosine {
        /// Rate of the last step over the full rate.
        final_fraction: f64,
    },
    /// The full rate for the first part of the run, then half a cosine down to nothing.
    FlatCosine {
        /// That part, 0 to 1.
        flat_fraction: f64,
    },
    /// Falls by a factor after every so many steps.
    Step {
        /// Steps at one rate.
        every: usize,
        /// Rate after them over the rate before.
        factor: f64,
    },
}

impl Schedule {
    /// The factor on the recipe's rate at `step` (from 0) of `steps`.
    pub fn factor(self, step: usize, steps: usize) -> f64 {
        match self {
            Self::Constant => 1.0,
            Self::Step { every, factor } => {
                factor.powi(i32::try_from(step / every.max(1)).unwrap_or(i32::MAX))
            }
            Self::WarmupLinear { warmup_steps, final_fraction } => {
                let rise = (step + 1) as f64 / (warmup_steps + 1) as f64;
                let progress = step as f64 / (steps.max(2) - 1) as f64;
                rise.min(1.0) * (1.0 + (final_fraction - 1.0) * progress.min(1.0))
            }
            Self::Geometric { final_fraction, stages } => {
                let stage = (step * stages / steps.max(1)).min(stages.saturating_sub(1));
                final_fraction.powf(stage as f64 / (stages.max(2) - 1) as f64)
            }
            Self::Cosine { final_fraction } => {
                let progress = (step as f64 / (steps.max(2) - 1) as f64).min(1.0);
                final_fraction
                    + (1.0 - final_fraction) * (1.0 + (std::f64::consts::PI * progress).cos()) / 2.0
            }
            Self::FlatCosine { flat_fraction } => {
                let progress = (step + 1) as f64 / steps.max(1) as f64;
                if progress <= flat_fraction {
                    return 1.0;
                }
                let fallen = ((progress - flat_fraction) / (1.0 - flat_fraction)).min(1.0);
                (1.0 + (std::f64::consts::PI * fallen).cos()) / 2.0
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Schedule;

    #[test]
    fn a_line_has_its_two_ends_and_its_middle() {
        let line = Schedule::WarmupLinear { warmup_steps: 0, final_fraction: 0.02 };
        assert_eq!(line.factor(0, 101), 1.0);
        assert!((line.factor(50, 101) - 0.51).abs() < 1e-12);
        assert!((line.factor(100, 101) - 0.02).abs() < 1e-12);
        assert!((line.factor(200, 101) - 0.02).abs() < 1e-12, "flat after the end");
        assert_eq!(Schedule::Constant.factor(7, 9), 1.0);
        assert_eq!(line.factor(0, 1), 1.0);
    }

    #[test]
    fn a_geometric_fall_has_as_many_stages_as_it_says() {
        // 1e-2^(e / (E - 1)) in epoch e of E = 3, ten steps each.
        let schedule = Schedule::Geometric { final_fraction: 1e-2, stages: 3 };
        for (step, expected) in [(0, 1.0), (9, 1.0), (10, 0.1), (19, 0.1), (20, 0.01), (29, 0.01), (40, 0.01)]
        {
            assert!((schedule.factor(step, 30) - expected).abs() < 1e-12, "step {step}");
        }
    }

    #[test]
    fn a_cosine_falls_by_half_in_the_middle() {
        let schedule = Schedule::Cosine { final_fraction: 0.2 };
        for (step, expected) in [(0, 1.0), (50, 0.6), (100, 0.2), (150, 0.2)] {
            assert!((schedule.factor(step, 101) - expected).abs() < 1e-12, "step {step}");
        }
    }

    #[test]
    fn a_cosine_follows_the_flat_part() {
        let schedule = Schedule::FlatCosine { flat_fraction: 0.5 };
        let factors = [0, 49, 74, 99, 120].map(|step| schedule.factor(step, 100));
        for (found, expected) in factors.into_iter().zip([1.0, 1.0, 0.5, 0.0, 0.0]) {
            assert!((found - expected).abs() < 1e-12, "{factors:?}");
        }
        let flat = Schedule::FlatCosine { flat_fraction: 1.0 };
        assert_eq!([0, 98, 99].map(|step| flat.factor(step, 100)), [1.0; 3]);
    }

    #[test]
    fn stairs_fall_after_every_flight() {
        let stairs = Schedule::Step { every: 20, factor: 0.5 };
        let factors = [0, 19, 20, 39, 40].map(|step| stairs.factor(step, 50));
        assert_eq!(factors, [1.0, 1.0, 0.5, 0.5, 0.25]);
    }

    #[test]
    fn the_warmup_rises_evenly() {
        let schedule = Schedule::WarmupLinear { warmup_steps: 3, final_fraction: 1.0 };
        let factors = [0, 1, 2, 3, 4].map(|step| schedule.factor(step, 10));
        assert_eq!(factors, [0.25, 0.5, 0.75, 1.0, 1.0]);
    }
}
