//! Batch norm in one pass with the ReLU after it, on images that are channels-last in memory.

use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use burn::tensor::module;

/// The parameters of a batch norm.
#[derive(Debug, Clone)]
pub struct Norm {
    /// `[channels]`
    pub weight: Tensor<1>,
    /// `[channels]`
    pub bias: Tensor<1>,
    /// Added to variances.
    pub epsilon: f64,
    /// Whether a ReLU follows.
    pub relu: bool,
}

/// What a batch norm makes of a batch.
#[derive(Debug, Clone)]
pub struct BatchNormed {
    /// `[n, channels, height, width]`
    pub output: Tensor<4>,
    /// Of each channel, without a gradient, `[channels]`.
    pub mean: Tensor<1>,
    /// Biased, of each channel, without a gradient, `[channels]`.
    pub variance: Tensor<1>,
}

impl Norm {
    /// Normalises by the statistics of the batch, through which gradients flow.
    ///
    /// On the `flex` backend the sums are in double precision: deep layers that normalise few values multiply what
    /// single precision loses.
    ///
    /// # Shapes
    /// - `x`: `[n, channels, height, width]`
    ///
    /// # Panics
    /// When the channels are of another number.
    pub fn by_batch(self, x: Tensor<4>) -> BatchNormed {
        #[cfg(feature = "flex")]
        if crate::ops::serves(&x) {
            let [mean, variance] = flex::statistics(x.clone());
            let output = flex::normalise(x, self, mean.clone(), variance.clone(), true);
            return BatchNormed { output, mean, variance };
        }
        let found = module::batch_norm_train(x, self.weight, self.bias, self.epsilon);
        let output = if self.relu { relu(found.output) } else { found.output };
        BatchNormed { output, mean: found.mean.detach(), variance: found.variance.detach() }
    }

    /// Normalises by statistics that are given, `[channels]`, and have no gradient.
    ///
    /// # Shapes
    /// - `x`: `[n, channels, height, width]`; returns the same
    ///
    /// # Panics
    /// When the channels are of another number.
    pub fn by(self, x: Tensor<4>, mean: Tensor<1>, variance: Tensor<1>) -> Tensor<4> {
        #[cfg(feature = "flex")]
        if crate::ops::serves(&x) {
            return flex::normalise(x, self, mean, variance, false);
        }
        let output = module::batch_norm(x, self.weight, self.bias, mean, variance, self.epsilon);
        if self.relu { relu(output) } else { output }
    }
}

#[cfg(feature = "flex")]
mod flex {
    use burn::backend::tensor::FloatTensor;
    use burn::backend::{Backend, Dispatch, Flex, backend_extension};
    use burn::tensor::Tensor;
    use burn_flex::FlexTensor;

    use super::Norm;
    use crate::cpu::{self, Normalisation};
    use crate::ops::{Image, image, values, vector};

    /// Mean and biased variance of each channel.
    pub(super) fn statistics(x: Tensor<4>) -> [Tensor<1>; 2] {
        let found: Tensor<1> =
            Tensor::from_dispatch(<Dispatch as NormOps>::channel_statistics(x.into_dispatch()));
        let halves = found.chunk(2, 0);
        halves.try_into().unwrap_or_else(|_| panic!("mean and variance"))
    }

    pub(super) fn normalise(
        x: Tensor<4>,
        norm: Norm,
        mean: Tensor<1>,
        variance: Tensor<1>,
        of_batch: bool,
    ) -> Tensor<4> {
        let Norm { weight, bias, epsilon, relu } = norm;
        assert_eq!(x.dims()[1], weight.dims()[0], "a normalisation of other channels");
        let vectors = [weight, bias, mean, variance].map(Tensor::into_dispatch);
        let [weight, bias, mean, variance] = vectors;
        let options = Options { epsilon, relu, of_batch };
        let x = x.into_dispatch();
        Tensor::from_dispatch(<Dispatch as NormOps>::normalise(x, weight, bias, mean, variance, options))
    }

    /// All that a normalisation needs beside its tensors.
    #[derive(Debug, Clone, Copy)]
    pub(super) struct Options {
        epsilon: f64,
        relu: bool,
        /// Whether mean and variance are those of the images.
        #[cfg_attr(not(feature = "autodiff"), expect(dead_code, reason = "only the gradient asks"))]
        of_batch: bool,
    }

    /// The operations; see [`crate::ops::ConvOps`].
    #[backend_extension(Flex, Autodiff: cfg(feature = "autodiff"))]
    trait NormOps: Backend {
        /// Means, then biased variances of the channels, without a gradient.
        fn channel_statistics(x: FloatTensor<Self>) -> FloatTensor<Self>;

