//! The steerable pyramid of VIF: the bands of two orientations.
//!
//! Ours because the measure stands on the filters and borders of the authors' `matlabPyrTools`.

use std::ops::Range;

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

/// What a band sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Orientation {
    Horizontal,
    Vertical,
}

/// An image at each level. Its bands, and the finest level itself, are made row by row when they are asked for: of a
/// picture of 3840x2160 each would take 66 MB.
///
/// Source: E. P. Simoncelli, W. T. Freeman, "The Steerable Pyramid: A Flexible Architecture for Multi-Scale Derivative
/// Computation", ICIP 1995.
pub(super) struct Pyramid<'a> {
    image: &'a Plane,
    /// From the second level on.
    coarser: Vec<Plane>,
}

impl<'a> Pyramid<'a> {
    pub(super) fn new(image: &'a Plane) -> Self {
        let mut pyramid = Self { image, coarser: Vec::with_capacity(LEVELS - 1) };
        let filter = symmetric::<5, 9>(LOW_PASS);
        for level in 1..LEVELS {
            let (width, height) = pyramid.size(level);
            let mut values = Vec::with_capacity(width * height);
            let step = strip_rows(width);
            for first in (0..height).step_by(step) {
                let rows = first..height.min(first + step);
                let low = |rows| pyramid.low(level - 1, rows);
                let strip = correlate(low, pyramid.size(level - 1), &filter, 2, rows);
                values.extend_from_slice(strip.values());
            }
            pyramid.coarser.push(Plane::from_parts(width, height, values));
        }
        pyramid
    }

    /// Width and height at a level; 0 is the finest.
    pub(super) fn size(&self, level: usize) -> (usize, usize) {
        let (width, height) = self.image.size();
        (width.div_ceil(1 << level), height.div_ceil(1 << level))
    }

    /// Some rows of a band.
    pub(super) fn band(&self, level: usize, orientation: Orientation, rows: Range<usize>) -> Plane {
        let horizontal: [[f64; 7]; 7] = std::array::from_fn(|y| match y {
            0..3 => BAND_PASS[y],
            3 => [0.0; 7],
            _ => BAND_PASS[6 - y].map(|value| -value),
        });
        let filter = match orientation {
            Orientation::Horizontal => horizontal,
            Orientation::Vertical => std::array::from_fn(|y| std::array::from_fn(|x| -horizontal[x][y])),
        };
        correlate(|rows| self.low(level, rows), self.size(level), &filter, 1, rows)
    }

    /// Some rows of a level.
    fn low(&self, level: usize, rows: Range<usize>) -> Plane {
        if level > 0 {
            return self.coarser[level - 1].rows(rows);
        }
        let filter = symmetric::<3, 5>(FIRST_LOW_PASS);
        correlate(|rows| self.image.rows(rows), self.image.size(), &filter, 1, rows)
    }
}

/// Rows of that width that stay in the cache.
pub(super) fn strip_rows(width: usize) -> usize {
    ((1 << 17) / width).clamp(8, 512)
}

/// A filter from its first quadrant, the axes included.
fn symmetric<const HALF: usize, const SIDE: usize>(quadrant: [[f64; HALF]; HALF]) -> [[f64; SIDE]; SIDE] {
    let fold = |k: usize| k.min(SIDE - 1 - k);
    std::array::from_fn(|y| std::array::from_fn(|x| quadrant[fold(y)][fold(x)]))
}

/// Some rows of the correlation of an image with a filter, every `step`-th pixel of it, the image reflected about its edge
/// pixels. `source` gives the rows of the image, which has the width and height `size`.
fn correlate<const SIDE: usize>(
    source: impl Fn(Range<usize>) -> Plane,
    (width, height): (usize, usize),
    filter: &[[f64; SIDE]; SIDE],
    step: usize,
    rows: Range<usize>,
) -> Plane {
    let half = SIDE / 2;
    let first = (rows.start * step) as isize - half as isize;
    let needed = rows.len().saturating_sub(1) * step + SIDE;
    let at: Vec<usize> = (0..needed).filter_map(|row| reflected(first + row as isize, height)).collect();
    let (least, most) = at.iter().fold((height, 0), |(least, most), row| (least.min(*row), most.max(*row)));
    let strip = source(least..most + 1);
    let padded = Plane::from_rows(
        width + 2 * half,
        needed,
        #[inline(always)]
        |y, out| {
            let row = strip.row(at[y] - least);
            out[half..half + width].copy_from_slice(row);
            for x in (0..half).chain(half + width..out.len()) {
                out[x] = reflected(x as isize - half as isize, width).map_or(0.0, |x| row[x]);
            }
        },
    );
    Plane::from_rows(
        width.div_ceil(step),
        rows.len(),
        #[inline(always)]
        |y, out| {
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
        },
    )
}

/// Index of a pixel beyond the edge when the image is reflected about its edge pixels (`'reflect1'` of matlabPyrTools).
fn reflected(index: isize, length: usize) -> Option<usize> {
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
        let band = |image: &Plane, level, orientation| {
            let pyramid = Pyramid::new(image);
            pyramid.band(level, orientation, 0..pyramid.size(level).1)
        };
        let flat = image(|_, _| 9.0);
        for orientation in [Orientation::Horizontal, Orientation::Vertical] {
            for level in 0..LEVELS {
                assert!(band(&flat, level, orientation).values().iter().all(|value| value.abs() < 1e-6));
            }
        }
        let energy = |plane: &Plane| plane.values().iter().map(|value| value * value).sum::<f64>();
        let stripes = image(|_, y| ((y as f64) * 0.9).sin());
        let [across, down] =
            [Orientation::Horizontal, Orientation::Vertical].map(|of| energy(&band(&stripes, 0, of)));
        assert!(across > 100.0 * down);
    }

    #[test]
    fn rows_of_a_band_are_those_of_the_whole_band() {
        let values = (0..75 * 83).map(|at| ((at * at) as f64 * 0.37).sin()).collect();
        let image = Plane::from_parts(75, 83, values);
        let pyramid = Pyramid::new(&image);
        for level in 0..LEVELS {
            let (_, height) = pyramid.size(level);
            let whole = pyramid.band(level, Orientation::Vertical, 0..height);
            for rows in [0..1, 0..height / 2, height / 2..height, height - 1..height] {
                let part = pyramid.band(level, Orientation::Vertical, rows.clone());
                assert_eq!(part, whole.rows(rows));
            }
        }
    }
}
