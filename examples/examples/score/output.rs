//! Scores as text, JSON lines or CSV, to standard output or to a file that a later run goes on with.

use std::collections::HashSet;
use std::error::Error;
use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use iqa_models::{Score, Scorer};
use serde_json::json;

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Text,
    Json,
    Csv,
}

const CSV_HEADER: &str = "path,reference,model,score,direction,range_low,range_high";

pub(crate) struct Writer {
    format: Format,
    model: &'static str,
    reference: Option<String>,
    /// `None` for standard output.
    file: Option<File>,
    header_due: bool,
}

impl Writer {
    pub(crate) fn new(format: Format, scorer: &Scorer, reference: Option<&Path>) -> Self {
        Self {
            format,
            model: scorer.name(),
            reference: reference.map(|path| path.display().to_string()),
            file: None,
            header_due: format == Format::Csv,
        }
    }

    /// Writes to a file from now on, after what an earlier run left there, and gives the images that it scored. A
    /// last line that was not written to its end is dropped.
    ///
    /// # Errors
    /// When the file holds something else than scores of this model against this reference in this format.
    pub(crate) fn go_on_in(&mut self, path: &Path) -> Result<HashSet<PathBuf>, Box<dyn Error>> {
        if self.format == Format::Text {
            return Err("--output takes --format json or csv".into());
        }
        let failed = |error: std::io::Error| format!("{}: {error}", path.display());
        let options = File::options().read(true).write(true).create(true).truncate(false).open(path);
        let mut file = options.map_err(failed)?;
        let text = std::fs::read_to_string(path).map_err(failed)?;
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        let mut done = HashSet::new();
        for (index, line) in text[..whole].lines().enumerate() {
            let foreign = || {
                let expected = format!("a score of {} in this format", self.model);
                format!(
                    "{}, line {}: expected {expected}, against the same reference",
                    path.display(),
                    index + 1
                )
            };
            if self.format == Format::Csv && index == 0 {
                if line != CSV_HEADER {
                    return Err(foreign().into());
                }
                self.header_due = false;
                continue;
            }
            done.insert(self.scored(line).ok_or_else(foreign)?);
        }
        file.set_len(whole as u64).map_err(failed)?;
        file.seek(SeekFrom::End(0)).map_err(failed)?;
        self.file = Some(file);
        Ok(done)
    }

    /// The image of a line that this writer could have written.
    fn scored(&self, line: &str) -> Option<PathBuf> {
        let (path, reference, model) = if self.format == Format::Csv {
            let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(line.as_bytes());
            let row = reader.records().next()?.ok()?;
            (row.get(0)?.to_owned(), row.get(1)?.to_owned(), row.get(2)?.to_owned())
        } else {
            let row: serde_json::Value = serde_json::from_str(line).ok()?;
            let field = |name: &str| row[name].as_str().map(str::to_owned);
            (field("path")?, field("reference").unwrap_or_default(), field("model")?)
        };
        let same = model == self.model && reference == self.reference.as_deref().unwrap_or_default();
        same.then(|| path.into())
    }

    pub(crate) fn write(&mut self, path: &Path, score: &Score) -> std::io::Result<()> {
        let path = path.display().to_string();
        let (low, high) = score.range;
        let mut line = String::new();
        if std::mem::take(&mut self.header_due) {
            line = format!("{CSV_HEADER}\n");
        }
        line += &match self.format {
            Format::Text => {
                let against =
                    self.reference.as_ref().map_or_else(String::new, |path| format!(" against {path}"));
                let (value, direction, model) = (score.value, score.direction, self.model);
                format!("{path}{against}: {value:.4} ({direction}, {low} to {high}, {model})\n")
            }
            Format::Json => {
                let row = json!({
                    "path": path,
                    "reference": self.reference,
                    "model": self.model,
                    "score": score.value,
                    "direction": score.direction.as_str(),
                    "range": [low, high],
                });
                format!("{row}\n")
            }
            Format::Csv => csv_line([
                &path,
                self.reference.as_deref().unwrap_or_default(),
                self.model,
                &score.value.to_string(),
                score.direction.as_str(),
                &low.to_string(),
                &high.to_string(),
            ])?,
        };
        // One call a line: a run that is killed leaves whole lines, but for the last.
        match &mut self.file {
            Some(file) => file.write_all(line.as_bytes()),
            None => {
                let mut out = std::io::stdout().lock();
                out.write_all(line.as_bytes())?;
                out.flush()
            }
        }
    }
}

/// A line of CSV (RFC 4180).
fn csv_line(fields: [&str; 7]) -> std::io::Result<String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(fields)?;
    let bytes = writer.into_inner().map_err(csv::IntoInnerError::into_error)?;
    String::from_utf8(bytes).map_err(std::io::Error::other)
}
