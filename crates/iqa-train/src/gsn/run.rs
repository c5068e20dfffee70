//! The recipe as a task of the training loop.

use std::path::Path;

use burn::tensor::{Device, Tensor};
use image::RgbImage;
use iqa_core::Observer;
use iqa_datasets::augment::PairAugment;
use iqa_heads::Stored;
use iqa_heads::gsn::{Gsn, GsnConfig};
use iqa_nn::{NamedTensors, Precision, image_to_tensor};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::recipe::GsnRecipe;
use super::validation::ValidationImages;
use crate::data::{DataKey, check_labels, check_pictures, data_key, target};
use crate::run::{self, by_content};
use crate::within::of_drawn;
use crate::{Outcome, Plan, Recipe, Task, TrainError, TrainingPairs, Validation, ValidationPairs, seed};

/// Trains a network and writes into `folder`; goes on where an earlier run in that folder stopped.
///
/// The recipe flips and crops: `training` gives whole images. Labels are put into the direction and range of the
/// network's score; of a range, losses that normalise over the batch see nothing. `device` is a plain device; the loop puts autodiff on it.
/// `observer` sees steps and epochs. Without validation images the last weights count.
///
/// # Errors
/// [`TrainError::InvalidRecipe`], [`TrainError::Empty`]; [`TrainError::RecipeChanged`], [`TrainError::DataChanged`] when the folder holds a run of
/// another recipe (only the number of epochs may grow, and only under a constant schedule);
/// [`CoreError::FolderInUse`](iqa_core::CoreError::FolderInUse), [`CoreError::ForeignFile`](iqa_core::CoreError::ForeignFile); [`TrainError::NonFiniteTarget`], [`TrainError::ConstantBatch`] for a batch that has no
/// loss, before it reaches the weights; [`TrainError::NonFiniteLoss`], [`TrainError::Checkpoint`], and what reading the data or writing files
/// gives, [`TrainError::Dataset`] for an image smaller than the crop among it.
pub fn train(
    recipe: &GsnRecipe,
    training: &dyn TrainingPairs,
    validation: &dyn ValidationPairs,
    folder: &Path,
    device: &Device,
    observer: &dyn Observer,
) -> Result<Outcome, TrainError> {
    recipe.validate()?;
    if training.samples() == 0 {
        return Err(TrainError::Empty { set: "training" });
    }
    let device = device.clone().autodiff();
    device.seed(recipe.seed);
    let free_scale = Some(recipe.loss.has_free_scale());
    let network = GsnConfig { free_scale, ..recipe.model.clone() };
    let mut model = match &recipe.start_from {
        Some(path) if !run::is_begun(folder) => earlier_model(path, network, &device)?,
        _ if recipe.mean_head => network.init(&device).with_mean_head(),
        _ => network.init(&device),
    };
    let start_from = recipe.start_from.as_deref().map(by_content).transpose()?;
    let recorded = GsnRecipe { start_from, ..recipe.clone() };
    let data = data_key(training, validation)?;
    let images = ValidationImages::new(validation, recipe)?;
    let task = Run { recipe, recorded, data, training, validation: images, device };
    if !run::is_begun(folder) {
        let batch = task.batch(0)?;
        check_labels(training, &recipe.loss)?;
        if recipe.mean_head && recipe.start_from.is_none() {
            let first: Vec<f64> = batch.iter().filter(|e| e.source == 0).map(|e| e.target).collect();
            let mean = first.iter().sum::<f64>() / first.len() as f64;
            let [distorted, reference] = task.tensors(&batch);
            model = model.with_mean(mean, distorted, reference);
        }
    }
    // Lest the first epoch end with one that cannot be scored.
    let side = recipe.model.crop as u32;
    check_pictures(validation, true, (side, side))?;
    run::train(&task, model, recipe.optimiser.init(), folder, observer)
}

struct Run<'a> {
    recipe: &'a GsnRecipe,
    /// As checkpoints keep it.
    recorded: GsnRecipe,
    data: DataKey,
    training: &'a dyn TrainingPairs,
    validation: Option<ValidationImages<'a>>,
    device: Device,
}

