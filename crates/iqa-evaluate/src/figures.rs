//! The figures that papers report.

use std::collections::HashSet;

use iqa_core::Direction;
use iqa_datasets::{DataSet, Sample};
use iqa_metrics::MetricsError;
use iqa_metrics::agreement::{Agreement, Bootstrap, LogisticFit, LogisticKind, mae, plcc, rmse};
use serde::{Deserialize, Serialize};

use super::config::ReportConfig;
use super::scores::Scores;

/// Agreement of a model with people on some images. Predictions and ratings are both taken as qualities, higher being
/// better, by the directions that model and set declare; signs are kept.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Pearson's linear correlation of the predictions themselves, -1 to 1.
    pub plcc: f64,
    /// Spearman's rank correlation, -1 to 1.
    pub srcc: f64,
    /// Kendall's rank correlation (tau-b), -1 to 1.
    pub krcc: f64,
    /// PLCC + SRCC, -2 to 2.
    pub main_score: f64,
    /// Root mean squared error in the units of the ratings, the model's nominal range being mapped to theirs; `None`
    /// for a model without one.
    pub rmse: Option<f64>,
    /// Mean absolute error, likewise.
    pub mae: Option<f64>,
    /// After the logistic curve of four parameters; `None` where it cannot be fitted.
    pub four_parameters: Option<Fitted>,
    /// After the logistic curve of five parameters; `None` where it cannot be fitted.
    pub five_parameters: Option<Fitted>,
}

/// Figures after a logistic fit, which may fall as well as rise.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fitted {
    /// Parameters of the curve: fewer than asked for where the predictions have too few distinct values, 2 for a line; 0
    /// in a report from before this was told.
    #[serde(default)]
    pub parameters: usize,
    /// Pearson's linear correlation.
    pub plcc: f64,
    /// Root mean squared error, in the units of the ratings.
    pub rmse: f64,
    /// Mean absolute error, in the units of the ratings.
    pub mae: f64,
}

/// One of the figures; `None` where it is not defined.
pub type Figure = fn(&Figures) -> Option<f64>;

/// Every figure with its name.
pub const FIGURES: [(&str, Figure); 10] = [
    ("PLCC", |figures| Some(figures.plcc)),
    ("SRCC", |figures| Some(figures.srcc)),
    ("KRCC", |figures| Some(figures.krcc)),
    ("PLCC + SRCC", |figures| Some(figures.main_score)),
    ("RMSE", |figures| figures.rmse),
    ("MAE", |figures| figures.mae),
    ("PLCC, 4 parameters", |figures| figures.four_parameters.map(|fitted| fitted.plcc)),
    ("RMSE, 4 parameters", |figures| figures.four_parameters.map(|fitted| fitted.rmse)),
    ("PLCC, 5 parameters", |figures| figures.five_parameters.map(|fitted| fitted.plcc)),
    ("RMSE, 5 parameters", |figures| figures.five_parameters.map(|fitted| fitted.rmse)),
];

/// Some of the images of a set, and the figures on them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// A type of distortion, a subset, or `all`.
    pub name: String,
    /// Images with a finite score.
    pub images: usize,
    /// The figures; `None` where they are not defined.
    pub figures: Option<Figures>,
    /// Why they are not.
    pub undefined: Option<String>,
    /// Why single figures are not, each with its name; not of errors in the units of the ratings where the model has no
    /// range.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
}

/// Predictions and ratings as qualities.
pub(super) struct Qualities {
    pub(super) predicted: Vec<f64>,
    pub(super) subjective: Vec<f64>,
    /// Whether both are in the units of the ratings.
    pub(super) same_units: bool,
    /// Of each image, which reference it is of; empty for a set without references.
    references: Vec<usize>,
}

