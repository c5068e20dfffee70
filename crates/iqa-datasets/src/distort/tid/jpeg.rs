//! JPEG as libjpeg makes it, 4:2:0 (TID2013 type 10).
//!
//! Only what changes pixels: the entropy coding is left out. The steps are those of ITU-T T.81 and of JFIF with
//! libjpeg's fixed-point colour conversion, its box filter for chroma on the way in and its triangle filter on the way
//! out. The DCT is in floating point, so that single values may be off by one or two of 255.

use image::RgbImage;

use super::super::dct::{self, Block};
use super::super::planes::Plane;
use super::compression::{CHROMINANCE, LUMINANCE};

/// Values around 0 in the DCT, and chroma around 0.
const MIDDLE: i32 = 128;
/// Bits after the point in the colour conversion.
const POINT: u32 = 16;
const HALF: i32 = 1 << (POINT - 1);

/// A table at a quality of 1 to 100, by libjpeg's rule.
fn scaled(table: &Block, quality: u8) -> Block {
    let quality = f32::from(quality.clamp(1, 100));
    let percent = if quality < 50.0 { (5000.0 / quality).floor() } else { 200.0 - 2.0 * quality };
    table.map(|step| ((step * percent + 50.0) / 100.0).floor().clamp(1.0, 255.0))
}

/// Through JPEG of this quality and back.
pub(super) fn recompressed(image: &RgbImage, quality: u8) -> RgbImage {
    let [luminance, chrominance] = [&LUMINANCE, &CHROMINANCE].map(|table| scaled(table, quality));
    let (width, height) = (image.width() as usize, image.height() as usize);
    let [luma, blue, red] = ycc(image);
    let luma = quantised(&luma, &luminance);
    let [blue, red] = [blue, red]
        .map(|plane| doubled(&quantised(&halved(&plane), &chrominance)).padded(0, 0, width, height));
    let pixel = |index: usize| {
        let [y, cb, cr] =
            [&luma, &blue, &red].map(|plane| plane.values[index] as i32).map(|value| value - MIDDLE);
        let y = y + MIDDLE;
        [
            y + ((91_881 * cr + HALF) >> POINT),
            y + ((-22_554 * cb - 46_802 * cr + HALF) >> POINT),
            y + ((116_130 * cb + HALF) >> POINT),
        ]
    };
    RgbImage::from_fn(image.width(), image.height(), |x, y| {
        image::Rgb(pixel(y as usize * width + x as usize).map(|value| value.clamp(0, 255) as u8))
    })
}

/// Y, Cb and Cr in whole numbers of 0 to 255.
fn ycc(image: &RgbImage) -> [Plane; 3] {
    let mut planes = [(); 3].map(|()| Plane::new(image.width() as usize, image.height() as usize));
    for (index, pixel) in image.pixels().enumerate() {
        let [r, g, b] = pixel.0.map(i32::from);
        // Chroma in the middle of two values goes to the lower.
        let chroma = (MIDDLE << POINT) + HALF - 1;
        let values = [
            19_595 * r + 38_470 * g + 7_471 * b + HALF,
            -11_059 * r - 21_709 * g + 32_768 * b + chroma,
            32_768 * r - 27_439 * g - 5_329 * b + chroma,
        ];
        planes
            .iter_mut()
            .zip(values)
            .for_each(|(plane, value)| plane.values[index] = (value >> POINT) as f32);
    }
    planes
}

/// 8x8 blocks of the DCT in multiples of a table, back in whole numbers of 0 to 255.
fn quantised(plane: &Plane, table: &Block) -> Plane {
    let middle = MIDDLE as f32;
    let centred = plane.clone().map(|value| value - middle);
    let changed = dct::map_blocks(&centred, |coefficients| {
        for (value, step) in coefficients.iter_mut().zip(table) {
            *value = (*value / step).round() * step;
        }
    });
    changed.map(|value| (value.round() + middle).clamp(0.0, 255.0))
}

/// Means of 2x2 squares, those in the middle of two values down and up in turn.
fn halved(plane: &Plane) -> Plane {
    let (width, height) = (plane.width.div_ceil(2), plane.height.div_ceil(2));
    let padded = plane.padded(0, 0, 2 * width, 2 * height);
    let mut out = Plane::new(width, height);
    for y in 0..height {
        let (upper, lower) = (padded.row(2 * y), padded.row(2 * y + 1));
        for x in 0..width {
            let sum = upper[2 * x] + upper[2 * x + 1] + lower[2 * x] + lower[2 * x + 1];
            let bias = if x % 2 == 0 { 1.0 } else { 2.0 };
            out.values[y * width + x] = ((sum + bias) / 4.0).floor();
        }
    }
    out
}

/// Twice the size: a sample counts three times, its neighbour on either axis once.
fn doubled(plane: &Plane) -> Plane {
    let mut out = Plane::new(2 * plane.width, 2 * plane.height);
    let width = out.width;
    for (y, row) in out.values.chunks_exact_mut(width).enumerate() {
        let near = y / 2;
        let far = if y % 2 == 0 { near.saturating_sub(1) } else { (near + 1).min(plane.height - 1) };
        let sums: Vec<f32> =
            plane.row(near).iter().zip(plane.row(far)).map(|(near, far)| 3.0 * near + far).collect();
        for (x, value) in row.iter_mut().enumerate() {
            let near = x / 2;
            let (far, bias) = if x % 2 == 0 {
                (near.saturating_sub(1), 8.0)
            } else {
                ((near + 1).min(plane.width - 1), 7.0)
            };
            *value = ((3.0 * sums[near] + sums[far] + bias) / 16.0).floor();
        }
    }
    out
}
