//! Normalisation of channels, and its gradient.

use rayon::prelude::*;

use super::{Buffer, buffers, simd};

/// Pixels summed at once: the order of the sums does not depend on the number of threads.
const PIECE: usize = 1024;

/// Mean and biased variance of each channel of `[pixel, channel]`, summed in f64.
pub fn channel_statistics(x: &[f32], channels: usize) -> [Vec<f32>; 2] {
    let count = (x.len() / channels.max(1)).max(1) as f64;
    let pieces = x.par_chunks((PIECE * channels).max(1)).map(|piece| {
        let mut sums = [vec![0.0; channels], vec![0.0; channels]];
        simd::arch().dispatch(|| {
            let [plain, square] = &mut sums;
            for pixel in piece.chunks_exact(channels) {
                for ((value, plain), square) in pixel.iter().zip(&mut *plain).zip(&mut *square) {
                    let value = f64::from(*value);
                    *plain += value;
                    *square += value * value;
                }
            }
        });
        sums
    });
    let [plain, square] = total(pieces, channels);
    let variance = plain.iter().zip(square).map(|(sum, square)| {
        let mean = sum / count;
        (square / count - mean * mean).max(0.0) as f32
    });
    let variance = variance.collect();
    [plain.iter().map(|sum| (sum / count) as f32).collect(), variance]
}

/// Sums of pieces, in their order.
fn total(pieces: impl IndexedParallelIterator<Item = [Vec<f64>; 2]>, channels: usize) -> [Vec<f64>; 2] {
    let pieces: Vec<[Vec<f64>; 2]> = pieces.collect();
    let mut sums = [vec![0.0; channels], vec![0.0; channels]];
    for piece in pieces {
        for (sums, piece) in sums.iter_mut().zip(piece) {
            for (sum, value) in sums.iter_mut().zip(piece) {
                *sum += value;
            }
        }
    }
    sums
}

/// What normalises a channel: `(x - mean) * scale + shift`, and no negative values if `relu`.
#[derive(Debug, Clone)]
pub struct Normalisation {
    /// Of each channel.
    pub mean: Vec<f32>,
    /// `weight / sqrt(variance + epsilon)`, of each channel.
    pub scale: Vec<f32>,
    /// Of each channel.
    pub shift: Vec<f32>,
    /// Whether negative values become zero.
    pub relu: bool,
}

/// The gradients of [`Normalisation::backward`].
#[derive(Debug)]
pub struct NormalisationGradients {
    /// Of the values.
    pub x: Buffer,
    /// Sum of the gradient times `x - mean`, of each channel: that of the scale.
    pub scale: Vec<f64>,
    /// Sum of the gradient, of each channel.
    pub shift: Vec<f64>,
}

impl Normalisation {
    /// The values normalised.
    ///
    /// # Panics
    /// When there is not a mean, a scale and a shift for each channel.
    pub fn forward(&self, x: &[f32]) -> Buffer {
        let channels = self.channels();
        let mut result = buffers::take(x.len());
        let step = (PIECE * channels).max(1);
        let least = if self.relu { 0.0 } else { f32::NEG_INFINITY };
        result.par_chunks_mut(step).zip(x.par_chunks(step)).for_each(|(result, x)| {
            simd::arch().dispatch(|| {
                for (result, x) in result.chunks_exact_mut(channels).zip(x.chunks_exact(channels)) {
                    let by_channel = self.mean.iter().zip(&self.scale).zip(&self.shift);
                    for ((result, x), ((mean, scale), shift)) in result.iter_mut().zip(x).zip(by_channel) {
                        let value = (x - mean) * scale + shift;
                        // Not `max`: what is not a number must stay so.
                        *result = if value < least { least } else { value };
                    }
                }
            });
        });
        result
    }

    /// Gradients from that of the result. `y` is the result; only with `relu` is it read. `variance`, with the epsilon in
    /// it, is given where mean and variance are those of `x` itself, so that `x` acts through them too.
    ///
    /// Source: Ioffe and Szegedy, "Batch Normalization", ICML 2015, section 3.
    ///
    /// # Panics
    /// When there is not a mean, a scale and a shift for each channel, or lengths differ.
    pub fn backward(
        &self,
        x: &[f32],
        y: &[f32],
        gradient: &[f32],
        variance: Option<&[f32]>,
    ) -> NormalisationGradients {
        let channels = self.channels();
        assert!(x.len() == gradient.len() && x.len() == y.len(), "images of one size");
        let count = (x.len() / channels.max(1)).max(1) as f64;
        let step = (PIECE * channels).max(1);
        let least = if self.relu { 0.0 } else { f32::NEG_INFINITY };
        let inputs = || x.par_chunks(step).zip(y.par_chunks(step)).zip(gradient.par_chunks(step));
        let pieces = inputs().map(|((x, y), gradient)| {
            let mut sums = [vec![0.0; channels], vec![0.0; channels]];
            simd::arch().dispatch(|| {
                let [scale, shift] = &mut sums;
                let pixels = x.chunks_exact(channels).zip(y.chunks_exact(channels));
                for ((x, y), gradient) in pixels.zip(gradient.chunks_exact(channels)) {
                    let values = x.iter().zip(y).zip(gradient).zip(&self.mean);
                    for ((((x, y), gradient), mean), (scale, shift)) in
                        values.zip(scale.iter_mut().zip(&mut *shift))
                    {
                        let gradient = if *y > least { f64::from(*gradient) } else { 0.0 };
                        *scale += gradient * f64::from(x - mean);
                        *shift += gradient;
                    }
                }
            });
            sums
        });
        let [scale, shift] = total(pieces, channels);

        // gradient * scale - offset - (x - mean) * slope
        let zeros = || vec![0.0_f32; channels];
        let (mut offset, mut slope) = (zeros(), zeros());
        if let Some(variance) = variance {
            for channel in 0..channels {
                let factor = f64::from(self.scale[channel]) / count;
                offset[channel] = (factor * shift[channel]) as f32;
                slope[channel] = (factor * scale[channel] / f64::from(variance[channel])) as f32;
            }
        }
        let mut result = buffers::take(x.len());
        result.par_chunks_mut(step).zip(inputs()).for_each(|(result, ((x, y), gradient))| {
            simd::arch().dispatch(|| {
                let pixels = x.chunks_exact(channels).zip(y.chunks_exact(channels));
                let pixels = pixels.zip(gradient.chunks_exact(channels));
                for (result, ((x, y), gradient)) in result.chunks_exact_mut(channels).zip(pixels) {
                    for channel in 0..channels {
                        let above = if y[channel] > least { gradient[channel] } else { 0.0 };
                        let centred = x[channel] - self.mean[channel];
                        result[channel] =
                            above * self.scale[channel] - offset[channel] - centred * slope[channel];
                    }
                }
            });
        });
        NormalisationGradients { x: result, scale, shift }
    }

    fn channels(&self) -> usize {
        let channels = self.mean.len();
        assert!(self.scale.len() == channels && self.shift.len() == channels, "values for each channel");
        channels
    }
}
