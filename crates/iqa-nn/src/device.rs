//! A Burn device by name.

use std::panic;

use burn::tensor::{DType, Device, FloatDType, Tensor};

use iqa_core::panics;

use crate::NnError;

/// A backend this workspace can be built with.
struct Backend {
    name: &'static str,
    feature: &'static str,
    /// What the computer must have, for messages.
    needs: &'static str,
    /// `None` where the backend was not compiled in.
    open: Option<fn() -> Device>,
}

macro_rules! backend {
    ($name:literal, $feature:literal, $needs:literal, $open:expr) => {
        Backend {
            name: $name,
            feature: $feature,
            needs: $needs,
            #[cfg(feature = $feature)]
            open: Some($open),
            #[cfg(not(feature = $feature))]
            open: None,
        }
    };
}

// `burn-tch` leaves Burn in 0.23; it stays here as long as 0.22 is pinned.
#[cfg_attr(feature = "tch", allow(deprecated))]
/// In the order of preference for messages: CPU first.
const BACKENDS: &[Backend] = &[
    backend!("flex", "flex", "nothing", Device::flex),
    backend!("wgpu", "wgpu", "a Vulkan, Metal or DirectX 12 driver", || {
        Device::wgpu(burn::tensor::DeviceKind::DefaultDevice)
    }),
    backend!("libtorch", "tch", "libtorch 2.9.0", Device::libtorch),
    backend!("libtorch-cuda", "tch", "an NVIDIA GPU with its driver, and libtorch 2.9.0 with CUDA", || {
        Device::libtorch_cuda(0)
    }),
    backend!("cuda", "cuda", "an NVIDIA GPU with its driver, and the CUDA toolkit", || Device::cuda(0)),
];

/// The names of the devices compiled into this build.
///
/// ```
/// let names = iqa_nn::available_devices();
/// assert!(names.iter().all(|name| iqa_nn::DEVICE_NAMES.contains(name)));
/// ```
pub fn available_devices() -> Vec<&'static str> {
    BACKENDS.iter().filter(|backend| backend.open.is_some()).map(|backend| backend.name).collect()
}

/// Every device name that some build of this crate knows.
pub const DEVICE_NAMES: [&str; 5] = ["flex", "wgpu", "libtorch", "libtorch-cuda", "cuda"];

/// The device of that name.
///
/// | name | what runs | Cargo feature of `iqa-models` | needs |
/// |---|---|---|---|
/// | `flex` | CPU, pure Rust | `flex` (default) | nothing |
/// | `wgpu` | GPU through WebGPU | `wgpu` | a Vulkan, Metal or DirectX 12 driver |
/// | `libtorch` | CPU through PyTorch's C++ library | `tch` | libtorch 2.9.0 |
/// | `libtorch-cuda` | NVIDIA GPU through PyTorch's C++ library | `tch` | libtorch 2.9.0 with CUDA |
/// | `cuda` | NVIDIA GPU, Burn's own kernels | `cuda` | the CUDA toolkit |
///
/// # Errors
/// [`NnError::UnknownDevice`] for a name that is not in the table;
/// [`NnError::DeviceNotCompiled`] for one whose feature is off; [`NnError::DeviceUnavailable`] where a tensor cannot
/// be made on it and read back.
pub fn device_by_name(name: &str) -> Result<Device, NnError> {
    find(name, None)
}

/// The device of that name, on which all that is made from now on is of another type than `f32`: images, and models
/// opened on it. Half precision is for scoring, not for training.
///
/// On `flex` in bf16 the products of convolutions are of bf16 values, and all else is `f32`; the processor must have
/// instructions for it (AMX-BF16, AVX512-BF16).
///
/// Holds for the whole process, and only once for a device: before anything was made on it.
///
/// # Errors
/// As [`device_by_name`]; [`NnError::DeviceUnavailable`] also where the device does not compute in that type or is in
/// use with another.
pub fn device_with_float(name: &str, float: FloatDType) -> Result<Device, NnError> {
    find(name, Some(float))
}

fn find(name: &str, float: Option<FloatDType>) -> Result<Device, NnError> {
    let Some(backend) = BACKENDS.iter().find(|backend| backend.name == name) else {
        return Err(NnError::UnknownDevice { name: name.into(), known: DEVICE_NAMES.to_vec() });
    };
    match backend.open {
        Some(open) => probe(backend, open, float),
        None => Err(NnError::DeviceNotCompiled {
            name: backend.name,
            feature: backend.feature,
            available: available_devices(),
        }),
    }
}

/// Makes a tensor on the device and reads it back. Backends panic where there is no such device.
fn probe(backend: &Backend, open: fn() -> Device, float: Option<FloatDType>) -> Result<Device, NnError> {
    if backend.name == "flex" && float.is_none() {
        return Ok(open());
    }
    #[cfg(feature = "flex")]
    if backend.name == "flex" && float == Some(FloatDType::BF16) {
        // Of Burn's own arithmetic bf16 would be a slower f32.
        return match iqa_kernels::multiply_in_bf16() {
            Ok(()) => Ok(open()),
            Err(error) => Err(NnError::DeviceUnavailable {
                name: backend.name,
                reason: error.to_string(),
                needs: "AMX-BF16 or AVX512-BF16 for bf16; f32 runs everywhere",
            }),
        };
    }
    // What a backend has to say goes into the error, and not to standard error at great length too; on no thread, as some
    // backends have their own.
    let guard = panics::hook();
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let found = panic::catch_unwind(|| {
        let mut device = open();
        if let Some(float) = float {
            if !device.supports_dtype(float) {
                let reason = format!("it does not compute in {:?}", DType::from(float));
                return Err((reason, "a type that it computes in; all compute in F32"));
            }
            device.configure(float).map_err(|error| (error.to_string(), backend.needs))?;
        }
        let value = Tensor::<1>::ones([1], &device).into_data().iter::<f32>().next();
        if value == Some(1.0) {
            Ok(device)
        } else {
            Err(("it does not give back what is written to it".into(), backend.needs))
        }
    });
    panic::set_hook(hook);
    drop(guard);
    let (reason, needs) = match found {
        Ok(Ok(device)) => return Ok(device),
        Ok(Err(refused)) => refused,
        Err(payload) => (panics::reason(&*payload), backend.needs),
    };
    Err(NnError::DeviceUnavailable { name: backend.name, reason, needs })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_list_is_the_table() {
        assert!(BACKENDS.iter().map(|backend| backend.name).eq(DEVICE_NAMES));
    }

    #[test]
    fn an_unknown_device_is_an_error_that_lists_the_known_ones() {
        let message = device_by_name("tpu").expect_err("no such device").to_string();
        assert!(message.contains("`tpu`") && message.contains("libtorch"), "{message}");
    }

    /// Where a build has devices beside `flex`, each can be used or says why not.
    #[test]
    fn a_device_that_is_not_there_is_an_error() {
        for name in available_devices() {
            if let Err(error) = device_by_name(name) {
                assert!(matches!(error, NnError::DeviceUnavailable { .. }), "{error}");
            }
        }
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn a_device_left_out_names_its_feature() {
        let message = device_by_name("cuda").expect_err("not compiled in").to_string();
        assert!(message.contains("--features cuda"), "{message}");
    }
}
