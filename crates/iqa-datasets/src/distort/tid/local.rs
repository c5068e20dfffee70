//! Changes of some places (TID2013 types 14 and 15).

use image::RgbImage;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::search::Dial;
use crate::DatasetError;

/// Side of a copied patch, in pixels.
const PATCH: u32 = 15;
/// The largest shift of a patch that is tried first, in pixels; each further try doubles it.
const NEAREST: i64 = 8;
/// Patches drawn for each patch that would cover the image.
const COVERS: f32 = 6.0;
/// Blocks of 512x384 pixels in the published set.
pub(super) const FLAT_BLOCKS: [f32; 5] = [10.0, 8.0, 6.0, 4.0, 2.0];
const PUBLISHED_AREA: f32 = 512.0 * 384.0;
/// Side of a block, in pixels, and the part of the image that blocks take.
const BLOCK: u32 = 32;
const BLOCK_PART: f32 = 1.0 / 12.0;

/// Type 14: patches of 15x15 from a little way off; by their number.
///
/// On an image so smooth that patches everywhere do not reach the target, they come from further away.
pub(super) fn patches<'a>(image: &'a RgbImage, rng: &mut ChaCha8Rng) -> impl Iterator<Item = Dial<'a>> {
    let (width, height) = image.dimensions();
    let (side_x, side_y) = (PATCH.min(width), PATCH.min(height));
    let (last_x, last_y) = (i64::from(width - side_x), i64::from(height - side_y));
    let area = width as f32 * height as f32 / (side_x * side_y) as f32;
    let count = (COVERS * area).ceil() as usize;
    // Places, and shifts as parts of the largest.
    let draws: Vec<(i64, i64, f32, f32)> = (0..count)
        .map(|_| {
            let (x, y) = (rng.random_range(0..=last_x), rng.random_range(0..=last_y));
            (x, y, rng.random_range(-1.0..=1.0), rng.random_range(-1.0..=1.0))
        })
        .collect();
    let longest = i64::from(width.max(height));
    let shifts = std::iter::successors(Some(NEAREST), move |shift| (*shift < longest).then_some(shift * 2));
    shifts.map(move |shift| {
        let draws = draws.clone();
        Dial::new((0.5, count as f64), count as f64 / 8.0, move |number| {
            let mut out = image.clone();
            for &(x, y, dx, dy) in &draws[..(number.round() as usize).min(draws.len())] {
                let moved =
                    |at: i64, by: f32, last: i64| (at + (by * shift as f32).round() as i64).clamp(0, last);
                let (from_x, from_y) = (moved(x, dx, last_x) as u32, moved(y, dy, last_y) as u32);
                for row in 0..side_y {
                    for column in 0..side_x {
                        let pixel = *image.get_pixel(from_x + column, from_y + row);
                        out.put_pixel(x as u32 + column, y as u32 + row, pixel);
                    }
                }
            }
            out
        })
    })
}

/// Type 14 in the published set: patches for a part of the image's area, from nearby.
pub(super) fn patches_on(
    image: &RgbImage,
    part: f32,
    rng: &mut ChaCha8Rng,
) -> Result<RgbImage, DatasetError> {
    let (width, height) = image.dimensions();
    let count = part * width as f32 * height as f32 / (PATCH * PATCH) as f32;
    patches(image, rng).next().map_or_else(|| Ok(image.clone()), |dial| dial.set(count))
}

/// The left upper corner of a block anywhere on the image, and the means of its channels.
fn block(image: &RgbImage, (side_x, side_y): (u32, u32), rng: &mut ChaCha8Rng) -> (u32, u32, [f32; 3]) {
    let left = rng.random_range(0..=image.width() - side_x);
    let top = rng.random_range(0..=image.height() - side_y);
    let mut sums = [0u32; 3];
    for y in top..top + side_y {
        for x in left..left + side_x {
            sums.iter_mut().zip(image.get_pixel(x, y).0).for_each(|(sum, value)| *sum += u32::from(value));
        }
    }
    (left, top, sums.map(|sum| sum as f32 / (side_x * side_y) as f32))
}

/// Away from the nearer end of the range.
fn inwards(mean: f32) -> f32 {
    if mean < 128.0 { 1.0 } else { -1.0 }
}

/// Type 15 in the published set: `count` blocks (on 512x384 pixels) of one colour, which is off the mean of what they
/// hide by `offset` (of 255) on each channel.
pub(super) fn flat_blocks(image: &RgbImage, count: f32, offset: f32, rng: &mut ChaCha8Rng) -> RgbImage {
    let (width, height) = image.dimensions();
    let side = (BLOCK.min(width), BLOCK.min(height));
    let count = (count * width as f32 * height as f32 / PUBLISHED_AREA).round().max(1.0) as usize;
    let mut out = image.clone();
    for _ in 0..count {
        let (left, top, means) = block(image, side, rng);
        let colour = means.map(|mean| (mean + inwards(mean) * offset).round() as u8);
        for y in top..top + side.1 {
            for x in left..left + side.0 {
                out.put_pixel(x, y, image::Rgb(colour));
            }
        }
    }
    out
}

/// Type 15: blocks of 32x32, each off by a colour of its own; by how far.
///
/// Blocks take a twelfth of the image: the difference of a block goes away from the nearer end of each channel's
/// range, so that it need not be cut.
pub(super) fn blocks<'a>(image: &'a RgbImage, rng: &mut ChaCha8Rng) -> Dial<'a> {
    let (width, height) = image.dimensions();
    let (side_x, side_y) = (BLOCK.min(width), BLOCK.min(height));
    let area = width as f32 * height as f32 / (side_x * side_y) as f32;
    let count = (BLOCK_PART * area).round().max(1.0) as usize;
    let blocks: Vec<(u32, u32, [f32; 3])> = (0..count)
        .map(|_| {
            let (left, top, means) = block(image, (side_x, side_y), rng);
            (left, top, means.map(|mean| inwards(mean) * rng.random_range(0.3f32..=1.0)))
        })
        .collect();
    Dial::new((1.0, 4000.0), 60.0, move |strength| {
        let mut out = image.clone();
        for &(left, top, offset) in &blocks {
            for y in top..top + side_y {
                for x in left..left + side_x {
                    // From the image, so that blocks over one another do not add up.
                    let pixel = image.get_pixel(x, y).0;
                    let moved =
                        std::array::from_fn(|c| (f32::from(pixel[c]) + strength * offset[c]).round() as u8);
                    out.put_pixel(x, y, image::Rgb(moved));
                }
            }
        }
        out
    })
}
