//! CSIQ.

use std::collections::BTreeMap;
use std::io::{Read, Seek};
use std::path::Path;

use calamine::{Data, DataType, Reader, Xlsx, XlsxError};

use super::collect::{Collector, Place, Rating, lines};
use super::entry::{Counts, Entry};
use super::tree::Tree;
use crate::dataset::{DataSet, ScoreScale};
use crate::{DatasetError, Strictness};

pub(super) static CSIQ: Entry = Entry {
    name: "csiq",
    title: "CSIQ",
    citation: "E. C. Larson, D. M. Chandler, \"Most apparent distortion: full-reference image quality assessment and \
               the role of strategy\", Journal of Electronic Imaging 19(1), 2010",
    scale: ScoreScale::dmos(0.0, 1.0),
    counts: Counts {
        samples: 866,
        references: 30,
        first_type: 1,
        // Contrast has three levels for elk, geckos, lady_liberty and swarm, four for the other 26.
        types: &[150, 150, 150, 150, 150, 116],
    },
    open,
};
/// Token of file names in lower case, name.
const TYPES: [(&str, &str); 6] = [
    ("awgn", "white_noise"),
    ("jpeg", "jpeg"),
    ("jpeg2000", "jpeg2000"),
    ("fnoise", "pink_noise"),
    ("blur", "gaussian_blur"),
    ("contrast", "contrast_decrement"),
];
/// Rows and columns of a sheet in which the table is looked for: cells beyond are no part of it, and take no memory.
const ROWS: u32 = 16_384;
const WIDEST: u32 = 64;
/// The columns of the sheet that are read.
const COLUMNS: [&str; 5] = ["image", "dst_type", "dst_lev", "dmos_std", "dmos"];

/// One line of either label file.
struct Label {
    line: usize,
    image: String,
    token: String,
    level: u32,
    std: Option<f64>,
    dmos: f64,
}

fn open(entry: &Entry, tree: &Tree, strictness: Strictness) -> Result<DataSet, DatasetError> {
    // The spreadsheet has the deviations too.
    let (path, labels) = match tree.at("csiq.dmos.xlsx") {
        Ok(path) => {
            let labels = spreadsheet(&path)?;
            (path, labels)
        }
        Err(_) => {
            let path = tree.labels("csiq_label.txt", "csiq.DMOS.xlsx or csiq_label.txt")?;
            let labels = text(&path)?;
            (path, labels)
        }
    };
    let mut collector = Collector::new(&path, strictness);
    for Label { line, image, token, level, std, dmos } in labels {
        let place = Place { labels: &path, line };
        let known = TYPES.iter().zip(1..).find(|((known, _), _)| *known == token);
        let Some((&(_, type_name), type_id)) = known else {
            return Err(place.malformed("a type: AWGN, JPEG, jpeg2000, fnoise, BLUR or contrast", token));
        };
        let distorted = tree.anywhere(&format!("dst_imgs/{token}/{image}.{token}.{level}.png"));
        let reference = tree.anywhere(&format!("src_imgs/{image}.png"));
        let rating = Rating {
            raw: dmos,
            std,
            reference_id: Some(image.to_lowercase()),
            type_id: Some(type_id),
            type_name: Some(type_name.into()),
            level: Some(level),
        };
        collector.push(place, distorted, Some(reference), rating)?;
    }
    collector.complete(entry)
}

/// Lines like `1600.AWGN.1.png 0.061989`.
fn text(path: &Path) -> Result<Vec<Label>, DatasetError> {
    lines(path)?
        .into_iter()
        .map(|(line, text)| {
            let place = Place { labels: path, line };
            let malformed = || place.malformed("`<name>.<type>.<level>.png <dmos>`", text.as_str());
            let (file, dmos) = text.split_once(char::is_whitespace).ok_or_else(malformed)?;
            let parts: Vec<&str> = file.split('.').collect();
            let [image, token, level, _] = parts[..] else { return Err(malformed()) };
            Ok(Label {
                line,
                image: image.into(),
                token: token.to_lowercase(),
                level: level.parse().map_err(|_| malformed())?,
                std: None,
                dmos: place.score(dmos.trim())?,
            })
        })
        .collect()
}

