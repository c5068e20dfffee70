//! Image files of every kind, good and bad.

use std::io::Cursor;
use std::path::Path;

use image::{DynamicImage, GrayImage, ImageBuffer, ImageFormat, Luma, LumaA, Rgb, RgbImage, Rgba};
use iqa_core::{
    AlphaPolicy, CoreError, DecodeOptions, decode_image, expected_bytes, expected_bytes_of, read_image,
    to_rgb8,
};

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
fn a_header_tells_the_size_of_the_pixels_and_damage_costs_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    for format in
        [ImageFormat::Png, ImageFormat::Bmp, ImageFormat::Tiff, ImageFormat::WebP, ImageFormat::Jpeg]
    {
        let bytes = encode(texture(), format);
        let path = folder.path().join("picture");
        std::fs::write(&path, &bytes).expect("writes");
        let expected = Some(37 * 23 * 3);
        assert_eq!((expected_bytes_of(&bytes), expected_bytes(&path)), (expected, expected), "{format:?}");
        for end in 0..bytes.len().min(60) {
            // Nothing or a number: no panic.
            let _ = expected_bytes_of(&bytes[..end]);
        }
    }
    // What the decoder holds, where that is more.
    let deep = DynamicImage::from(texture()).into_rgba16();
    assert_eq!(expected_bytes_of(&encode(deep, ImageFormat::Png)), Some(37 * 23 * 8));
    // By content and not by name: what is no image is not read.
    let path = folder.path().join("none.jpg");
    std::fs::write(&path, [0; 100]).expect("writes");
    assert_eq!(expected_bytes(&path), None);
    assert_eq!(expected_bytes(folder.path().join("none")), None);
    assert_eq!(expected_bytes(folder.path()), None);
}

/// The files and pixels of `tests/fixtures/generate/pictures.py`: what Pillow reads.
#[test]
fn every_flavour_gives_the_pixels_that_pillow_reads() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut count = 0;
    for entry in std::fs::read_dir(&folder).expect("lists") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if name.ends_with(".rgb") || path.is_dir() {
            continue;
        }
        let expected = std::fs::read(folder.join(format!("{name}.rgb"))).expect("pixels");
        let out = read_image(&path, &DecodeOptions::default()).expect("decodes");
        let size = [out.width().to_le_bytes(), out.height().to_le_bytes()].concat();
        assert_eq!(size, expected[..8], "{name}");
        let furthest = out.as_raw().iter().zip(&expected[8..]).map(|(a, b)| a.abs_diff(*b)).max();
        assert_eq!(furthest, Some(0), "{name}");
        count += 1;
    }
    assert_eq!(count, 27);
}

/// The files and pixels of `tests/fixtures/generate/jpeg_sweep.py`: what libjpeg-turbo reads.
#[test]
fn every_kind_of_jpeg_gives_the_pixels_of_libjpeg() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/jpeg");
    let mut count = 0;
    for entry in std::fs::read_dir(&folder).expect("lists") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != "jpg") {
            continue;
        }
        let expected = std::fs::read(path.with_extension("jpg.rgb")).expect("pixels");
        let out = read_image(&path, &DecodeOptions::default()).expect("decodes");
        let size = [out.width().to_le_bytes(), out.height().to_le_bytes()].concat();
        assert_eq!(size, expected[..8], "{}", path.display());
        assert!(out.as_raw() == &expected[8..], "{}", path.display());
        count += 1;
    }
    assert_eq!(count, 27);
}

#[test]
fn a_jpeg_that_no_decoder_reads_is_refused_by_name() {
    let whole = encode(texture(), ImageFormat::Jpeg);
    let frame = whole.windows(2).position(|pair| pair == [0xff, 0xc0]).expect("a frame");
    for (marker, what) in
        [(0xc9, "arithmetic"), (0xca, "arithmetic"), (0xc3, "lossless"), (0xc5, "hierarchical")]
    {
        let mut bytes = whole.clone();
        bytes[frame + 1] = marker;
        let error = decode(&bytes).expect_err("refused");
        assert!(
            matches!(&error, CoreError::Unsupported { what: found, .. } if found.contains(what)),
            "{error}"
        );
    }
    let mut deep = whole.clone();
    deep[frame + 4] = 12;
    assert!(matches!(decode(&deep), Err(CoreError::Unsupported { .. })));
    // 3x1 luma beside 2x1 chroma.
    let mut uneven = whole;
    (uneven[frame + 11], uneven[frame + 14]) = (0x31, 0x21);
    assert!(matches!(decode(&uneven), Err(CoreError::Unsupported { .. })));
}

