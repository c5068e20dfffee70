//! Winograd's minimal filtering for 3x3 kernels with stride 1 (Lavin & Gray, CVPR 2016).
//!
//! A tile of `OUT x OUT` outputs comes from `IN x IN` inputs, `IN = OUT + 2`: transform the inputs (`B^T d B`),
//! multiply channel by channel with the transformed kernels, transform back (`A^T m A`). The products of many tiles
//! are `IN * IN` matrix products. A block of tiles goes through all three stages while it is in the cache.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::simd::{self, load, panel_width, store};
use super::weights::Panels;
use super::{Finish, Geometry, Size};

/// The three matrices of a tile size.
pub(super) trait Transform<const IN: usize, const OUT: usize>: Send + Sync {
    /// `G`, from kernel to tile.
    fn kernel_matrix() -> [[f64; 3]; IN];
    /// `B^T d` for one column.
    fn input<S: Simd>(simd: S, d: [S::f32s; IN]) -> [S::f32s; IN];
    /// `A^T m` for one column.
    fn output<S: Simd>(simd: S, m: [S::f32s; IN]) -> [S::f32s; OUT];
}

/// `x + factor * y`
#[inline(always)]
fn plus<S: Simd>(simd: S, x: S::f32s, factor: f32, y: S::f32s) -> S::f32s {
    simd.mul_add_e_f32s(simd.splat_f32s(factor), y, x)
}

/// F(4x4, 3x3), with the points 0, A, -A, B, -B and infinity.
///
/// The textbooks' A = 1 and B = 2 round two to four times as much (compared in f32 over random images, among points
/// that f32 holds exactly).
pub(super) struct F4;

const A: f32 = 0.625;
const B: f32 = 1.5;
const A2: f32 = A * A;
const B2: f32 = B * B;

impl Transform<6, 4> for F4 {
    fn kernel_matrix() -> [[f64; 3]; 6] {
        let [a, b] = [A, B].map(f64::from);
        let pair = |x: f64, other: f64| {
            let scale = 1.0 / (2.0 * x * x * (x * x - other * other));
            [[scale, scale * x, scale * x * x], [scale, -scale * x, scale * x * x]]
        };
        let [a_plus, a_minus] = pair(a, b);
        let [b_plus, b_minus] = pair(b, a);
        [[1.0 / (a * a * b * b), 0.0, 0.0], a_plus, a_minus, b_plus, b_minus, [0.0, 0.0, 1.0]]
    }

    #[inline(always)]
    fn input<S: Simd>(simd: S, [a, b, c, d, e, f]: [S::f32s; 6]) -> [S::f32s; 6] {
        let [even_a, odd_a] = [plus(simd, e, -B2, c), plus(simd, d, -B2, b)];
        let [even_b, odd_b] = [plus(simd, e, -A2, c), plus(simd, d, -A2, b)];
        [
            plus(simd, plus(simd, e, -(A2 + B2), c), A2 * B2, a),
            plus(simd, even_a, A, odd_a),
            plus(simd, even_a, -A, odd_a),
            plus(simd, even_b, B, odd_b),
            plus(simd, even_b, -B, odd_b),
            plus(simd, plus(simd, f, -(A2 + B2), d), A2 * B2, b),
        ]
    }

    #[inline(always)]
    fn output<S: Simd>(simd: S, [a, b, c, d, e, f]: [S::f32s; 6]) -> [S::f32s; 4] {
        let zero = simd.splat_f32s(0.0);
        let [sum_a, difference_a] = [simd.add_f32s(b, c), simd.sub_f32s(b, c)];
        let [sum_b, difference_b] = [simd.add_f32s(d, e), simd.sub_f32s(d, e)];
        [
            simd.add_f32s(simd.add_f32s(a, sum_a), sum_b),
            plus(simd, plus(simd, zero, A, difference_a), B, difference_b),
            plus(simd, plus(simd, zero, A2, sum_a), B2, sum_b),
            plus(simd, plus(simd, f, A * A2, difference_a), B * B2, difference_b),
        ]
    }
}

