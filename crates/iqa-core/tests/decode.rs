//! Image files of every kind, good and bad.

use std::io::Cursor;
use std::path::Path;

use image::{DynamicImage, GrayImage, ImageBuffer, ImageFormat, Luma, LumaA, Rgb, RgbImage, Rgba};
use iqa_core::{AlphaPolicy, CoreError, DecodeOptions, decode_image, read_image, to_rgb8};

fn texture() -> RgbImage {
    RgbImage::from_fn(37, 23, |x, y| Rgb([(x * 6) as u8, (y * 11) as u8, (x * y % 256) as u8]))
}

fn encode(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.into().write_to(&mut bytes, format).expect("encodes");
    bytes.into_inner()
}

fn decode(bytes: &[u8]) -> Result<RgbImage, CoreError> {
    decode_image(bytes, "picture", &DecodeOptions::default())
}

#[test]
fn lossless_formats_give_the_pixels_back() {
    for format in [ImageFormat::Png, ImageFormat::Bmp, ImageFormat::Tiff, ImageFormat::WebP] {
        assert_eq!(decode(&encode(texture(), format)).expect("decodes"), texture(), "{format:?}");
    }
}

#[test]
fn jpeg_is_close() {
    let out = decode(&encode(texture(), ImageFormat::Jpeg)).expect("decodes");
    assert_eq!(out.dimensions(), (37, 23));
}

#[test]
fn sixteen_bits_are_rounded_to_eight() {
    let image = ImageBuffer::from_fn(256, 2, |x, y| Rgb([(x * 257 + y * 128) as u16, 129, 65535]));
    let out = decode(&encode(DynamicImage::ImageRgb16(image), ImageFormat::Png)).expect("decodes");
    // 128 / 257 rounds down, 129 / 257 rounds up.
    assert_eq!(out.get_pixel(77, 0), &Rgb([77, 1, 255]));
    assert_eq!(out.get_pixel(77, 1)[0], 77);
}

#[test]
fn grey_becomes_rgb() {
    let image = GrayImage::from_fn(8, 8, |x, _| Luma([x as u8 * 30]));
    let out = decode(&encode(DynamicImage::ImageLuma8(image), ImageFormat::Png)).expect("decodes");
    assert_eq!(out.get_pixel(5, 0), &Rgb([150; 3]));
}

#[test]
fn alpha_shows_the_background_or_is_refused() {
    let image = ImageBuffer::from_pixel(4, 4, Rgba([200u8, 100, 0, 51]));
    let bytes = encode(DynamicImage::ImageRgba8(image), ImageFormat::Png);
    // 0.2 * 200 + 0.8 * 255 = 244, and so on.
    assert_eq!(decode(&bytes).expect("decodes").get_pixel(1, 1), &Rgb([244, 224, 204]));
    let black = DecodeOptions { alpha: AlphaPolicy::Composite([0; 3]), ..DecodeOptions::default() };
    assert_eq!(decode_image(&bytes, "x", &black).expect("decodes").get_pixel(1, 1), &Rgb([40, 20, 0]));
    let refuse = DecodeOptions { alpha: AlphaPolicy::Refuse, ..DecodeOptions::default() };
    let message = decode_image(&bytes, "see-through.png", &refuse).expect_err("refused").to_string();
    assert!(message.contains("see-through.png") && message.contains("alpha"), "{message}");
    let opaque = ImageBuffer::from_pixel(4, 4, LumaA([7u8, 255]));
    let out = decode(&encode(DynamicImage::ImageLumaA8(opaque), ImageFormat::Png)).expect("decodes");
    assert_eq!(out.get_pixel(0, 0), &Rgb([7; 3]));
}

#[test]
fn an_orientation_tag_is_applied() {
    // An EXIF block whose only entry is orientation 6: turn a quarter clockwise to show upright.
    let mut exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0".to_vec();
    let mut segment = vec![0xff, 0xe1];
    segment.extend(((exif.len() + 2) as u16).to_be_bytes());
    segment.append(&mut exif);
    let mut bytes =
        encode(RgbImage::from_fn(40, 24, |x, _| Rgb([if x < 20 { 250 } else { 5 }; 3])), ImageFormat::Jpeg);
    bytes.splice(2..2, segment);
    let out = decode(&bytes).expect("decodes");
    assert_eq!(out.dimensions(), (24, 40));
    assert!(out.get_pixel(12, 2)[0] > 200 && out.get_pixel(12, 38)[0] < 50, "the left side is on top");
}

