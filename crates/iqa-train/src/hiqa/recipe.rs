//! The numbers of a run.

use std::path::PathBuf;

use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{ModuleOptimizer, SgdConfig};
use iqa_heads::hiqa::{
    DiscriminatorConfig, GeneratorConfig, GeneratorOutput, HiqaConfig, MapSource, PATCH, RegressorConfig,
    STAGES,
};
use serde::{Deserialize, Serialize};

use super::losses::{Adversarial, Epsilon, Reduction};
use crate::limits::{self, Limit};
use crate::{Adam, QualityLoss, Recipe, Schedule, Term, TrainError};

/// Channels of a network's first layer. The published ones have 64.
const WIDTH: Limit = Limit::new(1..=512, "1 to 512 channels");
const STACKS: Limit = Limit::new(1..=16, "1 to 16");
const SIDE_EXPECTED: &str = "a power of two from 64 to 1,024";
const SIDE: Limit = Limit::new(64..=1024, SIDE_EXPECTED);

/// The steps of the paper's ablation (its figure 4), each with all of those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rung {
    /// "BL": the regressor of the distorted image alone.
    Baseline,
    /// "+HCM": a generator that learns from pixels alone, and the discrepancy map in the regressor.
    Map,
    /// "+QPL": the perceptual loss, its two terms together, on features of VGG and of `R_pre`.
    QualityLoss,
    /// "+ADV": a discriminator that knows every hallucination for one.
    Adversary,
    /// "+IQA-ADV": a discriminator that is to take for real what serves the regressor.
    IqaAdversary,
    /// "+HLF": the generator's features fused into the regressor. All of the paper.
    Fusion,
}

/// The parts of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// `R_pre`.
    Baseline,
    /// Generator, discriminator and regressor.
    Joint,
    /// The regressor alone.
    Regressor,
}

impl Phase {
    /// The name in logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            Self::Joint => "joint",
            Self::Regressor => "regressor",
        }
    }
}

/// The network of `l_v`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Perceptual {
    /// No such loss: `l_v` is left out.
    None,
    /// VGG19, as in the paper.
    Vgg19 {
        /// ImageNet weights, with torchvision's names.
        weights: PathBuf,
        /// Layers by torchvision's number in `features`; several are averaged.
        layers: Vec<usize>,
    },
    /// VGG16 in its place.
    Vgg16 {
        /// ImageNet weights, with torchvision's names.
        weights: PathBuf,
        /// Layers by torchvision's number in `features`; several are averaged.
        layers: Vec<usize>,
    },
}

impl Perceptual {
    /// VGG19 up to its last ReLU of block 5. The paper says VGG19 and not which layer.
    pub fn vgg19(weights: PathBuf) -> Self {
        Self::Vgg19 { weights, layers: vec![35] }
    }

    /// VGG16 up to its last ReLU of block 5.
    pub fn vgg16(weights: PathBuf) -> Self {
        Self::Vgg16 { weights, layers: vec![29] }
    }
}

/// An optimiser with its learning rate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Optimiser {
    /// Stochastic gradient descent with momentum and weight decay.
    Sgd {
        /// Learning rate before the schedule.
        rate: f64,
        /// Momentum, without dampening.
        momentum: f64,
        /// L2 penalty.
        weight_decay: f32,
    },
    /// Adam (Kingma and Ba 2015) with their betas and epsilon.
    Adam {
        /// Learning rate before the schedule.
        rate: f64,
    },
}

impl Optimiser {
    /// The paper's for the learning rate given: momentum 0.9, weight decay 5e-4.
    pub fn paper(rate: f64) -> Self {
        Self::Sgd { rate, momentum: 0.9, weight_decay: 5e-4 }
    }

    /// Learning rate before the schedule.
    pub fn rate(self) -> f64 {
        match self {
            Self::Sgd { rate, .. } | Self::Adam { rate } => rate,
        }
    }

    pub(super) fn init(self) -> ModuleOptimizer {
        match self {
            Self::Sgd { momentum, weight_decay, .. } => SgdConfig::new()
                // Burn's own default dampens the gradient by a tenth.
                .with_momentum(Some(MomentumConfig::new().with_momentum(momentum).with_dampening(0.0)))
                .with_weight_decay(Some(WeightDecayConfig::new(weight_decay)))
                .init(),
            // Burn's default epsilon is 1e-5.
            Self::Adam { .. } => Adam::new(1e-8).into(),
        }
    }
}

