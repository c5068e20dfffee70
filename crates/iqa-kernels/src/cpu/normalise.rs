//! Normalisation of channels, and its gradient.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::{Buffer, buffers, simd};

/// Pixels summed at once: the order of the sums does not depend on the number of threads.
const PIECE: usize = 1024;

/// Mean and biased variance of each channel of `[pixel, channel]`, summed in f64.
pub fn channel_statistics(x: &[f32], channels: usize) -> [Vec<f32>; 2] {
    let count = (x.len() / channels.max(1)).max(1) as f64;
    let pieces = x.par_chunks((PIECE * channels).max(1)).map(|piece| {
        let mut sums = [vec![0.0; channels], vec![0.0; channels]];
        simd::arch().dispatch(Moments { piece, sums: &mut sums });
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

/// Sums of values and of their squares.
struct Moments<'a> {
    piece: &'a [f32],
    sums: &'a mut [Vec<f64>; 2],
}

impl WithSimd for Moments<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let [plain, square] = self.sums;
        for pixel in self.piece.chunks_exact(plain.len()) {
            for ((value, plain), square) in pixel.iter().zip(&mut *plain).zip(&mut *square) {
                let value = f64::from(*value);
                *plain += value;
                *square += value * value;
            }
        }
    }
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
        result.par_chunks_mut(step).zip(x.par_chunks(step)).for_each(|(result, x)| {
            simd::arch().dispatch(Forward { by: self, x, result });
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
        let inputs = || {
            let inputs = x.par_chunks(step).zip(y.par_chunks(step)).zip(gradient.par_chunks(step));
            inputs.map(|((x, y), gradient)| Piece { by: self, x, y, gradient })
        };
        let pieces = inputs().map(|piece| {
            let mut sums = [vec![0.0; channels], vec![0.0; channels]];
            simd::arch().dispatch(Sums { piece, sums: &mut sums });
            sums
        });
        let [scale, shift] = total(pieces, channels);

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
        result.par_chunks_mut(step).zip(inputs()).for_each(|(result, piece)| {
            simd::arch().dispatch(Backward { piece, offset: &offset, slope: &slope, result });
        });
        NormalisationGradients { x: result, scale, shift }
    }

    fn channels(&self) -> usize {
        let channels = self.mean.len();
        assert!(self.scale.len() == channels && self.shift.len() == channels, "values for each channel");
        channels
    }

    /// Results above it have a gradient.
    fn least(&self) -> f32 {
        if self.relu { 0.0 } else { f32::NEG_INFINITY }
    }
}

struct Forward<'a> {
    by: &'a Normalisation,
    x: &'a [f32],
    result: &'a mut [f32],
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { by: Normalisation { mean, scale, shift, .. }, x, result } = self;
        let (channels, least) = (mean.len(), self.by.least());
        for (result, x) in result.chunks_exact_mut(channels).zip(x.chunks_exact(channels)) {
            let by_channel = mean.iter().zip(scale).zip(shift);
            for ((result, x), ((mean, scale), shift)) in result.iter_mut().zip(x).zip(by_channel) {
                let value = (x - mean) * scale + shift;
                // Not `max`: what is not a number must stay so.
                *result = if value < least { least } else { value };
            }
        }
    }
}

/// What a gradient is made of.
struct Piece<'a> {
    by: &'a Normalisation,
    x: &'a [f32],
    y: &'a [f32],
    gradient: &'a [f32],
}

/// The gradients of scale and shift.
struct Sums<'a> {
    piece: Piece<'a>,
    sums: &'a mut [Vec<f64>; 2],
}

impl WithSimd for Sums<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { piece: Piece { by, x, y, gradient }, sums: [scale, shift] } = self;
        let (channels, least) = (by.mean.len(), by.least());
        let pixels = x.chunks_exact(channels).zip(y.chunks_exact(channels));
        for ((x, y), gradient) in pixels.zip(gradient.chunks_exact(channels)) {
            let values = x.iter().zip(y).zip(gradient).zip(&by.mean);
            for ((((x, y), gradient), mean), (scale, shift)) in values.zip(scale.iter_mut().zip(&mut *shift))
            {
                let gradient = if *y > least { f64::from(*gradient) } else { 0.0 };
                *scale += gradient * f64::from(x - mean);
                *shift += gradient;
            }
        }
    }
}

/// `gradient * scale - offset - (x - mean) * slope`
struct Backward<'a> {
    piece: Piece<'a>,
    offset: &'a [f32],
    slope: &'a [f32],
    result: &'a mut [f32],
}

impl WithSimd for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { piece: Piece { by, x, y, gradient }, offset, slope, result } = self;
        let (channels, least) = (by.mean.len(), by.least());
        let pixels = x.chunks_exact(channels).zip(y.chunks_exact(channels));
        let pixels = pixels.zip(gradient.chunks_exact(channels));
        for (result, ((x, y), gradient)) in result.chunks_exact_mut(channels).zip(pixels) {
            let by_channel = by.mean.iter().zip(&by.scale).zip(offset.iter().zip(slope));
            let pixel = x.iter().zip(y).zip(gradient);
            for ((result, ((x, y), gradient)), ((mean, scale), (offset, slope))) in
                result.iter_mut().zip(pixel).zip(by_channel)
            {
                let above = if *y > least { *gradient } else { 0.0 };
                *result = above * scale - offset - (x - mean) * slope;
            }
        }
    }
}
