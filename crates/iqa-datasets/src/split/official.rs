use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::Split;
use crate::DatasetError;
use crate::dataset::{DataSet, Sample};
use crate::readers::Table;

/// Names of the parts, and what files call them.
const PARTS: [(&str, &[&str]); 3] =
    [("train", &["train", "training"]), ("validation", &["validation"]), ("test", &["test"])];

impl Split {
    /// A split as published, from a CSV file with the columns `part` or `set` (`train` or `training`, `validation`,
    /// `test`) and `reference`, the [id](Sample::reference_id) of each reference, in any case; or, for a set without
    /// references, `image`, the file name of each image or a path that ends in it. The columns may be called as in
    /// [`DataSet::open_csv`]. Every one of them must be listed, once.
    ///
    /// # Errors
    /// [`DatasetError::Io`], [`DatasetError::Column`]; [`DatasetError::Malformed`] for a part or name that does
    /// not exist or is listed twice; [`DatasetError::Count`] when some are not listed.
    pub fn from_file(set: &DataSet, path: &Path) -> Result<Self, DatasetError> {
        Self::read(set, path, false)
    }

    /// The split in the set's own folder, whose parts have these sizes. Images that are missing, or were filtered
    /// out, are missing in their part.
    pub(super) fn published(set: &DataSet, sizes: [usize; 3]) -> Result<Self, DatasetError> {
        let path = set.split_file().ok_or_else(|| DatasetError::NoSplit { name: set.name().to_owned() })?;
        let split = Self::read(set, path, true)?;
        let whole = set.samples().len() == sizes.iter().sum();
        for ((part, expected), (name, _)) in split.parts.iter().zip(sizes).zip(PARTS) {
            if whole && part.len() != expected {
                let what = format!("images in the part {name}");
                return Err(DatasetError::Count { labels: path.into(), what, expected, found: part.len() });
            }
        }
        Ok(split)
    }

    /// `others`: whether the file may list what the set has not.
    fn read(set: &DataSet, path: &Path, others: bool) -> Result<Self, DatasetError> {
        let by_reference = set.has_references();
        let mut samples: HashMap<String, Vec<usize>> = HashMap::new();
        for (index, sample) in set.samples().iter().enumerate() {
            samples.entry(name(sample)).or_default().push(index);
        }
        let expected = samples.len();
        let table = Table::read(path)?;
        let unit = if by_reference { table.need_reference()? } else { table.distorted()? };
        let part = table.need(&["part", "set"])?;
        let mut listed = HashSet::new();
        let mut parts = [Vec::new(), Vec::new(), Vec::new()];
        for (line, record) in &table.records {
            let field = |column: usize| record.get(column).unwrap_or_default();
            let malformed = |expected, found: &str| DatasetError::Malformed {
                path: path.into(),
                line: *line,
                expected,
                found: found.into(),
            };
            let name = field(part).to_lowercase();
            let Some(side) = PARTS.iter().position(|(_, names)| names.contains(&name.as_str())) else {
                return Err(malformed("the part train, validation or test", field(part)));
            };
            let path = field(unit).to_lowercase().replace('\\', "/");
            let name = if by_reference { path } else { path.rsplit('/').next().unwrap_or_default().into() };
            let indices = samples.remove(&name);
            if !listed.insert(name) || (indices.is_none() && !others) {
                return Err(malformed("a name of the set, not listed before", field(unit)));
            }
            parts[side].extend(indices.unwrap_or_default());
        }
        if !samples.is_empty() {
            let units = if by_reference { "references" } else { "images" };
            let (what, found) = (format!("{units} of {}", set.name()), expected - samples.len());
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
