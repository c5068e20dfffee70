use std::ops::Range;

use nalgebra::{SMatrix, SVector};
use rayon::prelude::*;

use super::plane::{Plane, add_scaled};
use super::same_size;
use super::steerable::{LEVELS, Orientation, Pyramid, strip_rows};
use super::vifp::ratio;
use crate::MetricsError;

/// Side of the blocks of wavelet coefficients.
const BLOCK: usize = 3;
const BLOCK_SIZE: usize = BLOCK * BLOCK;
/// Variance of the neural noise.
const NOISE: f64 = 0.4;
/// Variances below this count as none.
const TINY: f64 = 1e-15;
/// Smallest side: what a pyramid of four levels with its filters needs.
pub(super) const MINIMUM: usize = 72;

/// Visual information fidelity in the wavelet domain: higher is better, from 0; 1 for the reference itself, above 1 for
/// an image with enhanced contrast.
///
/// Conventions of the authors' `vifvec.m`: luma in 0..255; a steerable pyramid of four levels (the filters `sp5Filters`,
/// reflected about the edge pixels), of which the vertical and the horizontal band of each level count; blocks of
/// 3x3 coefficients, noise variance 0.4, blocks near the edge left out; natural images' statistics are those of the
/// reference at hand. A reference without any information gives 1 to itself and 0 to all else. Not to be confused with
/// [`vifp`](super::vifp), which some packages call VIF.
///
/// Source: H. R. Sheikh, A. C. Bovik, "Image Information and Visual Quality", IEEE TIP 15(2), 2006, equation 12.
///
/// # Errors
/// [`MetricsError::SizeMismatch`], [`MetricsError::TooSmall`] below 72 pixels.
pub fn vif(distorted: &Plane, reference: &Plane) -> Result<f64, MetricsError> {
    same_size("vif", distorted.size(), reference.size(), MINIMUM)?;
    let (d, r) = rayon::join(|| Pyramid::new(distorted), || Pyramid::new(reference));
    let all: Vec<(usize, Orientation)> = (0..LEVELS)
        .flat_map(|level| [Orientation::Horizontal, Orientation::Vertical].map(|of| (level, of)))
        .collect();
    let (preserved, whole) = all
        .into_par_iter()
        .map(|(level, orientation)| band_information(&d, &r, level, orientation))
        .collect::<Vec<_>>()
        .into_iter()
        .fold((0.0, 0.0), |(a, b), (preserved, whole)| (a + preserved, b + whole));
    Ok(ratio(preserved, whole, distorted, reference))
}

/// Bits that the distorted and the reference band carry about the source; `level` 0 is the finest. Some rows of blocks at
/// a time.
fn band_information(
    distorted: &Pyramid<'_>,
    reference: &Pyramid<'_>,
    level: usize,
    orientation: Orientation,
) -> (f64, f64) {
    // From 17 coefficients at the finest level to 3 at the coarsest.
    let window = (1usize << (LEVELS - level)) + 1;
    let (width, height) = reference.size(level);
    // Cut to whole blocks.
    let (columns, rows) = (width / BLOCK, height / BLOCK);
    let source = Source::new(columns * BLOCK, rows * BLOCK, |rows| reference.band(level, orientation, rows));
    let margin = (window / 2).div_ceil(BLOCK);
    let count = (window * window) as f64;
    let last = rows.saturating_sub(margin);
    let step = strip_rows(width).div_ceil(BLOCK);
    let (mut preserved, mut whole) = (0.0, 0.0);
    for first in (margin..last).step_by(step) {
        let blocks = first..last.min(first + step);
        // From the first row under the first window to the last under the last.
        let top = blocks.start * BLOCK + BLOCK / 2 - window / 2;
        let bottom = (blocks.end - 1) * BLOCK + BLOCK / 2 + window / 2 + 1;
        let [d, r] = [distorted, reference].map(|pyramid| pyramid.band(level, orientation, top..bottom));
        let sums =
            |plane: &Plane| window_sums(plane, blocks.len(), margin..columns.saturating_sub(margin), window);
        let product = |a: &Plane, b: &Plane| sums(&a.zip(b, |a, b| a * b));
        let (sum_d, sum_r) = (sums(&d), sums(&r));
        let (dd, rr, dr) = (product(&d, &d), product(&r, &r), product(&d, &r));
        for (index, y) in blocks.enumerate() {
            for x in margin..columns.saturating_sub(margin) {
                let of = |sums: &Plane| sums.row(index)[x - margin];
                let covariance = of(&dr) - of(&sum_d) * of(&sum_r) / count;
                let var_r = (of(&rr) - of(&sum_r) * of(&sum_r) / count).max(0.0);
                let var_d = (of(&dd) - of(&sum_d) * of(&sum_d) / count).max(0.0);
                let (gain, noise) = channel(var_d, var_r, covariance, count);
                let scale = source.scale(&r, x * BLOCK, y * BLOCK - top);
                for eigenvalue in &source.eigenvalues {
                    preserved += (1.0 + gain * gain * scale * eigenvalue / (noise + NOISE)).log2();
                    whole += (1.0 + scale * eigenvalue / NOISE).log2();
                }
            }
        }
    }
    (preserved, whole)
}

