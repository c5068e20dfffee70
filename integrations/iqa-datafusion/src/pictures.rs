//! A column of pictures: contents of files, or their paths and URLs.

use std::path::Path;

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::datatypes::DataType;
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::ColumnarValue;
use iqa_models::core::{DecodeOptions, decode_image, read_image};
use iqa_models::image::RgbImage;

use crate::remote::{Fetched, fetch, is_url};

/// What a row has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source<'a> {
    Content(&'a [u8]),
    Place(&'a str),
}

/// The type that a column of pictures is taken as; none where it cannot be one.
pub(crate) fn taken_as(given: &DataType) -> Option<DataType> {
    match given {
        DataType::Utf8
        | DataType::LargeUtf8
        | DataType::Utf8View
        | DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView => Some(given.clone()),
        DataType::Dictionary(_, values) => taken_as(values),
        DataType::Null => Some(DataType::Utf8),
        _ => None,
    }
}

/// The pictures of a batch, read one by one.
pub(crate) struct Pictures {
    /// What an error calls one without a name.
    called: &'static str,
    values: ArrayRef,
    /// Whether all rows have the first value.
    constant: bool,
    rows: usize,
    fetched: Option<Fetched>,
}

impl Pictures {
    /// Those of an argument of one of the types of [`taken_as`]; what comes from elsewhere begins to arrive.
    pub(crate) fn new(
        called: &'static str,
        argument: &ColumnarValue,
        rows: usize,
        config: &ConfigOptions,
    ) -> Result<Self> {
        let (values, constant) = match argument {
            ColumnarValue::Array(values) => (values.clone(), false),
            ColumnarValue::Scalar(value) => (value.to_array()?, true),
        };
        let mut pictures = Self { called, values, constant, rows, fetched: None };
        let urls: Vec<(usize, String)> = (0..rows)
            .filter(|&row| !pictures.is_again(row))
            .filter_map(|row| match pictures.source(row) {
                Some(Source::Place(place)) if is_url(place) => Some((row, place.to_owned())),
                _ => None,
            })
            .collect();
        pictures.fetched = (!urls.is_empty()).then(|| fetch(urls, config));
        Ok(pictures)
    }

    /// Whether a row has the picture of the row before.
    pub(crate) fn is_again(&self, row: usize) -> bool {
        row > 0 && row < self.rows && self.source(row - 1) == self.source(row)
    }

    /// The picture of a row, or why there is none; rows in their order, each once at most, and not [again](Self::is_again).
    pub(crate) fn read(&mut self, row: usize) -> Result<RgbImage, String> {
        let decode = DecodeOptions::default();
        let read = match self.source(row) {
            None => return Err(format!("no {}", self.called)),
            Some(Source::Content(content)) => decode_image(content, self.called, &decode),
            Some(Source::Place(place)) if is_url(place) => {
                let place = place.to_owned();
                decode_image(&self.fetched(row, &place)?, &place, &decode)
            }
            Some(Source::Place(place)) => read_image(Path::new(place), &decode),
        };
        read.map_err(|error| error.to_string())
    }

    /// The content of the file of a row, or why there is none; rows as for [`Self::read`].
    pub(crate) fn content(&mut self, row: usize) -> Result<Vec<u8>, String> {
        match self.source(row) {
            None => Err(format!("no {}", self.called)),
            Some(Source::Content(content)) => Ok(content.to_vec()),
            Some(Source::Place(place)) if is_url(place) => {
                let place = place.to_owned();
                self.fetched(row, &place)
            }
            Some(Source::Place(place)) => std::fs::read(place).map_err(|error| format!("{place}: {error}")),
        }
    }

    fn fetched(&mut self, row: usize, place: &str) -> Result<Vec<u8>, String> {
        let content = self.fetched.as_mut().and_then(|fetched| fetched.take(row));
        let content = content.unwrap_or_else(|| Err("it did not arrive".into()));
        content.map_err(|reason| format!("{place}: {reason}"))
    }

    fn source(&self, row: usize) -> Option<Source<'_>> {
        let row = if self.constant { 0 } else { row };
        if self.values.is_null(row) {
            return None;
        }
        Some(match self.values.data_type() {
            DataType::Utf8 => Source::Place(self.values.as_string::<i32>().value(row)),
            DataType::LargeUtf8 => Source::Place(self.values.as_string::<i64>().value(row)),
            DataType::Utf8View => Source::Place(self.values.as_string_view().value(row)),
            DataType::Binary => Source::Content(self.values.as_binary::<i32>().value(row)),
            DataType::LargeBinary => Source::Content(self.values.as_binary::<i64>().value(row)),
            DataType::BinaryView => Source::Content(self.values.as_binary_view().value(row)),
            _ => return None,
        })
    }
}
