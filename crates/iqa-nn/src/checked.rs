//! A model behind the one set of looks at what goes in and comes out.

use std::sync::Arc;

use burn::tensor::Tensor;
use image::RgbImage;
use iqa_core::ScoreSpec;

use crate::checks::{check_finite, check_minimum, check_reference, check_sizes, check_tensors};
use crate::{Identity, ModelError, Prepared, QualityModel, Scored};

/// A reference image of which a model keeps what it needs, to score many distorted versions of it.
///
/// Only the model that made it, or one of the same name and [`Identity`], can use it.
#[derive(Clone, Debug)]
pub struct PreparedReference {
    made_by: Arc<(String, Identity)>,
    size: (u32, u32),
    kept: Prepared,
}

impl PreparedReference {
    /// Width and height of the reference, in pixels: a distorted image must have the same.
    pub fn size(&self) -> (u32, u32) {
        self.size
    }
}

/// A [`QualityModel`] as scorers and evaluations take it: whatever it is given has been looked at, and so has its score.
#[derive(Debug)]
pub struct CheckedModel {
    model: Box<dyn QualityModel>,
    /// Name and identity, shared with the references that it prepares.
    itself: Arc<(String, Identity)>,
}

impl CheckedModel {
    /// Behind the checks.
    pub fn new(model: Box<dyn QualityModel>) -> Self {
        let itself = Arc::new((model.name().to_owned(), model.identity()));
        Self { model, itself }
    }

    /// Under another name than the model gives itself.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        Arc::make_mut(&mut self.itself).0 = name.into();
        self
    }

    /// With something else that its scores depend on, outside of the model; empty where it is as usual.
    #[must_use]
    pub fn with_identity(mut self, part: &'static str, value: impl Into<String>) -> Self {
        let itself = Arc::make_mut(&mut self.itself);
        itself.1 = itself.1.clone().with(part, value);
        self
    }

    /// The model's name.
    pub fn name(&self) -> &str {
        &self.itself.0
    }

    /// What the scores depend on, besides the images.
    pub fn identity(&self) -> &Identity {
        &self.itself.1
    }

    /// Direction, range and reference need of the scores.
    pub fn spec(&self) -> ScoreSpec {
        self.model.spec()
    }

    /// What a user should know of its weights.
    pub fn remark(&self) -> Option<&str> {
        self.model.remark()
    }

    /// Whether scale and offset of the scores mean nothing.
    pub fn has_free_scale(&self) -> bool {
        self.model.has_free_scale()
    }

    /// Smallest width and height, in pixels.
    pub fn minimum_size(&self) -> (u32, u32) {
        self.model.minimum_size()
    }

    /// Whether scores come with a patch map.
    pub fn has_patches(&self) -> bool {
        self.model.has_patches()
    }

    /// Scores an image, against its reference where the model needs one.
    ///
    /// # Errors
    /// [`ModelError::Score`], [`ModelError::TooSmall`], and what the model says.
    pub fn score(&self, distorted: &RgbImage, reference: Option<&RgbImage>) -> Result<Scored, ModelError> {
        self.check_reference(reference.is_some())?;
        if let Some(reference) = reference {
            check_sizes(distorted.dimensions(), reference.dimensions())?;
        }
        self.check_minimum(distorted.dimensions())?;
        self.finite(self.model.score(distorted, reference)?)
    }

    /// Computes and keeps what the model needs of a reference.
    ///
    /// # Errors
    /// As [`Self::score`].
    pub fn prepare(&self, reference: &RgbImage) -> Result<PreparedReference, ModelError> {
        self.check_reference(true)?;
        let size = reference.dimensions();
        self.check_minimum(size)?;
        let kept = self.model.prepare(reference)?;
        Ok(PreparedReference { made_by: Arc::clone(&self.itself), size, kept })
    }

    /// Scores an image against a prepared reference: the score of [`Self::score`] at less work.
    ///
    /// # Errors
    /// As [`Self::score`]; [`ModelError::ForeignReference`] for what a model of another name or [`Identity`] prepared.
    pub fn score_prepared(
        &self,
        distorted: &RgbImage,
        reference: &PreparedReference,
    ) -> Result<Scored, ModelError> {
        self.check_reference(true)?;
        let (name, identity) = &*self.itself;
        let (other_name, other) = &*reference.made_by;
        let named = (name != other_name).then(|| ("model", name.clone(), other_name.clone()));
        if let Some((what, expected, found)) = named.or_else(|| identity.difference(other)) {
            return Err(ModelError::ForeignReference { what, expected, found });
        }
        check_sizes(distorted.dimensions(), reference.size)?;
        self.finite(self.model.score_prepared(distorted, &reference.kept)?)
    }

    /// Scores a batch of tensors, differentiable where the model is on an autodiff device.
    ///
    /// # Shapes
    /// - both: `[n, 3, height, width]`, RGB in `[0, 1]`
    /// - returns `[n]`
    ///
    /// # Errors
    /// As [`Self::score`]; [`ModelError::ImagesOnly`].
    pub fn score_tensors(
        &self,
        distorted: Tensor<4>,
        reference: Option<Tensor<4>>,
    ) -> Result<Tensor<1>, ModelError> {
        self.check_reference(reference.is_some())?;
        let size = check_tensors(&distorted, reference.as_ref())?;
        self.check_minimum(size)?;
        self.model.score_tensors(distorted, reference)
    }

    /// That a reference is there if and only if the model needs one.
    ///
    /// # Errors
    /// [`ModelError::Score`].
    pub fn check_reference(&self, given: bool) -> Result<(), ModelError> {
        Ok(check_reference(self.spec().reference, given)?)
    }

    fn check_minimum(&self, size: (u32, u32)) -> Result<(), ModelError> {
        let minimum = self.minimum_size();
        check_minimum(size, minimum).map_err(|_| ModelError::TooSmall {
            model: self.name().into(),
            size,
            minimum,
        })
    }

    fn finite(&self, scored: Scored) -> Result<Scored, ModelError> {
        check_finite(scored.score)?;
        Ok(scored)
    }
}