/// F(2x2, 3x3), with the points 0, 1, -1.
pub(super) struct F2;

impl Transform<4, 2> for F2 {
    fn kernel_matrix() -> [[f64; 3]; 4] {
        [[1.0, 0.0, 0.0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0.0, 0.0, 1.0]]
    }

    #[inline(always)]
    fn input<S: Simd>(simd: S, [a, b, c, d]: [S::f32s; 4]) -> [S::f32s; 4] {
        [simd.sub_f32s(a, c), simd.add_f32s(b, c), simd.sub_f32s(c, b), simd.sub_f32s(b, d)]
    }

    #[inline(always)]
    fn output<S: Simd>(simd: S, [a, b, c, d]: [S::f32s; 4]) -> [S::f32s; 2] {
        [simd.add_f32s(a, simd.add_f32s(b, c)), simd.sub_f32s(simd.sub_f32s(b, c), d)]
    }
}

/// Rows of tiles of one image: a task computes some of them, one after another in memory.
#[derive(Clone, Copy)]
struct TileRow {
    image: usize,
    row: usize,
}

struct Task<'a, const IN: usize, const OUT: usize> {
    x: &'a [f32],
    input: Size,
    weights: &'a Panels,
    bias: &'a [f32],
    geometry: &'a Geometry,
    full: Size,
    finish: Finish,
    /// Tiles in a block.
    block: usize,
    /// Input and output channels, filled up to whole vectors and panels.
    depth: usize,
    out: usize,
}

pub(super) fn convolve<T: Transform<IN, OUT>, const IN: usize, const OUT: usize>(
    x: &[f32],
    input: Size,
    weights: &Panels,
    bias: &[f32],
    geometry: &Geometry,
    full: Size,
    finish: Finish,
) -> (Vec<f32>, Size) {
    assert!(geometry.is_plain_3x3(), "Winograd tiles are for 3x3 kernels with stride 1");
    let shrink = if finish.pool { 2 } else { 1 };
    let output = Size { height: full.height / shrink, width: full.width / shrink, ..full };
    let mut result = vec![0.0; output.values()];
    if result.is_empty() {
        return (result, output);
    }
    let width = simd::panel();
    let mut padded_bias = vec![0.0; weights.panels * width];
    padded_bias[..bias.len()].copy_from_slice(bias);

    let per_row = full.width.div_ceil(OUT);
    let [depth, out] = [input.channels.next_multiple_of(width), weights.panels * width];
    let block = block_size::<IN>(depth + out);
    let task =
        Task::<IN, OUT> { x, input, weights, bias: &padded_bias, geometry, full, finish, block, depth, out };

    // Whole rows of tiles, so that every task owns a piece of the result.
    let rows: Vec<TileRow> = (0..full.images)
        .flat_map(|image| (0..full.height.div_ceil(OUT)).map(move |row| TileRow { image, row }))
        .collect();
    let mut rest = result.as_mut_slice();
    let mut pieces = Vec::new();
    for rows in rows.chunks((block / per_row).max(1)) {
        let height: usize = rows.iter().map(|row| OUT.min(full.height - row.row * OUT) / shrink).sum();
        let (piece, others) = rest.split_at_mut(height * output.width * output.channels);
        rest = others;
        pieces.push((rows, piece));
    }
    let arch = simd::arch();
    pieces.into_par_iter().for_each(|(rows, piece)| {
        let [input_step, product_step] = task.steps();
        let len = IN * IN * (input_step + product_step);
        simd::with_scratch(len, |scratch| {
            arch.dispatch(Run::<T, IN, OUT> {
                task: &task,
                rows,
                piece,
                scratch,
                transform: std::marker::PhantomData,
            });
        });
    });
    (result, output)
}

/// Tiles in a block: as many as keep the transformed values in the second-level cache, but enough to make reading
/// the weights worth while; a multiple of the rows of the inner loop.
fn block_size<const IN: usize>(channels: usize) -> usize {
    const CACHE: usize = 1 << 19;
    let fits = CACHE / (IN * IN * channels * size_of::<f32>());
    fits.clamp(48, 192) / 12 * 12
}

