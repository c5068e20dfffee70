//! How well a model agrees with people on a data set.
//!
//! ```text
//! cargo run --release --example evaluate -- --set csiq --root data/csiq --model wadiqam_fr --output results/csiq
//! ```

use std::collections::HashSet;
use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use iqa_examples::output::finish;
use iqa_examples::{evaluate, say, within};
use iqa_models::datasets::split::SplitPreset;
use iqa_models::datasets::{DataSet, DataSetKind, Direction, ScoreKind, ScoreScale, Strictness};
use iqa_models::heads::wadiqam::MAX_PATCHES;
use iqa_models::metrics::agreement::MAX_RESAMPLES;
use iqa_models::train::evaluation::ReportConfig;
use iqa_models::{EvaluatedScorer, available_devices, device_by_name};

/// Runs a model over a rated set and says how well it agrees with people: PLCC, SRCC, KRCC, RMSE, with and without
/// logistic fits; for each type of distortion; over splits; against another model.
///
/// Scores are written as they come: a run that was stopped goes on when started again with the same options.
#[derive(Parser)]
struct Options {
    /// The set: live, live_original, csiq, tid2008, tid2013, kadid10k, pipal, live_challenge; or csv.
    #[arg(long)]
    set: String,
    /// The folder of the set; of the images, for `csv`.
    #[arg(long)]
    root: PathBuf,
    /// The list of a `csv` set: columns `distorted`, `score`, and `reference`, `type` and others as there are.
    #[arg(long, required_if_eq("set", "csv"))]
    list: Option<PathBuf>,
    /// Nominal range of the scores of a `csv` set: two numbers with a comma, `1,5` say.
    #[arg(long, value_delimiter = ',', required_if_eq("set", "csv"))]
    range: Vec<f64>,
    /// Which end of the scores of a `csv` set is good.
    #[arg(long, value_enum, default_value_t = Better::Higher)]
    better: Better,
    /// Take a set of which images are missing.
    #[arg(long)]
    lenient: bool,
    /// The model, by name; a wrong one lists those there are.
    #[arg(long, default_value = "wadiqam_fr")]
    model: String,
    /// Weights to use instead of the bundled ones.
    #[arg(long)]
    weights: Option<PathBuf>,
    /// Where to compute; the devices of this build are listed by `--device help`.
    #[arg(long, default_value = "flex")]
    device: String,
    /// Look at so many random patches of each image instead of all; for patch networks.
    #[arg(long, value_parser = within(1..=MAX_PATCHES))]
    patches: Option<usize>,
    /// Folder for scores, report and plot.
    #[arg(long)]
    output: PathBuf,
    /// Report also on the test parts of a paper's splits, `bosse_live` say: mean, median, standard deviation.
    #[arg(long)]
    splits: Option<SplitPreset>,
    /// Keep to the test part of the first split of this preset: for weights trained with the same seed on the rest.
    #[arg(long, conflicts_with = "splits")]
    test_of: Option<SplitPreset>,
    /// The scores.csv of another model on the same images: how significant is the difference?
    #[arg(long)]
    against: Option<PathBuf>,
    /// Resamples of the bootstrap.
    #[arg(long, default_value_t = 1000, value_parser = within(1..=MAX_RESAMPLES))]
    resamples: usize,
    /// Seed of bootstrap, splits and random patches.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Clone, Copy, ValueEnum)]
enum Better {
    Higher,
    Lower,
}

impl Options {
    fn open_set(&self) -> Result<DataSet, Box<dyn Error>> {
        let strictness = if self.lenient { Strictness::Lenient } else { Strictness::Strict };
        let set = match (&self.list, &self.range[..]) {
            (Some(list), &[low, high]) if self.set == "csv" => {
                let (kind, direction) = match self.better {
                    Better::Higher => (ScoreKind::Mos, Direction::HigherIsBetter),
                    Better::Lower => (ScoreKind::Dmos, Direction::LowerIsBetter),
                };
                let scale = ScoreScale::new(kind, direction, low, high)?;
                let name = list.file_stem().unwrap_or_default().to_string_lossy();
                DataSet::open_csv(list, &self.root, &name, scale, strictness)?
            }
            (Some(_), _) if self.set == "csv" => return Err("--range takes two numbers, such as 1,5".into()),
            _ => DataSet::open(self.set.parse::<DataSetKind>()?, &self.root, strictness)?,
        };
        let Some(preset) = self.test_of else { return Ok(set) };
        let splits = preset.splits(&set, self.seed)?;
        let first = splits.first().ok_or("a preset without splits")?;
        let test: HashSet<PathBuf> =
            first.test().iter().map(|&index| set.samples()[index].distorted.clone()).collect();
        Ok(set.filtered(|sample| test.contains(&sample.distorted))?)
    }
}

fn main() -> ExitCode {
    finish(run(&Options::parse()).map(|()| ExitCode::SUCCESS), 1)
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    if options.device == "help" {
        say!("{}", available_devices().join("\n"));
        return Ok(());
    }
    let set = options.open_set()?;
    let device = device_by_name(&options.device)?;
    let mut model = EvaluatedScorer::open(&options.model, options.weights.as_deref(), &device)?;
    if let Some(patches) = options.patches {
        model = model.with_random_patches(patches, options.seed)?;
    }
    let config = ReportConfig {
        resamples: options.resamples,
        seed: options.seed,
        splits: options.splits,
        ..ReportConfig::default()
    };
    let done = evaluate(&model, &set, &options.output, options.against.as_deref(), &config)?;
    say!("{}", done.text);
    let rate = done.scored as f64 / done.seconds.max(f64::MIN_POSITIVE);
    say!(
        "{} images scored in {:.1} s ({rate:.1} a second), {} found in {}",
        done.scored,
        done.seconds,
        done.found,
        options.output.join("scores.csv").display()
    );
    Ok(())
}