/// A JPEG without its end from a place on, or from the last of its scans on, but with an end-of-image marker.
fn ended(jpeg: &[u8], at: usize) -> Vec<u8> {
    [&jpeg[..at], &[0xff, 0xd9]].concat()
}

/// Where the scans' headers and, behind them, their entropy-coded bytes begin.
fn scans(jpeg: &[u8]) -> Vec<(usize, usize)> {
    let starts = jpeg.windows(4).enumerate().filter(|(_, bytes)| bytes[..2] == [0xff, 0xda]);
    starts.map(|(at, bytes)| (at, at + 2 + usize::from(u16::from_be_bytes([bytes[2], bytes[3]])))).collect()
}

/// Whatever the size, the sampling and the order of scans: what is missing is no grey.
#[test]
fn a_jpeg_whose_data_end_early_is_refused_for_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut files: Vec<_> =
        ["grey.jpg", "restart.jpg", "progressive.jpg", "jpeg/narrow_422.jpg", "jpeg/edges_420.jpg"]
            .map(|name| std::fs::read(folder.join(name)).expect("a fixture"))
            .into();
    // The encoder does not subsample.
    for side in [16, 600] {
        let picture = RgbImage::from_fn(side, side, |x, y| Rgb([x as u8, y as u8, (x * y) as u8]));
        files.push(encode(picture, ImageFormat::Jpeg));
    }
    for file in &files {
        decode(file).expect("is whole");
        for (header, data) in scans(file) {
            for at in [header, data, data + 1, data + (file.len() - data) / 2, file.len() - 4] {
                let error = decode(&ended(file, at)).expect_err("refused");
                assert!(matches!(error, CoreError::Decode { .. } | CoreError::Truncated { .. }), "{error}");
            }
        }
    }
    let error = decode(&ended(&files[6], files[6].len() / 2)).expect_err("refused").to_string();
    assert!(error.contains("a scan that ends early"), "{error}");
    let last = scans(&files[2]).last().expect("a scan").0;
    let error = decode(&ended(&files[2], last)).expect_err("refused").to_string();
    assert!(error.contains("scans that are missing"), "{error}");
}

/// The files and verdicts of `tests/fixtures/generate/jpeg_sweep.py`: where libjpeg-turbo warns, the file is refused;
/// where it does not, it is refused or has the same pixels.
#[test]
fn a_damaged_jpeg_is_refused_or_has_the_pixels_of_libjpeg() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/jpeg");
    let table = std::fs::read_to_string(folder.join("damage.txt")).expect("a table");
    let (mut refused, mut read) = (0, 0);
    for line in table.lines() {
        let [name, kind, at, value, verdict] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let mut bytes = std::fs::read(folder.join(name)).expect("a fixture");
        let (at, value): (usize, u8) = (at.parse().expect("a place"), value.parse().expect("a byte"));
        match kind {
            "set" => bytes[at] = value,
            "insert" => bytes.insert(at, value),
            "delete" => drop(bytes.drain(at..at + usize::from(value))),
            _ => panic!("{line}"),
        }
        match decode(&bytes) {
            Err(_) => refused += 1,
            Ok(picture) => {
                assert_eq!(format!("{:08x}", crc32(&picture)), verdict, "{line}");
                read += 1;
            }
        }
    }
    assert!(refused > 130 && read > 60, "{refused} refused, {read} read");
}

