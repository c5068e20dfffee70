//! Several sources in one run: sets whose labels come from different studies.

use crate::data::{DataKey, TrainingPair, TrainingPairs, ValidationPairs};
use crate::{TrainError, data};

/// Training sets side by side, each with a share of every batch.
///
/// Ratings of two studies need not share a scale: each pair says which source it is from, and a recipe learns a rising
/// line from the score to the labels of every source but the first, whose scale the score keeps.
pub struct Mixture<'a> {
    sources: Vec<(Box<dyn TrainingPairs + 'a>, f64)>,
}

impl<'a> Mixture<'a> {
    /// Training sets with their shares of a batch, which need not sum to 1.
    ///
    /// # Errors
    /// [`TrainError::Empty`] without sources or for one without samples; [`TrainError::InvalidRecipe`] for a share that
    /// is not above 0.
    pub fn new(sources: Vec<(Box<dyn TrainingPairs + 'a>, f64)>) -> Result<Self, TrainError> {
        if sources.is_empty() || sources.iter().any(|(pairs, _)| pairs.samples() == 0) {
            return Err(TrainError::Empty { set: "training" });
        }
        match sources.iter().find(|(_, share)| !(share.is_finite() && *share > 0.0)) {
            Some((_, share)) => Err(TrainError::InvalidRecipe {
                field: "weight",
                found: share.to_string(),
                expected: "a share of the batch above 0",
            }),
            None => Ok(Self { sources }),
        }
    }

    /// Images of each source in a batch, by largest remainders, at least one.
    fn counts(&self, count: usize) -> Result<Vec<usize>, TrainError> {
        if count < self.sources.len() {
            return Err(TrainError::InvalidRecipe {
                field: "images",
                found: count.to_string(),
                expected: "an image of each source in a batch",
            });
        }
        let sum: f64 = self.sources.iter().map(|(_, share)| share).sum();
        let exact: Vec<f64> =
            self.sources.iter().map(|(_, share)| (share / sum * count as f64).max(1.0)).collect();
        let mut counts: Vec<usize> = exact.iter().map(|&exact| exact as usize).collect();
        // Shares below one image may have taken too much: the largest gives.
        while counts.iter().sum::<usize>() > count {
            let largest = (0..counts.len()).max_by_key(|&source| counts[source]).unwrap_or(0);
            counts[largest] -= 1;
        }
        while counts.iter().sum::<usize>() < count {
            let behind = |&source: &usize| exact[source] - counts[source] as f64;
            let next = (0..counts.len()).max_by(|a, b| behind(a).total_cmp(&behind(b))).unwrap_or(0);
            counts[next] += 1;
        }
        Ok(counts)
    }
}

impl TrainingPairs for Mixture<'_> {
    fn samples(&self) -> usize {
        self.sources.iter().map(|(pairs, _)| pairs.samples()).sum()
    }

    fn sources(&self) -> usize {
        self.sources.len()
    }

    fn pair(&self, epoch: u64, index: usize) -> Result<TrainingPair, TrainError> {
        let counts = self.sources.iter().map(|(pairs, _)| pairs.samples());
        let (source, index) = data::place(counts, index);
        Ok(TrainingPair { source, ..self.sources[source].0.pair(epoch, index)? })
    }

    fn key(&self) -> Result<DataKey, TrainError> {
        let mut key = joined(self.sources.iter().map(|(pairs, _)| pairs.key()))?;
        let shares: Vec<String> = self.sources.iter().map(|(_, share)| share.to_string()).collect();
        key.insert("weights of sources".into(), shares.join(", "));
        Ok(key)
    }

    /// Of the first source: the others are compared within themselves.
    fn only_label(&self) -> Result<Option<f64>, TrainError> {
        self.sources[0].0.only_label()
    }

    /// The pairs of each source follow each other; every source goes through its own epochs.
    fn batch(&self, step: usize, count: usize) -> Result<Vec<TrainingPair>, TrainError> {
        let mut batch = Vec::with_capacity(count);
        for (source, (count, (pairs, _))) in self.counts(count)?.into_iter().zip(&self.sources).enumerate() {
            let pairs = pairs.batch(step, count)?;
            batch.extend(pairs.into_iter().map(|pair| TrainingPair { source, ..pair }));
        }
        Ok(batch)
    }
}

/// Validation sets of several sources, one after another.
pub struct ValidationMixture<'a> {
    sources: Vec<Box<dyn ValidationPairs + 'a>>,
}

impl<'a> ValidationMixture<'a> {
    /// The validation sets, in the order of the training sets of a [`Mixture`].
    pub fn new(sources: Vec<Box<dyn ValidationPairs + 'a>>) -> Self {
        Self { sources }
    }
}

