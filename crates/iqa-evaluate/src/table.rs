//! Several models on several sets.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use iqa_core::{FolderClaim, Observer, ReferenceNeed, write_atomically};
use iqa_datasets::DataSet;
use iqa_nn::CheckedModel;
use serde::{Deserialize, Serialize};

use super::config::ReportConfig;
use super::dots::write_dots;
use super::folder::{evaluate, write_json};
use super::report::Report;
use super::text::in_cell;
use crate::EvaluateError;

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

    /// The table as text, in Markdown.
    pub fn markdown(&self) -> String {
        describe(self)
    }
}

/// A model with what tells it from the others: its name, or that and its weights.
#[derive(Clone, Copy, Debug)]
pub struct NamedModel<'a> {
    /// Its row in a [`Table`].
    pub label: &'a str,
    /// The model.
    pub model: &'a CheckedModel,
}

/// Evaluates each model on each set, in a folder of its own, `FOLDER/SET/MODEL`, and writes `table.json`, `table.md` and
/// `table.svg` over all. What fails does not stop the rest. Returns the table, and what failed: a line for each.
///
/// # Errors
/// [`EvaluateError::Core`] and [`EvaluateError::Drawing`] for the files over all.
pub fn evaluate_all(
    models: &[NamedModel<'_>],
    sets: &[DataSet],
    folder: &Path,
    config: &ReportConfig,
    observer: &dyn Observer,
) -> Result<(Table, Vec<String>), EvaluateError> {
    let _claim = FolderClaim::new(folder, "evaluate", &["table.json", "table.md", "table.svg"])?;
    let columns = sets.iter().map(|set| TableSet { name: set.name().into(), images: set.samples().len() });
    let rows = models.iter().map(|model| TableRow { model: model.label.into(), cells: Vec::new() });
    let mut table = Table { sets: columns.collect(), rows: rows.collect() };
    let mut failures = Vec::new();
    for set in sets {
        let has_references = set.samples().iter().all(|sample| sample.reference.is_some());
        for (NamedModel { label, model }, row) in models.iter().zip(&mut table.rows) {
            if model.spec().reference == ReferenceNeed::FullReference && !has_references {
                row.cells.push(TableCell::empty("the set has no references"));
                continue;
            }
            observer.line(format_args!("{label} on {}", set.name()));
            let folder = folder.join(folder_name(set.name())).join(folder_name(label));
            row.cells.push(match evaluate(model, set, &folder, None, config, observer) {
                Ok(done) => TableCell::from(&done.report),
                Err(error) => {
                    failures.push(format!("{label} on {}: {error}", set.name()));
                    TableCell::empty(error.to_string())
                }
            });
        }
    }
    write_json(&folder.join("table.json"), &table)?;
    write_atomically(&folder.join("table.md"), table.markdown().as_bytes())?;
    if table.rows.iter().flat_map(|row| &row.cells).any(|cell| cell.srcc.is_some()) {
        write_dots(&folder.join("table.svg"), &table)?;
    }
    Ok((table, failures))
}

/// A name as that of one folder, which is below the folder it is in.
fn folder_name(name: &str) -> PathBuf {
    let above = name.chars().all(|letter| letter == '.');
    let plain = |letter: char| letter.is_alphanumeric() || "_-.=".contains(letter);
    let name: String =
        name.chars().map(|letter| if plain(letter) && !above { letter } else { '_' }).collect();
    if name.is_empty() { "_".into() } else { name.into() }
}

fn describe(table: &Table) -> String {
    let mut text = String::from("| model |");
    for set in &table.sets {
        let _ = write!(text, " {} ({}) |", in_cell(&set.name), set.images);
    }
    let _ = writeln!(text, "\n|---|{}", "---|".repeat(table.sets.len()));
    let mut notes = Vec::new();
    for row in &table.rows {
        let _ = write!(text, "| {} |", in_cell(&row.model));
        for (column, cell) in row.cells.iter().enumerate() {
            let _ = write!(text, " {} |", describe_cell(table, column, cell));
            let note = cell
                .note
                .as_ref()
                .map(|note| format!("{} on {}: {note}", row.model, table.sets[column].name));
            notes.extend(note);
        }
        text.push('\n');
    }
    text += "\nSRCC / PLCC after a logistic curve of four parameters, over so many images; the highest SRCC of each set \
             in bold.\n";
    for note in notes {
        let _ = writeln!(text, "\n- {note}");
    }
    text
}

fn describe_cell(table: &Table, column: usize, cell: &TableCell) -> String {
    let Some(srcc) = cell.srcc else { return "–".into() };
    let mut text =
        if table.best_srcc(column) == Some(srcc) { format!("**{srcc:.3}**") } else { format!("{srcc:.3}") };
    let _ = match cell.plcc_fitted {
        Some(plcc) => write!(text, " / {plcc:.3}"),
        None => write!(text, " / –"),
    };
    if cell.images != table.sets[column].images {
        let _ = write!(text, " ({})", cell.images);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_that_of_one_folder_below() {
        let cases = [("live", "live"), ("a/b", "a_b"), ("..", "__"), (".", "_"), ("", "_"), ("..x", "..x")];
        for (name, folder) in cases {
            assert_eq!(folder_name(name), Path::new(folder), "{name}");
        }
    }

    #[test]
    fn a_name_does_not_end_its_cell() {
        let set = TableSet { name: "a|b\nc".into(), images: 3 };
        let row = TableRow { model: "m|n".into(), cells: vec![TableCell::empty("none")] };
        let text = Table { sets: vec![set], rows: vec![row] }.markdown();
        assert!(text.starts_with("| model | a\\|b c (3) |\n|---|---|\n| m\\|n | – |\n"), "{text}");
    }
}
