//! Scores in a file that grows as they come.
//!
//! The first line is `# ` and what the scores depend on, as JSON; then come a header and a CSV record an image, with
//! digests of the pictures that it was made of. The file is an [`iqa_core::ResultsFile`]: one run at a time writes it, and a torn record is written again.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use iqa_core::{
    CoreError, Direction, RecordForm, ReferenceNeed, ResultsFile, ScoreSpec, read_records, sha256,
    short_sha256_of_file,
};
use iqa_datasets::{DataSet, Sample};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

const HEADER: &str = "image,score,subjective,digest,reference_digest";
const COLUMNS: usize = 5;

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

    /// Of scores whose model is known by a file alone, and has no range that is known.
    pub(super) fn of_list(set: &DataSet, model: String, digest: String, direction: Direction) -> Self {
        let range = (f64::NEG_INFINITY, f64::INFINITY);
        Self::new(set, model, digest, ScoreSpec { direction, range, reference: ReferenceNeed::NoReference })
    }

    /// That the scores of a file with the key `found` are those of this one.
    fn same_as(&self, found: &Self, path: &Path) -> Result<(), CoreError> {
        let parts = [
            ("data set", &self.set, &found.set),
            ("list of images", &self.samples, &found.samples),
            ("model", &self.model, &found.model),
            ("weights", &self.weights, &found.weights),
        ];
        match parts.into_iter().find(|(_, expected, found)| expected != found) {
            None => Ok(()),
            Some((what, expected, found)) => Err(CoreError::OtherResults {
                path: path.into(),
                what,
                expected: expected.clone(),
                found: found.clone(),
            }),
        }
    }
}

/// Of what identifies the samples.
fn digest(set: &DataSet) -> String {
    let lines = names(set).into_iter().zip(set.samples()).map(|(name, s)| format!("{name}\n{}\n", s.raw));
    sha256(lines.collect::<String>().as_bytes())
}

/// Paths of the images below the folder that they share, with `/` between parts: the same wherever the set lies.
pub(super) fn names(set: &DataSet) -> Vec<String> {
    let parts = |sample: &Sample| -> Vec<String> {
        sample.distorted.components().map(|part| part.as_os_str().to_string_lossy().into_owned()).collect()
    };
    let all: Vec<Vec<String>> = set.samples().iter().map(parts).collect();
    let shared = all.iter().fold(all[0].len() - 1, |shared, parts| {
        all[0].iter().zip(&parts[..parts.len() - 1]).take(shared).take_while(|(a, b)| a == b).count()
    });
    all.iter().map(|parts| parts[shared..].join("/")).collect()
}

/// Which pictures a sample is made of: digests of the contents of its files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Content {
    distorted: String,
    /// Empty without one.
    reference: String,
}

/// Of each sample; `each` is called after every one. A picture that cannot be read costs only its samples.
pub(super) fn contents(set: &DataSet, each: impl Fn() + Sync) -> Vec<Result<Content, CoreError>> {
    let mut references: Vec<&PathBuf> =
        set.samples().iter().filter_map(|sample| sample.reference.as_ref()).collect();
    references.sort_unstable();
    references.dedup();
    let digest = |path: &&PathBuf| short_sha256_of_file(path).ok();
    let digests: Vec<Option<String>> = references.par_iter().map(digest).collect();
    let digests: HashMap<&PathBuf, Option<String>> = references.into_iter().zip(digests).collect();
    let content = |sample: &Sample| {
        let reference = match &sample.reference {
            None => String::new(),
            Some(path) => match &digests[path] {
                Some(digest) => digest.clone(),
                // Once more, for the reason.
                None => short_sha256_of_file(path)?,
            },
        };
        let distorted = short_sha256_of_file(&sample.distorted)?;
        each();
        Ok(Content { distorted, reference })
    };
    set.samples().par_iter().map(content).collect()
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
    /// Whether a file begins as one that [`score_set`](super::score_set) writes does.
    ///
    /// # Errors
    /// [`CoreError::Io`].
    pub fn is_own(path: &Path) -> Result<bool, CoreError> {
        let io = |source| CoreError::Io { path: path.into(), source };
        let mut start = Vec::new();
        File::open(path).map_err(io)?.take(2).read_to_end(&mut start).map_err(io)?;
        Ok(start == b"# ")
    }

    /// Reads the scores of a finished evaluation of the same set.
    ///
    /// # Errors
    /// [`CoreError::Io`] when the file or a picture cannot be read; [`CoreError::OtherResults`] when it is of another set;
    /// [`CoreError::OtherPicture`] when a picture has changed; [`CoreError::NotResults`] when it is damaged or does not have
    /// every image.
    pub fn read(path: &Path, set: &DataSet) -> Result<Self, CoreError> {
        let names = names(set);
        let contents = contents(set, || ()).into_iter().map(|content| content.map(Some));
        let contents = contents.collect::<Result<Vec<_>, _>>()?;
        let mut found = Found::new(path, set, &names, &contents, |key| {
            ScoreKey::new(set, key.model.clone(), key.weights.clone(), spec_like(key))
        });
        read_records(path, FORM, |line, record| found.take(line, record))?;
        let (key, values, line) = (found.key, found.values, found.next_line);
        let number = values.iter().flatten().count();
        match (key, values.into_iter().collect::<Option<Vec<f64>>>()) {
            (Some(key), Some(values)) => Ok(Self { key, found: number, values }),
            _ => {
                let expected = format!("scores of {} images", names.len());
                let found = format!("the end of the file after {number}");
                Err(CoreError::not_results(path, line, &expected, &found))
            }
        }
    }
}

