//! Convolutions whose products are of bf16 values, on processors that multiply those: with AMX by tiles of a matrix,
//! sixteen times as many products a cycle as of f32, with AVX512-BF16 by pairs in vectors. Sums, and what goes in and comes
//! out, are f32.
//!
//! A task takes bands of rows of the result. It rounds what lies under them to bf16, or splits each value into three, with
//! zeros around; that stays in the second-level cache. The values under one tap of the kernel, of sixteen output pixels in a
//! row, are then sixteen runs at equal distances: a tile, which is read where it lies. With a stride of 1 the output pixels of
//! a band are one row, from whose beginning to the next is as far as the image with its border is wide; what lies under the
//! border is computed and left out.

mod amx;
mod dense;
mod dot;
mod panels;
mod parts;

use std::sync::OnceLock;

use pulp::{Simd, WithSimd, bytemuck};
use rayon::prelude::*;

use panels::Cut;
use parts::into_parts;

use super::simd::{self, load};
use super::weights::{Tiled, Weights};
use super::{Buffer, Finish, Geometry, Size, buffers, direct};

pub(super) use amx::Configured;
use dense::multiply;
pub(super) use dense::{is_dense, matrix};
pub(super) use panels::Panels;

/// Pixels of a tile.
pub(super) const PIXELS: usize = 16;
/// Input channels of a step, and output channels of a panel.
pub(super) const CHANNELS: usize = 32;
/// Values of a panel's weights in one step.
const STEP: usize = CHANNELS * CHANNELS;
/// Sums of two tiles: `[pixel, channel]`.
pub(super) type Sums = [f32; 2 * PIXELS * CHANNELS];

/// What multiplies bf16 values in a processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// AMX-BF16.
    Tiles,
    /// AVX512-BF16.
    Pairs,
}

impl Unit {
    /// Those of this computer, the fastest first; looked up once.
    pub fn all() -> &'static [Self] {
        static ALL: OnceLock<Vec<Unit>> = OnceLock::new();
        ALL.get_or_init(|| {
            // A panel of tiles is one of Winograd's too.
            let tiles = (simd::panel() == CHANNELS && amx::is_there()).then_some(Self::Tiles);
            tiles.into_iter().chain(dot::is_there().then_some(Self::Pairs)).collect()
        })
    }
}

/// Rows `top..bottom` of the result of one image.
#[derive(Debug, Clone, Copy)]
struct Band {
    image: usize,
    top: usize,
    bottom: usize,
}

/// Sixteen output pixels in a row of a band.
#[derive(Debug, Clone, Copy)]
struct Tile {
    /// Where the values under the kernel of the first one begin.
    from: usize,
    /// The first pixel of its band in the task's piece of the result.
    first: usize,
    band: Band,
    /// In its band.
    y: usize,
    /// May be outside the result, under the border.
    x: usize,
}

/// Where the steps' values begin, from a pixel's on.
pub(super) struct Steps {
    offsets: Vec<usize>,
    largest: usize,
}

impl Steps {
    pub(super) fn new(offsets: Vec<usize>) -> Self {
        let largest = offsets.iter().copied().max().unwrap_or(0);
        Self { offsets, largest }
    }
}

/// What the sums of two tiles are made of.
pub(super) struct Operands<'a> {
    /// Its parts one after another, each of the same length.
    pub(super) image: &'a [u16],
    pub(super) tiles: [usize; 2],
    /// Values from one pixel of a tile to the next.
    pub(super) next: usize,
    pub(super) steps: &'a Steps,
    pub(super) weights: &'a [u16],
}

/// The sums of two tiles.
///
/// # Panics
/// Where a tile reaches over the end of a part, or the weights are of fewer steps.
#[inline(always)]
pub(super) fn products<const PARTS: usize>(unit: Unit, operands: &Operands<'_>, sums: &mut Sums) {
    let Operands { image, tiles, next, steps, weights } = operands;
    let part = image.len() / PARTS;
    let last = tiles[0].max(tiles[1]) + (PIXELS - 1) * next + steps.largest + CHANNELS;
    assert!(last <= part && weights.len() == steps.offsets.len() * PARTS * STEP, "a tile within the image");
    match (unit, PARTS) {
        (Unit::Tiles, 1) => amx::products(operands, sums),
        (Unit::Tiles, 3) => amx::products_of_three(operands, part, sums),
        (Unit::Pairs, 1) => dot::products(operands, sums),
        _ => unreachable!("pairs have one part, and tiles one or three"),
    }
}

