//! The gradient of the weights in the domain of the tiles.
//!
//! A tile of outputs is `A^T [(G g G^T) * (B^T d B)] A`, `*` value by value; so the gradient of `g` is
//! `G^T [sum over tiles of (A y A^T) * (B^T d B)] G`, with `y` the gradient of the outputs. Between channels that is
//! `IN * IN` matrix products, as long as there are tiles.

use std::marker::PhantomData;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::source::Whole;
use super::{STAGE, Source, Steps, TileRow, Transform, tile_rows};
use crate::cpu::simd::{self, load, panel_width, store};
use crate::cpu::{Geometry, Size, buffers};

/// Tiles in a block.
const BLOCK: usize = 48;

struct Task<'a, T, const IN: usize, const OUT: usize> {
    source: Source<'a>,
    /// The gradient of the outputs.
    above: Source<'a>,
    rows: &'a [TileRow],
    per_row: usize,
    /// Panels of output channels.
    panels: usize,
    /// Input channels, filled up to whole groups of the inner loop.
    into: usize,
    inputs: Steps,
    transform: PhantomData<T>,
}

/// The gradient of the weights, `[out, in, 3, 3]`.
pub(in crate::cpu) fn weight_gradient<T: Transform<IN, OUT>, const IN: usize, const OUT: usize>(
    x: &[f32],
    input: Size,
    gradient: &[f32],
    output: Size,
    geometry: &Geometry,
) -> Vec<f32> {
    let area = IN * IN;
    let width = simd::panel();
    let panels = output.channels.div_ceil(width);
    let into = input.channels.next_multiple_of(12);
    let depth = into.next_multiple_of(width);
    let zeros = vec![0.0; input.channels.max(output.channels)];
    let rows = tile_rows(output, OUT);
    let per_row = output.width.div_ceil(OUT);
    let task = Task::<T, IN, OUT> {
        source: Source {
            x,
            size: input,
            padding: [geometry.vertical[0], geometry.horizontal[0]],
            zeros: &zeros,
        },
        above: Source { x: gradient, size: output, padding: [0; 2], zeros: &zeros },
        rows: &rows,
        per_row,
        panels,
        into,
        inputs: Steps { matrix: BLOCK * depth + width, tile: depth },
        transform: PhantomData,
    };

    let tiles = rows.len() * per_row;
    // `[matrix, panel, in, channel]`
    let matrix = panels * into * width;
    let mut sums = buffers::take(area * matrix);
    sums.par_chunks_mut(matrix.max(1)).for_each(|sums| sums.fill(0.0));
    // Of a fixed size, so that the order of the sums does not depend on the number of threads.
    let blocks = (STAGE / (area * (depth + panels * width) * size_of::<f32>()) / BLOCK).max(2);
    let arch = simd::arch();
    for first in (0..tiles).step_by(blocks * BLOCK) {
        let count = (blocks * BLOCK).min(tiles - first);
        let mut inputs = buffers::take(count.div_ceil(BLOCK) * area * task.inputs.matrix);
        let mut spread = buffers::take(count.div_ceil(BLOCK) * area * panels * BLOCK * width);
        let pieces = inputs
            .par_chunks_mut(area * task.inputs.matrix)
            .zip(spread.par_chunks_mut(area * panels * BLOCK * width));
        pieces.enumerate().for_each(|(block, (inputs, spread))| {
            let first = first + block * BLOCK;
            arch.dispatch(Transforms { task: &task, first, count: BLOCK.min(tiles - first), inputs, spread });
        });
        sums.par_chunks_mut(matrix).enumerate().for_each(|(matrix, sums)| {
            arch.dispatch(Products { task: &task, matrix, count, inputs: &inputs, spread: &spread, sums });
        });
    }

    let mut result = vec![0.0; output.channels * input.channels * 9];
    let kernels = input.channels * 9;
    result.par_chunks_mut((width * kernels).max(1)).enumerate().for_each(|(panel, result)| {
        arch.dispatch(Kernels { task: &task, panel, sums: &sums, kernels, result });
    });
    result
}

/// Transforms of a block of tiles.
struct Transforms<'a, T, const IN: usize, const OUT: usize> {
    task: &'a Task<'a, T, IN, OUT>,
    first: usize,
    count: usize,
    inputs: &'a mut [f32],
    /// `[matrix, panel, tile, channel]`
    spread: &'a mut [f32],
}

impl<T: Transform<IN, OUT>, const IN: usize, const OUT: usize> WithSimd for Transforms<'_, T, IN, OUT> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { task, first, count, inputs, spread } = self;
        let mut half = [[simd.splat_f32s(0.0); IN]; IN];
        for slot in 0..count {
            let tile = first + slot;
            let row = task.rows[tile / task.per_row];
            let at = [row.row * OUT, tile % task.per_row * OUT];
            let mut sink = Whole { values: &mut inputs[slot * task.inputs.tile..], step: task.inputs.matrix };
            task.source.transform::<T, S, IN, OUT>(simd, row.image, at, &mut half, &mut sink);
            task.spread(simd, row.image, at, slot, spread);
        }
    }
}