impl Scores {
    /// How many are finite and outside the nominal range.
    pub(super) fn outside_range(&self) -> usize {
        let spec = spec_like(&self.key);
        self.values.iter().filter(|value| value.is_finite() && !spec.contains(**value)).count()
    }
}

/// The meaning that a key states; the reference need is not part of it.
fn spec_like(key: &ScoreKey) -> ScoreSpec {
    let [low, high] = key.range;
    let range = (low.unwrap_or(f64::NEG_INFINITY), high.unwrap_or(f64::INFINITY));
    ScoreSpec { direction: key.direction, range, reference: ReferenceNeed::NoReference }
}

const FORM: RecordForm = RecordForm::CsvAfterLine;

const EXPECTED_KEY: &str = "`# ` and what the scores depend on, as JSON";
const EXPECTED_ROW: &str = "an image, its score, its rating and two digests";

/// What the first line says.
fn key_of(line: &str) -> Option<ScoreKey> {
    line.strip_prefix("# ").and_then(|json| serde_json::from_str(json).ok())
}

/// A row of the file.
pub(super) struct ListedRow {
    /// Below the folder that all images share.
    pub(super) image: String,
    pub(super) score: f64,
    /// As published.
    pub(super) rating: f64,
    content: Content,
}

impl ListedRow {
    /// The picture itself among those of a folder: the file of that name with the content that was scored.
    pub(super) fn find(&self, files: &[PathBuf]) -> Option<PathBuf> {
        let name = Path::new(&self.image).file_name()?;
        let named = files.iter().filter(|file| file.file_name() == Some(name));
        let scored =
            |file: &&PathBuf| short_sha256_of_file(file).is_ok_and(|found| found == self.content.distorted);
        named.into_iter().find(scored).cloned()
    }
}

fn row_of(record: &[u8]) -> Option<ListedRow> {
    let row = csv::ReaderBuilder::new().has_headers(false).from_reader(record).records().next()?.ok()?;
    if row.len() != COLUMNS {
        return None;
    }
    let content = Content { distorted: row[3].into(), reference: row[4].into() };
    Some(ListedRow {
        image: row[0].into(),
        score: row[1].parse().ok().filter(|score: &f64| !score.is_nan())?,
        rating: row[2].parse().ok()?,
        content,
    })
}

/// The scores of a finished evaluation, without its set.
///
/// # Errors
/// [`CoreError::Io`]; [`CoreError::NotResults`] when the file is damaged or does not have every image.
pub(super) fn read_rows(path: &Path) -> Result<(ScoreKey, Vec<ListedRow>), CoreError> {
    let (mut key, mut rows, mut last) = (None, Vec::new(), 0);
    read_records(path, FORM, |line, record| {
        let text = String::from_utf8_lossy(record);
        let damaged = |expected: &str| CoreError::not_results(path, line, expected, &text);
        last = line;
        if line == 1 {
            key = Some(key_of(&text).ok_or_else(|| damaged(EXPECTED_KEY))?);
        } else if line > 2 {
            rows.push(row_of(record).ok_or_else(|| damaged(EXPECTED_ROW))?);
        } else if text != HEADER {
            return Err(damaged(HEADER));
        }
        Ok(())
    })?;
    let expected = match key {
        Some(key) if key.images == rows.len() => return Ok((key, rows)),
        Some(key) => format!("scores of {} images", key.images),
        None => EXPECTED_KEY.into(),
    };
    let found = format!("the end of the file after {}", rows.len());
    Err(CoreError::not_results(path, last + 1, &expected, &found))
}

/// What the records of a file say, checked one by one.
struct Found<'a, K> {
    path: &'a Path,
    set: &'a DataSet,
    /// What the pictures are now, as far as they can be read.
    contents: &'a [Option<Content>],
    /// The key that the file should have, made of the one it has.
    expected: K,
    index: HashMap<&'a str, usize>,
    key: Option<ScoreKey>,
    header: bool,
    values: Vec<Option<f64>>,
    next_line: usize,
}

