//! Trains a model by the recipe of its paper, and reports on images kept out.

mod gsn;
mod hiqa;
mod multi_branch;
mod report;
mod source;
mod wadiqam;

use std::error::Error;
use std::path::{Path, PathBuf};

use crate::options::Known;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, ValueEnum};
use gsn::GsnOptions;
use hiqa::HiqaOptions;
use iqa_models::core::{is_same_file, write_atomically};
use iqa_models::nn::device_by_name;
use iqa_models::train::wadiqam::BUNDLED;
use iqa_models::train::{EpochLog, FILES, Outcome, hiqa as hiqa_run};
use multi_branch::MultiBranchOptions;
use source::{SourceOptions, Sources};
use wadiqam::WadiqamOptions;

/// Trains a model by the recipe of its paper
///
/// On photographs distorted on the fly, labelled from the mean opinion scores of KADID-10k, or on a rated set.
///
/// A run that was stopped goes on when started again with the same options.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    /// The paper.
    #[arg(long, value_enum, default_value_t = Recipe::Wadiqam)]
    recipe: Recipe,
    /// Folder for weights, checkpoint, log and report.
    #[arg(long)]
    output: PathBuf,
    /// Device to train on: flex, wgpu, libtorch, libtorch-cuda or cuda, as compiled in.
    #[arg(long, default_value = "flex", value_parser = Known::DEVICES, hide_possible_values = true)]
    device: String,
    #[command(flatten, next_help_heading = "Images")]
    source: SourceOptions,
    #[command(flatten, next_help_heading = "Every recipe")]
    common: Common,
    #[command(flatten, next_help_heading = "Recipe wadiqam")]
    wadiqam: WadiqamOptions,
    #[command(flatten, next_help_heading = "Recipe gsn")]
    gsn: GsnOptions,
    #[command(flatten, next_help_heading = "Recipe multibranch")]
    multi_branch: MultiBranchOptions,
    #[command(flatten, next_help_heading = "Recipe hiqa")]
    hiqa: HiqaOptions,
}

const EXAMPLES: &str = "Examples:
  iqa train --photographs FOLDER --validation NAME,NAME --test NAME,NAME --output RUN
  iqa train --recipe gsn --set tid2013 --root data/tid2013 --split bosse_tid2013 --output RUN
  iqa train --set csv --list ratings.csv --root images --split 0.8,0.1,0.1 --model wadiqam_nr --start-from bundled --output RUN";

#[derive(Clone, Copy, ValueEnum)]
enum Recipe {
    /// DIQaM and WaDIQaM (Bosse et al. 2018).
    Wadiqam,
    /// GSN (Cong et al. 2022).
    Gsn,
    /// The multi-branch model (Dutta et al.).
    #[value(name = "multibranch")]
    MultiBranch,
    /// Hallucinated-IQA (Lin and Wang 2018).
    Hiqa,
}

#[derive(Clone, Copy, ValueEnum)]
enum Preset {
    /// A small network and few steps: minutes on a CPU.
    Fast,
    /// The network that is bundled: hours on a CPU, minutes on a GPU.
    Small,
    /// The paper's: days on a CPU.
    Paper,
}

/// What every recipe understands.
#[derive(Args)]
struct Common {
    /// Size of network and run.
    #[arg(long, value_enum, default_value_t = Preset::Fast)]
    preset: Preset,
    /// Epochs (default: the preset's).
    #[arg(long)]
    epochs: Option<usize>,
    /// Optimiser steps in an epoch (default: the preset's).
    #[arg(long)]
    steps: Option<usize>,
    /// Images in a batch (default: the preset's).
    #[arg(long)]
    images: Option<usize>,
    /// Learning rate of the first step (default: the preset's).
    #[arg(long)]
    learning_rate: Option<f64>,
    /// Weights of an earlier run to start from. Of WaDIQaM all of a model of the same kind, or the convolutions of another
    /// kind; `bundled` goes on with the bundled weights, whose network is then trained, at a fifth of the fast preset's
    /// learning rate. Of GSN the whole network, of HIQA the generator, and where none is trained (`--plug-in`, `--rung
    /// baseline`) the regressor; not for multibranch.
    #[arg(long)]
    start_from: Option<PathBuf>,
    /// Seed of the whole run.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl Common {
    /// The file of `--start-from`, for a recipe that does not go on from bundled weights by that name.
    fn earlier_weights(&self) -> Result<Option<PathBuf>, Box<dyn Error>> {
        if self.start_from.as_deref() == Some(Path::new(BUNDLED)) {
            return Err("--start-from bundled is for the recipe wadiqam: give a file".into());
        }
        Ok(self.start_from.clone())
    }
}

