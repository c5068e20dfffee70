//! Winograd's minimal filtering for 3x3 kernels with stride 1 (Lavin & Gray, CVPR 2016).
//!
//! A tile of `OUT x OUT` outputs comes from `IN x IN` inputs, `IN = OUT + 2`: transform the inputs (`B^T d B`),
//! multiply channel by channel with the transformed kernels, transform back (`A^T m A`). The products of many tiles
//! are `IN * IN` matrix products.
//!
//! With few channels a block of tiles goes through all three stages while it is in the second-level cache. With many,
//! a block that fits is so small that reading the weights for it would take longer than its products: then the stages
//! follow one another for hundreds of tiles, and each matrix of weights is read once for all of them.

mod gradient;
mod source;
mod transform;

use std::cmp::Reverse;
use std::marker::PhantomData;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

pub(super) use gradient::weight_gradient;
use source::Source;
pub(in crate::cpu) use transform::{F2, F4, Transform};

use super::simd::{self, load, panel_width, store};
use super::weights::Panels;
use super::{Buffer, Finish, Geometry, Size, buffers};

/// Tiles in a block of the first kind that are worth reading the weights for.
const WORTH: usize = 24;
/// Tiles in a block where the stages follow one another.
const BLOCK: usize = 48;
/// Bytes of transformed values that go through the stages together.
const STAGE: usize = 8 << 20;

/// Rows of tiles of one image: a task computes some of them, one after another in memory.
#[derive(Debug, Clone, Copy)]
struct TileRow {
    image: usize,
    row: usize,
}

fn tile_rows(size: Size, tile: usize) -> Vec<TileRow> {
    let rows = size.height.div_ceil(tile);
    (0..size.images).flat_map(|image| (0..rows).map(move |row| TileRow { image, row })).collect()
}

/// Where tiles of transformed values lie: from one matrix to the next, and from one tile to the next.
#[derive(Debug, Clone, Copy)]
struct Steps {
    matrix: usize,
    tile: usize,
}

struct Task<'a, T, const IN: usize, const OUT: usize> {
    source: Source<'a>,
    weights: &'a Panels,
    bias: &'a [f32],
    full: Size,
    finish: Finish<'a>,
    /// Tiles in a row.
    per_row: usize,
    /// Input channels, filled up to whole vectors.
    depth: usize,
    transform: PhantomData<T>,
}

pub(super) fn convolve<T: Transform<IN, OUT>, const IN: usize, const OUT: usize>(
    x: &[f32],
    input: Size,
    weights: &Panels,
    bias: &[f32],
    geometry: &Geometry,
    full: Size,
    finish: Finish<'_>,
) -> (Buffer, Size) {
    assert!(geometry.is_plain_3x3(), "Winograd tiles are for 3x3 kernels with stride 1");
    let shrink = if finish.pool { 2 } else { 1 };
    let output = Size { height: full.height / shrink, width: full.width / shrink, ..full };
    let mut result = buffers::take(output.values());
    if result.is_empty() {
        return (result, output);
    }
    let width = simd::panel();
    let bias = simd::filled_up(bias, weights.panels * width);
    let task = Task::<T, IN, OUT> {
        source: Source {
            x,
            size: input,
            padding: [geometry.vertical[0], geometry.horizontal[0]],
            zeros: &vec![0.0; input.channels],
        },
        weights,
        bias: &bias,
        full,
        finish,
        per_row: full.width.div_ceil(OUT),
        depth: input.channels.next_multiple_of(width),
        transform: PhantomData,
    };
    let rows = tile_rows(full, OUT);
    let block = task.block();
    if block >= WORTH && rows.len() * task.per_row >= 4 * block {
        task.fused(&rows, block, &mut result);
    } else {
        task.staged(&rows, &mut result);
    }
    (result, output)
}

/// Rows of tiles with the piece of the result that comes from them.
type Pieces<'a> = Vec<(&'a [TileRow], &'a mut [f32])>;

