//! The phases, one after the other.

use std::cell::RefCell;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::time::Instant;

use burn::module::Module;
use burn::tensor::Device;
use image::{ImageFormat, RgbImage, imageops};
use iqa_core::{CoreError, FolderClaim, Observer, Work, write_atomically};
use iqa_nn::{Precision, ScoreError};

use super::batch::HostBatch;
use super::curve::write_curves;
use super::log::{HiqaLog, Sums, write_log};
use super::recipe::{HiqaRecipe, Perceptual, Phase, Rung};
use super::sheet::sample_sheet;
use super::state::{self, Progress};
use super::trainer::{JointLosses, Trainer};
use crate::checkpoint::{by_content, same_run};
use crate::data::data_key;
use crate::divergence::Check;
use crate::{TrainError, TrainingPairs, ValidationPairs};

/// Batches prepared ahead of the networks.
const READ_AHEAD: usize = 4;
/// What is written into the folder of a run besides the sample sheets; the last two by the program `train`, after it.
const FILES: [&str; 7] = [
    "checkpoint.safetensors",
    "baseline.safetensors",
    "hiqa.safetensors",
    "log.csv",
    "loss.svg",
    "best.f16.safetensors",
    "report.md",
];
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
    let file = |name: &str| folder.join(name);
    let checkpoint = file("checkpoint.safetensors");

    let mut trainer = Trainer::new(recipe, &device)?;
    let phases = recipe.phases();
    let hallucinates = phases.iter().any(|(phase, _)| *phase == Phase::Joint);
    let data = data_key(training, shown)?;
    let shown = if hallucinates { pairs_to_show(shown)? } else { Vec::new() };
    if !checkpoint.exists() {
        // Data that give no batch are told before there is a folder.
        for (phase, _) in &phases {
            let few = HiqaRecipe { images: training.sources(), ..recipe.clone() };
            HostBatch::draw(training, &few, *phase, 0)?;
        }
    }
    let sheets = sheets_in(folder);
    let files: Vec<&str> = FILES.into_iter().chain(sheets.iter().map(String::as_str)).collect();
    let claim = RefCell::new(FolderClaim::new(folder, "train", &files)?);
    let publish = |trainer: &Trainer, rows: &[HiqaLog]| {
        write_log(&file("log.csv"), rows)?;
        write_curves(&file("loss.svg"), rows)?;
        match rows.last() {
            Some(row) if row.phase == Phase::Joint && !shown.is_empty() => {
                let sheet = sample_sheet(&trainer.model()?, &shown)?;
                let name = format!("{SHEET}{:06}{PNG}", row.step);
                claim.borrow_mut().add("train", &name)?;
                write_png(&file(&name), &sheet)
            }
            _ => Ok(()),
        }
    };
    let recorded = recorded(recipe)?;
    let mut progress =
        Progress { recipe: recorded.clone(), data: data.clone(), phase: 0, step: 0, log: Vec::new() };
    if checkpoint.exists() {
        let same =
            |found: &Progress| same_run((&found.recipe, &found.data), (&recorded, &data), None, &checkpoint);
        (trainer, progress) = state::read(&checkpoint, trainer, same)?;
    }
    // The run may have ended between a checkpoint and its row.
    publish(&trainer, &progress.log)?;
    observer.line(format_args!("{}", perceptual_note(recipe)));

    while let Some(&(phase, steps)) = phases.get(progress.phase) {
        let before: usize = phases[..progress.phase].iter().map(|(_, steps)| steps).sum();
        run_phase(
            &mut trainer,
            &mut progress,
            phase,
            steps,
            before,
            training,
            &device,
            observer,
            |trainer, progress| {
                state::write(&checkpoint, trainer, progress)?;
                publish(trainer, &progress.log)
            },
        )?;
        progress.phase += 1;
        progress.step = 0;
        if phase == Phase::Baseline {
            trainer.baseline_model()?.save(&file("baseline.safetensors"), Precision::F32)?;
        }
        state::write(&checkpoint, &trainer, &progress)?;
    }
    let weights = file("hiqa.safetensors");
    trainer.model()?.save(&weights, Precision::F32)?;
    let trained = phases.iter().any(|(phase, _)| *phase == Phase::Baseline);
    Ok(HiqaOutcome { weights, baseline: trained.then(|| file("baseline.safetensors")), log: progress.log })
}

