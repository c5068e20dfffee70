//! Batch norm with the running statistics of PyTorch.

use burn::module::{Module, Param, RunningState};
use burn::nn::Initializer;
use burn::tensor::module::batch_norm_train;
use burn::tensor::{Device, Tensor};

/// PyTorch's defaults.
const EPSILON: f64 = 1e-5;
const MOMENTUM: f64 = 0.1;

/// Batch norm over the channels of images.
///
/// Burn's own keeps the biased variance of a batch in its running statistics, PyTorch the unbiased one, which this layer
/// follows. Training or not is a matter of the method called, not of the device, so that a network on an autodiff device
/// can serve as a loss. Clones share their running statistics, as with Burn's.
#[derive(Module, Debug)]
pub struct ChannelNorm {
    /// `[channels]`
    pub weight: Param<Tensor<1>>,
    /// `[channels]`
    pub bias: Param<Tensor<1>>,
    /// `[channels]`
    pub running_mean: RunningState<Tensor<1>>,
    /// `[channels]`
    pub running_var: RunningState<Tensor<1>>,
}

impl ChannelNorm {
    pub(super) fn new(channels: usize, device: &Device) -> Self {
        Self {
            weight: Initializer::Ones.init([channels], device),
            bias: Initializer::Zeros.init([channels], device),
            running_mean: RunningState::new(Tensor::zeros([channels], device)),
            running_var: RunningState::new(Tensor::ones([channels], device)),
        }
    }

    /// Normalises by the statistics of the batch, and takes them up into the running ones.
    ///
    /// # Shapes
    /// - `input`: `[n, channels, height, width]`, more than one value a channel; returns the same
    pub fn forward_training(&self, input: Tensor<4>) -> Tensor<4> {
        let [n, channels, height, width] = input.dims();
        let count = n * height * width;
        // Pixels in rows: channels lie last in memory between this workspace's convolutions.
        let rows: Tensor<2> = input.permute([0, 2, 3, 1]).reshape([count, channels]);
        let found = batch_norm_train(rows, self.weight.val(), self.bias.val(), EPSILON);
        let unbiased = count as f64 / (count as f64 - 1.0);
        take_up(&self.running_mean, found.mean.detach());
        take_up(&self.running_var, found.variance.detach() * unbiased);
        found.output.reshape([n, height, width, channels]).permute([0, 3, 1, 2])
    }

    /// The `scale` and `shift`, `[channels]` each, that normalise by the running statistics.
    pub fn affine(&self) -> (Tensor<1>, Tensor<1>) {
        let scale = self.weight.val() / (self.running_var.value_sync() + EPSILON).sqrt();
        let shift = self.bias.val() - self.running_mean.value_sync() * scale.clone();
        (scale, shift)
    }
}

fn take_up(running: &RunningState<Tensor<1>>, batch: Tensor<1>) {
    let value = running.value_sync() * (1.0 - MOMENTUM) + batch * MOMENTUM;
    running.update(value.detach());
    // A record of the module reads the value as it was synchronised last.
    let _ = running.value_sync();
}
