//! Scores in a file that grows as they come.
//!
//! The first line is `# ` and what the scores depend on, as JSON; then come a header and a CSV line an image. A line
//! is written at once, and one without its line break was torn by the end of a run: it is cut off.

use std::collections::HashMap;
use std::fs::{File, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use iqa_core::{CoreError, Direction, ScoreSpec, write_atomically};
use iqa_datasets::{DataSet, Sample};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::TrainError;

const HEADER: &str = "image,score,subjective";

/// What scores depend on, and what they mean.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScoreKey {
    /// Name of the data set.
    pub set: String,
    /// Its number of images.
    pub images: usize,
    /// SHA-256 of the names and published scores of its images.
    pub samples: String,
    /// Name of the model.
    pub model: String,
    /// Digest of its weights and options.
    pub weights: String,
    /// Which way its scores grow.
    pub direction: Direction,
    /// Their nominal range; `None` is an end that there is not.
    pub range: [Option<f64>; 2],
}

impl ScoreKey {
    pub(super) fn new(set: &DataSet, model: String, weights: String, spec: ScoreSpec) -> Self {
        let (low, high) = spec.range;
        Self {
            set: set.name().into(),
            images: set.samples().len(),
            samples: digest(set),
            model,
            weights,
            direction: spec.direction,
            range: [low, high].map(|end| end.is_finite().then_some(end)),
        }
    }

    /// The first thing that scores depend on and that differs: its name, this value, the other's.
    fn difference<'a>(&'a self, other: &'a Self) -> Option<(&'static str, &'a str, &'a str)> {
        [
            ("data set", &self.set, &other.set),
            ("list of images", &self.samples, &other.samples),
            ("model", &self.model, &other.model),
            ("weights", &self.weights, &other.weights),
        ]
        .into_iter()
        .find(|(_, here, there)| here != there)
        .map(|(what, here, there)| (what, here.as_str(), there.as_str()))
    }
}

/// SHA-256 as 64 hexadecimal digits, for [`EvaluatedModel::weights`](super::EvaluatedModel::weights).
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Of what identifies the samples.
fn digest(set: &DataSet) -> String {
    let lines = names(set).into_iter().zip(set.samples()).map(|(name, s)| format!("{name}\n{}\n", s.raw));
    sha256(lines.collect::<String>().as_bytes())
}

/// Paths of the images below the folder that they share, with `/` between parts: the same wherever the set lies.
fn names(set: &DataSet) -> Vec<String> {
    let parts = |sample: &Sample| -> Vec<String> {
        sample.distorted.components().map(|part| part.as_os_str().to_string_lossy().into_owned()).collect()
    };
    let all: Vec<Vec<String>> = set.samples().iter().map(parts).collect();
    let shared = all.iter().fold(all[0].len() - 1, |shared, parts| {
        all[0].iter().zip(&parts[..parts.len() - 1]).take(shared).take_while(|(a, b)| a == b).count()
    });
    all.iter().map(|parts| parts[shared..].join("/")).collect()
}

/// The scores of a whole set by one model, by sample.
#[derive(Clone, Debug, PartialEq)]
pub struct Scores {
    /// What they depend on.
    pub key: ScoreKey,
    /// One for each sample of the set, as the model gave it; may be infinite.
    pub values: Vec<f64>,
    /// How many of them an earlier run had left.
    pub found: usize,
}

impl Scores {
    /// Reads the scores of a finished evaluation of the same set.
    ///
    /// # Errors
    /// [`TrainError::Core`] when the file cannot be read; [`TrainError::OtherScores`] when it is of another set;
    /// [`TrainError::Scores`] when it is damaged or does not have every image.
    pub fn read(path: &Path, set: &DataSet) -> Result<Self, TrainError> {
        let mut bytes = std::fs::read(path).map_err(|source| CoreError::Io { path: path.into(), source })?;
        bytes.truncate(whole_lines(&bytes));
        let (key, values) = parse(path, &bytes, set, |key| {
            ScoreKey::new(set, key.model.clone(), key.weights.clone(), spec_like(key))
        })?;
        let found = values.iter().flatten().count();
        match values.into_iter().collect::<Option<Vec<f64>>>() {
            Some(values) => Ok(Self { key, found, values }),
            None => Err(TrainError::Scores {
                path: path.into(),
                line: found + 3,
                expected: format!("scores of {} images", set.samples().len()),
                found: format!("the end of the file after {found}"),
            }),
        }
    }
}

/// The meaning that a key states; the reference need is not part of it.
fn spec_like(key: &ScoreKey) -> ScoreSpec {
    let [low, high] = key.range;
    let range = (low.unwrap_or(f64::NEG_INFINITY), high.unwrap_or(f64::INFINITY));
    ScoreSpec { direction: key.direction, range, reference: iqa_core::ReferenceNeed::NoReference }
}

