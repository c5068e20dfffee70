//! A reader for the MATLAB 5 files that hold the labels of LIVE and LIVE Challenge: arrays of numbers, texts and
//! cells of texts, compressed or not.
//!
//! Source: The MathWorks, "MAT-File Format", the chapter on level 5 files.

use std::io::Read;
use std::path::{Path, PathBuf};

use crate::DatasetError;

const HEADER: usize = 128;
/// Cells within cells that are followed; label files hold one layer.
const MAX_DEPTH: usize = 8;
/// Largest size of a decompressed variable, in bytes: a label list takes less than one MiB.
const MAX_INFLATED: u64 = 64 << 20;

/// The variables of a file.
#[derive(Debug)]
pub(crate) struct MatFile {
    path: PathBuf,
    variables: Vec<(String, Value)>,
}

#[derive(Debug, PartialEq)]
enum Value {
    /// In column-major order.
    Numbers(Vec<f64>),
    Text(String),
    Cell(Vec<Value>),
    /// A class that no label file uses: structures, objects, sparse arrays, complex numbers.
    Other,
}

impl MatFile {
    pub(crate) fn open(path: &Path) -> Result<Self, DatasetError> {
        let bytes = std::fs::read(path).map_err(|source| DatasetError::Io { path: path.into(), source })?;
        let variables = parse(&bytes)
            .map_err(|expected| DatasetError::Mat { path: path.into(), expected: expected.into() })?;
        Ok(Self { path: path.into(), variables })
    }

    /// The numbers of an array, whatever its shape.
    pub(crate) fn numbers(&self, name: &str) -> Result<&[f64], DatasetError> {
        match self.variable(name) {
            Some(Value::Numbers(numbers)) => Ok(numbers),
            _ => Err(self.error(format!("a numeric array `{name}`"))),
        }
    }

    /// The texts of a cell array, whatever its shape.
    pub(crate) fn texts(&self, name: &str) -> Result<Vec<&str>, DatasetError> {
        let expected = || self.error(format!("a cell array of texts `{name}`"));
        let Some(Value::Cell(cells)) = self.variable(name) else { return Err(expected()) };
        cells
            .iter()
            .map(|cell| match cell {
                Value::Text(text) => Ok(text.as_str()),
                _ => Err(expected()),
            })
            .collect()
    }

    /// An error about this file.
    pub(crate) fn error(&self, expected: String) -> DatasetError {
        DatasetError::Mat { path: self.path.clone(), expected }
    }

    fn variable(&self, name: &str) -> Option<&Value> {
        self.variables.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }
}

/// Reads a file; the error says what was expected.
fn parse(bytes: &[u8]) -> Result<Vec<(String, Value)>, &'static str> {
    if bytes.starts_with(b"MATLAB 7.3") || bytes.starts_with(b"\x89HDF") {
        return Err("a MATLAB 5 file, not one of version 7.3 (save it with `-v7`)");
    }
    let header = bytes.get(..HEADER).ok_or("a MATLAB 5 file, with a header of 128 bytes")?;
    let big_endian = match &header[126..] {
        b"IM" => false,
        b"MI" => true,
        _ => return Err("a MATLAB 5 file, with the mark `IM` or `MI` at byte 126"),
    };
    let mut cursor = Cursor { bytes: &bytes[HEADER..], big_endian };
    let mut variables = Vec::new();
    while !cursor.bytes.is_empty() {
        let (kind, data) = cursor.element()?;
        match kind {
            COMPRESSED => {
                let mut inflated = Vec::new();
                flate2::read::ZlibDecoder::new(data)
                    .take(MAX_INFLATED + 1)
                    .read_to_end(&mut inflated)
                    .map_err(|_| "a whole zlib stream in a compressed variable")?;
                if inflated.len() as u64 > MAX_INFLATED {
                    return Err("a variable of at most 64 MiB");
                }
                let (kind, data) = Cursor { bytes: &inflated, big_endian }.element()?;
                if kind == MATRIX {
                    variables.push(matrix(Cursor { bytes: data, big_endian }, 0)?);
                }
            }
            MATRIX => variables.push(matrix(Cursor { bytes: data, big_endian }, 0)?),
            _ => {}
        }
    }
    Ok(variables)
}

// Data types, table 1-1 of the source.
const INT8: u32 = 1;
const UINT8: u32 = 2;
const INT16: u32 = 3;
const UINT16: u32 = 4;
const INT32: u32 = 5;
const UINT32: u32 = 6;
const SINGLE: u32 = 7;
const DOUBLE: u32 = 9;
const INT64: u32 = 12;
const UINT64: u32 = 13;
const MATRIX: u32 = 14;
const COMPRESSED: u32 = 15;
const UTF8: u32 = 16;
const UTF16: u32 = 17;

