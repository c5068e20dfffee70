//! How large the numbers of a recipe may be: far beyond what is published, and far below what overflows or asks for all
//! memory before a first step.

use std::ops::RangeInclusive;

use crate::error::TrainError;
use crate::losses::QualityLoss;

/// What a count may be, and how an error says so.
pub(crate) struct Limit(RangeInclusive<usize>, &'static str);

pub(crate) const EPOCHS: Limit = Limit(1..=1_000_000, "1 to 1,000,000");
/// Of an epoch, or of a phase.
pub(crate) const STEPS: Limit = Limit(1..=100_000_000, "1 to 100,000,000");
/// In a batch.
pub(crate) const IMAGES: Limit = Limit(1..=4096, "1 to 4,096");
/// In a batch, for a loss over its images.
const COMPARED_IMAGES: Limit = Limit(2..=4096, "2 to 4,096, since the loss compares the images of a batch");
/// Of an image.
pub(crate) const PATCHES: Limit = Limit(1..=4096, "1 to 4,096");
/// Of all images in a batch together.
pub(crate) const BATCH_PATCHES: Limit = Limit(1..=16_384, "at most 16,384 in a batch");

impl Limit {
    pub(crate) const fn new(range: RangeInclusive<usize>, text: &'static str) -> Self {
        Self(range, text)
    }

    /// # Errors
    /// [`TrainError::InvalidRecipe`] naming the field.
    pub(crate) fn check(&self, field: &'static str, value: usize) -> Result<(), TrainError> {
        if self.0.contains(&value) {
            return Ok(());
        }
        Err(TrainError::InvalidRecipe { field, found: value.to_string(), expected: self.1 })
    }
}

/// How many images a batch may have under a loss.
pub(crate) fn images(loss: &QualityLoss) -> &'static Limit {
    if loss.compares() { &COMPARED_IMAGES } else { &IMAGES }
}

/// # Errors
/// [`TrainError::InvalidRecipe`] naming the field.
pub(crate) fn learning_rate(field: &'static str, value: f64) -> Result<(), TrainError> {
    if value > 0.0 && value <= 1000.0 {
        return Ok(());
    }
    let found = format!("{value:?}");
    Err(TrainError::InvalidRecipe {
        field,
        found,
        expected: "a number above 0 and up to 1,000 (0.0001 to 0.01 are usual)",
    })
}
