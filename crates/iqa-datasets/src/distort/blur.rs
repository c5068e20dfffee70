//! Blurs (KADID-10k types 1 to 3, TID2013 type 8).

use image::RgbImage;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::planes::{Plane, Tap, to_image, to_planes};

/// Side of the kernel of TID2013's blur, in pixels.
const WINDOW: usize = 11;
/// Points along each side of a pixel at which the rim of the disk is sampled.
const RIM_SAMPLES: i32 = 16;

/// Type 1: Gaussian of standard deviation `sigma` pixels.
pub(super) fn gaussian(image: &RgbImage, sigma: f32) -> RgbImage {
    to_image(&to_planes(image).map(|plane| plane.gaussian(sigma)))
}

/// TID2013 type 8: Gaussian of standard deviation `sigma` pixels, cut to [`WINDOW`], with black around the image.
pub(super) fn windowed(image: &RgbImage, sigma: f32) -> RgbImage {
    let reach = WINDOW / 2;
    let blurred = to_planes(image).map(|plane| {
        let (width, height) = (plane.width + 2 * reach, plane.height + 2 * reach);
        let mut framed = Plane::new(width, height);
        for y in 0..plane.height {
            let start = (y + reach) * width + reach;
            framed.values[start..start + plane.width].copy_from_slice(plane.row(y));
        }
        let blurred = framed.gaussian_within(sigma, reach as isize);
        let mut out = Plane::new(plane.width, plane.height);
        for (y, row) in out.values.chunks_exact_mut(plane.width).enumerate() {
            row.copy_from_slice(&blurred.row(y + reach)[reach..reach + plane.width]);
        }
        out
    });
    to_image(&blurred)
}

/// Type 2: a disk of `radius` pixels; a pixel on the rim counts by the part of it inside.
pub(super) fn lens(image: &RgbImage, radius: f32) -> RgbImage {
    let reach = (radius - 0.5).ceil().max(0.0) as isize;
    let mut taps = Vec::new();
    for dy in -reach..=reach {
        for dx in -reach..=reach {
            let inside = |i: i32, j: i32| {
                let offset = |k: i32| (k as f32 + 0.5) / RIM_SAMPLES as f32 - 0.5;
                (dx as f32 + offset(i)).hypot(dy as f32 + offset(j)) <= radius
            };
            let count = (0..RIM_SAMPLES)
                .flat_map(|j| (0..RIM_SAMPLES).map(move |i| (i, j)))
                .filter(|&(i, j)| inside(i, j))
                .count();
            if count > 0 {
                taps.push(Tap { dx, dy, weight: count as f32 });
            }
        }
    }
    filter(image, taps)
}

/// Type 3: a line of `length` pixels at a random angle.
pub(super) fn motion(image: &RgbImage, length: f32, rng: &mut ChaCha8Rng) -> RgbImage {
    let (sin, cos) = rng.random_range(0.0..std::f32::consts::PI).sin_cos();
    let half = (length - 1.0).max(0.0) / 2.0;
    let reach = half.ceil() as isize + 1;
    let mut taps = Vec::new();
    for dy in -reach..=reach {
        for dx in -reach..=reach {
            let along = (dx as f32 * cos + dy as f32 * sin).abs();
            let across = (dy as f32 * cos - dx as f32 * sin).abs();
            let weight = 1.0 - across.hypot((along - half).max(0.0));
            if weight > 0.0 {
                taps.push(Tap { dx, dy, weight });
            }
        }
    }
    filter(image, taps)
}

fn filter(image: &RgbImage, mut taps: Vec<Tap>) -> RgbImage {
    let sum: f32 = taps.iter().map(|tap| tap.weight).sum();
    taps.iter_mut().for_each(|tap| tap.weight /= sum);
    to_image(&to_planes(image).map(|plane| plane.filter(&taps)))
}

#[cfg(test)]
mod tests {
    use image::Rgb;
    use rand::SeedableRng;

    use super::*;

    fn impulse() -> RgbImage {
        let mut image = RgbImage::new(33, 33);
        image.put_pixel(16, 16, Rgb([255; 3]));
        image
    }

    #[test]
    fn a_disk_of_radius_4_covers_its_area_and_no_more() {
        let out = lens(&impulse(), 4.0);
        let lit = out.pixels().filter(|pixel| pixel[0] > 0).count();
        // Inside the disk each pixel is 255 / (16 pi) = 5.07.
        assert_eq!(out.get_pixel(16, 16)[0], 5);
        assert_eq!(out.get_pixel(16, 11)[0], 0);
        assert!((45..=61).contains(&lit), "{lit} pixels lit, the area is 50.3");
    }

    #[test]
    fn a_line_of_one_pixel_changes_nothing() {
        let image = impulse();
        for seed in 0..4 {
            assert_eq!(motion(&image, 1.0, &mut ChaCha8Rng::seed_from_u64(seed)), image);
        }
    }

    #[test]
    fn a_line_spreads_a_point_over_its_length() {
        let out = motion(&impulse(), 9.0, &mut ChaCha8Rng::seed_from_u64(3));
        let lit: Vec<_> = out.enumerate_pixels().filter(|(.., pixel)| pixel[0] > 0).collect();
        let distance = |x: u32, y: u32| (x as f32 - 16.0).hypot(y as f32 - 16.0);
        let furthest = lit.iter().map(|(x, y, _)| distance(*x, *y)).fold(0.0, f32::max);
        assert!((3.5..=5.0).contains(&furthest), "{furthest}");
    }
}
