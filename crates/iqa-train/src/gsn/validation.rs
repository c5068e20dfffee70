//! Loss and correlations on whole images, by five crops.

use std::borrow::Cow;

use burn::tensor::Tensor;
use image::RgbImage;
use iqa_heads::gsn::{FusedGsn, PreparedReference, ScoreOptions};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::recipe::GsnRecipe;
use crate::data::target;
use crate::within::{of_drawn, places};
use crate::{QualityLoss, TrainError, TrainingPair, Validation, ValidationPairs, seed};

/// Bytes of validation images kept between epochs; those beyond are read again.
const KEPT_BYTES: usize = 512 << 20;

/// The validation set.
pub(super) struct ValidationImages<'a> {
    pairs: &'a dyn ValidationPairs,
    /// The first of the pairs.
    kept: Vec<TrainingPair>,
    /// In a batch that the loss is taken over.
    images: usize,
    seed: u64,
    loss: QualityLoss,
}

impl<'a> ValidationImages<'a> {
    /// `None` where there are none.
    pub(super) fn new(
        pairs: &'a dyn ValidationPairs,
        recipe: &GsnRecipe,
    ) -> Result<Option<Self>, TrainError> {
        let samples = pairs.samples();
        if samples == 0 {
            return Ok(None);
        }
        let (mut kept, mut bytes) = (Vec::new(), 0);
        while kept.len() < samples && bytes < KEPT_BYTES {
            let pair = pairs.pair(kept.len())?;
            bytes += pair.distorted.len() * 2;
            kept.push(pair);
        }
        Ok(Some(Self { pairs, kept, images: recipe.images, seed: recipe.seed, loss: recipe.loss.clone() }))
    }

    /// Which images of a source make up each batch that the loss is taken over. Neighbours in a set are alike: batches as
    /// mixed as in training, and as large, for a loss on the same scale.
    fn batches(&self, source: &[usize]) -> Vec<Vec<usize>> {
        let mut order = source.to_vec();
        order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed::derive(self.seed, &[seed::VALIDATION])));
        order.chunks_exact(self.images.min(order.len())).map(<[usize]>::to_vec).collect()
    }

    fn pair(&self, index: usize) -> Result<Cow<'_, TrainingPair>, TrainError> {
        match self.kept.get(index) {
            Some(pair) => Ok(Cow::Borrowed(pair)),
            None => Ok(Cow::Owned(self.pairs.pair(index)?)),
        }
    }

    /// Evaluates a network on a plain device.
    pub(super) fn evaluate(&self, model: &FusedGsn) -> Result<Validation, TrainError> {
        let options = ScoreOptions::default();
        let samples = self.pairs.samples();
        let (mut predictions, mut targets) = (Vec::with_capacity(samples), Vec::with_capacity(samples));
        let mut sources = Vec::with_capacity(samples);
        // Versions of one photograph often follow each other.
        let mut prepared: Option<(RgbImage, PreparedReference)> = None;
        for index in 0..samples {
            let pair = self.pair(index)?;
            let reference = pair.needed_reference()?;
            let features = match prepared.take() {
                Some((image, features)) if image == *reference => (image, features),
                _ => {
                    let features = model.prepare(reference, &options);
                    (reference.clone(), features.map_err(|error| pair.refused(error))?)
                }
            };
            let scored = model.score_prepared(&pair.distorted, &features.1);
            predictions.push(scored.map_err(|error| pair.refused(error))?.score);
            targets.push(target(&model.score_spec(), pair.quality01));
            sources.push(pair.source);
            prepared = Some(features);
        }
        let (mut loss, mut batches) = (0.0, 0.0);
        let of_sources = places(&sources);
        for batch in of_sources.values().flat_map(|source| self.batches(source)) {
            let of = |values: &[f64]| -> Vec<f64> { batch.iter().map(|&index| values[index]).collect() };
            let scores: Vec<f32> = of(&predictions).into_iter().map(|value| value as f32).collect();
            let scores = Tensor::from_floats(scores.as_slice(), &model.device());
            let sources: Vec<usize> = batch.iter().map(|&index| sources[index]).collect();
            let found = of_drawn(&self.loss, &scores, &of(&targets), &sources)?;
            loss += found.into_scalar::<f64>();
            batches += 1.0;
        }
        // Both in the model's own direction: a good model correlates positively with its targets.
        Ok(Validation::by_source(loss / batches, &predictions, &targets, &sources))
    }
}
