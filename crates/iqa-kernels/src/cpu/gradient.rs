//! Gradients of weights and bias.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::direct::{FEW, bordered};
use super::simd::{self, load, panel_width, store};
use super::winograd::{self, F2, F4};
use super::{Algorithm, Geometry, Size, buffers};

/// The sum of the gradients of all pixels, for each channel.
pub fn bias_gradient(gradient: &[f32], output: Size) -> Vec<f32> {
    let channels = output.channels;
    // Pieces of a fixed size, so that the order of the sums does not depend on the number of threads.
    let pieces: Vec<Vec<f32>> = gradient
        .par_chunks((1024 * channels).max(1))
        .map(|piece| {
            let mut sums = vec![0.0_f32; channels];
            for pixel in piece.chunks_exact(channels) {
                for (sum, value) in sums.iter_mut().zip(pixel) {
                    *sum += value;
                }
            }
            sums
        })
        .collect();
    let mut sums = vec![0.0; channels];
    for piece in pieces {
        for (sum, value) in sums.iter_mut().zip(piece) {
            *sum += value;
        }
    }
    sums
}

/// The gradient of the weights, `[out, in, kernel height, kernel width]`: for each place of the kernel, the products
/// of the input under it with the gradient of the output, summed over all pixels.
///
/// In the domain of Winograd's tiles where the convolution itself is, if there are many tiles: a few do not repay
/// the transform of the sums, and tap by tap a gradient to which nothing contributes is exactly zero, which optimisers
/// that divide by its size (Adam) are grateful for.
pub fn weight_gradient(
    x: &[f32],
    input: Size,
    gradient: &[f32],
    output: Size,
    geometry: &Geometry,
) -> Vec<f32> {
    const MANY: usize = 64;
    let many =
        |tile: usize| output.images * output.height.div_ceil(tile) * output.width.div_ceil(tile) >= MANY;
    match Algorithm::choose(geometry, input, output.channels) {
        Algorithm::Winograd4 if many(4) => {
            winograd::weight_gradient::<F4, 6, 4>(x, input, gradient, output, geometry)
        }
        Algorithm::Winograd2 if many(2) => {
            winograd::weight_gradient::<F2, 4, 2>(x, input, gradient, output, geometry)
        }
        _ => direct(x, input, gradient, output, geometry),
    }
}

/// Pixels of which the products are summed before others of the same tile: their values stay in the first-level cache.
const CHUNK: usize = 128;
/// Input channels computed at once, each with a panel of output channels.
const GROUP: usize = 6;
/// Most input channels of a tile.
const ROWS: usize = 96;
/// Most panels of a tile.
const COLUMNS: usize = 8;
/// Fewer tiles than this are cut smaller, so that all threads have work.
const TILES: usize = 16;

/// Sums over pixels that are never divided, so that they depend neither on the tiles nor on the threads.
struct Task<'a> {
    x: &'a [f32],
    input: Size,
    output: Size,
    geometry: Geometry,
    /// Output pixels' gradients as `[panel, pixel, channel]`: a panel of many pixels is one run of memory.
    panels: &'a [f32],
    /// The kernel in pieces that are one run of memory under each pixel: its places; its rows, where channels are few.
    units: Vec<[usize; 2]>,
    /// Values of a unit under a pixel.
    span: usize,
    /// Values of a unit in a tile.
    rows: usize,
}

/// Output pixels in a row, and where the input under the first of them begins.
#[derive(Clone, Copy)]
struct Piece {
    from: usize,
    to: usize,
    len: usize,
}

