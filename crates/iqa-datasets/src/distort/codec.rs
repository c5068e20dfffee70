//! Compression (KADID-10k types 9 and 10).

use std::error::Error;
use std::io::Cursor;

use hayro_jpeg2000::{DecodeSettings, DecoderContext};
use image::codecs::jpeg::JpegEncoder;
use image::{ImageFormat, ImageReader, RgbImage};
use iqa_core::{AlphaPolicy, DecodeOptions, decode_image};
use openjp2::openjpeg::{OPJ_CLRSPC_SRGB, OPJ_CODEC_J2K};
use openjp2::{Codec, Stream, opj_cparameters, opj_image, opj_image_comptparm};

use crate::DatasetError;

/// For pictures that are in memory already.
const EVERY_SIZE: DecodeOptions = DecodeOptions { alpha: AlphaPolicy::Refuse, max_pixels: u64::MAX };

/// Resolutions of a JPEG 2000 stream, where the image is large enough.
const RESOLUTIONS: u32 = 6;
/// Bytes gathered before they go to the file.
const BUFFER: usize = 1 << 16;

type AnyError = Box<dyn Error + Send + Sync>;

fn failed(codec: &'static str, image: &RgbImage) -> impl FnOnce(AnyError) -> DatasetError {
    let size = image.dimensions();
    move |source| DatasetError::Codec { codec, size, source }
}

/// Type 10: through a JPEG file of this quality (1 to 100), without subsampling of chroma, and back: the pixels are
/// those of libjpeg's decoder.
///
/// # Errors
/// [`DatasetError::Codec`] above 65,535 pixels a side.
pub(super) fn jpeg(image: &RgbImage, quality: u8) -> Result<RgbImage, DatasetError> {
    let through = || Ok(decode_image(&jpeg_encode(image, quality)?, "memory", &EVERY_SIZE)?);
    through().map_err(failed("JPEG", image))
}

pub(super) fn jpeg_encode(image: &RgbImage, quality: u8) -> image::ImageResult<Vec<u8>> {
    let mut file = Vec::new();
    JpegEncoder::new_with_quality(&mut file, quality).encode_image(image)?;
    Ok(file)
}

/// Decodes leniently, for streams with errors: what does not decode is grey, or what was before it.
pub(super) fn jpeg_decode_damaged(file: &[u8]) -> image::ImageResult<RgbImage> {
    Ok(ImageReader::with_format(Cursor::new(file), ImageFormat::Jpeg).decode()?.into_rgb8())
}

/// Type 9: through a JPEG 2000 stream that is `ratio` times smaller than the pixels, and back.
///
/// # Errors
/// [`DatasetError::Codec`].
pub(super) fn jpeg2000(image: &RgbImage, ratio: f32) -> Result<RgbImage, DatasetError> {
    let through = || jpeg2000_decode(&jpeg2000_encode(image, ratio, Markers::None)?, image.dimensions());
    through().map_err(failed("JPEG 2000", image))
}

/// Whether the packets of a stream can be told apart.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Markers {
    None,
    /// SOP before each packet, EPH after its header.
    Packets,
}

/// A JPEG 2000 codestream: irreversible transforms, one tile, one layer, truncated to `ratio` by least squared
/// error.
///
/// Through a temporary file, since OpenJPEG writes to memory by raw pointers only.
pub(super) fn jpeg2000_encode(image: &RgbImage, ratio: f32, markers: Markers) -> Result<Vec<u8>, AnyError> {
    let (width, height) = image.dimensions();
    let mut parameters = opj_cparameters {
        tcp_numlayers: 1,
        cp_disto_alloc: 1,
        irreversible: 1,
        tcp_mct: 1,
        csty: if markers == Markers::Packets { 0x02 | 0x04 } else { 0 },
        numresolution: RESOLUTIONS.min(width.min(height).ilog2() + 1) as i32,
        ..opj_cparameters::default()
    };
    parameters.tcp_rates[0] = ratio;
    let component =
        opj_image_comptparm { dx: 1, dy: 1, w: width, h: height, x0: 0, y0: 0, prec: 8, bpp: 8, sgnd: 0 };
    let mut planes =
        opj_image::create(&[component; 3], OPJ_CLRSPC_SRGB).ok_or("not enough memory for its planes")?;
    (planes.x1, planes.y1) = (width, height);
    for (channel, plane) in planes.comps_data_mut_iter().into_iter().flatten().enumerate() {
        for (value, pixel) in plane.iter_mut().zip(image.pixels()) {
            *value = i32::from(pixel[channel]);
        }
    }
    let file = tempfile::NamedTempFile::new()?;
    let mut stream = Stream::new_file(file.path(), BUFFER, false)?;
    let mut codec = Codec::new_encoder(OPJ_CODEC_J2K).ok_or("no encoder")?;
    let done = codec.setup_encoder(&mut parameters, &mut planes) == 1
        && codec.start_compress(&mut planes, &mut stream) == 1
        && codec.encode(&mut stream) == 1
        && codec.end_compress(&mut stream) == 1;
    if !done {
        return Err("the encoder gave up".into());
    }
    stream.flush()?;
    Ok(std::fs::read(file.path())?)
}

/// Decodes leniently: what is damaged in a codestream is left out.
pub(super) fn jpeg2000_decode(stream: &[u8], (width, height): (u32, u32)) -> Result<RgbImage, AnyError> {
    let image = hayro_jpeg2000::Image::new(stream, &DecodeSettings::default())?;
    let mut context = DecoderContext::default();
    let pixels = image.decode(&mut context)?.data_u8();
    RgbImage::from_raw(width, height, pixels).ok_or_else(|| "decoded to another size".into())
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    #[test]
    fn a_stream_has_the_size_asked_for() {
        let image = RgbImage::from_fn(256, 192, |x, y| {
            Rgb([(x * 37 % 251) as u8, (x * y % 256) as u8, ((x ^ y) * 3 % 256) as u8])
        });
        for ratio in [8.0, 32.0, 120.0] {
            let stream = jpeg2000_encode(&image, ratio, Markers::None).expect("encodes");
            let found = image.len() as f32 / stream.len() as f32;
            assert!((found / ratio - 1.0).abs() < 0.1, "{found} for {ratio}");
        }
    }
}
