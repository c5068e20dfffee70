use std::path::{Path, PathBuf};

use super::entry::Entry;
use crate::dataset::{DataSet, Sample, ScoreScale};
use crate::{DatasetError, Strictness};

/// Gathers samples from a label file, and looks that their images are there.
pub(super) struct Collector {
    labels: PathBuf,
    strictness: Strictness,
    samples: Vec<Sample>,
    lines: Vec<usize>,
    missing: usize,
}

impl Collector {
    pub(super) fn new(labels: &Path, strictness: Strictness) -> Self {
        Self { labels: labels.into(), strictness, samples: Vec::new(), lines: Vec::new(), missing: 0 }
    }

    /// Adds a sample whose images are found (`Ok`), or should have been somewhere (`Err`). `rating` gives all but
    /// the images.
    pub(super) fn push(
        &mut self,
        place: Place,
        distorted: Result<PathBuf, PathBuf>,
        reference: Option<Result<PathBuf, PathBuf>>,
        rating: Rating,
    ) -> Result<(), DatasetError> {
        let found = distorted.and_then(|distorted| Ok((distorted, reference.transpose()?)));
        match (found, self.strictness) {
            (Ok((distorted, reference)), _) => {
                let Rating { raw, std, reference_id, type_id, type_name, level } = rating;
                self.samples.push(Sample {
                    distorted,
                    reference,
                    raw,
                    std,
                    reference_id,
                    type_id,
                    type_name,
                    level,
                });
                self.lines.push(place.line);
            }
            (Err(_), Strictness::Lenient) => self.missing += 1,
            (Err(image), Strictness::Strict) => {
                return Err(DatasetError::MissingImage {
                    labels: place.labels.into(),
                    line: place.line,
                    image,
                });
            }
        }
        Ok(())
    }

    /// The set, whatever its counts.
    pub(super) fn finish(self, name: &str, scale: ScoreScale) -> Result<DataSet, DatasetError> {
        DataSet::new(name.to_owned(), scale, self.samples, self.missing, &self.labels, &self.lines)
    }

    /// The published set, with its counts checked unless leniently opened.
    pub(super) fn complete(self, entry: &Entry) -> Result<DataSet, DatasetError> {
        let (labels, strictness) = (self.labels.clone(), self.strictness);
        let set = self.finish(entry.title, entry.scale)?;
        if strictness == Strictness::Strict {
            let check = |what: &dyn Fn() -> String, expected, found| {
                if expected == found {
                    return Ok(());
                }
                Err(DatasetError::Count { labels: labels.clone(), what: what(), expected, found })
            };
            let counts = &entry.counts;
            check(&|| "rated images".into(), counts.samples, set.samples().len())?;
            check(&|| "references".into(), counts.references, set.reference_ids().len())?;
            for (id, &expected) in (counts.first_type..).zip(counts.types) {
                let found = set.samples().iter().filter(|sample| sample.type_id == Some(id)).count();
                check(&|| format!("images of type {id}"), expected, found)?;
            }
        }
        Ok(set)
    }
}

/// A sample without its images.
#[derive(Default)]
pub(super) struct Rating {
    pub(super) raw: f64,
    pub(super) std: Option<f64>,
    pub(super) reference_id: Option<String>,
    pub(super) type_id: Option<u32>,
    pub(super) type_name: Option<String>,
    pub(super) level: Option<u32>,
}

/// A label file that is being read, for its errors.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) labels: &'a Path,
    pub(crate) line: usize,
}

impl Place<'_> {
    pub(crate) fn malformed(&self, expected: &'static str, found: impl Into<String>) -> DatasetError {
        DatasetError::Malformed { path: self.labels.into(), line: self.line, expected, found: found.into() }
    }

    pub(crate) fn score(&self, text: &str) -> Result<f64, DatasetError> {
        let score = text.parse().map_err(|_| self.malformed("a finite score", text))?;
        self.finite(score)
    }

    pub(super) fn finite(&self, score: f64) -> Result<f64, DatasetError> {
        if score.is_finite() { Ok(score) } else { Err(self.malformed("a finite score", score.to_string())) }
    }

    pub(crate) fn std(&self, text: &str) -> Result<f64, DatasetError> {
        self.spread(text.parse().map_err(|_| self.malformed("a standard deviation", text))?)
    }

    pub(super) fn spread(&self, std: f64) -> Result<f64, DatasetError> {
        if std.is_finite() && std >= 0.0 {
            Ok(std)
        } else {
            Err(self.malformed("a finite standard deviation, 0 or above", std.to_string()))
        }
    }
}

/// The lines of a text file that are not blank, trimmed, with their numbers from 1.
pub(super) fn lines(path: &Path) -> Result<Vec<(usize, String)>, DatasetError> {
    let text =
        std::fs::read_to_string(path).map_err(|source| DatasetError::Io { path: path.into(), source })?;
    Ok(text
        .trim_start_matches('\u{feff}')
        .lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line.trim().to_owned()))
        .filter(|(_, line)| !line.is_empty())
        .collect())
}

/// Splits `prefix<a>_<b>...` at the underscores into numbers; `None` unless there are `N`, all digits.
pub(super) fn numbers<const N: usize>(text: &str) -> Option<[u32; N]> {
    let mut parts = text.split('_');
    let mut numbers = [0; N];
    for number in &mut numbers {
        let part = parts.next()?;
        if part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(numbers)
}