/// The sheet with one row an image. Its table starts some rows and columns into the sheet: the header is looked for.
fn spreadsheet(path: &Path) -> Result<Vec<Label>, DatasetError> {
    let spreadsheet = |source| DatasetError::Spreadsheet { path: path.into(), source: Box::new(source) };
    let mut book: Xlsx<_> = calamine::open_workbook(path).map_err(spreadsheet)?;
    let mut names = book.sheet_names();
    names.sort_by_key(|name| !name.to_lowercase().contains("by_image"));
    for name in names {
        let sheet = read_sheet(&mut book, &name).map_err(spreadsheet)?;
        if let Some(header) = Header::find(&sheet) {
            return header.rows(path, &sheet);
        }
    }
    Err(DatasetError::Column { path: path.into(), expected: COLUMNS.join(", "), found: Vec::new() })
}

/// The cells that are not empty, by row and column from 0. A sheet as a rectangle would be as large as its farthest cell.
type Sheet = BTreeMap<u32, BTreeMap<u32, Data>>;

fn read_sheet<R: Read + Seek>(book: &mut Xlsx<R>, name: &str) -> Result<Sheet, XlsxError> {
    let mut cells = match book.worksheet_cells_reader(name) {
        Err(XlsxError::NotAWorksheet(_)) => return Ok(Sheet::new()),
        cells => cells?,
    };
    let mut sheet = Sheet::new();
    while let Some(cell) = cells.next_cell()? {
        let (row, column) = cell.get_position();
        let value = Data::from(cell.get_value().clone());
        if row < ROWS && column < WIDEST && !value.is_empty() {
            sheet.entry(row).or_default().insert(column, value);
        }
    }
    Ok(sheet)
}

/// Where the table is.
struct Header {
    row: u32,
    columns: [u32; 5],
}

impl Header {
    fn find(sheet: &Sheet) -> Option<Self> {
        sheet.iter().find_map(|(&row, cells)| {
            let mut columns = [0; 5];
            for (column, name) in columns.iter_mut().zip(COLUMNS) {
                let is_named =
                    |cell: &Data| cell.as_string().is_some_and(|text| text.trim().eq_ignore_ascii_case(name));
                *column = *cells.iter().find(|(_, cell)| is_named(cell))?.0;
            }
            Some(Self { row, columns })
        })
    }

    fn rows(&self, path: &Path, sheet: &Sheet) -> Result<Vec<Label>, DatasetError> {
        let mut labels = Vec::new();
        for (&row, cells) in sheet.range(self.row + 1..) {
            let line = row as usize + 1;
            let place = Place { labels: path, line };
            let cells = self.columns.map(|column| cells.get(&column).unwrap_or(&Data::Empty));
            if cells.iter().all(|cell| cell.is_empty()) {
                continue;
            }
            let [image, token, level, std, dmos] = cells;
            let text = |cell: &Data, expected| {
                cell.as_string()
                    .map(|text| text.trim().to_owned())
                    .filter(|text| !text.is_empty())
                    .ok_or_else(|| place.malformed(expected, cell.to_string()))
            };
            let number = |cell: &Data, expected| {
                cell.as_f64().ok_or_else(|| place.malformed(expected, cell.to_string()))
            };
            let level_number = number(level, "a level from 1 to 5")?;
            if !(1.0..=5.0).contains(&level_number) || level_number.fract() != 0.0 {
                return Err(place.malformed("a level from 1 to 5", level.to_string()));
            }
            labels.push(Label {
                line,
                // One image is called 1600, which a spreadsheet holds as a number.
                image: text(image, "the name of an image")?,
                token: token_of(&text(token, "a type")?),
                level: level_number as u32,
                std: Some(place.spread(number(std, "a standard deviation")?)?),
                dmos: place.finite(number(dmos, "a score")?)?,
            });
        }
        Ok(labels)
    }
}

/// The spreadsheet's name of a type as file names have it: "jpeg 2000" and "noise" are the odd ones.
fn token_of(name: &str) -> String {
    match name.to_lowercase().replace(' ', "").as_str() {
        "noise" => "awgn".into(),
        other => other.into(),
    }
}
