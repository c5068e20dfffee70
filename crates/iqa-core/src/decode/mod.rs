//! From an image file to 8-bit RGB.

use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read, Seek};
use std::ops::RangeInclusive;
use std::path::Path;

use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, Rgb, RgbImage};

use self::profile::note_profile;
use crate::CoreError;
use crate::panics::{quietly, reason};

mod exif;
mod jpeg;
mod profile;
mod tiff;
mod webp;

pub use profile::ignored_profile;

/// What becomes of transparent pixels. Alpha of a BMP file that is 0 throughout is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlphaPolicy {
    /// They are laid over this RGB colour, in the stored (sRGB) values.
    Composite([u8; 3]),
    /// An image with an alpha channel is an error, even where it is opaque throughout.
    Refuse,
}

/// How files are decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeOptions {
    /// What becomes of transparent pixels; white shows through by default.
    pub alpha: AlphaPolicy,
    /// Largest image decoded, in pixels: a guard against small files that claim to be huge. 200 million by default.
    pub max_pixels: u64,
}

impl Default for DecodeOptions {
    fn default() -> Self {
        Self { alpha: AlphaPolicy::Composite([255; 3]), max_pixels: 200_000_000 }
    }
}

/// The formats read, told by content.
const FORMATS: [ImageFormat; 5] =
    [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Bmp, ImageFormat::Tiff, ImageFormat::WebP];
/// Bytes that tell the format.
const SIGNATURE_BYTES: u64 = 64;
/// Bytes of the widest pixel a decoder may hand out: RGBA of 32-bit floats.
const WIDEST_PIXEL: u64 = 16;
/// Memory allowed beyond the pixels, for a decoder's tables.
const SPARE_BYTES: u64 = 64 << 20;
/// Bytes of a JPEG file in which its size is looked for, without decoding it: profiles and thumbnails stand before it.
const JPEG_HEADER_BYTES: u64 = 1 << 20;
/// Characters of a decoder's reason that an error keeps.
const LONGEST_REASON: usize = 200;

/// Floats that are clamped to `[0, 1]`, as sharpening and resampling leave them. What is farther off is no picture of that
/// range: one of 0 to 255 would be white throughout.
const FLOATS: RangeInclusive<f64> = -0.5..=1.5;