/// Kinds and weights of the losses. None of the weights is published: the defaults suit inputs in `[-1, 1]`, scores in
/// `[0, 1]` and [`Reduction::Mean`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LossConfig {
    /// `L_R`, of both regressors, within a source; the absolute error in the paper.
    pub regressor: QualityLoss,
    /// How squared differences become one number.
    pub reduction: Reduction,
    /// `mu_1`: weight of `L_p`.
    pub pixel: f64,
    /// `mu_2`: weight of `L_s = lambda_1 l_v + lambda_2 l_q`.
    pub perceptual: f64,
    /// `lambda_1`: weight of `l_v` in it.
    pub vgg: f64,
    /// `lambda_2`: weight of `l_q` in it.
    pub quality: f64,
    /// `mu_3`: weight of `L_adv`.
    pub adversarial: f64,
    /// Form of `L_adv`.
    pub form: Adversarial,
    /// Up to which error of the regressor a hallucination counts as real.
    pub epsilon: Epsilon,
    /// Stage of `R_pre`, 1 to 4, whose features `l_q` compares. The paper does not say.
    pub quality_stage: usize,
}

impl Default for LossConfig {
    fn default() -> Self {
        Self {
            regressor: QualityLoss::of(Term::Mae),
            reduction: Reduction::Mean,
            pixel: 1.0,
            perceptual: 1.0,
            vgg: 0.01,
            quality: 0.01,
            adversarial: 1e-3,
            form: Adversarial::Saturating,
            epsilon: Epsilon::Fixed(0.05),
            quality_stage: STAGES,
        }
    }
}

impl LossConfig {
    /// Sums, as equations 4 and 5 print them and as Caffe has them for pixels, with the weights of
    /// [`Self::default`]. At the paper's rate of 1e-5 the losses are not finite after a few steps.
    pub fn printed() -> Self {
        Self { reduction: Reduction::PerSample, ..Self::default() }
    }

    /// The same sums with weights of ours, at which a quarter of the width learns by the paper's rates on patches of 256; of the
    /// full width only the first steps have been run (docs/HIQA.md).
    pub fn summed() -> Self {
        Self { pixel: 0.01, perceptual: 0.01, ..Self::printed() }
    }
}

/// Everything that decides what a run does, but for the data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct HiqaRecipe {
    /// The generator.
    pub generator: GeneratorConfig,
    /// Channels of the regressors' first stage.
    pub regressor_width: usize,
    /// Channels of the discriminator's first convolution.
    pub discriminator_width: usize,
    /// Side of the square patches, in pixels: a power of two from 64 on.
    pub patch: usize,
    /// How much of the paper.
    pub rung: Rung,
    /// What the discrepancy maps are of. Those of true references, the paper's oracle, ask for a generator of its own
    /// ([`Self::plug_in`]).
    pub map_source: MapSource,
    /// Weights of ours whose generator is used as it is; only the last phase runs then (section 3.5 of the paper).
    pub plug_in: Option<PathBuf>,
    /// Weights of ours whose generator is where the joint phase starts (section 3.5 of the paper: a generator may have learned
    /// elsewhere); where no generator is trained, weights whose regressor is where the one in training starts, in all layers that
    /// both have. `None` for random ones.
    pub start_from: Option<PathBuf>,
    /// Images in a batch.
    pub images: usize,
    /// Random patches of each.
    pub patches: usize,
    /// Steps of [`Phase::Baseline`].
    pub baseline_steps: usize,
    /// Steps of [`Phase::Joint`].
    pub joint_steps: usize,
    /// Steps of [`Phase::Regressor`].
    pub regressor_steps: usize,
    /// Optimiser of the generator.
    pub generator_optimiser: Optimiser,
    /// Optimiser of the discriminator.
    pub discriminator_optimiser: Optimiser,
    /// Optimiser of both regressors.
    pub regressor_optimiser: Optimiser,
    /// How the learning rates change over each phase.
    pub schedule: Schedule,
    /// The losses.
    pub losses: LossConfig,
    /// The network of `l_v`.
    pub vgg: Perceptual,
    /// Takes steps 5 and 6 of Algorithm 1 (two updates of the discriminator) as one, and steps 7 and 9 (two updates of the
    /// generator, the first by `L_adv` alone) too: about two thirds of the cost.
    pub merge_steps: bool,
    /// Mirrors half of the patches from left to right.
    pub flip: bool,
    /// Turns patches by up to this many degrees either way, with bilinear interpolation. The paper rotates; resampling
    /// blurs the distortion that is being rated, so the default is 0.
    pub rotation: f64,
    /// Steps between two rows of the log, checkpoints and sample sheets.
    pub report_every: usize,
    /// Seed of the weights, the patches and their order.
    pub seed: u64,
}

