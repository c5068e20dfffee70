//! The forms in which a caller may have an image.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use image::{DynamicImage, RgbImage};
use iqa_core::{CoreError, DecodeOptions, decode_image, read_image, to_rgb8};

/// An image in one of the forms a caller may have it in.
#[derive(Clone, Debug)]
pub enum ImageInput<'a> {
    /// An image file.
    Path(Cow<'a, Path>),
    /// The content of an image file.
    Bytes(&'a [u8]),
    /// A decoded image of any kind.
    Dynamic(&'a DynamicImage),
    /// RGB with 8 bits a channel.
    Rgb(&'a RgbImage),
}

impl<'a> From<&'a Path> for ImageInput<'a> {
    fn from(path: &'a Path) -> Self {
        Self::Path(path.into())
    }
}

impl<'a> From<&'a PathBuf> for ImageInput<'a> {
    fn from(path: &'a PathBuf) -> Self {
        Self::Path(path.as_path().into())
    }
}

impl<'a> From<&'a str> for ImageInput<'a> {
    fn from(path: &'a str) -> Self {
        Self::Path(Path::new(path).into())
    }
}

impl<'a> From<&'a [u8]> for ImageInput<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Bytes(bytes)
    }
}

impl<'a> From<&'a Vec<u8>> for ImageInput<'a> {
    fn from(bytes: &'a Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

impl<'a> From<&'a DynamicImage> for ImageInput<'a> {
    fn from(image: &'a DynamicImage) -> Self {
        Self::Dynamic(image)
    }
}

impl<'a> From<&'a RgbImage> for ImageInput<'a> {
    fn from(image: &'a RgbImage) -> Self {
        Self::Rgb(image)
    }
}

impl ImageInput<'_> {
    /// The pixels, decoded where they are not.
    pub(crate) fn open(&self, decode: &DecodeOptions) -> Result<Cow<'_, RgbImage>, CoreError> {
        Ok(match self {
            Self::Path(path) => Cow::Owned(read_image(path, decode)?),
            Self::Bytes(bytes) => Cow::Owned(decode_image(bytes, "image in memory", decode)?),
            Self::Dynamic(DynamicImage::ImageRgb8(image)) => Cow::Borrowed(image),
            Self::Dynamic(image) => Cow::Owned(to_rgb8((*image).clone(), "image in memory", decode)?),
            Self::Rgb(image) => Cow::Borrowed(*image),
        })
    }
}
