//! Batch norm with the semantics of PyTorch.

use burn::module::{Module, Param, RunningState};
use burn::nn::Initializer;
use burn::tensor::module::{batch_norm, batch_norm_train};
use burn::tensor::{Device, Tensor, TensorData};
use iqa_kernels::Conv2d;

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

    /// Normalises images, or anything else with channels.
    ///
    /// # Shapes
    /// - `input`: `[n, channels, ...]`; returns the same
    pub fn forward<const D: usize>(&self, input: Tensor<D>, statistics: Statistics) -> Tensor<D> {
        let (weight, bias) = (self.weight.val(), self.bias.val());
        if statistics == Statistics::Running {
            let (mean, variance) = (self.running_mean.value_sync(), self.running_var.value_sync());
            return batch_norm(input, weight, bias, mean, variance, self.epsilon);
        }
        let count = input.shape().num_elements() / weight.dims()[0];
        let found = batch_norm_train(input, weight, bias, self.epsilon);
        self.track(statistics, found.mean, found.variance, count);
        found.output
    }

    /// [`Self::forward`] for images whose channels come last, and with sums of more digits: along rows, columns and
    /// images, one after the other.
    ///
    /// Sums in single precision over all places at once lose digits, and deep layers that normalise few values multiply
    /// what is lost (HIQA's parity with PyTorch was 1e-2 with them). An autodiff device keeps more tensors for it.
    ///
    /// # Shapes
    /// - `input`: `[n, height, width, channels]`; returns the same
    pub fn forward_channels_last(&self, input: Tensor<4>, statistics: Statistics) -> Tensor<4> {
        let [n, height, width, channels] = input.dims();
        let count = n * height * width;
        let rows: Tensor<2> = input.reshape([count, channels]);
        let rows = if statistics == Statistics::Running {
            let (mean, variance) = (self.running_mean.value_sync(), self.running_var.value_sync());
            self.scaled(rows - mean.unsqueeze(), variance)
        } else {
            let mean = mean_by_channel(rows.clone(), n, height, width);
            let centred = rows - mean.clone();
            let variance = mean_by_channel(centred.clone().powi_scalar(2), n, height, width);
            let variance: Tensor<1> = variance.reshape([channels]);
            self.track(statistics, mean.reshape([channels]), variance.clone(), count);
            self.scaled(centred, variance)
        };
        rows.reshape([n, height, width, channels])
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

    /// `[count, channels]` less their mean, by a variance of `[channels]`.
    fn scaled(&self, centred: Tensor<2>, variance: Tensor<1>) -> Tensor<2> {
        let scale = self.weight.val() / (variance + self.epsilon).sqrt();
        centred * scale.unsqueeze() + self.bias.val().unsqueeze()
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

/// Mean over places and images, `[n * height * width, channels]` to `[1, channels]`, along rows, columns and images.
fn mean_by_channel(x: Tensor<2>, n: usize, height: usize, width: usize) -> Tensor<2> {
    let [_, channels] = x.dims();
    let rows: Tensor<3> = x.reshape([n * height, width, channels]).mean_dim(1);
    let images: Tensor<3> = rows.reshape([n, height, channels]).mean_dim(1);
    images.reshape([n, channels]).mean_dim(0)
}

fn read<const D: usize>(values: Tensor<D>) -> Vec<f64> {
    values.into_data().iter::<f64>().collect()
}