impl HiqaRecipe {
    /// The paper's: patches of 256, batches of 32, stochastic gradient descent at 1e-5 for the generator (and the
    /// discriminator, whose rate is not given) and 1e-2 for the regressors, a tenth of it every 20,000 steps, losses
    /// summed as in Caffe. The numbers of steps are not given: 60,000 each. Nor are the weights of the losses:
    /// [`LossConfig::summed`].
    pub fn paper(vgg: Perceptual) -> Self {
        Self {
            generator: GeneratorConfig::new(),
            regressor_width: 64,
            discriminator_width: 64,
            patch: PATCH,
            rung: Rung::Fusion,
            map_source: MapSource::Hallucination,
            plug_in: None,
            start_from: None,
            images: 32,
            patches: 1,
            baseline_steps: 60_000,
            joint_steps: 60_000,
            regressor_steps: 60_000,
            generator_optimiser: Optimiser::paper(1e-5),
            discriminator_optimiser: Optimiser::paper(1e-5),
            regressor_optimiser: Optimiser::paper(1e-2),
            schedule: Schedule::Step { every: 20_000, factor: 0.1 },
            losses: LossConfig::summed(),
            vgg,
            merge_steps: false,
            flip: true,
            rotation: 0.0,
            report_every: 500,
            seed: 1,
        }
    }

    /// The paper's with the weights that earlier versions took: [`LossConfig::printed`]. Diverges within a few steps.
    pub fn printed(vgg: Perceptual) -> Self {
        Self { losses: LossConfig::printed(), ..Self::paper(vgg) }
    }

    /// The paper's with what makes it move: Adam at 1e-4 for generator and discriminator, and means in place of sums.
    pub fn practical(vgg: Perceptual) -> Self {
        Self {
            generator_optimiser: Optimiser::Adam { rate: 1e-4 },
            discriminator_optimiser: Optimiser::Adam { rate: 1e-4 },
            losses: LossConfig::default(),
            ..Self::paper(vgg)
        }
    }

    /// For minutes on a CPU: the published topology at an eighth of its width on patches of 64, a generator that adds to
    /// the distorted image ([`GeneratorOutput::Residual`]), Adam for all, merged steps, rates falling to nothing.
    pub fn fast(vgg: Perceptual) -> Self {
        Self {
            generator: GeneratorConfig::new().with_width(8).with_output(GeneratorOutput::Residual),
            regressor_width: 8,
            discriminator_width: 8,
            patch: 64,
            images: 4,
            patches: 4,
            baseline_steps: 600,
            joint_steps: 1200,
            regressor_steps: 600,
            generator_optimiser: Optimiser::Adam { rate: 1e-3 },
            discriminator_optimiser: Optimiser::Adam { rate: 2e-4 },
            regressor_optimiser: Optimiser::Adam { rate: 1e-3 },
            schedule: Schedule::WarmupLinear { warmup_steps: 50, final_fraction: 0.02 },
            merge_steps: true,
            report_every: 100,
            ..Self::practical(vgg)
        }
    }

    /// For the system that is bundled ([`HiqaConfig::small`]): hours on a CPU, minutes on a GPU.
    pub fn small(vgg: Perceptual) -> Self {
        let model = HiqaConfig::small();
        let fast = Self::fast(vgg);
        Self {
            regressor_width: model.regressor.width,
            discriminator_width: model.regressor.width,
            patch: model.patch,
            generator: model.generator.unwrap_or(fast.generator),
            images: 8,
            patches: 2,
            baseline_steps: 1500,
            joint_steps: 1500,
            regressor_steps: 3000,
            regressor_optimiser: Optimiser::Adam { rate: 3e-3 },
            // The absolute error alone is small for a constant score, where the labels are mean opinions.
            losses: LossConfig { regressor: QualityLoss::of(Term::Mae).with(0.5, Term::Plcc), ..fast.losses },
            ..fast
        }
    }

    /// The same on images of the size and widths of a test.
    #[must_use]
    pub fn tiny(self) -> Self {
        Self {
            generator: self.generator.with_width(4),
            regressor_width: 4,
            discriminator_width: 4,
            patch: 64,
            images: 2,
            patches: 1,
            ..self
        }
    }