/// Gain and noise variance of the distortion channel, from sums of squares over a window, with the published program's
/// treatment of windows without variance.
fn channel(var_d: f64, var_r: f64, covariance: f64, count: f64) -> (f64, f64) {
    if var_d < TINY {
        return (0.0, TINY);
    }
    if var_r < TINY {
        return (0.0, var_d);
    }
    let gain = covariance / (var_r + TINY);
    if gain < 0.0 { (0.0, var_d) } else { (gain, ((var_d - gain * covariance) / count).max(TINY)) }
}

/// The Gaussian scale mixture of a band of the reference.
struct Source {
    eigenvalues: SVector<f64, BLOCK_SIZE>,
    inverse: SMatrix<f64, BLOCK_SIZE, BLOCK_SIZE>,
}

impl Source {
    /// The covariance of all blocks, overlapping ones too, of a band of that size; `band` gives rows of it.
    fn new(width: usize, height: usize, band: impl Fn(Range<usize>) -> Plane) -> Self {
        let (across, down) = (width + 1 - BLOCK, height + 1 - BLOCK);
        let count = (across * down) as f64;
        // Bands have no mean to speak of, so that nothing is lost in the difference of plain moments.
        let mut sums = [0.0; BLOCK_SIZE];
        let mut products = SMatrix::<f64, BLOCK_SIZE, BLOCK_SIZE>::zeros();
        let step = strip_rows(width);
        for first in (0..down).step_by(step) {
            let blocks = down.min(first + step) - first;
            let strip = band(first..first + blocks + BLOCK - 1);
            let shifted = |k: usize, y: usize| &strip.row(y + k / BLOCK)[k % BLOCK..k % BLOCK + across];
            for y in 0..blocks {
                for i in 0..BLOCK_SIZE {
                    sums[i] += shifted(i, y).iter().sum::<f64>();
                    for j in 0..=i {
                        let pairs = shifted(i, y).iter().zip(shifted(j, y));
                        products[(i, j)] += pairs.map(|(a, b)| a * b).sum::<f64>();
                    }
                }
            }
        }
        let covariance = SMatrix::<f64, BLOCK_SIZE, BLOCK_SIZE>::from_fn(|i, j| {
            products[(i.max(j), i.min(j))] / count - sums[i] / count * (sums[j] / count)
        });
        let decomposition = covariance.symmetric_eigen();
        // Directions without variance hold nothing; the published program has no finite score then.
        let least = decomposition.eigenvalues.max() * BLOCK_SIZE as f64 * f64::EPSILON;
        let inverse = decomposition.eigenvalues.map(|value| if value > least { 1.0 / value } else { 0.0 });
        let vectors = decomposition.eigenvectors;
        Self {
            eigenvalues: decomposition.eigenvalues.map(|value| value.max(0.0)),
            inverse: vectors * SMatrix::from_diagonal(&inverse) * vectors.transpose(),
        }
    }

    /// The squared scale of the block whose first coefficient is at `(x, y)`.
    fn scale(&self, band: &Plane, x: usize, y: usize) -> f64 {
        let block = SVector::<f64, BLOCK_SIZE>::from_fn(|k, _| band.row(y + k / BLOCK)[x + k % BLOCK]);
        (self.inverse * block).dot(&block) / BLOCK_SIZE as f64
    }
}

/// Sums over windows round the middle of each of those blocks, of as many rows of blocks as are asked for; the first row
/// of the band is the first under the first window.
fn window_sums(band: &Plane, rows: usize, columns: Range<usize>, window: usize) -> Plane {
    Plane::from_rows(
        columns.len(),
        rows,
        #[inline(always)]
        |y, out| {
            let mut column = vec![0.0; band.width()];
            for k in 0..window {
                add_scaled(&mut column, band.row(y * BLOCK + k), 1.0);
            }
            for (x, out) in columns.clone().zip(out) {
                let first = x * BLOCK + BLOCK / 2 - window / 2;
                *out = column[first..first + window].iter().sum();
            }
        },
    )
}
