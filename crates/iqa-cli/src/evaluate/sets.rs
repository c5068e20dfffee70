//! Which rated sets.

use std::error::Error;
use std::path::PathBuf;

use crate::sets::{Better, SetOptions, range, set_names};
use clap::Args;
use iqa_models::datasets::DataSet;
use iqa_models::datasets::split::{Split, SplitPreset};

/// What a list of one's own is called.
const CSV: &str = "csv";

/// Of several sets, the options are given in the order of the sets.
#[derive(Args)]
pub(crate) struct SetsOptions {
    #[arg(long, required = true, help = set_help())]
    set: Vec<String>,
    /// The folder of the set; of the images, for `csv`.
    #[arg(long, required = true)]
    root: Vec<PathBuf>,
    /// The list of a `csv` set: columns `distorted`, `score`, and `reference`, `type` and others as there are.
    #[arg(long)]
    list: Vec<PathBuf>,
    /// Nominal range of the scores of a `csv` set: two numbers with a comma, `1,5` say (default: the lowest and the highest
    /// of the list).
    #[arg(long, value_parser = range, allow_hyphen_values = true)]
    range: Vec<[f64; 2]>,
    /// Which end of the scores of a `csv` set is good (default: the higher one).
    #[arg(long, value_enum)]
    better: Vec<Better>,
    /// The name of a `csv` set (default: that of its list).
    #[arg(long)]
    name: Vec<String>,
    /// Take a set of which images are missing.
    #[arg(long)]
    lenient: bool,
    /// Keep to the test part of the first split of this preset: for weights trained with the same seed on the rest.
    #[arg(long, conflicts_with = "splits")]
    test_of: Option<SplitPreset>,
    /// Keep to the test part of the split in a CSV file with the columns `part` and `reference` (or `image`), as `train`
    /// takes it; for a single set.
    #[arg(long, conflicts_with_all = ["splits", "test_of"])]
    split: Option<PathBuf>,
}

fn set_help() -> String {
    format!("The set: {}. Repeated for a table over several, each with its `--root`", set_names())
}

impl SetsOptions {
    /// All sets, in their order; no two of a name.
    pub(crate) fn open(&self, seed: u64) -> Result<Vec<DataSet>, Box<dyn Error>> {
        let own = self.set.iter().filter(|set| *set == CSV).count();
        for (option, given, sets, optional) in [
            ("--root", self.root.len(), self.set.len(), false),
            ("--list", self.list.len(), own, false),
            ("--range", self.range.len(), own, true),
            ("--better", self.better.len(), own, true),
            ("--name", self.name.len(), own, true),
        ] {
            if given != sets && !(optional && given == 0) {
                let kind = if option == "--root" { "set" } else { "csv set" };
                return Err(
                    format!("{option} is there {given} times: expected one for each {kind}, {sets}").into()
                );
            }
        }
        if self.split.is_some() && self.set.len() > 1 {
            return Err("--split is for a single set".into());
        }
        let mut sets: Vec<DataSet> = Vec::with_capacity(self.set.len());
        let mut own = 0..own;
        for (set, root) in self.set.iter().zip(&self.root) {
            // The options of a list, if it is one.
            let list = if set == CSV { own.next() } else { None };
            let options = SetOptions {
                set: Some(set.clone()),
                root: Some(root.clone()),
                list: list.map(|list| self.list[list].clone()),
                name: list.and_then(|list| self.name.get(list).cloned()),
                range: list.and_then(|list| self.range.get(list).copied()),
                better: list.and_then(|list| self.better.get(list).copied()),
                lenient: self.lenient,
            };
            let set = options.open()?.ok_or("a set without a name")?;
            if sets.iter().any(|earlier| earlier.name() == set.name()) {
                return Err(format!("two sets are called `{}`: give csv sets a --name", set.name()).into());
            }
            sets.push(self.test_part(set, seed)?);
        }
        Ok(sets)
    }

    fn test_part(&self, set: DataSet, seed: u64) -> Result<DataSet, Box<dyn Error>> {
        let split = match (&self.split, self.test_of) {
            (Some(file), _) => Split::from_file(&set, file)?,
            (None, Some(preset)) => preset.first(&set, seed)?,
            (None, None) => return Ok(set),
        };
        Ok(set.part(split.test())?)
    }
}
