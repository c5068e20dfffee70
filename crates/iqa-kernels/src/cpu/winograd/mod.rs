//! Winograd's minimal filtering for 3x3 kernels with stride 1 (Lavin & Gray, CVPR 2016).
//!
//! A tile of `OUT x OUT` outputs comes from `IN x IN` inputs, `IN = OUT + 2`: transform the inputs (`B^T d B`),
//! multiply channel by channel with the transformed kernels, transform back (`A^T m A`). The products of many tiles
//! are `IN * IN` matrix products.
//!
//! With few channels a block of tiles goes through all three stages while it is in the second-level cache. With many,
//! a block that fits is so small that reading the weights for it would take longer than its products: then the stages
//! follow one another for hundreds of tiles, and each matrix of weights is read once for all of them.

mod arithmetic;
mod gradient;
mod output;
mod source;
mod transform;

use std::cmp::Reverse;
use std::marker::PhantomData;

use pulp::{Simd, WithSimd, bytemuck};
use rayon::prelude::*;

pub(super) use arithmetic::{Arithmetic, Single, Split};
pub(super) use gradient::weight_gradient;
use source::Source;
pub(in crate::cpu) use transform::{F2, F4, Transform};

use super::simd::{self, panel_width};
use super::{Buffer, Finish, Geometry, Size, buffers};

/// Tiles in a block of the first kind that are worth reading the weights for.
const WORTH: usize = 24;
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
pub(in crate::cpu) struct Steps {
    matrix: usize,
    tile: usize,
}

struct Task<'a, T, A, const IN: usize, const OUT: usize> {
    source: Source<'a>,
    arithmetic: A,
    bias: &'a [f32],
    full: Size,
    finish: Finish<'a>,
    /// Tiles in a row.
    per_row: usize,
    /// Values from one tile to the next.
    tile: usize,
    transform: PhantomData<T>,
}

pub(super) fn convolve<T: Transform<IN, OUT>, A: Arithmetic, const IN: usize, const OUT: usize>(
    x: &[f32],
    input: Size,
    arithmetic: A,
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
    let bias = simd::filled_up(bias, arithmetic.panels() * width);
    let task = Task::<T, A, IN, OUT> {
        source: Source {
            x,
            size: input,
            padding: [geometry.vertical[0], geometry.horizontal[0]],
            zeros: &vec![0.0; input.channels],
        },
        arithmetic,
        bias: &bias,
        full,
        finish,
        per_row: full.width.div_ceil(OUT),
        tile: A::tile(input.channels),
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

impl<T: Transform<IN, OUT>, A: Arithmetic, const IN: usize, const OUT: usize> Task<'_, T, A, IN, OUT> {
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
        let fits = most / (IN * IN * (self.tile * A::bytes() + simd::panel() * size_of::<f32>()));
        fits.min(96) / A::GROUP * A::GROUP
    }

    /// All stages for one block of tiles after another.
    fn fused(&self, rows: &[TileRow], block: usize, result: &mut [f32]) {
        let width = simd::panel();
        // As many rows as a block holds, but work for several threads. More than one block where in one many places of the last
        // group would stay empty.
        let most = (2 * block / self.per_row).min(rows.len() / (3 * rayon::current_num_threads())).max(1);
        let waste = |count: usize| {
            let tiles = count * self.per_row;
            10 * tiles.next_multiple_of(A::GROUP) / tiles
        };
        let order = |count: &usize| (waste(*count), count * self.per_row > block, Reverse(*count));
        let count = (1..=most).min_by_key(order).unwrap_or(1);
        let inputs = Steps { matrix: block * self.tile + width, tile: self.tile };
        let products = Steps { matrix: block * width + width, tile: width };
        let arch = simd::arch();
        self.pieces(rows, count, result).into_par_iter().for_each(|(rows, piece)| {
            let values = Self::floats(IN * IN * inputs.matrix);
            simd::with_scratch(values + IN * IN * products.matrix, |scratch| {
                arch.dispatch(Fused { task: self, rows, piece, scratch, block, inputs, products });
            });
        });
    }

    /// Memory of so many values with all their parts, in whole lines.
    fn floats(values: usize) -> usize {
        (values * A::bytes() / size_of::<f32>()).next_multiple_of(16)
    }

    /// One stage after another for many tiles.
    fn staged(&self, rows: &[TileRow], result: &mut [f32]) {
        let area = IN * IN;
        let width = simd::panel();
        let panels = self.arithmetic.panels();
        let bytes = self.tile * A::bytes() + panels * width * size_of::<f32>();
        // All weights are read for each stage: no less is worth it.
        let weights = area * self.tile * panels * width * A::bytes();
        let most = (STAGE.max(weights) / (area * bytes)).max(2 * A::BLOCK);
        let step = Steps { matrix: A::BLOCK * self.tile + width, tile: self.tile };
        let block = Self::floats(area * step.matrix);
        let arch = simd::arch();
        let mut pieces = self.pieces(rows, 1, result);
        for pieces in pieces.chunks_mut((most / self.per_row).max(1)) {
            let tiles = pieces.len() * self.per_row;
            let rows: Vec<TileRow> = pieces.iter().map(|(rows, _)| rows[0]).collect();
            let mut inputs = buffers::take(tiles.div_ceil(A::BLOCK) * block);
            inputs.par_chunks_mut(block).enumerate().for_each(|(block, values)| {
                arch.dispatch(Inputs { task: self, rows: &rows, first: block * A::BLOCK, values, step });
            });
            // `[matrix, panel, tile, channel]`
            let padded = tiles.next_multiple_of(A::GROUP);
            let matrix = (panels * padded + 1) * width;
            let mut products = buffers::take(area * matrix);
            products.par_chunks_mut(matrix).enumerate().for_each(|(matrix, values)| {
                arch.dispatch(Products {
                    task: self,
                    matrix,
                    inputs: &inputs,
                    block,
                    values,
                    tiles,
                    padded,
                    step,
                });
            });
            let step = Steps { matrix, tile: width };
            pieces.par_iter_mut().enumerate().for_each(|(index, (rows, piece))| {
                let first = index * self.per_row;
                arch.dispatch(Outputs { task: self, rows, piece, products: &products, first, padded, step });
            });
        }
    }
}

