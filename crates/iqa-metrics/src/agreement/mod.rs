//! Agreement of two lists of scores.
//!
//! Arguments go `(predicted, subjective)`. Signs are kept: bring both lists to the same direction first (higher is
//! better, say); a model that is inverted then shows a negative correlation.
//!
//! ```
//! use iqa_metrics::agreement::{krcc, plcc, srcc};
//! let predicted = [1.0, 2.0, 2.0, 3.0, 5.0, 4.0];
//! let subjective = [1.0, 1.5, 2.5, 2.5, 4.0, 5.0];
//! assert!((plcc(&predicted, &subjective)? - 0.8783100657).abs() < 1e-9);
//! assert!((srcc(&predicted, &subjective)? - 0.8970588235).abs() < 1e-9);
//! assert!((krcc(&predicted, &subjective)? - 0.7857142857).abs() < 1e-9);
//! # Ok::<(), iqa_metrics::MetricsError>(())
//! ```

mod bootstrap;
mod correlation;
mod logistic;
mod significance;

pub use bootstrap::{Bootstrap, Interval, MAX_RESAMPLES, bootstrap_interval};
pub use correlation::{average_ranks, krcc, mae, main_score, plcc, rmse, srcc};
pub use logistic::{LogisticFit, LogisticKind};
pub use significance::{PairedDifference, TestResult, paired_bootstrap, variance_f_test, williams_test};

use crate::MetricsError;

/// The usual figures for one list of predictions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Agreement {
    /// Number of pairs.
    pub pairs: usize,
    /// Pearson's linear correlation, -1 to 1.
    pub plcc: f64,
    /// Spearman's rank correlation, -1 to 1.
    pub srcc: f64,
    /// Kendall's rank correlation (tau-b), -1 to 1.
    pub krcc: f64,
    /// Root mean squared error, in the units of the scores.
    pub rmse: f64,
    /// Mean absolute error, in the units of the scores.
    pub mae: f64,
}

impl Agreement {
    /// All figures at once.
    ///
    /// # Errors
    /// As [`plcc`].
    pub fn new(predicted: &[f64], subjective: &[f64]) -> Result<Self, MetricsError> {
        Ok(Self {
            pairs: predicted.len(),
            plcc: plcc(predicted, subjective)?,
            srcc: srcc(predicted, subjective)?,
            krcc: krcc(predicted, subjective)?,
            rmse: rmse(predicted, subjective)?,
            mae: mae(predicted, subjective)?,
        })
    }

    /// As [`Self::new`], with PLCC, RMSE and MAE taken after a logistic mapping of the predictions; the rank
    /// correlations stay those of the predictions themselves.
    ///
    /// The mapping may fall as well as rise, so that the PLCC of an inverted model turns positive; its SRCC does not.
    /// Predictions with few distinct values are mapped with fewer parameters: see [`LogisticFit::kind`].
    ///
    /// # Errors
    /// As [`plcc`] and [`LogisticFit::new`].
    pub fn after_fit(
        kind: LogisticKind,
        predicted: &[f64],
        subjective: &[f64],
    ) -> Result<Self, MetricsError> {
        let fit = LogisticFit::new(kind, predicted, subjective)?;
        let mapped: Vec<f64> = predicted.iter().map(|&score| fit.predict(score)).collect();
        Ok(Self {
            plcc: plcc(&mapped, subjective)?,
            rmse: rmse(&mapped, subjective)?,
            mae: mae(&mapped, subjective)?,
            ..Self::new(predicted, subjective)?
        })
    }

    /// PLCC + SRCC: the main score of the NTIRE challenges, -2 to 2.
    pub fn main_score(&self) -> f64 {
        self.plcc + self.srcc
    }
}
