//! The network: pairs of images to features to scores.

use std::borrow::Cow;

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use iqa_backbones::{Backbone, FeatureExtractor};
use iqa_core::ScoreSpec;

use super::config::MultiBranchConfig;

/// The multi-branch model. Create it with [`MultiBranchConfig`].
///
/// The frozen branch is no part of the module's parameters: no optimiser, device move or record of the module touches
/// it. It lies on the plain device beside the others.
#[derive(Module, Debug)]
pub struct MultiBranch {
    pub(super) frnp: Option<Backbone>,
    pub(super) nr: Option<Backbone>,
    pub(super) mlp: Vec<Linear>,
    #[module(skip)]
    pub(super) frp: Backbone,
    #[module(skip)]
    pub(super) config: MultiBranchConfig,
}

/// Pairs of one size to learn from.
#[derive(Clone, Debug)]
pub struct PairBatch {
    /// Distorted images, `[n, 3, height, width]`, RGB in `[0, 1]`.
    pub distorted: Tensor<4>,
    /// Their references, of the same shape.
    pub reference: Tensor<4>,
    /// What [`MultiBranch::frozen_difference`] gives for them: constant, so that it can be kept from one epoch to the
    /// next. `[n, frozen features]`
    pub frozen: Tensor<2>,
}

impl MultiBranch {
    pub(super) fn new(
        frnp: Option<Backbone>,
        nr: Option<Backbone>,
        mlp: Vec<Linear>,
        frp: Backbone,
        config: MultiBranchConfig,
    ) -> Self {
        Self { frnp, nr, mlp, frp: frp.valid(), config }
    }

    /// The configuration the network was made from.
    pub fn config(&self) -> &MultiBranchConfig {
        &self.config
    }

    /// What the score means.
    pub fn score_spec(&self) -> ScoreSpec {
        self.config.score_spec()
    }

    /// The device that holds the weights.
    pub fn device(&self) -> Device {
        self.mlp[0].weight.device()
    }

    /// The frozen branch.
    pub fn frp(&self) -> &Backbone {
        &self.frp
    }

    /// The learned difference branch, if it takes part: what a later model may take for its frozen one.
    pub fn frnp(&self) -> Option<&Backbone> {
        self.frnp.as_ref()
    }

    /// The output starts at `mean`, for instance the mean opinion score of the training set.
    #[must_use]
    pub fn with_mean(mut self, mean: f64) -> Self {
        let device = self.device();
        if let Some(last) = self.mlp.last_mut() {
            last.bias = Some(Param::from_tensor(Tensor::full([1], mean, &device)));
        }
        self
    }

    /// Folds batch norm into the convolutions of every branch: the same scores, faster. The model can then be neither
    /// trained nor saved.
    #[must_use]
    pub fn fuse(self) -> Self {
        Self {
            frnp: self.frnp.map(FeatureExtractor::fuse),
            nr: self.nr.map(FeatureExtractor::fuse),
            frp: self.frp.fuse(),
            ..self
        }
    }

    fn normalised(&self, images: Tensor<4>) -> Tensor<4> {
        self.config.architecture.normalisation().apply(images)
    }

