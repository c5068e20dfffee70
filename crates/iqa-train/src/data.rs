//! What the recipe asks of its data.

use image::RgbImage;
use iqa_datasets::synthetic::{SyntheticGrid, SyntheticSample, SyntheticTrain};

use crate::TrainError;

/// An image with its label.
#[derive(Clone, Debug)]
pub struct TrainingPair {
    /// The distorted image.
    pub distorted: RgbImage,
    /// Its original, of the same size; not looked at by a no-reference model.
    pub reference: RgbImage,
    /// Quality from 0 (worst end of the label's range) to 1 (best end). The recipe maps it to the direction and
    /// range of the model's score.
    pub quality01: f64,
}

/// A training set: samples that may differ from epoch to epoch, but not from call to call.
pub trait TrainingPairs: Sync {
    /// Samples in an epoch.
    fn samples(&self) -> usize;

    /// Sample `index` of an epoch; a pure function of its arguments.
    ///
    /// # Errors
    /// When the sample cannot be read.
    fn pair(&self, epoch: u64, index: usize) -> Result<TrainingPair, TrainError>;
}

/// A validation set: always the same samples.
pub trait ValidationPairs: Sync {
    /// Samples.
    fn samples(&self) -> usize;

    /// Sample `index`.
    ///
    /// # Errors
    /// When the sample cannot be read.
    fn pair(&self, index: usize) -> Result<TrainingPair, TrainError>;
}

impl From<SyntheticSample> for TrainingPair {
    fn from(sample: SyntheticSample) -> Self {
        // KADID-10k rates from 1 to 5.
        let quality01 = (f64::from(sample.mos) - 1.0) / 4.0;
        Self { distorted: sample.distorted, reference: sample.reference, quality01 }
    }
}

impl TrainingPairs for SyntheticTrain {
    fn samples(&self) -> usize {
        self.len()
    }

    fn pair(&self, epoch: u64, index: usize) -> Result<TrainingPair, TrainError> {
        Ok(self.sample(epoch, index).into())
    }
}

impl ValidationPairs for SyntheticGrid {
    fn samples(&self) -> usize {
        self.len()
    }

    fn pair(&self, index: usize) -> Result<TrainingPair, TrainError> {
        Ok(self.sample(index).into())
    }
}