/// Place by place of the kernel.
fn direct(x: &[f32], input: Size, gradient: &[f32], output: Size, geometry: &Geometry) -> Vec<f32> {
    let [high, wide] = geometry.kernel;
    let [into, out] = [input.channels, output.channels];
    let width = simd::panel();
    let pixels = output.pixels();
    let count = out.div_ceil(width);
    let mut panels = buffers::take(count * pixels * width);
    panels.par_chunks_mut((pixels * width).max(1)).enumerate().for_each(|(panel, values)| {
        let channels = panel * width..out.min((panel + 1) * width);
        for (target, from) in values.chunks_exact_mut(width).zip(gradient.chunks_exact(out)) {
            target[..channels.len()].copy_from_slice(&from[channels.clone()]);
            target[channels.len()..].fill(0.0);
        }
    });
    // Few channels: with zeros around the image a whole row of the kernel is one run under every pixel.
    let bordered = (into < FEW && geometry.dilation[1] == 1).then(|| bordered(x, input, geometry));
    let whole_rows = bordered.is_some();
    let steps = if whole_rows { 1 } else { wide };
    let (x, input, geometry) = match &bordered {
        Some((x, input)) => (&x[..], *input, Geometry { vertical: [0; 2], horizontal: [0; 2], ..*geometry }),
        None => (x, input, *geometry),
    };
    let units: Vec<[usize; 2]> = (0..high).flat_map(|y| (0..steps).map(move |x| [y, x])).collect();
    let span = if whole_rows { wide * into } else { into };
    let [rows, columns] = tile(units.len(), span, count);
    let task = Task { x, input, output, geometry, panels: &panels, units, span, rows };

    let [down, across] = [span.div_ceil(rows), count.div_ceil(columns)];
    let tiles: Vec<Vec<f32>> = (0..task.units.len() * down * across)
        .into_par_iter()
        .map(|index| {
            let [unit, row, column] = [index / (down * across), index / across % down, index % across];
            task.tile(unit, row * rows, column * columns..count.min((column + 1) * columns))
        })
        .collect();

    let area = high * wide;
    let mut result = vec![0.0; out * into * area];
    result.par_chunks_mut((width * into * area).max(1)).enumerate().for_each(|(panel, result)| {
        for (index, tile) in tiles.iter().enumerate().skip(panel / columns).step_by(across) {
            let [unit, row] = [index / (down * across), index / across % down * rows];
            let tile = &tile[panel % columns * rows * width..][..rows * width];
            for (place, sums) in (row..span).zip(tile.chunks_exact(width)) {
                // A place of the kernel, and a channel.
                let [tap, channel] = [unit * (area / task.units.len()) + place / into, place % into];
                for (kernels, sum) in result.chunks_exact_mut(into * area).zip(sums) {
                    kernels[channel * area + tap] = *sum;
                }
            }
        }
    });
    result
}

/// Values of a unit and panels of a tile: much work for what is read, but enough tiles.
fn tile(units: usize, span: usize, panels: usize) -> [usize; 2] {
    let even = |length: usize, most: usize| length.div_ceil(length.div_ceil(most).max(1)).max(1);
    let mut rows = even(span, ROWS).next_multiple_of(GROUP);
    let mut columns = even(panels, COLUMNS);
    while units * span.div_ceil(rows) * panels.div_ceil(columns) < TILES {
        if columns > 1 && (columns * simd::panel() >= rows || rows <= 2 * GROUP) {
            columns = columns.div_ceil(2);
        } else if rows > 2 * GROUP {
            rows = rows.div_ceil(2).next_multiple_of(GROUP);
        } else {
            break;
        }
    }
    [rows, columns]
}