/// What the caller asked for in place of the preset's.
fn select<T>(value: &mut T, asked: Option<T>) {
    if let Some(asked) = asked {
        *value = asked;
    }
}

/// Says which weights count, and where they go as they would be shipped, rounded to 16 bits: the report is on those.
fn shipped(outcome: &Outcome) -> PathBuf {
    let EpochLog { epoch, validation_loss, .. } = outcome.log[outcome.best_epoch];
    match validation_loss {
        Some(loss) => remark!("best epoch {epoch}: validation loss {loss:.4}"),
        None => remark!("no validation: the weights of the last epoch, {epoch}, count"),
    }
    outcome.best.with_extension("f16.safetensors")
}

/// Whether an option, by the name of its field, was given: not one that has its default.
fn is_given(matches: &ArgMatches, id: &str) -> bool {
    matches.value_source(id) == Some(ValueSource::CommandLine)
}

impl Options {
    /// That no option is given which another recipe alone looks at.
    pub(crate) fn of_its_recipe(&self, matches: &ArgMatches) -> Result<(), Box<dyn Error>> {
        let recipe = self.recipe.to_possible_value().ok_or("a recipe without a name")?;
        for option in Self::augment_args(Command::new("train")).get_arguments() {
            let of = option.get_help_heading().and_then(|heading| heading.strip_prefix("Recipe "));
            let given = is_given(matches, option.get_id().as_str());
            if let (true, Some(of), Some(name)) = (given, of, option.get_long())
                && of != recipe.get_name()
            {
                return Err(format!("--{name} is for the recipe {of}, not for {}", recipe.get_name()).into());
            }
        }
        Ok(())
    }
}

impl Options {
    /// That the run, of whichever recipe, writes over no weights that it reads. One that goes on compares what it read.
    fn keeps_its_inputs(&self) -> Result<(), Box<dyn Error>> {
        let Self { output, common, multi_branch, hiqa, .. } = self;
        let read = [&common.start_from, multi_branch.frozen_file()].into_iter().chain(hiqa.weights());
        for file in read.flatten().filter(|_| !output.join("checkpoint.safetensors").exists()) {
            if FILES.iter().chain(&hiqa_run::FILES).any(|name| is_same_file(file, &output.join(name))) {
                return Err(
                    format!("{}: the run would write over it; use another folder", file.display()).into()
                );
            }
        }
        Ok(())
    }
}

/// `matches` are those of which `options` were made.
pub(crate) fn run(options: &Options, matches: &ArgMatches) -> Result<(), Box<dyn Error>> {
    options.of_its_recipe(matches)?;
    options.multi_branch.of_its_branches(matches)?;
    let device = device_by_name(&options.device)?;
    options.keeps_its_inputs()?;
    let source = Sources::open(&options.source, options.common.seed)?;
    remark!("{}", source.describe());
    let Options { common, output, .. } = options;
    let text = match options.recipe {
        Recipe::Wadiqam => options.wadiqam.run(common, &source, output, &device)?,
        Recipe::Gsn => options.gsn.run(common, &source, output, &device)?,
        Recipe::MultiBranch => options.multi_branch.run(common, &source, output, &device)?,
        Recipe::Hiqa => options.hiqa.run(common, &source, output, &device)?,
    };
    say!("{text}");
    Ok(write_atomically(&output.join("report.md"), text.as_bytes())?)
}