/// Steps of one phase, from where it stands to its end; `report` is called after every `report_every` of them.
#[allow(
    clippy::too_many_arguments,
    reason = "what a phase works on; a struct would be named and taken apart once"
)]
fn run_phase(
    trainer: &mut Trainer,
    progress: &mut Progress,
    phase: Phase,
    steps: usize,
    before: usize,
    training: &dyn TrainingPairs,
    device: &Device,
    observer: &dyn Observer,
    report: impl Fn(&Trainer, &Progress) -> Result<(), TrainError>,
) -> Result<(), TrainError> {
    let recipe = trainer.recipe().clone();
    let first = progress.step;
    let (units, done) = (Some(steps as u64), first as u64);
    observer.begin(Work { name: phase.as_str(), unit: "steps", units, done });
    // Fixed in the last phase, and used with its running statistics.
    let fixed = (phase == Phase::Regressor).then(|| trainer.generator().valid());
    std::thread::scope(|scope| {
        // Distorting and decoding go on while the networks work.
        let (sender, batches) = sync_channel(READ_AHEAD);
        let recipe = &recipe;
        scope.spawn(move || {
            for step in first..steps {
                if sender.send(HostBatch::draw(training, recipe, phase, before + step)).is_err() {
                    return; // The loop has ended with an error of its own.
                }
            }
        });
        let (mut sums, mut start) = (Sums::default(), Instant::now());
        for step in first..steps {
            // The thread sends a batch a step, or the error that ends the run.
            let batch = batches.recv().unwrap_or(Err(TrainError::Empty { set: "training" }))?;
            let batch = batch.to_device(device);
            let factor = recipe.schedule.factor(step, steps);
            let losses = match (phase, &fixed) {
                (Phase::Regressor, Some(fixed)) => JointLosses {
                    regressor: trainer.regressor_phase_step(fixed, &batch, factor),
                    ..JointLosses::default()
                },
                (Phase::Joint, _) => trainer.joint_step(&batch, factor),
                _ => {
                    JointLosses { regressor: trainer.baseline_step(&batch, factor), ..JointLosses::default() }
                }
            };
            let learning_rate = recipe.regressor_optimiser.rate();
            let check = Check { step: before + step, learning_rate };
            losses.named().into_iter().try_for_each(|(name, loss)| check.finite(name, loss))?;
            sums.add(&losses);
            progress.step = step + 1;
            observer.advance(1, format_args!(""));
            if progress.step.is_multiple_of(recipe.report_every) || progress.step == steps {
                trainer.networks_are_finite(&check)?;
                let row = sums.row(phase, progress.step, factor, start.elapsed().as_secs_f64());
                progress.log.push(row);
                report(trainer, progress)?;
                observer.line(format_args!("{}", line(&row)));
                (sums, start) = (Sums::default(), Instant::now());
            }
        }
        observer.end();
        Ok(())
    })
}

/// A row of the log for people.
fn line(row: &HiqaLog) -> String {
    let mut line = format!("{} {:>6}: L_R {:.4}", row.phase.as_str(), row.step, row.regressor);
    let terms = [
        ("L_p", row.pixel),
        ("l_v", row.vgg),
        ("l_q", row.quality),
        ("L_adv", row.adversarial),
        ("D real", row.real),
        ("D fake", row.fake),
        ("d_fake=1", row.accepted),
    ];
    for (name, value) in terms {
        if let Some(value) = value {
            line += &format!(", {name} {value:.4}");
        }
    }
    line
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
            let reference = pair.reference.ok_or(ScoreError::ReferenceMissing)?;
            Ok((middle(&pair.distorted), middle(&reference)))
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
    if let Some(path) = &mut recorded.plug_in {
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
