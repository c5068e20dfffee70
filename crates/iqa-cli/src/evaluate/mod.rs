//! How well a model agrees with people on a data set.

mod sets;

use std::error::Error;
use std::path::{Path, PathBuf};

use crate::opening::{ModelOptions, need_of};
use crate::options::within;
use crate::sets::Better;
use crate::terminal::Terminal;
use clap::Args;
use iqa_models::datasets::DataSet;
use iqa_models::datasets::split::SplitPreset;
use iqa_models::evaluate::{NamedModel, ReportConfig, Scores, evaluate, evaluate_all};
use iqa_models::metrics::agreement::MAX_RESAMPLES;
use iqa_models::{Direction, available_devices};
use sets::SetsOptions;

/// Says how well models agree with people on rated sets
///
/// PLCC, SRCC, KRCC, RMSE, with and without logistic fits; for each type of distortion; over splits; against another model.
/// Several models or sets give a table.
///
/// Scores are written as they come: a run that was stopped goes on when started again with the same options.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    #[command(flatten)]
    sets: SetsOptions,
    #[command(flatten)]
    models: ModelOptions,
    /// Folder for scores, report and plot.
    #[arg(long)]
    output: PathBuf,
    /// Report also on the test parts of a paper's splits, `bosse_live` say: mean, median, standard deviation.
    #[arg(long)]
    splits: Option<SplitPreset>,
    /// Scores of another model on the same images: how significant is the difference? A scores.csv of `evaluate`, or a list
    /// of any program with the columns `image` and `score`.
    #[arg(long)]
    against: Option<PathBuf>,
    /// Which end of the scores of such a list is good (default: what its column `direction` says, else the higher one).
    #[arg(long, value_enum, requires = "against")]
    against_better: Option<Better>,
    /// Resamples of the bootstrap.
    #[arg(long, default_value_t = 1000, value_parser = within(1..=MAX_RESAMPLES))]
    resamples: usize,
}

const EXAMPLES: &str = "Examples:
  iqa evaluate --set csiq --root data/csiq --model wadiqam_fr --output results/csiq
  iqa evaluate --set csiq --root data/csiq --set live --root data/live --model psnr,vsi,wadiqam_fr --output results/table
  iqa evaluate --set csv --list ratings.csv --root images --model wadiqam_nr --output results/mine";

impl Options {
    fn read_against(&self, path: &Path, set: &DataSet) -> Result<Scores, Box<dyn Error>> {
        match (Scores::is_own(path)?, self.against_better) {
            (true, None) => Ok(Scores::read(path, set)?),
            (true, Some(_)) => {
                Err(format!("{} says itself which end is good, without --against-better", path.display())
                    .into())
            }
            (false, better) => {
                let direction = better.map(|better| match better {
                    Better::Higher => Direction::HigherIsBetter,
                    Better::Lower => Direction::LowerIsBetter,
                });
                Ok(Scores::read_list(path, set, direction)?)
            }
        }
    }
}

pub(crate) fn run(options: &Options) -> Result<bool, Box<dyn Error>> {
    if options.models.asks_for_devices() {
        say!("{}", available_devices().join("\n"));
        return Ok(true);
    }
    let seed = options.models.seed();
    let sets = options.sets.open(seed)?;
    let mut samples = sets.iter().flat_map(DataSet::samples);
    let full = samples.all(|sample| sample.reference.is_some());
    // A model of weights may leave references alone.
    let need = if full { None } else { Some(need_of(false)) };
    let models = options.models.open(need, false)?;
    let config = ReportConfig {
        resamples: options.resamples,
        seed,
        splits: options.splits,
        ..ReportConfig::default()
    };
    let ([model], [set]) = (&models[..], &sets[..]) else {
        if options.against.is_some() || options.splits.is_some() {
            return Err("--against and --splits are for one model on one set".into());
        }
        let models: Vec<NamedModel<'_>> = models
            .iter()
            .map(|model| NamedModel { label: &model.label, model: model.scorer.model() })
            .collect();
        let (table, failures) = evaluate_all(&models, &sets, &options.output, &config, &Terminal::new())?;
        say!("{}", table.markdown());
        for failure in &failures {
            note!("error: {failure}");
        }
        return Ok(failures.is_empty());
    };
    // Read first: a wrong file is told before the work.
    let against = options.against.as_ref().map(|path| options.read_against(path, set)).transpose()?;
    let (model, terminal) = (model.scorer.model(), Terminal::new());
    let done = evaluate(model, set, &options.output, against.as_ref(), &config, &terminal)?;
    say!("{}", done.report.markdown());
    let rate = done.scored as f64 / done.seconds.max(f64::MIN_POSITIVE);
    remark!(
        "{} images scored in {:.1} s ({rate:.1} a second), {} found in {}",
        done.scored,
        done.seconds,
        done.found,
        options.output.join("scores.csv").display()
    );
    Ok(true)
}
