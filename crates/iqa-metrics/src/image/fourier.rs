//! Two-dimensional Fourier transforms of any size.

use std::f64::consts::{PI, TAU};

use nalgebra::Complex;

/// Side of the blocks in which a matrix is transposed, so that they stay in the cache.
const BLOCK: usize = 16;
/// Prime factors of a length up to this are summed directly; a larger one takes Bluestein's way.
const LARGEST_RADIX: usize = 31;
/// Signs of the exponent.
const FORWARD: f64 = -1.0;
const INVERSE: f64 = 1.0;

/// Transforms of images of one size.
///
/// Spectra are kept column by column: the value of frequency `(u, v)`, `u` across, is at `u * height + v`. That saves
/// a transposition each way.
pub(super) struct Fourier {
    width: usize,
    height: usize,
}

impl Fourier {
    pub(super) fn new(width: usize, height: usize) -> Self {
        Self { width, height }
    }

    /// The spectrum of a real image given row by row.
    pub(super) fn forward(&self, image: &[f64]) -> Vec<Complex<f64>> {
        let rows = image.iter().map(|&value| Complex::new(value, 0.0)).collect();
        let columns = transposed(&transform(rows, self.height, FORWARD), self.width);
        transform(columns, self.width, FORWARD)
    }

    /// The complex image, row by row, of a spectrum.
    pub(super) fn inverse(&self, spectrum: Vec<Complex<f64>>) -> Vec<Complex<f64>> {
        let rows = transposed(&transform(spectrum, self.width, INVERSE), self.height);
        let mut rows = transform(rows, self.height, INVERSE);
        let scale = 1.0 / (self.width * self.height) as f64;
        rows.iter_mut().for_each(|value| *value *= scale);
        rows
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

/// `length` equal runs of values, transformed across the runs: place `i` of the results from place `i` of every run.
///
/// Stockham's form of the fast transform, radix 4 and small primes. All loops go along a run, so that they
/// vectorise and one root of unity serves a whole run.
///
/// Source: C. Van Loan, "Computational Frameworks for the Fast Fourier Transform", SIAM 1992, section 1.7.
fn transform(mut values: Vec<Complex<f64>>, length: usize, sign: f64) -> Vec<Complex<f64>> {
    let Some(radices) = radices(length) else { return bluestein(&values, length, sign) };
    let mut result = vec![Complex::ZERO; values.len()];
    let (mut left, mut run) = (length, values.len() / length);
    for radix in radices {
        let part = left / radix;
        for q in 0..part {
            let inputs: Vec<&[Complex<f64>]> =
                (0..radix).map(|j| &values[(q + part * j) * run..][..run]).collect();
            let outputs = &mut result[q * radix * run..][..radix * run];
            let root = |turns: usize| unit(sign * TAU * turns as f64 / left as f64);
            if radix == 4 {
                four(&inputs, outputs, [root(q), root(2 * q), root(3 * q)], sign);
            } else {
                for (k, output) in outputs.chunks_exact_mut(run).enumerate() {
                    output.fill(Complex::ZERO);
                    for (j, input) in inputs.iter().enumerate() {
                        let factor = root(q * k) * unit(sign * TAU * (j * k % radix) as f64 / radix as f64);
                        output.iter_mut().zip(*input).for_each(|(sum, value)| *sum += value * factor);
                    }
                }
            }
        }
        std::mem::swap(&mut values, &mut result);
        left = part;
        run *= radix;
    }
    values
}

/// A butterfly of four runs.
fn four(inputs: &[&[Complex<f64>]], outputs: &mut [Complex<f64>], roots: [Complex<f64>; 3], sign: f64) {
    let run = inputs[0].len();
    let (y0, rest) = outputs.split_at_mut(run);
    let (y1, rest) = rest.split_at_mut(run);
    let (y2, y3) = rest.split_at_mut(run);
    let [x0, x1, x2, x3] = [0, 1, 2, 3].map(|j| &inputs[j][..run]);
    for i in 0..run {
        let (a, b) = (x0[i] + x2[i], x0[i] - x2[i]);
        let (c, d) = (x1[i] + x3[i], x1[i] - x3[i]);
        let turned = Complex::new(-sign * d.im, sign * d.re);
        y0[i] = a + c;
        y1[i] = (b + turned) * roots[0];
        y2[i] = (a - c) * roots[1];
        y3[i] = (b - turned) * roots[2];
    }
}

/// Factors of a length: fours, then primes; `None` when one is too large.
fn radices(mut length: usize) -> Option<Vec<usize>> {
    let mut radices = Vec::new();
    for radix in std::iter::once(4).chain(2..=LARGEST_RADIX) {
        while length.is_multiple_of(radix) {
            radices.push(radix);
            length /= radix;
        }
    }
    (length == 1).then_some(radices)
}

/// A transform of any length as a convolution with a chirp, whose length is a power of two.
///
/// Source: L. I. Bluestein, "A Linear Filtering Approach to the Computation of Discrete Fourier Transform", IEEE
/// Transactions on Audio and Electroacoustics 18(4), 1970.
fn bluestein(values: &[Complex<f64>], length: usize, sign: f64) -> Vec<Complex<f64>> {
    let run = values.len() / length;
    let longer = (2 * length - 1).next_power_of_two();
    // The squares modulo a whole turn, so that large ones lose no digits.
    let chirp: Vec<Complex<f64>> =
        (0..length).map(|k| unit(sign * PI * (k * k % (2 * length)) as f64 / length as f64)).collect();
    let mut kernel = vec![Complex::ZERO; longer];
    for (k, value) in chirp.iter().enumerate() {
        kernel[k] = value.conj();
        kernel[(longer - k) % longer] = value.conj();
    }
    let kernel = transform(kernel, longer, FORWARD);
    let mut padded = vec![Complex::ZERO; longer * run];
    for ((to, from), factor) in padded.chunks_exact_mut(run).zip(values.chunks_exact(run)).zip(&chirp) {
        to.iter_mut().zip(from).for_each(|(to, from)| *to = from * factor);
    }
    let mut spectrum = transform(padded, longer, FORWARD);
    for (values, factor) in spectrum.chunks_exact_mut(run).zip(kernel) {
        values.iter_mut().for_each(|value| *value *= factor);
    }
    let mut result = transform(spectrum, longer, INVERSE);
    result.truncate(length * run);
    for (values, factor) in result.chunks_exact_mut(run).zip(chirp) {
        let factor = factor / longer as f64;
        values.iter_mut().for_each(|value| *value *= factor);
    }
    result
}

/// The complex number of length 1 at an angle.
fn unit(angle: f64) -> Complex<f64> {
    let (sine, cosine) = angle.sin_cos();
    Complex::new(cosine, sine)
}

/// The columns of a matrix given row by row.
fn transposed(rows: &[Complex<f64>], width: usize) -> Vec<Complex<f64>> {
    let height = rows.len() / width;
    let mut columns = vec![Complex::ZERO; rows.len()];
    for top in (0..height).step_by(BLOCK) {
        for left in (0..width).step_by(BLOCK) {
            for x in left..(left + BLOCK).min(width) {
                for y in top..(top + BLOCK).min(height) {
                    columns[x * height + y] = rows[y * width + x];
                }
            }
        }
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against the defining sum, for lengths of every kind: powers, mixed, prime, with a large prime.
    #[test]
    fn transforms_equal_their_defining_sum() {
        for length in [1, 2, 3, 4, 5, 8, 12, 30, 31, 37, 64, 74, 97, 120] {
            let run = 3;
            let values: Vec<Complex<f64>> = (0..length * run)
                .map(|k| Complex::new((k as f64 * 1.7).sin(), (k as f64 * 0.9 + 1.0).cos()))
                .collect();
            let found = transform(values.clone(), length, FORWARD);
            for (index, value) in found.iter().enumerate() {
                let (frequency, place) = (index / run, index % run);
                let expected: Complex<f64> = (0..length)
                    .map(|k| {
                        values[k * run + place] * unit(-TAU * (k * frequency % length) as f64 / length as f64)
                    })
                    .sum();
                assert!((value - expected).norm_sqr() < 1e-24 * length as f64, "{length}: {value}");
            }
        }
    }

    #[test]
    fn there_and_back_is_the_same_and_a_wave_has_its_frequency() {
        let (width, height) = (6, 5);
        let wave =
            |x: usize, y: usize| (TAU * (2.0 * x as f64 / width as f64 + y as f64 / height as f64)).cos();
        let image: Vec<f64> = (0..height).flat_map(|y| (0..width).map(move |x| wave(x, y))).collect();
        let fourier = Fourier::new(width, height);
        let spectrum = fourier.forward(&image);
        for (index, value) in spectrum.iter().enumerate() {
            let expected =
                if [(2, 1), (4, 4)].contains(&(index / height, index % height)) { 15.0 } else { 0.0 };
            assert!((value - Complex::new(expected, 0.0)).norm_sqr() < 1e-24, "{index}: {value}");
        }
        for (back, expected) in fourier.inverse(spectrum).iter().zip(&image) {
            assert!((back - expected).norm_sqr() < 1e-28);
        }
    }

    #[test]
    fn frequencies_stand_in_the_order_of_the_transform() {
        assert_eq!(frequencies(4), [0.0, 0.25, -0.5, -0.25]);
        assert_eq!(frequencies(5), [0.0, 0.25, 0.5, -0.5, -0.25]);
    }
}
