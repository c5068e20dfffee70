//! Results as a page for a browser: one file that needs nothing else, neither network nor other files.
//!
//! [`Page::of_scores`] shows scored images, [`Page::of_evaluation`] what [`evaluate`](crate::evaluate) left in a folder. A page of
//! other tables and charts is made of the parts. All text is escaped. The same content gives the same bytes.
//!
//! ```
//! use iqa_evaluate::html::{Cell, Column, Page, Section, Table};
//! let mut table = Table::new(vec![Column::text("image"), Column::number("score")]);
//! table.rows.push(vec![Cell::text("<one>.png"), Cell::number(0.73)]);
//! let page = Page { title: "Mine".into(), facts: vec![], sections: vec![Section::table("Images", table)] };
//! assert!(page.html().contains("&lt;one&gt;.png"));
//! # let folder = tempfile::tempdir()?;
//! page.write(&folder.path().join("page.html"))?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod chart;
mod evaluation;
mod markup;
mod picture;
mod scored;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use iqa_core::{CoreError, write_atomically};

pub use chart::{Chart, Dot};
pub use picture::{MAX_SIDE, Picture};
pub use scored::{ScoredImage, ScoredImages, ScoredModel};

use crate::EvaluateError;

/// The first line of every page: what begins with it may be replaced.
const FIRST_LINE: &str = "<!doctype html><!-- made by iqa-models, which may replace this file -->\n";

/// A page.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// Its title.
    pub title: String,
    /// Sentences below it.
    pub facts: Vec<String>,
    /// What follows, in this order.
    pub sections: Vec<Section>,
}

/// A part of a page, with a heading.
#[derive(Clone, Debug, PartialEq)]
pub struct Section {
    /// The heading.
    pub heading: String,
    /// Sentences below it.
    pub about: Vec<String>,
    /// What it shows.
    pub content: Content,
}

/// What a section shows.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Content {
    /// A table.
    Table(Table),
    /// Charts beside each other.
    Charts(Vec<Chart>),
    /// A list of what went wrong.
    Failures(Vec<String>),
}

impl Section {
    /// A table, without sentences about it.
    pub fn table(heading: &str, table: Table) -> Self {
        Self { heading: heading.into(), about: Vec::new(), content: Content::Table(table) }
    }
}

/// A table. One of several rows is sorted by a click on the name of a column.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// Its columns.
    pub columns: Vec<Column>,
    /// Its rows, each with a cell for each column.
    pub rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A table without rows.
    pub fn new(columns: Vec<Column>) -> Self {
        Self { columns, rows: Vec::new() }
    }
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// What its head says.
    pub name: String,
    /// What it holds.
    pub kind: ColumnKind,
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnKind {
    /// Text, sorted as people order it.
    Text,
    /// Numbers, sorted by value.
    Number,
    /// Pictures, by which nothing is sorted.
    Pictures,
}

impl Column {
    /// A column of text.
    pub fn text(name: &str) -> Self {
        Self { name: name.into(), kind: ColumnKind::Text }
    }

    /// A column of numbers.
    pub fn number(name: &str) -> Self {
        Self { name: name.into(), kind: ColumnKind::Number }
    }

    /// A column of pictures.
    pub fn pictures(name: &str) -> Self {
        Self { name: name.into(), kind: ColumnKind::Pictures }
    }
}

/// A cell of a table.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Cell {
    /// Text.
    Text(String),
    /// A number.
    Number {
        /// It.
        value: f64,
        /// Digits after the point that are shown.
        digits: usize,
        /// Whether to mark it as outside of its range.
        outside: bool,
    },
    /// A picture.
    Picture(Picture),
    /// Nothing; is sorted last.
    Missing,
}

impl Cell {
    /// Text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A number, shown with four digits after the point; nothing for NaN.
    pub fn number(value: impl Into<Option<f64>>) -> Self {
        match value.into() {
            Some(value) if !value.is_nan() => Self::Number { value, digits: 4, outside: false },
            _ => Self::Missing,
        }
    }

    /// A whole number.
    pub fn count(value: usize) -> Self {
        Self::Number { value: value as f64, digits: 0, outside: false }
    }
}

impl Page {
    /// The page as HTML.
    pub fn html(&self) -> String {
        markup::page(self)
    }

    /// Writes the page.
    ///
    /// # Errors
    /// As [`Self::check_target`]; [`CoreError::Io`] where it cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), EvaluateError> {
        Self::check_target(path)?;
        Ok(write_atomically(path, self.html().as_bytes())?)
    }

    /// That a page may be written there: where there is nothing, an empty file, or a page.
    ///
    /// # Errors
    /// [`EvaluateError::NotAPage`] for what else is there; [`CoreError::Io`] where that cannot be read.
    pub fn check_target(path: &Path) -> Result<(), EvaluateError> {
        let io = |source| EvaluateError::Core(CoreError::Io { path: path.into(), source });
        let foreign = || EvaluateError::NotAPage { path: path.into() };
        match std::fs::metadata(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(io(error)),
            // Before it is opened: a pipe would be waited for.
            Ok(found) if !found.is_file() => return Err(foreign()),
            Ok(_) => {}
        }
        let mut start = Vec::new();
        let length = FIRST_LINE.len() as u64;
        File::open(path).map_err(io)?.take(length).read_to_end(&mut start).map_err(io)?;
        if start.is_empty() || start == FIRST_LINE.as_bytes() { Ok(()) } else { Err(foreign()) }
    }
}
