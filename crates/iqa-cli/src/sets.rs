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
    /// Nominal range of the scores of a `csv` set: two numbers with a comma, `1,5` say.
    #[arg(long, value_delimiter = ',', allow_hyphen_values = true)]
    pub(crate) range: Vec<f64>,
    /// Which end of the scores of a `csv` set is good.
    #[arg(long, value_enum, default_value_t = Better::Higher)]
    pub(crate) better: Better,
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
        if self.list.is_some() || self.name.is_some() || !self.range.is_empty() {
            return Err(format!("--list, --name and --range are for --set csv, not for {name}").into());
        }
        Ok(Some(DataSet::open(name.parse::<DataSetKind>()?, root, strictness)?))
    }

    fn open_csv(&self, list: &Path, root: &Path, strictness: Strictness) -> Result<DataSet, Box<dyn Error>> {
        let &[low, high] = &self.range[..] else {
            return Err(
                "--set csv needs --range, the lowest and the highest score that a rater can give, 1,5 say"
                    .into(),
            );
        };
        let (kind, direction) = match self.better {
            Better::Higher => (ScoreKind::Mos, Direction::HigherIsBetter),
            Better::Lower => (ScoreKind::Dmos, Direction::LowerIsBetter),
        };
        let scale = ScoreScale::new(kind, direction, low, high)?;
        let name = self.name.clone();
        let name = name.unwrap_or_else(|| list.file_stem().unwrap_or_default().to_string_lossy().into());
        Ok(DataSet::open_csv(list, root, &name, scale, strictness)?)
    }
}
