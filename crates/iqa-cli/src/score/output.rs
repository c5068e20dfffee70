//! Scores as text, JSON lines or CSV, to standard output or to a file that a later run goes on with.

use std::collections::HashMap;
use std::error::Error;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use iqa_models::core::{CoreError, RecordForm, ResultsFile};
use iqa_models::{ModelError, ReferenceNeed, Score, Scorer};

use super::content::{Contents, digest_of_path, short};
use super::parquet;
use super::record::{Column, Record, Records};
use super::tally::{Tally, describe};
use crate::jobs::Job;
use crate::output::{ReaderGone, may_be_closed};

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Text,
    Json,
    Csv,
    Parquet,
}

impl Format {
    /// That of a file, by its ending; of standard output, where there is none.
    pub(crate) fn of(output: Option<&Path>) -> Self {
        let Some(path) = output else { return Self::Text };
        match path.extension().map(OsStr::to_ascii_lowercase) {
            Some(ending) if ending == "csv" => Self::Csv,
            Some(ending) if ending == "parquet" => Self::Parquet,
            _ => Self::Json,
        }
    }
}

/// Counts up when records of earlier versions are not to be gone on with.
const VERSION: u32 = 2;

/// Where scores go.
enum Sink {
    /// Standard output, where a reader that has gone is no error.
    Standard,
    /// A device or a pipe: there is nothing to go on with.
    Stream(PathBuf, File),
    File(ResultsFile),
}

pub(crate) struct Writer {
    records: Records,
    /// Digest of all that the scores of this run depend on besides the images: the first part of each record's key.
    settings: String,
    sink: Sink,
    tallies: Vec<Tally>,
    identities: Vec<String>,
    /// The Parquet file that the records become at the end.
    becomes: Option<PathBuf>,
    /// Images of an earlier run that some model could not score.
    pub(crate) incomplete: usize,
}

