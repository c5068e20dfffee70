//! TIFF files of many kinds, beside the pixels that were written or that libtiff reads.

use std::path::{Path, PathBuf};

use image::Rgb;
use iqa_core::{AlphaPolicy, CoreError, DecodeOptions, decode_image, read_image};

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("lists")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "tif"))
        .collect();
    files.sort();
    files
}

/// What `tests/fixtures/generate/tiff.py` wrote: NAME.tif, and NAME.rgb (width and height, then RGB rows) or
/// NAME.refused (words of the error).
fn check(folder: &Path) -> (usize, Vec<String>) {
    let files = files(folder);
    let faults = files.iter().filter_map(|path| fault(path).err().map(|fault| format!("{path:?}: {fault}")));
    (files.len(), faults.collect())
}

fn fault(path: &Path) -> Result<(), String> {
    let out = read_image(path, &DecodeOptions::default());
    if let Ok(words) = std::fs::read_to_string(path.with_extension("refused")) {
        return match out {
            Ok(_) => Err(format!("read, not refused for {words}")),
            Err(error) if error.to_string().contains(words.trim()) => Ok(()),
            Err(error) => Err(format!("refused for {error}, not {words}")),
        };
    }
    let expected = std::fs::read(path.with_extension("rgb")).map_err(|error| error.to_string())?;
    let out = out.map_err(|error| error.to_string())?;
    if [out.width().to_le_bytes(), out.height().to_le_bytes()].concat() != expected[..8] {
        return Err(format!("a size of {:?}", out.dimensions()));
    }
    let steps = || out.as_raw().iter().zip(&expected[8..]).map(|(a, b)| f64::from(a.abs_diff(*b)));
    let mean_square = steps().map(|step| step * step).sum::<f64>() / steps().count() as f64;
    let name = path.to_string_lossy();
    // Two decoders of what is lossy differ by rounding; everything else is exact.
    let allowed = if name.contains("lossy") { 255.0 * 255.0 * 1e-5 } else { 0.0 };
    let furthest = steps().fold(0.0, f64::max);
    match mean_square <= allowed {
        true => Ok(()),
        false => Err(format!("{:.1} dB, {furthest} off", 10.0 * (255.0 * 255.0 / mean_square).log10())),
    }
}

fn sample() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiff")
}

#[test]
fn a_sample_of_the_kinds_is_read_or_refused() {
    let (count, faults) = check(&sample());
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(count > 0);
}

#[test]
fn a_part_of_a_file_is_an_error_or_the_whole_picture() {
    for path in files(&sample()) {
        let bytes = std::fs::read(&path).expect("reads");
        let whole = decode_image(&bytes, &path, &DecodeOptions::default()).ok();
        for length in (0..bytes.len()).step_by(11) {
            match decode_image(&bytes[..length], &path, &DecodeOptions::default()) {
                Ok(part) => assert!(Some(part) == whole, "{path:?} cut to {length}"),
                Err(error) => assert!(error.to_string().starts_with(&*path.to_string_lossy()), "{error}"),
            }
        }
    }
}

#[test]
fn damaged_bytes_never_panic() {
    for path in files(&sample()) {
        let bytes = std::fs::read(&path).expect("reads");
        for at in (0..bytes.len()).step_by(7) {
            for change in [0xff, 0x01] {
                let mut damaged = bytes.clone();
                damaged[at] ^= change;
                let _ = decode_image(&damaged, &path, &DecodeOptions::default());
            }
        }
    }
}

/// One pixel of RGB and alpha: 8 bits, little-endian, with the kind of alpha.
fn transparent(pixel: [u8; 4], kind: u16) -> Vec<u8> {
    let mut bytes = b"II*\0\x0c\0\0\0".to_vec();
    bytes.extend(pixel);
    // Width, height, bits, compression, photometric interpretation, offset, samples, rows, length, extra samples.
    let tags = [
        (256, 1),
        (257, 1),
        (258, 8),
        (259, 1),
        (262, 2),
        (273, 8),
        (277, 4),
        (278, 1),
        (279, 4),
        (338, kind),
    ];
    bytes.extend([tags.len() as u8, 0]);
    for (tag, value) in tags {
        bytes.extend([tag, 3, 1, 0, value, 0].map(u16::to_le_bytes).concat());
    }
    bytes.extend([0; 4]);
    bytes
}

#[test]
fn alpha_shows_the_background_or_is_refused() {
    let read = |pixel, kind, alpha| {
        let options = DecodeOptions { alpha, ..DecodeOptions::default() };
        decode_image(&transparent(pixel, kind), "x.tif", &options)
    };
    let [white, black] = [255, 0].map(|shade| AlphaPolicy::Composite([shade; 3]));
    // 0.2 * 200 + 0.8 * 255 = 244, and so on; the same colours, multiplied by 0.2 beforehand.
    for (pixel, kind) in [([200, 100, 0, 51], 2), ([40, 20, 0, 51], 1)] {
        assert_eq!(read(pixel, kind, white).expect("decodes").get_pixel(0, 0), &Rgb([244, 224, 204]));
        assert_eq!(read(pixel, kind, black).expect("decodes").get_pixel(0, 0), &Rgb([40, 20, 0]));
        assert!(matches!(read(pixel, kind, AlphaPolicy::Refuse), Err(CoreError::AlphaRefused { .. })));
    }
    // A colour above its alpha is no more than white.
    assert_eq!(read([250, 0, 0, 51], 1, white).expect("decodes").get_pixel(0, 0), &Rgb([255, 204, 204]));
    assert_eq!(
        read([9, 8, 7, 51], 0, AlphaPolicy::Refuse).expect("decodes").get_pixel(0, 0),
        &Rgb([9, 8, 7])
    );
}

#[test]
fn the_limit_of_pixels_is_held_before_anything_is_read() {
    let options = DecodeOptions { max_pixels: 100, ..DecodeOptions::default() };
    for path in files(&sample()) {
        let error = read_image(&path, &options).expect_err("too large");
        assert!(matches!(error, CoreError::TooLarge { .. }), "{error}");
    }
}

/// All that the script makes: `TIFF_SWEEP=FOLDER cargo test --release -p iqa-core --test tiff -- --ignored`.
#[test]
#[ignore = "needs the files of tests/fixtures/generate/tiff.py"]
fn every_kind_is_read_or_refused() {
    let folder = std::env::var_os("TIFF_SWEEP").expect("a folder");
    let (count, faults) = check(Path::new(&folder));
    assert!(faults.is_empty(), "{} of {count}:\n{}", faults.len(), faults.join("\n"));
}
