//! Pooling that keeps images channels-last.

use burn::tensor::Tensor;
use burn::tensor::module::{avg_pool2d, max_pool2d};
use burn::tensor::ops::{AvgPoolOptions, MaxPoolOptions};

#[cfg(feature = "flex")]
use crate::cpu::Window;

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
    check(side, stride, padding);
    #[cfg(feature = "flex")]
    if crate::ops::serves(&x) {
        return flex::pool(x, flex::Pooling::Max(Window { side, stride, padding }));
    }
    max_pool2d(x, MaxPoolOptions::new([side; 2]).with_stride([stride; 2]).with_padding([padding; 2]))
}

/// The mean under each square window of `side` pixels, `stride` apart, over a border of `padding` pixels of zeros, which
/// count: Burn's and PyTorch's `avg_pool2d`.
///
/// # Shapes
/// As [`max_pool`].
///
/// # Panics
/// As [`max_pool`].
pub fn average_pool(x: Tensor<4>, side: usize, stride: usize, padding: usize) -> Tensor<4> {
    check(side, stride, padding);
    #[cfg(feature = "flex")]
    if crate::ops::serves(&x) {
        return flex::pool(x, flex::Pooling::Average(Window { side, stride, padding }));
    }
    let options = AvgPoolOptions::new([side; 2]).with_stride([stride; 2]).with_padding([padding; 2]);
    avg_pool2d(x, options.with_count_include_pad(true))
}

fn check(side: usize, stride: usize, padding: usize) {
    assert!(stride > 0 && padding < side, "a window that moves on and holds a pixel");
}

#[cfg(feature = "flex")]
mod flex {
    use burn::backend::tensor::FloatTensor;
    use burn::backend::{Backend, Dispatch, Flex, backend_extension};
    use burn::tensor::Tensor;
    use burn_flex::FlexTensor;

    use crate::cpu::{self, Window};
    use crate::ops::{Image, image};

    /// What of a window is kept.
    #[derive(Debug, Clone, Copy)]
    pub(super) enum Pooling {
        Max(Window),
        Average(Window),
    }

    pub(super) fn pool(x: Tensor<4>, pooling: Pooling) -> Tensor<4> {
        Tensor::from_dispatch(<Dispatch as PoolOps>::pool(x.into_dispatch(), pooling))
    }

    /// The operation; see [`crate::ops::ConvOps`].
    #[backend_extension(Flex, Autodiff: cfg(feature = "autodiff"))]
    trait PoolOps: Backend {
        fn pool(x: FloatTensor<Self>, pooling: Pooling) -> FloatTensor<Self>;
    }

    impl PoolOps for Flex {
        fn pool(x: FlexTensor, pooling: Pooling) -> FlexTensor {
            let x = Image::of(&x);
            let (values, size) = match pooling {
                Pooling::Max(window) => cpu::max_pool(&x.values, x.size, window),
                Pooling::Average(window) => cpu::average_pool(&x.values, x.size, window),
            };
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
        use crate::cpu::Size;

        impl<C: CheckpointStrategy> PoolOps for Autodiff<Flex, C> {
            fn pool(x: FloatTensor<Self>, pooling: Pooling) -> FloatTensor<Self> {
                match PoolBackward.prepare::<C>([x.node()]).compute_bound().stateful() {
                    OpsKind::UnTracked(ops) => ops.finish(Flex::pool(x.into_primitive(), pooling)),
                    OpsKind::Tracked(ops) => {
                        let x = x.into_primitive();
                        let pooled = Flex::pool(x.clone(), pooling);
                        let state = match pooling {
                            Pooling::Max(window) => State::Max { x, pooled: pooled.clone(), window },
                            Pooling::Average(window) => State::Average { size: Image::of(&x).size, window },
                        };
                        ops.finish(state, pooled)
                    }
                }
            }
        }

        #[derive(Debug)]
        struct PoolBackward;

        #[derive(Debug, Clone)]
        #[allow(clippy::large_enum_variant, reason = "one a pooling")]
        enum State {
            Max { x: FlexTensor, pooled: FlexTensor, window: Window },
            Average { size: Size, window: Window },
        }

        impl Backward<Flex, 1> for PoolBackward {
            type State = State;

            fn backward(self, ops: Ops<State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
                let gradient = grads.consume::<Flex>(&ops.node);
                let [node] = ops.parents;
                let Some(node) = node else { return };
                let gradient = Image::of(&gradient);
                let (values, size) = match &ops.state {
                    State::Max { x, pooled, window } => {
                        let (x, pooled) = (Image::of(x), Image::of(pooled));
                        let (before, after) = (&x.values, &pooled.values);
                        (cpu::max_pool_backward(before, x.size, after, &gradient.values, *window), x.size)
                    }
                    State::Average { size, window } => {
                        (cpu::average_pool_backward(*size, &gradient.values, *window), *size)
                    }
                };
                grads.register::<Flex>(node.id, image(values, size));
            }
        }
    }
}
