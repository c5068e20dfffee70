//! The forms in which a caller may have an image.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use image::{DynamicImage, GrayImage, Rgb, RgbImage, RgbaImage};
use iqa_core::{
    CoreError, DecodeOptions, decode_image, expected_bytes, expected_bytes_of, read_image, to_rgb8,
};
use ndarray::{Array3, ArrayView3};

/// What errors call an image that has no file.
const IN_MEMORY: &str = "image in memory";

/// An image in one of the forms a caller may have it in; made by `into()`.
///
/// | form | taken as |
/// |---|---|
/// | `&str`, `String`, `Path`, `PathBuf` | an image file |
/// | `&[u8]`, `Vec<u8>`, `include_bytes!` | the content of an image file |
/// | `RgbImage`, `GrayImage`, `RgbaImage`, `DynamicImage` | pixels; transparent ones as [`DecodeOptions::alpha`] says |
/// | `ArrayView3<u8>`, `ArrayView3<f32>` (and `&Array3`) | pixels, `[height, width, channel]` with 1 (grey) or 3 (RGB) channels; floats in `[0, 1]`, which are rounded to 8 bits |
///
/// Owned or borrowed: what is owned is kept, what is borrowed is not copied.
///
/// ```
/// use iqa_models::{Device, Scorer};
/// let scorer = Scorer::new("psnr", &Device::flex())?;
/// let reference = image::GrayImage::from_fn(32, 32, |x, y| image::Luma([(x * y) as u8]));
/// let distorted = ndarray::Array3::from_shape_fn((32, 32, 3), |(y, x, _)| (x * y) as u8 as f32 / 255.0);
/// assert_eq!(scorer.score_pair(&distorted, reference)?.value, 100.0); // dB, the same picture
/// # Ok::<(), iqa_models::ModelError>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ImageInput<'a> {
    /// An image file.
    Path(Cow<'a, Path>),
    /// The content of an image file.
    Bytes(Cow<'a, [u8]>),
    /// A decoded image of any kind.
    Dynamic(Cow<'a, DynamicImage>),
    /// RGB with 8 bits a channel.
    Rgb(Cow<'a, RgbImage>),
    /// `[height, width, channel]`, 8 bits a channel.
    Array(ArrayView3<'a, u8>),
    /// `[height, width, channel]`, values in `[0, 1]`.
    FloatArray(ArrayView3<'a, f32>),
}

/// A form that is taken as a variant as it is, owned and borrowed.
macro_rules! forms {
    ($($owned:ty, $borrowed:ty => $variant:ident;)*) => {$(
        impl From<$owned> for ImageInput<'_> {
            fn from(image: $owned) -> Self {
                Self::$variant(Cow::Owned(image))
            }
        }

        impl<'a> From<&'a $borrowed> for ImageInput<'a> {
            fn from(image: &'a $borrowed) -> Self {
                Self::$variant(Cow::Borrowed(image))
            }
        }
    )*};
}

forms! {
    PathBuf, Path => Path;
    Vec<u8>, [u8] => Bytes;
    DynamicImage, DynamicImage => Dynamic;
    RgbImage, RgbImage => Rgb;
}

/// Forms that are one of the others after a step.
macro_rules! forms_by {
    ($($form:ty, $image:ident => $made:expr;)*) => {$(
        impl<'a> From<$form> for ImageInput<'a> {
            fn from($image: $form) -> Self {
                $made
            }
        }
    )*};
}

forms_by! {
    &'a str, path => Path::new(path).into();
    &&'a str, path => (*path).into();
    String, path => PathBuf::from(path).into();
    &'a String, path => path.as_str().into();
    &'a PathBuf, path => path.as_path().into();
    &'a Vec<u8>, bytes => bytes.as_slice().into();
    GrayImage, image => DynamicImage::ImageLuma8(image).into();
    &GrayImage, image => image.clone().into();
    RgbaImage, image => DynamicImage::ImageRgba8(image).into();
    &RgbaImage, image => image.clone().into();
    ArrayView3<'a, u8>, array => Self::Array(array);
    ArrayView3<'a, f32>, array => Self::FloatArray(array);
    &'a Array3<u8>, array => Self::Array(array.view());
    &'a Array3<f32>, array => Self::FloatArray(array.view());
    &'a ImageInput<'a>, input => input.borrowed();
}

impl<'a, const N: usize> From<&'a [u8; N]> for ImageInput<'a> {
    fn from(bytes: &'a [u8; N]) -> Self {
        bytes.as_slice().into()
    }
}

impl ImageInput<'_> {
    /// The pixels, decoded where they are not.
    pub(crate) fn open(&self, decode: &DecodeOptions) -> Result<Cow<'_, RgbImage>, CoreError> {
        Ok(match self {
            Self::Path(path) => Cow::Owned(read_image(path, decode)?),
            Self::Bytes(bytes) => Cow::Owned(decode_image(bytes, IN_MEMORY, decode)?),
            Self::Dynamic(image) => match &**image {
                DynamicImage::ImageRgb8(image) => Cow::Borrowed(image),
                image => Cow::Owned(to_rgb8(image.clone(), IN_MEMORY, decode)?),
            },
            Self::Rgb(image) => Cow::Borrowed(image),
            Self::Array(array) => Cow::Owned(pixels(*array)?),
            Self::FloatArray(array) => {
                if let Some(value) = array.iter().find(|value| !(0.0..=1.0).contains(*value)) {
                    return Err(unsupported(format!("the value {value} (expected values from 0 to 1)")));
                }
                Cow::Owned(pixels(array.mapv(|value| (255.0 * value).round() as u8).view())?)
            }
        })
    }

    /// How many bytes of pixels [`Self::open`] will make, as far as that can be told before.
    pub(crate) fn expected_bytes(&self) -> Option<usize> {
        match self {
            Self::Path(path) => expected_bytes(path),
            Self::Bytes(bytes) => expected_bytes_of(bytes),
            Self::Dynamic(image) => Some(image.width() as usize * image.height() as usize * 3),
            Self::Rgb(_) => Some(0),
            Self::Array(array) => Some(array.len()),
            Self::FloatArray(array) => Some(array.len()),
        }
    }

    /// The file, if it is one.
    pub(crate) fn path(&self) -> Option<&Path> {
        if let Self::Path(path) = self { Some(path) } else { None }
    }

    /// The same image without its content.
    fn borrowed(&self) -> ImageInput<'_> {
        match self {
            Self::Path(path) => ImageInput::Path(Cow::Borrowed(path)),
            Self::Bytes(bytes) => ImageInput::Bytes(Cow::Borrowed(bytes)),
            Self::Dynamic(image) => ImageInput::Dynamic(Cow::Borrowed(image)),
            Self::Rgb(image) => ImageInput::Rgb(Cow::Borrowed(image)),
            Self::Array(array) => ImageInput::Array(array.reborrow()),
            Self::FloatArray(array) => ImageInput::FloatArray(array.reborrow()),
        }
    }
}

fn pixels(array: ArrayView3<'_, u8>) -> Result<RgbImage, CoreError> {
    let (height, width, channels) = array.dim();
    let size = (u32::try_from(width), u32::try_from(height));
    let (Ok(columns), Ok(rows), 1 | 3) = (size.0, size.1, channels) else {
        return Err(unsupported(format!(
            "an array of {height} x {width} x {channels} (expected height, width and 1 or 3 channels)"
        )));
    };
    let at = |x: u32, y: u32, channel| array[[y as usize, x as usize, channel]];
    Ok(RgbImage::from_fn(columns, rows, |x, y| {
        if channels == 1 { Rgb([at(x, y, 0); 3]) } else { Rgb([0, 1, 2].map(|channel| at(x, y, channel))) }
    }))
}

fn unsupported(what: String) -> CoreError {
    CoreError::Unsupported { path: IN_MEMORY.into(), what }
}