/// Why a file is not read, without its name.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Truncated,
    Damaged(&'static str),
    Unsupported(&'static str),
}

impl Fault {
    fn of(self, name: &Path) -> CoreError {
        match self {
            Self::Truncated => CoreError::Truncated { path: name.into() },
            Self::Damaged(reason) => failed(name, reason),
            Self::Unsupported(what) => CoreError::Unsupported { path: name.into(), what: what.into() },
        }
    }
}

/// Reads an image file as RGB with 8 bits a channel.
///
/// PNG, JPEG, BMP, TIFF and WebP, told by content and not by name. Grey becomes RGB; 16 bits are rounded to 8; floats
/// are taken for 0 (black) to 1 (white), up to a half outside is clamped, farther outside refused; alpha follows
/// [`AlphaPolicy`]; an EXIF orientation is applied, wherever the format lets it stand; a colour profile is not (see
/// [`ignored_profile`]). Of several pictures in a file the first is read.
///
/// JPEG files give the pixels of libjpeg-turbo. What it warns of as corrupt is an error: entropy-coded data that are
/// damaged, missing or too many, scans that do not follow from one another; so is a progression that ends before its last
/// scans. Arithmetic coding, lossless and hierarchical JPEG and 12 bits are [`CoreError::Unsupported`].
///
/// A panic in a decoder is a [`CoreError::Decode`], unless the program is built to abort on panics. The first call puts
/// a panic hook before the one in force, which keeps such a panic off standard error and passes on all others.
///
/// # Errors
/// [`CoreError::Io`], [`CoreError::UnknownFormat`], [`CoreError::Unsupported`], [`CoreError::Decode`],
/// [`CoreError::Truncated`], [`CoreError::TooLarge`], [`CoreError::AlphaRefused`], [`CoreError::EmptyImage`],
/// [`CoreError::NonFinite`], [`CoreError::FloatRange`]; each names the file.
pub fn read_image(path: impl AsRef<Path>, options: &DecodeOptions) -> Result<RgbImage, CoreError> {
    let path = path.as_ref();
    let at = |source| CoreError::Io { path: path.into(), source };
    let mut file = File::open(path).map_err(at)?;
    let mut bytes = Vec::new();
    file.by_ref().take(SIGNATURE_BYTES).read_to_end(&mut bytes).map_err(at)?;
    // What is no image is not read to its end, which may be far.
    format_of(&bytes, path)?;
    file.read_to_end(&mut bytes).map_err(at)?;
    decode_image(&bytes, path, options)
}

/// How many bytes the pixels will take that [`read_image`] decodes or gives, whichever are more, by the header of the file; none
/// where that does not tell, and of what is no regular file: a pipe can be read only once.
pub fn expected_bytes(path: impl AsRef<Path>) -> Option<usize> {
    let path = path.as_ref();
    // A pipe would wait for its writer.
    let mut file = path.is_file().then(|| File::open(path).ok()).flatten()?;
    let mut head = Vec::new();
    file.by_ref().take(SIGNATURE_BYTES).read_to_end(&mut head).ok()?;
    match format_of(&head, path).ok()? {
        ImageFormat::Jpeg => {
            // Its decoder would read all of the file.
            file.take(JPEG_HEADER_BYTES).read_to_end(&mut head).ok()?;
            expected(Cursor::new(head), ImageFormat::Jpeg)
        }
        format => {
            file.rewind().ok()?;
            expected(BufReader::new(file), format)
        }
    }
}

/// The same of an image in memory.
pub fn expected_bytes_of(bytes: &[u8]) -> Option<usize> {
    expected(Cursor::new(bytes), format_of(bytes, Path::new("")).ok()?)
}

fn expected(reader: impl BufRead + Seek, format: ImageFormat) -> Option<usize> {
    let sizes = quietly(|| {
        let decoder = reader_of(reader, format).into_decoder().ok()?;
        Some((decoder.dimensions(), decoder.total_bytes()))
    });
    let ((width, height), decoded) = sizes.ok().flatten()?;
    let given = u64::from(width).checked_mul(u64::from(height))?.checked_mul(3)?;
    usize::try_from(decoded.max(given)).ok()
}

/// Within bounds of memory for what comes before the pixels, such as a colour profile that unpacks to gigabytes.
fn reader_of<R: BufRead + Seek>(content: R, format: ImageFormat) -> ImageReader<R> {
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(SPARE_BYTES);
    let mut reader = ImageReader::with_format(content, format);
    reader.limits(limits);
    reader
}

fn format_of(bytes: &[u8], name: &Path) -> Result<ImageFormat, CoreError> {
    if bytes.starts_with(b"II\x2b\0") || bytes.starts_with(b"MM\0\x2b") {
        // BigTIFF, which the `image` crate does not tell.
        return Ok(ImageFormat::Tiff);
    }
    image::guess_format(bytes)
        .ok()
        .filter(|format| FORMATS.contains(format))
        .ok_or_else(|| CoreError::UnknownFormat { path: name.into() })
}

/// Decodes an image in memory; `name` is what errors call it. Otherwise as [`read_image`].
///
/// # Errors
/// As [`read_image`].
pub fn decode_image(
    bytes: &[u8],
    name: impl AsRef<Path>,
    options: &DecodeOptions,
) -> Result<RgbImage, CoreError> {
    let name = name.as_ref();
    let format = format_of(bytes, name)?;
    let image = guarded(name, || match format {
        ImageFormat::Jpeg => jpeg::decode(bytes, name, options),
        ImageFormat::Tiff => tiff::decode(bytes, name, options),
        ImageFormat::WebP => webp::decode(bytes, name, options),
        ImageFormat::Bmp => decode_common(bytes, format, name, options).map(without_empty_alpha),
        format => decode_common(bytes, format, name, options),
    })?;
    to_rgb8(image, name, options)
}

/// A decoder that panics costs its file and no more.
fn guarded<T>(name: &Path, decode: impl FnOnce() -> Result<T, CoreError>) -> Result<T, CoreError> {
    quietly(decode)
        .unwrap_or_else(|payload| Err(failed(name, format!("the decoder failed: {}", reason(&*payload)))))
}

/// Decodes with the `image` crate, within bounds of memory, and turns the picture upright.
fn decode_common(
    bytes: &[u8],
    format: ImageFormat,
    name: &Path,
    options: &DecodeOptions,
) -> Result<DynamicImage, CoreError> {
    let failed = |source| failed(name, source);
    let mut decoder = reader_of(Cursor::new(bytes), format).into_decoder().map_err(failed)?;
    let (width, height) = decoder.dimensions();
    check_size(width, height, name, options)?;
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(u64::from(width) * u64::from(height) * WIDEST_PIXEL + SPARE_BYTES);
    decoder.set_limits(limits).map_err(failed)?;
    // Before decoding: not every decoder gives it afterwards.
    let exif = decoder.exif_metadata().map_err(failed)?;
    let exif = match format {
        ImageFormat::Png if exif.is_none() => exif::of_png(bytes),
        _ => exif.as_deref(),
    };
    let orientation = exif.and_then(exif::orientation);
    // A profile that cannot be read changes nothing.
    if let Ok(Some(profile)) = decoder.icc_profile() {
        note_profile(&profile, name);
    }
    let mut image = DynamicImage::from_decoder(decoder).map_err(failed)?;
    if let Some(orientation) = orientation {
        image.apply_orientation(orientation);
    }
    Ok(image)
}

/// A BMP picture without its alpha where that is 0 throughout: writers leave the byte empty in spite of a mask for it, and
/// Pillow and OpenCV look at none.
fn without_empty_alpha(image: DynamicImage) -> DynamicImage {
    match image {
        DynamicImage::ImageRgba8(pixels) if pixels.pixels().all(|pixel| pixel.0[3] == 0) => {
            DynamicImage::from(DynamicImage::from(pixels).into_rgb8())
        }
        image => image,
    }
}

/// Refuses a picture without pixels or with too many.
fn check_size(width: u32, height: u32, name: &Path, options: &DecodeOptions) -> Result<(), CoreError> {
    if width == 0 || height == 0 {
        return Err(CoreError::EmptyImage { path: name.into() });
    }
    if u64::from(width) * u64::from(height) > options.max_pixels {
        return Err(CoreError::TooLarge { path: name.into(), width, height, max_pixels: options.max_pixels });
    }
    Ok(())
}

/// A decoder's error, in bounds: some print a whole table of the file.
fn failed(name: &Path, source: impl Into<Box<dyn Error + Send + Sync>>) -> CoreError {
    let mut source = source.into();
    let text = source.to_string();
    if let Some((end, _)) = text.char_indices().nth(LONGEST_REASON) {
        source = format!("{}...", &text[..end]).into();
    }
    CoreError::Decode { path: name.into(), source }
}

/// Converts a decoded image to RGB with 8 bits a channel, as [`read_image`] does; no copy where it is that already.
///
/// # Errors
/// [`CoreError::AlphaRefused`], [`CoreError::EmptyImage`], [`CoreError::NonFinite`], [`CoreError::FloatRange`].
pub fn to_rgb8(
    image: DynamicImage,
    name: impl AsRef<Path>,
    options: &DecodeOptions,
) -> Result<RgbImage, CoreError> {
    let name = name.as_ref();
    if image.width() == 0 || image.height() == 0 {
        return Err(CoreError::EmptyImage { path: name.into() });
    }
    let floats: &[f32] = match &image {
        DynamicImage::ImageRgb32F(pixels) => pixels.as_raw(),
        DynamicImage::ImageRgba32F(pixels) => pixels.as_raw(),
        _ => &[],
    };
    match floats.iter().map(|&value| f64::from(value)).find(|value| !FLOATS.contains(value)) {
        None => {}
        Some(value) if value.is_finite() => return Err(CoreError::FloatRange { path: name.into(), value }),
        Some(_) => return Err(CoreError::NonFinite { path: name.into() }),
    }
    if !image.color().has_alpha() {
        return Ok(image.into_rgb8());
    }
    match options.alpha {
        AlphaPolicy::Refuse => Err(CoreError::AlphaRefused { path: name.into() }),
        AlphaPolicy::Composite(background) => {
            let image = image.into_rgba16();
            Ok(RgbImage::from_fn(image.width(), image.height(), |x, y| {
                let pixel = image.get_pixel(x, y).0;
                Rgb(std::array::from_fn(|channel| {
                    over(u64::from(pixel[channel]) * u64::from(pixel[3]), pixel[3], background[channel])
                }))
            }))
        }
    }
}

/// A colour over a background. `colour` is times its alpha, both of 16 bits; rounded once.
fn over(colour: u64, alpha: u16, background: u8) -> u8 {
    // 257 takes a byte to 16 bits and back.
    let under = u64::from(background) * 257 * u64::from(65535 - alpha);
    // Above white only where a multiplied colour is above its alpha.
    ((colour + under + 65535 * 257 / 2) / (65535 * 257)).min(255) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_in_a_decoder_and_a_long_reason_are_errors_of_a_line_that_name_the_file() {
        let decode = || -> Result<(), CoreError> { panic!("index {} is out of range\nand more", 7) };
        let message = guarded(Path::new("picture.tif"), decode).expect_err("panics").to_string();
        let expected = "picture.tif: cannot decode the image: the decoder failed: index 7 is out of range";
        assert_eq!(message, expected);
        let message = failed(Path::new("p"), "\u{e9}".repeat(100_000)).to_string();
        assert!(message.chars().count() < 300 && message.ends_with("..."), "{message}");
    }
}
