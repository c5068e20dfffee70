//! Patches to learn from.

use burn::tensor::{Device, Tensor, TensorData};
use image::RgbImage;
use iqa_nn::ScoreError;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::recipe::{HiqaRecipe, Phase};
use crate::{TrainError, TrainingPairs, seed};

/// Patches of a few images with their references and labels.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Distorted patches, `[n, 3, patch, patch]`, RGB in `[-1, 1]`.
    pub distorted: Tensor<4>,
    /// The patches at the same places of the references; `None` where nothing looks at them.
    pub reference: Option<Tensor<4>>,
    /// Labels, `[n]`: quality from 0 to 1.
    pub targets: Tensor<1>,
    /// Which source each is from ([`TrainingPair::source`](crate::TrainingPair::source)), `n`.
    pub sources: Vec<usize>,
}

/// The same before it goes to a device: made ahead on another thread.
pub(super) struct HostBatch {
    /// `[n, patch, patch, 3]`, in `[-1, 1]`.
    distorted: Vec<f32>,
    reference: Option<Vec<f32>>,
    targets: Vec<f32>,
    sources: Vec<usize>,
    side: usize,
}

impl HostBatch {
    /// Batch `index` of a run, with references if the phase looks at them.
    pub(super) fn draw(
        data: &dyn TrainingPairs,
        recipe: &HiqaRecipe,
        phase: Phase,
        index: usize,
    ) -> Result<Self, TrainError> {
        let side = recipe.patch;
        let reference = recipe.looks_at_references(phase).then(Vec::new);
        let (distorted, targets, sources) = (Vec::new(), Vec::new(), Vec::new());
        let mut batch = Self { distorted, reference, targets, sources, side };
        for (image, pair) in data.batch(index, recipe.images)?.into_iter().enumerate() {
            let mut reference = match &mut batch.reference {
                Some(values) => Some((pair.needed_reference()?, values)),
                None => None,
            };
            let (width, height) = pair.distorted.dimensions();
            let least = side as u32;
            if width < least || height < least {
                let error = ScoreError::TooSmall { size: (width, height), minimum: (least, least) };
                return Err(pair.refused(error));
            }
            if let Some((reference, _)) = &reference
                && reference.dimensions() != (width, height)
            {
                let (distorted, reference) = ((width, height), reference.dimensions());
                return Err(pair.refused(ScoreError::SizeMismatch { distorted, reference }));
            }
            let seed = seed::derive(recipe.seed, &[seed::PATCHES, index as u64, image as u64]);
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            for _ in 0..recipe.patches {
                let patch = Patch {
                    x: rng.random_range(0..=width - least),
                    y: rng.random_range(0..=height - least),
                    mirrored: rng.random::<bool>() && recipe.flip,
                    degrees: rng.random_range(-1.0f64..=1.0) * recipe.rotation,
                };
                patch.cut(&pair.distorted, side, &mut batch.distorted);
                if let Some((reference, values)) = &mut reference {
                    patch.cut(reference, side, values);
                }
                batch.targets.push(pair.quality01 as f32);
                batch.sources.push(pair.source);
            }
        }
        Ok(batch)
    }

    pub(super) fn to_device(&self, device: &Device) -> Batch {
        let (n, side) = (self.targets.len(), self.side);
        let images = |values: &[f32]| -> Tensor<4> {
            let data = TensorData::new(values.to_vec(), [n, side, side, 3]);
            Tensor::<4>::from_data(data, device).permute([0, 3, 1, 2])
        };
        Batch {
            distorted: images(&self.distorted),
            reference: self.reference.as_deref().map(images),
            targets: Tensor::from_data(TensorData::new(self.targets.clone(), [n]), device),
            sources: self.sources.clone(),
        }
    }
}

/// Where a patch lies and how it is turned.
struct Patch {
    x: u32,
    y: u32,
    mirrored: bool,
    degrees: f64,
}

impl Patch {
    fn cut(&self, image: &RgbImage, side: usize, values: &mut Vec<f32>) {
        let to_network = |value: f32| value / 127.5 - 1.0;
        let (sin, cos) = self.degrees.to_radians().sin_cos();
        let centre = (side - 1) as f64 / 2.0;
        for row in 0..side {
            for column in 0..side {
                let column = if self.mirrored { side - 1 - column } else { column };
                if self.degrees == 0.0 {
                    let pixel = image.get_pixel(self.x + column as u32, self.y + row as u32);
                    values.extend(pixel.0.map(|value| to_network(f32::from(value))));
                } else {
                    let (x, y) = (column as f64 - centre, row as f64 - centre);
                    let at_x = f64::from(self.x) + centre + cos * x - sin * y;
                    let at_y = f64::from(self.y) + centre + sin * x + cos * y;
                    values.extend(bilinear(image, at_x, at_y).map(to_network));
                }
            }
        }
    }
}

/// The image between its pixels; beyond its border, the border.
fn bilinear(image: &RgbImage, x: f64, y: f64) -> [f32; 3] {
    let (width, height) = image.dimensions();
    let (x, y) = (x.clamp(0.0, f64::from(width - 1)), y.clamp(0.0, f64::from(height - 1)));
    let (left, top) = (x as u32, y as u32);
    let (right, bottom) = ((left + 1).min(width - 1), (top + 1).min(height - 1));
    let (part_x, part_y) = ((x - f64::from(left)) as f32, (y - f64::from(top)) as f32);
    std::array::from_fn(|channel| {
        let at = |x, y| f32::from(image.get_pixel(x, y)[channel]);
        let above = at(left, top) * (1.0 - part_x) + at(right, top) * part_x;
        let below = at(left, bottom) * (1.0 - part_x) + at(right, bottom) * part_x;
        above * (1.0 - part_y) + below * part_y
    })
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    #[test]
    fn a_quarter_turn_of_a_slope_turns_the_slope() {
        let image = RgbImage::from_fn(8, 8, |x, _| Rgb([10 * x as u8; 3]));
        let cut = |degrees, mirrored| {
            let mut values = Vec::new();
            Patch { x: 0, y: 0, mirrored, degrees }.cut(&image, 8, &mut values);
            values.chunks(3).map(|pixel| ((pixel[0] + 1.0) * 127.5).round() as u8).collect::<Vec<_>>()
        };
        assert_eq!(cut(0.0, false)[..8], [0, 10, 20, 30, 40, 50, 60, 70]);
        assert_eq!(cut(0.0, true)[..8], [70, 60, 50, 40, 30, 20, 10, 0]);
        assert_eq!(cut(90.0, false)[..8], [70; 8], "the right side is up");
        assert_eq!(cut(90.0, false)[56..], [0; 8]);
    }
}
