//! Pictures on disk, and tables of queries.
#![allow(dead_code, reason = "each test uses its part")]

use std::path::{Path, PathBuf};

use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::compute::concat_batches;
use datafusion::arrow::datatypes::Float64Type;
use datafusion::prelude::SessionContext;
use iqa_datafusion::session::{Sizes, embedded};
use iqa_models::image::{self, ImageFormat, imageops};
use iqa_models::{Device, Pair, Scorer, Scorers};
use tempfile::TempDir;

/// Pictures that are cut out of one, two next to each other of the same reference: `dist/` as JPEG, `ref/` as PNG.
pub(crate) struct Pictures {
    pub(crate) folder: TempDir,
}

impl Pictures {
    pub(crate) fn new(count: u32, side: u32) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/images/flowers.png");
        let source = image::open(source).expect("the picture of the examples").to_rgb8();
        let (width, height) = (source.width() - side, source.height() - side);
        for kind in ["dist", "ref"] {
            std::fs::create_dir(folder.path().join(kind)).expect("a folder");
        }
        for index in 0..count {
            let place = index / 2;
            let (x, y) = (place * 37 % width, place * 53 % height);
            let reference = imageops::crop_imm(&source, x, y, side, side).to_image();
            reference.save(folder.path().join(format!("ref/{index:04}.png"))).expect("writes");
            let distorted = imageops::blur(&reference, 0.5 + (index % 7) as f32 / 4.0);
            let path = folder.path().join(format!("dist/{index:04}.jpg"));
            distorted.save_with_format(path, ImageFormat::Jpeg).expect("writes");
        }
        Self { folder }
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().expect("UTF-8").to_owned()
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A Parquet file of `path`, `reference_path` and the contents `distorted` and `reference`, in row groups of `rows`.
    pub(crate) async fn contents(&self, rows: usize) -> String {
        let path = self.path("pictures.parquet");
        let statement = format!(
            "COPY (SELECT distorted AS path, reference AS reference_path, iqa_read(distorted) AS distorted,
                iqa_read(reference) AS reference FROM iqa_pairs('{}', '{}') ORDER BY path)
             TO '{path}' STORED AS PARQUET OPTIONS ('format.max_row_group_size' {rows})",
            self.path("dist"),
            self.path("ref")
        );
        query(&session(2, 16), &statement).await;
        path
    }

    /// What `iqa score` gives of the pairs, sorted by path: a value a model; none of what cannot be scored.
    pub(crate) fn scores(&self, models: &[&str]) -> Vec<Vec<Option<f64>>> {
        let open = |name: &&str| Scorer::new(name, &Device::flex()).expect("opens");
        let scorers = Scorers::new(models.iter().map(open).collect());
        let mut names: Vec<PathBuf> = list(&self.file("dist"));
        names.sort();
        let references: Vec<PathBuf> = names
            .iter()
            .map(|name| self.file("ref").join(name.file_name().expect("a name")).with_extension("png"))
            .collect();
        let pairs: Vec<Pair<'_>> = names.iter().zip(&references).map(|(d, r)| Pair::new(d, r)).collect();
        let mut all = Vec::new();
        let each = |_: usize, scores: iqa_models::Scores| {
            all.push(match scores {
                Ok(scores) => scores.into_iter().map(|score| score.ok().map(|score| score.value)).collect(),
                Err(_) => vec![None; models.len()],
            });
            Ok::<(), iqa_models::ModelError>(())
        };
        scorers.score_pairs(&pairs, each).expect("scores");
        all
    }
}

pub(crate) fn list(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder).expect("lists").map(|entry| entry.expect("lists").path()).collect()
}

pub(crate) fn session(partitions: usize, batch: usize) -> SessionContext {
    embedded(Sizes { partitions, batch }).expect("a session")
}

/// The table of a statement, as one batch.
pub(crate) async fn query(context: &SessionContext, statement: &str) -> RecordBatch {
    attempt(context, statement).await.unwrap_or_else(|error| panic!("{statement}: {error}"))
}

pub(crate) async fn attempt(
    context: &SessionContext,
    statement: &str,
) -> datafusion::error::Result<RecordBatch> {
    let result = context.sql(statement).await?;
    let schema = result.schema().inner().clone();
    Ok(concat_batches(&schema, &result.collect().await?)?)
}

pub(crate) fn doubles(table: &RecordBatch, column: &str) -> Vec<Option<f64>> {
    table.column_by_name(column).expect("the column").as_primitive::<Float64Type>().iter().collect()
}

pub(crate) fn texts(table: &RecordBatch, column: &str) -> Vec<Option<String>> {
    let column = table.column_by_name(column).expect("the column");
    let column = datafusion::arrow::compute::cast(column, &datafusion::arrow::datatypes::DataType::Utf8);
    let column = column.expect("texts");
    (0..column.len())
        .map(|row| column.is_valid(row).then(|| column.as_string::<i32>().value(row).to_owned()))
        .collect()
}

/// Bit for bit.
pub(crate) fn same(found: &[Option<f64>], expected: &[Option<f64>]) -> bool {
    let bits =
        |values: &[Option<f64>]| values.iter().map(|value| value.map(f64::to_bits)).collect::<Vec<_>>();
    bits(found) == bits(expected)
}
