//! Max-pooling that keeps images channels-last.

use burn::tensor::Tensor;
use burn::tensor::ops::MaxPoolOptions;

/// The largest value under each square window of `side` pixels, `stride` apart, over a border of `padding` pixels in
/// which there is nothing: Burn's and PyTorch's `max_pool2d`.
///
/// Between convolutions of this crate it saves two changes of layout.
///
/// # Shapes
/// - `x`: `[n, channels, height, width]`
/// - returns `[n, channels, height_out, width_out]`, `height_out = (height + 2 * padding - side) / stride + 1`
///
/// # Panics
/// When `stride` is 0, or `padding` not less than `side`.
pub fn max_pool(x: Tensor<4>, side: usize, stride: usize, padding: usize) -> Tensor<4> {
    assert!(stride > 0 && padding < side, "a window that moves on and holds a pixel");
    #[cfg(feature = "flex")]
    if x.dtype() == burn::tensor::DType::F32 && crate::ops::serves(&x.device()) {
        let x = x.into_dispatch();
        let window = crate::cpu::Window { side, stride, padding };
        return Tensor::from_dispatch(<burn::backend::Dispatch as flex::PoolOps>::max_pool(x, window));
    }
    let options = MaxPoolOptions::new([side; 2]).with_stride([stride; 2]).with_padding([padding; 2]);
    burn::tensor::module::max_pool2d(x, options)
}

#[cfg(feature = "flex")]
mod flex {
    use burn::backend::tensor::FloatTensor;
    use burn::backend::{Backend, Flex, backend_extension};
    use burn_flex::FlexTensor;

    use crate::cpu::{self, Window};
    use crate::ops::{Image, image};

    /// The operation; see [`crate::ops::ConvOps`].
    #[backend_extension(Flex, Autodiff: cfg(feature = "autodiff"))]
    pub(super) trait PoolOps: Backend {
        fn max_pool(x: FloatTensor<Self>, window: Window) -> FloatTensor<Self>;
    }

    impl PoolOps for Flex {
        fn max_pool(x: FlexTensor, window: Window) -> FlexTensor {
            let x = Image::of(&x);
            let (values, size) = cpu::max_pool(&x.values, x.size, window);
            image(values, size)
        }
    }

    #[cfg(feature = "autodiff")]
    mod autodiff {
        use burn::backend::Autodiff;
        use burn::backend::autodiff::checkpoint::base::Checkpointer;
        use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
        use burn::backend::autodiff::grads::Gradients;
        use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};

        use super::*;

        impl<C: CheckpointStrategy> PoolOps for Autodiff<Flex, C> {
            fn max_pool(x: FloatTensor<Self>, window: Window) -> FloatTensor<Self> {
                match PoolBackward.prepare::<C>([x.node()]).compute_bound().stateful() {
                    OpsKind::UnTracked(ops) => ops.finish(Flex::max_pool(x.into_primitive(), window)),
                    OpsKind::Tracked(ops) => {
                        let x = x.into_primitive();
                        let pooled = Flex::max_pool(x.clone(), window);
                        ops.finish(State { x, pooled: pooled.clone(), window }, pooled)
                    }
                }
            }
        }

        #[derive(Debug)]
        struct PoolBackward;

        #[derive(Debug, Clone)]
        struct State {
            x: FlexTensor,
            pooled: FlexTensor,
            window: Window,
        }

        impl Backward<Flex, 1> for PoolBackward {
            type State = State;

            fn backward(self, ops: Ops<State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
                let gradient = grads.consume::<Flex>(&ops.node);
                let [node] = ops.parents;
                let Some(node) = node else { return };
                let (x, pooled) = (Image::of(&ops.state.x), Image::of(&ops.state.pooled));
                let values = cpu::max_pool_backward(
                    &x.values,
                    x.size,
                    &pooled.values,
                    &Image::of(&gradient).values,
                    ops.state.window,
                );
                grads.register::<Flex>(node.id, image(values, x.size));
            }
        }
    }
}
