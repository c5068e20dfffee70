//! Loss and correlations on patches drawn once.

use burn::tensor::{Device, Tensor, TensorData};
use image::RgbImage;
use iqa_heads::HeadError;
use iqa_heads::wadiqam::{PATCH, PatchPosition, PatchSampler, Pooling, Wadiqam};

use super::recipe::WadiqamRecipe;
use crate::data::target;
use crate::epochs::Validation;
use crate::{TrainError, ValidationPairs, seed};

/// Images in one pass through the network.
const IMAGES: usize = 8;

/// The patches of the validation images, as bytes: a quarter of the memory of floats.
pub(super) struct ValidationPatches {
    distorted: Vec<u8>,
    reference: Option<Vec<u8>>,
    targets: Vec<f64>,
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
            patches: recipe.validation_patches,
        };
        for index in 0..data.samples() {
            let pair = data.pair(index)?;
            let seed = seed::derive(recipe.seed, &[seed::VALIDATION, index as u64]);
            let sampler = PatchSampler::Random { patches: recipe.validation_patches, seed };
            let positions = sampler.positions(pair.distorted.width(), pair.distorted.height())?;
            append_patches(&mut drawn.distorted, &pair.distorted, &positions);
            if let Some(reference) = &mut drawn.reference {
                let image = pair.reference.as_ref().ok_or(HeadError::ReferenceMissing)?;
                append_patches(reference, image, &positions);
            }
            drawn.targets.push(target(&recipe.model.score_spec(), pair.quality01));
        }
        Ok(drawn)
    }

    /// Evaluates a model that is on a plain device.
    pub(super) fn evaluate(&self, model: &Wadiqam) -> Validation {
        let device = model.device();
        let (mut loss, mut predictions) = (0.0, Vec::with_capacity(self.targets.len()));
        for (index, targets) in self.targets.chunks(IMAGES).enumerate() {
            let first = index * IMAGES * self.patches;
            let count = targets.len() * self.patches;
            let distorted = to_tensor(&self.distorted, first, count, &device);
            let reference = self.reference.as_ref().map(|bytes| to_tensor(bytes, first, count, &device));
            let scores = model.forward(distorted, reference);
            let pooled: Vec<f64> = scores.pool(targets.len()).into_data().iter::<f64>().collect();
            loss += match model.config().pooling {
                Pooling::Weighted => pooled.iter().zip(targets).map(|(q, t)| (q - t).abs()).sum::<f64>(),
                Pooling::Mean => {
                    let quality: Vec<f64> = scores.quality.into_data().iter::<f64>().collect();
                    quality
                        .chunks(self.patches)
                        .zip(targets)
                        .map(|(y, t)| y.iter().map(|y| (y - t).abs()).sum::<f64>() / y.len() as f64)
                        .sum()
                }
            };
            predictions.extend(pooled);
        }
        // Both in the model's own direction: a good model correlates positively with its targets.
        Validation::new(loss / self.targets.len() as f64, &predictions, &self.targets)
    }
}

fn append_patches(bytes: &mut Vec<u8>, image: &RgbImage, positions: &[PatchPosition]) {
    for position in positions {
        for channel in 0..3 {
            for row in 0..PATCH as u32 {
                for column in 0..PATCH as u32 {
                    bytes.push(image.get_pixel(position.x + column, position.y + row)[channel]);
                }
            }
        }
    }
}

fn to_tensor(bytes: &[u8], first: usize, count: usize, device: &Device) -> Tensor<4> {
    let size = 3 * PATCH * PATCH;
    let values: Vec<f32> =
        bytes[first * size..(first + count) * size].iter().map(|&byte| f32::from(byte) / 255.0).collect();
    Tensor::from_data(TensorData::new(values, [count, 3, PATCH, PATCH]), device)
}
