//! From products to the result.

use pulp::Simd;

use super::{Arithmetic, Steps, Task, TileRow, Transform};
use crate::cpu::simd::{self, load, store};

/// Where a tile's pixels go.
struct Target<'a> {
    /// From the tile's first pixel on.
    piece: &'a mut [f32],
    /// What is added, from the same pixel on.
    added: Option<&'a [f32]>,
    /// Values from one row to the next.
    row: usize,
    channels: usize,
    /// The first channel.
    from: usize,
    relu: bool,
}

impl<T: Transform<IN, OUT>, A: Arithmetic, const IN: usize, const OUT: usize> Task<'_, T, A, IN, OUT> {
    /// `A^T m A` of a panel of one tile, with all that follows.
    #[inline(always)]
    #[allow(clippy::too_many_arguments)]
    pub(super) fn transform_output<S: Simd>(
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
        let shrink = self.shrink();
        let (row, column) = (rows[tile / self.per_row], tile % self.per_row);
        let whole = self.full.height / shrink;
        let row_len = self.full.width / shrink * channels;
        let first = column * OUT / shrink * channels;
        let above = |row: TileRow| row.image * whole + row.row * OUT / shrink;
        let at = above(row) * row_len + first;
        let at_piece = at - above(rows[0]) * row_len;
        let height = OUT.min(self.full.height - row.row * OUT) / shrink;
        let width = OUT.min(self.full.width - column * OUT) / shrink;
        if height * width == 0 {
            return;
        }
        for half in 0..2 {
            let from = (2 * panel + half) * S::F32_LANES;
            if from >= channels {
                break;
            }
            let values = self.sums(simd, &products[slot * step.tile + half * S::F32_LANES..], step, from);
            let target = Target {
                piece: &mut piece[at_piece..],
                added: self.finish.added.map(|added| &added[at..]),
                row: row_len,
                channels,
                from,
                relu: self.finish.relu,
            };
            // Most tiles are whole: numbers that are known here make straight code.
            if [height, width] == [OUT, OUT] {
                target.write(simd, &values, [OUT, OUT]);
            } else if [height, width] == [OUT / 2, OUT / 2] {
                target.write(simd, &values, [OUT / 2, OUT / 2]);
            } else {
                target.write(simd, &values, [height, width]);
            }
        }
    }

    /// The sums of a vector of channels, with bias, pooled if asked: then they are those at the beginning of both.
    #[inline(always)]
    fn sums<S: Simd>(&self, simd: S, products: &[f32], step: Steps, from: usize) -> [[S::f32s; OUT]; OUT] {
        let zero = simd.splat_f32s(0.0);
        let mut columns = [[zero; IN]; OUT];
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
        let mut values = [[zero; OUT]; OUT];
        for (values, columns) in values.iter_mut().zip(&columns) {
            *values = T::output(simd, *columns);
        }
        // The largest before bias and ReLU is the largest after them.
        if self.finish.pool {
            for y in 0..OUT / 2 {
                for x in 0..OUT / 2 {
                    let top = simd::larger(simd, values[2 * y][2 * x], values[2 * y][2 * x + 1]);
                    let bottom = simd::larger(simd, values[2 * y + 1][2 * x], values[2 * y + 1][2 * x + 1]);
                    values[y][x] = simd.add_f32s(simd::larger(simd, top, bottom), bias);
                }
            }
            return values;
        }
        for row in &mut values {
            for value in row {
                *value = simd.add_f32s(*value, bias);
            }
        }
        values
    }
}

impl Target<'_> {
    /// So many rows and columns.
    #[inline(always)]
    fn write<S: Simd, const OUT: usize>(
        self,
        simd: S,
        values: &[[S::f32s; OUT]; OUT],
        [height, width]: [usize; 2],
    ) {
        let Self { piece, added, row, channels, from, relu } = self;
        let full = from + S::F32_LANES <= channels;
        for (y, values) in values.iter().enumerate().take(height) {
            for (x, value) in values.iter().enumerate().take(width) {
                let at = y * row + x * channels;
                let mut value = *value;
                if let Some(added) = added {
                    let added = &added[at..][..channels][from..];
                    let added = if full { load::<S>(added) } else { simd.partial_load_f32s(added) };
                    value = simd.add_f32s(value, added);
                }
                if relu {
                    value = simd::relu(simd, value);
                }
                let pixel = &mut piece[at..][..channels][from..];
                if full {
                    store::<S>(pixel, value);
                } else {
                    simd.partial_store_f32s(pixel, value);
                }
            }
        }
    }
}
