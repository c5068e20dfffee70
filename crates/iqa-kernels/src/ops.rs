//! The kernels as an operation of Burn's `flex` backend.

use std::borrow::Cow;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, Flex, backend_extension};
use burn::tensor::{Bytes, DType, Device, Shape, Tensor};
use burn_flex::{FlexTensor, Layout};

use crate::cpu::{self, Algorithm, Buffer, Finish, Geometry, PackedWeights, Size};
use crate::{bf16, memory};

/// Whether the kernels serve that tensor, by its device and type.
pub(crate) fn serves(x: &Tensor<4>) -> bool {
    let device = x.device();
    x.dtype() == DType::F32
        && device == Device::flex()
        && (cfg!(feature = "autodiff") || !device.is_autodiff())
}

/// Convolution, ReLU and pooling in one operation.
///
/// # Shapes
/// - `x`: `[n, channels_in, height, width]`
/// - `weight`: `[channels_out, channels_in, height, width]`, `bias`: `[channels_out]`
pub(crate) fn convolve(x: Tensor<4>, weight: Tensor<4>, bias: Tensor<1>, options: Options) -> Tensor<4> {
    let [x, weight, bias] = [x.into_dispatch(), weight.into_dispatch(), bias.into_dispatch()];
    Tensor::from_dispatch(<Dispatch as ConvOps>::convolve(x, weight, bias, options))
}

/// `relu6(convolution(relu6(x)))` of each channel by itself, for a device without autodiff.
pub(crate) fn depthwise_relu6(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Tensor<1>,
    geometry: Geometry,
) -> Tensor<4> {
    let [x, weight, bias] = [x.into_dispatch(), weight.into_dispatch(), bias.into_dispatch()];
    Tensor::from_dispatch(<Dispatch as DepthwiseOps>::depthwise_relu6(x, weight, bias, geometry))
}

/// The operation; see [`ConvOps`].
#[backend_extension(Flex)]
pub(crate) trait DepthwiseOps: Backend {
    fn depthwise_relu6(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        geometry: Geometry,
    ) -> FloatTensor<Self>;
}

impl DepthwiseOps for Flex {
    fn depthwise_relu6(
        x: FlexTensor,
        weight: FlexTensor,
        bias: FlexTensor,
        geometry: Geometry,
    ) -> FlexTensor {
        let x = Image::of(&x);
        let (found, size) =
            cpu::depthwise_relu6(&x.values, x.size, &values(&weight), &values(&bias), &geometry);
        image(found, size)
    }
}

/// `relu(convolution(x) + added)`, for a device without autodiff.
pub(crate) fn convolve_add_relu(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Tensor<1>,
    added: Tensor<4>,
    options: Options,
) -> Tensor<4> {
    let [x, added] = [x.into_dispatch(), added.into_dispatch()];
    let [weight, bias] = [weight.into_dispatch(), bias.into_dispatch()];
    Tensor::from_dispatch(<Dispatch as AddedOps>::convolve_add_relu(x, weight, bias, added, options))
}

/// The operation; see [`ConvOps`].
#[backend_extension(Flex)]
pub(crate) trait AddedOps: Backend {
    fn convolve_add_relu(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        added: FloatTensor<Self>,
        options: Options,
    ) -> FloatTensor<Self>;
}

impl AddedOps for Flex {
    fn convolve_add_relu(
        x: FlexTensor,
        weight: FlexTensor,
        bias: FlexTensor,
        added: FlexTensor,
        options: Options,
    ) -> FlexTensor {
        let packed = options.cache.packed(&weight);
        let (original, bias) = (values(&weight), values(&bias));
        let algorithm = options.algorithm(&x, bias.len());
        let (x, added) = (Image::of(&x), Image::of(&added));
        let finish = Finish { added: Some(&added.values), relu: true, pool: false };
        x.convolve(algorithm, &packed.with(&original), &bias, &options.geometry, finish)
    }
}

/// All that a convolution needs beside its tensors.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) geometry: Geometry,
    pub(crate) finish: Finish<'static>,
    pub(crate) cache: WeightCache,
    /// Whether the weights stay what they are, so that an order that takes long to make is worth it.
    pub(crate) kept: bool,
    /// Whether values keep all their digits where others are of bf16.
    pub(crate) exact: bool,
}

impl Options {
    fn algorithm(&self, x: &FlexTensor, channels_out: usize) -> Algorithm {
        let [images, channels, height, width] = x.layout().shape().dims();
        let size = Size { images, height, width, channels };
        match bf16::unit() {
            Some(unit) if !self.exact => Algorithm::choose_bf16(unit, &self.geometry, size, channels_out),
            _ if self.kept => Algorithm::choose_for_kept(&self.geometry, size, channels_out),
            _ => Algorithm::choose(&self.geometry, size, channels_out),
        }
    }
}

