//! Several models on several sets.

use serde::{Deserialize, Serialize};

use super::report::Report;

/// How well each of several models agrees with people on each of several sets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// The sets: the columns.
    pub sets: Vec<TableSet>,
    /// A row a model.
    pub rows: Vec<TableRow>,
}

/// A set of a [`Table`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableSet {
    /// Its name.
    pub name: String,
    /// Its images.
    pub images: usize,
}

/// A model of a [`Table`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TableRow {
    /// Its name.
    pub model: String,
    /// One for each set, in their order.
    pub cells: Vec<TableCell>,
}

/// A model on a set. What is not defined is `None`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TableCell {
    /// Images with a finite score.
    pub images: usize,
    /// Spearman's rank correlation.
    pub srcc: Option<f64>,
    /// Its bootstrap interval, lower end first.
    pub srcc_interval: Option<[f64; 2]>,
    /// Pearson's linear correlation of the scores themselves.
    pub plcc: Option<f64>,
    /// Pearson's linear correlation after the logistic curve of four parameters.
    pub plcc_fitted: Option<f64>,
    /// Why there are no figures.
    pub note: Option<String>,
}

impl From<&Report> for TableCell {
    fn from(report: &Report) -> Self {
        let figures = report.whole.figures;
        Self {
            images: report.whole.images,
            srcc: figures.map(|figures| figures.srcc),
            srcc_interval: report.intervals.map(|intervals| intervals.srcc),
            plcc: figures.map(|figures| figures.plcc),
            plcc_fitted: figures.and_then(|figures| figures.four_parameters).map(|fitted| fitted.plcc),
            note: report.whole.undefined.clone(),
        }
    }
}

impl TableCell {
    /// A cell without figures.
    pub fn empty(note: impl Into<String>) -> Self {
        Self { note: Some(note.into()), ..Self::default() }
    }
}

impl Table {
    /// The highest SRCC on a set; `None` where there is none.
    pub fn best_srcc(&self, set: usize) -> Option<f64> {
        self.rows.iter().filter_map(|row| row.cells[set].srcc).max_by(f64::total_cmp)
    }
}
