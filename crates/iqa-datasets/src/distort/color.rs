//! Distortions of colour (KADID-10k types 4, 5, 7, 8) and the colour spaces they work in.

use std::sync::LazyLock;

use image::RgbImage;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::planes::{Plane, Planes, luma, to_image, to_planes};

/// Standard deviation, in pixels, of the blur that turns edges into the places of type 5.
const EDGE_SIGMA: f32 = 4.0;
/// The part of the pixels, at each end, whose edge strength type 5 clips.
const EDGE_TAIL: f32 = 0.01;

/// White point D65 (CIE 1931 2-degree observer).
const WHITE: [f32; 3] = [0.950_47, 1.0, 1.088_83];
/// Linear sRGB to XYZ (IEC 61966-2-1).
const RGB_TO_XYZ: [[f32; 3]; 3] = [
    [0.412_456_4, 0.357_576_1, 0.180_437_5],
    [0.212_672_9, 0.715_152_2, 0.072_175],
    [0.019_333_9, 0.119_192, 0.950_304_1],
];
/// XYZ to linear sRGB: the inverse of the above.
const XYZ_TO_RGB: [[f32; 3]; 3] = [
    [3.240_454_2, -1.537_138_5, -0.498_531_4],
    [-0.969_266, 1.876_010_8, 0.041_556],
    [0.055_643_4, -0.204_025_9, 1.057_225_2],
];
/// (6/29)^3 and the slope of CIELAB's linear part.
const LAB_EPSILON: f32 = 216.0 / 24389.0;
const LAB_KAPPA: f32 = 24389.0 / 27.0;

static TO_LINEAR: LazyLock<[f32; 256]> = LazyLock::new(|| {
    std::array::from_fn(|byte| {
        let value = byte as f64 / 255.0;
        let linear = if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) };
        linear as f32
    })
});

const ENCODE_STEPS: usize = 8192;
static FROM_LINEAR: LazyLock<Vec<f32>> = LazyLock::new(|| {
    (0..=ENCODE_STEPS)
        .map(|step| {
            let linear = step as f64 / ENCODE_STEPS as f64;
            let value =
                if linear <= 0.003_130_8 { linear * 12.92 } else { 1.055 * linear.powf(1.0 / 2.4) - 0.055 };
            value as f32
        })
        .collect()
});

/// Encodes linear light as sRGB by a table with linear interpolation: within 1/2550 of the curve.
fn encode(linear: f32) -> f32 {
    let position = linear.clamp(0.0, 1.0) * ENCODE_STEPS as f32;
    let index = (position as usize).min(ENCODE_STEPS - 1);
    let (low, high) = (FROM_LINEAR[index], FROM_LINEAR[index + 1]);
    low + (position - index as f32) * (high - low)
}

fn multiply(matrix: &[[f32; 3]; 3], v: [f32; 3]) -> [f32; 3] {
    matrix.map(|row| row[0] * v[0] + row[1] * v[1] + row[2] * v[2])
}

/// CIELAB planes (D65): L in 0..100, a and b around 0.
pub(super) fn to_lab(image: &RgbImage) -> Planes {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let mut planes = [(); 3].map(|()| Plane::new(width, height));
    for (index, pixel) in image.as_raw().chunks_exact(3).enumerate() {
        let linear =
            [TO_LINEAR[pixel[0] as usize], TO_LINEAR[pixel[1] as usize], TO_LINEAR[pixel[2] as usize]];
        let xyz = multiply(&RGB_TO_XYZ, linear);
        let f: [f32; 3] = std::array::from_fn(|i| {
            let t = xyz[i] / WHITE[i];
            if t > LAB_EPSILON { t.cbrt() } else { (LAB_KAPPA * t + 16.0) / 116.0 }
        });
        planes[0].values[index] = 116.0 * f[1] - 16.0;
        planes[1].values[index] = 500.0 * (f[0] - f[1]);
        planes[2].values[index] = 200.0 * (f[1] - f[2]);
    }
    planes
}

/// RGB planes in `[0, 1]` of CIELAB planes; colours outside sRGB are clipped.
pub(super) fn from_lab([l, a, b]: &Planes) -> Planes {
    let mut planes = [(); 3].map(|()| Plane::new(l.width, l.height));
    for index in 0..l.values.len() {
        let fy = (l.values[index] + 16.0) / 116.0;
        let f = [fy + a.values[index] / 500.0, fy, fy - b.values[index] / 200.0];
        let xyz: [f32; 3] = std::array::from_fn(|i| {
            let cube = f[i] * f[i] * f[i];
            WHITE[i] * if cube > LAB_EPSILON { cube } else { (116.0 * f[i] - 16.0) / LAB_KAPPA }
        });
        let linear = multiply(&XYZ_TO_RGB, xyz);
        for (plane, value) in planes.iter_mut().zip(linear) {
            plane.values[index] = encode(value);
        }
    }
    planes
}

/// Type 4: chroma blurred with sigma `1.5 k + 2` and amplified `k` times.
pub(super) fn diffusion(image: &RgbImage, k: f32) -> RgbImage {
    let [l, a, b] = to_lab(image);
    let spread = |plane: &Plane| plane.gaussian(1.5 * k + 2.0).map(|value| value * k);
    to_image(&from_lab(&[l, spread(&a), spread(&b)]))
}