/// The operation. Only the backends named here are ever asked for it, see [`serves`].
#[backend_extension(Flex, Autodiff: cfg(feature = "autodiff"))]
pub(crate) trait ConvOps: Backend {
    /// Convolution with bias, and what [`Options`] says follows.
    fn convolve(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        options: Options,
    ) -> FloatTensor<Self>;
}

impl ConvOps for Flex {
    fn convolve(x: FlexTensor, weight: FlexTensor, bias: FlexTensor, options: Options) -> FlexTensor {
        let packed = options.cache.packed(&weight);
        let original = values(&weight);
        let bias = values(&bias);
        let algorithm = options.algorithm(&x, bias.len());
        Image::of(&x).convolve(algorithm, &packed.with(&original), &bias, &options.geometry, options.finish)
    }
}

/// A tensor as the kernels see it: its values in channels-last order, borrowed if they lie so.
pub(crate) struct Image<'a> {
    pub(crate) values: Values<'a>,
    pub(crate) size: Size,
}

pub(crate) enum Values<'a> {
    Lent(&'a [f32]),
    Moved(Buffer),
}

impl Deref for Values<'_> {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        match self {
            Self::Lent(values) => values,
            Self::Moved(values) => values,
        }
    }
}

impl<'a> Image<'a> {
    /// # Panics
    /// When the tensor is not `[n, channels, height, width]`.
    pub(crate) fn of(tensor: &'a FlexTensor) -> Self {
        let [images, channels, height, width] = tensor.layout().shape().dims();
        let size = Size { images, height, width, channels };
        let last = tensor.permute(&[0, 2, 3, 1]);
        let values = match contiguous(last.layout()) {
            Some(range) => Values::Lent(&tensor.storage::<f32>()[range]),
            None => Values::Moved(cpu::channels_last(&values(tensor), size)),
        };
        Self { values, size }
    }

    pub(crate) fn convolve(
        &self,
        algorithm: Algorithm,
        weights: &cpu::Weights<'_>,
        bias: &[f32],
        geometry: &Geometry,
        finish: Finish<'_>,
    ) -> FlexTensor {
        let (values, size) =
            cpu::convolve_by(algorithm, &self.values, self.size, weights, bias, geometry, finish);
        image(values, size)
    }

    #[cfg(feature = "autodiff")]
    fn to_tensor(&self) -> FlexTensor {
        let Size { images, height, width, channels } = self.size;
        tensor(Bytes::from_elems(self.values.to_vec()), [images, height, width, channels])
            .permute(&[0, 3, 1, 2])
    }
}

/// Values in channels-last order as a tensor `[n, channels, height, width]`.
pub(crate) fn image(values: Buffer, size: Size) -> FlexTensor {
    let Size { images, height, width, channels } = size;
    tensor(memory::bytes(values), [images, height, width, channels]).permute(&[0, 3, 1, 2])
}

/// Values as a tensor `[values]`.
pub(crate) fn vector(values: Vec<f32>) -> FlexTensor {
    let shape = [values.len()];
    tensor(Bytes::from_elems(values), shape)
}

fn tensor<const D: usize>(values: Bytes, shape: [usize; D]) -> FlexTensor {
    FlexTensor::new(values, Layout::contiguous(Shape::from(shape)), DType::F32)
}

/// The values of a tensor in the order of its shape, borrowed if they lie so.
pub(crate) fn values(tensor: &FlexTensor) -> Cow<'_, [f32]> {
    match contiguous(tensor.layout()) {
        Some(range) => Cow::Borrowed(&tensor.storage::<f32>()[range]),
        None => {
            let tensor = tensor.to_contiguous();
            let len = tensor.layout().num_elements();
            Cow::Owned(tensor.storage::<f32>()[..len].to_vec())
        }
    }
}

/// Where the values lie, if they lie one after another.
fn contiguous(layout: &Layout) -> Option<std::ops::Range<usize>> {
    layout.contiguous_offsets().map(|(start, end)| start..end)
}

/// Weights in the orders of the kernels, kept from one call to the next as long as the weights are the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct WeightCache(Arc<Mutex<Option<Cached>>>);

/// The weights are known by the memory that holds them: as long as a [`Weak`] points there, Burn does not change it
/// in place, and nothing else can come to lie there.
#[derive(Debug)]
struct Cached {
    memory: Weak<Bytes>,
    layout: Layout,
    packed: Arc<PackedWeights>,
}

