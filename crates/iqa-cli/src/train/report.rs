//! Agreement of a model with opinion scores, on images kept out of training.

use std::error::Error;
use std::fmt::Write as _;
use std::sync::Arc;

use iqa_models::ScoreSpec;
use iqa_models::datasets::DataSet;
use iqa_models::datasets::distort::Distortion;
use iqa_models::datasets::synthetic::{Reference, SyntheticGrid, SyntheticSample};
use iqa_models::image::RgbImage;
use iqa_models::metrics::MetricsError;
use iqa_models::metrics::agreement::{Bootstrap, bootstrap_interval, krcc, plcc, srcc};
use iqa_models::train::{SetValidation, ValidationPairs};

use crate::train::source::{Sides, Source, Sources, synthetic};

/// The score of a distorted image, given its reference where there is one.
pub(crate) type ScoreFn<'a> = &'a dyn Fn(&RgbImage, Option<&RgbImage>) -> Result<f64, Box<dyn Error>>;

/// Scores in quality orientation beside their labels.
#[derive(Default)]
struct Scores {
    predicted: Vec<f64>,
    quality: Vec<f64>,
}

impl Scores {
    fn extend(&mut self, other: &Self) {
        self.predicted.extend(&other.predicted);
        self.quality.extend(&other.quality);
    }

    /// A figure of them; of one image, or of labels that are all the same, it is undefined, and no reason to lose a report.
    fn figure(&self, figure: impl Fn(&[f64], &[f64]) -> Result<f64, MetricsError>) -> String {
        let found = figure(&self.predicted, &self.quality);
        found.map_or_else(|_| "undefined".into(), |value| format!("{value:.3}"))
    }

    fn srcc(&self) -> String {
        self.figure(srcc)
    }

    /// SRCC with its interval, PLCC, KRCC.
    fn summary(&self, seed: u64) -> String {
        let bootstrap = Bootstrap { resamples: 1000, level: 0.95, seed, groups: None };
        let interval = bootstrap_interval(srcc, &self.predicted, &self.quality, &bootstrap);
        let interval = interval.map_or_else(
            |_| String::new(),
            |interval| format!(" (95 % interval {:.3} to {:.3})", interval.low, interval.high),
        );
        let [srcc, plcc, krcc] = [self.srcc(), self.figure(plcc), self.figure(krcc)];
        format!("SRCC {srcc}{interval}, PLCC {plcc}, KRCC {krcc}")
    }
}

/// The report, as Markdown.
pub(crate) fn report(
    sources: &Sources,
    spec: ScoreSpec,
    score: ScoreFn<'_>,
) -> Result<String, Box<dyn Error>> {
    let texts = sources.each().map(|source| report_on(source, spec, score));
    Ok(texts.collect::<Result<Vec<_>, _>>()?.join("\n"))
}

fn report_on(source: &Source, spec: ScoreSpec, score: ScoreFn<'_>) -> Result<String, Box<dyn Error>> {
    match source {
        Source::Photographs { references, test, trained, left_out, size, seed, .. } => {
            let photographs = Photographs { references, test, trained, left_out, size: *size };
            on_photographs(&photographs, *seed, spec, score)
        }
        Source::Set { set, split, seed, .. } => on_set(set, split, *seed, spec, score),
    }
}

fn on_set(
    set: &DataSet,
    split: &Sides,
    seed: u64,
    spec: ScoreSpec,
    score: ScoreFn<'_>,
) -> Result<String, Box<dyn Error>> {
    if split.test.is_empty() {
        return Ok(format!("The split of {} has no test part.\n", set.name()));
    }
    let test = SetValidation::new(set, &split.test);
    let mut scores = Scores::default();
    for index in 0..test.samples() {
        let pair = test.pair(index)?;
        scores.predicted.push(spec.oriented(score(&pair.distorted, pair.reference.as_ref())?));
        scores.quality.push(pair.quality01);
    }
    Ok(format!("{} images of {}: {}.\n", test.samples(), set.name(), scores.summary(seed)))
}

/// What is reported on of photographs.
struct Photographs<'a> {
    references: &'a Arc<Vec<Reference>>,
    test: &'a [usize],
    trained: &'a [Distortion],
    left_out: &'a [Distortion],
    size: (u32, u32),
}

fn on_photographs(
    photographs: &Photographs<'_>,
    seed: u64,
    spec: ScoreSpec,
    score: ScoreFn<'_>,
) -> Result<String, Box<dyn Error>> {
    let Photographs { references, test, trained, left_out, size } = *photographs;
    let score = |sample: &SyntheticSample| -> Result<f64, Box<dyn Error>> {
        Ok(spec.oriented(score(&sample.distorted, Some(&sample.reference))?))
    };
    let grid = |distortion: Distortion| {
        SyntheticGrid::new(Arc::clone(references), test, synthetic(&[distortion], size), seed)
    };
    let pristine = SyntheticGrid::new(Arc::clone(references), test, synthetic(trained, size), seed)?
        .pristine()
        .map(|sample| {
            let sample = sample?;
            Ok((sample.reference_index, score(&sample)?))
        })
        .collect::<Result<Vec<_>, Box<dyn Error>>>()?;

    let mut text = String::from("| type | SRCC | mean score at levels 1 to 5 |\n|---|---|---|\n");
    let (mut all, mut apart) = (Scores::default(), Scores::default());
    let (mut pristine_wins, mut pristine_cases) = (0, 0);
    for &distortion in trained.iter().chain(left_out) {
        let grid = grid(distortion)?;
        let mut scores = Scores::default();
        let mut levels = [0.0; 5];
        for index in 0..grid.len() {
            let sample = grid.sample(index)?;
            let value = score(&sample)?;
            scores.predicted.push(value);
            scores.quality.push(f64::from(sample.mos));
            levels[index % 5] += value / test.len() as f64;
            if sample.level == 5.0 {
                pristine_cases += 1;
                let undistorted = pristine.iter().find(|(reference, _)| *reference == sample.reference_index);
                pristine_wins +=
                    usize::from(undistorted.is_some_and(|(_, undistorted)| *undistorted > value));
            }
        }
        let levels: Vec<String> = levels.iter().map(|value| format!("{value:.2}")).collect();
        let mark = if left_out.contains(&distortion) { " (left out of training)" } else { "" };
        let _ = writeln!(text, "| {distortion}{mark} | {} | {} |", scores.srcc(), levels.join(", "));
        if left_out.contains(&distortion) { apart.extend(&scores) } else { all.extend(&scores) }
    }
    let _ = writeln!(
        text,
        "\nAll {} trained types together ({} images of {} photographs): {}.",
        trained.len(),
        all.quality.len(),
        test.len(),
        all.summary(seed),
    );
    if !left_out.is_empty() {
        let _ = writeln!(
            text,
            "The {} types left out of training, together ({} images): SRCC {}.",
            left_out.len(),
            apart.quality.len(),
            apart.srcc(),
        );
    }
    let _ = writeln!(
        text,
        "An undistorted photograph scores better than its level 5 in {pristine_wins} of {pristine_cases} cases."
    );
    Ok(text)
}
