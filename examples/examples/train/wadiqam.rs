//! `--recipe wadiqam`.

use std::error::Error;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use iqa_models::Device;
use iqa_models::core::Precision;
use iqa_models::datasets::augment::PairAugment;
use iqa_models::heads::wadiqam::{Fusion, ScoreOptions, Wadiqam, WadiqamConfig};
use iqa_models::train::wadiqam::{WadiqamRecipe, train};

use crate::report::report;
use crate::source::Source;
use crate::{Common, Preset, select};

/// Of the recipe `wadiqam`.
#[derive(Args)]
pub(crate) struct WadiqamOptions {
    /// The network.
    #[arg(long, value_enum, default_value_t = Model::WadiqamFr)]
    model: Model,
    /// Random patches of each image in a batch (default: the preset's).
    #[arg(long)]
    patches: Option<usize>,
    /// Weights of an earlier run to start from: all of a model of the same kind, the convolutions of another kind.
    #[arg(long)]
    start_from: Option<PathBuf>,
    /// Dropout probability (default: the preset's).
    #[arg(long)]
    dropout: Option<f64>,
    /// How features of image and reference are joined, for a full-reference network (default: the preset's).
    #[arg(long, value_enum)]
    fusion: Option<FusionName>,
}

#[derive(Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
enum FusionName {
    /// Their difference.
    DiffOnly,
    /// Both.
    Concat,
    /// Both and their difference.
    ConcatDiff,
}

impl From<FusionName> for Fusion {
    fn from(name: FusionName) -> Self {
        match name {
            FusionName::DiffOnly => Self::DiffOnly,
            FusionName::Concat => Self::Concat,
            FusionName::ConcatDiff => Self::ConcatDiff,
        }
    }
}

#[derive(Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Model {
    WadiqamFr,
    WadiqamNr,
    DiqamFr,
    DiqamNr,
}

impl WadiqamOptions {
    fn recipe(&self, common: &Common) -> WadiqamRecipe {
        let model = match self.model {
            Model::WadiqamFr => WadiqamConfig::wadiqam_fr(),
            Model::WadiqamNr => WadiqamConfig::wadiqam_nr(),
            Model::DiqamFr => WadiqamConfig::diqam_fr(),
            Model::DiqamNr => WadiqamConfig::diqam_nr(),
        };
        let mut recipe = match common.preset {
            Preset::Fast => WadiqamRecipe::fast(model),
            Preset::Paper => WadiqamRecipe::paper(model),
        };
        recipe.seed = common.seed;
        recipe.start_from.clone_from(&self.start_from);
        select(&mut recipe.epochs, common.epochs);
        recipe.steps_per_epoch = common.steps.or(recipe.steps_per_epoch);
        select(&mut recipe.images, common.images);
        select(&mut recipe.patches, self.patches);
        select(&mut recipe.learning_rate, common.learning_rate);
        select(&mut recipe.model.dropout, self.dropout);
        select(&mut recipe.model.fusion, self.fusion.map(Fusion::from));
        recipe
    }

    pub(crate) fn run(
        &self,
        common: &Common,
        source: &Source,
        output: &Path,
        device: &Device,
    ) -> Result<String, Box<dyn Error>> {
        let recipe = self.recipe(common);
        let training = source.training(PairAugment::default())?;
        let outcome = train(&recipe, &*training, &*source.validation()?, output, device)?;
        let epoch = outcome.log[outcome.best_epoch];
        iqa_examples::say!("best epoch {}: validation loss {:.4}", epoch.epoch, epoch.validation_loss);

        // The report is on the weights as they would be shipped: rounded to 16 bits.
        let shipped = output.join("best.f16.safetensors");
        Wadiqam::load(&outcome.best, &recipe.model, device)?.save(&shipped, Precision::F16)?;
        let model = Wadiqam::load(&shipped, &recipe.model, device)?;
        report(source, model.score_spec(), &|distorted, reference| {
            let reference = reference.filter(|_| model.config().is_full_reference());
            Ok(model.score(distorted, reference, &ScoreOptions::default())?.score)
        })
    }
}
