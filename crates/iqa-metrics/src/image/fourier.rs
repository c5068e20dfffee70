//! Two-dimensional Fourier transforms of any size.

use std::sync::Arc;

use rustfft::num_complex::Complex;
use rustfft::{Fft, FftPlanner};

use super::plane::wide;

/// Values in a line of the cache.
const TILE: usize = 4;
/// Columns that are transformed at a time.
const COLUMNS: usize = 8;

/// Transforms of images of one size.
///
/// Spectra are kept column by column: the value of frequency `(u, v)`, `u` across, is at `u * height + v`. That saves
/// a transposition each way.
pub(super) struct Fourier {
    width: usize,
    height: usize,
    forward: Plan,
    inverse: Plan,
}

/// Transforms of every row, and of every column.
struct Plan {
    rows: Arc<dyn Fft<f64>>,
    columns: Arc<dyn Fft<f64>>,
}

impl Fourier {
    pub(super) fn new(width: usize, height: usize) -> Self {
        let mut planner = FftPlanner::new();
        let forward =
            Plan { rows: planner.plan_fft_forward(width), columns: planner.plan_fft_forward(height) };
        let inverse =
            Plan { rows: planner.plan_fft_inverse(width), columns: planner.plan_fft_inverse(height) };
        Self { width, height, forward, inverse }
    }

    /// The spectrum of a real image given row by row.
    pub(super) fn forward(&self, image: &[f64]) -> Vec<Complex<f64>> {
        let mut rows: Vec<_> = image.iter().map(|&value| Complex::new(value, 0.0)).collect();
        let mut spectrum = vec![Complex::ZERO; rows.len()];
        self.forward_into(&mut rows, &mut spectrum);
        spectrum
    }

    /// The first half of the inverse transform of a spectrum times two filters, scaled so that nothing is left to divide by: its
    /// columns transformed, still column by column.
    pub(super) fn inverse_columns(
        &self,
        spectrum: &[Complex<f64>],
        [first, second]: [&[f64]; 2],
        columns: &mut [Complex<f64>],
    ) {
        let scale = 1.0 / (self.width * self.height) as f64;
        // A piece is transformed while it is still in the cache.
        let piece = COLUMNS * self.height;
        let filters = first.chunks(piece).zip(second.chunks(piece));
        let pieces = columns.chunks_mut(piece).zip(spectrum.chunks(piece)).zip(filters);
        for ((columns, spectrum), (first, second)) in pieces {
            wide(
                #[inline(always)]
                || {
                    for (((out, value), a), b) in columns.iter_mut().zip(spectrum).zip(first).zip(second) {
                        *out = value * (scale * (a * b));
                    }
                },
            );
            self.inverse.columns.process(columns);
        }
    }

    /// The second half: some rows of the complex image, from row `first` on, of what [`Self::inverse_columns`] made.
    pub(super) fn inverse_rows(&self, columns: &[Complex<f64>], first: usize, rows: &mut [Complex<f64>]) {
        for tile in (0..self.width).step_by(TILE) {
            for (y, row) in rows.chunks_exact_mut(self.width).enumerate() {
                for x in tile..self.width.min(tile + TILE) {
                    row[x] = columns[x * self.height + first + y];
                }
            }
        }
        self.inverse.rows.process(rows);
    }

    /// A complex image after a filter: two real ones at once, where filters are real and the same for a frequency and its
    /// negative.
    pub(super) fn filtered(&self, mut image: Vec<Complex<f64>>, gains: &[f64]) -> Vec<Complex<f64>> {
        let mut spectrum = vec![Complex::ZERO; image.len()];
        self.forward_into(&mut image, &mut spectrum);
        spectrum.iter_mut().zip(gains).for_each(|(value, gain)| *value *= gain);
        self.inverse_into(&mut spectrum, &mut image);
        image
    }

    /// What was in `rows` is lost.
    fn forward_into(&self, rows: &mut [Complex<f64>], spectrum: &mut [Complex<f64>]) {
        self.forward.rows.process(rows);
        transpose::transpose(rows, spectrum, self.width, self.height);
        self.forward.columns.process(spectrum);
    }

    /// What was in `spectrum` is lost.
    fn inverse_into(&self, spectrum: &mut [Complex<f64>], rows: &mut [Complex<f64>]) {
        self.inverse.columns.process(spectrum);
        transpose::transpose(spectrum, rows, self.height, self.width);
        self.inverse.rows.process(rows);
        let scale = 1.0 / (self.width * self.height) as f64;
        rows.iter_mut().for_each(|value| *value *= scale);
    }