/// Type 5: the green channel moved by `distance` pixels in a random direction, where there are edges.
pub(super) fn shift(image: &RgbImage, distance: f32, rng: &mut ChaCha8Rng) -> RgbImage {
    let (sin, cos) = rng.random_range(0.0..std::f32::consts::TAU).sin_cos();
    let mut planes = to_planes(image);
    let edges = edge_strength(&luma(&planes));
    let green = planes[1].clone();
    for (y, row) in planes[1].values.chunks_exact_mut(green.width).enumerate() {
        for (x, value) in row.iter_mut().enumerate() {
            let moved = green.sample(x as f32 - distance * cos, y as f32 - distance * sin);
            *value += edges.row(y)[x] * (moved - *value);
        }
    }
    to_image(&planes)
}

/// Blurred magnitude of the gradient, stretched so that all but the tails fill `[0, 1]`.
fn edge_strength(plane: &Plane) -> Plane {
    let mut gradient = Plane::new(plane.width, plane.height);
    for y in 0..plane.height {
        let (above, below) = (plane.row(y.saturating_sub(1)), plane.row((y + 1).min(plane.height - 1)));
        let row = plane.row(y);
        for x in 0..plane.width {
            let across = row[(x + 1).min(plane.width - 1)] - row[x.saturating_sub(1)];
            gradient.values[y * plane.width + x] = across.hypot(below[x] - above[x]);
        }
    }
    let edges = gradient.gaussian(EDGE_SIGMA);
    let mut sorted = edges.values.clone();
    sorted.sort_by(f32::total_cmp);
    let at = |part: f32| sorted[(part * (sorted.len() - 1) as f32).round() as usize];
    let (low, high) = (at(EDGE_TAIL), at(1.0 - EDGE_TAIL));
    if low < high {
        edges.map(|value| ((value - low) / (high - low)).clamp(0.0, 1.0))
    } else {
        edges.map(|_| 0.0)
    }
}

/// Type 7: the saturation of HSV times `k`.
///
/// In HSV, `value - channel` is proportional to the saturation, so that the colour moves on a line; a negative
/// `k` turns it into its complement.
pub(super) fn saturation_hsv(image: &RgbImage, k: f32) -> RgbImage {
    let mut planes = to_planes(image);
    for index in 0..planes[0].values.len() {
        let value = planes.iter().map(|plane| plane.values[index]).fold(0.0, f32::max);
        for plane in &mut planes {
            plane.values[index] = value - (value - plane.values[index]) * k;
        }
    }
    to_image(&planes)
}

/// Type 8: a and b of CIELAB times `k`.
pub(super) fn saturation_lab(image: &RgbImage, k: f32) -> RgbImage {
    let [l, a, b] = to_lab(image);
    to_image(&from_lab(&[l, a.map(|value| value * k), b.map(|value| value * k)]))
}

#[cfg(test)]
mod tests {
    use image::Rgb;
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn lab_of_the_primaries_is_the_published_one() {
        // CIELAB (D65) of sRGB red, green, blue and white, from Lindbloom's tables.
        let cases = [
            ([255, 0, 0], [53.24, 80.09, 67.20]),
            ([0, 255, 0], [87.73, -86.18, 83.18]),
            ([0, 0, 255], [32.30, 79.19, -107.86]),
            ([255, 255, 255], [100.0, 0.0, 0.0]),
        ];
        for (rgb, expected) in cases {
            let lab = to_lab(&RgbImage::from_pixel(1, 1, Rgb(rgb)));
            for (plane, expected) in lab.iter().zip(expected) {
                assert!((plane.values[0] - expected).abs() < 0.02, "{rgb:?}: {} {expected}", plane.values[0]);
            }
        }
    }

    #[test]
    fn lab_and_back_is_the_same_image() {
        let image = RgbImage::from_fn(64, 64, |x, y| {
            Rgb([(x * 4) as u8, (y * 4) as u8, ((x * 7 + y * 13) % 256) as u8])
        });
        assert_eq!(to_image(&from_lab(&to_lab(&image))), image);
    }

    #[test]
    fn green_moves_at_edges_alone() {
        // A bar on grey, far from the sides: its green goes elsewhere, red and blue stay.
        let image = RgbImage::from_fn(160, 120, |x, y| {
            Rgb(if (70..90).contains(&x) && (40..80).contains(&y) { [220; 3] } else { [60; 3] })
        });
        let out = shift(&image, 6.0, &mut ChaCha8Rng::seed_from_u64(2));
        let moved = image.pixels().zip(out.pixels()).filter(|(a, b)| a[1] != b[1]).count();
        assert!((100..2000).contains(&moved), "{moved}");
        assert!(image.pixels().zip(out.pixels()).all(|(a, b)| a[0] == b[0] && a[2] == b[2]));
        assert_eq!(image.get_pixel(5, 5), out.get_pixel(5, 5));
        let flat = RgbImage::from_pixel(9, 7, Rgb([10, 200, 30]));
        assert_eq!(shift(&flat, 12.0, &mut ChaCha8Rng::seed_from_u64(2)), flat);
    }

    #[test]
    fn no_saturation_is_grey_and_full_saturation_the_image() {
        let image = RgbImage::from_pixel(2, 1, Rgb([200, 100, 40]));
        assert_eq!(saturation_hsv(&image, 0.0).get_pixel(0, 0), &Rgb([200, 200, 200]));
        assert_eq!(saturation_hsv(&image, 1.0), image);
        assert_eq!(saturation_hsv(&image, 0.5).get_pixel(0, 0), &Rgb([200, 150, 120]));
        assert_eq!(saturation_lab(&image, 1.0), image);
    }
}
