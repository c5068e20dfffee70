//! `--recipe hiqa`.

use std::error::Error;
use std::fmt::Write as _;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::terminal::Terminal;
use clap::{Args, ValueEnum};
use iqa_models::Device;
use iqa_models::backbones::Architecture;
use iqa_models::backbones::pretrained::{PretrainedFile, PretrainedSource};
use iqa_models::datasets::DatasetError;
use iqa_models::datasets::augment::PairAugment;
use iqa_models::datasets::distort::Distortion;
use iqa_models::datasets::synthetic::{SyntheticConfig, SyntheticGrid};
use iqa_models::heads::Stored;
use iqa_models::heads::hiqa::{Hiqa, HiqaScoreOptions, MapSource, RegressorConfig};
use iqa_models::metrics::image::psnr;
use iqa_models::nn::Precision;
use iqa_models::train::Recipe;
use iqa_models::train::hiqa::{HiqaRecipe, Perceptual, Rung, train};

use crate::train::report::report;
use crate::train::source::{Source, Sources};
use crate::train::{Common, Preset, select};

/// Of the recipe `hiqa`. `--steps` is for the joint phase, `--images` has one or more patches each, `--learning-rate` and
/// `--epochs` have no say.
#[derive(Args)]
pub(crate) struct HiqaOptions {
    /// How much of the paper: the steps of its ablation, each with those before it.
    #[arg(long, value_enum, default_value_t = RungName::Fusion)]
    rung: RungName,
    /// With `--preset paper`: Adam at 1e-4 for generator and discriminator, and means for sums.
    #[arg(long, conflicts_with = "printed")]
    practical: bool,
    /// With `--preset paper`: the losses with weights as if all that is not printed were 1; diverges within a few steps.
    #[arg(long)]
    printed: bool,
    /// Channels in place of the published 64 (default: the preset's).
    #[arg(long)]
    channels: Option<usize>,
    /// Side of a patch in pixels, a power of two from 64 on (default: the preset's).
    #[arg(long)]
    patch_side: Option<usize>,
    /// Random patches of each image in a batch (default: the preset's).
    #[arg(long)]
    patches_each: Option<usize>,
    /// Steps of the first phase, R_pre (default: the preset's).
    #[arg(long)]
    baseline_steps: Option<usize>,
    /// Steps of the last phase, the regressor alone (default: the preset's).
    #[arg(long)]
    regressor_steps: Option<usize>,
    /// Steps between two checkpoints, rows of the log and sample sheets (default: the preset's).
    #[arg(long)]
    report_every: Option<usize>,
    /// Weights of ours whose generator is used as it is: only a regressor is trained.
    #[arg(long)]
    plug_in: Option<PathBuf>,
    /// Trains and reports on discrepancy maps of the true references; with `--plug-in`.
    #[arg(long, requires = "plug_in")]
    oracle: bool,
    /// Turns patches by up to this many degrees either way (section 3.6 of the paper; it resamples what is rated).
    #[arg(long)]
    rotation: Option<f64>,
    /// ImageNet weights of VGG19, with torchvision's names, for the perceptual loss (default: with `--preset paper` those in
    /// the cache folder, see "Pretrained backbones" in the README, else none).
    #[arg(long, conflicts_with = "vgg16")]
    vgg19: Option<PathBuf>,
    /// ImageNet weights of VGG16 in its place.
    #[arg(long)]
    vgg16: Option<PathBuf>,
    /// Leaves out the features of VGG from the perceptual loss of `--preset paper`.
    #[arg(long, conflicts_with_all = ["vgg19", "vgg16"])]
    no_vgg: bool,
    /// Layers of the VGG by torchvision's numbers, separated by commas (default: the last ReLU of block 5).
    #[arg(long, value_delimiter = ',')]
    vgg_layers: Vec<usize>,
    /// Distance between the patches of an image in the report, in pixels (default: half a patch).
    #[arg(long)]
    stride: Option<NonZeroUsize>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
enum RungName {
    /// The distorted image alone.
    Baseline,
    /// A generator that learns from pixels, and the discrepancy map.
    Map,
    /// The perceptual loss, its two terms together: on features of VGG and, for the quality, of R_pre.
    QualityLoss,
    /// A discriminator.
    Adversary,
    /// One that takes for real what serves the regressor.
    IqaAdversary,
    /// The generator's features in the regressor: all of the paper.
    Fusion,
}

impl From<RungName> for Rung {
    fn from(name: RungName) -> Self {
        match name {
            RungName::Baseline => Self::Baseline,
            RungName::Map => Self::Map,
            RungName::QualityLoss => Self::QualityLoss,
            RungName::Adversary => Self::Adversary,
            RungName::IqaAdversary => Self::IqaAdversary,
            RungName::Fusion => Self::Fusion,
        }
    }
}

impl HiqaOptions {
    fn perceptual(&self, common: &Common) -> Result<Perceptual, Box<dyn Error>> {
        // What the paper's preset trains a generator with.
        let wanted = matches!(common.preset, Preset::Paper)
            && self.rung >= RungName::QualityLoss
            && self.plug_in.is_none()
            && !self.no_vgg;
        let mut perceptual = match (&self.vgg19, &self.vgg16) {
            (Some(weights), _) => Perceptual::vgg19(weights.clone()),
            (None, Some(weights)) => Perceptual::vgg16(weights.clone()),
            (None, None) if wanted => {
                let file = PretrainedFile::torchvision(Architecture::Vgg19)?;
                let found = PretrainedSource::from_env().locate_observed(file, &Terminal::new());
                let found = found.map_err(|error| {
                    format!("the perceptual loss needs VGG19: {error} (or give --vgg19, --vgg16 or --no-vgg)")
                })?;
                Perceptual::vgg19(found)
            }
            (None, None) => Perceptual::None,
        };
        if let Perceptual::Vgg16 { layers, .. } | Perceptual::Vgg19 { layers, .. } = &mut perceptual
            && !self.vgg_layers.is_empty()
        {
            layers.clone_from(&self.vgg_layers);
        }
        Ok(perceptual)
    }

