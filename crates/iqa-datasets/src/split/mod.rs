//! Splits into training, validation and testing: all versions of a photograph fall on one side.

mod official;
mod preset;
mod reference;

use std::collections::BTreeMap;

pub use preset::SplitPreset;
pub use reference::ReferenceSplit;

use crate::DatasetError;
use crate::dataset::DataSet;

/// Sizes of the parts: training, validation, testing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Parts {
    /// Numbers of references, or of images in a set without references; they must sum to what there is.
    Counts([usize; 3]),
    /// Shares that sum to 1. The last two are rounded to whole references, the first takes the rest.
    Ratios([f64; 3]),
}

impl Parts {
    /// Sizes for a number of units.
    fn sizes(self, units: usize) -> Result<[usize; 3], DatasetError> {
        let sizes = match self {
            Self::Counts(sizes) => sizes,
            Self::Ratios(ratios) => {
                let valid = ratios.iter().all(|ratio| (0.0..=1.0).contains(ratio))
                    && ratios[0] > 0.0
                    && (ratios.iter().sum::<f64>() - 1.0).abs() < 1e-9;
                if !valid {
                    return Err(DatasetError::SplitRatios { found: ratios });
                }
                let [_, validation, test] = ratios.map(|ratio| (ratio * units as f64).round() as usize);
                let train = units.saturating_sub(validation + test);
                let sizes = [train, validation, test];
                // A part that was asked for may not come out empty.
                if sizes.iter().zip(ratios).any(|(&size, ratio)| size == 0 && ratio > 0.0) {
                    return Err(refused(units, sizes));
                }
                sizes
            }
        };
        let sum = sizes.iter().try_fold(0usize, |sum, &size| sum.checked_add(size));
        if sizes[0] == 0 || sum != Some(units) {
            return Err(refused(units, sizes));
        }
        Ok(sizes)
    }
}

fn refused(references: usize, [train, validation, test]: [usize; 3]) -> DatasetError {
    DatasetError::Split { references, train, validation, test }
}

/// Indices of samples for training, validation and testing, each sorted: together every sample of the set, once.
///
/// No reference is on two sides, and none can be: a set with references is only ever split by them. For the split
/// by image that some papers use there, see [`LeakyImageSplit`], which is another type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    parts: [Vec<usize>; 3],
}

impl Split {
    /// A random split: by reference, or by image in a set without references. The same set, parts and seed give
    /// the same split.
    ///
    /// # Errors
    /// [`DatasetError::Split`] unless the counts sum to the number of references (or images) and training gets
    /// some, or when a ratio above 0 leaves its part empty; [`DatasetError::SplitRatios`].
    pub fn random(set: &DataSet, parts: Parts, seed: u64) -> Result<Self, DatasetError> {
        Self::of(&units(set), parts, seed)
    }

    /// `count` random splits, with the seeds `seed`, `seed + 1` and so on.
    ///
    /// # Errors
    /// As [`Self::random`].
    pub fn repeats(set: &DataSet, parts: Parts, seed: u64, count: usize) -> Result<Vec<Self>, DatasetError> {
        let units = units(set);
        (0..count as u64).map(|repeat| Self::of(&units, parts, seed.wrapping_add(repeat))).collect()
    }

    /// Samples to train on.
    pub fn train(&self) -> &[usize] {
        &self.parts[0]
    }

    /// Samples to select a model by.
    pub fn validation(&self) -> &[usize] {
        &self.parts[1]
    }

    /// Samples to report on.
    pub fn test(&self) -> &[usize] {
        &self.parts[2]
    }

    /// Splits units, each a group of samples that stay together.
    fn of(units: &[Vec<usize>], parts: Parts, seed: u64) -> Result<Self, DatasetError> {
        let split = ReferenceSplit::random(units.len(), parts.sizes(units.len())?, seed)?;
        let samples = |part: &[usize]| {
            let mut samples: Vec<usize> = part.iter().flat_map(|&unit| &units[unit]).copied().collect();
            samples.sort_unstable();
            samples
        };
        Ok(Self { parts: [split.train(), split.validation(), split.test()].map(samples) })
    }
}

/// A split by image of a set that has references: versions of one photograph are trained on and tested on, so that
/// figures on it flatter. For comparison with papers that did so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeakyImageSplit(Split);

impl LeakyImageSplit {
    /// A random split of the images, as [`Split::random`] does in a set without references.
    ///
    /// # Errors
    /// As [`Split::random`]; [`DatasetError::SplitUnit`] for a set without references, where that one is not leaky.
    pub fn random(set: &DataSet, parts: Parts, seed: u64) -> Result<Self, DatasetError> {
        if !set.has_references() {
            return Err(DatasetError::SplitUnit { name: set.name().into(), expected: "with" });
        }
        let images: Vec<Vec<usize>> = (0..set.samples().len()).map(|index| vec![index]).collect();
        Split::of(&images, parts, seed).map(Self)
    }

    /// Samples to train on.
    pub fn train(&self) -> &[usize] {
        self.0.train()
    }

    /// Samples to select a model by.
    pub fn validation(&self) -> &[usize] {
        self.0.validation()
    }

    /// Samples to report on.
    pub fn test(&self) -> &[usize] {
        self.0.test()
    }
}

/// The samples of each reference, in the order of the ids; of each image in a set without references.
fn units(set: &DataSet) -> Vec<Vec<usize>> {
    if !set.has_references() {
        return (0..set.samples().len()).map(|index| vec![index]).collect();
    }
    let mut units: BTreeMap<Option<&str>, Vec<usize>> = BTreeMap::new();
    for (index, sample) in set.samples().iter().enumerate() {
        units.entry(sample.reference_id.as_deref()).or_default().push(index);
    }
    units.into_values().collect()
}