// Array classes, table 1-3.
const CELL_CLASS: u8 = 1;
const CHAR_CLASS: u8 = 4;
/// Doubles, singles and the integers of 8 to 64 bits.
const NUMERIC_CLASSES: std::ops::RangeInclusive<u8> = 6..=15;
/// Bit of the flags that says an array is complex.
const COMPLEX: u8 = 0x08;

struct Cursor<'a> {
    bytes: &'a [u8],
    big_endian: bool,
}

impl<'a> Cursor<'a> {
    /// The next data element: its type and its bytes without padding.
    fn element(&mut self) -> Result<(u32, &'a [u8]), &'static str> {
        const CUT: &str = "a whole data element (the file is cut short or corrupt)";
        let tag = self.bytes.get(..8).ok_or(CUT)?;
        let first = self.u32(&tag[..4]);
        // The small format: type and size share four bytes, the data take the next four.
        if first >> 16 != 0 {
            let size = (first >> 16) as usize;
            let data = tag.get(4..4 + size).ok_or(CUT)?;
            self.bytes = &self.bytes[8..];
            return Ok((first & 0xffff, data));
        }
        let size = self.u32(&tag[4..]) as usize;
        let data = self.bytes[8..].get(..size).ok_or(CUT)?;
        // Padded to 8 bytes, except compressed elements; the padding of the last may be missing.
        let padded = if first == COMPRESSED { size } else { size.next_multiple_of(8) };
        self.bytes = self.bytes.get(8 + padded..).unwrap_or_default();
        Ok((first, data))
    }

    fn u32(&self, bytes: &[u8]) -> u32 {
        let mut word = [0; 4];
        word.copy_from_slice(bytes);
        if self.big_endian { u32::from_be_bytes(word) } else { u32::from_le_bytes(word) }
    }

    /// Stored numbers, of any type, as `f64`: 64-bit integers above 2^53 are rounded.
    fn numbers(&self, kind: u32, data: &[u8]) -> Result<Vec<f64>, &'static str> {
        macro_rules! read {
            ($type:ty) => {{
                let (words, rest) = data.as_chunks::<{ size_of::<$type>() }>();
                if !rest.is_empty() {
                    return Err("data that fill whole numbers");
                }
                let number = |&word| {
                    if self.big_endian { <$type>::from_be_bytes(word) } else { <$type>::from_le_bytes(word) }
                };
                Ok(words.iter().map(|word| number(word) as f64).collect())
            }};
        }
        match kind {
            INT8 => read!(i8),
            UINT8 => read!(u8),
            INT16 => read!(i16),
            UINT16 => read!(u16),
            INT32 => read!(i32),
            UINT32 => read!(u32),
            SINGLE => read!(f32),
            DOUBLE => read!(f64),
            INT64 => read!(i64),
            UINT64 => read!(u64),
            _ => Err("a numeric data type"),
        }
    }

    fn text(&self, kind: u32, data: &[u8]) -> Result<String, &'static str> {
        const BAD: &str = "text in UTF-8 or UTF-16";
        match kind {
            UTF8 | INT8 | UINT8 => String::from_utf8(data.to_vec()).map_err(|_| BAD),
            UINT16 | UTF16 => {
                let (words, rest) = data.as_chunks::<2>();
                let unit =
                    |&word| if self.big_endian { u16::from_be_bytes(word) } else { u16::from_le_bytes(word) };
                if !rest.is_empty() {
                    return Err(BAD);
                }
                String::from_utf16(&words.iter().map(unit).collect::<Vec<_>>()).map_err(|_| BAD)
            }
            _ => Err(BAD),
        }
    }
}