impl<'a, K: Fn(&ScoreKey) -> ScoreKey> Found<'a, K> {
    fn new(
        path: &'a Path,
        set: &'a DataSet,
        names: &'a [String],
        contents: &'a [Option<Content>],
        expected: K,
    ) -> Self {
        let index = names.iter().enumerate().map(|(index, name)| (name.as_str(), index)).collect();
        Self {
            path,
            set,
            contents,
            expected,
            index,
            key: None,
            header: false,
            values: vec![None; names.len()],
            next_line: 1,
        }
    }

    /// Takes the next record.
    fn take(&mut self, line: usize, record: &[u8]) -> Result<(), CoreError> {
        let text = String::from_utf8_lossy(record);
        let damaged = |expected: &str| CoreError::not_results(self.path, line, expected, &text);
        self.next_line = line + 1 + record.iter().filter(|&&byte| byte == b'\n').count();
        if self.key.is_none() {
            let key = key_of(&text).ok_or_else(|| damaged(EXPECTED_KEY))?;
            (self.expected)(&key).same_as(&key, self.path)?;
            self.key = Some(key);
            return Ok(());
        }
        if !self.header {
            self.header = text == HEADER;
            return if self.header { Ok(()) } else { Err(damaged(HEADER)) };
        }
        let ListedRow { image, score, content, .. } = row_of(record).ok_or_else(|| damaged(EXPECTED_ROW))?;
        let index = self.index.get(image.as_str()).copied().filter(|&index| self.values[index].is_none());
        let index = index.ok_or_else(|| damaged("an image of the set, not listed before"))?;
        if let Some(now) = &self.contents[index] {
            let sample = &self.set.samples()[index];
            let other = |picture: &PathBuf| CoreError::OtherPicture {
                path: self.path.into(),
                picture: picture.clone(),
            };
            if now.distorted != content.distorted {
                return Err(other(&sample.distorted));
            }
            if now.reference != content.reference {
                return Err(other(sample.reference.as_ref().unwrap_or(&sample.distorted)));
            }
        }
        self.values[index] = Some(score);
        Ok(())
    }
}

/// A file of scores that grows.
pub(super) struct ScoreFile<'a> {
    path: PathBuf,
    file: ResultsFile,
    key: ScoreKey,
    set: &'a DataSet,
    names: Vec<String>,
    contents: Vec<Option<Content>>,
    values: Vec<Option<f64>>,
    found: usize,
}

impl<'a> ScoreFile<'a> {
    /// Opens a file to go on with, or starts one. `contents` are those of the set's pictures, taken before a picture is
    /// decoded: a score of one that is replaced meanwhile then has the digest of the picture before, and is refused later.
    pub(super) fn open(
        path: &Path,
        key: ScoreKey,
        set: &'a DataSet,
        contents: Vec<Option<Content>>,
    ) -> Result<Self, CoreError> {
        let json = serde_json::to_string(&key)
            .map_err(|error| CoreError::Io { path: path.into(), source: error.into() })?;
        let start = format!("# {json}\n{HEADER}\n");
        let names = names(set);
        let mut found = Found::new(path, set, &names, &contents, |_| key.clone());
        let file = ResultsFile::open(
            path,
            FORM,
            start.as_bytes(),
            |_| false,
            |line, record| found.take(line, record),
        )?;
        let values = found.values;
        let found = values.iter().flatten().count();
        Ok(Self { path: path.into(), file, key, set, names, contents, values, found })
    }

    pub(super) fn has(&self, index: usize) -> bool {
        self.values[index].is_some()
    }

    /// Writes the score of a sample, whose content is known.
    pub(super) fn push(&mut self, index: usize, score: f64) -> Result<(), CoreError> {
        let io = |source| CoreError::Io { path: self.path.clone(), source };
        let mut record = csv::Writer::from_writer(Vec::new());
        // The shortest digits that give the same number back.
        let rating = self.set.samples()[index].raw.to_string();
        let (distorted, reference) = self.contents[index]
            .as_ref()
            .map_or(("", ""), |content| (&content.distorted, &content.reference));
        record
            .write_record([self.names[index].as_str(), &score.to_string(), &rating, distorted, reference])
            .map_err(|error| io(error.into()))?;
        self.file.append(&record.into_inner().map_err(|error| io(error.into_error()))?)?;
        self.values[index] = Some(score);
        Ok(())
    }

    /// The scores, when all are there.
    pub(super) fn finish(self) -> Result<Scores, CoreError> {
        self.file.sync()?;
        let values = self.values.into_iter().flatten().collect();
        Ok(Scores { key: self.key, values, found: self.found })
    }
}