/// Bytes up to the last line break.
fn whole_lines(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |last| last + 1)
}

/// Key and scores of a file, checked against the key that `expected` makes of it.
fn parse(
    path: &Path,
    bytes: &[u8],
    set: &DataSet,
    expected: impl FnOnce(&ScoreKey) -> ScoreKey,
) -> Result<(ScoreKey, Vec<Option<f64>>), TrainError> {
    let damaged = |line: usize, expected: &str, found: &str| TrainError::Scores {
        path: path.into(),
        line,
        expected: expected.into(),
        found: found.into(),
    };
    let text = std::str::from_utf8(bytes).map_err(|_| damaged(1, "text in UTF-8", "other bytes"))?;
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    let key: ScoreKey = first
        .strip_prefix("# ")
        .and_then(|json| serde_json::from_str(json).ok())
        .ok_or_else(|| damaged(1, "`# ` and what the scores depend on, as JSON", first))?;
    let expected = expected(&key);
    if let Some((what, here, there)) = expected.difference(&key) {
        return Err(TrainError::OtherScores {
            path: path.into(),
            what,
            found: there.into(),
            expected: here.into(),
        });
    }
    let names = names(set);
    let index: HashMap<&str, usize> =
        names.iter().enumerate().map(|(index, name)| (name.as_str(), index)).collect();
    let mut values = vec![None; names.len()];
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(rest.as_bytes());
    for record in reader.records() {
        let record = record.map_err(|error| damaged(2, "CSV", &error.to_string()))?;
        let line = 1 + record.position().map_or(0, |position| position.line() as usize);
        let text = record.iter().collect::<Vec<_>>().join(",");
        if line == 2 {
            if text != HEADER {
                return Err(damaged(line, HEADER, &text));
            }
            continue;
        }
        let slot = record
            .get(0)
            .and_then(|name| index.get(name))
            .map(|&index| &mut values[index])
            .filter(|slot| slot.is_none())
            .ok_or_else(|| damaged(line, "an image of the set, not listed before", &text))?;
        let score = record.get(1).and_then(|score| score.parse().ok());
        *slot = Some(score.ok_or_else(|| damaged(line, "an image, its score and its rating", &text))?);
    }
    Ok((key, values))
}

/// A file of scores that grows.
pub(super) struct ScoreFile<'a> {
    path: PathBuf,
    /// Locked: a second run on it is refused.
    file: File,
    key: ScoreKey,
    set: &'a DataSet,
    names: Vec<String>,
    values: Vec<Option<f64>>,
    found: usize,
}

impl<'a> ScoreFile<'a> {
    /// Opens a file to go on with, or starts one.
    pub(super) fn open(path: &Path, key: ScoreKey, set: &'a DataSet) -> Result<Self, TrainError> {
        let io = |source| TrainError::Core(CoreError::Io { path: path.into(), source });
        if !path.exists() {
            let json = serde_json::to_string(&key).map_err(|error| io(error.into()))?;
            write_atomically(path, format!("# {json}\n{HEADER}\n").as_bytes())?;
        }
        let mut file = File::options().read(true).append(true).open(path).map_err(io)?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => TrainError::InUse { path: path.into() },
            TryLockError::Error(source) => io(source),
        })?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(io)?;
        let whole = whole_lines(&bytes);
        let (_, values) = parse(path, &bytes[..whole], set, |_| key.clone())?;
        if whole < bytes.len() {
            file.set_len(whole as u64).map_err(io)?;
        }
        let found = values.iter().flatten().count();
        Ok(Self { path: path.into(), file, key, set, names: names(set), values, found })
    }

    pub(super) fn has(&self, index: usize) -> bool {
        self.values[index].is_some()
    }

    /// Writes the score of a sample.
    pub(super) fn push(&mut self, index: usize, score: f64) -> Result<(), TrainError> {
        let io = |source| TrainError::Core(CoreError::Io { path: self.path.clone(), source });
        let mut line = csv::Writer::from_writer(Vec::new());
        // The shortest digits that give the same number back.
        let rating = self.set.samples()[index].raw.to_string();
        line.write_record([self.names[index].as_str(), &score.to_string(), &rating])
            .map_err(|error| io(error.into()))?;
        let line = line.into_inner().map_err(|error| io(error.into_error()))?;
        self.file.write_all(&line).map_err(io)?;
        self.values[index] = Some(score);
        Ok(())
    }

    /// The scores, when all are there.
    pub(super) fn finish(self) -> Result<Scores, TrainError> {
        self.file.sync_all().map_err(|source| CoreError::Io { path: self.path.clone(), source })?;
        let values = self.values.into_iter().flatten().collect();
        Ok(Scores { key: self.key, values, found: self.found })
    }
}
