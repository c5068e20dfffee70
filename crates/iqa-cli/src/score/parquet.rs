//! Scores as a Parquet file: made at the end of records that grow as the others do.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use iqa_models::core::{CoreError, RecordForm, read_records, write_atomically};
use parquet::basic::{ConvertedType, Repetition, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::Type;
use serde_json::json;

use super::record::{Record, Records};

/// Records of a row group.
const GROUP: usize = 100_000;

/// Where the records grow: Parquet files cannot.
pub(crate) fn growing(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part.json");
    path.with_file_name(name)
}

/// Makes the file of the records at [`growing`], and removes those. Columns: `path`, `reference`, one of each model's name
/// (empty where it has no score), `key`; the metadata `iqa.models` says direction, range and identity of each.
pub(crate) fn finish(path: &Path, records: &Records, identities: &[String]) -> Result<(), Box<dyn Error>> {
    let from = growing(path);
    let text = |name: &str, repetition| {
        let column = Type::primitive_type_builder(name, Physical::BYTE_ARRAY).with_repetition(repetition);
        column.with_converted_type(ConvertedType::UTF8).build()
    };
    let mut fields = vec![text("path", Repetition::REQUIRED)?, text("reference", Repetition::OPTIONAL)?];
    for column in &records.columns {
        let score = Type::primitive_type_builder(&column.label, Physical::DOUBLE);
        fields.push(score.with_repetition(Repetition::OPTIONAL).build()?);
    }
    fields.push(text("key", Repetition::REQUIRED)?);
    let schema = Type::group_type_builder("scores").with_fields(fields.into_iter().map(Arc::new).collect());
    let models = records.columns.iter().zip(identities).map(|(column, identity)| {
        let end = |end: f64| if end.is_finite() { json!(end) } else { json!(null) };
        json!({
            "model": column.label,
            "direction": column.direction.as_str(),
            "range": [end(column.range.0), end(column.range.1)],
            "identity": identity,
        })
    });
    let models = KeyValue::new("iqa.models".into(), json!(models.collect::<Vec<_>>()).to_string());
    let properties = WriterProperties::builder().set_key_value_metadata(Some(vec![models])).build();
    let mut writer = SerializedFileWriter::new(Vec::new(), Arc::new(schema.build()?), Arc::new(properties))?;
    let mut group = Vec::new();
    read_records(&from, RecordForm::Lines, |line, record| {
        group.push(records.parse(&from, line, record).map_err(Box::<dyn Error>::from)?);
        if group.len() == GROUP {
            write_group(writer.next_row_group()?, &group)?;
            group.clear();
        }
        Ok::<(), Box<dyn Error>>(())
    })?;
    if !group.is_empty() {
        write_group(writer.next_row_group()?, &group)?;
    }
    write_atomically(path, &writer.into_inner()?)?;
    std::fs::remove_file(&from).map_err(|source| CoreError::Io { path: from, source })?;
    Ok(())
}

fn write_group(
    mut group: SerializedRowGroupWriter<'_, Vec<u8>>,
    records: &[Record],
) -> Result<(), Box<dyn Error>> {
    let models = records[0].scores.len();
    text_column(&mut group, records.iter().map(|record| Some(record.path.as_str())), false)?;
    text_column(&mut group, records.iter().map(|record| record.reference.as_deref()), true)?;
    for model in 0..models {
        let levels: Vec<i16> =
            records.iter().map(|record| i16::from(record.scores[model].is_some())).collect();
        let scores: Vec<f64> = records.iter().filter_map(|record| record.scores[model]).collect();
        let mut column = group.next_column()?.ok_or("a column too few")?;
        column.typed::<DoubleType>().write_batch(&scores, Some(&levels), None)?;
        column.close()?;
    }
    text_column(&mut group, records.iter().map(|record| Some(record.key.as_str())), false)?;
    group.close()?;
    Ok(())
}

fn text_column<'a>(
    group: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
    texts: impl Iterator<Item = Option<&'a str>>,
    optional: bool,
) -> Result<(), Box<dyn Error>> {
    let texts: Vec<Option<&str>> = texts.collect();
    let levels: Vec<i16> = texts.iter().map(|text| i16::from(text.is_some())).collect();
    let values: Vec<ByteArray> = texts.into_iter().flatten().map(ByteArray::from).collect();
    let mut column = group.next_column()?.ok_or("a column too few")?;
    column.typed::<ByteArrayType>().write_batch(&values, optional.then_some(&levels[..]), None)?;
    column.close()?;
    Ok(())
}
