//! What a model cannot work on, and the looks at it.

use burn::tensor::Tensor;
use iqa_core::ReferenceNeed;
use thiserror::Error;

/// Why an image has no score.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ScoreError {
    /// A full-reference model was given no reference.
    #[error("a full-reference model needs a reference image")]
    ReferenceMissing,
    /// A no-reference model was given a reference.
    #[error("a no-reference model takes no reference image")]
    ReferenceUnexpected,
    /// Distorted image and reference differ in size.
    #[error("the distorted image is {}x{} but its reference is {}x{}", distorted.0, distorted.1, reference.0, reference.1)]
    SizeMismatch {
        /// Width and height of the distorted image, in pixels.
        distorted: (u32, u32),
        /// Width and height of the reference, in pixels.
        reference: (u32, u32),
    },
    /// An image is smaller than the model takes.
    #[error("the image is {}x{}, the smallest this model takes is {}x{}", size.0, size.1, minimum.0, minimum.1)]
    TooSmall {
        /// Width and height of the image, in pixels.
        size: (u32, u32),
        /// Smallest width and height, in pixels.
        minimum: (u32, u32),
    },
    /// A tensor has another shape than `[n, 3, height, width]`.
    #[error("expected an image tensor {expected}, found the shape {found:?}")]
    TensorShape {
        /// What was expected.
        expected: &'static str,
        /// What was found.
        found: Vec<usize>,
    },
    /// The model's output is NaN or infinite.
    #[error("the score is not finite ({value})")]
    NonFiniteScore {
        /// The value.
        value: f64,
    },
}

/// That a reference is there if and only if it is needed.
///
/// # Errors
/// [`ScoreError::ReferenceMissing`], [`ScoreError::ReferenceUnexpected`].
pub fn check_reference(need: ReferenceNeed, given: bool) -> Result<(), ScoreError> {
    match (need, given) {
        (ReferenceNeed::FullReference, false) => Err(ScoreError::ReferenceMissing),
        (ReferenceNeed::NoReference, true) => Err(ScoreError::ReferenceUnexpected),
        _ => Ok(()),
    }
}

/// That an image has the size of its reference.
///
/// # Errors
/// [`ScoreError::SizeMismatch`].
pub fn check_sizes(distorted: (u32, u32), reference: (u32, u32)) -> Result<(), ScoreError> {
    if distorted == reference { Ok(()) } else { Err(ScoreError::SizeMismatch { distorted, reference }) }
}

/// That an image is not too small.
///
/// # Errors
/// [`ScoreError::TooSmall`].
pub fn check_minimum(size: (u32, u32), minimum: (u32, u32)) -> Result<(), ScoreError> {
    if size.0 < minimum.0 || size.1 < minimum.1 {
        return Err(ScoreError::TooSmall { size, minimum });
    }
    Ok(())
}

/// That tensors are batches of RGB images, the reference of the same shape; gives width and height.
///
/// # Errors
/// [`ScoreError::TensorShape`], [`ScoreError::SizeMismatch`].
pub fn check_tensors(distorted: &Tensor<4>, reference: Option<&Tensor<4>>) -> Result<(u32, u32), ScoreError> {
    let shape = distorted.dims();
    let [n, channels, height, width] = shape;
    if channels != 3 || n == 0 {
        return Err(ScoreError::TensorShape {
            expected: "[n, 3, height, width], n > 0",
            found: shape.to_vec(),
        });
    }
    let size = (width as u32, height as u32);
    if let Some(reference) = reference {
        let other = reference.dims();
        check_sizes(size, (other[3] as u32, other[2] as u32))?;
        if other[..2] != shape[..2] {
            return Err(ScoreError::TensorShape {
                expected: "of the reference as of the distorted image",
                found: other.to_vec(),
            });
        }
    }
    Ok(size)
}

/// That a score is a number.
///
/// # Errors
/// [`ScoreError::NonFiniteScore`].
pub fn check_finite(score: f64) -> Result<f64, ScoreError> {
    if score.is_finite() { Ok(score) } else { Err(ScoreError::NonFiniteScore { value: score }) }
}
