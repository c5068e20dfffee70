//! Algorithm 1: which network learns from what, and when.

use std::convert::Infallible;
use std::path::Path;

use burn::module::Module;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor};
use iqa_heads::hiqa::{
    Discriminator, Generator, Hallucination, Hiqa, HiqaConfig, MapSource, Regression, Regressor, Statistics,
    discrepancy,
};

use super::batch::Batch;
use super::losses::{adversarial_loss, agreement, cross_entropy, feature_loss, pixel_loss};
use super::perceptual::VggLoss;
use super::recipe::{HiqaRecipe, Rung};
use crate::losses::to_tensor;
use crate::run::Check;
use crate::within::by_source;
use crate::{QualityLoss, Recipe, TrainError};

/// The networks in training with their optimisers.
///
/// Each step moves the one network that it names, weights and running statistics; all others stay as they are, bit for
/// bit.
#[derive(Clone)]
pub struct Trainer {
    pub(super) recipe: HiqaRecipe,
    pub(super) generator: Generator,
    pub(super) discriminator: Discriminator,
    pub(super) regressor: Regressor,
    /// `R_pre`.
    pub(super) baseline: Regressor,
    pub(super) vgg: Option<VggLoss>,
    pub(super) generator_optimiser: ModuleOptimizer,
    pub(super) discriminator_optimiser: ModuleOptimizer,
    pub(super) regressor_optimiser: ModuleOptimizer,
    pub(super) baseline_optimiser: ModuleOptimizer,
}

/// What a step of the joint phase found, each loss before the update that it led to.
#[derive(Clone, Copy, Debug, Default)]
pub struct JointLosses {
    /// `L_p`.
    pub pixel: f64,
    /// `l_v`; 0 where it is left out.
    pub vgg: f64,
    /// `l_q`; 0 where it is left out.
    pub quality: f64,
    /// `L_adv`; 0 without a discriminator.
    pub adversarial: f64,
    /// Cross-entropy of the discriminator on true references.
    pub real: f64,
    /// Cross-entropy of the discriminator on hallucinated ones.
    pub fake: f64,
    /// Part of the batch with `d_fake = 1`.
    pub accepted: f64,
    /// `L_R`.
    pub regressor: f64,
}

impl JointLosses {
    /// Each with the name it has in the paper.
    pub(super) fn named(&self) -> [(&'static str, f64); 7] {
        let Self { pixel, vgg, quality, adversarial, real, fake, regressor, accepted: _ } = *self;
        [
            ("L_R", regressor),
            ("L_p", pixel),
            ("l_v", vgg),
            ("l_q", quality),
            ("L_adv", adversarial),
            ("the discriminator's loss on true references", real),
            ("the discriminator's loss on hallucinated references", fake),
        ]
    }
}

impl Trainer {
    /// Networks with random weights on an autodiff device, as the recipe's seed gives them.
    ///
    /// # Errors
    /// [`TrainError::InvalidRecipe`], [`TrainError::Head`]; [`TrainError::Core`] for weights that cannot be read.
    pub fn new(recipe: &HiqaRecipe, device: &Device) -> Result<Self, TrainError> {
        recipe.validate()?;
        device.seed(recipe.seed);
        let mut generator = recipe.generator.init(device);
        // In this order, which says what a seed gives.
        let discriminator = recipe.discriminator().init(device);
        let (mut regressor, mut baseline) = (recipe.regressor().init(device), recipe.baseline().init(device));
        let unfit = |field, path: &Path, expected| {
            Err(TrainError::InvalidRecipe { field, found: path.display().to_string(), expected })
        };
        for (field, path) in [("plug_in", &recipe.plug_in), ("start_from", &recipe.start_from)] {
            let Some(path) = path else { continue };
            let found = Hiqa::load(path, device)?;
            if field == "plug_in" || recipe.trains_generator() {
                match found.generator() {
                    Some(found) if found.config() == generator.config() => generator = found.clone(),
                    _ => return unfit(field, path, "weights with a generator of the recipe's configuration"),
                }
                continue;
            }
            let started = if recipe.rung == Rung::Baseline { &mut baseline } else { &mut regressor };
            match started.clone().started_from(found.regressor()) {
                Ok(from) => *started = from,
                Err(_) => return unfit(field, path, "weights with a regressor of the recipe's width"),
            }
        }
        // Only the joint phase looks at it.
        let wanted = recipe.rung >= Rung::QualityLoss && recipe.plug_in.is_none();
        let vgg = if wanted { VggLoss::load(&recipe.vgg, device)? } else { None };
        Ok(Self {
            generator,
            vgg,
            discriminator,
            regressor,
            baseline,
            generator_optimiser: recipe.generator_optimiser.init(),
            discriminator_optimiser: recipe.discriminator_optimiser.init(),
            regressor_optimiser: recipe.regressor_optimiser.init(),
            baseline_optimiser: recipe.regressor_optimiser.init(),
            recipe: recipe.clone(),
        })
    }

