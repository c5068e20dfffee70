//! The recipe as a task of the training loop.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use image::RgbImage;
use iqa_backbones::Backbone;
use iqa_core::Observer;
use iqa_heads::multi_branch::{MultiBranch, PairBatch};
use iqa_heads::{HeadError, Stored};
use iqa_nn::{Precision, image_to_tensor};
use serde::{Deserialize, Serialize};

use super::cache::FrozenCache;
use super::recipe::MultiBranchRecipe;
use crate::data::{DataKey, check_labels, check_pictures, data_key, target};
use crate::run;
use crate::within::of_drawn;
use crate::{
    Adam, Outcome, Plan, Recipe, Task, TrainError, TrainingPair, TrainingPairs, Validation, ValidationPairs,
};

/// Samples whose frozen features say what their mean and deviation are.
const STANDARDISED_BY: usize = 512;

/// Pairs that go through the network together in an evaluation.
const EVALUATED_TOGETHER: usize = 8;

/// Trains a model around the frozen branch `frp` and writes into `folder`; goes on where an earlier run in that folder
/// stopped.
///
/// `device` is a plain device; the loop puts autodiff on it. The output starts at the mean label. Every file of weights holds
/// the frozen branch too. `observer` sees steps and epochs. Without validation images the last weights count.
///
/// # Errors
/// [`TrainError::InvalidRecipe`], also for an `frp` that is not the recipe's network; [`TrainError::Empty`];
/// [`TrainError::RecipeChanged`], [`TrainError::DataChanged`] when the folder holds a run of another recipe or around another frozen branch;
/// [`CoreError::FolderInUse`](iqa_core::CoreError::FolderInUse), [`CoreError::ForeignFile`](iqa_core::CoreError::ForeignFile), [`TrainError::Checkpoint`], [`TrainError::NonFiniteLoss`], and what reading the data or writing files gives.
#[allow(clippy::too_many_arguments, reason = "what every run takes, and the frozen branch with its cache")]
pub fn train(
    recipe: &MultiBranchRecipe,
    frp: Backbone,
    training: &dyn TrainingPairs,
    validation: &dyn ValidationPairs,
    cache: &FrozenCache,
    folder: &Path,
    device: &Device,
    observer: &dyn Observer,
) -> Result<Outcome, TrainError> {
    recipe.validate()?;
    if training.samples() == 0 {
        return Err(TrainError::Empty { set: "training" });
    }
    if frp.config() != &recipe.model.frp() {
        return Err(TrainError::InvalidRecipe {
            field: "model",
            found: format!("around {:?}", frp.config()),
            expected: "the frozen branch's network",
        });
    }
    let minimum = recipe.model.minimum_size()?;
    check_pictures(validation, recipe.model.branches.has_frp(), minimum)?;
    if !run::is_begun(folder) {
        check_labels(training, &recipe.loss)?;
    }
    let recorded = Recorded { recipe: recipe.clone(), frozen_weights: fingerprint(&frp)? };
    let device = device.clone().autodiff();
    device.seed(recipe.seed);
    let model = recipe.model.init(frp, &device);
    // No gradient, so nothing is lost by folding its batch norms.
    let frozen = model.clone().valid().fuse();
    let model = if run::is_begun(folder) {
        model
    } else {
        let model = model.with_mean(target(&recipe.model.score_spec(), training.mean_quality01()?));
        if recipe.model.branches.has_frozen_nr() {
            model.standardised(sample_of_features(&frozen, training, recipe.images, cache)?)
        } else {
            model
        }
    };
    let data = data_key(training, validation)?;
    let task = Run { recorded, data, training, validation, frozen, cache, device: device.clone() };
    let optimiser = Adam::new(recipe.epsilon).into();
    run::train(&task, model, optimiser, folder, observer)
}

/// Frozen features of the samples that the run begins with, `[samples, features]`.
fn sample_of_features(
    frozen: &MultiBranch,
    training: &dyn TrainingPairs,
    images: usize,
    cache: &FrozenCache,
) -> Result<Tensor<2>, TrainError> {
    let wanted = STANDARDISED_BY.min(training.samples());
    let mut features = Vec::new();
    let mut found = 0;
    for step in 0..wanted.div_ceil(images) {
        for pair in training.batch(step, images)? {
            features.extend_from_slice(&prepare(frozen, pair, cache)?.frozen);
            found += 1;
        }
    }
    let width = features.len() / found;
    Ok(Tensor::from_data(TensorData::new(features, [found, width]), &frozen.device()))
}

