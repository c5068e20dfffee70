//! Loss and correlations on patches drawn once.

use image::RgbImage;
use iqa_heads::wadiqam::{PATCH, Pooling, patch_values, patches_to_tensor};
use iqa_nn::ScoreError;

use super::learner::Learner;
use super::patches::random_patches;
use super::recipe::WadiqamRecipe;
use crate::data::target;
use crate::{TrainError, Validation, ValidationPairs, seed};

/// Images in one pass through the network.
const IMAGES: usize = 8;

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
    pub(super) fn draw(data: &dyn ValidationPairs, recipe: &WadiqamRecipe) -> Result<Self, TrainError> {
        if data.samples() == 0 {
            return Err(TrainError::Empty { set: "validation" });
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
            let positions = random_patches(recipe, recipe.validation_patches, seed, &pair.distorted)?;
            let bytes = |image: &RgbImage| -> Vec<u8> {
                patch_values(image, &positions)
                    .into_iter()
                    .map(|value| (value * 255.0).round() as u8)
                    .collect()
            };
            drawn.distorted.extend(bytes(&pair.distorted));
            if let Some(reference) = &mut drawn.reference {
                reference.extend(bytes(pair.reference.as_ref().ok_or(ScoreError::ReferenceMissing)?));
            }
            drawn.targets.push(target(&recipe.model.score_spec(), pair.quality01));
            drawn.sources.push(pair.source);
        }
        Ok(drawn)
    }

    /// Evaluates a model that is on a plain device: loss and correlations within each source, and their means.
    pub(super) fn evaluate(&self, model: &Learner) -> Validation {
        let device = model.network.device();
        let (mut losses, mut predictions) = (Vec::new(), Vec::with_capacity(self.targets.len()));
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
            let pooled: Vec<f64> = scores.pool(targets.len()).into_data().iter::<f64>().collect();
            match model.network.config().pooling {
                Pooling::Weighted => losses.extend(pooled.iter().zip(targets).map(|(q, t)| (q - t).abs())),
                Pooling::Mean => {
                    let quality: Vec<f64> = scores.quality.into_data().iter::<f64>().collect();
                    losses.extend(
                        quality
                            .chunks(self.patches)
                            .zip(targets)
                            .map(|(y, t)| y.iter().map(|y| (y - t).abs()).sum::<f64>() / y.len() as f64),
                    );
                }
            }
            predictions.extend(pooled);
        }
        // Both in the model's own direction: a good model correlates positively with its targets.
        let mut first = 0;
        let each: Vec<Validation> = self
            .sources
            .chunk_by(|a, b| a == b)
            .map(|source| {
                let part = first..first + source.len();
                first = part.end;
                let loss = losses[part.clone()].iter().sum::<f64>() / part.len() as f64;
                Validation::new(loss, &predictions[part.clone()], &self.targets[part])
            })
            .collect();
        Validation::mean(&each)
    }
}