/// What libjpeg warns of as extraneous.
#[test]
fn bytes_of_a_jpeg_that_belong_to_nothing_are_refused_and_those_behind_its_end_are_not() {
    let whole = encode(texture(), ImageFormat::Jpeg);
    let end = whole.len() - 2;
    for (at, bytes, is_fine) in [
        (end, &[0, 0][..], false),
        (2, &[7], false),
        (end, &[0xff, 0xff, 0xff], true),
        (2, &[0xff, 0xff], true),
        (end + 2, &[1, 2, 3], true),
    ] {
        let mut file = whole.clone();
        file.splice(at..at, bytes.iter().copied());
        assert_eq!(decode(&file).is_ok(), is_fine, "{bytes:?} at {at} of {}", whole.len());
    }
}

/// A frame in a WebP file that claims more pixels than the canvas: the decoder would make room for them.
#[test]
fn a_webp_frame_of_another_size_than_its_canvas_is_refused() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/lossy.webp");
    for simple in [std::fs::read(path).expect("a fixture"), encode(texture(), ImageFormat::WebP)] {
        let picture = decode(&simple).expect("decodes");
        let side = |side: u32| [(side - 1) as u8, 0, 0];
        let body = [&[0; 4][..], &side(picture.width()), &side(picture.height())].concat();
        let canvas = [b"VP8X", &10u32.to_le_bytes()[..], &body].concat();
        let file = |frame: &[u8]| {
            let size = (4 + canvas.len() + frame.len()) as u32;
            [b"RIFF", &size.to_le_bytes()[..], b"WEBP", &canvas, frame].concat()
        };
        let mut frame = simple[12..].to_vec();
        assert_eq!(decode(&file(&frame)).expect("decodes"), picture);
        // Behind the chunk's name and length, and the frame's mark.
        let size = if frame.starts_with(b"VP8L") { 9..13 } else { 14..18 };
        frame[size].copy_from_slice(&[0xff, 0x3f, 0xff, 0x0f]);
        let error = decode(&file(&frame)).expect_err("refused").to_string();
        assert!(error.contains("another size"), "{error}");
    }
}

