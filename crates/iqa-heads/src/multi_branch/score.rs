//! Scores of whole images.

use std::collections::BTreeMap;

use burn::tensor::Tensor;
use image::RgbImage;
use iqa_nn::{ScoreError, check_finite, check_minimum, check_sizes, check_tensors, image_to_tensor};

use super::model::MultiBranch;
use crate::HeadError;

/// Pairs in one pass through the network: bounds the memory, does not change the scores.
const PAIRS: usize = 4;

/// A reference image whose features are kept, to score many distorted versions of it.
#[derive(Clone, Debug)]
pub struct PreparedReference {
    size: (u32, u32),
    /// Of each tile.
    frp: Vec<Vec<Tensor<4>>>,
    frnp: Option<Vec<Tensor<4>>>,
}

impl PreparedReference {
    /// Width and height of the reference, in pixels: a distorted image must have the same.
    pub fn size(&self) -> (u32, u32) {
        self.size
    }
}

impl MultiBranch {
    /// Scores an image of any size that the network takes, whole.
    ///
    /// # Errors
    /// [`ScoreError::ReferenceMissing`](iqa_nn::ScoreError::ReferenceMissing), [`ScoreError::SizeMismatch`](iqa_nn::ScoreError::SizeMismatch), [`ScoreError::TooSmall`](iqa_nn::ScoreError::TooSmall),
    /// [`ScoreError::NonFiniteScore`](iqa_nn::ScoreError::NonFiniteScore).
    pub fn score(&self, distorted: &RgbImage, reference: Option<&RgbImage>) -> Result<f64, HeadError> {
        let reference = self.wanted(reference)?;
        self.check_pair(distorted, reference.unwrap_or(distorted))?;
        let device = self.device();
        let tensor = |image| image_to_tensor(image, &device);
        let score = self.forward(tensor(distorted), reference.map(tensor));
        Ok(check_finite(score.into_scalar::<f64>())?)
    }

    /// Scores pairs of any sizes. Pairs of the same size go through the network together; nothing is resized.
    ///
    /// Returns one result a pair, in their order; each is that of [`Self::score`].
    pub fn score_batch(&self, pairs: &[(&RgbImage, &RgbImage)]) -> Vec<Result<f64, HeadError>> {
        let device = self.device();
        let mut results: Vec<Result<f64, HeadError>> = Vec::with_capacity(pairs.len());
        let mut sizes: BTreeMap<(u32, u32), Vec<usize>> = BTreeMap::new();
        for (index, (distorted, reference)) in pairs.iter().enumerate() {
            let checked = self.check_pair(distorted, reference);
            if checked.is_ok() {
                sizes.entry(distorted.dimensions()).or_default().push(index);
            }
            results.push(checked.map(|()| f64::NAN));
        }
        for indices in sizes.values().flat_map(|indices| indices.chunks(PAIRS)) {
            let batch = |image: fn(&(&RgbImage, &RgbImage)) -> RgbImage| -> Tensor<4> {
                let images = indices.iter().map(|&index| image_to_tensor(&image(&pairs[index]), &device));
                Tensor::cat(images.collect(), 0)
            };
            let scores = self.forward(batch(|pair| pair.0.clone()), batch(|pair| pair.1.clone()));
            for (&index, score) in indices.iter().zip(scores.into_data().iter::<f64>()) {
                results[index] = check_finite(score).map_err(HeadError::from);
            }
        }
        results
    }

    /// Computes and keeps the features of a reference image.
    ///
    /// # Errors
    /// [`ScoreError::TooSmall`](iqa_nn::ScoreError::TooSmall).
    pub fn prepare(&self, reference: &RgbImage) -> Result<PreparedReference, HeadError> {
        self.check_pair(reference, reference)?;
        let (frp, frnp) = self.reference_taps(image_to_tensor(reference, &self.device()));
        Ok(PreparedReference { size: reference.dimensions(), frp, frnp })
    }

    /// Scores an image against a prepared reference; the same score as [`Self::score`], for little more than half the
    /// work.
    ///
    /// # Errors
    /// [`ScoreError::SizeMismatch`](iqa_nn::ScoreError::SizeMismatch), [`ScoreError::NonFiniteScore`](iqa_nn::ScoreError::NonFiniteScore).
    pub fn score_prepared(
        &self,
        distorted: &RgbImage,
        reference: &PreparedReference,
    ) -> Result<f64, HeadError> {
        self.check_size(distorted.dimensions(), reference.size)?;
        let image = image_to_tensor(distorted, &self.device());
        let features = self.features_against(image, &reference.frp, reference.frnp.as_deref());
        Ok(check_finite(self.head(features).into_scalar::<f64>())?)
    }

    /// Scores a batch of images given as tensors; on an autodiff device the scores are differentiable with respect to
    /// the images, the frozen branch included, so that their mean can serve as a loss.
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
    ) -> Result<Tensor<1>, HeadError> {
        let reference = self.wanted(reference)?;
        let size = check_tensors(&distorted, reference.as_ref())?;
        self.check_size(size, size)?;
        Ok(self.forward(distorted, reference))
    }

    /// The reference, if the model looks at one.
    ///
    /// # Errors
    /// [`ScoreError::ReferenceMissing`](iqa_nn::ScoreError::ReferenceMissing).
    pub fn wanted<T>(&self, reference: Option<T>) -> Result<Option<T>, ScoreError> {
        if !self.config.branches.has_frp() {
            return Ok(None);
        }
        reference.ok_or(ScoreError::ReferenceMissing).map(Some)
    }

    /// Whether the model can take the two images.
    ///
    /// # Errors
    /// [`ScoreError::SizeMismatch`](iqa_nn::ScoreError::SizeMismatch), [`ScoreError::TooSmall`](iqa_nn::ScoreError::TooSmall).
    pub fn check_pair(&self, distorted: &RgbImage, reference: &RgbImage) -> Result<(), HeadError> {
        self.check_size(distorted.dimensions(), reference.dimensions())
    }

    /// Smallest width and height that the network takes, in pixels.
    ///
    /// # Errors
    /// [`HeadError::Backbone`] for an architecture that gives no features.
    pub fn minimum_size(&self) -> Result<(u32, u32), HeadError> {
        self.config.minimum_size()
    }

    fn check_size(&self, distorted: (u32, u32), reference: (u32, u32)) -> Result<(), HeadError> {
        check_sizes(distorted, reference)?;
        check_minimum(distorted, self.minimum_size()?)?;
        Ok(())
    }
}
