//! Records of scores: of one model with direction and range in each, of several with a column for each.

use std::path::Path;

use iqa_models::Direction;
use iqa_models::core::CoreError;
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::output::Format;

/// The scores of one image.
pub(crate) struct Record {
    pub(crate) path: String,
    pub(crate) reference: Option<String>,
    /// One a model; none where it could not score the image.
    pub(crate) scores: Vec<Option<f64>>,
    pub(crate) key: String,
}

/// A model.
pub(crate) struct Column {
    pub(crate) label: String,
    /// Whether its score is one against the reference.
    pub(crate) takes_reference: bool,
    pub(crate) direction: Direction,
    pub(crate) range: (f64, f64),
}

impl Column {
    fn contains(&self, score: f64) -> bool {
        (self.range.0..=self.range.1).contains(&score)
    }
}

/// How records are written and read.
pub(crate) struct Records {
    pub(crate) format: Format,
    pub(crate) columns: Vec<Column>,
}

/// A record of one model as JSON.
#[derive(serde::Serialize)]
struct Narrow<'a> {
    path: &'a str,
    reference: Option<&'a str>,
    model: &'a str,
    #[serde(flatten)]
    score: Cell,
    key: &'a str,
}

/// A record of several models as JSON.
#[derive(serde::Serialize)]
struct Wide<'a> {
    path: &'a str,
    reference: Option<&'a str>,
    scores: Cells<'a>,
    key: &'a str,
}

#[derive(serde::Serialize)]
struct Cell {
    score: f64,
    direction: &'static str,
    /// `null` for an end that there is not.
    range: [f64; 2],
    in_range: bool,
}

/// In the order of the models; those without a score are left out.
struct Cells<'a>(Vec<(&'a str, Cell)>);

impl Serialize for Cells<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (label, cell) in &self.0 {
            map.serialize_entry(label, cell)?;
        }
        map.end()
    }
}

impl Records {
    /// The one model, if it is one.
    fn single(&self) -> Option<&Column> {
        if let [column] = &self.columns[..] { Some(column) } else { None }
    }

    /// The header, with its line break; nothing in a format without.
    pub(crate) fn header(&self) -> std::io::Result<String> {
        if self.format != Format::Csv {
            return Ok(String::new());
        }
        if self.single().is_some() {
            return csv_line(
                "path,reference,model,score,direction,range_low,range_high,in_range,key".split(','),
            );
        }
        let labels = self.columns.iter().map(|column| column.label.as_str());
        csv_line(["path", "reference"].into_iter().chain(labels).chain(["key"]))
    }

    pub(crate) fn check_header(&self, path: &Path, record: &[u8]) -> Result<(), CoreError> {
        let header = self.header().map_err(|source| CoreError::Io { path: path.into(), source })?;
        if record == header.trim_end().as_bytes() {
            return Ok(());
        }
        Err(CoreError::not_results(path, 1, header.trim_end(), &String::from_utf8_lossy(record)))
    }

    pub(crate) fn not_a_record(&self, path: &Path, line: usize, found: &str) -> CoreError {
        let expected = match self.single() {
            Some(_) => "a score as this version writes it, in this format",
            None => "the scores of these models as this version writes them, in this format",
        };
        CoreError::not_results(path, line, expected, found)
    }

    /// Whether `rest` may be the beginning of a record of an image.
    pub(crate) fn may_begin(&self, image: &Path, rest: &[u8]) -> bool {
        let path = image.display().to_string();
        let beginning = match self.format {
            Format::Csv => csv_line([&*path, ""]).unwrap_or_default().trim_end().to_owned(),
            _ => format!("{{\"path\":{},", serde_json::Value::from(path)),
        };
        beginning.as_bytes().starts_with(rest) || rest.starts_with(beginning.as_bytes())
    }

