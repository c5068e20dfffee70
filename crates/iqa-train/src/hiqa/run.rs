//! The phases, one after the other.

use std::io::Cursor;
use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::tensor::Device;
use image::{ImageFormat, RgbImage, imageops};
use iqa_core::{CoreError, Observer, write_atomically};
use iqa_heads::Stored;
use iqa_heads::hiqa::Generator;
use iqa_nn::Precision;

use super::batch::HostBatch;
use super::curve::write_losses;
use super::log::{HiqaLog, Sums, write_log};
use super::recipe::{HiqaRecipe, Perceptual, Phase, Rung};
use super::sheet::sample_sheet;
use super::trainer::{JointLosses, Trainer};
use crate::data::{self, DataKey, data_key};
use crate::run::{self, Check, Course, Found, Parts, RunFolder, Step, by_content};
use crate::{Recipe, TrainError, TrainingPairs, ValidationPairs};

const WEIGHTS: &str = "hiqa.safetensors";
const BASELINE: &str = "baseline.safetensors";
/// What a [`train`] writes into the folder of a run besides its checkpoint and the sample sheets; the last two by the program
/// `train`, after it.
pub const FILES: [&str; 6] = [BASELINE, WEIGHTS, "log.csv", "loss.svg", "best.f16.safetensors", "report.md"];
/// The name of a sample sheet: a step stands between the two.
const SHEET: &str = "sheet_";
const PNG: &str = ".png";
/// Rows of a sample sheet.
const SHEET_ROWS: usize = 4;

/// What a finished run leaves.
#[derive(Clone, Debug)]
pub struct HiqaOutcome {
    /// The weights of what scores images.
    pub weights: PathBuf,
    /// The weights of `R_pre`, the paper's baseline, if the run has trained it.
    pub baseline: Option<PathBuf>,
    /// One row a checkpoint.
    pub log: Vec<HiqaLog>,
}

/// Trains the networks and writes into `folder`; goes on where an earlier run in that folder stopped.
///
/// `shown` gives the images of the sample sheets. `device` is a plain device; the loop puts autodiff on it. `observer`
/// sees the steps of each phase and the rows of the log.
///
/// # Errors
/// [`TrainError::InvalidRecipe`], [`TrainError::Empty`]; [`TrainError::RecipeChanged`], [`TrainError::DataChanged`] when the folder holds a run of
/// another recipe; [`CoreError::FolderInUse`](iqa_core::CoreError::FolderInUse), [`CoreError::ForeignFile`](iqa_core::CoreError::ForeignFile), [`TrainError::Checkpoint`], [`TrainError::NonFiniteLoss`], and what
/// reading the data or writing files gives.
pub fn train(
    recipe: &HiqaRecipe,
    training: &dyn TrainingPairs,
    shown: &dyn ValidationPairs,
    folder: &Path,
    device: &Device,
    observer: &dyn Observer,
) -> Result<HiqaOutcome, TrainError> {
    recipe.validate()?;
    if training.samples() == 0 {
        return Err(TrainError::Empty { set: "training" });
    }
    let device = device.clone().autodiff();
    let trainer = Trainer::new(recipe, &device)?;
    let phases = recipe.phases();
    let trains = |phase| phases.iter().any(|&(found, _)| found == phase);
    let data = data_key(training, shown)?;
    let shown = if trains(Phase::Joint) { pairs_to_show(shown)? } else { Vec::new() };
    if !run::is_begun(folder) {
        // Data that give a later phase no batch are told before there is a folder too.
        for (phase, _) in &phases {
            let few = HiqaRecipe { images: training.sources(), ..recipe.clone() };
            HostBatch::draw(training, &few, *phase, 0)?;
        }
    }
    let baseline = trains(Phase::Baseline).then(|| folder.join(BASELINE));
    let course = Phases { recipe, recorded: recorded(recipe)?, phases, data, training, shown, device };
    observer.line(format_args!("{}", perceptual_note(recipe)));
    let learner = Learner { trainer, fixed: None, sums: Sums::default() };
    let (learner, log) = run::run(&course, learner, folder, observer)?;
    let weights = folder.join(WEIGHTS);
    learner.trainer.model()?.save(&weights, Precision::F32)?;
    Ok(HiqaOutcome { weights, baseline, log })
}

