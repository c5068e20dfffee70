//! The network: patches to features to patch scores.

use burn::module::Module;
use burn::nn::{Dropout, Linear};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use iqa_core::ScoreSpec;
use iqa_kernels::{Conv2d, max_pool};

use super::config::{Fusion, PATCH, WadiqamConfig};

/// DIQaM or WaDIQaM, full- or no-reference. Create it with [`WadiqamConfig`].
///
/// Source: Bosse et al. 2018, figures 1 and 2; layer names, fusion order and constants as in deepIQA.
#[derive(Module, Debug)]
pub struct Wadiqam {
    pub(super) convs: Vec<Conv2d>,
    pub(super) fc1: Linear,
    pub(super) fc2: Linear,
    pub(super) fc1_a: Option<Linear>,
    pub(super) fc2_a: Option<Linear>,
    pub(super) dropout: Dropout,
    #[module(skip)]
    pub(super) config: WadiqamConfig,
}

/// The two outputs of the network for each patch.
#[derive(Debug, Clone)]
pub struct PatchScores {
    /// Patch qualities `y`, shape `[patches]`, in the units of the image score.
    pub quality: Tensor<1>,
    /// Patch weights `alpha*`, shape `[patches]`, positive; `None` for DIQaM, where all weigh the same.
    pub weight: Option<Tensor<1>>,
}

impl Wadiqam {
    /// The configuration the network was made from.
    pub fn config(&self) -> &WadiqamConfig {
        &self.config
    }

    /// The convolutions, first to last.
    pub fn convs(&self) -> &[Conv2d] {
        &self.convs
    }

    /// Takes over what another network has learned: its convolutions, and its heads too when they have the same
    /// inputs and width.
    ///
    /// # Panics
    /// When the blocks or the scaling of the inputs differ.
    #[must_use]
    pub fn starting_from(mut self, other: &Self) -> Self {
        assert!(self.config.shares_features_with(&other.config), "features of another kind");
        self.convs.clone_from(&other.convs);
        if self.fc1.weight.dims() == other.fc1.weight.dims()
            && self.config.reference == other.config.reference
        {
            self.fc1 = other.fc1.clone();
            self.fc2 = other.fc2.clone();
            if self.fc1_a.is_some() && other.fc1_a.is_some() {
                self.fc1_a.clone_from(&other.fc1_a);
                self.fc2_a.clone_from(&other.fc2_a);
            }
        }
        self
    }

    /// What the score means.
    pub fn score_spec(&self) -> ScoreSpec {
        self.config.score_spec()
    }

    /// The device that holds the weights.
    pub fn device(&self) -> Device {
        self.fc1.weight.device()
    }

    /// Features of patches.
    ///
    /// # Shapes
    /// - `patches`: `[n, 3, 32, 32]`, RGB in `[0, 1]`
    /// - returns `[n, features]`, not negative
    ///
    /// # Panics
    /// When the patches have another shape.
    pub fn features(&self, patches: Tensor<4>) -> Tensor<2> {
        let [n, channels, height, width] = patches.dims();
        assert_eq!([channels, height, width], [3, PATCH, PATCH], "patches must be [n, 3, 32, 32]");
        let mut x = patches * self.config.input_scale + self.config.input_offset;
        let mut convs = self.convs.iter();
        for block in &self.config.blocks {
            for (left, conv) in (0..block.len()).rev().zip(convs.by_ref()) {
                x = if left == 0 { conv.forward_relu_max_pool2(x) } else { conv.forward_relu(x) };
            }
            if block.is_empty() {
                x = max_pool(x, 2, 2, 0);
            }
        }
        x.reshape([n, self.config.features()])
    }

    /// Joins the features of distorted and reference patches.
    ///
    /// # Shapes
    /// - both: `[n, features]`; returns `[n, features * fusion.multiple()]`
    ///
    /// Source: Bosse et al. 2018, section IV-G; the sign is `distorted - reference`, as in deepIQA.
    pub fn fuse(&self, distorted: Tensor<2>, reference: Tensor<2>) -> Tensor<2> {
        match self.config.fusion {
            Fusion::DiffOnly => distorted - reference,
            Fusion::Concat => Tensor::cat(vec![distorted, reference], 1),
            Fusion::ConcatDiff => {
                Tensor::cat(vec![distorted.clone() - reference.clone(), distorted, reference], 1)
            }
        }
    }

    /// Patch qualities and weights from fused features (from plain features for a no-reference model).
    ///
    /// # Shapes
    /// - `fused`: `[n, fused features]`
    pub fn patch_scores(&self, fused: Tensor<2>) -> PatchScores {
        self.heads(fused, |hidden| hidden)
    }

