//! Between 8-bit images and tensors.

use burn::tensor::{Device, Tensor, TensorData};
use image::{Rgb, RgbImage};

use crate::NnError;

/// An image as a tensor.
///
/// # Shapes
/// - returns `[1, 3, height, width]`, RGB in `[0, 1]`
pub fn image_to_tensor(image: &RgbImage, device: &Device) -> Tensor<4> {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let plane = width * height;
    let mut values = vec![0f32; 3 * plane];
    for (index, pixel) in image.as_raw().chunks_exact(3).enumerate() {
        for (channel, &value) in pixel.iter().enumerate() {
            values[channel * plane + index] = f32::from(value) / 255.0;
        }
    }
    Tensor::from_data(TensorData::new(values, [1, 3, height, width]), device)
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