struct Run<'a, T, const IN: usize, const OUT: usize> {
    task: &'a Task<'a, IN, OUT>,
    rows: &'a [TileRow],
    piece: &'a mut [f32],
    scratch: &'a mut [f32],
    transform: std::marker::PhantomData<T>,
}

impl<T: Transform<IN, OUT>, const IN: usize, const OUT: usize> WithSimd for Run<'_, T, IN, OUT> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { task, rows, piece, scratch, .. } = self;
        let per_row = task.full.width.div_ceil(OUT);
        let tiles = rows.len() * per_row;
        let Task { block, .. } = *task;
        let [input_step, product_step] = task.steps();
        let area = IN * IN;
        let group = if S::REGISTER_COUNT >= 32 { 12 } else { 6 };
        let shrink = if task.finish.pool { 2 } else { 1 };
        let (inputs, products) = scratch.split_at_mut(area * input_step);
        let mut start = 0;
        while start < tiles {
            let count = block.min(tiles - start);
            let padded = count.next_multiple_of(group);
            for slot in 0..padded {
                let tile = (start + slot).min(tiles - 1);
                let TileRow { image, row } = rows[tile / per_row];
                task.transform_input::<T, S>(simd, image, row, tile % per_row, inputs, slot);
            }
            for matrix in 0..area {
                let a = &inputs[matrix * input_step..][..input_step];
                let c = &mut products[matrix * product_step..][..product_step];
                if S::REGISTER_COUNT >= 32 {
                    task.multiply::<S, 12>(simd, matrix, a, c, padded);
                } else {
                    task.multiply::<S, 6>(simd, matrix, a, c, padded);
                }
            }
            for slot in 0..count {
                let tile = start + slot;
                let row = rows[tile / per_row];
                let above = offset_rows::<OUT>(task.full.height, rows[0], row, shrink);
                let height = OUT.min(task.full.height - row.row * OUT);
                task.transform_output::<T, S>(simd, products, slot, tile % per_row, height, above, piece);
            }
            start += count;
        }
    }
}

/// Rows of the result between the beginnings of two rows of tiles.
fn offset_rows<const OUT: usize>(height: usize, first: TileRow, row: TileRow, shrink: usize) -> usize {
    let whole = height / shrink;
    let at = |row: TileRow| row.image * whole + row.row * OUT / shrink;
    at(row) - at(first)
}

