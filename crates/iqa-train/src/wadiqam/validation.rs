//! Loss and correlations on patches drawn once.

use image::RgbImage;
use iqa_heads::wadiqam::{PATCH, patch_values, patches_to_tensor};

use super::learner::Learner;
use super::patches::random_patches;
use super::recipe::WadiqamRecipe;
use super::units::units;
use crate::data::target;
use crate::losses::to_tensor;
use crate::{QualityLoss, TrainError, Validation, ValidationPairs, seed};

/// Images in one pass through the network.
const IMAGES: usize = 8;
/// Scores whose loss is one sum.
const CHUNK: usize = 256;

/// The patches of the validation images, rounded to bytes: a quarter of the memory of floats.
pub(super) struct ValidationPatches {
    distorted: Vec<u8>,
    reference: Option<Vec<u8>>,
    targets: Vec<f64>,
    sources: Vec<usize>,
    /// Of each image.
    patches: usize,
}

impl ValidationPatches {
    /// `None` where there are no images.
    pub(super) fn draw(
        data: &dyn ValidationPairs,
        recipe: &WadiqamRecipe,
    ) -> Result<Option<Self>, TrainError> {
        if data.samples() == 0 {
            return Ok(None);
        }
        let mut drawn = Self {
            distorted: Vec::new(),
            reference: recipe.model.is_full_reference().then(Vec::new),
            targets: Vec::new(),
            sources: Vec::new(),
            patches: recipe.validation_patches * recipe.model.scales,
        };
        for index in 0..data.samples() {
            let pair = data.pair(index)?;
            let seed = seed::derive(recipe.seed, &[seed::VALIDATION, index as u64]);
            let positions = random_patches(recipe, recipe.validation_patches, seed, &pair)?;
            let bytes = |image: &RgbImage| -> Vec<u8> {
                patch_values(image, &positions)
                    .into_iter()
                    .map(|value| (value * 255.0).round() as u8)
                    .collect()
            };
            drawn.distorted.extend(bytes(&pair.distorted));
            if let Some(reference) = &mut drawn.reference {
                reference.extend(bytes(pair.needed_reference()?));
            }
            drawn.targets.push(target(&recipe.model.score_spec(), pair.quality01));
            drawn.sources.push(pair.source);
        }
        Ok(Some(drawn))
    }

    /// Evaluates a model that is on a plain device: loss and correlations within each source, and their means.
    pub(super) fn evaluate(&self, model: &Learner, loss: &QualityLoss) -> Validation {
        let device = model.network.device();
        let mut predictions = Vec::with_capacity(self.targets.len());
        // What the network learns from, image by image, with its labels.
        let (mut values, mut labels) = (Vec::new(), Vec::new());
        for (index, targets) in self.targets.chunks(IMAGES).enumerate() {
            let images = index * IMAGES..index * IMAGES + targets.len();
            let tensor = |bytes: &[u8]| {
                let size = self.patches * 3 * PATCH * PATCH;
                let bytes = &bytes[images.start * size..images.end * size];
                patches_to_tensor(bytes.iter().map(|&byte| f32::from(byte) / 255.0).collect(), &device)
            };
            let scores =
                model.network.forward(tensor(&self.distorted), self.reference.as_deref().map(tensor));
            let scores = model.on_labels(scores, &self.sources[images]);
            predictions.extend(scores.pool(targets.len()).into_data().iter::<f64>());
            let (units, of_units) = units(&scores, targets);
            values.extend(units.into_data().iter::<f64>());
            labels.extend(of_units);
        }
        let [each, compared] = loss.parts();
        let sum = |loss: &QualityLoss, scores: &[f64], targets: &[f64]| {
            let [scores, targets] = [scores, targets].map(|values| to_tensor(values, &device));
            loss.sum(&scores, &targets).into_scalar::<f64>()
        };
        let units_each = values.len() / self.targets.len();
        // Both in the model's own direction: a good model correlates positively with its targets.
        let mut first = 0;
        let of_sources: Vec<Validation> = self
            .sources
            .chunk_by(|a, b| a == b)
            .map(|source| {
                let part = first..first + source.len();
                first = part.end;
                let units = part.start * units_each..part.end * units_each;
                // A few at a time: a long sum of small floats loses digits.
                let chunks = values[units.clone()].chunks(CHUNK).zip(labels[units.clone()].chunks(CHUNK));
                let sums = chunks.map(|(values, labels)| sum(&each, values, labels) * values.len() as f64);
                let (predictions, targets) = (&predictions[part.clone()], &self.targets[part]);
                let mut loss = sums.sum::<f64>() / units.len() as f64;
                if !compared.terms().is_empty() {
                    loss += sum(&compared, predictions, targets);
                }
                Validation::new(loss, predictions, targets)
            })
            .collect();
        Validation::mean(&of_sources)
    }
}