/// The recipe as checkpoints keep it: another frozen branch is another run.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Recorded {
    #[serde(flatten)]
    recipe: MultiBranchRecipe,
    frozen_weights: String,
}

impl Recipe for Recorded {
    fn validate(&self) -> Result<(), TrainError> {
        self.recipe.validate()
    }
}

/// FNV-1a of all weights: tells files apart, no more.
pub(super) fn fingerprint(frp: &Backbone) -> Result<String, TrainError> {
    let tensors = frp.to_tensors("frozen branch".as_ref()).map_err(HeadError::from)?;
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    for key in tensors.keys().map(str::to_owned).collect::<Vec<_>>() {
        let values = &tensors.get(&key)?.values;
        for word in key.bytes().map(u32::from).chain(values.iter().map(|value| value.to_bits())) {
            hash = (hash ^ u64::from(word)).wrapping_mul(0x100_0000_01b3);
        }
    }
    Ok(format!("{hash:016x}"))
}

/// A pair with its label and what the frozen branch says of it.
struct Prepared {
    distorted: RgbImage,
    reference: Option<RgbImage>,
    frozen: Arc<[f32]>,
    target: f64,
    source: usize,
}

/// `frozen` is a model of which only the frozen branch is used.
fn prepare(frozen: &MultiBranch, pair: TrainingPair, cache: &FrozenCache) -> Result<Prepared, TrainError> {
    let reference = frozen.wanted(pair.reference.as_ref()).map_err(|error| pair.refused(error))?;
    let checked = frozen.check_pair(&pair.distorted, reference.unwrap_or(&pair.distorted));
    checked.map_err(|error| pair.refused(error))?;
    let TrainingPair { distorted, reference, quality01, source, .. } = pair;
    let reference = frozen.wanted(reference)?;
    let device = frozen.device();
    let kept = cache.get(&distorted, reference.as_ref(), || {
        let tensor = |image| image_to_tensor(image, &device);
        let features = frozen.frozen_features(tensor(&distorted), reference.as_ref().map(tensor));
        features.into_data().iter::<f32>().collect()
    })?;
    let target = target(&frozen.score_spec(), quality01);
    Ok(Prepared { distorted, reference, frozen: kept, target, source })
}

/// Scores of pairs, one size after another, and in the same order their labels and sources.
fn scores(model: &MultiBranch, pairs: &[Prepared], device: &Device) -> (Tensor<1>, Vec<f64>, Vec<usize>) {
    let mut sizes: BTreeMap<(u32, u32), Vec<&Prepared>> = BTreeMap::new();
    for pair in pairs {
        sizes.entry(pair.distorted.dimensions()).or_default().push(pair);
    }
    if !model.config().branches.learn() {
        // The pictures themselves are not looked at: all sizes at once, in their own order.
        let frozen: Vec<f32> = pairs.iter().flat_map(|pair| pair.frozen.iter().copied()).collect();
        let shape = [pairs.len(), frozen.len() / pairs.len()];
        let scores = model.head(Tensor::from_data(TensorData::new(frozen, shape), device));
        let (targets, sources) = pairs.iter().map(|pair| (pair.target, pair.source)).unzip();
        return (scores, targets, sources);
    }
    let batch = |pairs: &Vec<&Prepared>| {
        let images = |images: Vec<&RgbImage>| {
            Tensor::cat(images.into_iter().map(|image| image_to_tensor(image, device)).collect(), 0)
        };
        let references: Option<Vec<&RgbImage>> = pairs.iter().map(|pair| pair.reference.as_ref()).collect();
        let frozen: Vec<f32> = pairs.iter().flat_map(|pair| pair.frozen.iter().copied()).collect();
        let shape = [pairs.len(), frozen.len() / pairs.len()];
        PairBatch {
            distorted: images(pairs.iter().map(|pair| &pair.distorted).collect()),
            reference: references.map(images),
            frozen: Tensor::from_data(TensorData::new(frozen, shape), device),
        }
    };
    let (targets, sources) = sizes.values().flatten().map(|pair| (pair.target, pair.source)).unzip();
    (model.forward_training(sizes.values().map(batch).collect()), targets, sources)
}

