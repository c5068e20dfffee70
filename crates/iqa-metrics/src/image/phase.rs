//! Phase congruency, the feature map of FSIM: the authors' formula over transforms of `rustfft`.

use std::f64::consts::{LN_2, PI, TAU};

use rayon::prelude::*;
use rustfft::num_complex::Complex;

use super::fourier::Fourier;
use super::plane::Plane;

/// Scales of log-Gabor filters, and orientations.
const SCALES: usize = 4;
const ORIENTATIONS: usize = 4;
/// Wavelength of the finest filter, in pixels; each scale doubles it.
const SHORTEST_WAVE: f64 = 6.0;
/// Width of a filter along the frequency, as a part of its centre frequency.
const SIGMA_ON_F: f64 = 0.55;
/// Standard deviation of a filter over the angle, in units of the orientations' distance, inverted.
const THETA_ON_SIGMA: f64 = 1.2;
/// The noise threshold lies so many standard deviations above the noise's mean, ...
const DEVIATIONS: f64 = 2.0;
/// ... divided by what was found to overestimate it.
const OVERESTIMATE: f64 = 1.7;
/// Keeps a division defined.
const EPSILON: f64 = 1e-4;
/// Cut-off frequency, in cycles a pixel, and order of the low-pass that keeps the corners of the spectrum out.
const LOW_PASS: (f64, i32) = (0.45, 15);

/// The filters for one size of image.
struct Filters {
    fourier: Fourier,
    /// Radial part of each scale.
    radial: [Vec<f64>; SCALES],
    /// Angular part of each orientation.
    angular: [Vec<f64>; ORIENTATIONS],
    /// Factor from the mean energy of the finest response to the squared energy of noise, per orientation.
    noise: [f64; ORIENTATIONS],
}

/// Phase congruency of two images of one size: 0 where no edge or line is, up to 1.
///
/// P. Kovesi's measure with the parameters of FSIM: four scales from 6 pixels on, four orientations, weighted mean
/// phase angle, and a noise threshold from the median response of the finest scale.
///
/// Source: P. Kovesi, "Image Features from Phase Congruency", Videre 1(3), 1999, with the parameters of L. Zhang et al.,
/// "FSIM", IEEE TIP 20(8), 2011, section III.
pub(super) fn phase_congruency(images: [&Plane; 2]) -> [Plane; 2] {
    let (width, height) = (images[0].width(), images[0].height());
    let filters = Filters::new(width, height);
    let spectra = images.map(|image| filters.fourier.forward(image.values()));
    let mut parts: Vec<(Vec<f64>, Vec<f64>)> = (0..2 * ORIENTATIONS)
        .into_par_iter()
        .map(|task| filters.orientation(&spectra[task / ORIENTATIONS], task % ORIENTATIONS))
        .collect();
    let second = parts.split_off(ORIENTATIONS);
    [parts, second].map(|parts| {
        let mut parts = parts.into_iter();
        let (mut energy, mut amplitude) = parts.next().unwrap_or_default();
        for (e, a) in parts {
            energy.iter_mut().zip(e).for_each(|(sum, value)| *sum += value);
            amplitude.iter_mut().zip(a).for_each(|(sum, value)| *sum += value);
        }
        // Without any response, 0/0 in the published program, there is no feature.
        let ratio = |(e, a): (f64, f64)| if a > 0.0 { e / a } else { 0.0 };
        Plane::from_parts(width, height, energy.into_iter().zip(amplitude).map(ratio).collect())
    })
}

