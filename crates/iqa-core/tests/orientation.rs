//! Pictures that EXIF data turn.

use std::io::Cursor;

use flate2::Crc;
use image::codecs::{jpeg::JpegEncoder, png::PngEncoder, webp::WebPEncoder};
use image::{ImageEncoder, ImageFormat, Rgb, RgbImage};
use iqa_core::{CoreError, DecodeOptions, decode_image};

fn texture() -> RgbImage {
    RgbImage::from_fn(37, 23, |x, y| Rgb([(x * 6) as u8, (y * 11) as u8, (x * y % 256) as u8]))
}

fn decode(bytes: &[u8]) -> Result<RgbImage, CoreError> {
    decode_image(bytes, "picture", &DecodeOptions::default())
}

/// An EXIF block whose only entry is the orientation, as a number of two bytes.
fn exif(orientation: u8) -> Vec<u8> {
    let mut exif = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\0\0\0\0\0\0\0".to_vec();
    exif[19] = orientation;
    exif
}

/// The same as a number of four bytes.
fn long_exif(orientation: u8) -> Vec<u8> {
    let mut exif = exif(0);
    (exif[13], exif[21]) = (4, orientation);
    exif
}

/// The same with the mark that it has in JPEG.
fn marked_exif(orientation: u8) -> Vec<u8> {
    [b"Exif\0\0", &exif(orientation)[..]].concat()
}

/// A JPEG file with an empty EXIF segment, and the mark of XMP, before the one that tells.
fn jpeg_behind_an_empty_segment(orientation: u8) -> Vec<u8> {
    let mut file = Vec::new();
    turned(JpegEncoder::new_with_quality(&mut file, 95), exif(orientation));
    let segment = |body: &[u8]| [b"\xff\xe1\0", &[2 + body.len() as u8][..], body].concat();
    let earlier = [segment(b"Exif\0\0"), segment(b"http://ns.adobe.com/xap/1.0/\0")].concat();
    file.splice(2..2, earlier);
    file
}

/// The texture with an EXIF block.
fn turned(mut encoder: impl ImageEncoder, exif: Vec<u8>) {
    encoder.set_exif_metadata(exif).expect("has EXIF");
    let picture = texture();
    encoder
        .write_image(&picture, picture.width(), picture.height(), image::ExtendedColorType::Rgb8)
        .expect("encodes");
}

/// The texture as a PNG file with a chunk behind its pixels, where `eXIf` may stand too: PNG, third edition, 5.6.
fn png_with_last(name: &[u8], body: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    texture().write_to(&mut Cursor::new(&mut file), ImageFormat::Png).expect("encodes");
    let named = [name, body].concat();
    let mut checksum = Crc::new();
    checksum.update(&named);
    let length = body.len() as u32;
    let chunk = [&length.to_be_bytes()[..], &named, &checksum.sum().to_be_bytes()].concat();
    let end = file.len() - 12;
    file.splice(end..end, chunk);
    file
}

/// Source: EXIF 2.32, tag 274: which edges of the picture the first row and the first column are.
#[test]
fn all_eight_orientations_are_applied() {
    type Encode = fn(&mut Vec<u8>, u8);
    let formats: [Encode; 10] = [
        |bytes, orientation| turned(PngEncoder::new(bytes), exif(orientation)),
        |bytes, orientation| turned(JpegEncoder::new_with_quality(bytes, 95), exif(orientation)),
        |bytes, orientation| turned(WebPEncoder::new_lossless(bytes), exif(orientation)),
        |bytes, orientation| turned(PngEncoder::new(bytes), long_exif(orientation)),
        |bytes, orientation| turned(JpegEncoder::new_with_quality(bytes, 95), long_exif(orientation)),
        |bytes, orientation| turned(WebPEncoder::new_lossless(bytes), long_exif(orientation)),
        |bytes, orientation| turned(WebPEncoder::new_lossless(bytes), marked_exif(orientation)),
        |bytes, orientation| *bytes = jpeg_behind_an_empty_segment(orientation),
        |bytes, orientation| *bytes = png_with_last(b"eXIf", &exif(orientation)),
        |bytes, orientation| *bytes = png_with_last(b"eXIf", &marked_exif(orientation)),
    ];
    for (number, encode) in formats.iter().enumerate() {
        let read = |orientation| {
            let mut bytes = Vec::new();
            encode(&mut bytes, orientation);
            decode(&bytes).expect("decodes")
        };
        let stored = read(1);
        let (right, bottom) = (stored.width() - 1, stored.height() - 1);
        for orientation in 0..=9 {
            let shown = read(orientation);
            let from = |x, y| match orientation {
                2 => (right - x, y),
                3 => (right - x, bottom - y),
                4 => (x, bottom - y),
                5 => (y, x),
                6 => (y, bottom - x),
                7 => (right - y, bottom - x),
                8 => (right - y, x),
                _ => (x, y),
            };
            let expected_size = if (5..=8).contains(&orientation) { (23, 37) } else { (37, 23) };
            assert_eq!(shown.dimensions(), expected_size, "format {number}, orientation {orientation}");
            for (x, y, pixel) in shown.enumerate_pixels() {
                let (from_x, from_y) = from(x, y);
                assert_eq!(
                    pixel,
                    stored.get_pixel(from_x, from_y),
                    "format {number}, {orientation}: {x}, {y}"
                );
            }
        }
    }
}

/// As an `eXIf` chunk before the pixels, which the decoder passes over where its checksum is wrong.
#[test]
fn a_damaged_chunk_behind_the_pixels_of_a_png_turns_nothing() {
    let turned = png_with_last(b"eXIf", &exif(3));
    assert_ne!(decode(&turned).expect("decodes"), texture());
    // Behind the length, the name and the entry's tag, type and count: 3 becomes 6.
    let mut damaged = turned;
    let value = damaged.len() - 12 - 4 - 26 + 19;
    assert_eq!(damaged[value], 3);
    damaged[value] = 6;
    assert_eq!(decode(&damaged).expect("decodes"), texture());
    for exif in [&b""[..], b"Exif\0\0", b"MM\0*\xff\xff\xff\xff", &exif(0), &exif(9)] {
        assert_eq!(decode(&png_with_last(b"eXIf", exif)).expect("decodes"), texture(), "{exif:?}");
    }
    assert_eq!(decode(&png_with_last(b"prVt", &exif(3))).expect("decodes"), texture());
}