impl Task<'_> {
    /// `[panel, value of the unit, channel]`, of some values and panels.
    fn tile(&self, unit: usize, first: usize, panels: std::ops::Range<usize>) -> Vec<f32> {
        let width = simd::panel();
        let mut sums = vec![0.0; panels.len() * self.rows * width];
        let count = self.rows.min(self.span - first);
        let step = self.geometry.stride[1] * self.input.channels;
        let arch = simd::arch();
        simd::with_scratch(count.next_multiple_of(GROUP) * CHUNK, |packed| {
            let mut runs = Vec::new();
            let mut filled = 0;
            let mut flush = |packed: &[f32], filled: usize, runs: &mut Vec<(usize, usize)>| {
                let panels = panels.clone();
                arch.dispatch(Products { task: self, packed, filled, panels, runs, sums: &mut sums });
                runs.clear();
            };
            self.pieces(self.units[unit], |mut piece| {
                while piece.len > 0 {
                    let len = piece.len.min(CHUNK - filled);
                    for pixel in 0..len {
                        let values = &self.x[piece.from + pixel * step + first..][..count];
                        pack(values, &mut packed[(filled + pixel) * GROUP..]);
                    }
                    match runs.last_mut() {
                        Some((to, run)) if *to + *run == piece.to => *run += len,
                        _ => runs.push((piece.to, len)),
                    }
                    filled += len;
                    piece = Piece { from: piece.from + len * step, to: piece.to + len, len: piece.len - len };
                    if filled == CHUNK {
                        flush(packed, filled, &mut runs);
                        filled = 0;
                    }
                }
            });
            flush(packed, filled, &mut runs);
        });
        sums
    }

    /// The output pixels under which that unit lies inside the image.
    fn pieces(&self, [row, column]: [usize; 2], mut each: impl FnMut(Piece)) {
        let Self { input, output, geometry, .. } = self;
        let [dy, dx] = [row * geometry.dilation[0], column * geometry.dilation[1]];
        let across = geometry.stride[1];
        // From the first pixel that is not left of the image to the last that is not right of it.
        let start = geometry.horizontal[0].saturating_sub(dx).div_ceil(across);
        let end =
            (input.width + geometry.horizontal[0]).saturating_sub(dx).div_ceil(across).min(output.width);
        if start >= end {
            return;
        }
        let from_x = start * across + dx - geometry.horizontal[0];
        for image in 0..output.images {
            for y in 0..output.height {
                let from_y = (y * geometry.stride[0] + dy).wrapping_sub(geometry.vertical[0]);
                if from_y < input.height {
                    let from = ((image * input.height + from_y) * input.width + from_x) * input.channels;
                    let to = (image * output.height + y) * output.width + start;
                    each(Piece { from, to, len: end - start });
                }
            }
        }
    }
}

/// The values of a pixel, [`GROUP`] by group, each with those of its neighbours: `[group, pixel, value]`, the pixels [`CHUNK`].
/// Where they lie in the image a group of many pixels would fall on few lines of the first-level cache.
fn pack(values: &[f32], packed: &mut [f32]) {
    let (groups, rest) = values.as_chunks::<GROUP>();
    for (index, group) in groups.iter().enumerate() {
        packed[index * GROUP * CHUNK..][..GROUP].copy_from_slice(group);
    }
    if !rest.is_empty() {
        let last = &mut packed[groups.len() * GROUP * CHUNK..][..GROUP];
        last.fill(0.0);
        last[..rest.len()].copy_from_slice(rest);
    }
}

struct Products<'a> {
    task: &'a Task<'a>,
    packed: &'a [f32],
    /// Pixels in `packed`.
    filled: usize,
    panels: std::ops::Range<usize>,
    /// Where their gradients lie: the first pixel of a run, and how many there are.
    runs: &'a [(usize, usize)],
    sums: &'a mut [f32],
}

impl WithSimd for Products<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { task, packed, filled, panels, runs, sums } = self;
        let width = panel_width::<S>();
        let run = task.output.pixels() * width;
        for (panel, sums) in panels.zip(sums.chunks_exact_mut(task.rows * width)) {
            let gradient = &task.panels[panel * run..][..run];
            let groups = packed.chunks_exact(GROUP * CHUNK).zip(sums.chunks_exact_mut(GROUP * width));
            for (packed, sums) in groups {
                let mut values = &packed[..filled * GROUP];
                let mut totals = [[simd.splat_f32s(0.0); 2]; GROUP];
                for (total, sums) in totals.iter_mut().zip(sums.chunks_exact(width)) {
                    *total = [load::<S>(sums), load::<S>(&sums[S::F32_LANES..])];
                }
                for &(to, len) in runs {
                    let (here, rest) = values.split_at(len * GROUP);
                    values = rest;
                    let (gradient, _) = S::as_simd_f32s(&gradient[to * width..][..len * width]);
                    let (gradient, _) = gradient.as_chunks::<2>();
                    for (values, [left, right]) in here.as_chunks::<GROUP>().0.iter().zip(gradient) {
                        for (total, value) in totals.iter_mut().zip(values) {
                            let value = simd.splat_f32s(*value);
                            total[0] = simd.mul_add_e_f32s(value, *left, total[0]);
                            total[1] = simd.mul_add_e_f32s(value, *right, total[1]);
                        }
                    }
                }
                for (total, sums) in totals.into_iter().zip(sums.chunks_exact_mut(width)) {
                    store::<S>(sums, total[0]);
                    store::<S>(&mut sums[S::F32_LANES..], total[1]);
                }
            }
        }
    }
}