    /// The discriminator.
    pub fn discriminator(&self) -> DiscriminatorConfig {
        DiscriminatorConfig::new().with_width(self.discriminator_width).with_patch(self.patch)
    }

    /// `R_pre`.
    pub fn baseline(&self) -> RegressorConfig {
        RegressorConfig::baseline(self.regressor_width)
    }

    /// The regressor of the discrepancy map.
    pub fn regressor(&self) -> RegressorConfig {
        if self.rung >= Rung::Fusion {
            RegressorConfig::fused(self.regressor_width, &self.generator)
        } else {
            RegressorConfig::mapped(self.regressor_width)
        }
    }

    /// What scores images when the run is done.
    pub fn model(&self) -> HiqaConfig {
        match self.rung {
            Rung::Baseline => HiqaConfig::baseline(self.regressor_width, self.patch),
            _ => HiqaConfig::new(self.regressor())
                .with_generator(Some(self.generator.clone()))
                .with_patch(self.patch)
                .with_map_source(Some(self.map_source)),
        }
    }

    /// The phases of the run with their numbers of steps, in their order.
    pub fn phases(&self) -> Vec<(Phase, usize)> {
        let baseline = (Phase::Baseline, self.baseline_steps);
        let regressor = (Phase::Regressor, self.regressor_steps);
        match (self.rung, &self.plug_in) {
            (Rung::Baseline, _) => vec![baseline],
            (_, Some(_)) => vec![regressor],
            (Rung::Map, None) => vec![(Phase::Joint, self.joint_steps), regressor],
            (_, None) => vec![baseline, (Phase::Joint, self.joint_steps), regressor],
        }
    }

    /// Whether a generator is trained.
    pub(super) fn trains_generator(&self) -> bool {
        self.phases().iter().any(|&(phase, _)| phase == Phase::Joint)
    }

    /// Whether a phase learns from the references of its images: those of the others may have none.
    pub fn looks_at_references(&self, phase: Phase) -> bool {
        match phase {
            Phase::Baseline => false,
            Phase::Joint => true,
            Phase::Regressor => self.map_source == MapSource::Reference,
        }
    }
}

/// The paper's; what a checkpoint has of a field that came later.
impl Default for HiqaRecipe {
    fn default() -> Self {
        Self::paper(Perceptual::None)
    }
}

impl Recipe for HiqaRecipe {
    fn validate(&self) -> Result<(), TrainError> {
        // Before the networks' own checks, which multiply them.
        for (field, width) in [
            ("generator.width", self.generator.width),
            ("regressor_width", self.regressor_width),
            ("discriminator_width", self.discriminator_width),
        ] {
            WIDTH.check(field, width)?;
        }
        STACKS.check("generator.stacks", self.generator.stacks)?;
        SIDE.check("patch", self.patch)?;
        self.model().validate()?;
        let invalid =
            |field, found: String, expected| Err(TrainError::InvalidRecipe { field, found, expected });
        if !self.patch.is_power_of_two() {
            return invalid("patch", self.patch.to_string(), SIDE_EXPECTED);
        }
        self.losses.regressor.validate()?;
        limits::IMAGES.check("images", self.images)?;
        limits::PATCHES.check("patches", self.patches)?;
        limits::BATCH_PATCHES.check("patches", self.images * self.patches)?;
        limits::STEPS.check("report_every", self.report_every)?;
        for (phase, steps) in self.phases() {
            limits::STEPS.check(phase.as_str(), steps)?;
        }
        for (field, optimiser) in [
            ("generator_optimiser", self.generator_optimiser),
            ("discriminator_optimiser", self.discriminator_optimiser),
            ("regressor_optimiser", self.regressor_optimiser),
        ] {
            limits::learning_rate(field, optimiser.rate())?;
        }
        if !(1..=STAGES).contains(&self.losses.quality_stage) {
            return invalid("losses.quality_stage", self.losses.quality_stage.to_string(), "1 to 4");
        }
        if !(0.0..=45.0).contains(&self.rotation) {
            return invalid("rotation", self.rotation.to_string(), "0 to 45 degrees");
        }
        if let Some(path) = self.plug_in.as_ref().filter(|_| self.rung == Rung::Baseline) {
            return invalid("plug_in", path.display().to_string(), "none: the baseline has no generator");
        }
        if self.map_source == MapSource::Reference && self.plug_in.is_none() {
            return invalid(
                "plug_in",
                "none".into(),
                "weights with a generator, for maps of true references",
            );
        }
        Ok(())
    }
}
