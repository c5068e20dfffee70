//! What a run says of each epoch.

use std::fmt::{self, Display, Formatter, Write as _};
use std::path::Path;

use iqa_core::{CoreError, write_atomically};
use iqa_nn::NnError;
use serde::{Deserialize, Serialize};

use crate::error::TrainError;

/// One epoch of a run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochLog {
    /// Epoch, from 1.
    pub epoch: usize,
    /// Optimiser steps since the start of the run.
    pub steps: usize,
    /// Learning rate of the last step.
    #[serde(with = "crate::float")]
    pub learning_rate: f64,
    /// Mean training loss over the epoch, in the units of the loss.
    #[serde(with = "crate::float")]
    pub train_loss: f64,
    /// Validation loss after the epoch; `None` in a run without validation.
    #[serde(with = "crate::float::optional")]
    pub validation_loss: Option<f64>,
    /// Spearman correlation on the validation set, in quality orientation; `None` where it is undefined.
    pub validation_srcc: Option<f64>,
    /// Pearson correlation on the validation set, in quality orientation; `None` where it is undefined.
    pub validation_plcc: Option<f64>,
    /// Kendall correlation on the validation set, in quality orientation; `None` where it is undefined.
    pub validation_krcc: Option<f64>,
    /// Loss on images that select nothing, where the run looks at some ([`Task::watch`](crate::Task::watch)).
    #[serde(default, with = "crate::float::optional")]
    pub test_loss: Option<f64>,
    /// Wall-clock seconds the epoch took; the one field that two equal runs do not share.
    #[serde(with = "crate::float")]
    pub seconds: f64,
}

/// A line for people.
impl Display for EpochLog {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { epoch, train_loss, validation_loss, validation_srcc, test_loss, .. } = self;
        write!(f, "epoch {epoch:>4}: training loss {train_loss:.4}")?;
        match (validation_loss, validation_srcc) {
            (None, _) => f.write_str(", no validation")?,
            (Some(loss), Some(srcc)) => write!(f, ", validation loss {loss:.4}, SRCC {srcc:.4}")?,
            (Some(loss), None) => write!(f, ", validation loss {loss:.4}, SRCC undefined")?,
        }
        test_loss.map_or(Ok(()), |loss| write!(f, ", test loss {loss:.4}"))
    }
}

const HEADER: &str = "epoch,steps,learning_rate,train_loss,validation_loss,validation_srcc,validation_plcc,validation_krcc,test_loss,seconds";

pub(super) fn write_log(path: &Path, rows: &[EpochLog]) -> Result<(), TrainError> {
    let number = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:.6}"));
    let mut text = format!("{HEADER}\n");
    for row in rows {
        let _ = writeln!(
            text,
            "{},{},{:.3e},{:.6},{},{},{},{},{},{:.1}",
            row.epoch,
            row.steps,
            row.learning_rate,
            row.train_loss,
            number(row.validation_loss),
            number(row.validation_srcc),
            number(row.validation_plcc),
            number(row.validation_krcc),
            number(row.test_loss),
            row.seconds
        );
    }
    Ok(write_atomically(path, text.as_bytes())?)
}

/// Reads a `log.csv` back; values are rounded as printed there.
///
/// # Errors
/// [`TrainError::Core`] when the file cannot be read or a line is not of the log's form.
pub fn read_log(path: &Path) -> Result<Vec<EpochLog>, TrainError> {
    let text = std::fs::read_to_string(path).map_err(|source| CoreError::Io { path: path.into(), source })?;
    let malformed = |line: usize| {
        TrainError::Nn(NnError::Metadata {
            path: path.into(),
            key: format!("line {line}"),
            expected: HEADER.into(),
        })
    };
    let mut lines = text.lines().enumerate();
    if lines.next().map(|(_, line)| line) != Some(HEADER) {
        return Err(malformed(1));
    }
    lines.map(|(index, line)| parse_row(line).ok_or_else(|| malformed(index + 1))).collect()
}

fn parse_row(line: &str) -> Option<EpochLog> {
    let fields: Vec<&str> = line.split(',').collect();
    let [epoch, steps, learning_rate, train_loss, validation_loss, srcc, plcc, krcc, test_loss, seconds] =
        fields[..]
    else {
        return None;
    };
    let optional = |field: &str| if field.is_empty() { Some(None) } else { field.parse().ok().map(Some) };
    Some(EpochLog {
        epoch: epoch.parse().ok()?,
        steps: steps.parse().ok()?,
        learning_rate: learning_rate.parse().ok()?,
        train_loss: train_loss.parse().ok()?,
        validation_loss: optional(validation_loss)?,
        validation_srcc: optional(srcc)?,
        validation_plcc: optional(plcc)?,
        validation_krcc: optional(krcc)?,
        test_loss: optional(test_loss)?,
        seconds: seconds.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_comes_back_and_a_damaged_line_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("log.csv");
        let row = EpochLog {
            epoch: 1,
            steps: 20,
            learning_rate: 1e-4,
            train_loss: 0.25,
            validation_loss: Some(0.5),
            validation_srcc: None,
            validation_plcc: Some(-0.125),
            validation_krcc: Some(0.5),
            test_loss: Some(0.75),
            seconds: 1.5,
        };
        let without = EpochLog {
            epoch: 2,
            validation_loss: None,
            validation_plcc: None,
            validation_krcc: None,
            test_loss: None,
            ..row
        };
        write_log(&path, &[row, without]).expect("writes");
        assert_eq!(read_log(&path).expect("reads"), [row, without]);
        assert_eq!(without.to_string(), "epoch    2: training loss 0.2500, no validation");
        std::fs::write(&path, format!("{HEADER}\n1,2,3\n")).expect("writes");
        let message = read_log(&path).expect_err("damaged").to_string();
        assert!(message.contains("line 2") && message.contains("log.csv"), "{message}");
    }
}
