use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::collect::{Collector, Place, Rating};
use super::names::{Names, plain};
use super::table::Table;
use crate::dataset::{DataSet, ScoreKind, ScoreScale};
use crate::{DatasetError, Strictness};
use iqa_core::{Direction, FileId};

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

/// The columns of the images.
struct Images {
    distorted: usize,
    reference: Option<usize>,
}

impl Images {
    fn of(table: &Table) -> Result<Self, DatasetError> {
        Ok(Self { distorted: table.distorted()?, reference: table.reference()? })
    }

    /// The distorted image of a row and its reference, if there is one, with `/` between the parts of their paths.
    fn read(
        &self,
        place: &Place,
        record: &csv::StringRecord,
    ) -> Result<(String, Option<String>), DatasetError> {
        let path = |column: usize| Some(record[column].replace('\\', "/")).filter(|path| !path.is_empty());
        let distorted = path(self.distorted);
        let distorted = distorted.ok_or_else(|| place.malformed("the path of a distorted image", ""))?;
        Ok((distorted, self.reference.and_then(path)))
    }
}

pub(super) fn rows(path: &Path) -> Result<Vec<Row>, DatasetError> {
    let table = Table::read(path)?;
    let (images, score) = (Images::of(&table)?, table.score()?);
    let [std, group, type_name, level] = [
        table.find(STD)?,
        table.find(&["group"])?,
        table.find(&["type", "dis_type"])?,
        table.find(&["level"])?,
    ];
    table
        .records
        .iter()
        .map(|(line, record)| {
            let place = table.place(*line);
            let optional = |column: Option<usize>| {
                column.map(|column| &record[column]).filter(|field| !field.is_empty())
            };
            let (distorted, reference) = images.read(&place, record)?;
            Ok(Row {
                line: *line,
                distorted,
                score: place.score(&record[score])?,
                reference,
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
    scale: impl FnOnce(&[Row]) -> Result<ScoreScale, DatasetError>,
    strictness: Strictness,
) -> Result<DataSet, DatasetError> {
    let mut collector = Collector::new(list, strictness);
    let mut names = Names::under(images);
    let rows = rows(list)?;
    // An empty list is told by the collector.
    let scale = if rows.is_empty() { ScoreScale::mos(0.0, 1.0) } else { scale(&rows)? };
    let (mut rated, mut ids) = (HashMap::new(), HashMap::new());
    for row in rows {
        let (distorted, reference) =
            (names.find(&row.distorted), row.reference.as_deref().map(|path| names.find(path)));
        // Lower case, so that one photograph spelt in two ways is still one; and so it is over links, by its first name.
        let of_reference = row.reference.as_deref().map(|path| {
            let name = plain(path).to_string_lossy().to_lowercase();
            let file = reference.as_ref().and_then(|found| FileId::of(found.as_ref().ok()?));
            file.map_or(name.clone(), |file| ids.entry(file).or_insert(name).clone())
        });
        let rating = Rating {
            raw: row.score,
            std: row.std,
            reference_id: row.group.or(of_reference),
            type_id: None,
            type_name: row.type_name,
            level: row.level,
        };
        // By two names it is one picture all the same, with two opinions or in two parts of a split.
        if let Ok(image) = &distorted
            && let Some(earlier) = FileId::of(image).and_then(|file| rated.insert(file, row.line))
        {
            let (path, line, image) = (list.into(), row.line, image.clone());
            return Err(DatasetError::ListedTwice { path, line, image, earlier });
        }
        collector.push(Place { labels: list, line: row.line }, distorted, reference, rating)?;
    }
    collector.finish(name, scale)
}

/// The scale whose range is that of the scores of a list.
pub(super) fn inferred(
    list: &Path,
    rows: &[Row],
    kind: ScoreKind,
    direction: Direction,
) -> Result<ScoreScale, DatasetError> {
    let low = rows.iter().map(|row| row.score).fold(f64::INFINITY, f64::min);
    let high = rows.iter().map(|row| row.score).fold(f64::NEG_INFINITY, f64::max);
    if low == high {
        let place = Place { labels: list, line: rows[0].line };
        return Err(place.malformed("scores that differ, to take their range from", low.to_string()));
    }
    ScoreScale::new(kind, direction, low, high)
}

/// A row of a list of scores that another program gave.
#[derive(Clone, Debug, PartialEq)]
pub struct ListedScore {
    /// The image, as the list has it, with `/` between the parts of its path.
    pub image: String,
    /// Its score; may be infinite.
    pub score: f64,
    /// Which way it grows, where the list has a column `direction`, as `iqa score` writes it.
    pub direction: Option<Direction>,
    /// Line in the list, from 1.
    pub line: usize,
}

/// Reads a list of images and their scores. The header names the columns as in [`DataSet::open_csv`], and perhaps `direction`;
/// others are ignored.
///
/// # Errors
/// [`DatasetError::Io`], [`DatasetError::Column`]; [`DatasetError::Malformed`] for a row without an image, with what is no
/// number or direction, or with more or fewer fields than the header has, and for what is not UTF-8.
pub fn read_scores(list: &Path) -> Result<Vec<ListedScore>, DatasetError> {
    let table = Table::read(list)?;
    let (images, score, direction) = (Images::of(&table)?, table.score()?, table.find(&["direction"])?);
    let directions = [Direction::HigherIsBetter, Direction::LowerIsBetter];
    table
        .records
        .iter()
        .map(|(line, record)| {
            let place = table.place(*line);
            let (image, _) = images.read(&place, record)?;
            let number = record[score].parse().ok().filter(|number: &f64| !number.is_nan());
            let score = number.ok_or_else(|| place.malformed("a score: a number", &record[score]))?;
            let direction = direction.map(|column| {
                let found = directions.into_iter().find(|direction| direction.to_string() == record[column]);
                found.ok_or_else(|| {
                    place.malformed("`higher_is_better` or `lower_is_better`", &record[column])
                })
            });
            Ok(ListedScore { image, score, direction: direction.transpose()?, line: *line })
        })
        .collect()
}

/// A row of a list of images to score.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedPair {
    /// The image.
    pub distorted: PathBuf,
    /// Its reference; `None` where the list has no such column, or nothing in it.
    pub reference: Option<PathBuf>,
    /// Line in the list, from 1.
    pub line: usize,
}

/// Reads a list of images to score, with or without their references. The header names the columns as in
/// [`DataSet::open_csv`]; no score is needed, and other columns are ignored.
///
/// Paths start at the folder of the list unless they are absolute; `\` is taken for `/`. A name that does not exist as it
/// is written stands for the one file that has it in another case. Whether the images are there is not looked at, and one
/// may be listed twice.
///
/// # Errors
/// [`DatasetError::Io`], [`DatasetError::Column`]; [`DatasetError::Malformed`] for a row without an image or with more or
/// fewer fields than the header has, for what is not UTF-8, and for a list without rows.
pub fn read_pairs(list: &Path) -> Result<Vec<ListedPair>, DatasetError> {
    let table = Table::read(list)?;
    let images = Images::of(&table)?;
    if table.records.is_empty() {
        return Err(table.place(2).malformed("a row for each image", "the end of the file"));
    }
    let mut names = Names::under(list.parent().unwrap_or(Path::new("")));
    let mut found = |path: &str| names.find(path).unwrap_or_else(|expected| expected);
    table
        .records
        .iter()
        .map(|(line, record)| {
            let (distorted, reference) = images.read(&table.place(*line), record)?;
            let distorted = found(&distorted);
            Ok(ListedPair { distorted, reference: reference.as_deref().map(&mut found), line: *line })
        })
        .collect()
}
