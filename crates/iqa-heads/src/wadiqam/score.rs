//! Scores of whole images, chunk by chunk.

use burn::tensor::{Tensor, TensorData};
use image::RgbImage;
use serde::{Deserialize, Serialize};

use super::config::PATCH;
use super::model::{PatchScores, Wadiqam};
use super::patches::{PatchPosition, PatchSampler, cut_patches, cut_patches_tensor, shares};
use crate::HeadError;

/// How an image is cut up for scoring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScoreOptions {
    /// Which patches are looked at; the official grid by default.
    pub sampler: PatchSampler,
    /// Patches in one pass through the network: bounds the memory, does not change the score.
    pub chunk: usize,
}

impl Default for ScoreOptions {
    fn default() -> Self {
        Self { sampler: PatchSampler::official(), chunk: 192 }
    }
}

/// The score of an image with what it was made from.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageScore {
    /// The score, in the model's direction and range; not clamped.
    pub score: f64,
    /// Each patch's share in it.
    pub patches: PatchMap,
}

/// Quality and weight of every patch of an image (figures 3 to 5 of Bosse et al.).
#[derive(Clone, Debug, PartialEq)]
pub struct PatchMap {
    /// Width of the image, in pixels.
    pub width: u32,
    /// Height of the image, in pixels.
    pub height: u32,
    /// Where the patches lie; the order of the other two lists.
    pub positions: Vec<PatchPosition>,
    /// Patch qualities `y`, in the units of the score.
    pub quality: Vec<f32>,
    /// Patch weights `alpha*`, positive; all 1 for DIQaM.
    pub weight: Vec<f32>,
}

impl PatchMap {
    /// The image score: the mean of the qualities, weighted by the weights, summed in double precision
    /// (Bosse et al., equations 2 and 6). Of several scales each counts the same.
    pub fn pool(&self) -> f64 {
        let shares = shares(&self.positions);
        let weights = self.weight.iter().zip(&shares).map(|(&a, &share)| f64::from(a) * f64::from(share));
        let pairs = || self.quality.iter().map(|&y| f64::from(y)).zip(weights.clone());
        pairs().map(|(y, a)| y * a).sum::<f64>() / pairs().map(|(_, a)| a).sum::<f64>()
    }

    /// Side of a patch of the image as it is, in pixels; one of the half-size image covers twice as many.
    pub fn patch_side(&self) -> u32 {
        PATCH as u32
    }
}

/// A reference image whose features are kept, to score many distorted versions of it.
#[derive(Clone, Debug)]
pub struct PreparedReference {
    pub(super) size: (u32, u32),
    pub(super) positions: Vec<PatchPosition>,
    pub(super) chunk: usize,
    /// One tensor `[patches, features]` a chunk.
    pub(super) features: Vec<Tensor<2>>,
}

impl PreparedReference {
    /// Width and height of the reference, in pixels: a distorted image must have the same.
    pub fn size(&self) -> (u32, u32) {
        self.size
    }

    /// The features of all patches, `[patches, features]`, in the order of [`PatchMap::positions`].
    pub fn features(&self) -> Tensor<2> {
        Tensor::cat(self.features.clone(), 0)
    }
}

impl Wadiqam {
    /// Scores an image; `reference` is needed by a full-reference model and refused by a no-reference one.
    ///
    /// Patches are cut from the 8-bit image a chunk at a time, so memory does not grow with the image.
    ///
    /// # Errors
    /// [`HeadError::ReferenceMissing`], [`HeadError::ReferenceUnexpected`], [`HeadError::SizeMismatch`],
    /// [`HeadError::TooSmall`], [`HeadError::EmptySampler`], [`HeadError::NonFiniteScore`].
    pub fn score(
        &self,
        distorted: &RgbImage,
        reference: Option<&RgbImage>,
        options: &ScoreOptions,
    ) -> Result<ImageScore, HeadError> {
        let device = self.device();
        match (self.config.is_full_reference(), reference) {
            (true, None) => return Err(HeadError::ReferenceMissing),
            (false, Some(_)) => return Err(HeadError::ReferenceUnexpected),
            (true, Some(reference)) => same_size(distorted.dimensions(), reference.dimensions())?,
            (false, None) => {}
        }
        let positions = self.positions(options.sampler, distorted.dimensions())?;
        collect(distorted.dimensions(), positions, options.chunk, |_, positions| {
            let reference = reference.map(|image| cut_patches(image, positions, &device));
            self.forward(cut_patches(distorted, positions, &device), reference)
        })
    }

    /// Computes and keeps the features of a reference image.
    ///
    /// # Errors
    /// [`HeadError::ReferenceUnexpected`] on a no-reference model, [`HeadError::TooSmall`],
    /// [`HeadError::EmptySampler`].
    pub fn prepare(
        &self,
        reference: &RgbImage,
        options: &ScoreOptions,
    ) -> Result<PreparedReference, HeadError> {
        if !self.config.is_full_reference() {
            return Err(HeadError::ReferenceUnexpected);
        }
        let positions = self.positions(options.sampler, reference.dimensions())?;
        let device = self.device();
        let chunk = options.chunk.max(1);
        let features = positions
            .chunks(chunk)
            .map(|positions| self.features(cut_patches(reference, positions, &device)))
            .collect();
        Ok(PreparedReference { size: reference.dimensions(), positions, chunk, features })
    }

