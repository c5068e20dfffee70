//! The sum at the end of a residual block.

use burn::tensor::Tensor;
use burn::tensor::activation::relu;

/// `relu(x + identity)` in one pass, channels-last between convolutions of this crate.
///
/// # Shapes
/// - `x`, `identity`: `[n, channels, height, width]`; returns the same
///
/// # Panics
/// When the shapes are not the same.
pub fn add_relu(x: Tensor<4>, identity: Tensor<4>) -> Tensor<4> {
    assert_eq!(x.dims(), identity.dims(), "a sum of images of one shape");
    #[cfg(feature = "flex")]
    if crate::ops::serves(&x) && crate::ops::serves(&identity) {
        return flex::add_relu(x, identity);
    }
    relu(x + identity)
}

#[cfg(feature = "flex")]
mod flex {
    use burn::backend::tensor::FloatTensor;
    use burn::backend::{Backend, Dispatch, Flex, backend_extension};
    use burn::tensor::Tensor;
    use burn_flex::FlexTensor;

    use crate::cpu;
    use crate::ops::{Image, image};

    pub(super) fn add_relu(x: Tensor<4>, identity: Tensor<4>) -> Tensor<4> {
        let [x, identity] = [x.into_dispatch(), identity.into_dispatch()];
        Tensor::from_dispatch(<Dispatch as ResidualOps>::add_relu(x, identity))
    }

    /// The operation; see [`crate::ops::ConvOps`].
    #[backend_extension(Flex, Autodiff: cfg(feature = "autodiff"))]
    trait ResidualOps: Backend {
        fn add_relu(x: FloatTensor<Self>, identity: FloatTensor<Self>) -> FloatTensor<Self>;
    }

    impl ResidualOps for Flex {
        fn add_relu(x: FlexTensor, identity: FlexTensor) -> FlexTensor {
            let (x, identity) = (Image::of(&x), Image::of(&identity));
            image(cpu::add_relu(&x.values, &identity.values), x.size)
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

        impl<C: CheckpointStrategy> ResidualOps for Autodiff<Flex, C> {
            fn add_relu(x: FloatTensor<Self>, identity: FloatTensor<Self>) -> FloatTensor<Self> {
                let nodes = [x.node(), identity.node()];
                let y = Flex::add_relu(x.into_primitive(), identity.into_primitive());
                match AddReluBackward.prepare::<C>(nodes).compute_bound().stateful() {
                    OpsKind::UnTracked(ops) => ops.finish(y),
                    OpsKind::Tracked(ops) => ops.finish(y.clone(), y),
                }
            }
        }

        #[derive(Debug)]
        struct AddReluBackward;

        impl Backward<Flex, 2> for AddReluBackward {
            type State = FlexTensor;

            fn backward(self, ops: Ops<FlexTensor, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
                let above = grads.consume::<Flex>(&ops.node);
                let (y, above) = (Image::of(&ops.state), Image::of(&above));
                // The same for both terms.
                let gradient = image(cpu::relu_backward(&y.values, &above.values), y.size);
                for node in ops.parents.into_iter().flatten() {
                    grads.register::<Flex>(node.id, gradient.clone());
                }
            }
        }
    }
}
