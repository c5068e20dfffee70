//! What every model that scores images has in common.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use burn::tensor::Tensor;
use image::RgbImage;
use iqa_core::{PatchMap, ScoreSpec};

use crate::{Identity, ModelError};

/// A model that says how good an image looks: a network of this workspace, a formula, or one of your own.
///
/// Images go `(distorted, reference)`. `iqa_models::Scorer::from_model` makes a scorer of it, which decodes files, looks at
/// what it is given (a reference if and only if [`Self::spec`] asks for one, equal sizes, none below
/// [`Self::minimum_size`]) and at what comes out (a finite score); what implements the trait need not.
///
/// ```
/// use image::RgbImage;
/// use iqa_core::{Direction, ReferenceNeed, ScoreSpec};
/// use iqa_nn::{Identity, QualityModel, ModelError, Scored};
///
/// /// Takes dark pictures for bad ones.
/// #[derive(Debug)]
/// struct Brightness;
///
/// impl QualityModel for Brightness {
///     fn name(&self) -> &str {
///         "brightness"
///     }
///     fn spec(&self) -> ScoreSpec {
///         ScoreSpec::new(Direction::HigherIsBetter, 0.0, 255.0, ReferenceNeed::NoReference)
///     }
///     fn identity(&self) -> Identity {
///         Identity::formula()
///     }
///     fn score(&self, distorted: &RgbImage, _: Option<&RgbImage>) -> Result<Scored, ModelError> {
///         let sum: u64 = distorted.as_raw().iter().map(|&value| u64::from(value)).sum();
///         Ok((sum as f64 / distorted.as_raw().len() as f64).into())
///     }
/// }
/// ```
pub trait QualityModel: fmt::Debug + Send + Sync {
    /// Its name, as reports print it.
    fn name(&self) -> &str;

    /// Direction, nominal range and reference need of its scores.
    fn spec(&self) -> ScoreSpec;

    /// All that its scores depend on besides the images: weights, and every option that changes a score. Scores of another
    /// identity are not mixed with these.
    fn identity(&self) -> Identity;

    /// What a user should know of its weights: that something about them had to be assumed.
    fn remark(&self) -> Option<&str> {
        None
    }

    /// Whether scale and offset of its scores mean nothing, whatever [`Self::spec`] says of a range: it was trained to order
    /// images. An evaluation then leaves out errors in the units of the ratings.
    fn has_free_scale(&self) -> bool {
        false
    }

    /// Smallest width and height that it takes, in pixels.
    fn minimum_size(&self) -> (u32, u32) {
        (1, 1)
    }

    /// Whether its scores come with a [`PatchMap`].
    fn has_patches(&self) -> bool {
        false
    }

    /// Scores an image.
    ///
    /// # Errors
    /// What the model cannot work on, as [`ModelError::Model`] where no other variant says it.
    fn score(&self, distorted: &RgbImage, reference: Option<&RgbImage>) -> Result<Scored, ModelError>;

    /// Computes and keeps what is needed of a reference; the image itself, where a model does not say otherwise.
    ///
    /// # Errors
    /// As [`Self::score`].
    fn prepare(&self, reference: &RgbImage) -> Result<Prepared, ModelError> {
        Ok(Prepared::new(reference.clone()))
    }

    /// The score of [`Self::score`] against a reference that [`Self::prepare`] has seen.
    ///
    /// # Errors
    /// As [`Self::score`]; [`ModelError::ForeignKind`] for what another model prepared.
    fn score_prepared(&self, distorted: &RgbImage, reference: &Prepared) -> Result<Scored, ModelError> {
        self.score(distorted, Some(reference.get()?))
    }

    /// Scores of a batch of tensors, differentiable with respect to them on an autodiff device.
    ///
    /// # Shapes
    /// - both: `[n, 3, height, width]`, RGB in `[0, 1]`
    /// - returns `[n]`
    ///
    /// # Errors
    /// As [`Self::score`]; [`ModelError::ImagesOnly`] where a model does not say otherwise.
    fn score_tensors(
        &self,
        distorted: Tensor<4>,
        reference: Option<Tensor<4>>,
    ) -> Result<Tensor<1>, ModelError> {
        let _ = (distorted, reference);
        Err(ModelError::ImagesOnly { name: self.name().into() })
    }
}

/// What a model says of an image.
#[derive(Clone, Debug, PartialEq)]
pub struct Scored {
    /// The score, in the model's direction and range; not clamped.
    pub score: f64,
    /// Each patch's share in it, where the model scores patches.
    pub patches: Option<PatchMap>,
}

impl From<f64> for Scored {
    fn from(score: f64) -> Self {
        Self { score, patches: None }
    }
}

/// What a model keeps of a reference.
#[derive(Clone)]
pub struct Prepared(Arc<dyn Any + Send + Sync>);

impl Prepared {
    /// Anything at all.
    pub fn new(kept: impl Any + Send + Sync) -> Self {
        Self(Arc::new(kept))
    }

    /// What [`Self::new`] was given.
    ///
    /// # Errors
    /// [`ModelError::ForeignKind`] when it is of another type.
    pub fn get<T: Any>(&self) -> Result<&T, ModelError> {
        self.0.downcast_ref().ok_or(ModelError::ForeignKind)
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Prepared(..)")
    }
}
