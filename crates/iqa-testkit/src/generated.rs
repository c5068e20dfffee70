//! Pictures of integers alone, which `tests/fixtures/generate/measures.py` makes too.

use image::{Rgb, RgbImage};

fn triangle(v: i64, period: i64) -> i64 {
    (v.rem_euclid(2 * period) - period).abs() * 255 / period
}

/// A hash of the place, 0..255.
pub fn grain(x: u32, y: u32, salt: u32) -> i64 {
    let h = x.wrapping_mul(0x9e37_79b9) ^ y.wrapping_mul(0x85eb_ca6b) ^ salt;
    i64::from((h ^ (h >> 15)).wrapping_mul(0xc2b2_ae35) >> 24)
}

/// Waves and grain.
pub fn waves(width: u32, height: u32, seed: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        Rgb([0u32, 1, 2].map(|c| {
            let (h, v, seed64, c64) = (i64::from(x), i64::from(y), i64::from(seed), i64::from(c));
            let wave = 3 * triangle(3 * h + (c64 + 1) * v + 17 * seed64, 61)
                + 2 * triangle(2 * v - h + 1000 + 29 * c64, 97);
            ((6 * wave / 5 + grain(x, y, seed * 3 + c)) / 7) as u8
        }))
    })
}

/// The picture with `noise`, `blocks` or other `colours`.
///
/// # Panics
/// For another kind.
pub fn distorted(image: &RgbImage, kind: &str) -> RgbImage {
    RgbImage::from_fn(image.width(), image.height(), |x, y| {
        let pixel = image.get_pixel(x, y).0.map(i64::from);
        Rgb([0usize, 1, 2].map(|c| {
            let value = match kind {
                "noise" => pixel[c] + (grain(x, y, 77 + c as u32) - 128).div_euclid(5),
                "blocks" => (pixel[c] + 2 * i64::from(image.get_pixel(x / 4 * 4, y / 4 * 4)[c])) / 3,
                "colours" => (3 * pixel[c] + pixel[2 - c]) / 4 * 4 / 5 + 20,
                other => panic!("no distortion {other}"),
            };
            value.clamp(0, 255) as u8
        }))
    })
}

/// The pair `(distorted, reference)` of a fixture's case, `WIDTHxHEIGHT_SEED_KIND`.
///
/// # Panics
/// For another name.
pub fn pair(case: &str) -> (RgbImage, RgbImage) {
    let parts: Vec<&str> = case.split(['x', '_']).collect();
    let &[width, height, seed, kind] = parts.as_slice() else { panic!("no case {case}") };
    let number = |text: &str| text.parse().expect("a number");
    let reference = waves(number(width), number(height), number(seed));
    (distorted(&reference, kind), reference)
}