    /// The recipe.
    pub fn recipe(&self) -> &HiqaRecipe {
        &self.recipe
    }

    /// The generator.
    pub fn generator(&self) -> &Generator {
        &self.generator
    }

    /// The discriminator.
    pub fn discriminator(&self) -> &Discriminator {
        &self.discriminator
    }

    /// The regressor.
    pub fn regressor(&self) -> &Regressor {
        &self.regressor
    }

    /// `R_pre`.
    pub fn baseline(&self) -> &Regressor {
        &self.baseline
    }

    /// What goes into a checkpoint.
    pub(super) fn networks_are_finite(&self, check: &Check) -> Result<(), TrainError> {
        check.weights(&self.generator)?;
        check.weights(&self.discriminator)?;
        check.weights(&self.regressor)?;
        check.weights(&self.baseline)
    }

    /// What scores images with the weights of now.
    ///
    /// # Errors
    /// [`TrainError::Head`] when the networks do not go together.
    pub fn model(&self) -> Result<Hiqa, TrainError> {
        let config = self.recipe.model();
        Ok(match self.recipe.rung {
            Rung::Baseline => Hiqa::new(None, self.baseline.valid(), config)?,
            _ => Hiqa::new(Some(self.generator.valid()), self.regressor.valid(), config)?,
        })
    }

    /// The paper's baseline, which is `R_pre`, with the weights of now.
    ///
    /// # Errors
    /// [`TrainError::Head`] when the network does not go with the recipe.
    pub fn baseline_model(&self) -> Result<Hiqa, TrainError> {
        let config = HiqaConfig::baseline(self.recipe.regressor_width, self.recipe.patch);
        Ok(Hiqa::new(None, self.baseline.valid(), config)?)
    }

    /// A step of [`Phase::Baseline`](super::Phase::Baseline): `R_pre` learns the labels. Returns `L_R` before it.
    ///
    /// `factor` is the schedule's, on the optimiser's learning rate.
    pub fn baseline_step(&mut self, batch: &Batch, factor: f64) -> f64 {
        let statistics = Statistics::BatchAndTrack;
        let found = self.baseline.forward(batch.distorted.clone(), None, None, statistics);
        let rate = self.recipe.regressor_optimiser.rate() * factor;
        let loss = score_loss(&self.recipe.losses.regressor, found.score, batch);
        descend(&mut self.baseline, &mut self.baseline_optimiser, loss, rate)
    }

    /// A step of [`Phase::Regressor`](super::Phase::Regressor): the regressor learns from a generator that is fixed and
    /// takes its running statistics. Returns `L_R` before it.
    pub fn regressor_phase_step(&mut self, fixed: &Generator, batch: &Batch, factor: f64) -> f64 {
        let found = fixed.forward(batch.distorted.clone().inner(), Statistics::Running);
        let hallucination = Hallucination {
            image: Tensor::from_inner(found.image),
            bottleneck: Tensor::from_inner(found.bottleneck),
        };
        let regression = self.regress(batch, &hallucination);
        self.regressor_step(regression, batch, factor)
    }