    /// The frozen branch where the images are; gradients reach the images, never its weights.
    fn frp_beside(&self, images: &Tensor<4>) -> Cow<'_, Backbone> {
        if images.device().is_autodiff() {
            Cow::Owned(self.frp.clone().freeze().train())
        } else {
            Cow::Borrowed(&self.frp)
        }
    }

    /// The taps of the two difference branches; FRNP's are `None` where it has no part.
    pub(super) fn reference_taps(&self, images: Tensor<4>) -> (Vec<Tensor<4>>, Option<Vec<Tensor<4>>>) {
        let images = self.normalised(images);
        let frp = self.frp_beside(&images).forward_features(images.clone());
        (frp, self.frnp.as_ref().map(|frnp| frnp.forward_features(images)))
    }

    /// Features of distorted images against taps of their references.
    pub(super) fn features_against(
        &self,
        distorted: Tensor<4>,
        frp: &[Tensor<4>],
        frnp: Option<&[Tensor<4>]>,
    ) -> Tensor<2> {
        let images = self.normalised(distorted);
        let mut parts = vec![difference(&self.frp_beside(&images).forward_features(images.clone()), frp)];
        if let (Some(branch), Some(reference)) = (&self.frnp, frnp) {
            parts.push(difference(&branch.forward_features(images.clone()), reference));
        }
        if let Some(branch) = &self.nr {
            parts.push(pooled(&branch.forward_features(images)));
        }
        Tensor::cat(parts, 1)
    }

    /// The distances in the frozen branch, `d_FRP`. Images on an autodiff device are taken off it: nothing of this is
    /// differentiated.
    ///
    /// # Shapes
    /// - both: `[n, 3, height, width]`, RGB in `[0, 1]`
    /// - returns `[n, frozen features]`, not negative, on a plain device
    ///
    /// # Panics
    /// When the shapes differ, or the images are smaller than the network takes.
    pub fn frozen_difference(&self, distorted: Tensor<4>, reference: Tensor<4>) -> Tensor<2> {
        let plain = |images: Tensor<4>| if images.device().is_autodiff() { images.inner() } else { images };
        siamese(plain(distorted), plain(reference), |images| {
            self.frp.forward_features(self.normalised(images))
        })
    }

    /// What the perceptron sees: `d_FRP`, `d_FRNP` and `f_NR`, as far as the branches take part.
    ///
    /// # Shapes
    /// - both: `[n, 3, height, width]`, RGB in `[0, 1]`
    /// - returns `[n, features]`
    ///
    /// # Panics
    /// As [`Self::frozen_difference`].
    pub fn features(&self, distorted: Tensor<4>, reference: Tensor<4>) -> Tensor<2> {
        let frp = self.frp_beside(&distorted);
        let frozen = siamese(distorted.clone(), reference.clone(), |images| {
            frp.forward_features(self.normalised(images))
        });
        self.join(frozen, distorted, reference, Backbone::forward_features)
    }

    fn join(
        &self,
        frozen: Tensor<2>,
        distorted: Tensor<4>,
        reference: Tensor<4>,
        forward: impl Fn(&Backbone, Tensor<4>) -> Vec<Tensor<4>>,
    ) -> Tensor<2> {
        let mut parts = vec![frozen];
        if let Some(branch) = &self.frnp {
            parts.push(siamese(distorted.clone(), reference, |images| {
                forward(branch, self.normalised(images))
            }));
        }
        if let Some(branch) = &self.nr {
            parts.push(pooled(&forward(branch, self.normalised(distorted))));
        }
        Tensor::cat(parts, 1)
    }

    /// The perceptron: ReLU between its layers, a linear output.
    ///
    /// # Shapes
    /// - `features`: `[n, features]`
    /// - returns `[n]`, in the units of the score
    pub fn head(&self, features: Tensor<2>) -> Tensor<1> {
        let [n, _] = features.dims();
        let mut x = features;
        for (index, layer) in self.mlp.iter().enumerate() {
            x = layer.forward(if index == 0 { x } else { relu(x) });
        }
        x.reshape([n])
    }

    /// Scores of pairs of one size: deterministic on every device, batch norm by its running statistics.
    ///
    /// # Shapes
    /// - both: `[n, 3, height, width]`, RGB in `[0, 1]`
    /// - returns `[n]`, not clamped
    ///
    /// # Panics
    /// As [`Self::frozen_difference`].
    pub fn forward(&self, distorted: Tensor<4>, reference: Tensor<4>) -> Tensor<1> {
        self.head(self.features(distorted, reference))
    }

    /// Scores of pairs, one size after another, for learning: on an autodiff device the batch norms of the branches that
    /// learn go by the statistics of each batch, in which both images of a pair are.
    ///
    /// # Shapes
    /// - returns `[n]`, over all batches in their order
    ///
    /// # Panics
    /// When there is no batch, and as [`Self::frozen_difference`].
    pub fn forward_training(&self, batches: Vec<PairBatch>) -> Tensor<1> {
        let device = self.device();
        let features = batches.into_iter().map(|PairBatch { distorted, reference, frozen }| {
            let frozen = if device.is_autodiff() && !frozen.device().is_autodiff() {
                Tensor::from_inner(frozen)
            } else {
                frozen
            };
            self.join(frozen, distorted, reference, Backbone::forward_features_training)
        });
        self.head(Tensor::cat(features.collect(), 0))
    }
}

/// `GAP(|phi(distorted) - phi(reference)|)` at every tap, both images in one batch.
fn siamese(
    distorted: Tensor<4>,
    reference: Tensor<4>,
    network: impl Fn(Tensor<4>) -> Vec<Tensor<4>>,
) -> Tensor<2> {
    assert_eq!(
        distorted.dims(),
        reference.dims(),
        "as many references as distorted images, of the same size"
    );
    let n = distorted.dims()[0];
    let taps = network(Tensor::cat(vec![distorted, reference], 0));
    let half =
        |first: usize| -> Vec<Tensor<4>> { taps.iter().map(|tap| tap.clone().narrow(0, first, n)).collect() };
    difference(&half(0), &half(n))
}

fn difference(distorted: &[Tensor<4>], reference: &[Tensor<4>]) -> Tensor<2> {
    let taps = distorted.iter().zip(reference);
    let taps: Vec<_> = taps.map(|(a, b)| (a.clone() - b.clone()).abs()).collect();
    pooled(&taps)
}

/// The mean of each channel of each tap.
///
/// # Shapes
/// - returns `[n, channels of all taps]`
fn pooled(taps: &[Tensor<4>]) -> Tensor<2> {
    let mean = |tap: &Tensor<4>| -> Tensor<2> {
        let [n, channels, height, width] = tap.dims();
        tap.clone().reshape([n, channels, height * width]).mean_dim(2).reshape([n, channels])
    };
    Tensor::cat(taps.iter().map(mean).collect(), 1)
}