/// The parts of an array element: flags, dimensions, name, then the data of its class.
fn matrix(mut cursor: Cursor, depth: usize) -> Result<(String, Value), &'static str> {
    // MATLAB writes an empty cell as an element without parts.
    if cursor.bytes.is_empty() {
        return Ok((String::new(), Value::Numbers(Vec::new())));
    }
    let (_, flags) = cursor.element()?;
    let flags = cursor.u32(flags.get(..4).ok_or("array flags of 8 bytes")?).to_le_bytes();
    let (class, flags) = (flags[0], flags[1]);
    let (kind, dimensions) = cursor.element()?;
    let dimensions = cursor.numbers(kind, dimensions)?;
    let length: f64 = dimensions.iter().product();
    let (kind, name) = cursor.element()?;
    let name = cursor.text(kind, name)?;
    let value = match class {
        CELL_CLASS => {
            if depth == MAX_DEPTH {
                return Err("cells nested at most 8 deep");
            }
            let mut cells = Vec::new();
            while !cursor.bytes.is_empty() {
                let (kind, data) = cursor.element()?;
                if kind != MATRIX {
                    return Err("arrays in a cell array");
                }
                cells.push(matrix(Cursor { bytes: data, big_endian: cursor.big_endian }, depth + 1)?.1);
            }
            if cells.len() as f64 != length {
                return Err("as many cells as the dimensions say");
            }
            Value::Cell(cells)
        }
        CHAR_CLASS => {
            let (kind, data) = cursor.element()?;
            // Stored by columns: only one row reads as text.
            if dimensions.first().is_some_and(|&rows| rows > 1.0) {
                return Err("texts of one row");
            }
            Value::Text(cursor.text(kind, data)?)
        }
        class if NUMERIC_CLASSES.contains(&class) && flags & COMPLEX == 0 => {
            let (kind, data) = cursor.element()?;
            let numbers = cursor.numbers(kind, data)?;
            if numbers.len() as f64 != length {
                return Err("as many numbers as the dimensions say");
            }
            Value::Numbers(numbers)
        }
        _ => Value::Other,
    };
    Ok((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixture(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/mat").join(name)
    }

    /// Values as written by SciPy: see `tests/fixtures/generate.py`.
    fn check(file: &MatFile) {
        assert_eq!(file.numbers("row").expect("row"), [-2.5, 0.0, 1e300]);
        assert_eq!(file.numbers("matrix").expect("matrix"), [1.0, 3.0, 5.0, 2.0, 4.0, 6.0]);
        assert_eq!(file.numbers("single").expect("single"), [0.5, -1.25]);
        assert_eq!(file.numbers("int8").expect("int8"), [-128.0, 127.0]);
        assert_eq!(file.numbers("uint8").expect("uint8"), [0.0, 255.0, 7.0]);
        assert_eq!(file.numbers("int16").expect("int16"), [-32768.0, 32767.0]);
        assert_eq!(file.numbers("uint32").expect("uint32"), [4_294_967_295.0]);
        assert_eq!(file.numbers("int64").expect("int64"), [-9_007_199_254_740_992.0]);
        assert_eq!(file.numbers("logical").expect("logical"), [1.0, 0.0, 1.0]);
        assert_eq!(file.texts("names").expect("names"), ["a.bmp", "", "a longer name.bmp", "größe.JPG"]);
        assert!(file.numbers("none").is_err() && file.numbers("names").is_err());
        assert!(file.texts("row").is_err() && file.texts("mixed").is_err());
        assert!(file.numbers("complex").is_err() && file.numbers("structure").is_err());
    }

    #[test]
    fn arrays_cells_and_texts_are_read_as_scipy_wrote_them() {
        for name in ["plain.mat", "compressed.mat"] {
            check(&MatFile::open(&fixture(name)).expect("reads"));
        }
    }

    #[test]
    fn big_endian_files_with_narrow_storage_are_read() {
        // Laid out by hand after the format's chapter: a 1x3 double array stored as int16, and a small element.
        let mut bytes = vec![b' '; 124];
        bytes.extend([1, 0, b'M', b'I']);
        let word = |bytes: &mut Vec<u8>, value: u32| bytes.extend(value.to_be_bytes());
        word(&mut bytes, MATRIX);
        word(&mut bytes, 16 + 16 + 8 + 16);
        for value in [UINT32, 8, 6, 0, INT32, 8, 1, 3, (1 << 16) | INT8] {
            word(&mut bytes, value);
        }
        bytes.extend(*b"x\0\0\0");
        word(&mut bytes, INT16);
        word(&mut bytes, 6);
        bytes.extend([0xff, 0xfe, 0x00, 0x01, 0x01, 0x00, 0, 0]);
        let variables = parse(&bytes).expect("reads");
        assert_eq!(variables, [("x".to_owned(), Value::Numbers(vec![-2.0, 1.0, 256.0]))]);
    }

    #[test]
    fn damaged_files_give_errors() {
        for name in ["plain.mat", "compressed.mat"] {
            let whole = std::fs::read(fixture(name)).expect("fixture");
            for length in 0..whole.len() {
                // Any outcome but a panic; a cut between two variables is a shorter, valid file.
                let _ = parse(&whole[..length]);
            }
            for position in 0..whole.len() {
                for value in [0, 0x7f, 0xff] {
                    let mut damaged = whole.clone();
                    damaged[position] = value;
                    let _ = parse(&damaged);
                }
            }
            assert!(parse(&whole[..whole.len() - 9]).is_err());
        }
        let mut hdf5 = b"MATLAB 7.3 MAT-file".to_vec();
        hdf5.resize(600, 0);
        assert!(parse(&hdf5).expect_err("7.3").contains("-v7"));
        let missing = MatFile::open(Path::new("/nowhere/dmos.mat")).expect_err("missing").to_string();
        assert!(missing.contains("/nowhere/dmos.mat"), "{missing}");
    }
}
