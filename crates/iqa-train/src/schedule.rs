//! Learning-rate schedules.

use serde::{Deserialize, Serialize};

/// How the learning rate changes over a run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// The same from the first step to the last.
    Constant,
    /// Falls on a straight line to this fraction of the initial rate at the last step.
    Linear {
        /// Final rate over initial rate.
        final_fraction: f64,
    },
}

impl Schedule {
    /// The factor on the initial rate at `step` (from 0) of `steps`.
    pub fn factor(self, step: usize, steps: usize) -> f64 {
        match self {
            Self::Constant => 1.0,
            Self::Linear { final_fraction } => {
                let progress = step as f64 / (steps.max(2) - 1) as f64;
                1.0 + (final_fraction - 1.0) * progress.min(1.0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Schedule;

    #[test]
    fn a_line_has_its_two_ends_and_its_middle() {
        let line = Schedule::Linear { final_fraction: 0.02 };
        assert_eq!(line.factor(0, 101), 1.0);
        assert!((line.factor(50, 101) - 0.51).abs() < 1e-12);
        assert!((line.factor(100, 101) - 0.02).abs() < 1e-12);
        assert!((line.factor(200, 101) - 0.02).abs() < 1e-12, "flat after the end");
        assert_eq!(Schedule::Constant.factor(7, 9), 1.0);
        assert_eq!(line.factor(0, 1), 1.0);
    }
}
