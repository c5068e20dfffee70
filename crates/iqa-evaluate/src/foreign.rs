//! Scores that another program gave.

use std::collections::HashMap;
use std::path::Path;

use iqa_core::{Direction, short_sha256_of_file};
use iqa_datasets::{DataSet, DatasetError, ListedScore, read_scores};

use super::scores::{ScoreKey, Scores, names};
use crate::EvaluateError;

impl Scores {
    /// Reads scores of the images of a set from a list of any program: a CSV file with an image and a score a row, whose
    /// columns are called as in [`DataSet::open_csv`]. The name of the file is taken for that of the model.
    ///
    /// Images are found by their paths, from the folder of the set or any above it, in any case; where no row has such a
    /// path, by their file names, if each is that of one image. Rows of other images are left out, but every image of the set
    /// must have one.
    ///
    /// Which way the scores grow, a column `direction` says, or else `direction`; without either higher is better.
    ///
    /// # Errors
    /// [`EvaluateError::Dataset`] for a file that cannot be read, and for a row whose image is not told from others or was
    /// listed before, or whose direction is not that of the others and of `direction`; [`EvaluateError::NoScore`].
    pub fn read_list(
        path: &Path,
        set: &DataSet,
        direction: Option<Direction>,
    ) -> Result<Self, EvaluateError> {
        let rows = read_scores(path)?;
        let expected = direction.or_else(|| rows.first()?.direction).unwrap_or(Direction::HigherIsBetter);
        if let Some(other) = rows.iter().find(|row| row.direction.is_some_and(|found| found != expected)) {
            let expected = match expected {
                Direction::HigherIsBetter => "scores of which higher is better",
                Direction::LowerIsBetter => "scores of which lower is better",
            };
            return Err(malformed(path, other, expected).into());
        }
        let images = Images::of(set);
        let mut places = images.find(path, &rows, Images::by_path)?;
        if places.iter().all(Option::is_none) {
            places = images.find(path, &rows, Images::by_name)?;
        }
        let mut values = vec![None; set.samples().len()];
        for (row, place) in rows.iter().zip(places) {
            let Some(place) = place else { continue };
            if values[place].replace(row.score).is_some() {
                return Err(malformed(path, row, "an image not listed before").into());
            }
        }
        let found = values.iter().flatten().count();
        let Some(complete) = values.iter().copied().collect::<Option<Vec<f64>>>() else {
            let first = values.iter().position(Option::is_none).unwrap_or_default();
            let image = set.samples()[first].distorted.clone();
            return Err(EvaluateError::NoScore { path: path.into(), image, missing: values.len() - found });
        };
        let model = path.file_stem().unwrap_or_default().to_string_lossy().into();
        let key = ScoreKey::of_list(set, model, short_sha256_of_file(path)?, expected);
        Ok(Self { key, values: complete, found })
    }
}

/// The images of a set, by what a list may call them; all in lower case.
struct Images {
    /// Below the folder that they share.
    names: Vec<String>,
    /// Whole paths, with `/` before the first part.
    paths: Vec<String>,
    by_file: HashMap<String, Vec<usize>>,
}

/// The image of a name, `None` if it is of no image.
type Find = fn(&Images, &str) -> Result<Option<usize>, Ambiguous>;

/// A name is that of several images.
struct Ambiguous;

impl Images {
    fn of(set: &DataSet) -> Self {
        let names: Vec<String> = names(set).iter().map(|name| name.to_lowercase()).collect();
        let path = |sample: &iqa_datasets::Sample| {
            let parts = sample.distorted.components();
            parts.fold(String::new(), |path, part| {
                path + "/" + &part.as_os_str().to_string_lossy().to_lowercase()
            })
        };
        let mut by_file: HashMap<String, Vec<usize>> = HashMap::new();
        for (index, name) in names.iter().enumerate() {
            by_file.entry(file(name).into()).or_default().push(index);
        }
        Self { names, paths: set.samples().iter().map(path).collect(), by_file }
    }

    fn find(
        &self,
        list: &Path,
        rows: &[ListedScore],
        find: Find,
    ) -> Result<Vec<Option<usize>>, DatasetError> {
        rows.iter()
            .map(|row| {
                let name = row.image.to_lowercase();
                find(self, name.trim_start_matches("./"))
                    .map_err(|Ambiguous| malformed(list, row, "a path that is that of one image of the set"))
            })
            .collect()
    }

    fn by_path(&self, name: &str) -> Result<Option<usize>, Ambiguous> {
        let candidates = self.candidates(name);
        // A name from the folder of the set is that image, though others further down end alike.
        let mut whole = candidates.iter().filter(|&&index| self.names[index] == name);
        if let (Some(&index), None) = (whole.next(), whole.next()) {
            return Ok(Some(index));
        }
        let end = format!("/{}", name.trim_start_matches('/'));
        one(candidates.iter().copied().filter(|&index| self.paths[index].ends_with(&end)))
    }

    fn by_name(&self, name: &str) -> Result<Option<usize>, Ambiguous> {
        one(self.candidates(name).iter().copied())
    }

    fn candidates(&self, name: &str) -> &[usize] {
        self.by_file.get(file(name)).map_or(&[], |indices| indices)
    }
}

fn one(mut found: impl Iterator<Item = usize>) -> Result<Option<usize>, Ambiguous> {
    let first = found.next();
    if found.next().is_some() { Err(Ambiguous) } else { Ok(first) }
}

fn file(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

fn malformed(path: &Path, row: &ListedScore, expected: &'static str) -> DatasetError {
    DatasetError::Malformed { path: path.into(), line: row.line, expected, found: row.image.clone() }
}