impl ValidationPairs for ValidationMixture<'_> {
    fn samples(&self) -> usize {
        self.sources.iter().map(|pairs| pairs.samples()).sum()
    }

    fn pair(&self, index: usize) -> Result<TrainingPair, TrainError> {
        let (source, index) = data::place(self.sources.iter().map(|pairs| pairs.samples()), index);
        Ok(TrainingPair { source, ..self.sources[source].pair(index)? })
    }

    fn key(&self) -> Result<DataKey, TrainError> {
        joined(self.sources.iter().map(|pairs| pairs.key()))
    }
}

/// The keys of several sources, each under its number.
fn joined(keys: impl Iterator<Item = Result<DataKey, TrainError>>) -> Result<DataKey, TrainError> {
    let mut joined = DataKey::new();
    for (key, number) in keys.zip(1..) {
        joined.extend(key?.into_iter().map(|(name, value)| (format!("{name} of source {number}"), value)));
    }
    Ok(joined)
}

#[cfg(test)]
mod tests {
    use image::RgbImage;

    use super::*;

    /// Samples that say where they are from: as many as `samples`, all of one quality.
    struct Plain {
        samples: usize,
        quality01: f64,
    }

    impl TrainingPairs for Plain {
        fn samples(&self) -> usize {
            self.samples
        }

        fn pair(&self, epoch: u64, index: usize) -> Result<TrainingPair, TrainError> {
            let distorted = RgbImage::from_pixel(1, 1, image::Rgb([epoch as u8, index as u8, 0]));
            let name = index.to_string();
            Ok(TrainingPair { distorted, reference: None, quality01: self.quality01, source: 0, name })
        }

        fn key(&self) -> Result<DataKey, TrainError> {
            Ok(DataKey::from([("labels".into(), self.quality01.to_string())]))
        }
    }

    fn mixture(shares: [f64; 3]) -> Mixture<'static> {
        let source = |samples, quality01, share| -> (Box<dyn TrainingPairs>, f64) {
            (Box::new(Plain { samples, quality01 }), share)
        };
        Mixture::new(vec![source(3, 0.1, shares[0]), source(5, 0.2, shares[1]), source(2, 0.3, shares[2])])
            .expect("sound")
    }

    #[test]
    fn a_batch_is_shared_by_weight_and_every_source_goes_through_its_own_epochs() {
        let mixture = mixture([2.0, 1.0, 1.0]);
        assert_eq!((mixture.samples(), mixture.sources()), (10, 3));
        let batch = mixture.batch(1, 8).expect("a batch");
        let sources: Vec<usize> = batch.iter().map(|pair| pair.source).collect();
        assert_eq!(sources, [0, 0, 0, 0, 1, 1, 2, 2]);
        // The second step takes samples 4 to 7 of the first source, which has 3: epochs 1, 1, 2, 2.
        let seen: Vec<[u8; 2]> = batch[..4]
            .iter()
            .map(|pair| pair.distorted.get_pixel(0, 0).0[..2].try_into().expect("two"))
            .collect();
        assert_eq!(seen, [[1, 1], [1, 2], [2, 0], [2, 1]]);
        let qualities: Vec<f64> = batch.iter().map(|pair| pair.quality01).collect();
        assert_eq!(qualities, [0.1, 0.1, 0.1, 0.1, 0.2, 0.2, 0.3, 0.3]);
    }

    #[test]
    fn the_key_tells_sources_and_their_shares() {
        let key = |shares| mixture(shares).key().expect("a key");
        let expected = [
            ("labels of source 1", "0.1"),
            ("labels of source 2", "0.2"),
            ("labels of source 3", "0.3"),
            ("weights of sources", "2, 1, 1"),
        ];
        assert_eq!(key([2.0, 1.0, 1.0]), expected.map(|(name, value)| (name.into(), value.into())).into());
        assert_ne!(key([1.0, 1.0, 1.0]), key([2.0, 1.0, 1.0]));
    }

    #[test]
    fn no_source_is_left_out_and_none_may_be_empty() {
        assert_eq!(mixture([1.0, 1e-9, 100.0]).counts(8).expect("room for all"), [1, 1, 6]);
        assert_eq!(mixture([1.0, 1.0, 1.0]).counts(8).expect("room for all").iter().sum::<usize>(), 8);
        assert!(mixture([1.0, 1.0, 1.0]).counts(2).is_err());
        let empty: Box<dyn TrainingPairs> = Box::new(Plain { samples: 0, quality01: 0.0 });
        assert!(matches!(Mixture::new(vec![(empty, 1.0)]), Err(TrainError::Empty { .. })));
        let one: Box<dyn TrainingPairs> = Box::new(Plain { samples: 1, quality01: 0.0 });
        assert!(matches!(Mixture::new(vec![(one, f64::NAN)]), Err(TrainError::InvalidRecipe { .. })));
    }
}