/// [`super::convolve`] by products of bf16 values, with the copies of the weights that are kept.
///
/// # Panics
/// Where this computer has no such unit, and with dilation.
#[allow(clippy::too_many_arguments)]
pub(super) fn convolve_kept<const PARTS: usize>(
    unit: Unit,
    x: &[f32],
    input: Size,
    weights: &Weights<'_>,
    kept: &Tiled<PARTS>,
    bias: &[f32],
    geometry: &Geometry,
    full: Size,
    finish: Finish<'_>,
) -> (Buffer, Size) {
    assert!(Unit::all().contains(&unit), "this processor has no {unit:?}");
    assert_eq!(geometry.dilation, [1, 1], "bf16 is for convolutions without dilation");
    let dense = is_dense(geometry, input).then(|| weights.dense(kept, [input.height, input.width]));
    match dense.flatten() {
        Some(matrix) => multiply(unit, x, input, matrix, bias, full, finish),
        None => convolve(unit, x, input, weights.tiled(kept), bias, geometry, full, finish),
    }
}

/// [`super::convolve`] by products of bf16 values, without dilation. With one part the values are rounded to
/// bf16. With three they are exact, and of the nine products of their parts six are computed: the others are smaller than an
/// f32's last digit.
#[allow(clippy::too_many_arguments)]
fn convolve<const PARTS: usize>(
    unit: Unit,
    x: &[f32],
    input: Size,
    weights: &Panels<PARTS>,
    bias: &[f32],
    geometry: &Geometry,
    full: Size,
    finish: Finish<'_>,
) -> (Buffer, Size) {
    // Rows and columns that a pooling leaves out are not computed.
    let square = if finish.pool { 2 } else { 1 };
    let pooled = Size { height: full.height / square, width: full.width / square, ..full };
    let output = Size { height: square * pooled.height, width: square * pooled.width, ..full };
    let mut result = buffers::take(pooled.values());
    if result.is_empty() {
        return (result, pooled);
    }
    let bias = simd::filled_up(bias, weights.panels * CHANNELS);
    // Of single taps the pixels between them are not looked at: what is left is an image like any other.
    let alone = geometry.kernel == [1, 1] && geometry.vertical == [0, 0] && geometry.horizontal == [0, 0];
    let (skip, lines, columns) =
        if alone { (geometry.stride, full.height, full.width) } else { ([1, 1], input.height, input.width) };
    let geometry = Geometry { stride: if alone { [1, 1] } else { geometry.stride }, ..*geometry };
    let cut = Cut::new(input.channels, geometry.kernel);
    let pixel = cut.pixel();
    let wide = columns + geometry.horizontal[0] + geometry.horizontal[1];
    let task = Task {
        unit,
        x,
        input,
        geometry,
        skip,
        lines,
        columns,
        weights,
        bias: &bias,
        steps: Steps::new(cut.offsets(wide * pixel)),
        output,
        pixel,
        wide,
        finish,
        square,
    };
    // The images of a task stay in the second-level cache from one panel of the weights to the next.
    let room = simd::second_level_cache() / 2 / (PARTS * size_of::<u16>());
    let rows = task.rows_in(room).clamp(1, output.height);
    // Bands of equal height, and enough work for all threads; few where the weights are many, which each task reads.
    let tasks =
        if weights.bytes() > simd::second_level_cache() / 4 { rayon::current_num_threads() } else { 8 };
    let bands = output.height.div_ceil(rows).max(tasks.div_ceil(output.images)).min(pooled.height);
    let bands: Vec<Band> = (0..output.images)
        .flat_map(|image| {
            (0..bands).map(move |band| Band {
                image,
                top: band * pooled.height / bands * square,
                bottom: (band + 1) * pooled.height / bands * square,
            })
        })
        .collect();
    let values: usize = bands.iter().map(|band| task.values(*band)).sum();
    let tasks =
        values.div_ceil(room).max(tasks).next_multiple_of(rayon::current_num_threads()).min(bands.len());
    let mut rest = &mut result[..];
    let mut pieces = Vec::new();
    for index in 0..tasks {
        let bands = &bands[index * bands.len() / tasks..(index + 1) * bands.len() / tasks];
        let rows: usize = bands.iter().map(|band| (band.bottom - band.top) / square).sum();
        let (piece, others) = rest.split_at_mut(rows * pooled.width * output.channels);
        rest = others;
        pieces.push((bands, piece));
    }
    let arch = simd::arch();
    pieces.into_par_iter().for_each(|(bands, piece)| {
        let part = task.part(bands);
        simd::with_scratch((PARTS * part).div_ceil(2), |scratch| {
            let image = &mut bytemuck::cast_slice_mut(scratch)[..PARTS * part];
            arch.dispatch(Run { task: &task, bands, piece, image });
        });
    });
    (result, pooled)
}

