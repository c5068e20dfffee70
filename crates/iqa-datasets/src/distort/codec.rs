//! Compression (KADID-10k type 10).

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::{ImageFormat, ImageReader, RgbImage};

/// Type 10: through a JPEG file of this quality (1 to 100) and back.
///
/// # Panics
/// Never in practice: memory takes any file, and what was just encoded decodes.
pub(super) fn jpeg(image: &RgbImage, quality: u8) -> RgbImage {
    let mut file = Vec::new();
    let through = || -> Result<RgbImage, image::ImageError> {
        JpegEncoder::new_with_quality(&mut file, quality).encode_image(image)?;
        Ok(ImageReader::with_format(Cursor::new(&file), ImageFormat::Jpeg).decode()?.into_rgb8())
    };
    let mut through = through;
    through().unwrap_or_else(|error| panic!("a JPEG written to memory does not read back: {error}"))
}
