//! Batch norm with the semantics of PyTorch.

use burn::module::{Module, Param, RunningState};
use burn::nn::Initializer;
use burn::tensor::{Device, Tensor, TensorData};
use iqa_kernels::{Conv2d, Norm};

/// PyTorch's defaults.
const EPSILON: f64 = 1e-5;
const MOMENTUM: f64 = 0.1;

/// Which statistics batch norm divides by. Said with each forward pass, and not by the kind of device: a network may be
/// differentiated and yet stay as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statistics {
    /// Those gathered in training: for inference, and for networks that are fixed.
    Running,
    /// Those of the batch; the running ones stay as they are: for a network that another one is trained through.
    Batch,
    /// Those of the batch, which the running ones take up: for the network in training.
    BatchAndTrack,
}

/// Batch norm over the channels of images.
///
/// Burn's own keeps the biased variance of a batch in its running statistics, PyTorch the unbiased one, which this layer
/// follows. Clones share their running statistics, as with Burn's. Fields and their names in weight files are PyTorch's,
/// and so is the type's: what is named `BatchNorm` is renamed by Burn's reader of weights.
#[derive(Module, Debug)]
pub struct BatchNorm2d {
    /// `[channels]`
    pub weight: Param<Tensor<1>>,
    /// `[channels]`
    pub bias: Param<Tensor<1>>,
    /// `[channels]`
    pub running_mean: RunningState<Tensor<1>>,
    /// `[channels]`
    pub running_var: RunningState<Tensor<1>>,
    /// Added to variances.
    pub epsilon: f64,
}

impl BatchNorm2d {
    /// A layer that changes nothing yet, with PyTorch's epsilon, 1e-5.
    pub fn new(channels: usize, device: &Device) -> Self {
        Self {
            weight: Initializer::Ones.init([channels], device),
            bias: Initializer::Zeros.init([channels], device),
            running_mean: RunningState::new(Tensor::zeros([channels], device)),
            running_var: RunningState::new(Tensor::ones([channels], device)),
            epsilon: EPSILON,
        }
    }

    /// The same with another epsilon.
    #[must_use]
    pub fn with_epsilon(mut self, epsilon: f64) -> Self {
        self.epsilon = epsilon;
        self
    }

    /// Normalises images.
    ///
    /// # Shapes
    /// - `input`: `[n, channels, height, width]`; returns the same
    ///
    /// # Panics
    /// When the channels are of another number.
    pub fn forward(&self, input: Tensor<4>, statistics: Statistics) -> Tensor<4> {
        self.run(input, statistics, false)
    }

    /// [`Self::forward`], negative values set to zero.
    ///
    /// # Panics
    /// As [`Self::forward`].
    pub fn forward_relu(&self, input: Tensor<4>, statistics: Statistics) -> Tensor<4> {
        self.run(input, statistics, true)
    }

    fn run(&self, input: Tensor<4>, statistics: Statistics, relu: bool) -> Tensor<4> {
        let norm = Norm { weight: self.weight.val(), bias: self.bias.val(), epsilon: self.epsilon, relu };
        if statistics == Statistics::Running {
            return norm.by(input, self.running_mean.value_sync(), self.running_var.value_sync());
        }
        let count = input.shape().num_elements() / norm.weight.dims()[0];
        let found = norm.by_batch(input);
        self.track(statistics, found.mean, found.variance, count);
        found.output
    }

    /// The `scale` and `shift`, `[channels]` each, that normalise by the running statistics.
    pub fn affine(&self) -> (Tensor<1>, Tensor<1>) {
        let scale = self.weight.val() / (self.running_var.value_sync() + self.epsilon).sqrt();
        let shift = self.bias.val() - self.running_mean.value_sync() * scale.clone();
        (scale, shift)
    }

    /// `conv` and this normalisation after it as one convolution with a bias, for inference.
    ///
    /// With the running statistics, `w' = w * weight / sqrt(variance + epsilon)` and
    /// `b' = (b - mean) * weight / sqrt(variance + epsilon) + bias`, computed in double precision. The result no longer
    /// follows batch statistics: fold a trained network, never one that goes on training.
    ///
    /// # Panics
    /// When the channels are not the output channels of `conv`.
    #[must_use]
    pub fn fold_into(&self, conv: &Conv2d) -> Conv2d {
        let shape = conv.weight.dims();
        let out = shape[0];
        assert_eq!(self.weight.dims(), [out], "a normalisation of other channels");
        let [gamma, beta] = [&self.weight, &self.bias].map(|values| read(values.val()));
        let mean = read(self.running_mean.value_sync());
        let variance = read(self.running_var.value_sync());
        let scale: Vec<f64> = gamma
            .iter()
            .zip(variance)
            .map(|(gamma, variance)| gamma / (variance + self.epsilon).sqrt())
            .collect();
        let bias = conv.bias.as_ref().map_or_else(|| vec![0.0; out], |bias| read(bias.val()));
        let bias: Vec<f64> = (0..out)
            .map(|channel| (bias[channel] - mean[channel]) * scale[channel] + beta[channel])
            .collect();
        let mut weight = read(conv.weight.val());
        let kernels = weight.len() / out.max(1);
        for (kernel, scale) in weight.chunks_exact_mut(kernels.max(1)).zip(scale) {
            for value in kernel {
                *value *= scale;
            }
        }

        let device = conv.weight.device();
        let options = (&device, conv.weight.dtype());
        let mut folded = conv.with_weight(Tensor::from_data(TensorData::new(weight, shape), options));
        folded.bias = Some(Param::from_tensor(Tensor::from_data(TensorData::new(bias, [out]), options)));
        folded
    }

    /// Takes up the mean and the biased variance, `[channels]`, of so many values a channel, if asked for. PyTorch refuses
    /// a batch of one value a channel; here its variance counts as 0.
    fn track(&self, statistics: Statistics, mean: Tensor<1>, variance: Tensor<1>, count: usize) {
        if statistics != Statistics::BatchAndTrack {
            return;
        }
        let unbiased = variance.detach() * (count as f64 / (count.max(2) - 1) as f64);
        for (running, batch) in [(&self.running_mean, mean.detach()), (&self.running_var, unbiased)] {
            let value = running.value_sync() * (1.0 - MOMENTUM) + batch * MOMENTUM;
            running.update(value.detach());
            // Burn holds an update back until it is asked for; a checkpoint would not ask.
            let _ = running.value_sync();
        }
    }
}

fn read<const D: usize>(values: Tensor<D>) -> Vec<f64> {
    values.into_data().iter::<f64>().collect()
}
