//! Adam, in one pass where the kernels serve.

use burn::optim::{Adam as BurnAdam, AdamConfig, AdamState, AdaptiveMomentumState, LearningRate, Optimizer};
use burn::tensor::{Device, Tensor};
use iqa_kernels::cpu::AdamStep;

/// The betas of the paper.
const BETAS: (f32, f32) = (0.9, 0.999);

/// Burn's Adam with the paper's betas: the same steps, bit for bit, and the same state. On the `flex` backend a step of a parameter is
/// one pass over its values on all threads, where Burn's is a dozen on one.
///
/// Source: Kingma and Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015.
///
/// ```
/// use burn::optim::ModuleOptimizer;
/// let optimiser = ModuleOptimizer::from(iqa_train::Adam::new(1e-8));
/// ```
#[derive(Clone)]
pub struct Adam {
    epsilon: f32,
    burn: BurnAdam,
}

impl Adam {
    /// `epsilon` is added to the root of the squared gradients.
    pub fn new(epsilon: f32) -> Self {
        let burn = AdamConfig::new().with_beta_1(BETAS.0).with_beta_2(BETAS.1).with_epsilon(epsilon).build();
        Self { epsilon, burn }
    }
}

impl Optimizer for Adam {
    type State<const D: usize> = AdamState<D>;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        tensor: Tensor<D>,
        grad: Tensor<D>,
        state: Option<AdamState<D>>,
    ) -> (Tensor<D>, Option<AdamState<D>>) {
        let before = state.unwrap_or_else(|| {
            let nothing = || tensor.zeros_like();
            AdamState::new(AdaptiveMomentumState::new(0, nothing(), nothing()))
        });
        let AdaptiveMomentumState { time, moment_1, moment_2, .. } = before.momentum;
        let (beta_1, beta_2) = BETAS;
        let step = AdamStep { rate: lr as f32, beta_1, beta_2, epsilon: self.epsilon, time: time as i32 + 1 };
        match iqa_kernels::adam([tensor, grad, moment_1, moment_2], &step) {
            Ok([tensor, mean, square]) => {
                let state = AdamState::new(AdaptiveMomentumState::new(time + 1, mean, square));
                (tensor, Some(state))
            }
            Err([tensor, grad, mean, square]) => {
                let state =
                    (time > 0).then(|| AdamState::new(AdaptiveMomentumState::new(time, mean, square)));
                self.burn.step(lr, tensor, grad, state)
            }
        }
    }

    fn to_device<const D: usize>(state: AdamState<D>, device: &Device) -> AdamState<D> {
        BurnAdam::to_device(state, device)
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Distribution;

    use super::*;

    /// Burn's own, step by step.
    #[test]
    fn steps_are_those_of_burn_bit_for_bit() {
        let device = Device::flex();
        device.seed(3);
        let random = |scale: f64| Tensor::<2>::random([301, 113], Distribution::Normal(0.0, scale), &device);
        let (ours, burn) = (Adam::new(1e-8), AdamConfig::new().with_epsilon(1e-8).build());
        let start = random(1.0);
        let (mut found, mut expected) = ((start.clone(), None), (start, None));
        for step in 0..20 {
            // Turned: not in the order of its values.
            let gradient = random(10f64.powi(step % 7 - 5)).transpose().reshape([113, 301]).transpose();
            let rate = 1e-3 / f64::from(step + 1);
            found = ours.step(rate, found.0, gradient.clone(), found.1);
            expected = burn.step(rate, expected.0, gradient, expected.1);
            let bits = |tensor: &Tensor<2>| -> Vec<u32> {
                tensor.to_data().iter::<f32>().map(f32::to_bits).collect()
            };
            assert!(bits(&found.0) == bits(&expected.0), "step {step}");
            for (found, expected) in found.1.iter().zip(&expected.1) {
                let (found, expected) = (&found.momentum, &expected.momentum);
                assert_eq!(found.time, expected.time);
                assert!(bits(&found.moment_1) == bits(&expected.moment_1), "step {step}");
                assert!(bits(&found.moment_2) == bits(&expected.moment_2), "step {step}");
            }
        }
    }
}
