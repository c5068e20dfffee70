//! Scores and hallucinated references of whole images.

use burn::tensor::Tensor;
use image::RgbImage;
use iqa_core::{PatchPosition, ReferenceNeed};
use iqa_nn::{ScoreError, check_finite, check_minimum, check_reference, check_sizes, check_tensors};
use serde::{Deserialize, Serialize};

use super::model::Hiqa;
use super::patches::{Blend, cut, cut_tensor, mirrored_to, overlapped_positions, picture};
use crate::HeadError;

/// How bright a discrepancy is drawn: a quarter of the scale of the image is white.
pub const MAP_GAIN: f32 = 4.0;

/// How an image is cut up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HiqaScoreOptions {
    /// Distance between neighbouring patches, in pixels; `None` for half a patch. The paper does not give it.
    pub stride: Option<usize>,
    /// Patches in one pass through the networks: bounds the memory, does not change the result.
    pub chunk: usize,
}

impl Default for HiqaScoreOptions {
    fn default() -> Self {
        Self { stride: None, chunk: 4 }
    }
}

/// The score of an image with those of its patches.
#[derive(Clone, Debug, PartialEq)]
pub struct HiqaScore {
    /// The mean of the patch scores, in the model's direction and range; not clamped.
    pub score: f64,
    /// Top-left corners of the patches.
    pub positions: Vec<PatchPosition>,
    /// The patch scores, in the order of `positions`.
    pub patches: Vec<f32>,
}

/// What a generator makes of an image.
#[derive(Clone, Debug)]
pub struct Hallucinated {
    /// The hallucinated reference.
    pub image: RgbImage,
    /// The discrepancy to the distorted image by channel, absolute, times [`MAP_GAIN`]: black where nothing changed.
    pub map: RgbImage,
}

impl Hiqa {
    /// Scores an image without a reference: the mean over overlapped patches.
    ///
    /// # Errors
    /// [`ScoreError::ReferenceUnexpected`](iqa_nn::ScoreError::ReferenceUnexpected) when there is a reference (see [`Self::score_oracle`]);
    /// [`ScoreError::TooSmall`](iqa_nn::ScoreError::TooSmall), [`HeadError::EmptySampler`], [`ScoreError::NonFiniteScore`](iqa_nn::ScoreError::NonFiniteScore).
    pub fn score(
        &self,
        distorted: &RgbImage,
        reference: Option<&RgbImage>,
        options: &HiqaScoreOptions,
    ) -> Result<HiqaScore, HeadError> {
        check_reference(ReferenceNeed::NoReference, reference.is_some())?;
        self.score_patches(distorted, None, options)
    }

    /// Scores an image by its discrepancy to the true reference in place of the hallucinated one: the bound that the
    /// paper calls oracle, and a full-reference measure in its own right.
    ///
    /// # Errors
    /// [`ScoreError::ReferenceUnexpected`](iqa_nn::ScoreError::ReferenceUnexpected) for the baseline, which has no discrepancy map; [`ScoreError::SizeMismatch`](iqa_nn::ScoreError::SizeMismatch);
    /// and as [`Self::score`].
    pub fn score_oracle(
        &self,
        distorted: &RgbImage,
        reference: &RgbImage,
        options: &HiqaScoreOptions,
    ) -> Result<HiqaScore, HeadError> {
        if self.generator.is_none() {
            return Err(ScoreError::ReferenceUnexpected.into());
        }
        check_sizes(distorted.dimensions(), reference.dimensions())?;
        self.score_patches(distorted, Some(reference), options)
    }

    fn score_patches(
        &self,
        distorted: &RgbImage,
        reference: Option<&RgbImage>,
        options: &HiqaScoreOptions,
    ) -> Result<HiqaScore, HeadError> {
        let (side, device) = (self.config.patch, self.device());
        let positions = overlapped_positions(distorted.dimensions(), side, self.stride(options))?;
        let mut patches: Vec<f32> = Vec::with_capacity(positions.len());
        for positions in positions.chunks(options.chunk.max(1)) {
            let reference = reference.map(|image| cut(image, positions, side, &device));
            let scores = self.forward(cut(distorted, positions, side, &device), reference);
            patches.extend(scores.into_data().iter::<f32>());
        }
        let score = patches.iter().copied().map(f64::from).sum::<f64>() / patches.len() as f64;
        Ok(HiqaScore { score: check_finite(score)?, positions, patches })
    }