    pub(crate) fn write(&self, record: &Record) -> Result<String, Box<dyn std::error::Error>> {
        let Record { path, reference, key, .. } = record;
        let scored = self.columns.iter().zip(&record.scores);
        let scored = scored.filter_map(|(column, score)| Some((column, (*score)?)));
        Ok(match self.format {
            Format::Text => scored
                .map(|(column, score)| {
                    let Column { label, direction, range: (low, high), .. } = column;
                    let reference = reference.as_ref().filter(|_| column.takes_reference);
                    let against = reference.map_or_else(String::new, |path| format!(" against {path}"));
                    let outside = if column.contains(score) { "" } else { "outside the nominal range " };
                    format!("{path}{against}: {score:.4} ({direction}, {outside}{low} to {high}, {label})\n")
                })
                .collect(),
            Format::Json | Format::Parquet => {
                let cell = |column: &Column, score: f64| Cell {
                    score,
                    direction: column.direction.as_str(),
                    range: [column.range.0, column.range.1],
                    in_range: column.contains(score),
                };
                let mut cells: Vec<_> =
                    scored.map(|(column, score)| (column.label.as_str(), cell(column, score))).collect();
                let reference = reference.as_deref();
                let text = match cells.pop() {
                    Some((model, score)) if self.single().is_some() => {
                        serde_json::to_string(&Narrow { path, reference, model, score, key })?
                    }
                    last => {
                        cells.extend(last);
                        serde_json::to_string(&Wide { path, reference, scores: Cells(cells), key })?
                    }
                };
                text + "\n"
            }
            Format::Csv => {
                let reference = reference.as_deref().unwrap_or_default();
                match (self.single(), &record.scores[..]) {
                    (Some(column), [Some(score)]) => csv_line([
                        path,
                        reference,
                        &column.label,
                        &score.to_string(),
                        column.direction.as_str(),
                        &column.range.0.to_string(),
                        &column.range.1.to_string(),
                        &column.contains(*score).to_string(),
                        key,
                    ])?,
                    _ => {
                        let text =
                            |score: &Option<f64>| score.map_or_else(String::new, |score| score.to_string());
                        let scores: Vec<String> = record.scores.iter().map(text).collect();
                        let scores = scores.iter().map(String::as_str);
                        csv_line([path, reference].into_iter().chain(scores).chain([key.as_str()]))?
                    }
                }
            }
        })
    }

    /// A record of this run's models.
    pub(crate) fn parse(&self, path: &Path, line: usize, record: &[u8]) -> Result<Record, CoreError> {
        let (models, parsed) =
            if self.format == Format::Csv { self.of_csv(record) } else { self.of_json(record) }
                .ok_or_else(|| self.not_a_record(path, line, &String::from_utf8_lossy(record)))?;
        let expected: Vec<&str> = self.columns.iter().map(|column| column.label.as_str()).collect();
        if models.iter().any(|model| !expected.contains(&model.as_str())) {
            let (path, expected, found) = (path.into(), expected.join(", "), models.join(", "));
            return Err(CoreError::OtherResults { path, what: "model", expected, found });
        }
        Ok(parsed)
    }

    /// With the models it is of, as far as the record says.
    fn of_csv(&self, record: &[u8]) -> Option<(Vec<String>, Record)> {
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(record);
        let row = reader.records().next()?.ok()?;
        let fields: Vec<&str> = row.iter().collect();
        let [path, reference, cells @ .., key] = &fields[..] else { return None };
        let (models, scores) = match cells {
            [model, score, _, _, _, _] if self.single().is_some() => {
                (vec![(*model).to_owned()], &[*score][..])
            }
            cells if self.single().is_none() && cells.len() == self.columns.len() => (Vec::new(), cells),
            _ => return None,
        };
        let finite = |text: &str| text.parse().ok().filter(|score: &f64| score.is_finite());
        let score = |text: &&str| if text.is_empty() { Some(None) } else { finite(text).map(Some) };
        let scores = scores.iter().map(score).collect::<Option<Vec<Option<f64>>>>()?;
        let reference = (!reference.is_empty()).then(|| (*reference).to_owned());
        Some((models, Record { path: (*path).into(), reference, scores, key: (*key).into() }))
    }

    fn of_json(&self, record: &[u8]) -> Option<(Vec<String>, Record)> {
        let row: serde_json::Value = serde_json::from_slice(record).ok()?;
        let text = |name: &str| row[name].as_str().map(str::to_owned);
        let score = |cell: &serde_json::Value| cell.get("score")?.as_f64();
        let (models, scores) = match self.single() {
            Some(_) => (vec![text("model")?], vec![Some(score(&row)?)]),
            None => {
                let cells = row.get("scores")?.as_object()?;
                let scores = self.columns.iter().map(|column| cells.get(&column.label).and_then(score));
                (cells.keys().cloned().collect(), scores.collect())
            }
        };
        Some((
            models,
            Record { path: text("path")?, reference: text("reference"), scores, key: text("key")? },
        ))
    }
}

/// A line of CSV (RFC 4180).
fn csv_line<'a>(fields: impl IntoIterator<Item = &'a str>) -> std::io::Result<String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(fields)?;
    let bytes = writer.into_inner().map_err(csv::IntoInnerError::into_error)?;
    String::from_utf8(bytes).map_err(std::io::Error::other)
}
