//! `--recipe wadiqam`.

use std::error::Error;
use std::path::Path;

use crate::terminal::Terminal;
use clap::{Args, ValueEnum};
use iqa_models::Device;
use iqa_models::datasets::augment::PairAugment;
use iqa_models::heads::Stored;
use iqa_models::heads::wadiqam::{Fusion, PatchSampler, ScoreOptions, Wadiqam, WadiqamConfig};
use iqa_models::nn::Precision;
use iqa_models::train::wadiqam::{BUNDLED, WadiqamRecipe, train_watched};

use crate::train::report::report;
use crate::train::source::Sources;
use crate::train::{Common, Preset, select, shipped};

/// Of the recipe `wadiqam`.
#[derive(Args)]
pub(crate) struct WadiqamOptions {
    /// The network.
    #[arg(long, value_enum, default_value_t = Model::WadiqamFr)]
    model: Model,
    /// Random patches of each image in a batch (default: the preset's).
    #[arg(long)]
    patches: Option<usize>,
    /// Writes the loss on the test part into log and chart too (the paper's figure 8); it selects nothing.
    #[arg(long)]
    watch_test: bool,
    /// Dropout probability (default: the preset's).
    #[arg(long)]
    dropout: Option<f64>,
    /// Sizes at which patches are cut: 1 for the images as they are, 2 for their half size too, and so on (default: the
    /// preset's, 1).
    #[arg(long)]
    scales: Option<usize>,
    /// Channels of the convolutions, block by block: `32,32/64/128/256/` is the fast preset's, which ends with a block of
    /// pooling alone. Five blocks.
    #[arg(long, value_parser = blocks)]
    blocks: Option<Blocks>,
    /// Width of the hidden layer of the heads (default: the preset's).
    #[arg(long)]
    hidden: Option<usize>,
    /// Weight in the loss of `(1 - PLCC) / 2` over the images of a source in a batch (default: the preset's, 0).
    #[arg(long)]
    correlation: Option<f64>,
    /// Flip images left to right at random; those of `--photographs` are flipped in any case.
    #[arg(long)]
    flips: bool,
    /// Random patches of each validation image, at each size (default: the preset's).
    #[arg(long)]
    validation_patches: Option<usize>,
    /// How features of image and reference are joined, for a full-reference network (default: the preset's).
    #[arg(long, value_enum)]
    fusion: Option<FusionName>,
}

/// Channels, block by block.
#[derive(Clone)]
struct Blocks(Vec<Vec<usize>>);

fn blocks(text: &str) -> Result<Blocks, String> {
    let block = |text: &str| text.split(',').filter(|part| !part.is_empty()).map(str::parse).collect();
    let blocks = text.split('/').map(block).collect::<Result<_, _>>();
    blocks.map(Blocks).map_err(|_| "expected channels such as 32,32/64/128/256/".into())
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
    fn recipe(&self, common: &Common) -> Result<WadiqamRecipe, Box<dyn Error>> {
        let model = match self.model {
            Model::WadiqamFr => WadiqamConfig::wadiqam_fr(),
            Model::WadiqamNr => WadiqamConfig::wadiqam_nr(),
            Model::DiqamFr => WadiqamConfig::diqam_fr(),
            Model::DiqamNr => WadiqamConfig::diqam_nr(),
        };
        let goes_on = common.start_from.as_deref() == Some(Path::new(BUNDLED));
        let mut recipe = match common.preset {
            Preset::Paper if goes_on => {
                return Err(
                    "--start-from bundled: the bundled network is not the paper's; leave out --preset".into(),
                );
            }
            Preset::Paper => WadiqamRecipe::paper(model),
            _ if goes_on => {
                let pooling = model.pooling;
                let mut recipe = WadiqamRecipe::from_bundled(model.is_full_reference())?;
                recipe.model.pooling = pooling;
                recipe
            }
            // What is bundled of WaDIQaM is small enough for a CPU.
            Preset::Fast | Preset::Small => WadiqamRecipe::fast(model),
        };
        recipe.seed = common.seed;
        recipe.start_from.clone_from(&common.start_from);
        select(&mut recipe.epochs, common.epochs);
        recipe.steps_per_epoch = common.steps.or(recipe.steps_per_epoch);
        select(&mut recipe.images, common.images);
        select(&mut recipe.patches, self.patches);
        select(&mut recipe.learning_rate, common.learning_rate);
        select(&mut recipe.model.dropout, self.dropout);
        if self.fusion.is_some() && !recipe.model.is_full_reference() {
            return Err("--fusion is for a model with references: it has nothing to join".into());
        }
        select(&mut recipe.model.fusion, self.fusion.map(Fusion::from));
        select(&mut recipe.model.scales, self.scales);
        select(&mut recipe.model.blocks, self.blocks.as_ref().map(|Blocks(blocks)| blocks.clone()));
        select(&mut recipe.model.hidden, self.hidden);
        select(&mut recipe.correlation, self.correlation);
        select(&mut recipe.validation_patches, self.validation_patches);
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
        let side = PatchSampler::official().minimum_side();
        source.check_tests(recipe.model.is_full_reference(), (side, side))?;
        let augment = PairAugment { horizontal_flip: self.flips, ..PairAugment::default() };
        let training = source.training(augment)?;
        let validation = source.validation()?;
        let watched = self.watch_test.then(|| source.watched()).transpose()?;
        let (watched, terminal) = (watched.as_deref(), Terminal::new());
        let outcome = train_watched(&recipe, &*training, &*validation, watched, output, device, &terminal)?;
        let shipped = shipped(&outcome);
        Wadiqam::load(&outcome.best, &recipe.model, device)?.save(&shipped, Precision::F16)?;
        let model = Wadiqam::load(&shipped, &recipe.model, device)?;
        report(source, model.score_spec(), &|distorted, reference| {
            let reference = reference.filter(|_| model.config().is_full_reference());
            Ok(model.score(distorted, reference, &ScoreOptions::default())?.score)
        })
    }
}
