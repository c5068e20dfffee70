//! Convolutions whose products are of bf16 values, on processors that multiply those: with AMX by tiles of a matrix,
//! sixteen times as many products a cycle as of f32, with AVX512-BF16 by pairs in vectors. Sums, and what goes in and comes
//! out, are f32.
//!
//! Images are rounded to bf16 once, with zeros around them. The values under one tap of the kernel, of sixteen output pixels
//! in a row, are then sixteen runs at equal distances in memory: a tile, which is read where it lies. With a stride of 1 the
//! output pixels of a whole image are one row as long as the image with its border is wide; what lies under the border is
//! computed and left out.

mod amx;
mod dot;

use std::sync::OnceLock;

use pulp::{Simd, WithSimd, bytemuck};
use rayon::prelude::*;

use super::simd::{self, load};
use super::{Buffer, Finish, Geometry, Size, buffers, direct};

/// Pixels of a tile.
const PIXELS: usize = 16;
/// Input channels of a step, and output channels of a panel.
const CHANNELS: usize = 32;
/// Values of a panel's weights in one step.
const STEP: usize = CHANNELS * CHANNELS;
/// Sums of two tiles: `[pixel, channel]`.
type Sums = [f32; 2 * PIXELS * CHANNELS];

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
            let tiles = amx::is_there().then_some(Self::Tiles);
            tiles.into_iter().chain(dot::is_there().then_some(Self::Pairs)).collect()
        })
    }
}

/// Weights as sums of `PARTS` bf16 values: `[panel, step, part, half of the channels, pair of inputs, channel, 2]`, a half a tile.
#[derive(Debug)]
pub(super) struct Panels<const PARTS: usize> {
    values: Buffer,
    steps: usize,
    panels: usize,
}

/// How the values under a kernel are cut into steps.
#[derive(Debug, Clone, Copy)]
struct Cut {
    channels: usize,
    kernel: [usize; 2],
    /// Whether a step is a part of a row of the kernel, of few channels, and not a part of a tap.
    rows: bool,
}

impl Cut {
    fn new(channels: usize, kernel: [usize; 2]) -> Self {
        let run = kernel[1] * channels;
        let rows = run.div_ceil(CHANNELS) < kernel[1] * channels.div_ceil(CHANNELS);
        Self { channels, kernel, rows }
    }

