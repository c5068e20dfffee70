use nalgebra::{SMatrix, SVector};
use rayon::prelude::*;

use super::plane::{Plane, add_scaled};
use super::same_size;
use super::steerable::{LEVELS, bands, reflected};
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
    let (d, r) = rayon::join(|| bands(distorted), || bands(reference));
    let (preserved, whole) = d
        .par_iter()
        .zip(&r)
        .enumerate()
        .map(|(index, (d, r))| band_information(d, r, index / 2))
        .collect::<Vec<_>>()
        .into_iter()
        .fold((0.0, 0.0), |(a, b), (preserved, whole)| (a + preserved, b + whole));
    Ok(ratio(preserved, whole, distorted, reference))
}

/// Bits that the distorted and the reference band carry about the source; `level` 0 is the finest.
fn band_information(distorted: &Plane, reference: &Plane, level: usize) -> (f64, f64) {
    // From 17 coefficients at the finest level to 3 at the coarsest.
    let window = (1usize << (LEVELS - level)) + 1;
    let (d, r) = (whole_blocks(distorted), whole_blocks(reference));
    let source = Source::new(&r);
    let margin = (window / 2).div_ceil(BLOCK);
    let (columns, rows) = (r.width() / BLOCK, r.height() / BLOCK);
    let count = (window * window) as f64;
    let product = |a: &Plane, b: &Plane| window_sums(&a.zip(b, |a, b| a * b), window);
    let (sum_d, sum_r) = (window_sums(&d, window), window_sums(&r, window));
    let (dd, rr, dr) = (product(&d, &d), product(&r, &r), product(&d, &r));
    let (mut preserved, mut whole) = (0.0, 0.0);
    for y in margin..rows.saturating_sub(margin) {
        for x in margin..columns.saturating_sub(margin) {
            let at = y * columns + x;
            let covariance = dr[at] - sum_d[at] * sum_r[at] / count;
            let var_r = (rr[at] - sum_r[at] * sum_r[at] / count).max(0.0);
            let var_d = (dd[at] - sum_d[at] * sum_d[at] / count).max(0.0);
            let (gain, noise) = channel(var_d, var_r, covariance, count);
            let scale = source.scale(&r, x, y);
            for eigenvalue in &source.eigenvalues {
                preserved += (1.0 + gain * gain * scale * eigenvalue / (noise + NOISE)).log2();
                whole += (1.0 + scale * eigenvalue / NOISE).log2();
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
    /// The covariance of all blocks, overlapping ones too.
    fn new(band: &Plane) -> Self {
        let (width, height) = (band.width() + 1 - BLOCK, band.height() + 1 - BLOCK);
        let count = (width * height) as f64;
        let shifted = |k: usize, y: usize| &band.row(y + k / BLOCK)[k % BLOCK..k % BLOCK + width];
        let mut means = [0.0; BLOCK_SIZE];
        for (k, mean) in means.iter_mut().enumerate() {
            *mean = (0..height).map(|y| shifted(k, y).iter().sum::<f64>()).sum::<f64>() / count;
        }
        let mut covariance = SMatrix::<f64, BLOCK_SIZE, BLOCK_SIZE>::zeros();
        for i in 0..BLOCK_SIZE {
            for j in 0..=i {
                let sum: f64 = (0..height)
                    .map(|y| {
                        let pairs = shifted(i, y).iter().zip(shifted(j, y));
                        pairs.map(|(a, b)| (a - means[i]) * (b - means[j])).sum::<f64>()
                    })
                    .sum();
                covariance[(i, j)] = sum / count;
                covariance[(j, i)] = sum / count;
            }
        }
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

    /// The squared scale of the block at `(x, y)`, counted in blocks.
    fn scale(&self, band: &Plane, x: usize, y: usize) -> f64 {
        let block = SVector::<f64, BLOCK_SIZE>::from_fn(|k, _| {
            band.row(y * BLOCK + k / BLOCK)[x * BLOCK + k % BLOCK]
        });
        (self.inverse * block).dot(&block) / BLOCK_SIZE as f64
    }
}

/// A band cut to whole blocks.
fn whole_blocks(band: &Plane) -> Plane {
    let (width, height) = (band.width() / BLOCK * BLOCK, band.height() / BLOCK * BLOCK);
    Plane::from_rows(width, height, |y, out| out.copy_from_slice(&band.row(y)[..width]))
}

/// Sums over windows round the middle of each block, reflected about the edge pixels.
fn window_sums(band: &Plane, window: usize) -> Vec<f64> {
    let margin = window / 2;
    let padded = band.padded(margin, reflected);
    let (columns, rows) = (band.width() / BLOCK, band.height() / BLOCK);
    let sums = Plane::from_rows(columns, rows, |y, out| {
        let mut column = vec![0.0; padded.width()];
        for k in 0..window {
            add_scaled(&mut column, padded.row(y * BLOCK + BLOCK / 2 + k), 1.0);
        }
        for (x, out) in out.iter_mut().enumerate() {
            let first = x * BLOCK + BLOCK / 2;
            *out = column[first..first + window].iter().sum();
        }
    });
    sums.values().to_vec()
}
