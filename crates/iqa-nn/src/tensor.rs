//! Between 8-bit images and tensors.

use burn::backend::DispatchDevice;
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use image::{Rgb, RgbImage};

use crate::NnError;

/// An image as a tensor.
///
/// # Shapes
/// - returns `[1, 3, height, width]`, RGB in `[0, 1]`
pub fn image_to_tensor(image: &RgbImage, device: &Device) -> Tensor<4> {
    pixels_to_tensor(image.as_raw(), [image.height() as usize, image.width() as usize], device)
}

/// Rows of 8-bit RGB pixels as a tensor; as bytes on their way to a device that [takes them](takes_bytes).
///
/// # Shapes
/// - `pixels`: `height * width * 3`, row by row, of `[height, width]`
/// - returns `[1, 3, height, width]`, RGB in `[0, 1]`
///
/// # Panics
/// When there are more or fewer pixels.
pub fn pixels_to_tensor(pixels: &[u8], [height, width]: [usize; 2], device: &Device) -> Tensor<4> {
    let shape = [1, height, width, 3];
    let tensor: Tensor<4> = if takes_bytes(device) {
        let bytes = TensorData::new(pixels.to_vec(), shape);
        Tensor::<4, Int>::from_data(bytes, (device, DType::U8)).float() / 255.0
    } else {
        let values: Vec<f32> = pixels.iter().map(|&value| f32::from(value) / 255.0).collect();
        Tensor::from_data(TensorData::new(values, shape), device)
    };
    // Channels last in memory, as in the image, and as convolutions like it best.
    tensor.permute([0, 3, 1, 2])
}

/// Whether pixels go to the device as bytes, and become floats there: a quarter of what is copied. `flex` computes where the
/// pixels are, and WebGPU's shaders know no bytes.
pub fn takes_bytes(device: &Device) -> bool {
    match device.clone().without_autodiff().as_dispatch() {
        #[cfg(feature = "flex")]
        DispatchDevice::Flex(_) => false,
        // It takes them, though it says of itself that it does not.
        #[cfg(feature = "tch")]
        DispatchDevice::LibTorch(_) => true,
        #[allow(unreachable_patterns, reason = "depends on the features")]
        _ => device.supports_dtype(DType::U8),
    }
}

/// A tensor as an image: clamped to `[0, 1]` and rounded to 8 bits; NaN becomes black.
///
/// # Shapes
/// - `tensor`: `[1, 3, height, width]`
///
/// # Errors
/// [`NnError::ImageTensorShape`] for another shape.
pub fn tensor_to_image(tensor: Tensor<4>) -> Result<RgbImage, NnError> {
    let shape = tensor.dims();
    let [1, 3, height, width] = shape else {
        return Err(NnError::ImageTensorShape { found: shape.to_vec() });
    };
    let values: Vec<f32> = tensor.into_data().iter::<f32>().collect();
    let plane = width * height;
    let byte = |value: f32| (value.clamp(0.0, 1.0) * 255.0).round() as u8;
    Ok(RgbImage::from_fn(width as u32, height as u32, |x, y| {
        let at = y as usize * width + x as usize;
        Rgb([byte(values[at]), byte(values[plane + at]), byte(values[2 * plane + at])])
    }))
}