impl<T: Transform<IN, OUT>, const IN: usize, const OUT: usize> Task<'_, T, IN, OUT> {
    /// `A y A^T` of the tile at `at`.
    #[inline(always)]
    fn spread<S: Simd>(&self, simd: S, image: usize, at: [usize; 2], slot: usize, spread: &mut [f32]) {
        let channels = self.above.size.channels;
        let lanes = S::F32_LANES;
        let panel_len = BLOCK * 2 * lanes;
        let zero = simd.splat_f32s(0.0);
        let pixels = self.above.tile::<OUT>(image, at);
        let mut half = [[zero; OUT]; IN];
        for from in (0..2 * lanes * self.panels).step_by(lanes) {
            for x in 0..OUT {
                let mut y = [zero; OUT];
                for (value, row) in y.iter_mut().zip(&pixels) {
                    if from + lanes <= channels {
                        *value = load::<S>(&row[x][from..]);
                    } else if from < channels {
                        *value = simd.partial_load_f32s(&row[x][from..channels]);
                    }
                }
                for (half, value) in half.iter_mut().zip(T::spread(simd, y)) {
                    half[x] = value;
                }
            }
            let [panel, lane] = [from / (2 * lanes), from % (2 * lanes)];
            let target = &mut spread[panel * panel_len + slot * 2 * lanes + lane..];
            for (y, half) in half.iter().enumerate() {
                for (x, value) in T::spread(simd, *half).into_iter().enumerate() {
                    store::<S>(&mut target[(y * IN + x) * self.panels * panel_len..], value);
                }
            }
        }
    }
}

/// Sums over the tiles of a stage for one matrix.
struct Products<'a, T, const IN: usize, const OUT: usize> {
    task: &'a Task<'a, T, IN, OUT>,
    matrix: usize,
    count: usize,
    inputs: &'a [f32],
    spread: &'a [f32],
    /// `[panel, in, channel]`
    sums: &'a mut [f32],
}

impl<T: Transform<IN, OUT>, const IN: usize, const OUT: usize> WithSimd for Products<'_, T, IN, OUT> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        if S::REGISTER_COUNT >= 32 { self.run::<S, 12>(simd) } else { self.run::<S, 6>(simd) }
    }
}

impl<T: Transform<IN, OUT>, const IN: usize, const OUT: usize> Products<'_, T, IN, OUT> {
    #[inline(always)]
    fn run<S: Simd, const ROWS: usize>(self, simd: S) {
        let Self { task, matrix, count, inputs, spread, sums } = self;
        let width = panel_width::<S>();
        let step = task.inputs;
        for (panel, sums) in sums.chunks_exact_mut(task.into * width).enumerate() {
            for (group, sums) in sums.chunks_exact_mut(ROWS * width).enumerate() {
                let mut totals = [[simd.splat_f32s(0.0); 2]; ROWS];
                let blocks = inputs.chunks_exact(IN * IN * step.matrix);
                let blocks = blocks.zip(spread.chunks_exact(IN * IN * task.panels * BLOCK * width));
                for (block, (inputs, spread)) in blocks.enumerate() {
                    let tiles = BLOCK.min(count - block * BLOCK);
                    let inputs = &inputs[matrix * step.matrix..][..tiles * step.tile];
                    let spread = &spread[(matrix * task.panels + panel) * BLOCK * width..][..tiles * width];
                    for (values, gradient) in inputs.chunks_exact(step.tile).zip(spread.chunks_exact(width)) {
                        let [left, right] = [load::<S>(gradient), load::<S>(&gradient[S::F32_LANES..])];
                        for (total, value) in totals.iter_mut().zip(&values[group * ROWS..][..ROWS]) {
                            let value = simd.splat_f32s(*value);
                            total[0] = simd.mul_add_e_f32s(value, left, total[0]);
                            total[1] = simd.mul_add_e_f32s(value, right, total[1]);
                        }
                    }
                }
                for (sum, total) in sums.chunks_exact_mut(width).zip(totals) {
                    let (left, right) = sum.split_at_mut(S::F32_LANES);
                    store::<S>(left, simd.add_f32s(load::<S>(left), total[0]));
                    store::<S>(right, simd.add_f32s(load::<S>(right), total[1]));
                }
            }
        }
    }
}

/// `G^T u G` for a panel of output channels.
struct Kernels<'a, T, const IN: usize, const OUT: usize> {
    task: &'a Task<'a, T, IN, OUT>,
    panel: usize,
    sums: &'a [f32],
    /// Values of one output channel.
    kernels: usize,
    /// `[out, in, 3, 3]`
    result: &'a mut [f32],
}

impl<T: Transform<IN, OUT>, const IN: usize, const OUT: usize> WithSimd for Kernels<'_, T, IN, OUT> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { task, panel, sums, kernels, result } = self;
        let lanes = S::F32_LANES;
        let width = 2 * lanes;
        let g = T::kernel_matrix();
        let zero = simd.splat_f32s(0.0);
        for i in 0..kernels / 9 {
            for lane in [0, lanes] {
                let sums = &sums[(panel * task.into + i) * width + lane..];
                let mut half = [[zero; IN]; 3];
                for x in 0..IN {
                    for y in 0..IN {
                        let value = load::<S>(&sums[(y * IN + x) * task.panels * task.into * width..]);
                        for (half, g) in half.iter_mut().zip(g[y]) {
                            half[x] = simd.mul_add_e_f32s(simd.splat_f32s(g as f32), value, half[x]);
                        }
                    }
                }
                for (tap, half) in (0..9).map(|tap| (tap, half[tap / 3])) {
                    let mut value = zero;
                    for (half, g) in half.into_iter().zip(g) {
                        value = simd.mul_add_e_f32s(simd.splat_f32s(g[tap % 3] as f32), half, value);
                    }
                    let values = [value];
                    let outs = result.chunks_exact_mut(kernels).skip(lane);
                    for (out, value) in outs.zip(pulp::bytemuck::cast_slice::<_, f32>(&values)) {
                        out[i * 9 + tap] = *value;
                    }
                }
            }
        }
    }
}