impl<T: Transform<IN, OUT>, const IN: usize, const OUT: usize> Task<'_, T, IN, OUT> {
    /// Cuts the result into the pieces of `count` rows of tiles each.
    fn pieces<'a>(&self, rows: &'a [TileRow], count: usize, result: &'a mut [f32]) -> Pieces<'a> {
        let shrink = self.shrink();
        let row_len = self.full.width / shrink * self.full.channels;
        let mut rest = result;
        let mut pieces = Vec::new();
        for rows in rows.chunks(count) {
            let height: usize =
                rows.iter().map(|row| OUT.min(self.full.height - row.row * OUT) / shrink).sum();
            let (piece, others) = rest.split_at_mut(height * row_len);
            rest = others;
            pieces.push((rows, piece));
        }
        pieces
    }

    fn shrink(&self) -> usize {
        if self.finish.pool { 2 } else { 1 }
    }

    /// Tiles whose transformed inputs, with the products of a panel, fill most of a second-level cache.
    fn block(&self) -> usize {
        let most = (simd::second_level_cache() / 16 * 13).min(1 << 20);
        let fits = most / (IN * IN * (self.depth + simd::panel()) * size_of::<f32>());
        fits.clamp(12, 96) / 12 * 12
    }

    /// All stages for one block of tiles after another.
    fn fused(&self, rows: &[TileRow], block: usize, result: &mut [f32]) {
        let width = simd::panel();
        // As many rows as a block holds, but work for several threads, and few places of the last group left empty.
        let most = (block / self.per_row).min(rows.len() / 16).max(1);
        let waste = |count: usize| {
            let tiles = count * self.per_row;
            1000 * tiles.next_multiple_of(6) / tiles
        };
        let count = (1..=most).min_by_key(|count| (waste(*count), Reverse(*count))).unwrap_or(1);
        let inputs = Steps { matrix: block * self.depth + width, tile: self.depth };
        let products = Steps { matrix: block * width, tile: width };
        let arch = simd::arch();
        self.pieces(rows, count, result).into_par_iter().for_each(|(rows, piece)| {
            simd::with_scratch(IN * IN * (inputs.matrix + products.matrix), |scratch| {
                arch.dispatch(Fused { task: self, rows, piece, scratch, block, inputs, products });
            });
        });
    }

    /// One stage after another for many tiles.
    fn staged(&self, rows: &[TileRow], result: &mut [f32]) {
        let area = IN * IN;
        let width = simd::panel();
        let panels = self.weights.panels;
        let most = (STAGE / (area * (self.depth + panels * width) * size_of::<f32>())).max(2 * BLOCK);
        let step = Steps { matrix: BLOCK * self.depth + width, tile: self.depth };
        let arch = simd::arch();
        let mut pieces = self.pieces(rows, 1, result);
        for pieces in pieces.chunks_mut((most / self.per_row).max(1)) {
            let tiles = pieces.len() * self.per_row;
            let rows: Vec<TileRow> = pieces.iter().map(|(rows, _)| rows[0]).collect();
            let mut inputs = buffers::take(tiles.div_ceil(BLOCK) * area * step.matrix);
            inputs.par_chunks_mut(area * step.matrix).enumerate().for_each(|(block, values)| {
                arch.dispatch(Inputs { task: self, rows: &rows, first: block * BLOCK, values, step });
            });
            // `[matrix, panel, tile, channel]`
            let padded = tiles.next_multiple_of(12);
            let mut products = buffers::take(area * panels * padded * width);
            products.par_chunks_mut(panels * padded * width).enumerate().for_each(|(matrix, values)| {
                arch.dispatch(Products { task: self, matrix, inputs: &inputs, values, tiles, padded, step });
            });
            let step = Steps { matrix: panels * padded * width, tile: width };
            pieces.par_iter_mut().enumerate().for_each(|(index, (rows, piece))| {
                let first = index * self.per_row;
                arch.dispatch(Outputs { task: self, rows, piece, products: &products, first, padded, step });
            });
        }
    }
}

struct Fused<'a, T, const IN: usize, const OUT: usize> {
    task: &'a Task<'a, T, IN, OUT>,
    rows: &'a [TileRow],
    piece: &'a mut [f32],
    scratch: &'a mut [f32],
    block: usize,
    inputs: Steps,
    products: Steps,
}

impl<T: Transform<IN, OUT>, const IN: usize, const OUT: usize> WithSimd for Fused<'_, T, IN, OUT> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { task, rows, piece, scratch, block, inputs: input_step, products: product_step } = self;
        let width = panel_width::<S>();
        let per_row = task.per_row;
        let tiles = rows.len() * per_row;
        let (inputs, products) = scratch.split_at_mut(IN * IN * input_step.matrix);
        for start in (0..tiles).step_by(block) {
            let count = block.min(tiles - start);
            task.transform_inputs(simd, rows, start, count, inputs, input_step);
            for panel in 0..task.weights.panels {
                let matrices = inputs.chunks_exact(input_step.matrix);
                let results = products.chunks_exact_mut(product_step.matrix);
                for (matrix, (a, c)) in matrices.zip(results).enumerate() {
                    let weights = task.weights.panel(matrix, panel, width);
                    multiply(simd, a, task.depth, task.source.size.channels, count, weights, c);
                }
                for slot in 0..count {
                    task.transform_output(
                        simd,
                        rows,
                        start + slot,
                        panel,
                        products,
                        slot,
                        product_step,
                        piece,
                    );
                }
            }
        }
    }
}