    fn stride(&self, options: &HiqaScoreOptions) -> usize {
        options.stride.unwrap_or(self.config.patch / 2)
    }

    /// Scores a batch of images given as tensors; on an autodiff device the scores are differentiable with respect to
    /// the images. All patches go through the networks at once. With references it is the oracle, as [`Self::score_oracle`].
    ///
    /// # Shapes
    /// - both: `[n, 3, height, width]`, RGB in `[0, 1]`, not rounded to 8 bits
    /// - returns `[n]`
    ///
    /// # Errors
    /// [`ScoreError::TensorShape`](iqa_nn::ScoreError::TensorShape) for another number of channels or no image, [`ScoreError::TooSmall`](iqa_nn::ScoreError::TooSmall),
    /// [`ScoreError::ReferenceUnexpected`](iqa_nn::ScoreError::ReferenceUnexpected) for the baseline, [`HeadError::EmptySampler`].
    pub fn score_tensor(
        &self,
        distorted: Tensor<4>,
        reference: Option<Tensor<4>>,
        options: &HiqaScoreOptions,
    ) -> Result<Tensor<1>, HeadError> {
        if reference.is_some() && self.generator.is_none() {
            return Err(ScoreError::ReferenceUnexpected.into());
        }
        let size = check_tensors(&distorted, reference.as_ref())?;
        let n = distorted.dims()[0];
        let side = self.config.patch;
        let positions = overlapped_positions(size, side, self.stride(options))?;
        let patches = |images: &Tensor<4>| cut_tensor(images, &positions, side);
        let scores = self.forward(patches(&distorted), reference.as_ref().map(patches));
        let scores: Tensor<2> = scores.reshape([n, positions.len()]);
        Ok(scores.mean_dim(1).reshape([n]))
    }

    /// Hallucinates the reference of an image of any size. Overlapping patches fade into each other, so there are no
    /// seams, for which a stride above half a patch is taken as half a patch; an image smaller than a patch goes on as its mirror image.
    ///
    /// # Errors
    /// [`HeadError::WrongModel`] for the baseline, which has no generator; [`ScoreError::TooSmall`](iqa_nn::ScoreError::TooSmall) for an empty image;
    /// [`HeadError::EmptySampler`] for a stride of 0; [`HeadError::NonFiniteImage`].
    pub fn hallucinate(
        &self,
        distorted: &RgbImage,
        options: &HiqaScoreOptions,
    ) -> Result<Hallucinated, HeadError> {
        if self.generator.is_none() {
            return Err(HeadError::WrongModel {
                path: "model".into(),
                expected: "HIQA with a generator".into(),
                found: "the baseline".into(),
            });
        }
        let (width, height) = distorted.dimensions();
        check_minimum((width, height), (1, 1))?;
        let (side, device) = (self.config.patch, self.device());
        let padded = mirrored_to(distorted, side as u32);
        let positions = overlapped_positions(padded.dimensions(), side, self.stride(options).min(side / 2))?;
        let mut blend = Blend::new(padded.width(), padded.height(), side);
        for positions in positions.chunks(options.chunk.max(1)) {
            let Some(patches) = self.hallucinate_patches(cut(&padded, positions, side, &device)) else {
                break;
            };
            let values: Vec<f32> = patches.into_data().iter::<f32>().collect();
            for (position, values) in positions.iter().zip(values.chunks_exact(3 * side * side)) {
                blend.add(*position, values);
            }
        }
        let values = blend.finish();
        if !values.iter().all(|value| value.is_finite()) {
            return Err(HeadError::NonFiniteImage);
        }
        let row = padded.width() as usize;
        let differences: Vec<f32> = values
            .iter()
            .zip(padded.as_raw())
            .map(|(value, &pixel)| (f32::from(pixel) / 255.0 - value).abs() * MAP_GAIN)
            .collect();
        Ok(Hallucinated {
            image: picture(&values, row, width, height),
            map: picture(&differences, row, width, height),
        })
    }
}
