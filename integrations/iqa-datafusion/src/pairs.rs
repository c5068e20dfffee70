//! The table function `iqa_pairs('distorted/' [, 'references/'])`: pictures of a folder, each with its reference.

use std::path::Path;
use std::sync::Arc;

use ballista_core::config::BallistaConfig;
use datafusion::arrow::array::StringArray;
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::catalog::{MemTable, TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::datasource::ViewTable;
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, col, lit};
use datafusion::scalar::ScalarValue;
use iqa_models::core::{ImageFolder, images_in};

use crate::SqlError;
use crate::error::arguments;

/// A picture and its reference.
type Pair = (String, Option<String>);

/// Its name.
pub(crate) const NAME: &str = "iqa_pairs";

/// Columns `distorted` and `reference`, which is NULL where a picture has no partner: the file of the same path below the
/// folder of references, or the only one of that path but for the extension. Folders in the folders count.
#[derive(Debug)]
pub(crate) struct PairsFunction;

impl TableFunctionImpl for PairsFunction {
    fn call_with_args(&self, args: TableFunctionArgs<'_, '_>) -> Result<Arc<dyn TableProvider>> {
        let folders = args.exprs().iter().map(|expr| match expr {
            Expr::Literal(folder, _) => folder.try_as_str().flatten(),
            _ => None,
        });
        let (folder, references) = match folders.collect::<Vec<_>>()[..] {
            [Some(folder)] => (folder, None),
            [Some(folder), Some(references)] => (folder, Some(references)),
            _ => return Err(arguments(NAME, "takes one or two folders, as constant texts").into()),
        };
        let pairs = pairs(Path::new(folder), references.map(Path::new))?;
        let config = args.session().config();
        let partitions = config.target_partitions().max(1);
        // What is in memory here does not travel to a cluster; what stands in the query does.
        Ok(if config.options().extensions.get::<BallistaConfig>().is_some() {
            Arc::new(ViewTable::new(values(&pairs, partitions)?, None))
        } else {
            Arc::new(table(&pairs, partitions)?)
        })
    }
}

fn pairs(folder: &Path, references: Option<&Path>) -> Result<Vec<Pair>, SqlError> {
    let references = references.map(|references| ImageFolder::open(references, true)).transpose()?;
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let pair = |path: &std::path::PathBuf| {
        let below = path.strip_prefix(folder).unwrap_or(path);
        let reference = references.as_ref().and_then(|references| references.find(below));
        (text(path), reference.as_deref().map(text))
    };
    Ok(images_in(folder, true)?.iter().map(pair).collect())
}

/// A query of as many parts that has them as constants.
fn values(pairs: &[Pair], partitions: usize) -> Result<LogicalPlan> {
    let text = |text: Option<&str>| lit(ScalarValue::Utf8(text.map(str::to_owned)));
    let columns =
        |distorted: Expr, reference: Expr| [distorted.alias("distorted"), reference.alias("reference")];
    let each = pairs.len().div_ceil(partitions).max(1);
    let parts = pairs.chunks(each).map(|pairs| {
        let rows = pairs
            .iter()
            .map(|(distorted, reference)| vec![text(Some(distorted)), text(reference.as_deref())]);
        LogicalPlanBuilder::values(rows.collect())?.project(columns(col("column1"), col("column2")))?.build()
    });
    let none = LogicalPlanBuilder::empty(false).project(columns(text(None), text(None)))?.build()?;
    let mut parts = parts.collect::<Result<Vec<_>>>()?.into_iter();
    let first = LogicalPlanBuilder::from(parts.next().unwrap_or(none));
    parts.try_fold(first, LogicalPlanBuilder::union)?.build()
}

/// In as many partitions, so that they can be scored side by side.
fn table(pairs: &[Pair], partitions: usize) -> Result<MemTable> {
    let schema = Arc::new(Schema::new(vec![
        Field::new("distorted", DataType::Utf8, false),
        Field::new("reference", DataType::Utf8, true),
    ]));
    let batch = |pairs: &[Pair]| {
        let distorted = pairs.iter().map(|pair| Some(pair.0.as_str())).collect::<StringArray>();
        let reference = pairs.iter().map(|pair| pair.1.as_deref()).collect::<StringArray>();
        Ok(vec![RecordBatch::try_new(schema.clone(), vec![Arc::new(distorted), Arc::new(reference)])?])
    };
    let each = pairs.len().div_ceil(partitions).max(1);
    let mut batches = pairs.chunks(each).map(batch).collect::<Result<Vec<_>>>()?;
    if batches.is_empty() {
        batches.push(Vec::new());
    }
    MemTable::try_new(schema, batches)
}
