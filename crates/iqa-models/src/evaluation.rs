//! Models as [`score_set`](iqa_train::evaluation::score_set) takes them.

use std::path::Path;

use burn::tensor::Device;
use image::RgbImage;
use iqa_core::{CoreError, ScoreSpec};
use iqa_heads::wadiqam::{PatchSampler, ScoreOptions};
use iqa_train::evaluation::{EvaluatedModel, sha256};

use crate::registry::model_by_name;
use crate::{ModelError, PreparedReference, Scorer};

/// A [`Scorer`] that knows its weights' digest, so that scores on disk are told from those of other weights.
#[derive(Debug)]
pub struct EvaluatedScorer {
    scorer: Scorer,
    weights: String,
}

impl EvaluatedScorer {
    /// A model by name, with its own weights or those of a file.
    ///
    /// # Errors
    /// As [`Scorer::new`] and [`Scorer::with_weights`].
    pub fn open(name: &str, weights: Option<&Path>, device: &Device) -> Result<Self, ModelError> {
        let (scorer, digest) = match weights {
            Some(path) => {
                let scorer = Scorer::with_weights(name, path, device)?;
                let bytes =
                    std::fs::read(path).map_err(|source| CoreError::Io { path: path.into(), source })?;
                (scorer, sha256(&bytes))
            }
            None => {
                let bytes = model_by_name(name)?.bundled_weights();
                (Scorer::new(name, device)?, bytes.map_or_else(|| "none".into(), sha256))
            }
        };
        Ok(Self { scorer, weights: digest })
    }

    /// As [`Scorer::weights_remark`].
    pub fn weights_remark(&self) -> Option<&str> {
        self.scorer.weights_remark()
    }

    /// Looks at so many random patches of each image, at the same places in every image of one size; for patch networks.
    #[must_use]
    pub fn with_random_patches(mut self, patches: usize, seed: u64) -> Self {
        let sampler = PatchSampler::Random { patches, seed };
        self.scorer = self.scorer.with_options(ScoreOptions { sampler, ..ScoreOptions::default() });
        self.weights += &format!(", {patches} random patches with seed {seed}");
        self
    }
}

impl EvaluatedModel for EvaluatedScorer {
    type Reference = PreparedReference;
    type Error = ModelError;

    fn name(&self) -> String {
        self.scorer.name().into()
    }

    fn weights(&self) -> String {
        self.weights.clone()
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