/// Scores of a model on a plain device and the labels of the same pairs, both in the model's own direction; those of a size
/// together, so not in the order of the set.
///
/// The frozen branch works only where `cache` does not know a pair.
///
/// # Errors
/// [`TrainError::Head`] for images that the model does not take, and what reading the data gives.
pub fn evaluate(
    model: &MultiBranch,
    pairs: &dyn ValidationPairs,
    cache: &FrozenCache,
) -> Result<(Vec<f64>, Vec<f64>), TrainError> {
    let Predicted(predictions, targets, _) = predict(model, pairs, cache)?;
    Ok((predictions, targets))
}

/// Scores, labels and sources of pairs.
struct Predicted(Vec<f64>, Vec<f64>, Vec<usize>);

fn predict(
    model: &MultiBranch,
    pairs: &dyn ValidationPairs,
    cache: &FrozenCache,
) -> Result<Predicted, TrainError> {
    let device = model.device();
    let indices: Vec<usize> = (0..pairs.samples()).collect();
    let (mut predictions, mut targets, mut sources) = (Vec::new(), Vec::new(), Vec::new());
    for indices in indices.chunks(EVALUATED_TOGETHER) {
        let prepared = indices.iter().map(|&index| prepare(model, pairs.pair(index)?, cache));
        let prepared = prepared.collect::<Result<Vec<_>, _>>()?;
        // On a plain device batch norm goes by its running statistics.
        let (scores, labels, from) = scores(model, &prepared, &device);
        predictions.extend(scores.into_data().iter::<f64>());
        targets.extend(labels);
        sources.extend(from);
    }
    Ok(Predicted(predictions, targets, sources))
}

struct Run<'a> {
    recorded: Recorded,
    data: DataKey,
    training: &'a dyn TrainingPairs,
    validation: &'a dyn ValidationPairs,
    /// The model before its first step; only its frozen branch is used.
    frozen: MultiBranch,
    cache: &'a FrozenCache,
    device: Device,
}

impl Task for Run<'_> {
    type Model = MultiBranch;
    type Batch = Vec<Prepared>;
    type Recipe = Recorded;

    fn recipe(&self) -> &Recorded {
        &self.recorded
    }

    fn plan(&self) -> Plan {
        let recipe = &self.recorded.recipe;
        Plan {
            epochs: recipe.epochs,
            steps_per_epoch: recipe
                .steps_per_epoch
                .unwrap_or_else(|| self.training.samples().div_ceil(recipe.images)),
            learning_rate: recipe.learning_rate,
            schedule: recipe.schedule,
        }
    }

    fn data(&self) -> &DataKey {
        &self.data
    }

    fn batch(&self, step: usize) -> Result<Vec<Prepared>, TrainError> {
        let pairs = self.training.batch(step, self.recorded.recipe.images)?;
        pairs.into_iter().map(|pair| prepare(&self.frozen, pair, self.cache)).collect()
    }

    fn loss(&self, model: &MultiBranch, batch: Vec<Prepared>, _: usize) -> Result<Tensor<1>, TrainError> {
        let (scores, targets, sources) = scores(model, &batch, &self.device);
        of_drawn(&self.recorded.recipe.loss, &scores, &targets, &sources)
    }

    fn validate(&self, model: &MultiBranch) -> Result<Option<Validation>, TrainError> {
        if self.validation.samples() == 0 {
            return Ok(None);
        }
        let Predicted(predictions, targets, sources) = predict(model, self.validation, self.cache)?;
        let scores: Vec<f32> = predictions.iter().map(|&score| score as f32).collect();
        let scores = Tensor::from_floats(scores.as_slice(), &model.device());
        let loss = of_drawn(&self.recorded.recipe.loss, &scores, &targets, &sources)?;
        // Both in the model's own direction: a good model correlates positively with its targets.
        let loss = loss.into_scalar::<f64>();
        Ok(Some(Validation::by_source(loss, &predictions, &targets, &sources)))
    }

    fn save(&self, model: &MultiBranch, path: &Path) -> Result<(), TrainError> {
        Ok(model.save(path, Precision::F32)?)
    }
}
