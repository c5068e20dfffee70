//! Ranger: rectified Adam with lookahead, on centralised gradients.

use burn::config::Config;
use burn::optim::{LearningRate, ModuleOptimizer, Optimizer, RecordState, StateSink, StateSource};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

/// Over which axes the mean of a gradient is taken off: all but that of the layer's outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Centralisation {
    /// Not at all.
    Off,
    /// As Burn's layers keep their weights: the outputs of a matrix lie on its axis 1 (`Linear` is `[in, out]`, where
    /// PyTorch's is `[out, in]`), those of three and more dimensions on axis 0 (`Conv2d` is `[out, in, height,
    /// width]`). Vectors are left alone. An optimiser sees a tensor, not its layer; for one that keeps its outputs
    /// elsewhere, see [`Self::OutputAxis`].
    ByRank,
    /// The outputs lie on this axis, of every tensor of more than one dimension. Give those parameters a Ranger of
    /// their own with [`ModuleOptimizer::with_group`]: transposed convolutions are `[in, out, height, width]`.
    OutputAxis(usize),
}

impl Centralisation {
    fn apply<const D: usize>(self, gradient: Tensor<D>) -> Tensor<D> {
        let outputs = match self {
            Self::ByRank => usize::from(D == 2),
            Self::OutputAxis(axis) => axis,
            Self::Off => return gradient,
        };
        if D < 2 {
            return gradient;
        }
        let over = (0..D).filter(|&axis| axis != outputs);
        let mean = over.fold(gradient.clone(), Tensor::mean_dim);
        gradient - mean
    }
}

/// Configuration of [`Ranger`], by default that of its authors (`lessw2020/Ranger-Deep-Learning-Optimizer`, 20.4.11).
///
/// ```
/// use iqa_train::RangerConfig;
/// let optimiser = RangerConfig::new().with_weight_decay(1e-5).init();
/// ```
#[derive(Config, Debug, PartialEq)]
pub struct RangerConfig {
    /// Part of the running mean of gradients kept in a step.
    #[config(default = 0.95)]
    pub beta_1: f64,
    /// Part of the running mean of squared gradients kept in a step.
    #[config(default = 0.999)]
    pub beta_2: f64,
    /// Added to the root of the squared gradients.
    #[config(default = 1e-5)]
    pub epsilon: f64,
    /// Part of a parameter, times the learning rate, that it loses in a step. Not part of the gradient.
    #[config(default = 0.0)]
    pub weight_decay: f64,
    /// Length of the approximated average from which on steps are divided by the gradients' size.
    #[config(default = 5.0)]
    pub threshold: f64,
    /// Steps between two looks ahead.
    #[config(default = 6)]
    pub lookahead_steps: usize,
    /// Part of the way to the new parameters that the slow ones go then.
    #[config(default = 0.5)]
    pub lookahead_part: f64,
    /// Which gradients are centralised, and how.
    #[config(default = "Centralisation::ByRank")]
    pub centralisation: Centralisation,
}

/// RAdam (Liu et al., ICLR 2020), Lookahead (Zhang et al., NeurIPS 2019) and gradient centralisation (Yong et al.,
/// ECCV 2020) in one step, with decoupled weight decay.
///
/// For any module: `Ranger` is a Burn optimiser, its state is saved and loaded with
/// [`ModuleOptimizer`]. Create it with [`RangerConfig`].
#[derive(Clone, Debug)]
pub struct Ranger {
    config: RangerConfig,
}

/// State of [`Ranger`] for one parameter.
#[derive(Clone, Debug)]
pub struct RangerState<const D: usize> {
    /// Steps taken.
    steps: usize,
    /// Running mean of the gradients, from zero.
    mean: Tensor<D>,
    /// Running mean of their squares, from zero.
    square: Tensor<D>,
    /// The slow parameters of the lookahead.
    slow: Tensor<D>,
}

impl RangerConfig {
    /// The bare optimiser, for one group of parameters.
    pub fn build(&self) -> Ranger {
        Ranger { config: self.clone() }
    }

