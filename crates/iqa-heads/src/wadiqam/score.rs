//! Scores of whole images, chunk by chunk.

use burn::tensor::{Device, Tensor, TensorData};
use image::RgbImage;
use iqa_core::{PatchMap, PatchPosition, scale_shares};
use iqa_nn::{Scored, check_finite, check_reference, check_sizes, check_tensors, takes_bytes};
use serde::{Deserialize, Serialize};

use super::config::PATCH;
use super::model::{PatchScores, Wadiqam};
use super::patches::{PatchSampler, chunks, cut_patches, cut_patches_tensor};
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

impl ScoreOptions {
    /// The default, with as many patches in a pass as keep that device busy: more where a pass costs launches and copies.
    #[must_use]
    pub fn on(device: &Device) -> Self {
        let chunk = if takes_bytes(device) { 1024 } else { 192 };
        Self { chunk, ..Self::default() }
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

impl From<ImageScore> for Scored {
    fn from(ImageScore { score, patches }: ImageScore) -> Self {
        Self { score, patches: Some(patches) }
    }
}

/// A reference image whose features are kept, to score many distorted versions of it.
#[derive(Clone, Debug)]
pub struct PreparedReference {
    pub(super) size: (u32, u32),
    pub(super) positions: Vec<PatchPosition>,
    pub(super) chunk: usize,
    /// `[patches, features]`.
    pub(super) features: Tensor<2>,
}

impl PreparedReference {
    /// Width and height of the reference, in pixels: a distorted image must have the same.
    pub fn size(&self) -> (u32, u32) {
        self.size
    }

    /// The features of all patches, `[patches, features]`, in the order of [`PatchMap::positions`].
    pub fn features(&self) -> Tensor<2> {
        self.features.clone()
    }
}

impl Wadiqam {
    /// Scores an image; `reference` is needed by a full-reference model and refused by a no-reference one.
    ///
    /// Patches are cut from the 8-bit image a chunk at a time, so memory does not grow with the image.
    ///
    /// # Errors
    /// [`ScoreError::ReferenceMissing`](iqa_nn::ScoreError::ReferenceMissing), [`ScoreError::ReferenceUnexpected`](iqa_nn::ScoreError::ReferenceUnexpected), [`ScoreError::SizeMismatch`](iqa_nn::ScoreError::SizeMismatch),
    /// [`ScoreError::TooSmall`](iqa_nn::ScoreError::TooSmall), [`HeadError::EmptySampler`], [`ScoreError::NonFiniteScore`](iqa_nn::ScoreError::NonFiniteScore).
    pub fn score(
        &self,
        distorted: &RgbImage,
        reference: Option<&RgbImage>,
        options: &ScoreOptions,
    ) -> Result<ImageScore, HeadError> {
        let device = self.device();
        check_reference(self.config.reference, reference.is_some())?;
        if let Some(reference) = reference {
            check_sizes(distorted.dimensions(), reference.dimensions())?;
        }
        let positions = self.positions(options.sampler, distorted.dimensions())?;
        collect(distorted.dimensions(), positions, options.chunk, &device, |_, positions| {
            let reference = reference.map(|image| cut_patches(image, positions, &device));
            self.forward(cut_patches(distorted, positions, &device), reference)
        })
    }

    /// Computes and keeps the features of a reference image.
    ///
    /// # Errors
    /// [`ScoreError::ReferenceUnexpected`](iqa_nn::ScoreError::ReferenceUnexpected) on a no-reference model, [`ScoreError::TooSmall`](iqa_nn::ScoreError::TooSmall),
    /// [`HeadError::EmptySampler`].
    pub fn prepare(
        &self,
        reference: &RgbImage,
        options: &ScoreOptions,
    ) -> Result<PreparedReference, HeadError> {
        check_reference(self.config.reference, true)?;
        let positions = self.positions(options.sampler, reference.dimensions())?;
        let device = self.device();
        let chunk = options.chunk;
        let features = chunks(&positions, chunk, &device)
            .into_iter()
            .map(|positions| self.features(cut_patches(reference, positions, &device)))
            .collect();
        let features = Tensor::cat(features, 0);
        Ok(PreparedReference { size: reference.dimensions(), positions, chunk, features })
    }

    /// Scores an image against a prepared reference; the same score as [`Self::score`], at half the work.
    ///
    /// # Errors
    /// [`ScoreError::SizeMismatch`](iqa_nn::ScoreError::SizeMismatch), [`ScoreError::NonFiniteScore`](iqa_nn::ScoreError::NonFiniteScore).
    pub fn score_prepared(
        &self,
        distorted: &RgbImage,
        reference: &PreparedReference,
    ) -> Result<ImageScore, HeadError> {
        check_sizes(distorted.dimensions(), reference.size)?;
        let device = self.device();
        let positions = reference.positions.clone();
        collect(distorted.dimensions(), positions, reference.chunk, &device, |first, positions| {
            let features = self.features(cut_patches(distorted, positions, &device));
            let reference = reference.features.clone().narrow(0, first, positions.len());
            self.patch_scores(self.fuse(features, reference))
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
    /// As [`Self::score`], and [`ScoreError::TensorShape`](iqa_nn::ScoreError::TensorShape) for another number of channels or no image.
    pub fn score_tensor(
        &self,
        distorted: Tensor<4>,
        reference: Option<Tensor<4>>,
        sampler: PatchSampler,
    ) -> Result<Tensor<1>, HeadError> {
        check_reference(self.config.reference, reference.is_some())?;
        let size = check_tensors(&distorted, reference.as_ref())?;
        let n = distorted.dims()[0];
        let device = distorted.device();
        let positions = self.positions(sampler, size)?;
        let cut = |images| cut_patches_tensor(images, sampler, &positions);
        let scores = self.forward(cut(distorted), reference.map(cut));
        if self.config.scales == 1 {
            return Ok(scores.pool(n));
        }
        let shares = TensorData::new(scale_shares(&positions).repeat(n), [n * positions.len()]);
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

/// Runs `network` over the chunks of `positions`, of which it is told the place of the first, and pools what it gives, which is read
/// back once.
fn collect(
    (width, height): (u32, u32),
    positions: Vec<PatchPosition>,
    chunk: usize,
    device: &Device,
    network: impl Fn(usize, &[PatchPosition]) -> PatchScores,
) -> Result<ImageScore, HeadError> {
    let (mut quality, mut weight) = (Vec::new(), Vec::new());
    let mut first = 0;
    for chunk in chunks(&positions, chunk, device) {
        let scores = network(first, chunk);
        first += chunk.len();
        quality.push(scores.quality);
        weight.extend(scores.weight);
    }
    quality.append(&mut weight);
    let mut quality: Vec<f32> = Tensor::cat(quality, 0).into_data().iter::<f32>().collect();
    let mut weight = quality.split_off(positions.len());
    weight.resize(positions.len(), 1.0);
    let patches = PatchMap { width, height, side: PATCH as u32, positions, quality, weight };
    let score = check_finite(patches.pool())?;
    Ok(ImageScore { score, patches })
}
