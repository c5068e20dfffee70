//! The four cells of table 5 of the GSN paper, ordinary or central difference convolutions, with and without the list
//! loss, each trained from the same weights on the same batches of photographs distorted on the fly.

mod picture;

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::options::{Known, photographs, width};
use crate::terminal::Terminal;
use clap::Args;
use iqa_models::core::{FolderClaim, write_atomically};
use iqa_models::datasets::synthetic::{SyntheticConfig, SyntheticGrid, SyntheticTrain};
use iqa_models::heads::gsn::GsnConfig;
use iqa_models::nn::device_by_name;
use iqa_models::train::gsn::{Ablation, GsnRecipe, train};
use iqa_models::train::{EpochLog, Outcome};

/// Trains the four cells of the ablation, one after the other, and writes a table and the learning curves.
///
/// A run that was stopped goes on when started again with the same options.
#[derive(Args)]
pub(crate) struct Options {
    /// Folder of pristine photographs to distort on the fly.
    #[arg(long)]
    photographs: PathBuf,
    /// Folder for a run of each cell, the table (`ablation.md`) and the curves (`ablation.svg`).
    #[arg(long)]
    output: PathBuf,
    /// Photographs to validate with: names without extension, separated by commas.
    #[arg(long, value_delimiter = ',', required = true)]
    validation: Vec<String>,
    /// Width and height of the pictures cut from the photographs.
    #[arg(long, default_value_t = 128)]
    size: u32,
    /// The network's widths, as a part of the published ones.
    #[arg(long, default_value_t = 0.125, value_parser = width)]
    width: f64,
    /// Side of the crops.
    #[arg(long, default_value_t = 96)]
    crop: usize,
    /// Epochs of each cell.
    #[arg(long)]
    epochs: Option<usize>,
    /// Optimiser steps in an epoch.
    #[arg(long)]
    steps: Option<usize>,
    /// Pairs in a batch.
    #[arg(long)]
    images: Option<usize>,
    /// Learning rate.
    #[arg(long)]
    learning_rate: Option<f64>,
    /// Seed of weights, batches and crops; the same in all cells.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Device to train on: flex, wgpu, libtorch, libtorch-cuda or cuda, as compiled in.
    #[arg(long, default_value = "flex", value_parser = Known::DEVICES, hide_possible_values = true)]
    device: String,
}

pub(crate) fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let device = device_by_name(&options.device)?;
    let references = photographs(&options.photographs, None)?;
    let (mut validation, mut training) = (Vec::new(), Vec::new());
    for (index, reference) in references.iter().enumerate() {
        let part = if options.validation.contains(&reference.name) { &mut validation } else { &mut training };
        part.push(index);
    }
    if validation.len() != options.validation.len() {
        return Err("--validation names a photograph that is not there".into());
    }
    let config = SyntheticConfig { size: (options.size, options.size), ..SyntheticConfig::default() };
    let train_set = SyntheticTrain::new(Arc::clone(&references), &training, config.clone(), options.seed)?;
    let validation_set = SyntheticGrid::new(Arc::clone(&references), &validation, config, options.seed)?;
    let recipe = recipe(options);
    remark!(
        "{} photographs to train on, {} to validate ({} images)",
        training.len(),
        validation.len(),
        validation_set.len()
    );
    let _claim = FolderClaim::new(&options.output, "gsn_ablation", &["ablation.md", "ablation.svg"])?;
    let mut cells = Vec::new();
    for cell in Ablation::ALL {
        remark!("{}", cell.name());
        let folder = options.output.join(cell.name().to_lowercase().replace('+', "_"));
        let (recipe, terminal) = (recipe.clone().ablation(cell), Terminal::new());
        let outcome = train(&recipe, &train_set, &validation_set, &folder, &device, &terminal)?;
        cells.push((cell, outcome));
    }
    let table = table(&cells);
    say!("{table}");
    write_atomically(&options.output.join("ablation.md"), table.as_bytes())?;
    write_picture(&options.output.join("ablation.svg"), &cells)
}

fn recipe(options: &Options) -> GsnRecipe {
    let mut recipe = GsnRecipe::fast(GsnConfig::new());
    let published = GsnConfig::new();
    // As fine a grid for its crops as the published one.
    let grid = (published.grid.saturating_mul(options.crop) / published.crop).max(1);
    recipe.model = GsnConfig { crop: options.crop, grid, ..published.scaled(options.width) };
    recipe.epochs = options.epochs.unwrap_or(recipe.epochs);
    recipe.steps_per_epoch = options.steps.or(recipe.steps_per_epoch);
    recipe.images = options.images.unwrap_or(recipe.images);
    recipe.learning_rate = options.learning_rate.unwrap_or(recipe.learning_rate);
    recipe.seed = options.seed;
    recipe
}

/// The epoch that was selected, and the last one.
fn table(cells: &[(Ablation, Outcome)]) -> String {
    let mut text = String::from(
        "| cell | epoch selected | PLCC | SRCC | KRCC | PLCC, last epoch | SRCC, last epoch | minutes |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    let number = |value: Option<f64>| value.map_or_else(|| "-".into(), |value| format!("{value:.3}"));
    for (cell, outcome) in cells {
        let best = outcome.log[outcome.best_epoch];
        let last = outcome.log[outcome.log.len() - 1];
        let minutes = outcome.log.iter().map(|row| row.seconds).sum::<f64>() / 60.0;
        let _ = writeln!(
            text,
            "| {} | {} of {} | {} | {} | {} | {} | {} | {minutes:.1} |",
            cell.name(),
            best.epoch,
            last.epoch,
            number(best.validation_plcc),
            number(best.validation_srcc),
            number(best.validation_krcc),
            number(last.validation_plcc),
            number(last.validation_srcc),
        );
    }
    text
}

fn write_picture(path: &Path, cells: &[(Ablation, Outcome)]) -> Result<(), Box<dyn Error>> {
    let curves: Vec<(&str, &[EpochLog])> =
        cells.iter().map(|(cell, outcome)| (cell.name(), outcome.log.as_slice())).collect();
    Ok(write_atomically(path, picture::draw(&curves)?.as_bytes())?)
}