    fn heads(&self, fused: Tensor<2>, regularise: impl Fn(Tensor<2>) -> Tensor<2>) -> PatchScores {
        let [n, _] = fused.dims();
        let head = |fc1: &Linear, fc2: &Linear| -> Tensor<1> {
            fc2.forward(regularise(relu(fc1.forward(fused.clone())))).reshape([n])
        };
        let weight = match (&self.fc1_a, &self.fc2_a) {
            (Some(fc1), Some(fc2)) => Some(relu(head(fc1, fc2)) + self.config.weight_epsilon),
            _ => None,
        };
        PatchScores { quality: head(&self.fc1, &self.fc2), weight }
    }

    /// Patch scores of patches; `reference` holds the patches at the same places of the reference image.
    ///
    /// Deterministic on every device: dropout acts in [`Self::forward_training`] alone, so that the score can
    /// serve as a loss on an autodiff device.
    ///
    /// # Shapes
    /// - both: `[n, 3, 32, 32]`, RGB in `[0, 1]`
    ///
    /// # Panics
    /// When a full-reference model gets no reference patches, or a no-reference model gets some, or the
    /// shapes are others.
    pub fn forward(&self, distorted: Tensor<4>, reference: Option<Tensor<4>>) -> PatchScores {
        self.patch_scores(self.fused_features(distorted, reference))
    }

    /// As [`Self::forward`], with dropout on the hidden layers when the device is an autodiff device.
    ///
    /// # Panics
    /// As [`Self::forward`].
    pub fn forward_training(&self, distorted: Tensor<4>, reference: Option<Tensor<4>>) -> PatchScores {
        self.heads(self.fused_features(distorted, reference), |hidden| self.dropout.forward(hidden))
    }

    fn fused_features(&self, distorted: Tensor<4>, reference: Option<Tensor<4>>) -> Tensor<2> {
        match (self.config.is_full_reference(), reference) {
            (true, Some(reference)) => {
                assert_eq!(distorted.dims(), reference.dims(), "as many reference patches as distorted");
                let n = distorted.dims()[0];
                // Both through the network at once: the weights are shared, and one large batch is faster.
                let both = self.features(Tensor::cat(vec![distorted, reference], 0));
                let features = self.config.features();
                self.fuse(both.clone().slice([0..n, 0..features]), both.slice([n..2 * n, 0..features]))
            }
            (false, None) => self.features(distorted),
            (true, None) => panic!("a full-reference model needs reference patches"),
            (false, Some(_)) => panic!("a no-reference model takes no reference patches"),
        }
    }
}

impl PatchScores {
    /// The same scores, where each patch counts by that much more; shape `[patches]`.
    pub(super) fn weighted_by(self, factors: Tensor<1>) -> Self {
        let weight = match self.weight {
            Some(weight) => weight * factors,
            None => factors,
        };
        Self { weight: Some(weight), ..self }
    }

    /// Image scores of a batch in which each image has the same number of patches, one image after another.
    ///
    /// # Shapes
    /// - returns `[images]`
    ///
    /// Source: Bosse et al. 2018, equations 2 (mean) and 6 (weighted mean).
    ///
    /// # Panics
    /// When the number of patches is no multiple of `images`.
    pub fn pool(&self, images: usize) -> Tensor<1> {
        let [n] = self.quality.dims();
        assert_eq!(n % images, 0, "{n} patches do not divide among {images} images");
        let quality: Tensor<2> = self.quality.clone().reshape([images, n / images]);
        let pooled = match &self.weight {
            None => quality.mean_dim(1),
            Some(weight) => {
                let weight: Tensor<2> = weight.clone().reshape([images, n / images]);
                (quality * weight.clone()).sum_dim(1) / weight.sum_dim(1)
            }
        };
        pooled.reshape([images])
    }

    /// The loss of the papers, the absolute error: of each patch against its image's label for mean pooling (Bosse
    /// et al. 2018, equation 3), of each image's pooled score for weighted pooling (equation 7).
    ///
    /// # Shapes
    /// - `targets`: `[images]`, in the units of the score; every image has the same number of patches
    /// - returns `[1]`
    ///
    /// # Panics
    /// When the patches do not divide among the images.
    pub fn l1_loss(&self, targets: Tensor<1>) -> Tensor<1> {
        let [images] = targets.dims();
        match self.weight {
            Some(_) => (self.pool(images) - targets).abs().mean(),
            None => {
                let [patches] = self.quality.dims();
                assert_eq!(patches % images, 0, "{patches} patches do not divide among {images} images");
                let each: Tensor<2> = self.quality.clone().reshape([images, patches / images]);
                (each - targets.reshape([images, 1])).abs().mean()
            }
        }
    }
}
