//! What is known of a published set: where its crops lie, and what people said of its images.

use std::collections::BTreeMap;
use std::path::Path;

use crate::DatasetError;
use crate::readers::{Place, Table};

/// Where a reference of a published set was cut from a photograph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedCrop {
    /// File name of the photograph, without extension.
    pub photograph: String,
    /// Number of the reference in the set, from 1.
    pub reference: usize,
    /// Column and row of the upper left corner.
    pub corner: (u32, u32),
}

impl PublishedCrop {
    /// Reads a CSV file with the columns `photograph`, `reference` (`I07` or `7`), `x` and `y`.
    ///
    /// # Errors
    /// [`DatasetError::Io`], [`DatasetError::Column`], and [`DatasetError::Malformed`] for what is no number, and for
    /// a photograph or reference that comes twice.
    pub fn read(path: &Path) -> Result<Vec<Self>, DatasetError> {
        let table = Table::read(path)?;
        let [photograph, reference, x, y] = [
            table.need(&["photograph"])?,
            table.need(&["reference"])?,
            table.need(&["x"])?,
            table.need(&["y"])?,
        ];
        let mut crops: Vec<Self> = Vec::with_capacity(table.records.len());
        for (line, record) in &table.records {
            let place = Place { labels: path, line: *line };
            let field = |column: usize| record.get(column).unwrap_or_default();
            let offset = |column: usize| {
                let text = field(column);
                text.parse().map_err(|_| place.malformed("an offset in pixels: a whole number", text))
            };
            let crop = Self {
                photograph: field(photograph).to_owned(),
                reference: number(&place, field(reference))?,
                corner: (offset(x)?, offset(y)?),
            };
            let again =
                |known: &Self| known.photograph == crop.photograph || known.reference == crop.reference;
            if crops.iter().any(again) {
                return Err(place.malformed(
                    "a photograph and a reference once each",
                    format!("{}, {}", field(photograph), field(reference)),
                ));
            }
            crops.push(crop);
        }
        Ok(crops)
    }
}

/// The number of a reference, which may be written as in the set.
fn number(place: &Place<'_>, text: &str) -> Result<usize, DatasetError> {
    let digits = text.strip_prefix(['I', 'i']).unwrap_or(text);
    let number = digits.parse().ok().filter(|&number| number > 0);
    number.ok_or_else(|| place.malformed("a reference such as I07", text))
}

/// Mean opinions of the images of a published set.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Opinions {
    /// The mean and its deviation, by reference, type and level.
    means: BTreeMap<(usize, u8, u8), (f64, Option<f64>)>,
}

impl Opinions {
    /// Reads a CSV file with the columns `reference` (`I07` or `7`), `type` and `level` (numbers), `mos` and, if
    /// there, `std` or `variance`.
    ///
    /// Values of either name are handed on as deviations: those that TID2013 publishes in `mos_std.txt` are too small
    /// for variances of votes, and go by both names.
    ///
    /// # Errors
    /// [`DatasetError::Io`], [`DatasetError::Column`], and [`DatasetError::Malformed`] for what is no number, and for
    /// an image that comes twice.
    pub fn read(path: &Path) -> Result<Self, DatasetError> {
        let table = Table::read(path)?;
        let [reference, type_id, level, mos] = [
            table.need(&["reference"])?,
            table.need(&["type"])?,
            table.need(&["level"])?,
            table.need(&["mos"])?,
        ];
        let std = table.find(&["std", "variance"])?;
        let mut means = BTreeMap::new();
        for (line, record) in &table.records {
            let place = Place { labels: path, line: *line };
            let field = |column: usize| record.get(column).unwrap_or_default();
            let small = |column: usize, expected| {
                field(column).parse().map_err(|_| place.malformed(expected, field(column)))
            };
            let image = (
                number(&place, field(reference))?,
                small(type_id, "the number of a type")?,
                small(level, "the number of a level")?,
            );
            let std = std.map(field).filter(|text| !text.is_empty());
            let opinion = (place.score(field(mos))?, std.map(|text| place.std(text)).transpose()?);
            if means.insert(image, opinion).is_some() {
                return Err(place.malformed("each image once", record.iter().collect::<Vec<_>>().join(",")));
            }
        }
        Ok(Self { means })
    }

    /// The mean opinion of an image and its deviation.
    pub fn of(&self, reference: usize, type_id: u8, level: u8) -> Option<(f64, Option<f64>)> {
        self.means.get(&(reference, type_id, level)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), text).expect("writes");
        file
    }

    #[test]
    fn crops_are_read_by_name_and_number() {
        let list = file("photograph,reference,y,x\nkodim07,I07,3,104\nb,12,0,0\n");
        let crops = PublishedCrop::read(list.path()).expect("reads");
        let expected = |photograph: &str, reference, corner| PublishedCrop {
            photograph: photograph.into(),
            reference,
            corner,
        };
        assert_eq!(crops, [expected("kodim07", 7, (104, 3)), expected("b", 12, (0, 0))]);
    }

    #[test]
    fn opinions_are_read_with_their_deviation() {
        let list = file("reference,type,level,mos,variance,dssim\nI07,1,2,5.5,0.12,0.01\nI07,1,3,4.5,,\n");
        let opinions = Opinions::read(list.path()).expect("reads");
        assert_eq!(opinions.of(7, 1, 2), Some((5.5, Some(0.12))));
        assert_eq!(opinions.of(7, 1, 3), Some((4.5, None)));
        assert_eq!(opinions.of(8, 1, 3), None);
    }

    #[test]
    fn bad_lines_are_named() {
        let crop = |text: &str| {
            let list = file(&format!("photograph,reference,x,y\n{text}\n"));
            PublishedCrop::read(list.path()).expect_err("refused").to_string()
        };
        assert!(crop("a,I07,-1,0").contains("line 2: expected an offset in pixels"));
        assert!(crop("a,none,1,0").contains("line 2: expected a reference such as I07, found `none`"));
        assert!(crop("a,7,1,0\nb,I07,1,0").contains("line 3: expected a photograph and a reference once"));
        let opinion = |text: &str| {
            let list = file(&format!("reference,type,level,mos\n{text}\n"));
            Opinions::read(list.path()).expect_err("refused").to_string()
        };
        assert!(opinion("I07,1,1,good").contains("line 2"));
        assert!(opinion("I07,white_noise,1,4").contains("the number of a type, found `white_noise`"));
        assert!(opinion("I07,1,1,4\nI07,1,1,5").contains("line 3: expected each image once"));
    }
}
