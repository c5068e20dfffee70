//! What a score means: its direction, its range, and whether it needs a reference.

use serde::{Deserialize, Serialize};

/// Which way a score grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// A higher score is a better image, as with a MOS.
    HigherIsBetter,
    /// A lower score is a better image, as with a DMOS.
    LowerIsBetter,
}

impl Direction {
    /// The name used in reports: `higher_is_better` or `lower_is_better`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HigherIsBetter => "higher_is_better",
            Self::LowerIsBetter => "lower_is_better",
        }
    }
}

impl std::fmt::Display for Direction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether a model compares with a pristine reference image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReferenceNeed {
    /// Full-reference: a distorted image and its pristine original, pixel by pixel.
    FullReference,
    /// No-reference: the distorted image alone.
    NoReference,
}

/// Direction, nominal range and reference need of a model's score.
///
/// # Example
/// ```
/// use iqa_core::{Direction, ReferenceNeed, ScoreSpec};
/// let dmos = ScoreSpec::new(Direction::LowerIsBetter, 0.0, 100.0, ReferenceNeed::FullReference);
/// assert_eq!(dmos.quality01(25.0), 0.75);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScoreSpec {
    /// Which way the score grows.
    pub direction: Direction,
    /// Nominal range, `(lowest, highest)`. A network's output is not clamped to it.
    pub range: (f64, f64),
    /// Whether a reference image is needed.
    pub reference: ReferenceNeed,
}

impl ScoreSpec {
    /// A specification from its parts.
    pub const fn new(direction: Direction, low: f64, high: f64, reference: ReferenceNeed) -> Self {
        Self { direction, range: (low, high), reference }
    }

    /// The score on a common scale: 0 is the worst end of the nominal range, 1 the best. Not clamped.
    pub fn quality01(&self, score: f64) -> f64 {
        let (low, high) = self.range;
        let unit = (score - low) / (high - low);
        match self.direction {
            Direction::HigherIsBetter => unit,
            Direction::LowerIsBetter => 1.0 - unit,
        }
    }

    /// Whether a score lies in the nominal range, its ends included. NaN does not.
    pub fn contains(&self, score: f64) -> bool {
        let (low, high) = self.range;
        (low..=high).contains(&score)
    }

    /// The score with its sign turned, where needed, so that higher is better; for correlations.
    pub fn oriented(&self, score: f64) -> f64 {
        match self.direction {
            Direction::HigherIsBetter => score,
            Direction::LowerIsBetter => -score,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quality_is_one_at_the_good_end_whatever_the_direction() {
        let mos = ScoreSpec::new(Direction::HigherIsBetter, 1.0, 5.0, ReferenceNeed::NoReference);
        assert_eq!((mos.quality01(5.0), mos.quality01(1.0), mos.quality01(2.0)), (1.0, 0.0, 0.25));
        let dmos = ScoreSpec::new(Direction::LowerIsBetter, 0.0, 100.0, ReferenceNeed::FullReference);
        assert_eq!((dmos.quality01(0.0), dmos.quality01(100.0)), (1.0, 0.0));
        assert_eq!(dmos.quality01(110.0), 1.0 - 1.1, "not clamped");
        assert_eq!(dmos.oriented(3.0), -3.0);
        assert!(mos.contains(1.0) && mos.contains(5.0) && !mos.contains(0.9) && !mos.contains(f64::NAN));
    }

    #[test]
    fn direction_has_the_name_of_the_reports() {
        assert_eq!(Direction::LowerIsBetter.to_string(), "lower_is_better");
    }
}