impl WeightCache {
    /// The copies of those weights.
    fn packed(&self, weight: &FlexTensor) -> Arc<PackedWeights> {
        let mut cached = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let memory = Arc::downgrade(&weight.data_arc());
        match &*cached {
            Some(cached) if cached.memory.ptr_eq(&memory) && cached.layout == *weight.layout() => {
                Arc::clone(&cached.packed)
            }
            _ => {
                let packed = Arc::new(PackedWeights::new(weight.layout().shape().dims()));
                let layout = weight.layout().clone();
                *cached = Some(Cached { memory, layout, packed: Arc::clone(&packed) });
                packed
            }
        }
    }
}

#[cfg(feature = "autodiff")]
mod autodiff {
    //! The gradient of the operation.

    use burn::backend::Autodiff;
    use burn::backend::autodiff::checkpoint::base::Checkpointer;
    use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
    use burn::backend::autodiff::grads::Gradients;
    use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
    use burn::backend::ops::ModuleOps;

    use super::*;

    impl<C: CheckpointStrategy> ConvOps for Autodiff<Flex, C> {
        fn convolve(
            x: FloatTensor<Self>,
            weight: FloatTensor<Self>,
            bias: FloatTensor<Self>,
            options: Options,
        ) -> FloatTensor<Self> {
            match ConvBackward.prepare::<C>([x.node(), weight.node(), bias.node()]).compute_bound().stateful()
            {
                OpsKind::UnTracked(ops) => ops.finish(Flex::convolve(
                    x.into_primitive(),
                    weight.into_primitive(),
                    bias.into_primitive(),
                    options,
                )),
                OpsKind::Tracked(ops) => {
                    let [x, weight] = [x.into_primitive(), weight.into_primitive()];
                    let geometry = options.geometry;
                    let finish = options.finish;
                    let unpooled =
                        Options { finish: Finish { pool: false, ..finish }, kept: false, ..options };
                    let y = Flex::convolve(x.clone(), weight.clone(), bias.into_primitive(), unpooled);
                    let result = if finish.pool {
                        let y = Image::of(&y);
                        let (values, size) = cpu::max_pool2(&y.values, y.size);
                        image(values, size)
                    } else {
                        y.clone()
                    };
                    ops.finish(State { x, weight, y, geometry, finish }, result)
                }
            }
        }
    }

    #[derive(Debug)]
    struct ConvBackward;

    #[derive(Debug, Clone)]
    struct State {
        x: FlexTensor,
        weight: FlexTensor,
        /// Before pooling.
        y: FlexTensor,
        geometry: Geometry,
        finish: Finish<'static>,
    }

    impl Backward<Flex, 3> for ConvBackward {
        type State = State;

        fn backward(self, ops: Ops<State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
            cpu::keep_for_training();
            let given = grads.consume::<Flex>(&ops.node);
            let [node_x, node_weight, node_bias] = ops.parents;
            let State { x, weight, y, geometry, finish } = ops.state;
            let above = Image::of(&given);
            let size = Image::of(&y).size;
            let unfinished = match finish {
                Finish { pool: true, relu, .. } => {
                    Some(cpu::max_pool2_backward(&Image::of(&y).values, size, &above.values, relu))
                }
                Finish { relu: true, .. } => Some(cpu::relu_backward(&Image::of(&y).values, &above.values)),
                Finish { .. } => None,
            };
            let gradient = Image { size, values: unfinished.map_or(above.values, Values::Moved) };
            if let Some(node) = node_bias {
                let sums = cpu::bias_gradient(&gradient.values, gradient.size);
                grads.register::<Flex>(node.id, vector(sums));
            }
            if let Some(node) = node_weight {
                let x = Image::of(&x);
                let sums =
                    cpu::weight_gradient(&x.values, x.size, &gradient.values, gradient.size, &geometry);
                let shape = weight.layout().shape().dims::<4>();
                grads.register::<Flex>(node.id, tensor(Bytes::from_elems(sums), shape));
            }
            if let Some(node) = node_x {
                grads.register::<Flex>(node.id, input_gradient(&x, &weight, &gradient, &geometry));
            }
        }
    }

    fn input_gradient(
        x: &FlexTensor,
        weight: &FlexTensor,
        gradient: &Image<'_>,
        geometry: &Geometry,
    ) -> FlexTensor {
        let [images, channels, height, width] = x.layout().shape().dims();
        let size = Size { images, height, width, channels };
        let shape = weight.layout().shape().dims();
        let found =
            cpu::input_gradient(&gradient.values, gradient.size, &values(weight), shape, geometry, size);
        match found {
            Some(values) => image(values, size),
            // Dilations: Burn's own.
            None => Flex::conv2d_x_backward(
                x.clone(),
                weight.clone(),
                gradient.to_tensor(),
                crate::module::burn_options(geometry, 1),
            ),
        }
    }
}
