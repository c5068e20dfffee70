//! Pictures that lie in a page.

use image::codecs::jpeg::JpegEncoder;
use image::imageops::thumbnail;
use image::{ImageEncoder, ImageError, RgbImage};

/// Longest side of a thumbnail in pixels.
pub const MAX_SIDE: u32 = 160;

const QUALITY: u8 = 75;

/// An encoded picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// `image/jpeg`, say.
    pub(super) mime: &'static str,
    pub(super) bytes: Vec<u8>,
    /// Width and height in pixels.
    pub(super) size: (u32, u32),
    /// What it shows, for those who do not see it.
    pub alt: String,
}

impl Picture {
    /// A JPEG of at most [`MAX_SIDE`] pixels a side; a smaller picture keeps its size.
    ///
    /// # Errors
    /// [`ImageError`] for a picture without pixels.
    pub fn thumbnail(image: &RgbImage, alt: impl Into<String>) -> Result<Self, ImageError> {
        let (width, height) = image.dimensions();
        let longest = width.max(height);
        let small;
        let image = if longest > MAX_SIDE {
            let side = |side: u32| {
                let shrunk = u64::from(side) * u64::from(MAX_SIDE) / u64::from(longest);
                (shrunk as u32).max(1)
            };
            small = thumbnail(image, side(width), side(height));
            &small
        } else {
            image
        };
        let mut bytes = Vec::new();
        let (width, height) = image.dimensions();
        let encoder = JpegEncoder::new_with_quality(&mut bytes, QUALITY);
        encoder.write_image(image.as_raw(), width, height, image::ExtendedColorType::Rgb8)?;
        Ok(Self { mime: "image/jpeg", bytes, size: (width, height), alt: alt.into() })
    }
}
