//! The steerable pyramid of VIF: the bands of two orientations.
//!
//! Ours because the measure stands on the filters and borders of the authors' `matlabPyrTools`.

use super::plane::{Plane, add_scaled};

/// Levels of the pyramid.
pub(super) const LEVELS: usize = 4;

/// Low-pass before the first level: a quadrant and the axes, the rest by symmetry.
///
/// Source of the three filters: `sp5Filters` of E. P. Simoncelli's matlabPyrTools (MIT licence), by the design of A.
/// Karasaridis, E. Simoncelli, "A Filter Design Technique for Steerable Pyramid Image Transforms", ICASSP 1996.
const FIRST_LOW_PASS: [[f64; 3]; 3] = [
    [0.00341614, -0.01551246, -0.03848215],
    [-0.01551246, 0.05586982, 0.15925570],
    [-0.03848215, 0.15925570, 0.40304148],
];
/// Low-pass between levels: a quadrant and the axes.
const LOW_PASS: [[f64; 5]; 5] = [
    [0.00170808, -0.00489834, -0.00775624, -0.01888864, -0.01924108],
    [-0.00489834, -0.01046562, -0.01322234, 0.00821200, 0.02005976],
    [-0.00775624, -0.01322234, 0.02793492, 0.06554076, 0.07962786],
    [-0.01888864, 0.00821200, 0.06554076, 0.12852666, 0.16339236],
    [-0.01924108, 0.02005976, 0.07962786, 0.16339236, 0.20193080],
];
/// Band-pass for horizontal structure: the rows above the middle; those below are their negative mirror image. Transposed
/// and negated, it is the one for vertical structure.
const BAND_PASS: [[f64; 7]; 3] = [
    [0.00277643, 0.00496194, 0.01026699, 0.01455399, 0.01026699, 0.00496194, 0.00277643],
    [-0.00986904, -0.00893064, 0.01189859, 0.02755155, 0.01189859, -0.00893064, -0.00986904],
    [-0.01021852, -0.03075356, -0.08226445, -0.11732297, -0.08226445, -0.03075356, -0.01021852],
];

/// The horizontal and the vertical band of each level, the finest first.
///
/// Source: E. P. Simoncelli, W. T. Freeman, "The Steerable Pyramid: A Flexible Architecture for Multi-Scale Derivative
/// Computation", ICIP 1995.
pub(super) fn bands(image: &Plane) -> Vec<Plane> {
    let horizontal: [[f64; 7]; 7] = std::array::from_fn(|y| match y {
        0..3 => BAND_PASS[y],
        3 => [0.0; 7],
        _ => BAND_PASS[6 - y].map(|value| -value),
    });
    let vertical: [[f64; 7]; 7] = std::array::from_fn(|y| std::array::from_fn(|x| -horizontal[x][y]));
    let mut low = correlate(image, &symmetric::<3, 5>(FIRST_LOW_PASS), 1);
    let mut bands = Vec::with_capacity(2 * LEVELS);
    for level in 0..LEVELS {
        if level > 0 {
            low = correlate(&low, &symmetric::<5, 9>(LOW_PASS), 2);
        }
        bands.push(correlate(&low, &horizontal, 1));
        bands.push(correlate(&low, &vertical, 1));
    }
    bands
}

/// A filter from its first quadrant, the axes included.
fn symmetric<const HALF: usize, const SIDE: usize>(quadrant: [[f64; HALF]; HALF]) -> [[f64; SIDE]; SIDE] {
    let fold = |k: usize| k.min(SIDE - 1 - k);
    std::array::from_fn(|y| std::array::from_fn(|x| quadrant[fold(y)][fold(x)]))
}

/// Correlation with a filter, every `step`-th pixel of it, the image reflected about its edge pixels.
fn correlate<const SIDE: usize>(image: &Plane, filter: &[[f64; SIDE]; SIDE], step: usize) -> Plane {
    let padded = image.padded(SIDE / 2, reflected);
    let (width, height) = (image.width(), image.height());
    Plane::from_rows(width.div_ceil(step), height.div_ceil(step), |y, out| {
        if step == 1 {
            for (k, taps) in filter.iter().enumerate() {
                let row = padded.row(y + k);
                for (x, &tap) in taps.iter().enumerate() {
                    add_scaled(out, &row[x..x + width], tap);
                }
            }
            return;
        }
        for (x, out) in out.iter_mut().enumerate() {
            let rows = filter.iter().enumerate().map(|(k, taps)| {
                let row = &padded.row(y * step + k)[x * step..][..SIDE];
                taps.iter().zip(row).map(|(tap, value)| tap * value).sum::<f64>()
            });
            *out = rows.sum();
        }
    })
}

/// Index of a pixel beyond the edge when the image is reflected about its edge pixels (`'reflect1'` of matlabPyrTools).
pub(super) fn reflected(index: isize, length: usize) -> Option<usize> {
    let period = 2 * (length as isize - 1);
    let index = index.rem_euclid(period.max(1));
    Some(index.min(period - index) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reflection_does_not_repeat_the_edge_pixel() {
        let found: Vec<Option<usize>> = (-3..7).map(|index| reflected(index, 4)).collect();
        assert_eq!(found, [3, 2, 1, 0, 1, 2, 3, 2, 1, 0].map(Some));
        assert_eq!(reflected(-5, 1), Some(0));
    }

    #[test]
    fn bands_see_no_constant_and_each_its_own_direction() {
        let image = |f: fn(usize, usize) -> f64| {
            Plane::from_parts(96, 80, (0..96 * 80).map(|at| f(at % 96, at / 96)).collect())
        };
        assert!(bands(&image(|_, _| 9.0)).iter().flat_map(Plane::values).all(|value| value.abs() < 1e-6));
        let energy = |plane: &Plane| plane.values().iter().map(|value| value * value).sum::<f64>();
        let stripes = bands(&image(|_, y| ((y as f64) * 0.9).sin()));
        assert!(energy(&stripes[0]) > 100.0 * energy(&stripes[1]));
    }
}
