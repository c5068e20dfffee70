//! `--recipe gsn`.

use std::error::Error;
use std::path::Path;

use crate::options::{width, within};
use crate::terminal::Terminal;
use clap::{Args, ValueEnum};
use iqa_models::Device;
use iqa_models::datasets::augment::PairAugment;
use iqa_models::heads::Stored;
use iqa_models::heads::gsn::{Gsn, GsnConfig, ScoreOptions};
use iqa_models::nn::Precision;
use iqa_models::train::gsn::{Ablation, GsnRecipe, train};
use iqa_models::train::losses::MAX_ORDER;
use iqa_models::train::{QualityLoss, Schedule, Term};

use crate::train::report::report;
use crate::train::source::Sources;
use crate::train::{Common, Preset, select, shipped};

/// Of the recipe `gsn`.
#[derive(Args)]
pub(crate) struct GsnOptions {
    /// The network's widths, as a part of the published ones (default: the preset's).
    #[arg(long, value_parser = width)]
    gsn_width: Option<f64>,
    /// A cell of the paper's table 5 in place of the proposed network and loss.
    #[arg(long, value_enum)]
    gsn_ablation: Option<Cell>,
    /// One of the losses that the paper's figure 4 sets beside its own.
    #[arg(long, value_enum, conflicts_with = "gsn_ablation")]
    gsn_loss: Option<LossName>,
    /// Order of the norm in the pair loss, from 1 to 8 (default: the second; the paper leaves it open).
    #[arg(long, value_parser = order)]
    gsn_order: Option<f64>,
    /// Channels that the levels are reduced to as they are fused (default: the preset's, 128 at full width; the paper's figure
    /// may also be read as 64).
    #[arg(long, value_parser = within(1..=2048))]
    gsn_fusion: Option<usize>,
    /// Side of the crops in pixels, in training and in scoring (default: the preset's); the grid follows. A network that has
    /// learned from small ones goes on with larger ones: `--start-from`.
    #[arg(long, value_parser = within(1..=4096))]
    gsn_crop: Option<usize>,
    /// Part of the run after which the learning rate falls to 0 along a cosine (default: the preset's; with `paper` it does not
    /// fall, as none is printed).
    #[arg(long, value_parser = share)]
    gsn_flat: Option<f64>,
}

fn order(text: &str) -> Result<f64, String> {
    let within = |order: &f64| (1.0..=MAX_ORDER).contains(order);
    text.parse().ok().filter(within).ok_or_else(|| format!("expected a number from 1 to {MAX_ORDER}"))
}

fn share(text: &str) -> Result<f64, String> {
    let within = |share: &f64| (0.0..=1.0).contains(share);
    text.parse().ok().filter(within).ok_or_else(|| "expected a number from 0 to 1".into())
}

#[derive(Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
enum LossName {
    /// Mean absolute error.
    Mae,
    /// Squared error of scores that are moved to mean 0 and divided by their norm.
    NormInNorm,
}

impl From<LossName> for QualityLoss {
    fn from(name: LossName) -> Self {
        Self::of(match name {
            LossName::Mae => Term::Mae,
            LossName::NormInNorm => Term::NormInNorm,
        })
    }
}

#[derive(Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Cell {
    CnnMse,
    CnnMseKl,
    CdcMse,
    CdcMseKl,
}

impl GsnOptions {
    fn recipe(&self, common: &Common) -> Result<GsnRecipe, Box<dyn Error>> {
        let model = GsnConfig::new();
        let mut recipe = match common.preset {
            Preset::Fast => GsnRecipe::fast(model),
            Preset::Small => GsnRecipe::small(),
            Preset::Paper => GsnRecipe::paper(model),
        };
        if let Some(width) = self.gsn_width {
            let GsnConfig { crop, grid, pair_fusion, .. } = recipe.model;
            recipe.model = GsnConfig { crop, grid, pair_fusion, ..GsnConfig::new().scaled(width) };
        }
        select(&mut recipe.model.fusion, self.gsn_fusion);
        if let Some(crop) = self.gsn_crop {
            let grid = recipe.model.grid_for(crop);
            recipe.model = GsnConfig { crop, grid, ..recipe.model };
        }
        recipe.start_from = common.earlier_weights()?;
        if let Some(flat_fraction) = self.gsn_flat {
            recipe.schedule = Schedule::FlatCosine { flat_fraction };
        }
        recipe.seed = common.seed;
        select(&mut recipe.epochs, common.epochs);
        recipe.steps_per_epoch = common.steps.or(recipe.steps_per_epoch);
        select(&mut recipe.images, common.images);
        select(&mut recipe.learning_rate, common.learning_rate);
        select(&mut recipe.loss, self.gsn_loss.map(QualityLoss::from));
        recipe = match self.gsn_ablation {
            None => recipe,
            Some(Cell::CnnMse) => recipe.ablation(Ablation::CnnMse),
            Some(Cell::CnnMseKl) => recipe.ablation(Ablation::CnnMseKl),
            Some(Cell::CdcMse) => recipe.ablation(Ablation::CdcMse),
            Some(Cell::CdcMseKl) => recipe.ablation(Ablation::CdcMseKl),
        };
        if let Some(q) = self.gsn_order {
            let loss = recipe.loss.with_order(q);
            recipe.loss = loss.ok_or("--gsn-order is for the pair loss, which --gsn-loss mae leaves out")?;
        }
        Ok(recipe)
    }

    pub(crate) fn run(
        &self,
        common: &Common,
        source: &Sources,
        output: &Path,
        device: &Device,
    ) -> Result<String, Box<dyn Error>> {
        let recipe = self.recipe(common)?;
        let side = recipe.model.crop as u32;
        source.check_tests(true, (side, side))?;
        // The recipe flips and crops.
        let training = source.training(PairAugment::default())?;
        let validation = source.validation()?;
        let outcome = train(&recipe, &*training, &*validation, output, device, &Terminal::new())?;
        let shipped = shipped(&outcome);
        Gsn::load(&outcome.best, &recipe.model, device)?.save(&shipped, Precision::F16)?;
        let model = Gsn::load(&shipped, &recipe.model, device)?.fuse();
        report(source, model.score_spec(), &|distorted, reference| {
            Ok(model.score(distorted, reference, &ScoreOptions::default())?.score)
        })
    }
}
