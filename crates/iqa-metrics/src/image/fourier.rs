//! Two-dimensional Fourier transforms of any size.

use std::sync::Arc;

use rustfft::num_complex::Complex;
use rustfft::{Fft, FftPlanner};

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

    /// The complex image, row by row, of a spectrum.
    pub(super) fn inverse(&self, mut spectrum: Vec<Complex<f64>>) -> Vec<Complex<f64>> {
        let mut rows = vec![Complex::ZERO; spectrum.len()];
        self.inverse_into(&mut spectrum, &mut rows);
        rows
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
        let (across, down) = (frequencies(self.width), frequencies(self.height));
        across.iter().flat_map(|&x| down.iter().map(move |&y| (x, y))).map(|(x, y)| value(x, y)).collect()
    }
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
            for (back, expected) in fourier.inverse(spectrum).iter().zip(&image) {
                assert!((back - expected).norm() < 1e-14, "{width}x{height}: {back} for {expected}");
            }
        }
    }

    #[test]
    fn frequencies_stand_in_the_order_of_the_transform() {
        assert_eq!(frequencies(4), [0.0, 0.25, -0.5, -0.25]);
        assert_eq!(frequencies(5), [0.0, 0.25, 0.5, -0.5, -0.25]);
    }
}