    /// Scores an image against a prepared reference; the same score as [`Self::score`], at half the work.
    ///
    /// # Errors
    /// [`HeadError::SizeMismatch`], [`HeadError::NonFiniteScore`].
    pub fn score_prepared(
        &self,
        distorted: &RgbImage,
        reference: &PreparedReference,
    ) -> Result<ImageScore, HeadError> {
        same_size(distorted.dimensions(), reference.size)?;
        let device = self.device();
        collect(distorted.dimensions(), reference.positions.clone(), reference.chunk, |index, positions| {
            let features = self.features(cut_patches(distorted, positions, &device));
            self.patch_scores(self.fuse(features, reference.features[index].clone()))
        })
    }

    /// Scores a batch of images given as tensors; on an autodiff device the scores are differentiable with
    /// respect to the images, so that their mean can serve as a loss.
    ///
    /// The whole batch goes through the network at once.
    ///
    /// # Shapes
    /// - both: `[n, 3, height, width]`, RGB in `[0, 1]`, not rounded to 8 bits
    /// - returns `[n]`
    ///
    /// # Errors
    /// As [`Self::score`], and [`HeadError::TensorShape`] for another number of channels or no image.
    pub fn score_tensor(
        &self,
        distorted: Tensor<4>,
        reference: Option<Tensor<4>>,
        sampler: PatchSampler,
    ) -> Result<Tensor<1>, HeadError> {
        let shape = distorted.dims();
        let [n, channels, height, width] = shape;
        if channels != 3 || n == 0 {
            return Err(HeadError::TensorShape {
                expected: "[n, 3, height, width], n > 0",
                found: shape.to_vec(),
            });
        }
        match (self.config.is_full_reference(), &reference) {
            (true, None) => return Err(HeadError::ReferenceMissing),
            (false, Some(_)) => return Err(HeadError::ReferenceUnexpected),
            (false, None) => {}
            (true, Some(reference)) => {
                let other = reference.dims();
                same_size((width as u32, height as u32), (other[3] as u32, other[2] as u32))?;
                if other[..2] != shape[..2] {
                    return Err(HeadError::TensorShape {
                        expected: "of the reference as of the distorted image",
                        found: other.to_vec(),
                    });
                }
            }
        }
        let device = distorted.device();
        let positions = self.positions(sampler, (width as u32, height as u32))?;
        let cut = |images| cut_patches_tensor(images, sampler, &positions);
        let scores = self.forward(cut(distorted), reference.map(cut));
        if self.config.scales == 1 {
            return Ok(scores.pool(n));
        }
        let shares = TensorData::new(shares(&positions).repeat(n), [n * positions.len()]);
        Ok(scores.weighted_by(Tensor::from_data(shares, &device)).pool(n))
    }

    fn positions(
        &self,
        sampler: PatchSampler,
        (width, height): (u32, u32),
    ) -> Result<Vec<PatchPosition>, HeadError> {
        sampler.positions_at_scales(width, height, self.config.scales)
    }
}

fn same_size(distorted: (u32, u32), reference: (u32, u32)) -> Result<(), HeadError> {
    if distorted == reference { Ok(()) } else { Err(HeadError::SizeMismatch { distorted, reference }) }
}

/// Runs `network` over the chunks of `positions` and pools what it gives.
fn collect(
    (width, height): (u32, u32),
    positions: Vec<PatchPosition>,
    chunk: usize,
    network: impl Fn(usize, &[PatchPosition]) -> PatchScores,
) -> Result<ImageScore, HeadError> {
    let mut quality = Vec::with_capacity(positions.len());
    let mut weight = Vec::with_capacity(positions.len());
    for (index, chunk) in positions.chunks(chunk.max(1)).enumerate() {
        let scores = network(index, chunk);
        quality.extend(to_host(scores.quality));
        match scores.weight {
            Some(values) => weight.extend(to_host(values)),
            None => weight.resize(quality.len(), 1.0),
        }
    }
    let patches = PatchMap { width, height, positions, quality, weight };
    let score = patches.pool();
    if score.is_finite() {
        Ok(ImageScore { score, patches })
    } else {
        Err(HeadError::NonFiniteScore { value: score })
    }
}

fn to_host(values: Tensor<1>) -> Vec<f32> {
    values.into_data().iter::<f32>().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(quality: &[f32], weight: &[f32]) -> PatchMap {
        let positions = vec![PatchPosition::new(0, 0); quality.len()];
        PatchMap { width: 96, height: 32, positions, quality: quality.into(), weight: weight.into() }
    }

    #[test]
    fn weighted_pooling_gives_the_closed_form() {
        // y = [30, 50, 70], raw weights [0.2, -0.5, 0.8]: (0.200001*30 + 1e-6*50 + 0.800001*70) / 1.000003.
        let weight = [0.2f32, -0.5, 0.8].map(|raw| raw.max(0.0) + 1e-6);
        assert!((map(&[30.0, 50.0, 70.0], &weight).pool() - 61.999_964).abs() < 1e-5);
        assert!((map(&[30.0, 50.0, 70.0], &[1.0; 3]).pool() - 50.0).abs() < 1e-12);
    }
}