/// The phases as a course.
struct Phases<'a> {
    recipe: &'a HiqaRecipe,
    /// As checkpoints keep it.
    recorded: HiqaRecipe,
    phases: Vec<(Phase, usize)>,
    data: DataKey,
    training: &'a dyn TrainingPairs,
    /// On the sample sheets: distorted and reference.
    shown: Vec<(RgbImage, RgbImage)>,
    device: Device,
}

struct Learner {
    trainer: Trainer,
    /// The generator in the last phase, where it is used with its running statistics.
    fixed: Option<Generator>,
    /// Of the losses since the last mark.
    sums: Sums,
}

impl Phases<'_> {
    /// The factor of the schedule.
    fn factor(&self, step: Step) -> f64 {
        self.recipe.schedule.factor(step.within, self.phases[step.phase].1)
    }

    fn check(&self, step: Step) -> Check {
        Check { step: step.index, learning_rate: self.recipe.regressor_optimiser.rate() }
    }
}

impl Course for Phases<'_> {
    type Recipe = HiqaRecipe;
    type Batch = HostBatch;
    type Learner = Learner;
    type Row = HiqaLog;

    fn recipe(&self) -> &HiqaRecipe {
        &self.recorded
    }

    fn data(&self) -> &DataKey {
        &self.data
    }

    fn phases(&self) -> Vec<run::Phase> {
        let every = self.recipe.report_every;
        let phase = |&(phase, steps): &(Phase, usize)| run::Phase { name: phase.as_str(), steps, every };
        self.phases.iter().map(phase).collect()
    }

    fn files(&self, folder: &Path) -> Vec<String> {
        FILES.into_iter().map(Into::into).chain(sheets_in(folder)).collect()
    }

    fn batch(&self, index: usize) -> Result<HostBatch, TrainError> {
        let (phase, _) = data::place(self.phases.iter().map(|&(_, steps)| steps), index);
        HostBatch::draw(self.training, self.recipe, self.phases[phase].0, index)
    }

    fn step(&self, mut learner: Learner, batch: HostBatch, step: Step) -> Result<Learner, TrainError> {
        let batch = batch.to_device(&self.device);
        let factor = self.factor(step);
        let Learner { trainer, fixed, sums } = &mut learner;
        let of_regressor = |regressor| JointLosses { regressor, ..JointLosses::default() };
        let losses = match self.phases[step.phase].0 {
            Phase::Baseline => of_regressor(trainer.baseline_step(&batch, factor)),
            Phase::Joint => trainer.joint_step(&batch, factor),
            Phase::Regressor => {
                let fixed = fixed.get_or_insert_with(|| trainer.generator().valid().fuse());
                of_regressor(trainer.regressor_phase_step(fixed, &batch, factor))
            }
        };
        let check = self.check(step);
        losses.named().into_iter().try_for_each(|(name, loss)| check.finite(name, loss))?;
        sums.add(&losses);
        Ok(learner)
    }

    fn state(&self, _: &Learner) -> String {
        String::new()
    }

    fn mark(&self, learner: &mut Learner, step: Step, seconds: f64) -> Result<HiqaLog, TrainError> {
        learner.trainer.networks_are_finite(&self.check(step))?;
        let sums = std::mem::take(&mut learner.sums);
        Ok(sums.row(self.phases[step.phase].0, step.within + 1, self.factor(step), seconds))
    }

    fn publish(&self, learner: &Learner, log: &[HiqaLog], folder: &mut RunFolder) -> Result<(), TrainError> {
        write_log(&folder.file("log.csv"), log)?;
        write_losses(&folder.file("loss.svg"), log)?;
        let Some(row) = log.last() else { return Ok(()) };
        if row.phase == Phase::Joint && !self.shown.is_empty() {
            let sheet = sample_sheet(&learner.trainer.model()?, &self.shown)?;
            write_png(&folder.add(&format!("{SHEET}{:06}{PNG}", row.step))?, &sheet)?;
        }
        if row.phase == Phase::Baseline && row.step == self.recipe.baseline_steps {
            learner.trainer.baseline_model()?.save(&folder.file(BASELINE), Precision::F32)?;
        }
        Ok(())
    }

    fn store(&self, learner: &Learner, parts: &mut Parts) -> Result<(), TrainError> {
        let trainer = &learner.trainer;
        parts.network("generator", &trainer.generator)?;
        parts.network("discriminator", &trainer.discriminator)?;
        parts.network("regressor", &trainer.regressor)?;
        parts.network("baseline", &trainer.baseline)?;
        parts.optimiser("generator_optimiser", &trainer.generator_optimiser)?;
        parts.optimiser("discriminator_optimiser", &trainer.discriminator_optimiser)?;
        parts.optimiser("regressor_optimiser", &trainer.regressor_optimiser)?;
        parts.optimiser("baseline_optimiser", &trainer.baseline_optimiser)
    }

    fn restore(&self, learner: Learner, found: &Found<'_>) -> Result<Learner, TrainError> {
        let Learner { trainer, .. } = learner;
        let trainer = Trainer {
            generator: found.network("generator", trainer.generator)?,
            discriminator: found.network("discriminator", trainer.discriminator)?,
            regressor: found.network("regressor", trainer.regressor)?,
            baseline: found.network("baseline", trainer.baseline)?,
            generator_optimiser: found.optimiser("generator_optimiser", trainer.generator_optimiser)?,
            discriminator_optimiser: found
                .optimiser("discriminator_optimiser", trainer.discriminator_optimiser)?,
            regressor_optimiser: found.optimiser("regressor_optimiser", trainer.regressor_optimiser)?,
            baseline_optimiser: found.optimiser("baseline_optimiser", trainer.baseline_optimiser)?,
            ..trainer
        };
        Ok(Learner { trainer, ..learner })
    }
}

