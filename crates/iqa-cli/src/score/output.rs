//! Scores as text, JSON lines or CSV, to standard output or to a file that a later run goes on with.

use std::collections::HashMap;
use std::error::Error;
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::output::{ReaderGone, may_be_closed};
use clap::ValueEnum;
use iqa_models::core::{CoreError, RecordForm, ResultsFile, sha256, sha256_of_file, short_sha256_of_file};
use iqa_models::{Score, Scorer};
use serde::Serialize;

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Text,
    Json,
    Csv,
}

const CSV_HEADER: &str = "path,reference,model,score,direction,range_low,range_high,in_range,key\n";
/// Columns of the path, which comes first, and of the key.
const CSV_KEY: usize = 8;
/// Counts up when records of earlier versions are not to be gone on with.
const VERSION: u32 = 1;
/// Hexadecimal digits of a digest in a record.
const DIGITS: usize = 16;

/// A record of JSON lines.
#[derive(Serialize)]
struct Row<'a> {
    path: &'a str,
    reference: Option<&'a str>,
    model: &'a str,
    /// `null` for infinity.
    score: f64,
    direction: &'a str,
    /// `null` for an end that there is not.
    range: [f64; 2],
    in_range: bool,
    key: &'a str,
}

/// Where scores go.
enum Sink {
    /// Standard output, where a reader that has gone is no error.
    Standard,
    /// A device or a pipe: there is nothing to go on with.
    Stream(PathBuf, File),
    File(ResultsFile),
}

pub(crate) struct Writer {
    format: Format,
    model: String,
    direction: &'static str,
    reference: Option<String>,
    /// Digest of all that the scores of this run depend on besides the images: the first half of each record's key.
    settings: String,
    sink: Sink,
}

/// Which picture was scored: a digest of its file's content.
pub(crate) struct Content(String);

impl Content {
    /// What there is to compare with later. A pipe is read once, for its picture; of a file that cannot be read the
    /// decoder says why.
    pub(crate) fn of(path: &Path) -> Self {
        let digest = path.is_file().then(|| short_sha256_of_file(path).ok()).flatten();
        Self(digest.unwrap_or_else(|| "unknown".into()))
    }

    fn is_known(&self) -> bool {
        self.0 != "unknown"
    }
}

impl Writer {
    pub(crate) fn new(format: Format, scorer: &Scorer, reference: Option<&Path>) -> Result<Self, CoreError> {
        let content = match reference {
            None => "none".into(),
            Some(path) if path.is_file() => sha256_of_file(path)?,
            // A pipe can be read once, and a file that is not there is told of later.
            Some(_) => "not a file".into(),
        };
        let settings = format!("{VERSION}\n{}\n{}\n{content}", scorer.name(), scorer.identity());
        Ok(Self {
            format,
            model: scorer.name().to_owned(),
            direction: scorer.spec().direction.as_str(),
            reference: reference.map(|path| path.display().to_string()),
            settings: short(settings.as_bytes()),
            sink: Sink::Standard,
        })
    }

    /// Writes the header, if the format has one and this is the `first` part of the images.
    pub(crate) fn begin(&mut self, first: bool) -> Result<(), Box<dyn Error>> {
        if matches!(self.sink, Sink::Standard) && may_be_closed() {
            note!(
                "warning: standard output is closed, or a /dev/null for reading and writing: the scores are lost"
            );
        }
        if first && self.format == Format::Csv { self.put(CSV_HEADER) } else { Ok(()) }
    }

