//! A step of Adam on tensors.

use burn::tensor::Tensor;

use crate::cpu::AdamStep;

/// A parameter, its gradient, and the running means of the gradient and of its square.
pub type AdamTensors<const D: usize> = [Tensor<D>; 4];

/// A step of [`cpu::adam`](crate::cpu::adam): the parameter and both means after it, in the memory of those before where nobody
/// else needs it.
///
/// # Errors
/// The tensors themselves where the kernels do not serve them: on another backend than `flex`, or of another type.
///
/// # Panics
/// When the shapes are not the same.
#[allow(clippy::result_large_err, reason = "the tensors come back")]
pub fn adam<const D: usize>(
    tensors: AdamTensors<D>,
    step: &AdamStep,
) -> Result<[Tensor<D>; 3], AdamTensors<D>> {
    #[cfg(feature = "flex")]
    {
        use burn::tensor::{DType, Device};

        let served = |tensor: &Tensor<D>| tensor.dtype() == DType::F32 && tensor.device() == Device::flex();
        if tensors.iter().all(served) {
            return Ok(flex(tensors, step));
        }
    }
    let _ = step;
    Err(tensors)
}

#[cfg(feature = "flex")]
fn flex<const D: usize>(tensors: AdamTensors<D>, step: &AdamStep) -> [Tensor<D>; 3] {
    use crate::cpu::{self, AdamValues};

    let device = tensors[0].device();
    let [mut parameter, gradient, mut mean, mut square] = tensors.map(Tensor::into_data);
    let shapes = [&gradient, &mean, &square].map(|data| data.shape().clone());
    assert!(shapes.into_iter().all(|shape| shape == *parameter.shape()), "tensors of one shape");
    let float = "32-bit floats";
    let values = AdamValues {
        parameter: parameter.as_mut_slice().expect(float),
        gradient: gradient.as_slice().expect(float),
        mean: mean.as_mut_slice().expect(float),
        square: square.as_mut_slice().expect(float),
    };
    cpu::adam(values, step);
    [parameter, mean, square].map(|data| Tensor::from_data(data, &device))
}