/// Which network stands behind `l_v`.
fn perceptual_note(recipe: &HiqaRecipe) -> String {
    if recipe.rung < Rung::QualityLoss {
        return format!("rung {:?}: no perceptual loss", recipe.rung);
    }
    match &recipe.vgg {
        Perceptual::None => "l_v is left out: no VGG weights were given".into(),
        Perceptual::Vgg16 { weights, layers } => {
            format!("l_v from VGG16 (the paper's is VGG19), layers {layers:?}, {}", weights.display())
        }
        Perceptual::Vgg19 { weights, layers } => {
            format!("l_v from VGG19, layers {layers:?}, {}", weights.display())
        }
    }
}

/// A few pairs from all over the set, cut to what fits on a sheet.
fn pairs_to_show(set: &dyn ValidationPairs) -> Result<Vec<(RgbImage, RgbImage)>, TrainError> {
    const SIDE: u32 = 192;
    let rows = set.samples().min(SHEET_ROWS);
    let middle = |image: &RgbImage| {
        let (width, height) = (image.width().min(SIDE), image.height().min(SIDE));
        let (x, y) = ((image.width() - width) / 2, (image.height() - height) / 2);
        imageops::crop_imm(image, x, y, width, height).to_image()
    };
    (0..rows)
        .map(|row| {
            let pair = set.pair(row * set.samples() / rows)?;
            Ok((middle(&pair.distorted), middle(pair.needed_reference()?)))
        })
        .collect()
}

fn write_png(path: &Path, picture: &RgbImage) -> Result<(), TrainError> {
    let mut bytes = Cursor::new(Vec::new());
    picture
        .write_to(&mut bytes, ImageFormat::Png)
        .map_err(|error| CoreError::Io { path: path.into(), source: std::io::Error::other(error) })?;
    Ok(write_atomically(path, &bytes.into_inner())?)
}

/// The recipe as checkpoints keep it: a file of weights by its content.
fn recorded(recipe: &HiqaRecipe) -> Result<HiqaRecipe, TrainError> {
    let mut recorded = recipe.clone();
    for path in [&mut recorded.plug_in, &mut recorded.start_from].into_iter().flatten() {
        *path = by_content(path)?;
    }
    if let Perceptual::Vgg16 { weights, .. } | Perceptual::Vgg19 { weights, .. } = &mut recorded.vgg {
        *weights = by_content(weights)?;
    }
    Ok(recorded)
}

/// Names of sample sheets that are in a folder.
fn sheets_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let is_sheet = |name: &String| {
        let step = name.strip_prefix(SHEET).and_then(|rest| rest.strip_suffix(PNG));
        step.is_some_and(|step| step.parse::<usize>().is_ok())
    };
    names.filter(is_sheet).collect()
}
