//! Rated sets as options of a program.

use std::error::Error;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use iqa_models::datasets::{DataSet, DataSetKind, Direction, ScoreKind, ScoreScale, Strictness};

/// What `--set` takes, for its help.
pub(crate) fn set_names() -> String {
    format!("{}; or csv, a list of your own", DataSetKind::ALL.map(DataSetKind::name).join(", "))
}

/// A rated set on disk.
#[derive(Args, Clone, Debug)]
pub(crate) struct SetOptions {
    /// A rated set by its name, or `csv`.
    #[arg(long, help = format!("A rated set: {}", set_names()))]
    pub(crate) set: Option<String>,
    /// The folder of the set; of the images, for `csv`.
    #[arg(long)]
    pub(crate) root: Option<PathBuf>,
    /// The list of a `csv` set: columns `distorted`, `score`, and `reference`, `type` and others as there are.
    #[arg(long)]
    pub(crate) list: Option<PathBuf>,
    /// The name of a `csv` set (default: that of its list).
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Nominal range of the scores of a `csv` set: two numbers with a comma, `1,5` say (default: the lowest and the highest
    /// of the list).
    #[arg(long, value_parser = range, allow_hyphen_values = true)]
    pub(crate) range: Option<[f64; 2]>,
    /// Which end of the scores of a `csv` set is good (default: the higher one).
    #[arg(long, value_enum)]
    pub(crate) better: Option<Better>,
    /// Take a set of which images are missing.
    #[arg(long)]
    pub(crate) lenient: bool,
}

/// Which end of a scale is good.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Better {
    /// As with a mean opinion score.
    Higher,
    /// As with a difference mean opinion score.
    Lower,
}

impl SetOptions {
    /// Opens the set; `None` when the options name none.
    ///
    /// # Errors
    /// Options that do not go together, and what [`DataSet::open`] and [`DataSet::open_csv`] give.
    pub(crate) fn open(&self) -> Result<Option<DataSet>, Box<dyn Error>> {
        let Some(name) = &self.set else { return Ok(None) };
        let root = self.root.as_deref().ok_or("--set needs --root, the folder of its images")?;
        let strictness = if self.lenient { Strictness::Lenient } else { Strictness::Strict };
        if name == "csv" {
            let list =
                self.list.as_deref().ok_or("--set csv needs --list, a CSV file of images and scores")?;
            return Ok(Some(self.open_csv(list, root, strictness)?));
        }
        if let Some(option) = self.given().find(|option| !matches!(*option, "--root" | "--lenient")) {
            return Err(format!("{option} is for --set csv, not for {name}").into());
        }
        Ok(Some(DataSet::open(name.parse::<DataSetKind>()?, root, strictness)?))
    }

    /// The options that are there, but for the name of the set.
    pub(crate) fn given(&self) -> impl Iterator<Item = &'static str> {
        let options = [
            ("--root", self.root.is_some()),
            ("--list", self.list.is_some()),
            ("--name", self.name.is_some()),
            ("--range", self.range.is_some()),
            ("--better", self.better.is_some()),
            ("--lenient", self.lenient),
        ];
        options.into_iter().filter_map(|(option, given)| given.then_some(option))
    }

    fn open_csv(&self, list: &Path, root: &Path, strictness: Strictness) -> Result<DataSet, Box<dyn Error>> {
        let (kind, direction) = match self.better.unwrap_or(Better::Higher) {
            Better::Higher => (ScoreKind::Mos, Direction::HigherIsBetter),
            Better::Lower => (ScoreKind::Dmos, Direction::LowerIsBetter),
        };
        let name = self.name.clone();
        let name = name.unwrap_or_else(|| list.file_stem().unwrap_or_default().to_string_lossy().into());
        let Some([low, high]) = self.range else {
            let set = DataSet::open_csv_inferring_range(list, root, &name, kind, direction, strictness)?;
            let (low, high) = set.scale().range();
            remark!(
                "warning: {}: without --range, its scores are taken to go from {low} to {high}, the lowest and the \
                 highest; RMSE and the scale of a network that is trained depend on it",
                list.display()
            );
            return Ok(set);
        };
        let scale = ScoreScale::new(kind, direction, low, high)
            .map_err(|error| format!("--range {low},{high}: {error}"))?;
        let set = DataSet::open_csv(list, root, &name, scale, strictness)?;
        let outside = set.outside_range();
        if outside > 0 {
            remark!(
                "warning: {}: {outside} of {} scores lie outside --range {low},{high}",
                list.display(),
                set.samples().len()
            );
        }
        Ok(set)
    }
}

/// Parses the two ends of a range.
pub(crate) fn range(text: &str) -> Result<[f64; 2], String> {
    let ends: Option<Vec<f64>> = text.split(',').map(|end| end.trim().parse().ok()).collect();
    match ends.as_deref() {
        Some(&[low, high]) => Ok([low, high]),
        _ => Err("expected two numbers, such as 1,5".into()),
    }
}