impl Qualities {
    /// Of every image of the set, not finite where the score is not.
    pub(super) fn new(set: &DataSet, scores: &Scores) -> Self {
        let (low, high) = set.scale().range();
        let rating = |raw: f64| match set.scale().direction() {
            Direction::HigherIsBetter => raw,
            Direction::LowerIsBetter => low + high - raw,
        };
        let sign = match scores.key.direction {
            Direction::HigherIsBetter => 1.0,
            Direction::LowerIsBetter => -1.0,
        };
        let (scale, shift) = match scores.key.range {
            [Some(from), Some(to)] if from < to => {
                let scale = (high - low) / (to - from);
                (scale, low - scale * if sign > 0.0 { from } else { -to })
            }
            _ => (1.0, 0.0),
        };
        Self {
            predicted: scores.values.iter().map(|score| sign * score * scale + shift).collect(),
            subjective: set.samples().iter().map(|sample| rating(sample.raw)).collect(),
            same_units: scores.key.range.iter().all(Option::is_some),
            references: references(set),
        }
    }

    /// Of some of the images, those without a finite score left out.
    pub(super) fn of(&self, indices: &[usize]) -> Self {
        let finite = || indices.iter().filter(|&&index| self.predicted[index].is_finite());
        Self {
            predicted: finite().map(|&index| self.predicted[index]).collect(),
            subjective: finite().map(|&index| self.subjective[index]).collect(),
            same_units: self.same_units,
            references: match &self.references[..] {
                [] => Vec::new(),
                references => finite().map(|&index| references[index]).collect(),
            },
        }
    }

    /// How figures on these images are resampled: images of one reference are not independent, so references are drawn
    /// where there are several. Also how many those are.
    pub(super) fn bootstrap(&self, config: &ReportConfig) -> (Bootstrap<'_>, Option<usize>) {
        let distinct = self.references.iter().collect::<HashSet<_>>().len();
        let groups = (distinct > 1).then_some(&self.references[..]);
        let ReportConfig { resamples, level, seed, .. } = *config;
        (Bootstrap { resamples, level, seed, groups }, groups.map(|_| distinct))
    }

    pub(super) fn part(&self, name: &str) -> Part {
        let mut missing = Vec::new();
        let figures = self.figures(&mut missing);
        let undefined = figures.as_ref().err().map(ToString::to_string);
        Part { name: name.into(), images: self.predicted.len(), figures: figures.ok(), undefined, missing }
    }

    /// Says in `missing` which figures are not there, and why.
    fn figures(&self, missing: &mut Vec<String>) -> Result<Figures, MetricsError> {
        let found = Agreement::new(&self.predicted, &self.subjective)?;
        let mut take = |name: &str, figure: Result<f64, String>| {
            figure.map_err(|reason| missing.push(format!("{name}: {reason}"))).ok()
        };
        let (rmse, mae) = if self.same_units {
            (take("RMSE", finite(found.rmse)), take("MAE", finite(found.mae)))
        } else {
            (None, None)
        };
        let mut fitted = |name: &str, kind| {
            self.fitted(kind).map_err(|reason| missing.push(format!("{name}: {reason}"))).ok()
        };
        Ok(Figures {
            plcc: found.plcc,
            srcc: found.srcc,
            krcc: found.krcc,
            main_score: found.main_score(),
            rmse,
            mae,
            four_parameters: fitted("4 parameters", LogisticKind::FourParameter),
            five_parameters: fitted("5 parameters", LogisticKind::FiveParameter),
        })
    }

    fn fitted(&self, kind: LogisticKind) -> Result<Fitted, String> {
        let told = |error: MetricsError| error.to_string();
        let fit = LogisticFit::new(kind, &self.predicted, &self.subjective).map_err(told)?;
        let mapped: Vec<f64> = self.predicted.iter().map(|&score| fit.predict(score)).collect();
        Ok(Fitted {
            parameters: fit.kind().parameters(),
            plcc: plcc(&mapped, &self.subjective).map_err(told)?,
            rmse: finite(rmse(&mapped, &self.subjective).map_err(told)?)?,
            mae: finite(mae(&mapped, &self.subjective).map_err(told)?)?,
        })
    }
}

fn references(set: &DataSet) -> Vec<usize> {
    let ids = set.reference_ids();
    let place = |sample: &Sample| ids.binary_search(&sample.reference_id.as_deref()?).ok();
    set.samples().iter().filter_map(place).collect()
}

/// Squares of huge errors overflow: a figure then is not there.
fn finite(figure: f64) -> Result<f64, String> {
    if figure.is_finite() {
        return Ok(figure);
    }
    Err("the ratings are so large that their errors, or the squares of those, are beyond the largest number"
        .into())
}