/// RFC 9649: a container of chunks, each a name, a length and its bytes.
#[test]
fn a_webp_chunk_longer_than_the_file_is_refused() {
    let picture = encode(texture(), ImageFormat::WebP);
    let huge = |name: &[u8]| [name, &0xffff_fff0u32.to_le_bytes(), b"Exif"].concat();
    let canvas = [&[8, 0, 0, 0][..], &36u32.to_le_bytes()[..3], &22u32.to_le_bytes()[..3]].concat();
    let header = [b"VP8X", &10u32.to_le_bytes()[..], &canvas].concat();
    for chunk in [
        huge(b"EXIF"),
        huge(b"XMP "),
        [b"ANMF", &40u32.to_le_bytes()[..], &[0; 16], &huge(b"EXIF"), &[0; 12]].concat(),
    ] {
        let body = [b"WEBP", &header[..], &picture[12..], &chunk].concat();
        let file = [b"RIFF", &(body.len() as u32).to_le_bytes()[..], &body].concat();
        assert!(matches!(decode(&file), Err(CoreError::Truncated { .. })));
    }
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

/// A BMP file of 2x2 pixels of blue, green, red and alpha, from the bottom up, with masks that say so. Source: Microsoft,
/// BITMAPV5HEADER; that of version 4 has 108 bytes of it, that of version 3 has 56.
fn bmp(header_size: u32, pixels: [[u8; 4]; 4]) -> Vec<u8> {
    let masks: [u32; 4] = [0x00ff_0000, 0x0000_ff00, 0x0000_00ff, 0xff00_0000];
    let mut header = Vec::new();
    for number in [header_size, 2, 2, 1 | 32 << 16, 3, 16, 0, 0, 0, 0].into_iter().chain(masks) {
        header.extend(number.to_le_bytes());
    }
    header.resize(header_size as usize, 0);
    let offset = 14 + header_size;
    let start = [b"BM", &(offset + 16).to_le_bytes()[..], &[0; 4], &offset.to_le_bytes()].concat();
    [start, header, pixels.concat()].concat()
}

/// Pillow and OpenCV read such files as opaque.
#[test]
fn alpha_of_a_bmp_that_is_0_throughout_is_none() {
    let stored: [[u8; 3]; 4] = [[10, 20, 30], [40, 50, 60], [70, 80, 90], [0, 255, 7]];
    let file = |header_size: u32, alpha: [u8; 4]| {
        let pixel = |place: usize| {
            let [blue, green, red] = stored[place];
            [blue, green, red, alpha[place]]
        };
        bmp(header_size, std::array::from_fn(pixel))
    };
    let shown = |pixels: [u8; 12]| RgbImage::from_raw(2, 2, pixels.to_vec()).expect("12 values");
    let opaque = shown([90, 80, 70, 7, 255, 0, 30, 20, 10, 60, 50, 40]);
    for header_size in [56, 108, 124] {
        for alpha in [AlphaPolicy::Composite([255; 3]), AlphaPolicy::Composite([0; 3]), AlphaPolicy::Refuse] {
            let options = DecodeOptions { alpha, ..DecodeOptions::default() };
            let picture = decode_image(&file(header_size, [0; 4]), "x", &options).expect("decodes");
            assert_eq!(picture, opaque, "{alpha:?}, {header_size}");
        }
        // One that is seen makes the others transparent.
        let one = file(header_size, [0, 0, 0, 255]);
        let white = shown([255, 255, 255, 7, 255, 0, 255, 255, 255, 255, 255, 255]);
        assert_eq!(decode(&one).expect("decodes"), white, "{header_size}");
        let refuse = DecodeOptions { alpha: AlphaPolicy::Refuse, ..DecodeOptions::default() };
        assert!(matches!(decode_image(&one, "x", &refuse), Err(CoreError::AlphaRefused { .. })));
    }
    // In other formats it is meant.
    let clear = ImageBuffer::from_pixel(2, 2, Rgba([9u8, 9, 9, 0]));
    for format in [ImageFormat::Png, ImageFormat::WebP] {
        let picture = decode(&encode(DynamicImage::ImageRgba8(clear.clone()), format)).expect("decodes");
        assert_eq!(picture, shown([255; 12]), "{format:?}");
    }
}

#[test]
fn a_truncated_file_is_an_error_or_the_whole_picture() {
    let deep = DynamicImage::from(texture()).into_rgba16();
    let mut files: Vec<_> =
        [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Bmp, ImageFormat::Tiff, ImageFormat::WebP]
            .map(|format| encode(texture(), format))
            .into();
    files.push(encode(DynamicImage::ImageRgba16(deep), ImageFormat::Png));
    for (number, bytes) in files.iter().enumerate() {
        let whole = decode(bytes).expect("decodes");
        for part in 0..bytes.len() {
            match decode(&bytes[..part]) {
                Ok(picture) => {
                    assert!(part + 4 >= bytes.len(), "file {number} cut to {part} of {}", bytes.len());
                    assert!(picture == whole, "file {number} cut to {part}: another picture");
                }
                Err(error) => assert!(error.to_string().starts_with("picture: "), "{error}"),
            }
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
    for (name, content) in
        [("empty.png", &b""[..]), ("signature.png", b"\x89PNG\r\n\x1a\n"), ("b.jpg", b"\xff\xd8\xff")]
    {
        let path = folder.path().join(name);
        std::fs::write(&path, content).expect("writes");
        let message = read_image(&path, &DecodeOptions::default()).expect_err("no image").to_string();
        assert!(message.contains(name), "{message}");
    }
    let error = read_image(folder.path(), &DecodeOptions::default()).expect_err("a folder");
    assert!(matches!(error, CoreError::Io { .. }), "{error}");
    assert!(error.to_string().contains(&folder.path().display().to_string()), "{error}");
}

/// What is no image need not be finite to be refused.
#[cfg(unix)]
#[test]
fn what_is_no_image_is_not_read_to_its_end() {
    let error = read_image("/dev/zero", &DecodeOptions::default()).expect_err("no image");
    assert!(matches!(error, CoreError::UnknownFormat { .. }), "{error}");
}

#[test]
fn a_bomb_is_refused_by_its_header() {
    // A BMP header that claims 60000 x 60000.
    let mut bytes = encode(texture(), ImageFormat::Bmp);
    bytes[18..22].copy_from_slice(&60_000u32.to_le_bytes());
    bytes[22..26].copy_from_slice(&60_000u32.to_le_bytes());
    let message = decode(&bytes).expect_err("too large").to_string();
    assert!(message.contains("60000x60000") && message.contains("200000000"), "{message}");
    // PNG: the header's checksum is made to fit.
    let mut bytes = encode(texture(), ImageFormat::Png);
    bytes[16..24].copy_from_slice(&[0, 0, 0xff, 0xff, 0, 0, 0xff, 0xff]);
    let checksum = crc32(&bytes[12..29]).to_be_bytes();
    bytes[29..33].copy_from_slice(&checksum);
    assert!(matches!(decode(&bytes), Err(CoreError::TooLarge { width: 65535, height: 65535, .. })));
    // JPEG: height and width of the frame header.
    let mut bytes = encode(texture(), ImageFormat::Jpeg);
    let frame = bytes.windows(2).position(|pair| pair == [0xff, 0xc0]).expect("a frame");
    bytes[frame + 5..frame + 9].fill(0xff);
    assert!(matches!(decode(&bytes), Err(CoreError::TooLarge { width: 65535, height: 65535, .. })));
    // TIFF, by tag: width 256, height 257, rows per strip 278; strips at 273, of lengths at 279.
    let grey = [(258, 1, 8), (259, 1, 1), (262, 1, 1), (273, 1, 8), (277, 1, 1), (279, 1, 100)];
    let huge = tiff(&[&[(256, 1, 60_000), (257, 1, 60_000), (278, 1, 60_000)], &grey[..]].concat());
    assert!(matches!(decode(&huge), Err(CoreError::TooLarge { width: 60_000, height: 60_000, .. })));
    let mut strips = grey;
    (strips[3].1, strips[5].1) = (0x3fff_ffff, 0x3fff_ffff);
    let strips = tiff(&[&[(256, 1, 10), (257, 1, 10), (278, 1, 1)], &strips[..]].concat());
    assert!(matches!(decode(&strips), Err(CoreError::Truncated { .. })));
    let small = DecodeOptions { max_pixels: 800, ..DecodeOptions::default() };
    assert!(matches!(
        decode_image(&encode(texture(), ImageFormat::Png), Path::new("x"), &small),
        Err(CoreError::TooLarge { width: 37, height: 23, .. })
    ));
}

#[test]
fn floats_are_clamped_and_nan_and_another_range_are_refused() {
    let pixels =
        |value: f32| DynamicImage::ImageRgb32F(ImageBuffer::from_pixel(2, 2, Rgb([value, 0.5, 1.25])));
    let options = DecodeOptions::default();
    let out = to_rgb8(pixels(-0.25), "x", &options).expect("converts");
    assert_eq!(out.get_pixel(0, 0), &Rgb([0, 128, 255]));
    assert!(matches!(to_rgb8(pixels(200.0), "x", &options), Err(CoreError::FloatRange { value: 200.0, .. })));
    assert!(matches!(to_rgb8(pixels(f32::NAN), "x", &options), Err(CoreError::NonFinite { .. })));
    assert!(to_rgb8(DynamicImage::new_rgb8(0, 3), "x", &options).is_err());
}

/// As PNG checks its chunks: ISO 15948, annex D.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 })
    })
}

/// A TIFF file of one directory and nothing else: tag, count and value of 32-bit entries.
fn tiff(entries: &[(u16, u32, u32)]) -> Vec<u8> {
    let mut entries = entries.to_vec();
    entries.sort_unstable();
    let mut bytes = b"II*\0\x08\0\0\0".to_vec();
    bytes.extend((entries.len() as u16).to_le_bytes());
    for (tag, count, value) in entries {
        bytes.extend([tag.to_le_bytes(), 4u16.to_le_bytes()].concat());
        bytes.extend([count.to_le_bytes(), value.to_le_bytes()].concat());
    }
    bytes.extend([0; 4]);
    bytes
}
