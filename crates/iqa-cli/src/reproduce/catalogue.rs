//! The tables and figures of the papers, and what gives their numbers here.
//!
//! They lie as TOML in the folder `papers`, whose README says what its fields mean. Published numbers are those of the
//! papers, as far as they are known to us; none is invented: a row without one says so.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use iqa_models::datasets::DataSetKind;
use iqa_models::datasets::split::SplitPreset;
use serde::Deserialize;

use crate::reproduce::file::{self, CatalogueError};

const FILES: [(&str, &str); 5] = [
    ("bosse.toml", include_str!("../../papers/bosse.toml")),
    ("dutta.toml", include_str!("../../papers/dutta.toml")),
    ("gsn.toml", include_str!("../../papers/gsn.toml")),
    ("hiqa.toml", include_str!("../../papers/hiqa.toml")),
    ("stand_ins.toml", include_str!("../../papers/stand_ins.toml")),
];

/// One of the papers, or what stands in for their data.
pub(crate) struct Paper {
    pub(crate) title: String,
    pub(crate) entries: Vec<Entry>,
}

/// A table or figure.
pub(crate) struct Entry {
    pub(crate) id: String,
    /// Where in the paper; `None` for what is in none.
    pub(crate) place: Option<String>,
    pub(crate) what: String,
    /// What is to be minded.
    pub(crate) note: Option<String>,
    pub(crate) rows: Vec<Row>,
}

/// A row of a table: a model on images.
pub(crate) struct Row {
    /// Folder of its reports.
    pub(crate) name: String,
    pub(crate) label: String,
    pub(crate) published: Published,
    pub(crate) ours: Ours,
}

/// Figures as printed; `None` where a paper gives none, or it is not known to us.
pub(crate) struct Published {
    pub(crate) plcc: Option<f64>,
    pub(crate) srcc: Option<f64>,
    pub(crate) krcc: Option<f64>,
}

/// What gives our figures.
pub(crate) enum Ours {
    /// Weights that are there, on a set.
    Evaluation(Evaluation),
    /// Weights to be trained first, one run for each seed.
    Training(Arc<Training>, Evaluation),
    /// Nothing that this software does; says what it would need.
    Nothing(String),
}

/// A model on a set.
pub(crate) struct Evaluation {
    /// Name of the model.
    pub(crate) model: String,
    /// A file below `weights` in the folder of the data; `None` for the bundled weights.
    pub(crate) weights: Option<String>,
    pub(crate) set: DataSetKind,
    /// Its folder in the folder of the data.
    pub(crate) folder: String,
    /// Whether the set is complete only by another count than the published one.
    pub(crate) lenient: bool,
    /// Which images are scored.
    pub(crate) images: Images,
    /// The type or subset of these whose figures count, as reports name it; `None` for all.
    pub(crate) part: Option<String>,
    /// Random patches, where the grid is not meant.
    pub(crate) patches: Option<usize>,
}

/// Images of a set.
pub(crate) enum Images {
    All,
    /// The versions of some references, by their ids.
    References(Vec<String>),
    /// The test part of a split, which has the seed of the training.
    Test(SplitPreset),
}

/// Runs of `iqa train`.
pub(crate) struct Training {
    /// Folder of the runs, which rows may share.
    pub(crate) run: String,
    /// Recipe and what belongs to it.
    pub(crate) recipe: String,
    /// Files below `weights` in the folder of the data, by the options that take them.
    pub(crate) files: BTreeMap<String, String>,
    /// Runs that come first, by the options that take what the one of the same seed leaves.
    pub(crate) after: BTreeMap<String, Arc<Training>>,
    /// The set to train on, and how it is split.
    pub(crate) set: DataSetKind,
    pub(crate) split: String,
    /// Further sets, split likewise.
    pub(crate) with: Vec<DataSetKind>,
    /// Runs, with the seeds 1, 2 and so on.
    pub(crate) seeds: u64,
    /// The file of weights that a run leaves.
    pub(crate) weights: String,
    /// How the paper sums them up.
    pub(crate) summary: Summary,
}

/// One figure from several runs.
#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Summary {
    #[default]
    Mean,
    Median,
}

/// All of them, read once.
pub(crate) fn papers() -> Result<&'static [Paper], &'static CatalogueError> {
    static PAPERS: OnceLock<Result<Vec<Paper>, CatalogueError>> = OnceLock::new();
    PAPERS.get_or_init(read).as_deref()
}

pub(crate) fn entries() -> Result<impl Iterator<Item = &'static Entry>, &'static CatalogueError> {
    Ok(papers()?.iter().flat_map(|paper| &paper.entries))
}

fn read() -> Result<Vec<Paper>, CatalogueError> {
    let mut ids = BTreeSet::new();
    FILES
        .into_iter()
        .map(|(file, text)| {
            let paper = file::read(file, text)?;
            match paper.entries.iter().find(|entry| !ids.insert(entry.id.clone())) {
                Some(entry) => Err(CatalogueError::Twice { file, what: entry.id.clone() }),
                None => Ok(paper),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_read() {
        for (name, text) in FILES {
            let paper = file::read(name, text).unwrap_or_else(|error| panic!("{error}"));
            assert!(!paper.entries.is_empty(), "{name}");
        }
        assert_eq!(papers().expect("no id is there twice").len(), FILES.len());
    }
}
