use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::DatasetError;

/// Indices of references for training, validation and testing; disjoint, each sorted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferenceSplit {
    train: Vec<usize>,
    validation: Vec<usize>,
    test: Vec<usize>,
}

impl ReferenceSplit {
    /// A random split of `references` references into parts of the given sizes; the same seed gives the same
    /// split. References beyond the sum of the parts are left out.
    ///
    /// ```
    /// // LIVE in Bosse et al.: 29 references as 17, 6 and 6.
    /// let split = iqa_datasets::split::ReferenceSplit::random(29, [17, 6, 6], 1)?;
    /// assert_eq!(split.test().len(), 6);
    /// # Ok::<(), iqa_datasets::DatasetError>(())
    /// ```
    ///
    /// # Errors
    /// [`DatasetError::Split`] when the parts are larger than the whole, or none is for training.
    pub fn random(
        references: usize,
        [train, validation, test]: [usize; 3],
        seed: u64,
    ) -> Result<Self, DatasetError> {
        if train == 0 || train + validation + test > references {
            return Err(DatasetError::Split { references, train, validation, test });
        }
        let mut order: Vec<usize> = (0..references).collect();
        order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        let part = |start: usize, len: usize| {
            let mut indices = order[start..start + len].to_vec();
            indices.sort_unstable();
            indices
        };
        Ok(Self {
            train: part(0, train),
            validation: part(train, validation),
            test: part(train + validation, test),
        })
    }

    /// References to train on.
    pub fn train(&self) -> &[usize] {
        &self.train
    }

    /// References to select a model by.
    pub fn validation(&self) -> &[usize] {
        &self.validation
    }

    /// References to report on.
    pub fn test(&self) -> &[usize] {
        &self.test
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_disjoint_sorted_and_follow_the_seed() {
        for seed in 0..50 {
            let split = ReferenceSplit::random(25, [15, 5, 5], seed).expect("fits");
            let mut all = [split.train(), split.validation(), split.test()].concat();
            assert!([split.train(), split.validation(), split.test()].iter().all(|part| part.is_sorted()));
            all.sort_unstable();
            assert_eq!(all, (0..25).collect::<Vec<_>>());
            assert_eq!(split, ReferenceSplit::random(25, [15, 5, 5], seed).expect("fits"));
        }
        let at = |seed| ReferenceSplit::random(25, [15, 5, 5], seed).expect("fits");
        assert_ne!(at(1), at(2));
    }

    #[test]
    fn a_split_that_cannot_be_is_refused() {
        let message = ReferenceSplit::random(10, [8, 2, 1], 0).expect_err("11 of 10").to_string();
        assert_eq!(message, "cannot split 10 references into 8 + 2 + 1");
        assert!(ReferenceSplit::random(10, [0, 5, 5], 0).is_err());
    }
}