struct Task<'a, const PARTS: usize> {
    unit: Unit,
    x: &'a [f32],
    input: Size,
    geometry: Geometry,
    /// Every how many rows and columns of `x` are looked at, and how many those are.
    skip: [usize; 2],
    lines: usize,
    columns: usize,
    weights: &'a Panels<PARTS>,
    bias: &'a [f32],
    steps: Steps,
    output: Size,
    /// Values of a pixel in a band's image.
    pixel: usize,
    /// Pixels of a row with its border.
    wide: usize,
    finish: Finish<'a>,
    /// Side of the squares of the result that are one pixel of it in the end.
    square: usize,
}

/// Some bands into their piece of the result; `image` is room for theirs.
struct Run<'a, const PARTS: usize> {
    task: &'a Task<'a, PARTS>,
    bands: &'a [Band],
    piece: &'a mut [f32],
    image: &'a mut [u16],
}

/// From the first line of a cache on.
#[repr(align(64))]
struct Aligned(Sums);

impl<const PARTS: usize> WithSimd for Run<'_, PARTS> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { task, bands, piece, image } = self;
        let part = image.len() / PARTS;
        let mut tiles = Vec::new();
        let [mut from, mut first] = [0; 2];
        for band in bands {
            task.fill(*band, image, part, from);
            task.tiles(*band, from, first, &mut tiles);
            from += task.values(*band);
            first += (band.bottom - band.top) / task.square * (task.output.width / task.square);
        }
        // The last tile may begin with the last pixel, and its last step with the last value.
        for part in image.chunks_exact_mut(part) {
            part[from..].fill(0);
        }
        let _configured = (task.unit == Unit::Tiles).then(amx::Configured::new);
        let mut sums = Aligned([0.0; 2 * PIXELS * CHANNELS]);
        let next = task.geometry.stride[1] * task.pixel;
        // Where all weights stay in the cache few pixels go through them at a time: their results are then written, and what is
        // added read, in one stretch of memory. Else each panel is read once for all pixels.
        let together = if task.weights.bytes() <= simd::second_level_cache() / 2 { 16 } else { tiles.len() };
        for tiles in tiles.chunks(together) {
            for panel in 0..task.weights.panels {
                let weights = task.weights.panel(panel);
                for pair in tiles.chunks(2) {
                    let from = [pair[0].from, pair[pair.len() - 1].from];
                    let operands = Operands { image, tiles: from, next, steps: &task.steps, weights };
                    products::<PARTS>(task.unit, &operands, &mut sums.0);
                    for (tile, sums) in pair.iter().zip(sums.0.chunks_exact(PIXELS * CHANNELS)) {
                        task.finish(simd, *tile, panel, sums, piece);
                    }
                }
            }
        }
    }
}

