//! A Burn device by name.

use burn::tensor::Device;

use crate::CoreError;

/// A backend this workspace can be built with.
struct Backend {
    name: &'static str,
    feature: &'static str,
    /// `None` where the backend was not compiled in.
    open: Option<fn() -> Device>,
}

macro_rules! backend {
    ($name:literal, $feature:literal, $open:expr) => {
        Backend {
            name: $name,
            feature: $feature,
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
    backend!("flex", "flex", Device::flex),
    backend!("wgpu", "wgpu", || Device::wgpu(burn::tensor::DeviceKind::DefaultDevice)),
    backend!("libtorch", "tch", Device::libtorch),
    backend!("libtorch-cuda", "tch", || Device::libtorch_cuda(0)),
    backend!("cuda", "cuda", || Device::cuda(0)),
];

/// The names of the devices compiled into this build.
///
/// ```
/// let names = iqa_core::available_devices();
/// assert!(names.iter().all(|name| iqa_core::DEVICE_NAMES.contains(name)));
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
/// [`CoreError::UnknownDevice`] for a name that is not in the table;
/// [`CoreError::DeviceNotCompiled`] for one whose feature is off.
pub fn device_by_name(name: &str) -> Result<Device, CoreError> {
    let Some(backend) = BACKENDS.iter().find(|backend| backend.name == name) else {
        return Err(CoreError::UnknownDevice { name: name.into(), known: DEVICE_NAMES.to_vec() });
    };
    match backend.open {
        Some(open) => Ok(open()),
        None => Err(CoreError::DeviceNotCompiled {
            name: backend.name,
            feature: backend.feature,
            available: available_devices(),
        }),
    }
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

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn a_device_left_out_names_its_feature() {
        let message = device_by_name("cuda").expect_err("not compiled in").to_string();
        assert!(message.contains("--features cuda"), "{message}");
    }
}