    /// Writes to a file from now on, after what an earlier run left there, and takes the images that it scored from
    /// `images`. A record that was not written to its end is dropped. The header comes where this part of the images is
    /// the `first`.
    ///
    /// # Errors
    /// When another run is writing the file, or it holds something else than scores of this run's model, weights,
    /// options and reference in this format, or the score of an image that had other content then.
    pub(crate) fn go_on_in(
        &mut self,
        path: &Path,
        images: &mut Vec<PathBuf>,
        first: bool,
    ) -> Result<(), Box<dyn Error>> {
        if self.format == Format::Text {
            return Err("--output takes --format json or csv".into());
        }
        if std::fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir()) {
            let file = File::options().write(true).open(path);
            let file = file.map_err(|source| CoreError::Io { path: path.into(), source })?;
            self.sink = Sink::Stream(path.into(), file);
            return self.begin(first);
        }
        let csv = self.format == Format::Csv;
        let (form, start) = match (csv, first) {
            (true, true) => (RecordForm::Csv, CSV_HEADER),
            (true, false) => (RecordForm::Csv, ""),
            (false, _) => (RecordForm::Lines, ""),
        };
        // An image may be listed more than once: each record stands for one of them.
        let mut done: HashMap<String, usize> = HashMap::new();
        // Of each image that the file has a record of, once.
        let paths: HashMap<String, &PathBuf> =
            images.iter().map(|image| (digest_of_path(image), image)).collect();
        let mut contents: HashMap<String, Content> = HashMap::new();
        let file = ResultsFile::open(
            path,
            form,
            start.as_bytes(),
            |rest| self.begins(rest, images),
            |line, record| {
                if csv && line == 1 && (first || record == CSV_HEADER.trim_end().as_bytes()) {
                    return header(path, record);
                }
                let (image, content) = self.image_of(path, line, record)?;
                let Some(picture) = paths.get(&image) else { return Ok(()) };
                let now = contents.entry(image.clone()).or_insert_with(|| Content::of(picture));
                // One that cannot be compared is scored again, or its error told.
                if now.is_known() {
                    if now.0 != content {
                        let (path, picture) = (path.into(), picture.to_path_buf());
                        return Err(CoreError::OtherPicture { path, picture });
                    }
                    *done.entry(image).or_default() += 1;
                }
                Ok::<(), CoreError>(())
            },
        )?;
        self.sink = Sink::File(file);
        images.retain(|image| match done.get_mut(&digest_of_path(image)) {
            Some(left) if *left > 0 => {
                *left -= 1;
                false
            }
            _ => true,
        });
        Ok(())
    }

    /// Whether `rest` may be the beginning of a first record of this run.
    fn begins(&self, rest: &[u8], images: &[PathBuf]) -> bool {
        images.iter().any(|image| {
            let path = image.display().to_string();
            let beginning = match self.format {
                Format::Csv => csv_line([&*path, ""]).unwrap_or_default().trim_end().to_owned(),
                _ => format!("{{\"path\":{},", serde_json::Value::from(path)),
            };
            beginning.as_bytes().starts_with(rest) || rest.starts_with(beginning.as_bytes())
        })
    }

    /// The image of a record, as digests of its path and of its content, if this run could have written it.
    fn image_of(&self, path: &Path, line: usize, record: &[u8]) -> Result<(String, String), CoreError> {
        let text = String::from_utf8_lossy(record);
        let earlier =
            || CoreError::not_results(path, line, "a score as this version writes it, in this format", &text);
        let (reference, model, key) = self.parts(record).ok_or_else(earlier)?;
        let here = self.reference.as_deref().unwrap_or("none");
        let other = |what, expected: &str, found: &str| {
            let (expected, found) = (expected.into(), found.into());
            Err(CoreError::OtherResults { path: path.into(), what, expected, found })
        };
        match &key.split('-').collect::<Vec<_>>()[..] {
            _ if model != self.model => other("model", &self.model, &model),
            _ if reference.as_deref().unwrap_or("none") != here => {
                other("reference", here, reference.as_deref().unwrap_or("none"))
            }
            [settings, image, content] if *settings == self.settings => {
                Ok(((*image).into(), (*content).into()))
            }
            [_, _] => Err(earlier()),
            _ => other(
                "set of weights, float type, device, options or reference content",
                &self.settings,
                &key,
            ),
        }
    }

    /// Reference, model and key of a record.
    fn parts(&self, record: &[u8]) -> Option<(Option<String>, String, String)> {
        if self.format == Format::Csv {
            let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(record);
            let row = reader.records().next()?.ok()?;
            let reference = row.get(1).filter(|path| !path.is_empty()).map(str::to_owned);
            Some((reference, row.get(2)?.to_owned(), row.get(CSV_KEY)?.to_owned()))
        } else {
            let row: serde_json::Value = serde_json::from_slice(record).ok()?;
            let field = |name: &str| row[name].as_str().map(str::to_owned);
            Some((field("reference"), field("model")?, field("key")?))
        }
    }

    pub(crate) fn write(
        &mut self,
        path: &Path,
        content: &Content,
        score: &Score,
    ) -> Result<(), Box<dyn Error>> {
        let key = format!("{}-{}-{}", self.settings, digest_of_path(path), content.0);
        let path = path.display().to_string();
        let (low, high) = score.range;
        let record = match self.format {
            Format::Text => {
                let against =
                    self.reference.as_ref().map_or_else(String::new, |path| format!(" against {path}"));
                let (value, direction, model) = (score.value, score.direction, &self.model);
                let outside = if score.in_range() { "" } else { "outside the nominal range " };
                format!("{path}{against}: {value:.4} ({direction}, {outside}{low} to {high}, {model})\n")
            }
            Format::Json => {
                let row = Row {
                    path: &path,
                    reference: self.reference.as_deref(),
                    model: &self.model,
                    score: score.value,
                    direction: self.direction,
                    range: [low, high],
                    in_range: score.in_range(),
                    key: &key,
                };
                format!("{}\n", serde_json::to_string(&row)?)
            }
            Format::Csv => csv_line([
                &path,
                self.reference.as_deref().unwrap_or_default(),
                &self.model,
                &score.value.to_string(),
                self.direction,
                &low.to_string(),
                &high.to_string(),
                &score.in_range().to_string(),
                &key,
            ])?,
        };
        self.put(&record)
    }

    /// Writes a record in one call: a run that is killed leaves whole records, but for the last.
    fn put(&mut self, record: &str) -> Result<(), Box<dyn Error>> {
        match &mut self.sink {
            Sink::File(file) => Ok(file.append(record.as_bytes())?),
            Sink::Stream(path, file) => {
                let written = file.write_all(record.as_bytes());
                Ok(written.map_err(|source| CoreError::Io { path: path.clone(), source })?)
            }
            Sink::Standard => {
                let mut out = std::io::stdout().lock();
                match out.write_all(record.as_bytes()).and_then(|()| out.flush()) {
                    Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(ReaderGone.into()),
                    written => written.map_err(|error| format!("standard output: {error}").into()),
                }
            }
        }
    }
}

fn header(path: &Path, record: &[u8]) -> Result<(), CoreError> {
    let expected = CSV_HEADER.trim_end();
    if record == expected.as_bytes() {
        return Ok(());
    }
    Err(CoreError::not_results(path, 1, expected, &String::from_utf8_lossy(record)))
}

/// The beginning of a digest.
fn short(bytes: &[u8]) -> String {
    let mut digest = sha256(bytes);
    digest.truncate(DIGITS);
    digest
}

/// By its bytes: a name that is not UTF-8 has others than it is printed with.
fn digest_of_path(path: &Path) -> String {
    short(path.as_os_str().as_encoded_bytes())
}

/// A line of CSV (RFC 4180).
fn csv_line<'a>(fields: impl IntoIterator<Item = &'a str>) -> std::io::Result<String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(fields)?;
    let bytes = writer.into_inner().map_err(csv::IntoInnerError::into_error)?;
    String::from_utf8(bytes).map_err(std::io::Error::other)
}