impl<const PARTS: usize> Task<'_, PARTS> {
    /// Rows of the image of a band with so many of the result.
    fn rows(&self, rows: usize) -> usize {
        (rows - 1) * self.geometry.stride[0] + self.geometry.kernel[0]
    }

    /// Rows of the result for which a band's image has at most so many values.
    fn rows_in(&self, values: usize) -> usize {
        let rows = values / (self.wide * self.pixel);
        rows.saturating_sub(self.geometry.kernel[0]) / self.geometry.stride[0] + 1
    }

    /// Values of the image of a band.
    fn values(&self, band: Band) -> usize {
        self.rows(band.bottom - band.top) * self.wide * self.pixel
    }

    /// Values of the images of some bands, with what the last tile reads beyond them, in whole lines.
    fn part(&self, bands: &[Band]) -> usize {
        let values: usize = bands.iter().map(|band| self.values(*band)).sum();
        (values + PIXELS * self.geometry.stride[1] * self.pixel + CHANNELS).next_multiple_of(CHANNELS)
    }

    /// The image of a band, in parts, with zeros around it, from value `from` of each part on.
    #[inline(always)]
    fn fill(&self, band: Band, image: &mut [u16], part: usize, from: usize) {
        let Size { height, width, channels, .. } = self.input;
        let row = self.wide * self.pixel;
        let before = self.geometry.horizontal[0] * self.pixel;
        let inside = self.columns * self.pixel;
        for line in 0..self.rows(band.bottom - band.top) {
            let y = (band.top * self.geometry.stride[0] + line).wrapping_sub(self.geometry.vertical[0]);
            let at = from + line * row;
            if y >= self.lines {
                for part in image.chunks_exact_mut(part) {
                    part[at..][..row].fill(0);
                }
                continue;
            }
            let values = (band.image * height + y * self.skip[0]) * width * channels;
            let values = &self.x[values..][..width * channels];
            for part in image.chunks_exact_mut(part) {
                part[at..][..before].fill(0);
                part[at..][..row][before + inside..].fill(0);
            }
            let mut parts = image.chunks_exact_mut(part);
            let mut lines: [&mut [u16]; PARTS] = std::array::from_fn(|_| match parts.next() {
                Some(part) => &mut part[at + before..][..inside],
                None => &mut [],
            });
            if channels == self.pixel && self.skip[1] == 1 {
                into_parts(values, &mut lines, 0);
                continue;
            }
            for (index, values) in values.chunks_exact(channels).step_by(self.skip[1]).enumerate() {
                into_parts(values, &mut lines, index * self.pixel);
                for line in &mut lines {
                    line[index * self.pixel..][channels..self.pixel].fill(0);
                }
            }
        }
    }

    /// All tiles of a band in the order of their pixels.
    #[inline(always)]
    fn tiles(&self, band: Band, from: usize, first: usize, tiles: &mut Vec<Tile>) {
        let height = band.bottom - band.top;
        let [down, across] = self.geometry.stride;
        if [down, across] == [1, 1] {
            let pixels = (height - 1) * self.wide + self.output.width;
            tiles.extend((0..pixels).step_by(PIXELS).map(|at| Tile {
                from: from + at * self.pixel,
                first,
                band,
                y: at / self.wide,
                x: at % self.wide,
            }));
            return;
        }
        for y in 0..height {
            let line = from + y * down * self.wide * self.pixel;
            tiles.extend((0..self.output.width).step_by(PIXELS).map(|x| Tile {
                from: line + x * across * self.pixel,
                first,
                band,
                y,
                x,
            }));
        }
    }

    /// Bias, and what follows, over the sums of a tile, and into the result.
    #[inline(always)]
    fn finish<S: Simd>(&self, simd: S, tile: Tile, panel: usize, sums: &[f32], piece: &mut [f32]) {
        let Size { width, channels, .. } = self.output;
        let Band { image, top, bottom } = tile.band;
        // Rows of a tile go on in the next row of the image with a stride of 1 alone.
        let wrap = if self.geometry.stride == [1, 1] { self.wide } else { usize::MAX };
        let from = panel * CHANNELS;
        let bias = &self.bias[from..][..CHANNELS];
        let count = CHANNELS.min(channels - from);
        let square = self.square;
        let [mut row, mut y, mut x] = [0, tile.y, tile.x];
        // A stretch of each row of the image that the tile goes over.
        while row < PIXELS && y < bottom - top {
            let len = (PIXELS - row).min(wrap - x);
            let inside = len.min(width.saturating_sub(x));
            let first = tile.first + y / square * (width / square);
            let from_added = ((image * self.output.height + top + y) * width + x) * channels + from;
            for (index, sums) in sums[row * CHANNELS..].chunks_exact(CHANNELS).enumerate().take(inside) {
                let at = if square == 1 { first + x + index } else { first + (x + index) / 2 };
                let pixel = &mut piece[at * channels + from..][..count];
                for part in (0..count).step_by(2 * S::F32_LANES) {
                    let next = part + S::F32_LANES;
                    let mut left = simd.add_f32s(load::<S>(&sums[part..]), load::<S>(&bias[part..]));
                    let mut right = simd.add_f32s(load::<S>(&sums[next..]), load::<S>(&bias[next..]));
                    if let Some(added) = self.finish.added {
                        let added = &added[from_added + index * channels..][..count];
                        let added = direct::read(simd, &added[part..]);
                        left = simd.add_f32s(left, added[0]);
                        right = simd.add_f32s(right, added[1]);
                    }
                    if self.finish.relu {
                        left = simd::relu(simd, left);
                        right = simd::relu(simd, right);
                    }
                    // The first pixel of a square comes first.
                    if square == 2 && (y | (x + index)) & 1 == 1 {
                        let largest = direct::read(simd, &pixel[part..]);
                        left = simd::larger(simd, left, largest[0]);
                        right = simd::larger(simd, right, largest[1]);
                    }
                    direct::write(simd, &mut pixel[part..], left, right);
                }
            }
            [row, y, x] = [row + len, y + 1, 0];
        }
    }
}
