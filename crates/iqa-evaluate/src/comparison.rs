//! Is one model better than another, on the same images?

use iqa_metrics::MetricsError;
use iqa_metrics::agreement::{
    LogisticFit, LogisticKind, PairedDifference, TestResult, paired_bootstrap, plcc, srcc, variance_f_test,
    williams_test,
};
use serde::{Deserialize, Serialize};

use super::config::ReportConfig;
use super::figures::Qualities;
use super::scores::ScoreKey;

/// The difference of a model to another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Name of the other model.
    pub model: String,
    /// Digest of its weights and options.
    pub weights: String,
    /// Images with a finite score by both.
    pub images: usize,
    /// How many references the bootstrap drew, as in [`Intervals::references`](super::Intervals::references).
    #[serde(default)]
    pub references: Option<usize>,
    /// Of Pearson's correlation, by the paired bootstrap.
    pub plcc: Difference,
    /// Of Spearman's correlation, by the paired bootstrap.
    pub srcc: Difference,
    /// Williams' t-test of Pearson's correlations. It takes images as independent, as the F-test does.
    pub williams: Significance,
    /// F-test of the errors after the logistic fits with five parameters; `None` where one cannot be fitted.
    pub f_test: Option<Significance>,
}

/// A figure of the model less that of the other.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// The difference; positive when the model is the better one.
    pub value: f64,
    /// Ends of its confidence interval, lower first.
    pub interval: [f64; 2],
    /// Two-sided.
    pub p_value: f64,
}

/// The outcome of a test.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Significance {
    /// Its statistic.
    pub statistic: f64,
    /// Two-sided.
    pub p_value: f64,
}

impl Comparison {
    /// Of two models on all images of a set, in the same order.
    pub(super) fn new(
        model: &Qualities,
        other: &Qualities,
        key: &ScoreKey,
        config: &ReportConfig,
    ) -> Result<Self, MetricsError> {
        let both: Vec<usize> = (0..model.predicted.len())
            .filter(|&index| model.predicted[index].is_finite() && other.predicted[index].is_finite())
            .collect();
        let (model, other) = (model.of(&both), other.of(&both));
        let (first, second, subjective) = (&model.predicted, &other.predicted, &model.subjective);
        let (bootstrap, references) = model.bootstrap(config);
        let difference = |figure: fn(&[f64], &[f64]) -> Result<f64, MetricsError>| {
            paired_bootstrap(figure, first, second, subjective, &bootstrap).map(Difference::from)
        };
        let f_test = match (errors(&model), errors(&other)) {
            (Some(first), Some(second)) => Some(variance_f_test(&first, &second)?.into()),
            _ => None,
        };
        Ok(Self {
            model: key.model.clone(),
            weights: key.weights.clone(),
            images: both.len(),
            references,
            plcc: difference(plcc)?,
            srcc: difference(srcc)?,
            williams: williams_test(first, second, subjective)?.into(),
            f_test,
        })
    }
}

/// What the logistic fit leaves.
fn errors(qualities: &Qualities) -> Option<Vec<f64>> {
    let Qualities { predicted, subjective, .. } = qualities;
    let fit = LogisticFit::new(LogisticKind::FiveParameter, predicted, subjective).ok()?;
    Some(predicted.iter().zip(subjective).map(|(&score, rating)| fit.predict(score) - rating).collect())
}

impl From<PairedDifference> for Difference {
    fn from(found: PairedDifference) -> Self {
        let interval = [found.interval.low, found.interval.high];
        Self { value: found.difference, interval, p_value: found.p_value }
    }
}

impl From<TestResult> for Significance {
    fn from(found: TestResult) -> Self {
        Self { statistic: found.statistic, p_value: found.p_value }
    }
}
