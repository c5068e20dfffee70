//! The models as [`Scorer`](crate::Scorer) sees them: one file a family.

mod gsn;
mod hiqa;
mod measure;
mod multi_branch;
mod wadiqam;

use std::any::Any;
use std::fmt::Debug;
use std::sync::Arc;

use burn::tensor::Tensor;
use image::RgbImage;
use iqa_core::ScoreSpec;
use iqa_heads::wadiqam::{PatchMap, ScoreOptions};

pub(crate) use gsn::open as open_gsn;
pub(crate) use hiqa::open as open_hiqa;
pub(crate) use multi_branch::open as open_multi_branch;
pub(crate) use wadiqam::open as open_wadiqam;

use crate::ModelError;

/// What a model says of an image.
#[derive(Clone, Debug)]
pub(crate) struct Scored {
    pub(crate) score: f64,
    /// Of patch networks.
    pub(crate) patches: Option<PatchMap>,
}

impl From<f64> for Scored {
    fn from(score: f64) -> Self {
        Self { score, patches: None }
    }
}

/// A family's implementation. The scorer has checked that a reference is there exactly if [`ScoreSpec`] says so.
pub(crate) trait Model: Debug + Send + Sync {
    /// What is kept of a reference to score many images against it.
    type Prepared: Send + Sync + 'static;

    fn spec(&self) -> ScoreSpec;

    /// Whether [`ScoreOptions`] have a say in its scores.
    fn has_options(&self) -> bool {
        false
    }

    fn score(
        &self,
        distorted: &RgbImage,
        reference: Option<&RgbImage>,
        options: &ScoreOptions,
    ) -> Result<Scored, ModelError>;

    fn prepare(&self, reference: &RgbImage, options: &ScoreOptions) -> Result<Self::Prepared, ModelError>;

    fn score_prepared(&self, distorted: &RgbImage, prepared: &Self::Prepared) -> Result<Scored, ModelError>;

    /// Scores of tensors `[n, 3, height, width]`, RGB in `[0, 1]`, differentiable.
    fn score_tensors(
        &self,
        distorted: Tensor<4>,
        reference: Option<Tensor<4>>,
        options: &ScoreOptions,
    ) -> Result<Tensor<1>, ModelError>;
}

/// [`Model`] without its type.
pub(crate) trait AnyModel: Debug + Send + Sync {
    fn spec(&self) -> ScoreSpec;

    fn has_options(&self) -> bool;

    fn score(
        &self,
        distorted: &RgbImage,
        reference: Option<&RgbImage>,
        options: &ScoreOptions,
    ) -> Result<Scored, ModelError>;

    fn prepare(
        &self,
        reference: &RgbImage,
        options: &ScoreOptions,
    ) -> Result<Arc<dyn Any + Send + Sync>, ModelError>;

    fn score_prepared(
        &self,
        distorted: &RgbImage,
        prepared: &(dyn Any + Send + Sync),
    ) -> Result<Scored, ModelError>;

    fn score_tensors(
        &self,
        distorted: Tensor<4>,
        reference: Option<Tensor<4>>,
        options: &ScoreOptions,
    ) -> Result<Tensor<1>, ModelError>;
}

impl<M: Model> AnyModel for M {
    fn spec(&self) -> ScoreSpec {
        Model::spec(self)
    }

    fn has_options(&self) -> bool {
        Model::has_options(self)
    }

    fn score(
        &self,
        distorted: &RgbImage,
        reference: Option<&RgbImage>,
        options: &ScoreOptions,
    ) -> Result<Scored, ModelError> {
        Model::score(self, distorted, reference, options)
    }

    fn prepare(
        &self,
        reference: &RgbImage,
        options: &ScoreOptions,
    ) -> Result<Arc<dyn Any + Send + Sync>, ModelError> {
        Ok(Arc::new(Model::prepare(self, reference, options)?))
    }

    fn score_prepared(
        &self,
        distorted: &RgbImage,
        prepared: &(dyn Any + Send + Sync),
    ) -> Result<Scored, ModelError> {
        // The scorer has seen that a model of this identity prepared it.
        let prepared = prepared.downcast_ref().expect("prepared by this model");
        Model::score_prepared(self, distorted, prepared)
    }

    fn score_tensors(
        &self,
        distorted: Tensor<4>,
        reference: Option<Tensor<4>>,
        options: &ScoreOptions,
    ) -> Result<Tensor<1>, ModelError> {
        Model::score_tensors(self, distorted, reference, options)
    }
}