impl Writer {
    pub(crate) fn new<'a>(format: Format, models: impl Iterator<Item = (String, &'a Scorer)>) -> Self {
        let mut settings = format!("{VERSION}");
        let (mut tallies, mut columns, mut identities) = (Vec::new(), Vec::new(), Vec::new());
        for (label, scorer) in models {
            let spec = scorer.spec();
            settings += &format!("\n{}\n{}", scorer.name(), scorer.identity());
            identities.push(scorer.identity().to_string());
            tallies.push(Tally::new(label.clone(), spec.direction));
            let takes_reference = spec.reference == ReferenceNeed::FullReference;
            columns.push(Column { label, takes_reference, direction: spec.direction, range: spec.range });
        }
        let settings = short(settings.as_bytes());
        // What becomes Parquet grows as JSON.
        let format = if format == Format::Parquet { Format::Json } else { format };
        let records = Records { format, columns };
        Self { records, settings, sink: Sink::Standard, tallies, identities, becomes: None, incomplete: 0 }
    }

    /// Writes the header, if the format has one and this is the `first` part of the images.
    pub(crate) fn begin(&mut self, first: bool) -> Result<(), Box<dyn Error>> {
        if matches!(self.sink, Sink::Standard) && may_be_closed() {
            remark!(
                "warning: standard output is closed, or a /dev/null for reading and writing: the scores are lost"
            );
        }
        if first { self.put(&self.records.header()?) } else { Ok(()) }
    }

    /// Writes to a file from now on, after what an earlier run left there, and takes the images that it scored from
    /// `jobs`. A record that was not written to its end is dropped. The header comes where this part of the images is
    /// the `first`.
    ///
    /// # Errors
    /// When another run is writing the file, or it holds something else than scores of this run's models, weights,
    /// options and references in this format, or the score of an image that had other content then.
    pub(crate) fn go_on_in(
        &mut self,
        path: &Path,
        jobs: &mut Vec<Job>,
        first: bool,
    ) -> Result<(), Box<dyn Error>> {
        if self.records.format == Format::Text {
            return Err("--output takes --format json, csv or parquet".into());
        }
        if std::fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir()) {
            let file = File::options().write(true).open(path);
            let file = file.map_err(|source| CoreError::Io { path: path.into(), source })?;
            self.sink = Sink::Stream(path.into(), file);
            return self.begin(first);
        }
        let Self { records, settings, tallies, incomplete, becomes, .. } = self;
        // What becomes another file holds nothing of other images.
        let alone = becomes.is_some();
        let csv = records.format == Format::Csv;
        let header = records.header()?;
        let form = if csv { RecordForm::Csv } else { RecordForm::Lines };
        let start = if first { header.as_str() } else { "" };
        // A pair may be listed more than once: each record stands for one of them.
        let mut done: HashMap<(String, Option<String>), usize> = HashMap::new();
        let mut contents = Contents::default();
        let of_image = by_image(jobs);
        let file = ResultsFile::open(
            path,
            form,
            start.as_bytes(),
            |rest| jobs.iter().any(|job| records.may_begin(&job.distorted, rest)),
            |line, record| {
                if csv && line == 1 && (first || record == header.trim_end().as_bytes()) {
                    return records.check_header(path, record);
                }
                let record = records.parse(path, line, record)?;
                let [image, content, original] = key_of(records, settings, path, line, &record)?;
                let other = |expected: Option<&Path>| {
                    let text = |path: Option<String>| path.unwrap_or_else(|| "none".into());
                    let expected = text(expected.map(|path| path.display().to_string()));
                    let (path, found) = (path.into(), text(record.reference.clone()));
                    Err(CoreError::OtherResults { path, what: "reference", expected, found })
                };
                let is_of = |job: &&&Job| record.reference == job.reference.as_deref().map(shown);
                let job = match of_image.get(&image) {
                    // Of no image of this run.
                    None if alone => {
                        let expected = "scores of images of this run; another file, or none, begins anew";
                        return Err(CoreError::not_results(path, line, expected, &record.path));
                    }
                    None => return Ok(()),
                    Some(of_image) => match of_image.iter().find(is_of) {
                        Some(job) => job,
                        None => return other(of_image[0].reference.as_deref()),
                    },
                };
                let now = contents.of(&job.distorted);
                // One that cannot be compared is scored again, or its error told.
                if now == "unknown" {
                    return Ok(());
                }
                let compared = [(Some(&job.distorted), now, content)].into_iter().chain([(
                    job.reference.as_ref(),
                    contents.of_reference(job),
                    original,
                )]);
                for (picture, now, then) in compared {
                    if let Some(picture) = picture.filter(|_| now != then) {
                        return Err(CoreError::OtherPicture { path: path.into(), picture: picture.clone() });
                    }
                }
                *done.entry((image, record.reference.clone())).or_default() += 1;
                *incomplete += usize::from(record.scores.iter().any(Option::is_none));
                add(tallies, &record);
                Ok(())
            },
        )?;
        self.sink = Sink::File(file);
        jobs.retain(|job| {
            let record = (digest_of_path(&job.distorted), job.reference.as_deref().map(shown));
            match done.get_mut(&record) {
                Some(left) if *left > 0 => {
                    *left -= 1;
                    false
                }
                _ => true,
            }
        });
        Ok(())
    }

    /// Writes the scores of an image, of which there is at least one.
    pub(crate) fn write(
        &mut self,
        job: &Job,
        contents: &[String; 2],
        scores: &[Result<Score, ModelError>],
    ) -> Result<(), Box<dyn Error>> {
        let [content, original] = contents;
        let record = Record {
            path: shown(&job.distorted),
            reference: job.reference.as_deref().map(shown),
            scores: scores.iter().map(|score| score.as_ref().ok().map(|score| score.value)).collect(),
            key: format!("{}-{}-{content}-{original}", self.settings, digest_of_path(&job.distorted)),
        };
        add(&mut self.tallies, &record);
        let text = self.records.write(&record)?;
        self.put(&text)
    }

    /// Writes records that become the Parquet file `path`, after those of an earlier run, as [`Self::go_on_in`] does.
    pub(crate) fn grow_towards(&mut self, path: &Path, jobs: &mut Vec<Job>) -> Result<(), Box<dyn Error>> {
        if path.exists() {
            return Err(
                format!("{}: is there already, and a Parquet file cannot grow", path.display()).into()
            );
        }
        self.becomes = Some(path.into());
        self.go_on_in(&parquet::growing(path), jobs, true)
    }

    /// Makes the Parquet file, if there is to be one.
    pub(crate) fn finish(&mut self) -> Result<(), Box<dyn Error>> {
        match &self.becomes {
            Some(path) => parquet::finish(path, &self.records, &self.identities),
            None => Ok(()),
        }
    }

    /// Says the scores in short, beside those of earlier runs.
    pub(crate) fn summarise(&self) {
        if let Some(text) = describe(&self.tallies) {
            remark!("{}", text.trim_end());
        }
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

/// Digests of a record's image (its path), of that one's content and of its reference's, if a run of these settings could have
/// written it.
fn key_of(
    records: &Records,
    settings: &str,
    path: &Path,
    line: usize,
    record: &Record,
) -> Result<[String; 3], CoreError> {
    match &record.key.split('-').collect::<Vec<_>>()[..] {
        [found, image, content, original] if *found == settings => {
            Ok([image, content, original].map(|part| (*part).to_owned()))
        }
        [_, _, _, _] => Err(CoreError::OtherResults {
            path: path.into(),
            what: "set of weights, float type, device or options",
            expected: settings.into(),
            found: record.key.clone(),
        }),
        _ => Err(records.not_a_record(path, line, &record.key)),
    }
}

fn add(tallies: &mut [Tally], record: &Record) {
    for (tally, score) in tallies.iter_mut().zip(&record.scores) {
        if let Some(score) = score {
            tally.add(*score, &record.path);
        }
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// The jobs of each image, by the digest of its path.
fn by_image(jobs: &[Job]) -> HashMap<String, Vec<&Job>> {
    let mut of_image: HashMap<String, Vec<&Job>> = HashMap::new();
    for job in jobs {
        of_image.entry(digest_of_path(&job.distorted)).or_default().push(job);
    }
    of_image
}
