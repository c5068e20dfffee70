//! Phase congruency, the feature map of FSIM: the authors' formula over transforms of `rustfft`.

use std::f64::consts::{LN_2, PI, TAU};

use rayon::prelude::*;
use rustfft::num_complex::Complex;

use super::fourier::Fourier;
use super::plane::{Plane, add_scaled, wide};

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

/// Directions of the angular filters, all the way round: each orientation, and its opposite.
const DIRECTIONS: usize = 2 * ORIENTATIONS;
/// Rows of responses that are transformed and looked at together: few, so that they stay in the cache; fewer would be fetched in
/// smaller pieces, from columns that lie far apart.
const ROWS: usize = 16;

/// The filters for one size of image.
struct Filters {
    /// Radial part of each scale.
    radial: Vec<Vec<f64>>,
    /// Angular part of each orientation.
    angular: Vec<Vec<f64>>,
    /// Factor from the mean energy of the finest response to the squared energy of noise, per orientation.
    noise: Vec<f64>,
}

/// Phase congruency of two images of one size: 0 where no edge or line is, up to 1.
///
/// P. Kovesi's measure with the parameters of FSIM: four scales from 6 pixels on, four orientations, weighted mean
/// phase angle, and a noise threshold from the median response of the finest scale.
///
/// Source: P. Kovesi, "Image Features from Phase Congruency", Videre 1(3), 1999, with the parameters of L. Zhang et al.,
/// "FSIM", IEEE TIP 20(8), 2011, section III.
pub(super) fn phase_congruency(images: [&Plane; 2]) -> [Plane; 2] {
    let (width, height) = images[0].size();
    let fourier = Fourier::new(width, height);
    let [first, second] = images.map(|image| || fourier.forward(image.values()));
    let (filters, (first, second)) =
        rayon::join(|| Filters::new(&fourier, width, height), || rayon::join(first, second));
    let congruency = |spectrum: Vec<Complex<f64>>| {
        Plane::from_parts(width, height, filters.congruency(&fourier, &spectrum, width))
    };
    let (first, second) = rayon::join(|| congruency(first), || congruency(second));
    [first, second]
}

impl Filters {
    /// Exponentials and angles are taken for a quarter of the frequencies: the others have the same but for the signs.
    fn new(fourier: &Fourier, width: usize, height: usize) -> Self {
        let log_radius = fourier.quarter(|x, y| {
            let square = x * x + y * y;
            // The value at zero is of no account: the filters are 0 there.
            if square > 0.0 { 0.5 * square.ln() } else { 0.0 }
        });
        let low_pass = fourier.quarter(|x, y| {
            let (cutoff, order) = LOW_PASS;
            1.0 / (1.0 + ((x * x + y * y) / (cutoff * cutoff)).powi(order))
        });
        let width_of_log = 2.0 * SIGMA_ON_F.ln().powi(2);
        let radial = |scale: usize| {
            let log_centre = -(SHORTEST_WAVE * f64::from(1 << scale)).ln();
            let gain = |(log, low): (&f64, &f64)| (-(log - log_centre).powi(2) / width_of_log).exp() * low;
            let mut quarter: Vec<f64> = log_radius.iter().zip(&low_pass).map(gain).collect();
            quarter[0] = 0.0;
            fourier.unfolded([[&quarter; 2]; 2])
        };
        let radial: Vec<Vec<f64>> = (0..SCALES).into_par_iter().map(radial).collect();
        // From the x axis, where x and y are positive.
        let theta = fourier.quarter(|x, y| y.atan2(x));
        let sigma = PI / ORIENTATIONS as f64 / THETA_ON_SIGMA;
        let towards = |direction: usize| {
            let angle = direction as f64 * TAU / DIRECTIONS as f64;
            let gain = |theta: &f64| {
                let apart = (theta - angle).abs();
                let apart = apart.min(TAU - apart);
                (-apart * apart / (2.0 * sigma * sigma)).exp()
            };
            theta.iter().map(gain).collect()
        };
        let towards: Vec<Vec<f64>> = (0..DIRECTIONS).into_par_iter().map(towards).collect();
        let angular = |orientation: usize| {
            // The published programs have y upwards. What is `theta` from an axis on one side of it is as far from another
            // direction on the other.
            let (turned, half) = (DIRECTIONS - orientation, DIRECTIONS / 2);
            let quarter = |direction: usize| towards[direction % DIRECTIONS].as_slice();
            fourier.unfolded([
                [quarter(turned), quarter(orientation)],
                [quarter(half + orientation), quarter(half + turned)],
            ])
        };
        let angular: Vec<Vec<f64>> = (0..ORIENTATIONS).into_par_iter().map(angular).collect();
        let noise = angular.par_iter().map(|angular| noise_factor(&radial, angular, width, height)).collect();
        Self { radial, angular, noise }
    }

