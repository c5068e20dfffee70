use std::path::{Component, Path, PathBuf};

use super::collect::{Collector, Place, Rating};
use crate::dataset::{DataSet, ScoreScale};
use crate::{DatasetError, Strictness};

const DISTORTED: &[&str] = &["distorted", "dis", "dist_img", "dis_img_path"];
const SCORE: &[&str] = &["score", "mos", "dmos"];
const REFERENCE: &[&str] = &["reference", "ref", "ref_img", "ref_img_path"];
const STD: &[&str] = &["std", "mos_std", "dmos_std"];

/// A line of a list.
pub(super) struct Row {
    pub(super) line: usize,
    pub(super) distorted: String,
    pub(super) score: f64,
    pub(super) reference: Option<String>,
    pub(super) std: Option<f64>,
    pub(super) group: Option<String>,
    pub(super) type_name: Option<String>,
    pub(super) level: Option<u32>,
}

/// A CSV file with a header, read as far as its columns.
pub(crate) struct Table<'a> {
    path: &'a Path,
    names: Vec<String>,
    /// Line, from 1, and fields of each record, trimmed.
    pub(crate) records: Vec<(usize, csv::StringRecord)>,
}

impl<'a> Table<'a> {
    pub(crate) fn read(path: &'a Path) -> Result<Self, DatasetError> {
        let csv = |source| DatasetError::Csv { path: path.into(), source };
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(path).map_err(csv)?;
        let names = reader
            .headers()
            .map_err(csv)?
            .iter()
            .map(|name| name.trim_start_matches('\u{feff}').to_lowercase())
            .collect();
        let mut records = Vec::new();
        for record in reader.into_records() {
            let record = record.map_err(csv)?;
            let line = record.position().map_or(0, |position| position.line() as usize);
            records.push((line, record));
        }
        Ok(Self { path, names, records })
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

    fn column(&self, names: &[&str], how: &str) -> DatasetError {
        DatasetError::Column {
            path: self.path.into(),
            expected: format!("{how} {}", names.join(" or ")),
            found: self.names.clone(),
        }
    }
}

pub(super) fn rows(path: &Path) -> Result<Vec<Row>, DatasetError> {
    let table = Table::read(path)?;
    let (distorted, score) = (table.need(DISTORTED)?, table.need(SCORE)?);
    let [reference, std, group, type_name, level] = [
        table.find(REFERENCE)?,
        table.find(STD)?,
        table.find(&["group"])?,
        table.find(&["type", "dis_type"])?,
        table.find(&["level"])?,
    ];
    table
        .records
        .iter()
        .map(|(line, record)| {
            let place = Place { labels: path, line: *line };
            let field = |column: usize| record.get(column).unwrap_or_default();
            let optional = |column: Option<usize>| column.map(field).filter(|field| !field.is_empty());
            if field(distorted).is_empty() {
                return Err(place.malformed("the path of a distorted image", ""));
            }
            Ok(Row {
                line: *line,
                distorted: field(distorted).replace('\\', "/"),
                score: place.score(field(score))?,
                reference: optional(reference).map(|path| path.replace('\\', "/")),
                std: optional(std).map(|text| place.std(text)).transpose()?,
                group: optional(group).map(str::to_owned),
                type_name: optional(type_name).map(str::to_owned),
                level: optional(level)
                    .map(|text| text.parse().map_err(|_| place.malformed("a level: a whole number", text)))
                    .transpose()?,
            })
        })
        .collect()
}

pub(super) fn open(
    list: &Path,
    images: &Path,
    name: &str,
    scale: ScoreScale,
    strictness: Strictness,
) -> Result<DataSet, DatasetError> {
    let mut collector = Collector::new(list, strictness);
    let find = |relative: &str| {
        let path = images.join(plain(relative));
        if path.is_file() { Ok(path) } else { Err(path) }
    };
    for row in rows(list)? {
        // Lower case, so that one photograph spelt in two ways is still one.
        let of_reference = row.reference.as_deref().map(|path| plain(path).to_string_lossy().to_lowercase());
        let rating = Rating {
            raw: row.score,
            std: row.std,
            reference_id: row.group.or(of_reference),
            type_id: None,
            type_name: row.type_name,
            level: row.level,
        };
        collector.push(
            Place { labels: list, line: row.line },
            find(&row.distorted),
            row.reference.as_deref().map(find),
            rating,
        )?;
    }
    collector.finish(name, scale)
}

/// A path without `.` and, where a name stands before it, without `..`: one spelling for each image.
fn plain(path: &str) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in Path::new(path).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(plain.components().next_back(), Some(Component::Normal(_))) => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}
