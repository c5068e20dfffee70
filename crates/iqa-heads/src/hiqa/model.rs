//! Generator and regressor together.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use iqa_core::ScoreSpec;
use iqa_nn::Statistics;

use super::config::HiqaConfig;
use super::generator::Generator;
use super::regressor::Regressor;
use crate::HeadError;

/// RGB of `[0, 1]` in the scale of the networks, `[-1, 1]`.
pub fn to_network(images: Tensor<4>) -> Tensor<4> {
    images * 2.0 - 1.0
}

/// Back from the scale of the networks to `[0, 1]`; not clamped.
pub fn to_unit(images: Tensor<4>) -> Tensor<4> {
    images * 0.5 + 0.5
}

/// The discrepancy map, `distorted - reference` by channel: its absolute value unless `signed`.
///
/// Source: Algorithm 1 of the supplementary material, step 1.
pub fn discrepancy(distorted: Tensor<4>, reference: Tensor<4>, signed: bool) -> Tensor<4> {
    let difference = distorted - reference;
    if signed { difference } else { difference.abs() }
}

/// What scores an image: a regressor, and the generator that hallucinates the reference for it (the baseline has
/// none). Create it with [`HiqaConfig::init`], [`Self::new`] or [`Self::load`].
///
/// All of it runs with the running statistics of batch normalisation, so that patches do not depend on each other and
/// the score may serve as a loss.
#[derive(Module, Debug)]
pub struct Hiqa {
    pub(super) generator: Option<Generator>,
    pub(super) regressor: Regressor,
    #[module(skip)]
    pub(super) config: HiqaConfig,
}

impl HiqaConfig {
    /// Networks with random weights.
    ///
    /// # Panics
    /// When [`Self::validate`] would fail.
    pub fn init(&self, device: &Device) -> Hiqa {
        if let Err(error) = self.validate() {
            panic!("{error}");
        }
        Hiqa {
            generator: self.generator.as_ref().map(|config| config.init(device)),
            regressor: self.regressor.init(device),
            config: self.clone(),
        }
    }
}

impl Hiqa {
    /// A generator trained in one place with a regressor trained in another (section 3.5 of the paper).
    ///
    /// `config` gives what the networks do not know (patch, range, direction); its parts for the networks are replaced
    /// by theirs.
    ///
    /// # Errors
    /// [`HeadError::InvalidConfig`] when the regressor does not go with the generator.
    pub fn new(
        generator: Option<Generator>,
        regressor: Regressor,
        config: HiqaConfig,
    ) -> Result<Self, HeadError> {
        let config = HiqaConfig {
            generator: generator.as_ref().map(|generator| generator.config().clone()),
            regressor: regressor.config().clone(),
            ..config
        };
        config.validate()?;
        Ok(Self { generator, regressor, config })
    }

    /// Folds batch norm into the convolutions of both: the same scores, faster. The model can then be neither trained nor saved.
    #[must_use]
    pub fn fuse(self) -> Self {
        Self { generator: self.generator.map(Generator::fuse), regressor: self.regressor.fuse(), ..self }
    }

    /// The configuration of the networks.
    pub fn config(&self) -> &HiqaConfig {
        &self.config
    }

    /// The generator, `None` for the baseline.
    pub fn generator(&self) -> Option<&Generator> {
        self.generator.as_ref()
    }

    /// The regressor.
    pub fn regressor(&self) -> &Regressor {
        &self.regressor
    }

    /// What the score means.
    pub fn score_spec(&self) -> ScoreSpec {
        self.config.score_spec()
    }

    /// The device that holds the weights.
    pub fn device(&self) -> Device {
        self.regressor.device()
    }

    /// Scores of patches.
    ///
    /// With a `reference` the discrepancy map is that to the true reference ("oracle" in the paper's tables); the
    /// features of the generator are still those of the distorted patch.
    ///
    /// # Shapes
    /// - both: `[n, 3, height, width]`, RGB in `[0, 1]`, sides multiples of 64
    /// - returns `[n]`
    ///
    /// # Panics
    /// For another shape, and for a reference where there is no discrepancy map.
    pub fn forward(&self, distorted: Tensor<4>, reference: Option<Tensor<4>>) -> Tensor<1> {
        let distorted = to_network(distorted);
        let Some(generator) = &self.generator else {
            assert!(reference.is_none(), "the baseline has no discrepancy map");
            return self.regressor.forward(distorted, None, None, Statistics::Running).score;
        };
        // The oracle of a regressor without fusion has no use for the generator.
        let hallucination = match (&reference, self.config.regressor.fusion) {
            (Some(_), None) => None,
            _ => Some(generator.forward(distorted.clone(), Statistics::Running)),
        };
        let (image, bottleneck) = match hallucination {
            Some(hallucination) => (Some(hallucination.image), Some(hallucination.bottleneck)),
            None => (None, None),
        };
        let other = reference.map(to_network).or(image);
        let map = other.map(|other| discrepancy(distorted.clone(), other, self.config.signed_map));
        self.regressor.forward(distorted, map, bottleneck, Statistics::Running).score
    }

    /// Hallucinated references of patches.
    ///
    /// # Shapes
    /// - `distorted`: `[n, 3, height, width]`, RGB in `[0, 1]`, sides multiples of 64
    /// - returns the same shape, RGB in the scale of `[0, 1]` but not clamped; `None` for the baseline
    pub fn hallucinate_patches(&self, distorted: Tensor<4>) -> Option<Tensor<4>> {
        let generator = self.generator.as_ref()?;
        Some(to_unit(generator.forward(to_network(distorted), Statistics::Running).image))
    }
}