        fn normalise(
            x: FloatTensor<Self>,
            weight: FloatTensor<Self>,
            bias: FloatTensor<Self>,
            mean: FloatTensor<Self>,
            variance: FloatTensor<Self>,
            options: Options,
        ) -> FloatTensor<Self>;
    }

    impl NormOps for Flex {
        fn channel_statistics(x: FlexTensor) -> FlexTensor {
            let x = Image::of(&x);
            vector(cpu::channel_statistics(&x.values, x.size.channels).concat())
        }

        fn normalise(
            x: FlexTensor,
            weight: FlexTensor,
            bias: FlexTensor,
            mean: FlexTensor,
            variance: FlexTensor,
            options: Options,
        ) -> FlexTensor {
            let (norm, _) = normalisation(&weight, &bias, &mean, &variance, options);
            forward(&norm, &x)
        }
    }

    fn forward(norm: &Normalisation, x: &FlexTensor) -> FlexTensor {
        let x = Image::of(x);
        image(norm.forward(&x.values), x.size)
    }

    /// With the variances and epsilon.
    fn normalisation(
        weight: &FlexTensor,
        bias: &FlexTensor,
        mean: &FlexTensor,
        variance: &FlexTensor,
        options: Options,
    ) -> (Normalisation, Vec<f32>) {
        let variance: Vec<f32> =
            values(variance).iter().map(|value| (f64::from(*value) + options.epsilon) as f32).collect();
        let by_root =
            |(weight, variance): (&f32, &f32)| (f64::from(*weight) / f64::from(*variance).sqrt()) as f32;
        let scale = values(weight).iter().zip(&variance).map(by_root).collect();
        let [mean, shift] = [mean, bias].map(|vector| values(vector).into_owned());
        (Normalisation { mean, scale, shift, relu: options.relu }, variance)
    }

    #[cfg(feature = "autodiff")]
    mod autodiff {
        use burn::backend::autodiff::checkpoint::base::Checkpointer;
        use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
        use burn::backend::autodiff::grads::Gradients;
        use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
        use burn::backend::{Autodiff, AutodiffBackend};

        use super::*;

        impl<C: CheckpointStrategy> NormOps for Autodiff<Flex, C> {
            fn channel_statistics(x: FloatTensor<Self>) -> FloatTensor<Self> {
                Self::from_inner(Flex::channel_statistics(x.into_primitive()))
            }

            fn normalise(
                x: FloatTensor<Self>,
                weight: FloatTensor<Self>,
                bias: FloatTensor<Self>,
                mean: FloatTensor<Self>,
                variance: FloatTensor<Self>,
                options: Options,
            ) -> FloatTensor<Self> {
                let nodes = [x.node(), weight.node(), bias.node()];
                let [x, weight, bias, mean, variance] =
                    [x, weight, bias, mean, variance].map(<FloatTensor<Self>>::into_primitive);
                let (norm, variance) = normalisation(&weight, &bias, &mean, &variance, options);
                let y = forward(&norm, &x);
                match NormBackward.prepare::<C>(nodes).compute_bound().stateful() {
                    OpsKind::UnTracked(ops) => ops.finish(y),
                    OpsKind::Tracked(ops) => {
                        let of_batch = options.of_batch;
                        ops.finish(State { x, y: y.clone(), norm, variance, of_batch }, y)
                    }
                }
            }
        }

        #[derive(Debug)]
        struct NormBackward;

        #[derive(Debug, Clone)]
        struct State {
            x: FlexTensor,
            y: FlexTensor,
            norm: Normalisation,
            /// With epsilon.
            variance: Vec<f32>,
            of_batch: bool,
        }

        impl Backward<Flex, 3> for NormBackward {
            type State = State;

            fn backward(self, ops: Ops<State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
                let above = grads.consume::<Flex>(&ops.node);
                let [node_x, node_weight, node_bias] = ops.parents;
                let State { x, y, norm, variance, of_batch } = ops.state;
                let (x, y, above) = (Image::of(&x), Image::of(&y), Image::of(&above));
                let found = norm.backward(
                    &x.values,
                    &y.values,
                    &above.values,
                    of_batch.then_some(variance.as_slice()),
                );
                if let Some(node) = node_weight {
                    let by_root = |(sum, variance): (&f64, &f32)| (sum / f64::from(*variance).sqrt()) as f32;
                    let sums = found.scale.iter().zip(&variance).map(by_root).collect();
                    grads.register::<Flex>(node.id, vector(sums));
                }
                if let Some(node) = node_bias {
                    let sums = found.shift.iter().map(|sum| *sum as f32).collect();
                    grads.register::<Flex>(node.id, vector(sums));
                }
                if let Some(node) = node_x {
                    grads.register::<Flex>(node.id, image(found.x, x.size));
                }
            }
        }
    }
}
