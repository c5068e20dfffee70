//! What has been run, from the reports that runs leave.

use std::error::Error;
use std::path::{Path, PathBuf};

use iqa_models::evaluate::{Figures, Report};

use crate::reproduce::catalogue::{Entry, Ours, Row, Summary};

/// Whether a row or an entry has been run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Run,
    InPart,
    NotRun,
    /// Nothing here gives it.
    Nothing,
}

impl State {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::InPart => "run in part",
            Self::NotRun => "not run",
            Self::Nothing => "not possible yet",
        }
    }

    /// Of an entry, from its rows'.
    pub(crate) fn of(entry: &Entry, results: &Path) -> Result<Self, Box<dyn Error>> {
        let states = entry
            .rows
            .iter()
            .map(|row| Ok(Found::of(entry, row, results)?.state))
            .collect::<Result<Vec<Self>, Box<dyn Error>>>()?;
        let all = |state: Self| states.iter().all(|&found| found == state);
        Ok(if all(Self::Run) {
            Self::Run
        } else if states.iter().any(|state| matches!(state, Self::Run | Self::InPart)) {
            Self::InPart
        } else if all(Self::Nothing) {
            Self::Nothing
        } else {
            Self::NotRun
        })
    }
}

/// Our figures for a row.
pub(crate) struct Found {
    pub(crate) state: State,
    pub(crate) plcc: Option<f64>,
    pub(crate) srcc: Option<f64>,
    pub(crate) krcc: Option<f64>,
}

impl Found {
    pub(crate) fn of(entry: &Entry, row: &Row, results: &Path) -> Result<Self, Box<dyn Error>> {
        let empty = |state| Self { state, plcc: None, srcc: None, krcc: None };
        let (evaluation, summary) = match &row.ours {
            Ours::Nothing(_) => return Ok(empty(State::Nothing)),
            Ours::Evaluation(evaluation) => (evaluation, Summary::Mean),
            Ours::Training(training, evaluation) => (evaluation, training.summary),
        };
        let folders = folders(entry, row, results);
        let mut figures = Vec::new();
        for folder in &folders {
            if let Some(report) = read(&folder.join("report.json"))? {
                figures.extend(part(&report, evaluation.part.as_deref())?);
            }
        }
        if figures.is_empty() {
            return Ok(empty(State::NotRun));
        }
        let state = if figures.len() == folders.len() { State::Run } else { State::InPart };
        let value = |figure: fn(&Figures) -> f64| {
            let values: Vec<f64> = figures.iter().map(figure).collect();
            sum_up(&values, summary)
        };
        Ok(Self { state, plcc: value(|f| f.plcc), srcc: value(|f| f.srcc), krcc: value(|f| f.krcc) })
    }
}

/// Where the reports of a row lie: one folder for each seed of its training, or one.
pub(crate) fn folders(entry: &Entry, row: &Row, results: &Path) -> Vec<PathBuf> {
    let folder = results.join(&entry.id).join(&row.name);
    match &row.ours {
        Ours::Nothing(_) => Vec::new(),
        Ours::Evaluation(_) => vec![folder],
        Ours::Training(training, _) => {
            (1..=training.seeds).map(|seed| folder.join(format!("seed-{seed}"))).collect()
        }
    }
}

fn read(path: &Path) -> Result<Option<Report>, Box<dyn Error>> {
    if !path.exists() {
        return Ok(None);
    }
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let report =
        serde_json::from_str(&text).map_err(|error| format!("{}: not a report: {error}", path.display()))?;
    Ok(Some(report))
}

/// The figures of all images, or of a type or subset.
fn part(report: &Report, part: Option<&str>) -> Result<Option<Figures>, Box<dyn Error>> {
    let Some(name) = part else { return Ok(report.whole.figures) };
    let found = report.subsets.iter().chain(&report.types).find(|part| part.name == name);
    found
        .map(|part| part.figures)
        .ok_or_else(|| format!("the report on {} has no type or subset `{name}`", report.set).into())
}

fn sum_up(values: &[f64], summary: Summary) -> Option<f64> {
    let found = iqa_models::metrics::Summary::of(values)?;
    Some(match summary {
        Summary::Mean => found.mean,
        Summary::Median => found.median,
    })
}
