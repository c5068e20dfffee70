//! Files with a header and a record a row: CSV, or with semicolons or tabs in place of commas.

use std::path::Path;

use super::collect::Place;
use crate::DatasetError;

/// Columns of the image that is rated or scored, and general names, which count where none of the first is there.
const DISTORTED: [&[&str]; 2] = [
    &[
        "distorted",
        "dist",
        "dis",
        "dist_img",
        "dis_img_path",
        "distorted_image",
        "distorted_path",
        "restored",
    ],
    &["image", "image_name", "image_path", "img", "img_path", "filename", "file", "path", "name"],
];
const REFERENCE: [&[&str]; 2] = [
    &["reference", "ref", "ref_img", "ref_img_path", "reference_image", "reference_path", "ref_path"],
    &["original", "pristine", "gt", "ground_truth", "gt_path"],
];
const SCORE: &[&str] = &["score", "mos", "dmos"];

/// A file with a header, read as far as its columns.
pub(crate) struct Table<'a> {
    path: &'a Path,
    /// In lower case.
    names: Vec<String>,
    /// Line, from 1, and fields of each record, trimmed; as many as the header has.
    pub(crate) records: Vec<(usize, csv::StringRecord)>,
}

impl<'a> Table<'a> {
    /// Reads a file in UTF-8, with or without a byte order mark, whatever its line breaks. The separator is the one of
    /// comma, semicolon and tab that its header has most of.
    pub(crate) fn read(path: &'a Path) -> Result<Self, DatasetError> {
        let bytes = std::fs::read(path).map_err(|source| DatasetError::Io { path: path.into(), source })?;
        let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&bytes);
        // What the header says is told apart here: the reader's own errors and lines are wrong by one after CR LF.
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(separator(bytes))
            .from_reader(bytes);
        let mut lines = Lines { bytes, at: 0, line: 1 };
        let mut names: Option<Vec<String>> = None;
        let mut records = Vec::new();
        for record in reader.byte_records() {
            let record =
                record.map_err(|error| DatasetError::Io { path: path.into(), source: error.into() })?;
            let line = lines.of(record.position().map_or(0, |position| position.byte() as usize));
            let place = Place { labels: path, line };
            let mut record = csv::StringRecord::from_byte_record(record)
                .map_err(|_| place.malformed("text in UTF-8", "other bytes"))?;
            record.trim();
            let Some(names) = &names else {
                names = Some(record.iter().map(str::to_lowercase).collect());
                continue;
            };
            // A line of spaces alone is as good as an empty one.
            if record.len() == 1 && names.len() > 1 && record[0].is_empty() {
                continue;
            }
            if record.len() != names.len() {
                let found = format!("{} of {}", record.len(), names.len());
                return Err(place.malformed("as many fields as the header has", found));
            }
            records.push((line, record));
        }
        Ok(Self { path, names: names.unwrap_or_default(), records })
    }

    /// The line of a record in the file.
    pub(crate) fn place(&self, line: usize) -> Place<'a> {
        Place { labels: self.path, line }
    }

    /// Index of the column with one of the names.
    ///
    /// # Errors
    /// When two columns have one of them.
    pub(crate) fn find(&self, names: &[&str]) -> Result<Option<usize>, DatasetError> {
        let mut found =
            self.names.iter().enumerate().filter(|(_, name)| names.contains(&name.as_str())).map(|at| at.0);
        let first = found.next();
        if found.next().is_some() {
            return Err(self.column(names, "exactly one of"));
        }
        Ok(first)
    }

    pub(crate) fn need(&self, names: &[&str]) -> Result<usize, DatasetError> {
        self.find(names)?.ok_or_else(|| self.column(names, "named"))
    }

    /// The column of the distorted images.
    pub(crate) fn distorted(&self) -> Result<usize, DatasetError> {
        self.first_of(DISTORTED)?.ok_or_else(|| self.column(&DISTORTED.concat(), "named"))
    }

    /// The column of their scores.
    pub(crate) fn score(&self) -> Result<usize, DatasetError> {
        self.need(SCORE)
    }

    /// The column of their references, if there is one.
    pub(crate) fn reference(&self) -> Result<Option<usize>, DatasetError> {
        self.first_of(REFERENCE)
    }

    /// The column of the references, where there must be one.
    pub(crate) fn need_reference(&self) -> Result<usize, DatasetError> {
        self.reference()?.ok_or_else(|| self.column(&REFERENCE.concat(), "named"))
    }

    /// By the first names that one column has.
    fn first_of(&self, [first, second]: [&[&str]; 2]) -> Result<Option<usize>, DatasetError> {
        Ok(match self.find(first)? {
            Some(column) => Some(column),
            None => self.find(second)?,
        })
    }

    fn column(&self, names: &[&str], how: &str) -> DatasetError {
        DatasetError::Column {
            path: self.path.into(),
            expected: format!("{how} {}", names.join(" or ")),
            found: self.names.clone(),
        }
    }
}

/// The separator of a file, by its header.
fn separator(bytes: &[u8]) -> u8 {
    let mut quoted = false;
    let mut counts = [(b',', 0), (b';', 0), (b'\t', 0)];
    for &byte in bytes.trim_ascii_start() {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' | b'\r' if !quoted => break,
            _ if quoted => {}
            _ => counts.iter_mut().filter(|(mark, _)| *mark == byte).for_each(|(_, count)| *count += 1),
        }
    }
    // The first of equals.
    counts.into_iter().rev().max_by_key(|(_, count)| *count).map_or(b',', |(mark, _)| mark)
}

/// Counts lines, whether they end with LF, CR LF or CR, also within quotes.
struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
    line: usize,
}

impl Lines<'_> {
    /// The line of the record that the reader starts at a byte; what ends the line before, and empty lines, may still
    /// stand before it.
    fn of(&mut self, start: usize) -> usize {
        while let Some(&byte) = self.bytes.get(self.at) {
            let ends = byte == b'\n' || (byte == b'\r' && self.bytes.get(self.at + 1) != Some(&b'\n'));
            if self.at >= start && !matches!(byte, b'\r' | b'\n') {
                break;
            }
            self.line += usize::from(ends);
            self.at += 1;
        }
        self.line
    }
}
