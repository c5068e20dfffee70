//! Distortions of place (KADID-10k types 19 to 21 and 23).

use image::{Rgb, RgbImage, imageops};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use super::planes::{Plane, to_image, to_planes};

/// Pixels of a KADID-10k image, 512x384: counts of patches are meant for this size.
const KADID_PIXELS: f32 = 512.0 * 384.0;
const JITTER_ROUNDS: usize = 5;
/// Side and largest shift of a copied patch, in pixels.
const PATCH: u32 = 16;
const SHIFT: i64 = 8;
/// Side of a coloured block, in pixels.
const BLOCK: u32 = 32;

/// Type 19: five rounds in which each pixel is taken from a place off by a Gaussian of `size` pixels.
pub(super) fn jitter(image: &RgbImage, size: f32, rng: &mut ChaCha8Rng) -> RgbImage {
    let mut planes = to_planes(image);
    for _ in 0..JITTER_ROUNDS {
        let (width, height) = (planes[0].width, planes[0].height);
        let mut moved = [(); 3].map(|()| Plane::new(width, height));
        for y in 0..height {
            for x in 0..width {
                let [dx, dy] = [(); 2].map(|()| size * rng.sample::<f32, _>(StandardNormal));
                for (out, plane) in moved.iter_mut().zip(&planes) {
                    out.values[y * width + x] = plane.sample(x as f32 + dx, y as f32 + dy);
                }
            }
        }
        planes = moved;
    }
    to_image(&planes)
}

/// A count meant for 512x384, for this image: the density stays.
fn for_area(count: f32, image: &RgbImage) -> usize {
    let pixels = image.width() as f32 * image.height() as f32;
    (count * pixels / KADID_PIXELS).round().max(1.0) as usize
}

/// Type 20: `count` patches of 16x16 are copied up to 8 pixels away.
pub(super) fn non_eccentricity(image: &RgbImage, count: f32, rng: &mut ChaCha8Rng) -> RgbImage {
    let (side_x, side_y) = (PATCH.min(image.width()), PATCH.min(image.height()));
    let (last_x, last_y) = (i64::from(image.width() - side_x), i64::from(image.height() - side_y));
    let mut out = image.clone();
    for _ in 0..for_area(count, image) {
        let (x, y) = (rng.random_range(0..=last_x), rng.random_range(0..=last_y));
        let from_x = (x + rng.random_range(-SHIFT..=SHIFT)).clamp(0, last_x);
        let from_y = (y + rng.random_range(-SHIFT..=SHIFT)).clamp(0, last_y);
        let patch = imageops::crop_imm(image, from_x as u32, from_y as u32, side_x, side_y).to_image();
        imageops::replace(&mut out, &patch, x, y);
    }
    out
}

/// Type 21: shrunk to `0.95 - strength^0.6` of its size and back, nearest neighbour both times.
pub(super) fn pixelate(image: &RgbImage, strength: f32) -> RgbImage {
    let factor = 0.95 - strength.powf(0.6);
    let (width, height) = image.dimensions();
    let small = |side: u32| ((side as f32 * factor).round() as u32).max(1);
    let down = imageops::resize(image, small(width), small(height), imageops::FilterType::Nearest);
    imageops::resize(&down, width, height, imageops::FilterType::Nearest)
}

/// Type 23: `count` blocks of 32x32 in a random colour each.
pub(super) fn blocks(image: &RgbImage, count: f32, rng: &mut ChaCha8Rng) -> RgbImage {
    let (side_x, side_y) = (BLOCK.min(image.width()), BLOCK.min(image.height()));
    let mut out = image.clone();
    for _ in 0..for_area(count, image) {
        let x = rng.random_range(0..=image.width() - side_x);
        let y = rng.random_range(0..=image.height() - side_y);
        let block = RgbImage::from_pixel(side_x, side_y, Rgb(rng.random()));
        imageops::replace(&mut out, &block, i64::from(x), i64::from(y));
    }
    out
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn rng() -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(5)
    }

    fn texture(width: u32, height: u32) -> RgbImage {
        RgbImage::from_fn(width, height, |x, y| {
            Rgb([(x * 37 % 256) as u8, (y * 91 % 256) as u8, (x * y % 256) as u8])
        })
    }

    fn changed(a: &RgbImage, b: &RgbImage) -> usize {
        a.pixels().zip(b.pixels()).filter(|(a, b)| a != b).count()
    }

    #[test]
    fn counts_follow_the_area() {
        assert_eq!(for_area(20.0, &RgbImage::new(512, 384)), 20);
        assert_eq!(for_area(20.0, &RgbImage::new(256, 192)), 5);
        assert_eq!(for_area(2.0, &RgbImage::new(64, 64)), 1);
    }

    #[test]
    fn blocks_and_patches_change_no_more_than_their_area() {
        let image = texture(512, 384);
        let out = changed(&image, &blocks(&image, 4.0, &mut rng()));
        assert!((1024..=4 * 1024).contains(&out), "{out}");
        let out = changed(&image, &non_eccentricity(&image, 20.0, &mut rng()));
        assert!((10 * 256..=20 * 256).contains(&out), "{out}");
    }

    #[test]
    fn pixelation_leaves_as_many_rows_as_it_should() {
        let image = RgbImage::from_fn(64, 100, |_, y| Rgb([y as u8; 3]));
        // 0.95 - 0.5^0.6 = 0.2902: 29 rows.
        let out = pixelate(&image, 0.5);
        let mut rows: Vec<u8> = (0..100).map(|y| out.get_pixel(0, y)[0]).collect();
        rows.dedup();
        assert_eq!(rows.len(), 29);
    }

    #[test]
    fn tiny_images_are_no_trouble() {
        let image = texture(5, 3);
        for out in [
            jitter(&image, 1.0, &mut rng()),
            non_eccentricity(&image, 100.0, &mut rng()),
            pixelate(&image, 0.5),
            blocks(&image, 10.0, &mut rng()),
        ] {
            assert_eq!(out.dimensions(), (5, 3));
        }
    }
}