struct Inputs<'a, T, const IN: usize, const OUT: usize> {
    task: &'a Task<'a, T, IN, OUT>,
    rows: &'a [TileRow],
    first: usize,
    values: &'a mut [f32],
    step: Steps,
}

impl<T: Transform<IN, OUT>, const IN: usize, const OUT: usize> WithSimd for Inputs<'_, T, IN, OUT> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { task, rows, first, values, step } = self;
        let count = BLOCK.min(rows.len() * task.per_row - first);
        task.transform_inputs(simd, rows, first, count, values, step);
    }
}

struct Products<'a, T, const IN: usize, const OUT: usize> {
    task: &'a Task<'a, T, IN, OUT>,
    matrix: usize,
    inputs: &'a [f32],
    values: &'a mut [f32],
    tiles: usize,
    padded: usize,
    step: Steps,
}

impl<T: Transform<IN, OUT>, const IN: usize, const OUT: usize> WithSimd for Products<'_, T, IN, OUT> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { task, matrix, inputs, values, tiles, padded, step } = self;
        let width = panel_width::<S>();
        for (panel, values) in values.chunks_exact_mut(padded * width).enumerate() {
            let weights = task.weights.panel(matrix, panel, width);
            let blocks = inputs.chunks_exact(IN * IN * step.matrix);
            for (index, (block, values)) in blocks.zip(values.chunks_mut(BLOCK * width)).enumerate() {
                let count = BLOCK.min(tiles - index * BLOCK);
                let a = &block[matrix * step.matrix..][..step.matrix];
                multiply(simd, a, step.tile, task.source.size.channels, count, weights, values);
            }
        }
    }
}

struct Outputs<'a, T, const IN: usize, const OUT: usize> {
    task: &'a Task<'a, T, IN, OUT>,
    rows: &'a [TileRow],
    piece: &'a mut [f32],
    products: &'a [f32],
    /// The first tile among those of the stage.
    first: usize,
    padded: usize,
    step: Steps,
}

impl<T: Transform<IN, OUT>, const IN: usize, const OUT: usize> WithSimd for Outputs<'_, T, IN, OUT> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { task, rows, piece, products, first, padded, step } = self;
        for panel in 0..task.weights.panels {
            let products = &products[panel * padded * step.tile..];
            for tile in 0..rows.len() * task.per_row {
                task.transform_output(simd, rows, tile, panel, products, first + tile, step, piece);
            }
        }
    }
}

/// `c = a * weights` for one panel: `count` rows of `channels` values, `step` from one to the next.
#[inline(always)]
fn multiply<S: Simd>(
    simd: S,
    a: &[f32],
    step: usize,
    channels: usize,
    count: usize,
    weights: &[f32],
    c: &mut [f32],
) {
    if S::REGISTER_COUNT >= 32 {
        multiply_by::<S, 12>(simd, a, step, channels, count, weights, c);
    } else {
        multiply_by::<S, 6>(simd, a, step, channels, count, weights, c);
    }
}

#[inline(always)]
fn multiply_by<S: Simd, const ROWS: usize>(
    simd: S,
    a: &[f32],
    step: usize,
    channels: usize,
    count: usize,
    weights: &[f32],
    c: &mut [f32],
) {
    // Weights of more channels would push each other out of the first-level cache.
    const CHANNELS: usize = 256;
    let width = panel_width::<S>();
    for from in (0..channels).step_by(CHANNELS) {
        let len = CHANNELS.min(channels - from);
        let weights = &weights[from * width..][..len * width];
        for first in (0..count).step_by(ROWS) {
            let mut rows: [&[f32]; ROWS] = [&[]; ROWS];
            for (r, row) in rows.iter_mut().enumerate() {
                *row = &a[(first + r) * step + from..][..len];
            }
            let mut sums = [[simd.splat_f32s(0.0); 2]; ROWS];
            simd::accumulate(simd, &mut sums, rows, weights);
            let c = &mut c[first * width..][..ROWS * width];
            for (c, sum) in c.chunks_exact_mut(width).zip(sums) {
                let (left, right) = c.split_at_mut(S::F32_LANES);
                if from == 0 {
                    store::<S>(left, sum[0]);
                    store::<S>(right, sum[1]);
                } else {
                    store::<S>(left, simd.add_f32s(load::<S>(left), sum[0]));
                    store::<S>(right, simd.add_f32s(load::<S>(right), sum[1]));
                }
            }
        }
    }
}

