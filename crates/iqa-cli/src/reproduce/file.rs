//! The files of the papers' tables.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;

use iqa_models::datasets::DataSetKind;
use iqa_models::datasets::split::SplitPreset;
use serde::Deserialize;
use serde::de::{Deserializer, Error};

use crate::reproduce::catalogue::{
    Entry, Evaluation, Images, Ours, Paper, Published, Row, Summary, Training,
};

/// What is wrong with a file of tables.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CatalogueError {
    #[error("{file}: {source}")]
    Malformed { file: &'static str, source: toml::de::Error },
    #[error("{file}: `{what}` is there twice")]
    Twice { file: &'static str, what: String },
    #[error("{file}: `{run}` goes on from a run that the file has not, or from itself")]
    After { file: &'static str, run: String },
    #[error("{file}: `{run}` is a run of no row")]
    UnusedRun { file: &'static str, run: String },
    #[error("{file}, {entry}, row `{row}`: expected {expected}")]
    Row { file: &'static str, entry: String, row: String, expected: &'static str },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PaperFile {
    title: String,
    #[serde(default)]
    runs: BTreeMap<String, RunFile>,
    entries: Vec<EntryFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RunFile {
    model: String,
    recipe: String,
    #[serde(default)]
    files: BTreeMap<String, String>,
    #[serde(default)]
    after: BTreeMap<String, String>,
    set: Named<DataSetKind>,
    split: String,
    #[serde(default)]
    with: Vec<Named<DataSetKind>>,
    #[serde(default = "one")]
    seeds: u64,
    #[serde(default = "best")]
    weights: String,
    #[serde(default)]
    summary: Summary,
}

fn one() -> u64 {
    1
}

fn best() -> String {
    "best.safetensors".into()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EntryFile {
    id: String,
    place: Option<String>,
    what: String,
    note: Option<String>,
    rows: Vec<RowFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RowFile {
    name: String,
    label: String,
    plcc: Option<f64>,
    srcc: Option<f64>,
    krcc: Option<f64>,
    // What gives ours: one of these three.
    run: Option<String>,
    model: Option<String>,
    needs: Option<String>,
    weights: Option<String>,
    set: Option<Named<DataSetKind>>,
    folder: Option<String>,
    #[serde(default)]
    lenient: bool,
    references: Option<Vec<String>>,
    test: Option<Named<SplitPreset>>,
    part: Option<String>,
    patches: Option<usize>,
}

/// What is written as its name.
#[derive(Clone, Copy)]
struct Named<T>(T);

impl<'de, T: FromStr<Err: Display>> Deserialize<'de> for Named<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map(Self).map_err(D::Error::custom)
    }
}

pub(super) fn read(file: &'static str, text: &str) -> Result<Paper, CatalogueError> {
    let PaperFile { title, runs, entries } =
        toml::from_str(text).map_err(|source| CatalogueError::Malformed { file, source })?;
    let mut unused: BTreeSet<String> = runs.keys().cloned().collect();
    let runs = trainings(file, runs)?;
    for (_, training) in runs.values() {
        training.after.values().for_each(|before| _ = unused.remove(&before.run));
    }
    let mut read_entry = |EntryFile { id, place, what, note, rows }: EntryFile| {
        let mut names = BTreeSet::new();
        let rows = rows.into_iter().map(|row| {
            let (name, run) = (row.name.clone(), row.run.clone());
            if !names.insert(name.clone()) {
                return Err(CatalogueError::Twice { file, what: format!("{id}, {name}") });
            }
            let read = row.read(&runs);
            run.map(|run| unused.remove(&run));
            read.map_err(|expected| CatalogueError::Row { file, entry: id.clone(), row: name, expected })
        });
        let rows = rows.collect::<Result<Vec<_>, _>>()?;
        Ok(Entry { id, place, what, note, rows })
    };
    let entries = entries.into_iter().map(&mut read_entry).collect::<Result<Vec<_>, _>>()?;
    match unused.pop_first() {
        Some(run) => Err(CatalogueError::UnusedRun { file, run }),
        None => Ok(Paper { title, entries }),
    }
}

/// The runs with their models, by name: each after those that it goes on from.
fn trainings(
    file: &'static str,
    mut runs: BTreeMap<String, RunFile>,
) -> Result<BTreeMap<String, (String, Arc<Training>)>, CatalogueError> {
    let mut made: BTreeMap<String, (String, Arc<Training>)> = BTreeMap::new();
    while !runs.is_empty() {
        let ready = |found: &RunFile| found.after.values().all(|before| made.contains_key(before));
        let Some(run) = runs.iter().find(|(_, found)| ready(found)).map(|(run, _)| run.clone()) else {
            let run = runs.into_keys().next().unwrap_or_default();
            return Err(CatalogueError::After { file, run });
        };
        let Some(found) = runs.remove(&run) else { continue };
        let RunFile { model, recipe, files, after, set: Named(set), split, with, seeds, weights, summary } =
            found;
        let after =
            after.into_iter().map(|(option, before)| (option, Arc::clone(&made[&before].1))).collect();
        let with = with.into_iter().map(|Named(set)| set).collect();
        let name = run.clone();
        let training =
            Training { run: name, recipe, files, after, set, split, with, seeds, weights, summary };
        made.insert(run, (model, Arc::new(training)));
    }
    Ok(made)
}

impl RowFile {
    /// What was expected where it makes no sense.
    fn read(self, runs: &BTreeMap<String, (String, Arc<Training>)>) -> Result<Row, &'static str> {
        let Self { name, label, plcc, srcc, krcc, run, model, needs, .. } = self;
        let images = match (self.references, self.test) {
            (None, None) => Images::All,
            (Some(references), None) => Images::References(references),
            (None, Some(Named(preset))) => Images::Test(preset),
            (Some(_), Some(_)) => return Err("one of `references` and `test`"),
        };
        let (set, weights, lenient, part, patches) =
            (self.set, self.weights, self.lenient, self.part, self.patches);
        let evaluation = |model: String| -> Result<Evaluation, &'static str> {
            let Named(set) = set.ok_or("a `set`")?;
            let folder = self.folder.unwrap_or_else(|| set.name().to_owned());
            Ok(Evaluation { model, weights, set, folder, lenient, images, part, patches })
        };
        let ours = match (run, model, needs) {
            (Some(run), None, None) => {
                let (model, training) = runs.get(&run).ok_or("a `run` that the file has")?;
                let evaluation = evaluation(model.clone())?;
                if evaluation.weights.is_some() {
                    return Err("no `weights` beside a `run`, which leaves its own");
                }
                Ours::Training(Arc::clone(training), evaluation)
            }
            (None, Some(model), None) => Ours::Evaluation(evaluation(model)?),
            (None, None, Some(needs)) if set.is_none() => Ours::Nothing(needs),
            _ => return Err("one of `run` and `model` with a `set`, or `needs` alone"),
        };
        Ok(Row { name, label, published: Published { plcc, srcc, krcc }, ours })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file with one entry of one row.
    fn with_row(row: &str) -> Result<Paper, CatalogueError> {
        let text = format!(
            "title = \"A paper\"\n[runs.r]\nmodel = \"gsn\"\nrecipe = \"--recipe gsn\"\nset = \"live\"\nsplit = \"hiqa\"\n\
             [[entries]]\nid = \"a-1\"\nwhat = \"a table\"\nrows = [{{ name = \"r\", label = \"R\", {row} }}]\n"
        );
        read("a.toml", &text)
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_its_place() {
        assert!(with_row("run = \"r\", set = \"live\", test = \"hiqa\"").is_ok());
        for (row, expected) in [
            ("run = \"r\", set = \"live\", tset = \"hiqa\"", "unknown field `tset`"),
            ("run = \"r\", set = \"life\"", "unknown data set `life`"),
            ("run = \"r\", set = \"live\", test = \"bosse\"", "bosse"),
            ("run = \"s\", set = \"live\"", "a.toml, a-1, row `r`: expected a `run` that the file has"),
            ("run = \"r\"", "row `r`: expected a `set`"),
            ("run = \"r\", set = \"live\", weights = \"w\"", "expected no `weights` beside a `run`"),
            ("run = \"r\", needs = \"weights\"", "expected one of `run` and `model`"),
            (
                "model = \"psnr\", set = \"live\", test = \"hiqa\", references = []",
                "expected one of `references`",
            ),
            ("model = \"psnr\", set = \"live\"", "a.toml: `r` is a run of no row"),
        ] {
            let message = with_row(row).err().map_or_else(String::new, |error| error.to_string());
            assert!(message.starts_with("a.toml") && message.contains(expected), "{row}: {message}");
        }
    }
}