    /// One pass through Algorithm 1's loop over the generator, steps 4 to 9; its numbers stand beside the lines.
    ///
    /// # Panics
    /// When the batch has no references.
    pub fn joint_step(&mut self, batch: &Batch, factor: f64) -> JointLosses {
        let rung = self.recipe.rung;
        let mut losses = JointLosses::default();

        // 1, 2. Hallucinate, and score by the discrepancy. What others than the generator learn from is detached.
        let hallucination = self.hallucinate(batch);
        let fake = Hallucination {
            image: hallucination.image.clone().detach(),
            bottleneck: hallucination.bottleneck.clone().detach(),
        };
        let regression = self.regress(batch, &fake);

        let mut hallucination = Some(hallucination);
        if rung >= Rung::Adversary {
            // 4. What the regressor of now makes good use of is to count as real.
            let targets = if rung >= Rung::IqaAdversary {
                // Labels of a further source are not on the scale of the score: they accept nothing.
                let on_scale: Vec<f32> =
                    batch.sources.iter().map(|&source| f32::from(u8::from(source == 0))).collect();
                agreement(regression.score.clone(), batch.targets.clone(), self.recipe.losses.epsilon)
                    * Tensor::from_floats(on_scale.as_slice(), &batch.targets.device())
            } else {
                batch.targets.zeros_like()
            };
            losses.accepted = targets.clone().mean().into_scalar::<f64>();
            // 5, 6. The discriminator, on the true references and on the hallucinated ones.
            (losses.real, losses.fake) =
                self.discriminator_steps(references(batch), fake.image, targets, factor);
            // 7. The generator, against the discriminator alone.
            if let Some(hallucination) = hallucination.take_if(|_| !self.recipe.merge_steps) {
                self.adversarial_step(hallucination, factor);
            }
        }

        // 8. The regressor, which has not changed since step 2: its scores of then are those of now.
        losses.regressor = self.regressor_step(regression, batch, factor);

        // 9. The generator, by all its losses. If step 7 has moved it, it hallucinates anew.
        let hallucination = hallucination.unwrap_or_else(|| self.hallucinate(batch));
        self.generator_step(hallucination, batch, factor, &mut losses);
        losses
    }

    /// A pass through the generator in training.
    pub fn hallucinate(&self, batch: &Batch) -> Hallucination {
        self.generator.forward(batch.distorted.clone(), Statistics::BatchAndTrack)
    }

    /// A pass through the regressor in training, on a detached hallucination.
    ///
    /// # Panics
    /// When the recipe's maps are of true references and the batch has none.
    pub fn regress(&self, batch: &Batch, fake: &Hallucination) -> Regression {
        let other = match self.recipe.map_source {
            MapSource::Hallucination => fake.image.clone(),
            MapSource::Reference => references(batch),
        };
        let map = discrepancy(batch.distorted.clone(), other, self.recipe.model().signed_map);
        let bottleneck = self.regressor.config().fusion.map(|_| fake.bottleneck.clone());
        self.regressor.forward(batch.distorted.clone(), Some(map), bottleneck, Statistics::BatchAndTrack)
    }

    /// Steps 5 and 6: the discriminator learns to tell true references (1) from hallucinated ones (`targets`), in two
    /// updates or in one. Returns the cross-entropy of each.
    pub fn discriminator_steps(
        &mut self,
        reference: Tensor<4>,
        fake: Tensor<4>,
        targets: Tensor<1>,
        factor: f64,
    ) -> (f64, f64) {
        let rate = self.recipe.discriminator_optimiser.rate() * factor;
        let real_loss = |discriminator: &Discriminator| {
            let logits = discriminator.forward(reference.clone(), Statistics::BatchAndTrack);
            let ones = logits.ones_like();
            cross_entropy(logits, ones)
        };
        let fake_loss = |discriminator: &Discriminator| {
            cross_entropy(discriminator.forward(fake.clone(), Statistics::BatchAndTrack), targets.clone())
        };
        let (discriminator, optimiser) = (&mut self.discriminator, &mut self.discriminator_optimiser);
        if self.recipe.merge_steps {
            let (real, fake) = (real_loss(discriminator), fake_loss(discriminator));
            let found = (real.clone().into_scalar::<f64>(), fake.clone().into_scalar::<f64>());
            descend(discriminator, optimiser, real + fake, rate);
            found
        } else {
            let real = real_loss(discriminator);
            let real = descend(discriminator, optimiser, real, rate);
            let fake = fake_loss(discriminator);
            (real, descend(discriminator, optimiser, fake, rate))
        }
    }

    /// Step 7: the generator, against the discriminator alone. Returns `L_adv` before it.
    pub fn adversarial_step(&mut self, hallucination: Hallucination, factor: f64) -> f64 {
        let loss = self.adversarial_loss(hallucination.image);
        let rate = self.recipe.generator_optimiser.rate() * factor;
        descend(&mut self.generator, &mut self.generator_optimiser, loss, rate)
    }