    /// A filter from its value at each frequency `(x, y)`, in cycles a pixel, by the grid of Kovesi's programs: from
    /// -0.5 on; for an odd number of pixels up to 0.5, which is a slight stretch.
    pub(super) fn filter(&self, value: impl Fn(f64, f64) -> f64) -> Vec<f64> {
        over_grid(&frequencies(self.width), &frequencies(self.height), value)
    }

    /// A quarter of a filter: its values at the frequencies of [`Self::filter`] without their signs, each once, column by
    /// column, zero first.
    pub(super) fn quarter(&self, value: impl Fn(f64, f64) -> f64) -> Vec<f64> {
        let [across, down] = [self.width, self.height].map(|length| {
            frequencies(length).into_iter().take(length / 2 + 1).map(f64::abs).collect::<Vec<_>>()
        });
        over_grid(&across, &down, value)
    }

    /// A filter from its quarters: `quarters[0][1]` is for frequencies whose `x` is positive and `y` negative. At zero it
    /// does not matter which is taken.
    pub(super) fn unfolded(&self, quarters: [[&[f64]; 2]; 2]) -> Vec<f64> {
        let length = self.height / 2 + 1;
        let mut filter = Vec::with_capacity(self.width * self.height);
        for u in 0..self.width {
            let from = u.min(self.width - u) * length;
            let [positive, negative] = quarters[usize::from(u >= self.width.div_ceil(2))]
                .map(|quarter| &quarter[from..from + length]);
            filter.extend_from_slice(&positive[..self.height.div_ceil(2)]);
            filter.extend(negative[1..=self.height / 2].iter().rev());
        }
        filter
    }
}

/// The value at each `(x, y)`, column by column.
fn over_grid(across: &[f64], down: &[f64], value: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    across.iter().flat_map(|&x| down.iter().map(move |&y| (x, y))).map(|(x, y)| value(x, y)).collect()
}

/// Frequencies in the order of a spectrum, zero first.
fn frequencies(length: usize) -> Vec<f64> {
    let span = (length - length % 2).max(1) as f64;
    let wrapped = |k| if k < length.div_ceil(2) { k as f64 } else { k as f64 - length as f64 };
    (0..length).map(|k| wrapped(k) / span).collect()
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;

    #[test]
    fn there_and_back_is_the_same_and_a_wave_has_its_frequency() {
        for (width, height) in [(6, 5), (3, 4), (64, 30), (37, 74), (97, 8)] {
            let wave =
                |x: usize, y: usize| (TAU * (x as f64 / width as f64 + y as f64 / height as f64)).cos();
            let image: Vec<f64> = (0..height).flat_map(|y| (0..width).map(move |x| wave(x, y))).collect();
            let fourier = Fourier::new(width, height);
            let spectrum = fourier.forward(&image);
            let half = (width * height) as f64 / 2.0;
            for (index, value) in spectrum.iter().enumerate() {
                let at = (index / height, index % height);
                let expected = if [(1, 1), (width - 1, height - 1)].contains(&at) { half } else { 0.0 };
                assert!((value - expected).norm() < 1e-14 * half, "{width}x{height}, {at:?}: {value}");
            }
            let gains = [0.5, 2.0].map(|gain| vec![gain; image.len()]);
            let [mut columns, mut rows] = [(); 2].map(|()| vec![Complex::ZERO; image.len()]);
            fourier.inverse_columns(&spectrum, gains.each_ref().map(Vec::as_slice), &mut columns);
            let (upper, lower) = rows.split_at_mut(height / 2 * width);
            fourier.inverse_rows(&columns, 0, upper);
            fourier.inverse_rows(&columns, height / 2, lower);
            for (back, expected) in rows.iter().zip(&image) {
                assert!((back - expected).norm() < 1e-14, "{width}x{height}: {back} for {expected}");
            }
        }
    }

    #[test]
    fn a_filter_comes_from_its_quarters() {
        for (width, height) in [(6, 5), (3, 4), (8, 8), (7, 3)] {
            let fourier = Fourier::new(width, height);
            let signs = [[[1.0, 1.0], [1.0, -1.0]], [[-1.0, 1.0], [-1.0, -1.0]]];
            let value = |x: f64, y: f64| (1.0 + 2.0 * x) * (3.0 + y);
            let quarters = signs.map(|half| half.map(|[a, b]| fourier.quarter(|x, y| value(a * x, b * y))));
            let unfolded =
                fourier.unfolded(quarters.each_ref().map(|half| half.each_ref().map(Vec::as_slice)));
            assert_eq!(unfolded, fourier.filter(value), "{width}x{height}");
        }
    }

    #[test]
    fn frequencies_stand_in_the_order_of_the_transform() {
        assert_eq!(frequencies(4), [0.0, 0.25, -0.5, -0.25]);
        assert_eq!(frequencies(5), [0.0, 0.25, 0.5, -0.5, -0.25]);
    }
}
