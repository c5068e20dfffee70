//! Scores as text, JSON lines or CSV.

use std::io::Write;
use std::path::Path;

use clap::ValueEnum;
use iqa_models::{Score, Scorer};
use serde_json::json;

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Text,
    Json,
    Csv,
}

pub(crate) struct Writer<'a> {
    format: Format,
    model: &'static str,
    reference: Option<&'a Path>,
    started: bool,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(format: Format, scorer: &Scorer, reference: Option<&'a Path>) -> Self {
        Self { format, model: scorer.name(), reference, started: false }
    }

    pub(crate) fn write(&mut self, path: &Path, score: &Score) -> std::io::Result<()> {
        let mut out = std::io::stdout().lock();
        let (low, high) = score.range;
        let reference = self.reference.map(|path| path.display().to_string());
        match self.format {
            Format::Text => {
                let against = reference.map_or_else(String::new, |reference| format!(" against {reference}"));
                writeln!(
                    out,
                    "{}{against}: {:.4} ({}, {low} to {high}, {})",
                    path.display(),
                    score.value,
                    score.direction,
                    self.model
                )?;
            }
            Format::Json => writeln!(
                out,
                "{}",
                json!({
                    "path": path.display().to_string(),
                    "reference": reference,
                    "model": self.model,
                    "score": score.value,
                    "direction": score.direction.as_str(),
                    "range": [low, high],
                })
            )?,
            Format::Csv => {
                if !self.started {
                    writeln!(out, "path,reference,model,score,direction,range_low,range_high")?;
                }
                writeln!(
                    out,
                    "{},{},{},{},{},{low},{high}",
                    quoted(&path.display().to_string()),
                    quoted(&reference.unwrap_or_default()),
                    self.model,
                    score.value,
                    score.direction
                )?;
            }
        }
        self.started = true;
        out.flush()
    }
}

/// A CSV field (RFC 4180).
fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.into()
    }
}
