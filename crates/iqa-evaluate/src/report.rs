//! Everything about an evaluation, in one structure.

use std::collections::BTreeMap;

use iqa_core::Direction;
use iqa_datasets::readers::{SHARED_TYPES, TID2013_SUBSETS};
use iqa_datasets::split::SplitPreset;
use iqa_datasets::{DataSet, Sample};
use iqa_metrics::MetricsError;
use iqa_metrics::agreement::{bootstrap_interval, krcc, plcc, srcc};
use serde::{Deserialize, Serialize};

use super::comparison::Comparison;
use super::config::ReportConfig;
use super::figures::{FIGURES, Figure, Figures, Part, Qualities};
use super::scores::Scores;
use crate::EvaluateError;

/// How a model agrees with people on a set. Nothing in it depends on when or how fast it was made: the same scores give
/// the same report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Name of the data set.
    pub set: String,
    /// SHA-256 of the names and published scores of its images.
    pub samples: String,
    /// Which way the ratings grow; `None` in a report from before this was told.
    #[serde(default)]
    pub ratings: Option<Direction>,
    /// Images scored.
    pub images: usize,
    /// Labels without an image.
    pub missing_images: usize,
    /// Images whose score is not finite, such as the PSNR of an image that equals its reference: left out.
    pub not_finite: usize,
    /// Images whose score is finite and outside [`Self::range`]: scores are not clamped.
    #[serde(default)]
    pub outside_range: usize,
    /// Name of the model.
    pub model: String,
    /// Digest of its weights and options.
    pub weights: String,
    /// Which way its scores grow.
    pub direction: Direction,
    /// Their nominal range; `None` is an end that there is not.
    pub range: [Option<f64>; 2],
    /// All images.
    pub whole: Part,
    /// Confidence intervals of the figures on all images.
    pub intervals: Option<Intervals>,
    /// Each type of distortion.
    pub types: Vec<Part>,
    /// Published subsets.
    pub subsets: Vec<Part>,
    /// The test parts of splits.
    pub splits: Option<SplitSummary>,
    /// The difference to another model.
    pub against: Option<Comparison>,
}

/// Percentile bootstrap intervals, lower end first.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Intervals {
    /// Their level.
    pub level: f64,
    /// Resamples drawn.
    pub resamples: usize,
    /// How many references were drawn for each, with all their images; `None` where single images were: in sets without
    /// references or with one, and in reports from before this was told.
    #[serde(default)]
    pub references: Option<usize>,
    /// Of Pearson's correlation.
    pub plcc: [f64; 2],
    /// Of Spearman's.
    pub srcc: [f64; 2],
    /// Of Kendall's.
    pub krcc: [f64; 2],
}

/// Figures over the test parts of splits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SplitSummary {
    /// Name of the preset.
    pub preset: String,
    /// Seed of the first split.
    pub seed: u64,
    /// Each split's test part.
    pub parts: Vec<Part>,
    /// Each figure over the splits.
    pub summary: Vec<Summary>,
}

/// A figure over splits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Its name, as in [`FIGURES`].
    pub figure: String,
    /// Mean.
    pub mean: f64,
    /// Median.
    pub median: f64,
    /// Standard deviation, with `n - 1`; 0 for a single split.
    pub std: f64,
}

/// Figures of scores; with `against`, also their difference to the scores of another model.
///
/// # Errors
/// [`EvaluateError::Dataset`] when the preset does not fit the set; [`EvaluateError::NoTestPart`] when it has no test part;
/// [`EvaluateError::Metrics`] when a comparison is asked for and not defined, or the configuration makes no sense.
///
/// # Panics
/// When `scores` or `against` are not of `set`.
pub fn report(
    set: &DataSet,
    scores: &Scores,
    against: Option<&Scores>,
    config: &ReportConfig,
) -> Result<Report, EvaluateError> {
    let qualities = Qualities::new(set, scores);
    let everything: Vec<usize> = (0..set.samples().len()).collect();
    let whole = qualities.of(&everything);
    let parts = |groups: Vec<(String, Vec<usize>)>| -> Vec<Part> {
        groups.iter().map(|(name, indices)| qualities.of(indices).part(name)).collect()
    };
    let part = whole.part("all");
    let intervals = part.figures.map(|_| intervals(&whole, config)).transpose()?;
    let splits = config.splits.map(|preset| splits(set, &qualities, preset, config.seed)).transpose()?;
    let against = against
        .map(|other| Comparison::new(&qualities, &Qualities::new(set, other), &other.key, config))
        .transpose()?;
    Ok(Report {
        set: set.name().into(),
        samples: scores.key.samples.clone(),
        ratings: Some(set.scale().direction()),
        images: set.samples().len(),
        missing_images: set.missing_images(),
        not_finite: set.samples().len() - part.images,
        outside_range: scores.outside_range(),
        model: scores.key.model.clone(),
        weights: scores.key.weights.clone(),
        direction: scores.key.direction,
        range: scores.key.range,
        whole: part,
        intervals,
        types: parts(types(set)),
        subsets: parts(subsets(set)),
        splits,
        against,
    })
}

