//! The 8x8 discrete cosine transform, and the denoiser made of it.

use std::sync::LazyLock;

use super::planes::{Plane, Planes};

/// Side of a block, in pixels.
pub(super) const SIDE: usize = 8;
/// A block, row by row.
pub(super) type Block = [f32; SIDE * SIDE];

/// Pixels between neighbouring blocks of the denoiser, to choose from; they divide [`SIDE`].
pub(super) const FINE: usize = 2;
pub(super) const COARSE: usize = 4;
/// Coefficients below this many standard deviations of the noise are taken for noise.
///
/// Source: V. Lukin, N. Ponomarenko et al., "Image filtering based on discrete cosine transform",
/// Telecommunications and Radio Engineering 66(18), 2007, find 2.6 to 2.7 best.
const THRESHOLD: f32 = 2.7;

/// The orthonormal basis, frequency by frequency, and its transpose.
static BASIS: LazyLock<[Block; 2]> = LazyLock::new(|| {
    let side = SIDE as f64;
    let value = |frequency: usize, place: usize| {
        let norm = if frequency == 0 { (1.0 / side).sqrt() } else { (2.0 / side).sqrt() };
        let angle = std::f64::consts::PI * (place as f64 + 0.5) * frequency as f64 / side;
        (norm * angle.cos()) as f32
    };
    [
        std::array::from_fn(|index| value(index / SIDE, index % SIDE)),
        std::array::from_fn(|index| value(index % SIDE, index / SIDE)),
    ]
});

fn product(left: &Block, right: &Block) -> Block {
    let mut out = [0.0; SIDE * SIDE];
    for (out, left) in out.chunks_exact_mut(SIDE).zip(left.chunks_exact(SIDE)) {
        for (factor, right) in left.iter().zip(right.chunks_exact(SIDE)) {
            for (sum, value) in out.iter_mut().zip(right) {
                *sum += factor * value;
            }
        }
    }
    out
}

/// Coefficients of a block, the vertical frequency choosing the row; the transform is orthonormal.
pub(super) fn forward(block: &Block) -> Block {
    let [basis, transposed] = &*BASIS;
    product(&product(basis, block), transposed)
}

/// The block of these coefficients.
pub(super) fn inverse(coefficients: &Block) -> Block {
    let [basis, transposed] = &*BASIS;
    product(&product(transposed, coefficients), basis)
}

/// Replaces the coefficients of each block of the grid that starts at the upper left corner; blocks that reach over
/// the image see its border go on. `change` is called row by row.
pub(super) fn map_blocks(plane: &Plane, mut change: impl FnMut(&mut Block)) -> Plane {
    let up = |side: usize| side.next_multiple_of(SIDE);
    let mut padded = plane.padded(0, 0, up(plane.width), up(plane.height));
    for y in (0..padded.height).step_by(SIDE) {
        for x in (0..padded.width).step_by(SIDE) {
            let mut coefficients = forward(&read(&padded, x, y));
            change(&mut coefficients);
            let block = inverse(&coefficients);
            for (row, values) in block.chunks_exact(SIDE).enumerate() {
                let start = (y + row) * padded.width + x;
                padded.values[start..start + SIDE].copy_from_slice(values);
            }
        }
    }
    padded.padded(0, 0, plane.width, plane.height)
}

fn read(plane: &Plane, x: usize, y: usize) -> Block {
    let mut block = [0.0; SIDE * SIDE];
    for (row, values) in block.chunks_exact_mut(SIDE).enumerate() {
        let start = (y + row) * plane.width + x;
        values.copy_from_slice(&plane.values[start..start + SIDE]);
    }
    block
}

/// Removes white noise of standard deviation `sigma` from RGB: overlapping 8x8 blocks of three decorrelated
/// channels lose the coefficients below 2.7 `sigma`, and the blocks' results are averaged.
///
/// Source: G. Yu, G. Sapiro, "DCT Image Denoising: a Simple and Effective Image Denoising Algorithm", Image
/// Processing On Line 1, 2011, with blocks `stride` pixels apart.
pub(super) fn denoise(planes: &Planes, sigma: f32, stride: usize) -> Planes {
    recombined(decorrelated(planes).map(|plane| shrunk(&plane, THRESHOLD * sigma, stride)))
}

/// The orthonormal DCT over the three channels.
fn decorrelated(planes: &Planes) -> Planes {
    mixed(planes, |[r, g, b]| {
        [
            (r + g + b) / 3f32.sqrt(),
            (r - b) * std::f32::consts::FRAC_1_SQRT_2,
            (r - 2.0 * g + b) / 6f32.sqrt(),
        ]
    })
}