    /// The optimiser of a whole module.
    pub fn init(&self) -> ModuleOptimizer {
        self.build().into()
    }
}

/// What a step multiplies the learning rate with, and whether it divides by the gradients' size.
struct Factor {
    value: f64,
    rectified: bool,
}

impl RangerConfig {
    /// `step` counts from 1.
    ///
    /// Source: Liu et al. 2020, algorithm 2; the corrections of both running means are in the factor.
    fn factor(&self, step: usize) -> Factor {
        let step = step as f64;
        let (decay_1, decay_2) = (self.beta_1.powf(step), self.beta_2.powf(step));
        let longest = 2.0 / (1.0 - self.beta_2) - 1.0;
        let length = longest - 2.0 * step * decay_2 / (1.0 - decay_2);
        if length <= self.threshold {
            return Factor { value: 1.0 / (1.0 - decay_1), rectified: false };
        }
        let variance = (length - 4.0) / (longest - 4.0) * (length - 2.0) / length * longest / (longest - 2.0);
        Factor { value: ((1.0 - decay_2) * variance).sqrt() / (1.0 - decay_1), rectified: true }
    }
}

impl Optimizer for Ranger {
    type State<const D: usize> = RangerState<D>;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        tensor: Tensor<D>,
        grad: Tensor<D>,
        state: Option<Self::State<D>>,
    ) -> (Tensor<D>, Option<Self::State<D>>) {
        let config = &self.config;
        let gradient = config.centralisation.apply(grad);
        let RangerState { steps, mean, square, slow } = state.unwrap_or_else(|| RangerState {
            steps: 0,
            mean: tensor.zeros_like(),
            square: tensor.zeros_like(),
            slow: tensor.clone(),
        });
        let steps = steps + 1;
        let square = square * config.beta_2 + gradient.clone().square() * (1.0 - config.beta_2);
        let mean = mean * config.beta_1 + gradient * (1.0 - config.beta_1);

        let factor = config.factor(steps);
        let mut update = mean.clone() * (lr * factor.value);
        if factor.rectified {
            update = update / (square.clone().sqrt() + config.epsilon);
        }
        let decayed =
            if config.weight_decay == 0.0 { tensor } else { tensor * (1.0 - lr * config.weight_decay) };
        let mut tensor = decayed - update;

        let mut slow = slow;
        if steps.is_multiple_of(config.lookahead_steps) {
            slow = slow.clone() + (tensor - slow) * config.lookahead_part;
            tensor = slow.clone();
        }
        (tensor, Some(RangerState { steps, mean, square, slow }))
    }

    fn to_device<const D: usize>(state: Self::State<D>, device: &Device) -> Self::State<D> {
        RangerState {
            steps: state.steps,
            mean: state.mean.to_device(device),
            square: state.square.to_device(device),
            slow: state.slow.to_device(device),
        }
    }
}

/// By hand: the derive macro works inside Burn alone.
impl<const D: usize> RecordState for RangerState<D> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        out.push_scalar(prefix, "steps", self.steps.into());
        for (leaf, tensor) in [("mean", &self.mean), ("square", &self.square), ("slow", &self.slow)] {
            out.push_tensor(prefix, leaf, tensor.clone().into_data());
        }
    }

    fn state_unflatten(prefix: &str, src: &mut StateSource, device: &Device) -> Option<Self> {
        let steps = src.take_scalar(prefix, "steps")?.try_into().ok()?;
        let mut tensor = |leaf| Some(Tensor::from_data(src.take_tensor(prefix, leaf)?, device));
        Some(Self { steps, mean: tensor("mean")?, square: tensor("square")?, slow: tensor("slow")? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sixth_step_is_the_first_that_is_rectified() {
        let config = RangerConfig::new();
        assert!((1..=5).all(|step| !config.factor(step).rectified));
        let sixth = config.factor(6);
        // Liu et al.'s formula in double precision.
        assert!(sixth.rectified && (sixth.value - 0.007_540_714_6).abs() < 1e-10, "{}", sixth.value);
    }
}