    pub(crate) fn weights(&self) -> [&Option<PathBuf>; 3] {
        [&self.plug_in, &self.vgg19, &self.vgg16]
    }

    fn recipe(&self, common: &Common) -> Result<HiqaRecipe, Box<dyn Error>> {
        let vgg = self.perceptual(common)?;
        let mut recipe = match common.preset {
            Preset::Fast => HiqaRecipe::fast(vgg),
            Preset::Small => HiqaRecipe::small(vgg),
            Preset::Paper if self.practical => HiqaRecipe::practical(vgg),
            Preset::Paper if self.printed => HiqaRecipe::printed(vgg),
            Preset::Paper => HiqaRecipe::paper(vgg),
        };
        recipe.seed = common.seed;
        recipe.rung = self.rung.into();
        recipe.plug_in.clone_from(&self.plug_in);
        recipe.start_from = common.earlier_weights()?;
        if self.oracle {
            recipe.map_source = MapSource::Reference;
        }
        if let Some(channels) = self.channels {
            recipe.generator.width = channels;
            recipe.regressor_width = channels;
            recipe.discriminator_width = channels;
        }
        select(&mut recipe.patch, self.patch_side);
        select(&mut recipe.images, common.images);
        select(&mut recipe.patches, self.patches_each);
        select(&mut recipe.baseline_steps, self.baseline_steps);
        select(&mut recipe.joint_steps, common.steps);
        select(&mut recipe.regressor_steps, self.regressor_steps);
        select(&mut recipe.report_every, self.report_every);
        select(&mut recipe.rotation, self.rotation);
        Ok(recipe)
    }

