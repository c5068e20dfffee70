//! Models as [`score_set`](iqa_train::evaluation::score_set) takes them.

use std::path::Path;

use burn::tensor::Device;
use image::RgbImage;
use iqa_core::ScoreSpec;
use iqa_heads::wadiqam::{PatchSampler, ScoreOptions};
use iqa_train::evaluation::EvaluatedModel;

use crate::{ModelError, PreparedReference, Scorer};

/// A [`Scorer`] as evaluations take it.
#[derive(Debug)]
pub struct EvaluatedScorer {
    scorer: Scorer,
}

impl EvaluatedScorer {
    /// A model by name, with its own weights or those of a file.
    ///
    /// # Errors
    /// As [`Scorer::new`] and [`Scorer::with_weights`].
    pub fn open(name: &str, weights: Option<&Path>, device: &Device) -> Result<Self, ModelError> {
        let scorer = match weights {
            Some(path) => Scorer::with_weights(name, path, device)?,
            None => Scorer::new(name, device)?,
        };
        Ok(Self { scorer })
    }

    /// As [`Scorer::weights_remark`].
    pub fn weights_remark(&self) -> Option<&str> {
        self.scorer.weights_remark()
    }

    /// Looks at so many random patches of each image, at the same places in every image of one size; for patch networks.
    ///
    /// # Errors
    /// [`ModelError::NoPatches`] for a model that takes no such choice; [`ModelError::Head`] for a number that no
    /// sampler takes.
    pub fn with_random_patches(self, patches: usize, seed: u64) -> Result<Self, ModelError> {
        if !self.scorer.has_options() {
            return Err(ModelError::NoPatches { name: self.scorer.name() });
        }
        let sampler = PatchSampler::Random { patches, seed };
        sampler.validate()?;
        let options = ScoreOptions { sampler, ..ScoreOptions::default() };
        Ok(Self { scorer: self.scorer.with_options(options) })
    }
}

impl EvaluatedModel for EvaluatedScorer {
    type Reference = PreparedReference;
    type Error = ModelError;

    fn name(&self) -> String {
        self.scorer.name().into()
    }

    fn weights(&self) -> String {
        self.scorer.identity().to_string()
    }

    fn spec(&self) -> ScoreSpec {
        self.scorer.spec()
    }

    fn prepare(&self, reference: &RgbImage) -> Result<PreparedReference, ModelError> {
        self.scorer.prepare(reference)
    }

    fn score(&self, distorted: &RgbImage, reference: Option<&PreparedReference>) -> Result<f64, ModelError> {
        let score = match reference {
            Some(reference) => self.scorer.score_prepared(distorted, reference),
            None => self.scorer.score_single(distorted),
        };
        Ok(score?.value)
    }
}
