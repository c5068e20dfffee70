//! TIFF.

use std::path::Path;

use image::{DynamicImage, ImageFormat};

use super::{DecodeOptions, decode_common};
use crate::CoreError;

/// Decodes a TIFF file, upright.
pub(super) fn decode(bytes: &[u8], name: &Path, options: &DecodeOptions) -> Result<DynamicImage, CoreError> {
    decode_common(bytes, ImageFormat::Tiff, name, options)
}
