use std::collections::HashMap;
use std::path::Path;

use super::Split;
use crate::DatasetError;
use crate::dataset::{DataSet, Sample};
use crate::readers::Table;

/// Names of the parts in a file.
const PARTS: [&str; 3] = ["train", "validation", "test"];

impl Split {
    /// A split as published, from a CSV file with the columns `part` (`train`, `validation` or `test`) and
    /// `reference`, the [id](Sample::reference_id) of each reference, in any case; or `image`, the file name of
    /// each image, for a set without references. Every one of them must be listed, once.
    ///
    /// # Errors
    /// [`DatasetError::Csv`], [`DatasetError::Column`]; [`DatasetError::Malformed`] for a part or name that does
    /// not exist or is listed twice; [`DatasetError::Count`] when some are not listed.
    pub fn from_file(set: &DataSet, path: &Path) -> Result<Self, DatasetError> {
        let column = if set.has_references() { "reference" } else { "image" };
        let mut samples: HashMap<String, Vec<usize>> = HashMap::new();
        for (index, sample) in set.samples().iter().enumerate() {
            samples.entry(name(sample)).or_default().push(index);
        }
        let (expected, mut found) = (samples.len(), 0);
        let table = Table::read(path)?;
        let (unit, part) = (table.need(&[column])?, table.need(&["part"])?);
        let mut parts = [Vec::new(), Vec::new(), Vec::new()];
        for (line, record) in &table.records {
            let field = |column: usize| record.get(column).unwrap_or_default();
            let malformed = |expected, found: &str| DatasetError::Malformed {
                path: path.into(),
                line: *line,
                expected,
                found: found.into(),
            };
            let Some(side) = PARTS.iter().position(|known| *known == field(part).to_lowercase()) else {
                return Err(malformed("the part train, validation or test", field(part)));
            };
            let Some(indices) = samples.remove(&field(unit).to_lowercase()) else {
                return Err(malformed("a name of the set, not listed before", field(unit)));
            };
            found += 1;
            parts[side].extend(indices);
        }
        if !samples.is_empty() {
            let what = format!("{column}s of {}", set.name());
            return Err(DatasetError::Count { labels: path.into(), what, expected, found });
        }
        parts.iter_mut().for_each(|part| part.sort_unstable());
        Ok(Self { parts })
    }
}

/// What a file calls a sample: its reference's id, or else its file name; in lower case. Images of the same name in
/// two folders stay together.
fn name(sample: &Sample) -> String {
    match &sample.reference_id {
        Some(id) => id.to_lowercase(),
        None => sample.distorted.file_name().unwrap_or_default().to_string_lossy().to_lowercase(),
    }
}