impl<T: Transform<IN, OUT>, const IN: usize, const OUT: usize> Task<'_, T, IN, OUT> {
    /// `B^T d B` of `count` tiles from `first` on; the last group of the inner loop is filled up with copies.
    #[inline(always)]
    fn transform_inputs<S: Simd>(
        &self,
        simd: S,
        rows: &[TileRow],
        first: usize,
        count: usize,
        inputs: &mut [f32],
        step: Steps,
    ) {
        let group = if S::REGISTER_COUNT >= 32 { 12 } else { 6 };
        let mut half = [[simd.splat_f32s(0.0); IN]; IN];
        for slot in 0..count.next_multiple_of(group) {
            let tile = first + slot.min(count - 1);
            let row = rows[tile / self.per_row];
            let at = [row.row * OUT, tile % self.per_row * OUT];
            let target = &mut inputs[slot * step.tile..];
            self.source.transform::<T, S, IN, OUT>(simd, row.image, at, &mut half, target, step.matrix);
        }
    }

    /// `A^T m A` of a panel of one tile, with all that follows.
    #[inline(always)]
    #[allow(clippy::too_many_arguments)]
    fn transform_output<S: Simd>(
        &self,
        simd: S,
        rows: &[TileRow],
        tile: usize,
        panel: usize,
        products: &[f32],
        slot: usize,
        step: Steps,
        piece: &mut [f32],
    ) {
        let channels = self.full.channels;
        let lanes = S::F32_LANES;
        let zero = simd.splat_f32s(0.0);
        let shrink = self.shrink();
        let (row_of_tile, column) = (rows[tile / self.per_row], tile % self.per_row);
        let whole = self.full.height / shrink;
        let at = |row: TileRow| row.image * whole + row.row * OUT / shrink;
        let above = at(row_of_tile) - at(rows[0]);
        let height = OUT.min(self.full.height - row_of_tile.row * OUT) / shrink;
        let width = OUT.min(self.full.width - column * OUT) / shrink;
        let row_len = self.full.width / shrink * channels;
        let mut columns = [[zero; IN]; OUT];
        let mut values = [[zero; OUT]; OUT];
        for half in 0..2 {
            let from = panel * 2 * lanes + half * lanes;
            if from >= channels {
                break;
            }
            let products = &products[slot * step.tile + half * lanes..];
            for x in 0..IN {
                let mut m = [zero; IN];
                for (y, m) in m.iter_mut().enumerate() {
                    *m = load::<S>(&products[(y * IN + x) * step.matrix..]);
                }
                for (columns, value) in columns.iter_mut().zip(T::output(simd, m)) {
                    columns[x] = value;
                }
            }
            let bias = load::<S>(&self.bias[from..]);
            for (values, columns) in values.iter_mut().zip(&columns) {
                *values = T::output(simd, *columns);
            }
            // The largest before bias and ReLU is the largest after them.
            if self.finish.pool {
                for y in 0..OUT / 2 {
                    for x in 0..OUT / 2 {
                        let [top, bottom] = [2 * y, 2 * y + 1]
                            .map(|y| simd::larger(simd, values[y][2 * x], values[y][2 * x + 1]));
                        values[y][x] = simd::larger(simd, top, bottom);
                    }
                }
            }
            for value in values.iter_mut().take(OUT / shrink).flat_map(|row| &mut row[..OUT / shrink]) {
                *value = simd.add_f32s(*value, bias);
                if self.finish.relu && self.finish.added.is_none() {
                    *value = simd::relu(simd, *value);
                }
            }
            let full = from + lanes <= channels;
            for (y, row) in values.iter().enumerate().take(height) {
                let start = (above + y) * row_len + column * OUT / shrink * channels;
                let pixels = &mut piece[start..start + width * channels];
                for (x, (pixel, value)) in pixels.chunks_exact_mut(channels).zip(row).enumerate() {
                    let mut value = *value;
                    if let Some(added) = self.finish.added {
                        let at = (at(row_of_tile) + y) * row_len + (column * OUT + x) * channels;
                        let added = &added[at..][..channels][from..];
                        let added = if full { load::<S>(added) } else { simd.partial_load_f32s(added) };
                        value = simd.add_f32s(value, added);
                        if self.finish.relu {
                            value = simd::relu(simd, value);
                        }
                    }
                    if full {
                        store::<S>(&mut pixel[from..], value);
                    } else {
                        simd.partial_store_f32s(&mut pixel[from..], value);
                    }
                }
            }
        }
    }
}