    /// Step 8: the regressor, by its scores of a detached hallucination. Returns `L_R` before it.
    pub fn regressor_step(&mut self, regression: Regression, batch: &Batch, factor: f64) -> f64 {
        let rate = self.recipe.regressor_optimiser.rate() * factor;
        let loss = score_loss(&self.recipe.losses.regressor, regression.score, batch);
        descend(&mut self.regressor, &mut self.regressor_optimiser, loss, rate)
    }

    /// Step 9: the generator, by `L_G = mu_1 L_p + mu_2 L_s + mu_3 L_adv`. Fills in its losses.
    ///
    /// # Panics
    /// When the batch has no references.
    pub fn generator_step(
        &mut self,
        hallucination: Hallucination,
        batch: &Batch,
        factor: f64,
        losses: &mut JointLosses,
    ) {
        let weights = self.recipe.losses.clone();
        let image = hallucination.image;
        let scalar = |loss: &Tensor<1>| loss.clone().into_scalar::<f64>();

        let references = references(batch);
        let pixel = pixel_loss(image.clone(), references.clone(), weights.reduction);
        losses.pixel = scalar(&pixel);
        let mut total = pixel * weights.pixel;
        if self.recipe.rung >= Rung::QualityLoss {
            let quality = self.quality_loss(image.clone(), references.clone());
            losses.quality = scalar(&quality);
            total = total + quality * (weights.perceptual * weights.quality);
            if let Some(vgg) = &self.vgg {
                let loss = vgg.loss(image.clone(), references, weights.reduction);
                losses.vgg = scalar(&loss);
                total = total + loss * (weights.perceptual * weights.vgg);
            }
        }
        if self.recipe.rung >= Rung::Adversary {
            let adversarial = self.adversarial_loss(image);
            losses.adversarial = scalar(&adversarial);
            total = total + adversarial * weights.adversarial;
        }
        let rate = self.recipe.generator_optimiser.rate() * factor;
        descend(&mut self.generator, &mut self.generator_optimiser, total, rate);
    }

    /// `L_adv` through a discriminator that stays as it is.
    fn adversarial_loss(&self, image: Tensor<4>) -> Tensor<1> {
        let discriminator = self.discriminator.clone().no_grad();
        adversarial_loss(discriminator.forward(image, Statistics::Batch), self.recipe.losses.form)
    }

    /// `l_q` through `R_pre`, which stays as it is.
    fn quality_loss(&self, image: Tensor<4>, reference: Tensor<4>) -> Tensor<1> {
        let baseline = self.baseline.clone().no_grad();
        let features = |images| {
            let mut stages = baseline.forward(images, None, None, Statistics::Running).stages;
            stages.swap_remove(self.recipe.losses.quality_stage - 1)
        };
        feature_loss(features(image), features(reference), self.recipe.losses.reduction)
    }
}

fn references(batch: &Batch) -> Tensor<4> {
    batch.reference.clone().expect("a batch of this phase has references")
}

/// `L_R`, whatever the batch: a loss that is not finite is told behind the step.
fn score_loss(loss: &QualityLoss, scores: Tensor<1>, batch: &Batch) -> Tensor<1> {
    if batch.sources.iter().all(|&source| source == 0) {
        return loss.sum(&scores, &batch.targets);
    }
    let targets: Vec<f64> = batch.targets.clone().into_data().iter::<f64>().collect();
    let of_source = |scores: Tensor<1>, targets: &[f64]| -> Result<_, Infallible> {
        Ok(loss.sum(&scores, &to_tensor(targets, &batch.targets.device())))
    };
    let Ok(loss) = by_source(&scores, &targets, &batch.sources, of_source);
    loss
}

/// One update of one network; the gradients that the loss has for others are dropped. Returns the loss.
fn descend<M: Module>(network: &mut M, optimiser: &mut ModuleOptimizer, loss: Tensor<1>, rate: f64) -> f64 {
    let value = loss.clone().into_scalar::<f64>();
    let gradients = GradientsParams::from_grads(loss.backward(), network);
    *network = optimiser.step(rate, network.clone(), gradients);
    value
}