    /// Phase congruency of an image of that spectrum, row by row. One orientation after the other, in the same memory, because
    /// the time goes into fetching responses more than into arithmetic.
    fn congruency(&self, fourier: &Fourier, spectrum: &[Complex<f64>], width: usize) -> Vec<f64> {
        let mut columns = [(); SCALES].map(|()| vec![Complex::ZERO; spectrum.len()]);
        let [mut features, mut amplitude, mut energy, mut squares] =
            [(); 4].map(|()| vec![0.0; spectrum.len()]);
        let piece = ROWS * width;
        for (angular, noise) in self.angular.iter().zip(&self.noise) {
            columns.par_iter_mut().zip(&self.radial).for_each(|(columns, radial)| {
                fourier.inverse_columns(spectrum, [radial, angular], columns);
            });
            let results = energy
                .par_chunks_mut(piece)
                .zip(amplitude.par_chunks_mut(piece))
                .zip(squares.par_chunks_mut(piece));
            results.enumerate().for_each_init(
                || [(); SCALES].map(|()| vec![Complex::ZERO; piece]),
                |rows, (piece, ((energy, amplitude), squares))| {
                    for (rows, columns) in rows.iter_mut().zip(&columns) {
                        fourier.inverse_rows(columns, piece * ROWS, &mut rows[..energy.len()]);
                    }
                    wide(
                        #[inline(always)]
                        || local_energy(rows.each_ref().map(Vec::as_slice), energy, amplitude, squares),
                    );
                },
            );
            let mean_square = median(&mut squares) / LN_2;
            let tau = (noise * mean_square / 2.0).sqrt();
            let threshold =
                (tau * (PI / 2.0).sqrt() + DEVIATIONS * ((2.0 - PI / 2.0) * tau * tau).sqrt()) / OVERESTIMATE;
            wide(
                #[inline(always)]
                || {
                    for (sum, energy) in features.iter_mut().zip(&energy) {
                        *sum += (energy - threshold).max(0.0);
                    }
                },
            );
        }
        wide(
            #[inline(always)]
            || {
                for (energy, amplitude) in features.iter_mut().zip(&amplitude) {
                    // Without any response, 0/0 in the published program, there is no feature.
                    *energy = if *amplitude > 0.0 { *energy / amplitude } else { 0.0 };
                }
            },
        );
        features
    }
}

/// Of each pixel the energy of its responses, which is what they have along their mean phase less what they have across it;
/// the sum of their amplitudes, which is added to that of other orientations; and the finest one's amplitude squared.
#[inline(always)]
fn local_energy(
    responses: [&[Complex<f64>]; SCALES],
    energy: &mut [f64],
    amplitude: &mut [f64],
    squares: &mut [f64],
) {
    let responses = responses.map(|responses| &responses[..energy.len()]);
    for (at, ((energy, amplitude), square)) in
        energy.iter_mut().zip(&mut *amplitude).zip(&mut *squares).enumerate()
    {
        let here = responses.map(|responses| responses[at]);
        let lengths = here.map(|response| response.re * response.re + response.im * response.im);
        *square = lengths[0];
        let (mut re, mut im, mut sum) = (0.0, 0.0, 0.0);
        for (response, length) in here.iter().zip(&lengths) {
            re += response.re;
            im += response.im;
            sum += length.sqrt();
        }
        *amplitude += sum;
        let along = re * re + im * im;
        let mut across = 0.0;
        for response in &here {
            across += (response.re * im - response.im * re).abs();
        }
        // Both times the length of the sum, so that one division does.
        *energy = (along - across) / (along.sqrt() + EPSILON);
    }
}

/// What the published program sums over the filters' impulse responses: the squared sum of their even parts over the
/// scales, by Parseval's theorem without a transform, over the energy of the finest filter.
fn noise_factor(radial: &[Vec<f64>], angular: &[f64], width: usize, height: usize) -> f64 {
    wide(
        #[inline(always)]
        || {
            let mut summed = vec![0.0; angular.len()];
            radial.iter().for_each(|radial| add_scaled(&mut summed, radial, 1.0));
            summed.iter_mut().zip(angular).for_each(|(summed, angular)| *summed *= angular);
            // A sum for each place in a column, so that vectors do them.
            let (mut even, mut finest) = (vec![0.0; height], vec![0.0; height]);
            for u in 0..width {
                let column = |u: usize| u * height..(u + 1) * height;
                let (here, opposite) = (&summed[column(u)], &summed[column((width - u) % width)]);
                even[0] += (0.5 * (here[0] + opposite[0])).powi(2);
                for ((even, a), b) in even[1..].iter_mut().zip(&here[1..]).zip(opposite[1..].iter().rev()) {
                    *even += (0.5 * (a + b)).powi(2);
                }
                for ((finest, r), a) in finest.iter_mut().zip(&radial[0][column(u)]).zip(&angular[column(u)])
                {
                    *finest += (r * a).powi(2);
                }
            }
            let [even, finest] = [even, finest].map(|sums| sums.iter().sum::<f64>());
            if finest > 0.0 { 2.0 * even / finest } else { 0.0 }
        },
    )
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