    pub(crate) fn run(
        &self,
        common: &Common,
        source: &Sources,
        output: &Path,
        device: &Device,
    ) -> Result<String, Box<dyn Error>> {
        if common.learning_rate.is_some() || common.epochs.is_some() {
            return Err("--learning-rate and --epochs are not for the recipe hiqa: its phases have steps and rates of their \
                        own (--baseline-steps, --steps, --regressor-steps)"
                .into());
        }
        if !matches!(common.preset, Preset::Paper) {
            let given = [("practical", self.practical), ("printed", self.printed), ("no-vgg", self.no_vgg)];
            if let Some((option, _)) = given.into_iter().find(|(_, given)| *given) {
                return Err(format!("--{option} is for --preset paper").into());
            }
        }
        let recipe = self.recipe(common)?;
        if !self.vgg_layers.is_empty() && recipe.vgg == Perceptual::None {
            return Err("--vgg-layers is for --vgg19 or --vgg16".into());
        }
        recipe.validate()?;
        let side = recipe.patch as u32;
        source.check_tests(self.oracle, (side, side))?;
        let training = source.training(PairAugment::default())?;
        let shown = source.shown()?;
        let outcome = train(&recipe, &*training, &*shown, output, device, &Terminal::new())?;

        let options =
            HiqaScoreOptions { stride: self.stride.map(NonZeroUsize::get), ..HiqaScoreOptions::default() };
        // The report is on the weights as they would be shipped: rounded to 16 bits.
        let shipped = output.join("best.f16.safetensors");
        Hiqa::load(&outcome.weights, device)?.save(&shipped, Precision::F16)?;
        let model = Hiqa::load(&shipped, device)?.fuse();
        let mut text = String::new();
        if let Some(Source::Photographs { references, test, trained, size, seed, .. }) = source.each().next()
            && model.generator().is_some()
            // A generator from elsewhere has had its report there.
            && recipe.plug_in.is_none()
        {
            text += &hallucinations(
                &model,
                &options,
                |distortion| {
                    let config = SyntheticConfig {
                        size: *size,
                        distortions: vec![distortion],
                        ..SyntheticConfig::default()
                    };
                    SyntheticGrid::new(Arc::clone(references), test, config, *seed)
                },
                trained,
            )?;
        }
        if let Some(baseline) = outcome.baseline.filter(|_| recipe.rung > Rung::Baseline) {
            let baseline = Hiqa::load(baseline, device)?.fuse();
            let found = report(source, baseline.score_spec(), &|distorted, _| {
                Ok(baseline.score(distorted, None, &options)?.score)
            })?;
            let _ = writeln!(text, "## R_pre, the baseline\n\n{found}");
        }
        let found = report(source, model.score_spec(), &|distorted, reference| {
            let score = match reference {
                Some(reference) if self.oracle => model.score_oracle(distorted, reference, &options)?,
                _ => model.score(distorted, None, &options)?,
            };
            Ok(score.score)
        })?;
        let name = if self.oracle { "Oracle" } else { "Without a reference" };
        let RegressorConfig { map, fusion, .. } = model.config().regressor;
        let _ = writeln!(text, "## {name} (map: {map}, fusion: {})\n\n{found}", fusion.is_some());
        Ok(text)
    }
}

/// How close the hallucinated references are to the true ones, by type.
fn hallucinations(
    model: &Hiqa,
    options: &HiqaScoreOptions,
    grid: impl Fn(Distortion) -> Result<SyntheticGrid, DatasetError>,
    trained: &[Distortion],
) -> Result<String, Box<dyn Error>> {
    let mut text = String::from(
        "## Hallucinated references\n\n| type | PSNR of the distorted image, dB | of the hallucinated one, dB | gain at levels 1 to 5, dB |\n|---|---|---|---|\n",
    );
    for &distortion in trained {
        let grid = grid(distortion)?;
        let count = grid.len() as f64;
        let (mut before, mut after, mut gains) = (0.0, 0.0, [0.0; 5]);
        for index in 0..grid.len() {
            let sample = grid.sample(index)?;
            let found = model.hallucinate(&sample.distorted, options)?;
            let distorted = psnr(&sample.distorted, &sample.reference)?;
            let hallucinated = psnr(&found.image, &sample.reference)?;
            before += distorted / count;
            after += hallucinated / count;
            gains[index % 5] += (hallucinated - distorted) / (count / 5.0);
        }
        let gains = gains.map(|gain| format!("{gain:+.2}")).join(", ");
        let _ = writeln!(text, "| {distortion} | {before:.2} | {after:.2} | {gains} |");
    }
    text.push('\n');
    Ok(text)
}