fn intervals(qualities: &Qualities, config: &ReportConfig) -> Result<Intervals, MetricsError> {
    let (bootstrap, references) = qualities.bootstrap(config);
    let of = |figure: fn(&[f64], &[f64]) -> Result<f64, MetricsError>| {
        bootstrap_interval(figure, &qualities.predicted, &qualities.subjective, &bootstrap)
            .map(|interval| [interval.low, interval.high])
    };
    let ReportConfig { level, resamples, .. } = *config;
    Ok(Intervals { level, resamples, references, plcc: of(plcc)?, srcc: of(srcc)?, krcc: of(krcc)? })
}

/// The samples of each type of distortion, by number and name.
fn types(set: &DataSet) -> Vec<(String, Vec<usize>)> {
    let mut types: BTreeMap<(Option<u32>, String), Vec<usize>> = BTreeMap::new();
    for (index, sample) in set.samples().iter().enumerate() {
        let name = match (&sample.type_name, sample.type_id) {
            (Some(name), _) => name.clone(),
            (None, Some(id)) => format!("type {id}"),
            (None, None) => continue,
        };
        types.entry((sample.type_id, name)).or_default().push(index);
    }
    types.into_iter().map(|((_, name), indices)| (name, indices)).collect()
}

/// The six subsets of TID2013, and the four types that sets share where there are others beside them.
fn subsets(set: &DataSet) -> Vec<(String, Vec<usize>)> {
    let indices = |keep: &dyn Fn(&Sample) -> bool| -> Vec<usize> {
        (0..set.samples().len()).filter(|&index| keep(&set.samples()[index])).collect()
    };
    let mut subsets: Vec<(String, Vec<usize>)> = Vec::new();
    if set.name() == "TID2013" {
        subsets.extend(TID2013_SUBSETS.iter().map(|(name, types)| {
            let within = |sample: &Sample| sample.type_id.is_some_and(|id| types.contains(&id));
            ((*name).to_owned(), indices(&within))
        }));
    }
    let shared =
        |sample: &Sample| sample.type_name.as_deref().is_some_and(|name| SHARED_TYPES.contains(&name));
    let found = indices(&shared);
    if !found.is_empty() && found.len() < set.samples().len() {
        subsets.push(("shared types".into(), found));
    }
    subsets
}

fn splits(
    set: &DataSet,
    qualities: &Qualities,
    preset: SplitPreset,
    seed: u64,
) -> Result<SplitSummary, EvaluateError> {
    let splits = preset.splits(set, seed)?;
    if splits.iter().any(|split| split.test().is_empty()) {
        return Err(EvaluateError::NoTestPart { preset: preset.name() });
    }
    let parts: Vec<Part> = splits
        .iter()
        .enumerate()
        .map(|(index, split)| qualities.of(split.test()).part(&format!("split {}", index + 1)))
        .collect();
    let summary = FIGURES.iter().filter_map(|(name, figure)| summary(name, *figure, &parts)).collect();
    Ok(SplitSummary { preset: preset.name().into(), seed, parts, summary })
}

/// `None` unless the figure is defined on every split.
fn summary(name: &str, figure: Figure, parts: &[Part]) -> Option<Summary> {
    let value = |part: &Part| part.figures.as_ref().and_then(|figures: &Figures| figure(figures));
    let values: Vec<f64> = parts.iter().map(value).collect::<Option<_>>()?;
    let iqa_metrics::Summary { mean, median, std, .. } = iqa_metrics::Summary::of(&values)?;
    Some(Summary { figure: name.into(), mean, median, std })
}
