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
}

impl Schedule {
    /// The factor on the recipe's rate at `step` (from 0) of `steps`.
    pub fn factor(self, step: usize, steps: usize) -> f64 {
        match self {
            Self::Constant => 1.0,
            Self::WarmupLinear { warmup_steps, final_fraction } => {
                let rise = (step + 1) as f64 / (warmup_steps + 1) as f64;
                let progress = step as f64 / (steps.max(2) - 1) as f64;
                rise.min(1.0) * (1.0 + (final_fraction - 1.0) * progress.min(1.0))
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
    fn the_warmup_rises_evenly() {
        let schedule = Schedule::WarmupLinear { warmup_steps: 3, final_fraction: 1.0 };
        let factors = [0, 1, 2, 3, 4].map(|step| schedule.factor(step, 10));
        assert_eq!(factors, [0.25, 0.5, 0.75, 1.0, 1.0]);
    }
}
