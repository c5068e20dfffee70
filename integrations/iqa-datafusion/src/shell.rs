//! Statements, run one after another, and their tables printed.

use std::io::Write;

use clap::ValueEnum;
use datafusion::arrow::csv;
use datafusion::arrow::json::LineDelimitedWriter;
use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::error::Result;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::DFParser;
use futures::StreamExt;

/// Form of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// With lines around, once it is whole.
    Table,
    /// With a header.
    Csv,
    /// An object a line.
    Json,
}

/// Runs statements, which are separated by semicolons, and prints what they give.
///
/// # Errors
/// Of the first statement that fails, and of `output`.
pub async fn run(
    context: &SessionContext,
    statements: &str,
    format: Format,
    output: &mut impl Write,
) -> Result<()> {
    for statement in DFParser::parse_sql(statements)? {
        let plan = context.state().statement_to_plan(statement).await?;
        let result = context.execute_logical_plan(plan).await?;
        print(result.execute_stream().await?, format, output).await?;
    }
    Ok(())
}

async fn print(
    mut batches: SendableRecordBatchStream,
    format: Format,
    output: &mut impl Write,
) -> Result<()> {
    match format {
        Format::Table => {
            let schema = batches.schema();
            let mut all = Vec::new();
            while let Some(batch) = batches.next().await {
                all.push(batch?);
            }
            // Of a statement without a result, as SET, there is nothing to print.
            if !schema.fields().is_empty() {
                if all.is_empty() {
                    all.push(datafusion::arrow::record_batch::RecordBatch::new_empty(schema));
                }
                writeln!(output, "{}", pretty_format_batches(&all)?)?;
            }
        }
        Format::Csv => {
            let schema = batches.schema();
            let mut writer = csv::WriterBuilder::new().with_header(true).build(&mut *output);
            if !schema.fields().is_empty() {
                writer.write(&datafusion::arrow::record_batch::RecordBatch::new_empty(schema))?;
            }
            while let Some(batch) = batches.next().await {
                writer.write(&batch?)?;
            }
        }
        Format::Json => {
            let mut writer = LineDelimitedWriter::new(&mut *output);
            while let Some(batch) = batches.next().await {
                writer.write(&batch?)?;
            }
            writer.finish()?;
        }
    }
    output.flush()?;
    Ok(())
}