impl Filters {
    fn new(width: usize, height: usize) -> Self {
        let fourier = Fourier::new(width, height);
        let log_radius = fourier.filter(|x, y| {
            let square = x * x + y * y;
            // The value at zero is of no account: the filters are 0 there.
            if square > 0.0 { 0.5 * square.ln() } else { 0.0 }
        });
        let low_pass = fourier.filter(|x, y| {
            let (cutoff, order) = LOW_PASS;
            1.0 / (1.0 + ((x * x + y * y) / (cutoff * cutoff)).powi(order))
        });
        let theta = fourier.filter(|x, y| (-y).atan2(x));
        let width_of_log = 2.0 * SIGMA_ON_F.ln().powi(2);
        let radial = std::array::from_fn(|scale| {
            let log_centre = -(SHORTEST_WAVE * f64::from(1 << scale)).ln();
            let mut filter: Vec<f64> = log_radius
                .par_iter()
                .zip(&low_pass)
                .map(|(log, low)| (-(log - log_centre).powi(2) / width_of_log).exp() * low)
                .collect();
            filter[0] = 0.0;
            filter
        });
        let sigma = PI / ORIENTATIONS as f64 / THETA_ON_SIGMA;
        let angular = std::array::from_fn(|orientation| {
            let angle = orientation as f64 * PI / ORIENTATIONS as f64;
            let gain = |theta: &f64| {
                let apart = (theta - angle).abs();
                let apart = apart.min(TAU - apart);
                (-apart * apart / (2.0 * sigma * sigma)).exp()
            };
            theta.par_iter().map(gain).collect()
        });
        let mut filters = Self { fourier, radial, angular, noise: [0.0; ORIENTATIONS] };
        filters.noise = std::array::from_fn(|orientation| filters.noise_factor(orientation, width, height));
        filters
    }

    /// What the published program sums over the filters' impulse responses: the squared sum of their even parts over
    /// the scales, by Parseval's theorem without a transform, over the energy of the finest filter.
    fn noise_factor(&self, orientation: usize, width: usize, height: usize) -> f64 {
        let angular = &self.angular[orientation];
        let summed: Vec<f64> = (0..angular.len())
            .map(|at| angular[at] * self.radial.iter().map(|radial| radial[at]).sum::<f64>())
            .collect();
        let mut even = 0.0;
        for u in 0..width {
            for v in 0..height {
                let opposite = (width - u) % width * height + (height - v) % height;
                even += (0.5 * (summed[u * height + v] + summed[opposite])).powi(2);
            }
        }
        let finest: f64 = self.radial[0].iter().zip(angular).map(|(r, a)| (r * a).powi(2)).sum();
        if finest > 0.0 { 2.0 * even / finest } else { 0.0 }
    }

    /// Energy above the noise, and the sum of amplitudes, of one orientation.
    fn orientation(&self, spectrum: &[Complex<f64>], orientation: usize) -> (Vec<f64>, Vec<f64>) {
        let angular = &self.angular[orientation];
        let responses: [Vec<Complex<f64>>; SCALES] = std::array::from_fn(|scale| {
            let radial = &self.radial[scale];
            let filtered = spectrum.iter().zip(radial).zip(angular).map(|((s, r), a)| s * (r * a)).collect();
            self.fourier.inverse(filtered)
        });
        let mut squares: Vec<f64> = responses[0].iter().map(Complex::norm_sqr).collect();
        let mean_square = median(&mut squares) / LN_2;
        let tau = (self.noise[orientation] * mean_square / 2.0).sqrt();
        let threshold =
            (tau * (PI / 2.0).sqrt() + DEVIATIONS * ((2.0 - PI / 2.0) * tau * tau).sqrt()) / OVERESTIMATE;
        (0..spectrum.len())
            .map(|at| {
                let here: [Complex<f64>; SCALES] = std::array::from_fn(|scale| responses[scale][at]);
                let amplitude: f64 = here.iter().map(|response| response.norm_sqr().sqrt()).sum();
                let sum: Complex<f64> = here.iter().sum();
                let mean = sum / (sum.norm_sqr().sqrt() + EPSILON);
                let energy: f64 = here
                    .iter()
                    .map(|r| r.re * mean.re + r.im * mean.im - (r.re * mean.im - r.im * mean.re).abs())
                    .sum();
                ((energy - threshold).max(0.0), amplitude)
            })
            .unzip()
    }
}

/// The median; for an even number the mean of the two in the middle. Reorders the values.
fn median(values: &mut [f64]) -> f64 {
    let middle = values.len() / 2;
    let even = values.len().is_multiple_of(2);
    let (below, upper, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    if even { below.iter().copied().fold(f64::NEG_INFINITY, f64::max).midpoint(*upper) } else { *upper }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_even_and_odd_numbers() {
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&mut [4.0, 1.0, 2.0, 3.0]), 2.5);
    }
}
