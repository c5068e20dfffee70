//! The scores of a run in short.

use std::fmt::Write as _;

use iqa_models::Direction;
use iqa_models::metrics::Summary;

/// Images that are named as the worst.
const WORST: usize = 5;

/// The scores of one model.
#[derive(Debug)]
pub(crate) struct Tally {
    label: String,
    direction: Direction,
    scores: Vec<f64>,
    /// The worst scores, worst first, with their images.
    worst: Vec<(f64, String)>,
}

impl Tally {
    pub(crate) fn new(label: String, direction: Direction) -> Self {
        Self { label, direction, scores: Vec::new(), worst: Vec::new() }
    }

    pub(crate) fn add(&mut self, score: f64, image: &str) {
        self.scores.push(score);
        let badness = |score: f64| match self.direction {
            Direction::HigherIsBetter => score,
            Direction::LowerIsBetter => -score,
        };
        let place = self.worst.partition_point(|(other, _)| badness(*other) <= badness(score));
        if place < WORST {
            self.worst.insert(place, (score, image.into()));
            self.worst.truncate(WORST);
        }
    }
}

/// A table of a line a model, and the worst images by each; nothing of fewer than two images.
pub(crate) fn describe(tallies: &[Tally]) -> Option<String> {
    if tallies.iter().all(|tally| tally.scores.len() < 2) {
        return None;
    }
    let width = tallies.iter().map(|tally| tally.label.chars().count()).max().unwrap_or(0).max(5);
    let mut text =
        format!("\n{:<width$}  {:>7}  {:>10}  {:>10}  {:>10}\n", "model", "images", "mean", "median", "std");
    for tally in tallies {
        let label = &tally.label;
        let _ = match Summary::of(&tally.scores) {
            Some(Summary { count, mean, median, std }) => writeln!(
                text,
                "{label:<width$}  {count:>7}  {mean:>10.4}  {median:>10.4}  {std:>10.4}  {}",
                tally.direction
            ),
            None => writeln!(text, "{label:<width$}  {:>7}", 0),
        };
    }
    for tally in tallies.iter().filter(|tally| tally.scores.len() > WORST) {
        let worst: Vec<String> =
            tally.worst.iter().map(|(score, image)| format!("{image} ({score:.4})")).collect();
        let _ = writeln!(text, "worst by {}: {}", tally.label, worst.join(", "));
    }
    Some(text)
}