/// The network that a run starts from, which may have seen crops of another side.
fn earlier_model(path: &Path, network: GsnConfig, device: &Device) -> Result<Gsn, TrainError> {
    let tensors = NamedTensors::read(path)?;
    let found = Gsn::stored_in(&tensors)?;
    let GsnConfig { crop, grid, free_scale, .. } = network;
    match found.map(|found| GsnConfig { free_scale, ..found }) {
        Some(config) if (GsnConfig { crop, grid, ..config.clone() }) == network => {
            Ok(Gsn::from_tensors_of(tensors, &config, device)?.on_crops(crop, grid))
        }
        _ => Err(TrainError::InvalidRecipe {
            field: "start_from",
            found: path.display().to_string(),
            expected: "weights of ours of the recipe's network, on crops of any side",
        }),
    }
}

impl Run<'_> {
    /// The distorted images and the references, `[n, 3, side, side]` each.
    fn tensors(&self, batch: &[Example]) -> [Tensor<4>; 2] {
        let sides: [fn(&Example) -> &RgbImage; 2] = [|e| &e.distorted, |e| &e.reference];
        sides.map(|side| {
            Tensor::cat(batch.iter().map(|example| image_to_tensor(side(example), &self.device)).collect(), 0)
        })
    }
}

/// A crop of a pair with its label.
struct Example {
    distorted: RgbImage,
    reference: RgbImage,
    target: f64,
    source: usize,
}

impl Task for Run<'_> {
    type Model = Gsn;
    type Batch = Vec<Example>;
    type Recipe = GsnRecipe;

    fn recipe(&self) -> &GsnRecipe {
        &self.recorded
    }

    fn plan(&self) -> Plan {
        let recipe = self.recipe;
        Plan {
            epochs: recipe.epochs,
            steps_per_epoch: recipe
                .steps_per_epoch
                .unwrap_or((self.training.samples() / recipe.images).max(1)),
            learning_rate: recipe.learning_rate,
            schedule: recipe.schedule,
        }
    }

    fn data(&self) -> &DataKey {
        &self.data
    }

    fn batch(&self, step: usize) -> Result<Vec<Example>, TrainError> {
        let side = self.recipe.model.crop as u32;
        let augment =
            PairAugment { horizontal_flip: true, crop: Some((side, side)), ..PairAugment::default() };
        let pairs = self.training.batch(step, self.recipe.images)?;
        pairs
            .into_iter()
            .enumerate()
            .map(|(index, pair)| {
                let seed = seed::derive(self.recipe.seed, &[seed::AUGMENT, step as u64, index as u64]);
                let rng = &mut ChaCha8Rng::seed_from_u64(seed);
                let augmented = augment.apply(&pair.distorted, Some(pair.needed_reference()?), rng);
                let (distorted, reference) = augmented.map_err(|error| pair.refused(error))?;
                let reference = reference.expect("one was given");
                let target = target(&self.recipe.model.score_spec(), pair.quality01);
                Ok(Example { distorted, reference, target, source: pair.source })
            })
            .collect()
    }

    fn loss(&self, model: &Gsn, batch: Vec<Example>, _step: usize) -> Result<Tensor<1>, TrainError> {
        let [distorted, reference] = self.tensors(&batch);
        let scores = model.forward_training(distorted, reference);
        let targets: Vec<f64> = batch.iter().map(|example| example.target).collect();
        let sources: Vec<usize> = batch.iter().map(|example| example.source).collect();
        of_drawn(&self.recipe.loss, &scores, &targets, &sources)
    }

    fn validate(&self, model: &Gsn) -> Result<Option<Validation>, TrainError> {
        self.validation.as_ref().map(|validation| validation.evaluate(&model.fuse())).transpose()
    }

    fn save(&self, model: &Gsn, path: &Path) -> Result<(), TrainError> {
        Ok(model.save(path, Precision::F32)?)
    }
}