fn recombined(planes: Planes) -> Planes {
    mixed(&planes, |[sum, across, bend]| {
        let (sum, bend) = (sum / 3f32.sqrt(), bend / 6f32.sqrt());
        let across = across * std::f32::consts::FRAC_1_SQRT_2;
        [sum + across + bend, sum - 2.0 * bend, sum - across + bend]
    })
}

/// Each pixel's three values through `f`.
pub(super) fn mixed(planes: &Planes, f: impl Fn([f32; 3]) -> [f32; 3]) -> Planes {
    let mut out = planes.clone();
    for index in 0..planes[0].values.len() {
        let values = f(std::array::from_fn(|channel| planes[channel].values[index]));
        for (plane, value) in out.iter_mut().zip(values) {
            plane.values[index] = value;
        }
    }
    out
}

fn shrunk(plane: &Plane, threshold: f32, stride: usize) -> Plane {
    // Wide enough that every pixel lies in (SIDE / stride)^2 blocks.
    let margin = SIDE - stride;
    let reach = |side: usize| (side + margin).next_multiple_of(stride) + margin;
    let padded = plane.padded(margin, margin, reach(plane.width), reach(plane.height));
    let mut sums = Plane::new(padded.width, padded.height);
    for y in (0..=padded.height - SIDE).step_by(stride) {
        for x in (0..=padded.width - SIDE).step_by(stride) {
            let mut coefficients = forward(&read(&padded, x, y));
            // The mean stays.
            for value in &mut coefficients[1..] {
                *value = if value.abs() < threshold { 0.0 } else { *value };
            }
            for (row, values) in inverse(&coefficients).chunks_exact(SIDE).enumerate() {
                let start = (y + row) * sums.width + x;
                for (sum, value) in sums.values[start..start + SIDE].iter_mut().zip(values) {
                    *sum += value;
                }
            }
        }
    }
    let blocks = ((SIDE / stride) * (SIDE / stride)) as f32;
    let mut out = Plane::new(plane.width, plane.height);
    for y in 0..plane.height {
        let row = &sums.row(y + margin)[margin..margin + plane.width];
        for (out, sum) in out.values[y * plane.width..].iter_mut().zip(row) {
            *out = sum / blocks;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_transform_is_that_of_the_definition_and_undoes_itself() {
        let block: Block = std::array::from_fn(|i| ((i * 37 + i * i) % 101) as f32 / 100.0);
        let coefficients = forward(&block);
        let pi = std::f64::consts::PI;
        for (v, u) in [(0, 0), (0, 1), (3, 5), (7, 7)] {
            let norm = |k: usize| if k == 0 { (1.0f64 / 8.0).sqrt() } else { 0.5 };
            let mut sum = 0.0;
            for (i, &value) in block.iter().enumerate() {
                let (y, x) = ((i / 8) as f64 + 0.5, (i % 8) as f64 + 0.5);
                sum += f64::from(value) * (pi * y * v as f64 / 8.0).cos() * (pi * x * u as f64 / 8.0).cos();
            }
            let expected = sum * norm(v) * norm(u);
            assert!((f64::from(coefficients[v * 8 + u]) - expected).abs() < 1e-5, "{v},{u}");
        }
        for (back, value) in inverse(&coefficients).iter().zip(block) {
            assert!((back - value).abs() < 1e-6);
        }
    }

    #[test]
    fn blocks_over_the_border_and_tiny_planes_come_back() {
        for (width, height) in [(1, 1), (3, 5), (8, 8), (9, 17)] {
            let values = (0..width * height).map(|i| (i % 7) as f32 / 7.0).collect();
            let plane = Plane { width, height, values };
            for out in [map_blocks(&plane, |_| {}), shrunk(&plane, 0.0, FINE), shrunk(&plane, 0.0, COARSE)] {
                assert_eq!((out.width, out.height), (width, height));
                assert!(out.values.iter().zip(&plane.values).all(|(a, b)| (a - b).abs() < 1e-5));
            }
        }
    }

    #[test]
    fn mixing_the_channels_undoes_itself() {
        let planes: Planes = [[0.1, 0.9], [0.5, 0.2], [0.7, 0.4]].map(|values| Plane {
            width: 2,
            height: 1,
            values: values.to_vec(),
        });
        for (plane, back) in planes.iter().zip(recombined(decorrelated(&planes))) {
            assert!(plane.values.iter().zip(&back.values).all(|(a, b)| (a - b).abs() < 1e-6));
        }
    }
}
