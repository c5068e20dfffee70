//! Agreement of a model with the mean opinion scores, by type, on photographs kept out of training.

use std::error::Error;
use std::fmt::Write as _;
use std::sync::Arc;

use iqa_models::datasets::distort::Distortion;
use iqa_models::datasets::synthetic::{Reference, SyntheticConfig, SyntheticGrid, SyntheticSample};
use iqa_models::heads::wadiqam::{ScoreOptions, Wadiqam};
use iqa_models::metrics::agreement::{bootstrap_interval, plcc, srcc};

/// Scores in quality orientation beside their labels.
#[derive(Default)]
struct Scores {
    predicted: Vec<f64>,
    mos: Vec<f64>,
}

impl Scores {
    fn extend(&mut self, other: &Self) {
        self.predicted.extend(&other.predicted);
        self.mos.extend(&other.mos);
    }

    fn srcc(&self) -> String {
        srcc(&self.predicted, &self.mos).map_or_else(|_| "undefined".into(), |value| format!("{value:.3}"))
    }
}

/// The report, as Markdown.
pub(crate) fn report(
    model: &Wadiqam,
    references: &Arc<Vec<Reference>>,
    test: &[usize],
    trained: &[Distortion],
    left_out: &[Distortion],
    seed: u64,
) -> Result<String, Box<dyn Error>> {
    let score = |sample: &SyntheticSample| -> Result<f64, Box<dyn Error>> {
        let reference = model.config().is_full_reference().then_some(&sample.reference);
        let score = model.score(&sample.distorted, reference, &ScoreOptions::default())?.score;
        Ok(model.score_spec().oriented(score))
    };
    let grid = |distortion: Distortion| {
        let config = SyntheticConfig { distortions: vec![distortion], ..SyntheticConfig::default() };
        SyntheticGrid::new(Arc::clone(references), test, config, seed)
    };
    let pristine = SyntheticGrid::new(Arc::clone(references), test, SyntheticConfig::default(), seed)?
        .pristine()
        .map(|sample| Ok((sample.reference_index, score(&sample)?)))
        .collect::<Result<Vec<_>, Box<dyn Error>>>()?;

    let mut text = String::from("| type | SRCC | mean score at levels 1 to 5 |\n|---|---|---|\n");
    let (mut all, mut apart) = (Scores::default(), Scores::default());
    let (mut pristine_wins, mut pristine_cases) = (0, 0);
    for &distortion in trained.iter().chain(left_out) {
        let grid = grid(distortion)?;
        let mut scores = Scores::default();
        let mut levels = [0.0; 5];
        for index in 0..grid.len() {
            let sample = grid.sample(index);
            let value = score(&sample)?;
            scores.predicted.push(value);
            scores.mos.push(f64::from(sample.mos));
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
    let interval = bootstrap_interval(srcc, &all.predicted, &all.mos, 1000, 0.95, seed)?;
    let _ = writeln!(
        text,
        "\nAll {} trained types together ({} images of {} photographs): SRCC {} (95 % interval {:.3} to {:.3}), PLCC {:.3}.",
        trained.len(),
        all.mos.len(),
        test.len(),
        all.srcc(),
        interval.low,
        interval.high,
        plcc(&all.predicted, &all.mos)?,
    );
    if !left_out.is_empty() {
        let _ = writeln!(
            text,
            "The {} types left out of training, together ({} images): SRCC {}.",
            left_out.len(),
            apart.mos.len(),
            apart.srcc(),
        );
    }
    let _ = writeln!(
        text,
        "An undistorted photograph scores better than its level 5 in {pristine_wins} of {pristine_cases} cases."
    );
    Ok(text)
}
