//! An evaluation with all its files.

use std::path::Path;
use std::time::Instant;

use iqa_core::{CoreError, FolderClaim, Observer, write_atomically};
use iqa_datasets::DataSet;
use iqa_nn::CheckedModel;
use serde::Serialize;

use super::config::ReportConfig;
use super::report::{Report, report};
use super::run::score_set;
use super::scatter::write_scatter;
use super::scores::Scores;
use crate::EvaluateError;

pub(super) const REPORT: &str = "report.json";
pub(super) const SCORES: &str = "scores.csv";
pub(super) const SCATTER: &str = "scatter.svg";
const MARKDOWN: &str = "report.md";

/// An evaluation that is done.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// Its figures.
    pub report: Report,
    /// Images that this run scored.
    pub scored: usize,
    /// Images that an earlier run had scored.
    pub found: usize,
    /// Seconds that scoring took.
    pub seconds: f64,
}

/// Evaluates a model on a set into a folder: `scores.csv`, which grows as scores come; then `report.json`, `report.md`
/// and `scatter.svg`. `against` are the scores of another model on the same set.
///
/// # Errors
/// As [`score_set`], [`report`] and [`write_scatter`]; [`CoreError::FolderInUse`] while another run writes into the folder,
/// and what [`FolderClaim::adopting`] gives for files there that are not of an evaluation.
///
/// # Panics
/// When `against` are not of `set`.
pub fn evaluate(
    model: &CheckedModel,
    set: &DataSet,
    folder: &Path,
    against: Option<&Scores>,
    config: &ReportConfig,
    observer: &dyn Observer,
) -> Result<Evaluation, EvaluateError> {
    let report_file = folder.join(REPORT);
    let names = [REPORT, MARKDOWN, SCATTER];
    let _claim = FolderClaim::adopting(folder, "evaluate", &names, || is_report(&report_file))?;
    let start = Instant::now();
    let scores = score_set(model, set, &folder.join(SCORES), observer)?;
    let seconds = start.elapsed().as_secs_f64();
    let report = report(set, &scores, against, config)?;
    write_json(&report_file, &report)?;
    write_atomically(&folder.join(MARKDOWN), report.markdown().as_bytes())?;
    write_scatter(&folder.join(SCATTER), set, &scores)?;
    let scored = set.samples().len() - scores.found;
    Ok(Evaluation { report, scored, found: scores.found, seconds })
}

/// Whether a file is a report: a folder with one is an evaluation's, also from before folders had lists of what is ours.
fn is_report(path: &Path) -> bool {
    std::fs::read(path).is_ok_and(|bytes| serde_json::from_slice::<Report>(&bytes).is_ok())
}

/// Writes a value as JSON for people to read.
pub(super) fn write_json(path: &Path, value: &impl Serialize) -> Result<(), CoreError> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| CoreError::Io { path: path.into(), source: error.into() })?;
    write_atomically(path, format!("{text}\n").as_bytes())
}
