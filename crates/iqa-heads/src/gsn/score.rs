//! Scores of whole images, by five crops.

use burn::tensor::Tensor;
use image::RgbImage;
use iqa_nn::{ScoreError, check_finite, check_sizes, check_tensors, image_to_tensor};
use serde::{Deserialize, Serialize};

use super::crops::{CropPosition, crop, five_crops};
use super::fused::FusedGsn;
use super::graph;
use crate::HeadError;

/// How images are scored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScoreOptions {
    /// Bytes that the two largest neighbouring maps of a pass may take: decides how many of the crops go through the
    /// network at once, at least one, and does not change the score. All five crops of both images take 0.5 GB.
    pub memory: usize,
}

impl Default for ScoreOptions {
    /// 1 GiB: all crops at once.
    fn default() -> Self {
        Self { memory: 1 << 30 }
    }
}

/// The score of an image with what it was made from.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageScore {
    /// The score, the mean over the crops, in the model's direction and range; not clamped.
    pub score: f64,
    /// The crops: top left, top right, bottom left, bottom right, middle.
    pub crops: [CropScore; 5],
}

/// The score of one crop.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CropScore {
    /// Where it lies.
    pub position: CropPosition,
    /// Its score.
    pub score: f64,
}

/// A reference image whose features are kept, to score many distorted versions of it.
#[derive(Clone, Debug)]
pub struct PreparedReference {
    size: (u32, u32),
    positions: [CropPosition; 5],
    chunk: usize,
    /// For each chunk of crops the maps of each level on the grid.
    maps: Vec<Vec<Tensor<4>>>,
}

impl PreparedReference {
    /// Width and height of the reference, in pixels: a distorted image must have the same.
    pub fn size(&self) -> (u32, u32) {
        self.size
    }
}

impl FusedGsn {
    /// Scores an image against its reference: the mean over five crops of each (Cong et al. 2022).
    /// Images are not scaled.
    ///
    /// # Errors
    /// [`ScoreError::ReferenceMissing`](iqa_nn::ScoreError::ReferenceMissing), [`ScoreError::SizeMismatch`](iqa_nn::ScoreError::SizeMismatch), [`ScoreError::TooSmall`](iqa_nn::ScoreError::TooSmall) for images smaller than
    /// the crop, [`ScoreError::NonFiniteScore`](iqa_nn::ScoreError::NonFiniteScore).
    pub fn score(
        &self,
        distorted: &RgbImage,
        reference: Option<&RgbImage>,
        options: &ScoreOptions,
    ) -> Result<ImageScore, HeadError> {
        let reference = reference.ok_or(ScoreError::ReferenceMissing)?;
        check_sizes(distorted.dimensions(), reference.dimensions())?;
        let positions = five_crops(distorted.dimensions(), self.crop_side())?;
        // Both images of a pair are in the pass.
        collect(positions, self.chunk(options, 2), |_, positions| {
            self.forward(self.crops(distorted, positions), self.crops(reference, positions))
        })
    }

    /// Computes and keeps the features of a reference image.
    ///
    /// # Errors
    /// [`ScoreError::TooSmall`](iqa_nn::ScoreError::TooSmall).
    pub fn prepare(
        &self,
        reference: &RgbImage,
        options: &ScoreOptions,
    ) -> Result<PreparedReference, HeadError> {
        let positions = five_crops(reference.dimensions(), self.crop_side())?;
        let chunk = self.chunk(options, 1);
        let maps = positions
            .chunks(chunk)
            .map(|positions| graph::grid_maps(self, self.crops(reference, positions)))
            .collect();
        Ok(PreparedReference { size: reference.dimensions(), positions, chunk, maps })
    }

    /// Scores an image against a prepared reference: the score of [`Self::score`], at half the work.
    ///
    /// # Errors
    /// [`ScoreError::SizeMismatch`](iqa_nn::ScoreError::SizeMismatch), [`ScoreError::NonFiniteScore`](iqa_nn::ScoreError::NonFiniteScore).
    pub fn score_prepared(
        &self,
        distorted: &RgbImage,
        reference: &PreparedReference,
    ) -> Result<ImageScore, HeadError> {
        check_sizes(distorted.dimensions(), reference.size)?;
        collect(reference.positions, reference.chunk, |index, positions| {
            let maps = graph::grid_maps(self, self.crops(distorted, positions));
            graph::scores(self, maps, reference.maps[index].clone())
        })
    }

    /// Scores a batch of images given as tensors, by five crops each; on an autodiff device the scores are
    /// differentiable with respect to the images, so that their mean can serve as a loss.
    ///
    /// One image after another: five crops of a pair fill a device, and a batch of them its memory.
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
        let reference = reference.ok_or(ScoreError::ReferenceMissing)?;
        let size = check_tensors(&distorted, Some(&reference))?;
        let n = distorted.dims()[0];
        let side = self.config.crop;
        let positions = five_crops(size, self.crop_side())?;
        let crops = |images: &Tensor<4>, image: usize| {
            let image = images.clone().narrow(0, image, 1);
            let cut = |at: &CropPosition| {
                image.clone().narrow(2, at.y as usize, side).narrow(3, at.x as usize, side)
            };
            Tensor::cat(positions.iter().map(cut).collect(), 0)
        };
        let score = |image| self.forward(crops(&distorted, image), crops(&reference, image)).mean();
        Ok(Tensor::cat((0..n).map(score).collect(), 0))
    }

    fn crop_side(&self) -> u32 {
        self.config.crop as u32
    }

    /// Crops in a pass.
    fn chunk(&self, options: &ScoreOptions, images_each: usize) -> usize {
        (options.memory / (self.config.bytes() * images_each)).max(1)
    }

    /// `[crops, 3, side, side]`
    fn crops(&self, image: &RgbImage, positions: &[CropPosition]) -> Tensor<4> {
        let device = self.device();
        let cut = |&at: &CropPosition| image_to_tensor(&crop(image, at, self.crop_side()), &device);
        Tensor::cat(positions.iter().map(cut).collect(), 0)
    }
}

/// Runs `network` over the crops, some at a time, and takes the mean.
fn collect(
    positions: [CropPosition; 5],
    chunk: usize,
    network: impl Fn(usize, &[CropPosition]) -> Tensor<1>,
) -> Result<ImageScore, HeadError> {
    let mut crops = positions.map(|position| CropScore { position, score: 0.0 });
    for (index, chunk) in crops.chunks_mut(chunk).enumerate() {
        let positions: Vec<_> = chunk.iter().map(|crop| crop.position).collect();
        let scores = network(index, &positions).into_data();
        for (crop, score) in chunk.iter_mut().zip(scores.iter::<f64>()) {
            crop.score = score;
        }
    }
    let score = crops.iter().map(|crop| crop.score).sum::<f64>() / crops.len() as f64;
    Ok(ImageScore { score: check_finite(score)?, crops })
}