    /// Values of a pixel in memory.
    fn pixel(self) -> usize {
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
    fn offsets(self, row: usize) -> Vec<usize> {
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
    pub(super) fn new(original: &[f32], shape: [usize; 4]) -> Self {
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

    fn bytes(&self) -> usize {
        size_of_val(&*self.values)
    }

    fn panel(&self, panel: usize) -> &[u16] {
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

/// The nearest bf16 value, of two the even one; what is not a number stays so.
#[inline(always)]
fn round(value: f32) -> u16 {
    if value.is_nan() { 0x7fc0 } else { nearest(value.to_bits()) }
}

#[inline(always)]
fn nearest(bits: u32) -> u16 {
    (bits.wrapping_add(0x7fff + (bits >> 16 & 1)) >> 16) as u16
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
struct Steps {
    offsets: Vec<usize>,
    largest: usize,
}

impl Steps {
    fn new(offsets: Vec<usize>) -> Self {
        let largest = offsets.iter().copied().max().unwrap_or(0);
        Self { offsets, largest }
    }
}

/// The sums of two tiles. `image` has its parts one after another, each of the same length.
///
/// # Panics
/// Where a tile reaches over the end of a part, or the weights are of fewer steps.
#[inline(always)]
fn products<const PARTS: usize>(
    unit: Unit,
    image: &[u16],
    tiles: [usize; 2],
    next: usize,
    steps: &Steps,
    weights: &[u16],
    sums: &mut Sums,
) {
    let part = image.len() / PARTS;
    let last = tiles[0].max(tiles[1]) + (PIXELS - 1) * next + steps.largest + CHANNELS;
    assert!(last <= part && weights.len() == steps.offsets.len() * PARTS * STEP, "a tile within the image");
    match (unit, PARTS) {
        (Unit::Tiles, 1) => amx::products(image, tiles, next, steps, weights, sums),
        (Unit::Tiles, 3) => amx::products_of_three(image, part, tiles, next, steps, weights, sums),
        (Unit::Pairs, 1) => dot::products(image, tiles, next, steps, weights, sums),
        _ => unreachable!("pairs have one part, and tiles one or three"),
    }
}

/// [`super::convolve`] by products of bf16 values, without dilation. With one part the values are rounded to
/// bf16. With three they are exact, and of the nine products of their parts six are computed: the others are smaller than an
/// f32's last digit.
#[allow(clippy::too_many_arguments)]
pub(super) fn convolve<const PARTS: usize>(
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
    let mut padded_bias = vec![0.0; weights.panels * CHANNELS];
    padded_bias[..bias.len()].copy_from_slice(bias);
    // Of single taps the pixels between them are not looked at: what is left is an image like any other.
    let alone = geometry.kernel == [1, 1] && geometry.vertical == [0, 0] && geometry.horizontal == [0, 0];
    let (skip, lines, columns) = if alone {
        (geometry.stride, full.height, full.width)
    } else {
        ([1, 1], input.height, input.width)
    };
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
        bias: &padded_bias,
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
    let tasks = if weights.bytes() > simd::second_level_cache() / 4 { rayon::current_num_threads() } else { 8 };
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
    let tasks = values.div_ceil(room).max(tasks).next_multiple_of(rayon::current_num_threads()).min(bands.len());
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
                    products::<PARTS>(task.unit, image, from, next, &task.steps, weights, &mut sums.0);
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

/// Values in parts, from value `at` of each line on.
#[inline(always)]
fn into_parts<const PARTS: usize>(values: &[f32], lines: &mut [&mut [u16]; PARTS], at: usize) {
    // Lengths that are known here, so that each is a vector or two.
    let (whole, last) = values.as_chunks::<CHANNELS>();
    for (index, values) in whole.iter().enumerate() {
        let parts = split::<PARTS>(values);
        for (line, part) in lines.iter_mut().zip(parts) {
            let line = line[at + index * CHANNELS..].first_chunk_mut::<CHANNELS>();
            *line.expect("a line as long as its values") = part;
        }
    }
    if last.is_empty() {
        return;
    }
    let mut values = [0.0; CHANNELS];
    for (value, last) in values.iter_mut().zip(last) {
        *value = *last;
    }
    let at = at + whole.len() * CHANNELS;
    for (line, part) in lines.iter_mut().zip(split::<PARTS>(&values)) {
        for (line, part) in line[at..].iter_mut().zip(&part[..last.len()]) {
            *line = *part;
        }
    }
}

/// Values as sums of so many of bf16, the largest first: the eight binary digits of three are the twenty-four of an f32.
#[inline(always)]
fn split<const PARTS: usize>(values: &[f32; CHANNELS]) -> [[u16; CHANNELS]; PARTS] {
    let mut rest = *values;
    let mut parts = [[0; CHANNELS]; PARTS];
    for (index, part) in parts.iter_mut().enumerate() {
        for (part, rest) in part.iter_mut().zip(&mut rest) {
            let bits = rest.to_bits();
            // What is not a number is so in the first part already, and the third is exact.
            *part = match index {
                0 => round(*rest),
                1 => nearest(bits),
                _ => (bits >> 16) as u16,
            };
            *rest -= f32::from_bits(u32::from(*part) << 16);
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use half::bf16;

    use super::*;

    #[test]
    fn values_are_rounded_as_by_another_library() {
        let ends = [0.0, -0.0, f32::MAX, f32::MIN, f32::INFINITY, f32::NEG_INFINITY, 1e-40, f32::MIN_POSITIVE];
        let steps = (0..u32::MAX - 0x1_0000).step_by(0x7fff).map(f32::from_bits);
        for value in ends.into_iter().chain(steps) {
            let [found, expected] = [bf16::from_bits(round(value)), bf16::from_f32(value)];
            assert!(found == expected || found.is_nan() && expected.is_nan(), "{value}: {found} {expected}");
        }
    }
}