#[test]
fn a_truncated_file_is_an_error_at_every_length() {
    for format in
        [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Bmp, ImageFormat::Tiff, ImageFormat::WebP]
    {
        let bytes = encode(texture(), format);
        for part in [4, bytes.len() / 4, bytes.len() / 2, bytes.len() * 9 / 10] {
            assert!(decode(&bytes[..part]).is_err(), "{format:?} cut to {part} of {}", bytes.len());
        }
    }
}

/// Cameras put a whole small JPEG into the first segment: its end is not the end of the picture.
#[test]
fn a_thumbnail_does_not_hide_a_truncated_jpeg() {
    let whole = encode(texture(), ImageFormat::Jpeg);
    let thumbnail = encode(RgbImage::new(8, 8), ImageFormat::Jpeg);
    let mut bytes = whole[..2].to_vec();
    bytes.extend([0xff, 0xe1]);
    bytes.extend(((thumbnail.len() + 2) as u16).to_be_bytes());
    bytes.extend(&thumbnail);
    bytes.extend(&whole[2..]);
    assert_eq!(decode(&bytes).expect("decodes").dimensions(), (37, 23));
    let mut followed = bytes.clone();
    followed.extend(b"a maker's own data");
    assert!(decode(&followed).is_ok());
    for cut in [1, 2, 50, whole.len() / 2] {
        let error = decode(&bytes[..bytes.len() - cut]).expect_err("truncated");
        assert!(matches!(error, CoreError::Truncated { .. }), "{error}");
    }
}

#[test]
fn damaged_bytes_never_panic() {
    for format in
        [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Bmp, ImageFormat::Tiff, ImageFormat::WebP]
    {
        let bytes = encode(texture(), format);
        for at in (0..bytes.len()).step_by(7) {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0xa5;
            let _ = decode(&damaged);
        }
    }
}

#[test]
fn what_is_no_image_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = folder.path().join("text.png");
    std::fs::write(&text, "not an image").expect("writes");
    let message = read_image(&text, &DecodeOptions::default()).expect_err("no image").to_string();
    assert!(message.contains("text.png") && message.contains("not a PNG"), "{message}");
    assert!(matches!(decode(b""), Err(CoreError::UnknownFormat { .. })));
    let message = read_image("missing.png", &DecodeOptions::default()).expect_err("no file").to_string();
    assert!(message.contains("missing.png"), "{message}");
    assert!(read_image(folder.path(), &DecodeOptions::default()).is_err());
}

#[test]
fn a_bomb_is_refused_by_its_header() {
    // A BMP header that claims 60000 x 60000.
    let mut bytes = encode(texture(), ImageFormat::Bmp);
    bytes[18..22].copy_from_slice(&60_000u32.to_le_bytes());
    bytes[22..26].copy_from_slice(&60_000u32.to_le_bytes());
    let message = decode(&bytes).expect_err("too large").to_string();
    assert!(message.contains("60000x60000") && message.contains("200000000"), "{message}");
    let small = DecodeOptions { max_pixels: 800, ..DecodeOptions::default() };
    assert!(matches!(
        decode_image(&encode(texture(), ImageFormat::Png), Path::new("x"), &small),
        Err(CoreError::TooLarge { width: 37, height: 23, .. })
    ));
}

#[test]
fn floats_are_clamped_and_nan_is_refused() {
    let pixels =
        |value: f32| DynamicImage::ImageRgb32F(ImageBuffer::from_pixel(2, 2, Rgb([value, 0.5, 7.0])));
    let options = DecodeOptions::default();
    let out = to_rgb8(pixels(-1.0), "x", &options).expect("converts");
    assert_eq!(out.get_pixel(0, 0), &Rgb([0, 128, 255]));
    assert!(matches!(to_rgb8(pixels(f32::NAN), "x", &options), Err(CoreError::NonFinite { .. })));
    assert!(to_rgb8(DynamicImage::new_rgb8(0, 3), "x", &options).is_err());
}
