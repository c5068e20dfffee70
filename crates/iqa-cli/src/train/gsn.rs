//! `--recipe gsn`.

use std::error::Error;
use std::path::Path;

use crate::options::width;
use crate::terminal::Terminal;
use clap::{Args, ValueEnum};
use iqa_models::Device;
use iqa_models::datasets::augment::PairAugment;
use iqa_models::heads::gsn::{Gsn, GsnConfig, ScoreOptions};
use iqa_models::nn::Precision;
use iqa_models::train::gsn::{Ablation, GsnRecipe, train};

use crate::train::report::report;
use crate::train::source::Sources;
use crate::train::{Common, Preset, select};

/// Of the recipe `gsn`.
#[derive(Args)]
pub(crate) struct GsnOptions {
    /// The network's widths, as a part of the published ones (default: the preset's).
    #[arg(long, value_parser = width)]
    gsn_width: Option<f64>,
    /// A cell of the paper's table 5 in place of the proposed network and loss.
    #[arg(long, value_enum)]
    gsn_ablation: Option<Cell>,
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
    fn recipe(&self, common: &Common) -> GsnRecipe {
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
        recipe.seed = common.seed;
        select(&mut recipe.epochs, common.epochs);
        recipe.steps_per_epoch = common.steps.or(recipe.steps_per_epoch);
        select(&mut recipe.images, common.images);
        select(&mut recipe.learning_rate, common.learning_rate);
        match self.gsn_ablation {
            None => recipe,
            Some(Cell::CnnMse) => recipe.ablation(Ablation::CnnMse),
            Some(Cell::CnnMseKl) => recipe.ablation(Ablation::CnnMseKl),
            Some(Cell::CdcMse) => recipe.ablation(Ablation::CdcMse),
            Some(Cell::CdcMseKl) => recipe.ablation(Ablation::CdcMseKl),
        }
    }

    pub(crate) fn run(
        &self,
        common: &Common,
        source: &Sources,
        output: &Path,
        device: &Device,
    ) -> Result<String, Box<dyn Error>> {
        let recipe = self.recipe(common);
        // The recipe flips and crops.
        let training = source.training(PairAugment::default())?;
        let validation = source.validation()?;
        let outcome = train(&recipe, &*training, &*validation, output, device, &Terminal::new())?;
        let epoch = outcome.log[outcome.best_epoch];
        say!("best epoch {}: validation loss {:.4}", epoch.epoch, epoch.validation_loss);

        // The report is on the weights as they would be shipped: rounded to 16 bits.
        let shipped = output.join("best.f16.safetensors");
        Gsn::load(&outcome.best, &recipe.model, device)?.save(&shipped, Precision::F16)?;
        let model = Gsn::load(&shipped, &recipe.model, device)?.fuse();
        report(source, model.score_spec(), &|distorted, reference| {
            Ok(model.score(distorted, reference, &ScoreOptions::default())?.score)
        })
    }
}