impl<const IN: usize, const OUT: usize> Task<'_, IN, OUT> {
    /// From one matrix to the next, of inputs and of products. Not whole multiples of 4096 bytes, which would bring
    /// the same place of all matrices into the same set of the cache.
    #[inline(always)]
    fn steps(&self) -> [usize; 2] {
        [self.block * self.depth + 16, self.block * self.out + 16]
    }

    #[inline(always)]
    #[allow(clippy::too_many_arguments)]
    fn transform_input<T: Transform<IN, OUT>, S: Simd>(
        &self,
        simd: S,
        image: usize,
        row: usize,
        column: usize,
        inputs: &mut [f32],
        slot: usize,
    ) {
        let Self { depth, .. } = *self;
        let [step, _] = self.steps();
        let Size { height, width, channels, .. } = self.input;
        let lanes = S::F32_LANES;
        let zero = simd.splat_f32s(0.0);
        let top = (row * OUT).wrapping_sub(self.geometry.vertical[0]);
        let left = (column * OUT).wrapping_sub(self.geometry.horizontal[0]);
        let whole = top < height && top + IN <= height && left < width && left + IN <= width;
        for (group, from) in (0..channels).step_by(lanes).enumerate() {
            let full = from + lanes <= channels;
            let mut half = [[zero; IN]; IN];
            for x in 0..IN {
                let mut d = [zero; IN];
                for (y, value) in d.iter_mut().enumerate() {
                    let [at_y, at_x] = [top.wrapping_add(y), left.wrapping_add(x)];
                    if whole || (at_y < height && at_x < width) {
                        let pixel = ((image * height + at_y) * width + at_x) * channels;
                        let pixel = &self.x[pixel..pixel + channels];
                        *value = if full {
                            load::<S>(&pixel[from..])
                        } else {
                            simd.partial_load_f32s(&pixel[from..])
                        };
                    }
                }
                let column = T::input(simd, d);
                for (half, value) in half.iter_mut().zip(column) {
                    half[x] = value;
                }
            }
            for (y, half) in half.into_iter().enumerate() {
                for (x, value) in T::input(simd, half).into_iter().enumerate() {
                    store::<S>(&mut inputs[(y * IN + x) * step + slot * depth + group * lanes..], value);
                }
            }
        }
    }

    #[inline(always)]
    #[allow(clippy::too_many_arguments)]
    fn multiply<S: Simd, const ROWS: usize>(
        &self,
        simd: S,
        matrix: usize,
        a: &[f32],
        c: &mut [f32],
        count: usize,
    ) {
        let Self { depth, out, .. } = *self;
        let width = panel_width::<S>();
        let channels = self.input.channels;
        for panel in 0..self.weights.panels {
            let weights = self.weights.panel(matrix, panel, width);
            for first in (0..count).step_by(ROWS) {
                let mut rows: [&[f32]; ROWS] = [&[]; ROWS];
                for (r, row) in rows.iter_mut().enumerate() {
                    *row = &a[(first + r) * depth..][..channels];
                }
                let mut sums = [[simd.splat_f32s(0.0); 2]; ROWS];
                simd::accumulate(simd, &mut sums, rows, weights);
                for (r, [left, right]) in sums.into_iter().enumerate() {
                    let c = &mut c[(first + r) * out + panel * width..][..width];
                    store::<S>(c, left);
                    store::<S>(&mut c[S::F32_LANES..], right);
                }
            }
        }
    }

    #[inline(always)]
    #[allow(clippy::too_many_arguments)]
    fn transform_output<T: Transform<IN, OUT>, S: Simd>(
        &self,
        simd: S,
        products: &[f32],
        slot: usize,
        column: usize,
        height: usize,
        above: usize,
        piece: &mut [f32],
    ) {
        let Self { out, .. } = *self;
        let [_, step] = self.steps();
        let channels = self.full.channels;
        let lanes = S::F32_LANES;
        let zero = simd.splat_f32s(0.0);
        let width = OUT.min(self.full.width - column * OUT);
        let shrink = if self.finish.pool { 2 } else { 1 };
        let row_len = self.full.width / shrink * channels;
        for from in (0..channels).step_by(lanes) {
            let mut half = [[zero; IN]; OUT];
            for x in 0..IN {
                let mut m = [zero; IN];
                for (y, m) in m.iter_mut().enumerate() {
                    *m = load::<S>(&products[(y * IN + x) * step + slot * out + from..]);
                }
                for (half, value) in half.iter_mut().zip(T::output(simd, m)) {
                    half[x] = value;
                }
            }
            let bias = load::<S>(&self.bias[from..]);
            let mut values = [[zero; OUT]; OUT];
            for (values, half) in values.iter_mut().zip(half) {
                *values = T::output(simd, half);
                for value in values {
                    *value = simd.add_f32s(*value, bias);
                    if self.finish.relu {
                        *value = simd.max_f32s(*value, zero);
                    }
                }
            }
            let [mut height, mut width] = [height, width];
            if self.finish.pool {
                [height, width] = [height / 2, width / 2];
                for y in 0..OUT / 2 {
                    for x in 0..OUT / 2 {
                        let top = simd.max_f32s(values[2 * y][2 * x], values[2 * y][2 * x + 1]);
                        let bottom = simd.max_f32s(values[2 * y + 1][2 * x], values[2 * y + 1][2 * x + 1]);
                        values[y][x] = simd.max_f32s(top, bottom);
                    }
                }
            }
            let full = from + lanes <= channels;
            for (y, row) in values.into_iter().enumerate().take(height) {
                for (x, value) in row.into_iter().enumerate().take(width) {
                    let at = (above + y) * row_len + (column * OUT / shrink + x) * channels;
                    let pixel = &mut piece[at..at + channels];
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
