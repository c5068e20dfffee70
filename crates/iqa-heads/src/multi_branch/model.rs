//! The network: pairs of images to features to scores.

use std::borrow::Cow;

use burn::module::{Module, Param, RunningState};
use burn::nn::Linear;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use iqa_backbones::{Backbone, FeatureExtractor};
use iqa_core::ScoreSpec;
use iqa_nn::{BatchNorm2d, Statistics};

use super::config::MultiBranchConfig;

/// The multi-branch model. Create it with [`MultiBranchConfig`].
///
/// The frozen branch is no part of the module's parameters: no optimiser, device move or record of the module touches
/// it. It lies on the plain device beside the others.
#[derive(Module, Debug)]
pub struct MultiBranch {
    pub(super) frnp: Option<Backbone>,
    pub(super) nr: Option<Backbone>,
    /// Takes features that are frozen to mean 0 and deviation 1.
    pub(super) norm: Option<BatchNorm2d>,
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
    /// Their references, of the same shape, where a branch that learns looks at them.
    pub reference: Option<Tensor<4>>,
    /// What [`MultiBranch::frozen_features`] gives for them: constant, so that it can be kept from one epoch to the
    /// next. `[n, frozen features]`
    pub frozen: Tensor<2>,
}

impl MultiBranch {
    pub(super) fn new(
        frnp: Option<Backbone>,
        nr: Option<Backbone>,
        norm: Option<BatchNorm2d>,
        mlp: Vec<Linear>,
        frp: Backbone,
        config: MultiBranchConfig,
    ) -> Self {
        Self { frnp, nr, norm, mlp, frp: frp.valid(), config }
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

    /// Where all features are frozen: these ones get mean 0 and deviation 1 before the perceptron. Elsewhere nothing changes.
    ///
    /// # Shapes
    /// - `features`: `[n, features]`, of [`Self::frozen_features`]
    #[must_use]
    pub fn standardised(mut self, features: Tensor<2>) -> Self {
        let device = self.device();
        if let Some(norm) = &mut self.norm {
            let mean = features.clone().mean_dim(0);
            let variance = (features - mean.clone()).powi_scalar(2).mean_dim(0);
            let there = |values: Tensor<2>| -> Tensor<1> {
                Tensor::<2>::from_data(values.into_data(), &device).reshape([-1])
            };
            norm.running_mean = RunningState::new(there(mean));
            norm.running_var = RunningState::new(there(variance));
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

    /// The taps of the two difference branches, the frozen one's for each tile; FRNP's are `None` where it has no part.
    pub(super) fn reference_taps(&self, images: Tensor<4>) -> (Vec<Vec<Tensor<4>>>, Option<Vec<Tensor<4>>>) {
        let images = self.normalised(images);
        let frp = self.frp_beside(&images);
        let tiles = self.tiles(&images);
        let frozen = tiles.into_iter().map(|tile| frp.forward_features(tile.of(&images))).collect();
        (frozen, self.frnp.as_ref().map(|frnp| frnp.forward_features(images)))
    }

    /// Features of distorted images against taps of their references.
    pub(super) fn features_against(
        &self,
        distorted: Tensor<4>,
        frp: &[Vec<Tensor<4>>],
        frnp: Option<&[Tensor<4>]>,
    ) -> Tensor<2> {
        let images = self.normalised(distorted);
        let network = self.frp_beside(&images);
        let frozen = self.tiles(&images).into_iter().zip(frp).map(|(tile, reference)| {
            self.frozen_of(&network.forward_features(tile.of(&images)), Some(reference))
        });
        let mut parts = vec![mean_of(frozen.collect())];
        if let (Some(branch), Some(reference)) = (&self.frnp, frnp) {
            parts.push(difference(&branch.forward_features(images.clone()), reference));
        }
        if let Some(branch) = &self.nr {
            parts.push(pooled(&branch.forward_features(images)));
        }
        Tensor::cat(parts, 1)
    }

    /// What the frozen network says: distances, `d_FRP`, and means and deviations of the features of the distorted image,
    /// as far as they take part. Images on an autodiff device are taken off it: nothing of this is differentiated.
    ///
    /// # Shapes
    /// - both: `[n, 3, height, width]`, RGB in `[0, 1]`
    /// - returns `[n, frozen features]` on a plain device; the distances come first and are not negative
    ///
    /// # Panics
    /// When the shapes differ, the images are smaller than the network takes, or a reference that takes part is missing.
    pub fn frozen_features(
        &self,
        distorted: Tensor<4>,
        reference: impl Into<Option<Tensor<4>>>,
    ) -> Tensor<2> {
        let plain = |images: Tensor<4>| if images.device().is_autodiff() { images.inner() } else { images };
        self.frozen(plain(distorted), reference.into().map(plain))
    }

    /// [`Self::frozen_features`] where the images are.
    fn frozen(&self, distorted: Tensor<4>, reference: Option<Tensor<4>>) -> Tensor<2> {
        let frp = self.frp_beside(&distorted);
        let network = |images| frp.forward_features(self.normalised(images));
        let of_tile = |tile: Tile| {
            let distorted = tile.of(&distorted);
            if !self.config.branches.has_frp() {
                return self.frozen_of(&network(distorted), None);
            }
            let reference = reference.as_ref().expect("a reference for each distorted image");
            let (distorted, reference) = siamese(distorted, tile.of(reference), network);
            self.frozen_of(&distorted, Some(&reference))
        };
        mean_of(self.tiles(&distorted).into_iter().map(of_tile).collect())
    }

    fn frozen_of(&self, distorted: &[Tensor<4>], reference: Option<&[Tensor<4>]>) -> Tensor<2> {
        let mut parts = Vec::new();
        if let Some(reference) = reference {
            parts.push(difference(distorted, reference));
        }
        if self.config.branches.has_frozen_nr() {
            parts.extend([pooled(distorted), deviations(distorted)]);
        }
        Tensor::cat(parts, 1)
    }

    /// Where the tiles of images lie.
    fn tiles(&self, images: &Tensor<4>) -> Vec<Tile> {
        let [_, _, height, width] = images.dims();
        let along = |length: usize| -> Vec<[usize; 2]> {
            let side = self.config.tile.map_or(length, |side| side.min(length));
            let last = length.div_ceil(side.max(1)).max(1) - 1;
            (0..=last).map(|index| [(index * (length - side)).checked_div(last).unwrap_or(0), side]).collect()
        };
        let columns = along(width);
        let rows = along(height).into_iter();
        rows.flat_map(|rows| columns.iter().map(move |&columns| Tile { rows, columns })).collect()
    }

    /// What the perceptron sees: `d_FRP`, `d_FRNP` and `f_NR`, as far as the branches take part.
    ///
    /// # Shapes
    /// - both: `[n, 3, height, width]`, RGB in `[0, 1]`
    /// - returns `[n, features]`
    ///
    /// # Panics
    /// As [`Self::frozen_features`].
    pub fn features(&self, distorted: Tensor<4>, reference: impl Into<Option<Tensor<4>>>) -> Tensor<2> {
        let reference = reference.into();
        let frozen = self.frozen(distorted.clone(), reference.clone());
        self.join(frozen, distorted, reference, Backbone::forward_features)
    }

    fn join(
        &self,
        frozen: Tensor<2>,
        distorted: Tensor<4>,
        reference: Option<Tensor<4>>,
        forward: impl Fn(&Backbone, Tensor<4>) -> Vec<Tensor<4>>,
    ) -> Tensor<2> {
        let mut parts = vec![frozen];
        if let Some(branch) = &self.frnp {
            let reference = reference.expect("a reference for each distorted image");
            let (distorted, reference) =
                siamese(distorted.clone(), reference, |images| forward(branch, self.normalised(images)));
            parts.push(difference(&distorted, &reference));
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
        let [n, count] = features.dims();
        let mut x = features;
        if let Some(norm) = &self.norm {
            let rows = x.reshape([n, count, 1, 1]);
            x = norm.forward(rows, Statistics::Running).reshape([n, count]);
        }
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
    /// As [`Self::frozen_features`].
    pub fn forward(&self, distorted: Tensor<4>, reference: impl Into<Option<Tensor<4>>>) -> Tensor<1> {
        self.head(self.features(distorted, reference))
    }

    /// Scores of pairs, one size after another, for learning: on an autodiff device the batch norms of the branches that
    /// learn go by the statistics of each batch, in which both images of a pair are.
    ///
    /// # Shapes
    /// - returns `[n]`, over all batches in their order
    ///
    /// # Panics
    /// When there is no batch, and as [`Self::frozen_features`].
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

/// A part of images: first place and length.
#[derive(Clone, Copy)]
struct Tile {
    rows: [usize; 2],
    columns: [usize; 2],
}

impl Tile {
    fn of(self, images: &Tensor<4>) -> Tensor<4> {
        let [_, _, height, width] = images.dims();
        let mut part = images.clone();
        for (axis, [first, side], length) in [(2, self.rows, height), (3, self.columns, width)] {
            if side < length {
                part = part.narrow(axis, first, side);
            }
        }
        part
    }
}

fn mean_of(tiles: Vec<Tensor<2>>) -> Tensor<2> {
    let count = tiles.len();
    let sum = tiles.into_iter().reduce(|sum, features| sum + features).expect("a picture has a tile");
    if count == 1 { sum } else { sum / count as f64 }
}

/// The taps of distorted images and of their references, which go through the network in one batch.
fn siamese(
    distorted: Tensor<4>,
    reference: Tensor<4>,
    network: impl Fn(Tensor<4>) -> Vec<Tensor<4>>,
) -> (Vec<Tensor<4>>, Vec<Tensor<4>>) {
    assert_eq!(
        distorted.dims(),
        reference.dims(),
        "as many references as distorted images, of the same size"
    );
    let n = distorted.dims()[0];
    let taps = network(Tensor::cat(vec![distorted, reference], 0)).into_iter();
    taps.map(|tap| (tap.clone().narrow(0, 0, n), tap.narrow(0, n, n))).unzip()
}

/// `GAP(|phi(distorted) - phi(reference)|)` at every tap.
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

/// The standard deviation of each channel of each tap, over the pixels.
///
/// # Shapes
/// - returns `[n, channels of all taps]`
fn deviations(taps: &[Tensor<4>]) -> Tensor<2> {
    // So that the gradient of a flat channel is a number.
    const LEAST: f64 = 1e-12;
    let deviation = |tap: &Tensor<4>| -> Tensor<2> {
        let [n, channels, height, width] = tap.dims();
        let pixels: Tensor<3> = tap.clone().reshape([n, channels, height * width]);
        let centred = pixels.clone() - pixels.mean_dim(2);
        (centred.powi_scalar(2).mean_dim(2) + LEAST).sqrt().reshape([n, channels])
    };
    Tensor::cat(taps.iter().map(deviation).collect(), 1)
}
