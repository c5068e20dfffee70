//! Weights in the order of the tiles.

use pulp::{Simd, WithSimd, bytemuck};
use rayon::prelude::*;

use super::parts::split;
use super::{CHANNELS, PIXELS, STEP};
use crate::cpu::{Buffer, buffers, simd};

/// Weights as sums of `PARTS` bf16 values: `[panel, step, part, half of the channels, pair of inputs, channel, 2]`, a half a tile.
#[derive(Debug)]
pub(in crate::cpu) struct Panels<const PARTS: usize> {
    values: Buffer,
    steps: usize,
    pub(in crate::cpu) panels: usize,
}

/// How the values under a kernel are cut into steps.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cut {
    channels: usize,
    kernel: [usize; 2],
    /// Whether a step is a part of a row of the kernel, of few channels, and not a part of a tap.
    rows: bool,
}

impl Cut {
    pub(super) fn new(channels: usize, kernel: [usize; 2]) -> Self {
        let run = kernel[1] * channels;
        let rows = run.div_ceil(CHANNELS) < kernel[1] * channels.div_ceil(CHANNELS);
        Self { channels, kernel, rows }
    }

    /// Values of a pixel in memory.
    pub(super) fn pixel(self) -> usize {
        if self.rows {
            return self.channels;
        }
        // An odd number of cache lines: neighbours at an even distance would share a few places of the first-level cache.
        let lines = self.channels.div_ceil(CHANNELS);
        CHANNELS * if lines >= 4 { lines | 1 } else { lines }
    }

    /// Values in a row that steps go over, and how many of those there are.
    fn runs(self) -> [usize; 2] {
        let [high, wide] = self.kernel;
        if self.rows { [wide * self.channels, high] } else { [self.channels, high * wide] }
    }

    fn steps(self) -> usize {
        let [run, count] = self.runs();
        run.div_ceil(CHANNELS) * count
    }

    /// Where each step's values begin, from the first tap's on. Taps of the same channels follow one another: most of their values
    /// are the same ones, which then are in the first-level cache.
    pub(super) fn offsets(self, row: usize) -> Vec<usize> {
        let [run, count] = self.runs();
        let wide = if self.rows { 1 } else { self.kernel[1] };
        let start = |at: usize| at / wide * row + at % wide * self.pixel();
        (0..run.div_ceil(CHANNELS))
            .flat_map(|part| (0..count).map(move |at| start(at) + part * CHANNELS))
            .collect()
    }
}

impl<const PARTS: usize> Panels<PARTS> {
    /// Of weights `[out, in, height, width]`.
    pub(in crate::cpu) fn new(original: &[f32], shape: [usize; 4]) -> Self {
        let [out, into, high, wide] = shape;
        let cut = Cut::new(into, [high, wide]);
        let [run, runs] = cut.runs();
        let (steps, panels) = (cut.steps(), out.div_ceil(CHANNELS));
        let mut values = buffers::take(panels * steps * PARTS * STEP / 2);
        let lines = halves_mut(&mut values).par_chunks_mut(PARTS * STEP).enumerate();
        let arch = simd::arch();
        lines.for_each(|(index, values)| {
            let [panel, step] = [index / steps, index % steps];
            let [at, from] = [step % runs, step / runs * CHANNELS];
            let len = CHANNELS.min(run - from);
            arch.dispatch(Packed::<PARTS> { original, shape, cut, panel, at, from, len, values });
        });
        Self { values, steps, panels }
    }

    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.values)
    }

    pub(in crate::cpu) fn panel(&self, panel: usize) -> &[u16] {
        let len = self.steps * PARTS * STEP;
        &halves(&self.values)[panel * len..][..len]
    }
}

/// The weights of a panel in one step: `len` values from `from` on of the run `at`.
struct Packed<'a, const PARTS: usize> {
    original: &'a [f32],
    shape: [usize; 4],
    cut: Cut,
    panel: usize,
    at: usize,
    from: usize,
    len: usize,
    /// `[part, half of the channels, pair of inputs, channel, 2]`
    values: &'a mut [u16],
}

impl<const PARTS: usize> WithSimd for Packed<'_, PARTS> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { original, shape, cut, panel, at, from, len, values } = self;
        let [out, into, high, wide] = shape;
        let area = high * wide;
        for lane in 0..CHANNELS {
            let o = panel * CHANNELS + lane;
            // Weights of channels that are not there are zeros.
            let mut kernel = [0.0; CHANNELS];
            if o < out {
                let kernels = &original[o * into * area..][..into * area];
                for (place, value) in kernel.iter_mut().enumerate().take(len) {
                    let place = from + place;
                    let [tap, i] =
                        if cut.rows { [at * wide + place / into, place % into] } else { [at, place] };
                    *value = kernels[i * area + tap];
                }
            }
            for (values, part) in values.chunks_exact_mut(STEP).zip(split::<PARTS>(&kernel)) {
                let half = &mut values[lane / PIXELS * (STEP / 2)..][..STEP / 2];
                for (pair, values) in part.as_chunks::<2>().0.iter().zip(half.chunks_exact_mut(CHANNELS)) {
                    values[2 * (lane % PIXELS)..][..2].copy_from_slice(pair);
                }
            }
        }
    }
}

/// Memory of f32 values as twice as many of bf16.
fn halves(values: &Buffer) -> &[u16] {
    bytemuck::cast_slice(values)
}

fn halves_mut(values: &mut Buffer) -> &mut [u16] {
    bytemuck::cast_slice_mut(values)
}
