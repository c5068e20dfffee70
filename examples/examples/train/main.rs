//! Trains DIQaM or WaDIQaM on photographs that are distorted on the fly, and reports on photographs kept out.
//!
//! ```text
//! cargo run --release --example train -- --photographs FOLDER --output RUN --model wadiqam_fr
//! ```
#![allow(clippy::print_stdout, reason = "a program's report goes to standard output")]

mod report;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, ValueEnum};
use iqa_models::core::{Precision, device_by_name};
use iqa_models::datasets::distort::Distortion;
use iqa_models::datasets::synthetic::{
    Reference, SyntheticConfig, SyntheticGrid, SyntheticTrain, load_references,
};
use iqa_models::heads::wadiqam::{Wadiqam, WadiqamConfig};
use iqa_models::train::wadiqam::{WadiqamRecipe, train};

/// Trains DIQaM or WaDIQaM on photographs distorted on the fly, labelled from the mean opinion scores of KADID-10k.
///
/// A run that was stopped goes on when started again with the same options.
#[derive(Parser)]
struct Options {
    /// Folder of pristine photographs, each at least 512x384 (or 384x512).
    #[arg(long)]
    photographs: PathBuf,
    /// Folder for weights, checkpoint, log and report.
    #[arg(long)]
    output: PathBuf,
    /// The network.
    #[arg(long, value_enum, default_value_t = Model::WadiqamFr)]
    model: Model,
    /// The recipe: `fast` (shallow network, minutes) or `paper` (full network, days on a CPU).
    #[arg(long, value_enum, default_value_t = Preset::Fast)]
    recipe: Preset,
    /// Photographs to select the weights by: names without extension, separated by commas.
    #[arg(long, value_delimiter = ',', required = true)]
    validation: Vec<String>,
    /// Photographs to report on: names without extension, separated by commas.
    #[arg(long, value_delimiter = ',', required = true)]
    test: Vec<String>,
    /// Distortions to train on (default: every one but those of `--leave-out`).
    #[arg(long, value_delimiter = ',')]
    distortions: Vec<Distortion>,
    /// Distortions to leave out of training and validation, and to report on apart.
    #[arg(long, value_delimiter = ',')]
    leave_out: Vec<Distortion>,
    /// Epochs (default: the recipe's).
    #[arg(long)]
    epochs: Option<usize>,
    /// Optimiser steps in an epoch (default: the recipe's).
    #[arg(long)]
    steps: Option<usize>,
    /// Images in a batch (default: the recipe's).
    #[arg(long)]
    images: Option<usize>,
    /// Random patches of each image in a batch (default: the recipe's).
    #[arg(long)]
    patches: Option<usize>,
    /// Weights of an earlier run to start from: all of a model of the same kind, the convolutions of another kind.
    #[arg(long)]
    start_from: Option<PathBuf>,
    /// Learning rate of the first step (default: the recipe's).
    #[arg(long)]
    learning_rate: Option<f64>,
    /// Dropout probability (default: the recipe's).
    #[arg(long)]
    dropout: Option<f64>,
    /// Seed of the whole run.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Device to train on: flex, wgpu, libtorch, libtorch-cuda or cuda, as compiled in.
    #[arg(long, default_value = "flex")]
    device: String,
}

#[derive(Clone, Copy, ValueEnum)]
enum Model {
    #[value(name = "wadiqam_fr")]
    WadiqamFr,
    #[value(name = "wadiqam_nr")]
    WadiqamNr,
    #[value(name = "diqam_fr")]
    DiqamFr,
    #[value(name = "diqam_nr")]
    DiqamNr,
}

#[derive(Clone, Copy, ValueEnum)]
enum Preset {
    Fast,
    Paper,
}

impl Options {
    fn recipe(&self) -> WadiqamRecipe {
        let model = match self.model {
            Model::WadiqamFr => WadiqamConfig::wadiqam_fr(),
            Model::WadiqamNr => WadiqamConfig::wadiqam_nr(),
            Model::DiqamFr => WadiqamConfig::diqam_fr(),
            Model::DiqamNr => WadiqamConfig::diqam_nr(),
        };
        let mut recipe = match self.recipe {
            Preset::Fast => WadiqamRecipe::fast(model),
            Preset::Paper => WadiqamRecipe::paper(model),
        };
        recipe.seed = self.seed;
        recipe.start_from.clone_from(&self.start_from);
        recipe.epochs = self.epochs.unwrap_or(recipe.epochs);
        recipe.steps_per_epoch = self.steps.or(recipe.steps_per_epoch);
        recipe.images = self.images.unwrap_or(recipe.images);
        recipe.patches = self.patches.unwrap_or(recipe.patches);
        recipe.learning_rate = self.learning_rate.unwrap_or(recipe.learning_rate);
        recipe.model.dropout = self.dropout.unwrap_or(recipe.model.dropout);
        recipe
    }
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let device = device_by_name(&options.device)?;
    let references = Arc::new(load_references(&options.photographs)?);
    let validation = indices(&references, &options.validation)?;
    let test = indices(&references, &options.test)?;
    let training: Vec<usize> =
        (0..references.len()).filter(|index| !validation.contains(index) && !test.contains(index)).collect();
    println!(
        "{} photographs to train on, {} to validate, {} to test",
        training.len(),
        validation.len(),
        test.len()
    );

    let chosen = if options.distortions.is_empty() { Distortion::ALL } else { &options.distortions };
    let trained: Vec<Distortion> =
        chosen.iter().copied().filter(|distortion| !options.leave_out.contains(distortion)).collect();
    let config = SyntheticConfig { distortions: trained.clone(), ..SyntheticConfig::default() };
    let recipe = options.recipe();
    let outcome = train(
        &recipe,
        &SyntheticTrain::new(Arc::clone(&references), &training, config.clone(), options.seed)?,
        &SyntheticGrid::new(Arc::clone(&references), &validation, config, options.seed)?,
        &options.output,
        &device,
    )?;
    let epoch = outcome.log[outcome.best_epoch];
    println!("best epoch {}: validation loss {:.4}", epoch.epoch, epoch.validation_loss);

    // The report is on the weights as they would be shipped: rounded to 16 bits.
    let shipped = options.output.join("best.f16.safetensors");
    Wadiqam::load(&outcome.best, &recipe.model, &device)?.save(&shipped, Precision::F16)?;
    let model = Wadiqam::load(&shipped, &recipe.model, &device)?;
    let text = report::report(&model, &references, &test, &trained, &options.leave_out, options.seed)?;
    println!("{text}");
    std::fs::write(options.output.join("report.md"), text)?;
    Ok(())
}

fn indices(references: &[Reference], names: &[String]) -> Result<Vec<usize>, Box<dyn Error>> {
    names
        .iter()
        .map(|name| {
            references
                .iter()
                .position(|reference| &reference.name == name)
                .ok_or_else(|| format!("no photograph is called `{name}`").into())
        })
        .collect()
}
