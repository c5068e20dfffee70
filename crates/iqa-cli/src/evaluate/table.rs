//! Several models on several sets.

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::evaluation::evaluate;
use iqa_models::core::{FolderClaim, write_atomically};
use iqa_models::datasets::DataSet;
use iqa_models::evaluate::{ReportConfig, Table, TableCell, TableRow, TableSet, write_dots};
use iqa_models::{ReferenceNeed, Scorer};

/// A model with what tells it from the others.
pub(crate) struct NamedModel {
    pub(crate) label: String,
    pub(crate) scorer: Scorer,
}

/// Evaluates each model on each set, in a folder of its own, `FOLDER/SET/MODEL`, and writes `table.json`, `table.md` and
/// `table.svg` over all. What fails does not stop the rest. Returns the table as text and what failed.
pub(crate) fn evaluate_all(
    models: &[NamedModel],
    sets: &[DataSet],
    folder: &Path,
    config: &ReportConfig,
) -> Result<(String, Vec<String>), Box<dyn Error>> {
    let _claim = FolderClaim::new(folder, "evaluate", &["table.json", "table.md", "table.svg"])?;
    let columns = sets.iter().map(|set| TableSet { name: set.name().into(), images: set.samples().len() });
    let rows = models.iter().map(|model| TableRow { model: model.label.clone(), cells: Vec::new() });
    let mut table = Table { sets: columns.collect(), rows: rows.collect() };
    let mut failures = Vec::new();
    for set in sets {
        let has_references = set.samples().iter().all(|sample| sample.reference.is_some());
        for (model, row) in models.iter().zip(&mut table.rows) {
            if model.scorer.spec().reference == ReferenceNeed::FullReference && !has_references {
                row.cells.push(TableCell::empty("the set has no references"));
                continue;
            }
            note!("{} on {}", model.label, set.name());
            let folder = folder.join(folder_name(set.name())).join(folder_name(&model.label));
            row.cells.push(match evaluate(&model.scorer, set, &folder, None, config) {
                Ok(done) => TableCell::from(&done.report),
                Err(error) => {
                    failures.push(format!("{} on {}: {error}", model.label, set.name()));
                    TableCell::empty(error.to_string())
                }
            });
        }
    }
    let text = describe(&table);
    write_atomically(
        &folder.join("table.json"),
        format!("{}\n", serde_json::to_string_pretty(&table)?).as_bytes(),
    )?;
    write_atomically(&folder.join("table.md"), text.as_bytes())?;
    if table.rows.iter().flat_map(|row| &row.cells).any(|cell| cell.srcc.is_some()) {
        write_dots(&folder.join("table.svg"), &table)?;
    }
    Ok((text, failures))
}

/// A name as that of one folder.
fn folder_name(name: &str) -> PathBuf {
    let plain = |letter: char| letter.is_alphanumeric() || "_-.=".contains(letter);
    name.chars().map(|letter| if plain(letter) { letter } else { '_' }).collect::<String>().into()
}

fn describe(table: &Table) -> String {
    let mut text = String::from("| model |");
    for set in &table.sets {
        let _ = write!(text, " {} ({}) |", set.name, set.images);
    }
    let _ = writeln!(text, "\n|---|{}", "---|".repeat(table.sets.len()));
    let mut notes = Vec::new();
    for row in &table.rows {
        let _ = write!(text, "| {} |", row.model);
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