struct Fused<'a, T, A: Arithmetic, const IN: usize, const OUT: usize> {
    task: &'a Task<'a, T, A, IN, OUT>,
    rows: &'a [TileRow],
    piece: &'a mut [f32],
    scratch: &'a mut [f32],
    block: usize,
    inputs: Steps,
    products: Steps,
}

impl<T: Transform<IN, OUT>, A: Arithmetic, const IN: usize, const OUT: usize> WithSimd
    for Fused<'_, T, A, IN, OUT>
{
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { task, rows, piece, scratch, block, inputs: input_step, products: product_step } = self;
        let per_row = task.per_row;
        let tiles = rows.len() * per_row;
        let values = Task::<T, A, IN, OUT>::floats(IN * IN * input_step.matrix);
        let (inputs, products) = scratch.split_at_mut(values);
        let inputs = &mut bytemuck::cast_slice_mut(inputs)[..A::PARTS * IN * IN * input_step.matrix];
        let _ready = A::ready();
        for start in (0..tiles).step_by(block) {
            let count = block.min(tiles - start);
            task.transform_inputs(simd, rows, start, count, inputs, input_step);
            for panel in 0..task.arithmetic.panels() {
                for (matrix, products) in products.chunks_exact_mut(product_step.matrix).enumerate() {
                    task.arithmetic.multiply(simd, inputs, input_step, matrix, panel, count, products);
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

struct Inputs<'a, T, A: Arithmetic, const IN: usize, const OUT: usize> {
    task: &'a Task<'a, T, A, IN, OUT>,
    rows: &'a [TileRow],
    first: usize,
    values: &'a mut [f32],
    step: Steps,
}

impl<T: Transform<IN, OUT>, A: Arithmetic, const IN: usize, const OUT: usize> WithSimd
    for Inputs<'_, T, A, IN, OUT>
{
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { task, rows, first, values, step } = self;
        let count = A::BLOCK.min(rows.len() * task.per_row - first);
        let values = &mut bytemuck::cast_slice_mut(values)[..A::PARTS * IN * IN * step.matrix];
        task.transform_inputs(simd, rows, first, count, values, step);
    }
}

struct Products<'a, T, A: Arithmetic, const IN: usize, const OUT: usize> {
    task: &'a Task<'a, T, A, IN, OUT>,
    matrix: usize,
    inputs: &'a [f32],
    /// Memory of a block of inputs.
    block: usize,
    values: &'a mut [f32],
    tiles: usize,
    padded: usize,
    step: Steps,
}

impl<T: Transform<IN, OUT>, A: Arithmetic, const IN: usize, const OUT: usize> WithSimd
    for Products<'_, T, A, IN, OUT>
{
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { task, matrix, inputs, block, values, tiles, padded, step } = self;
        let width = panel_width::<S>();
        let _ready = A::ready();
        for (panel, values) in values.chunks_exact_mut(padded * width).enumerate() {
            let blocks = inputs.chunks_exact(block).zip(values.chunks_mut(A::BLOCK * width));
            for (index, (block, values)) in blocks.enumerate() {
                let count = A::BLOCK.min(tiles - index * A::BLOCK);
                let block = &bytemuck::cast_slice(block)[..A::PARTS * IN * IN * step.matrix];
                task.arithmetic.multiply(simd, block, step, matrix, panel, count, values);
            }
        }
    }
}

struct Outputs<'a, T, A: Arithmetic, const IN: usize, const OUT: usize> {
    task: &'a Task<'a, T, A, IN, OUT>,
    rows: &'a [TileRow],
    piece: &'a mut [f32],
    products: &'a [f32],
    /// The first tile among those of the stage.
    first: usize,
    padded: usize,
    step: Steps,
}

impl<T: Transform<IN, OUT>, A: Arithmetic, const IN: usize, const OUT: usize> WithSimd
    for Outputs<'_, T, A, IN, OUT>
{
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { task, rows, piece, products, first, padded, step } = self;
        for panel in 0..task.arithmetic.panels() {
            let products = &products[panel * padded * step.tile..];
            for tile in 0..rows.len() * task.per_row {
                task.transform_output(simd, rows, tile, panel, products, first + tile, step, piece);
            }
        }
    }
}

impl<T: Transform<IN, OUT>, A: Arithmetic, const IN: usize, const OUT: usize> Task<'_, T, A, IN, OUT> {
    /// `B^T d B` of `count` tiles from `first` on; the last group of the inner loop is filled up with copies.
    #[inline(always)]
    fn transform_inputs<S: Simd>(
        &self,
        simd: S,
        rows: &[TileRow],
        first: usize,
        count: usize,
        inputs: &mut [A::Value],
        step: Steps,
    ) {
        // Once for all tiles, as they are filled with zeros.
        let mut half = [[simd.splat_f32s(0.0); IN]; IN];
        let mut left = half;
        for slot in 0..A::filled::<S>(count) {
            let tile = first + slot.min(count - 1);
            let row = rows[tile / self.per_row];
            let at = [row.row * OUT, tile % self.per_row * OUT];
            let mut sink = A::sink::<S, IN>(inputs, slot, step, &mut left);
            self.source.transform::<T, S, IN, OUT>(simd, row.image, at, &mut half, &mut sink);
        }
    }
}
