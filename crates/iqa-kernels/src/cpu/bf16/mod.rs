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
use super::{Buffer, Geometry, Size, buffers, direct};

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

/// Weights in bf16: `[panel, step, half of the channels, pair of inputs, channel, 2]`, a half a tile.
#[derive(Debug)]
pub(super) struct Panels {
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
        if self.rows { self.channels } else { self.channels.next_multiple_of(CHANNELS) }
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

    /// Where each step's values begin, from the first tap's on.
    fn offsets(self, row: usize) -> Vec<usize> {
        let [run, count] = self.runs();
        let wide = if self.rows { 1 } else { self.kernel[1] };
        let start = |at: usize| at / wide * row + at % wide * self.pixel();
        (0..count)
            .flat_map(|at| (0..run.div_ceil(CHANNELS)).map(move |part| start(at) + part * CHANNELS))
            .collect()
    }
}

impl Panels {
    /// Of weights `[out, in, height, width]`.
    pub(super) fn new(original: &[f32], shape: [usize; 4]) -> Self {
        let [out, into, high, wide] = shape;
        let cut = Cut::new(into, [high, wide]);
        let [run, _] = cut.runs();
        let (parts, steps, panels) = (run.div_ceil(CHANNELS), cut.steps(), out.div_ceil(CHANNELS));
        let area = high * wide;
        let mut values = buffers::take(panels * steps * STEP / 2);
        halves_mut(&mut values).par_chunks_mut(steps * STEP).enumerate().for_each(|(panel, values)| {
            for (at, value) in values.iter_mut().enumerate() {
                let [step, rest] = [at / STEP, at % STEP];
                let [half, rest] = [rest / (STEP / 2), rest % (STEP / 2)];
                let [pair, rest] = [rest / CHANNELS, rest % CHANNELS];
                let o = panel * CHANNELS + half * PIXELS + rest / 2;
                let place = step % parts * CHANNELS + 2 * pair + rest % 2;
                let [tap, i] = match cut.rows {
                    true => [step / parts * wide + place / into, place % into],
                    false => [step / parts, place],
                };
                let inside = o < out && place < run;
                *value = if inside { round(original[(o * into + i) * area + tap]) } else { 0 };
            }
        });
        Self { values, steps, panels }
    }

    fn panel(&self, panel: usize) -> &[u16] {
        &halves(&self.values)[panel * self.steps * STEP..][..self.steps * STEP]
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
    let bits = value.to_bits();
    let rounded = bits.wrapping_add(0x7fff + (bits >> 16 & 1)) >> 16;
    if value.is_nan() { 0x7fc0 } else { rounded as u16 }
}

/// Images in bf16 with zeros around them.
struct Bordered {
    values: Buffer,
    /// Of one image, with its border.
    size: Size,
    /// Values of a row.
    row: usize,
}

impl Bordered {
    fn new(x: &[f32], input: Size, geometry: &Geometry, pixel: usize) -> Self {
        let [[top, bottom], [left, right]] = [geometry.vertical, geometry.horizontal];
        let size =
            Size { height: input.height + top + bottom, width: input.width + left + right, ..input };
        let row = size.width * pixel;
        // The last tile of pixels may begin with the last pixel, and the last step with its last value.
        let rest = PIXELS * geometry.stride[1] * pixel + 2 * CHANNELS;
        let lines = size.images * size.height;
        let mut values = buffers::take((lines * row + rest).div_ceil(2));
        let (all, rest) = halves_mut(&mut values).split_at_mut(lines * row);
        rest.fill(0);
        let inside = input.width * input.channels;
        all.par_chunks_mut(row.max(1)).with_min_len(16).enumerate().for_each(|(index, line)| {
            let [image, y] = [index / size.height, (index % size.height).wrapping_sub(top)];
            if y >= input.height || inside == 0 {
                line.fill(0);
                return;
            }
            let from = &x[(image * input.height + y) * inside..][..inside];
            let (before, rest) = line.split_at_mut(left * pixel);
            let (line, after) = rest.split_at_mut(input.width * pixel);
            before.fill(0);
            after.fill(0);
            simd::arch().dispatch(Rounded { from, to: line, channels: input.channels, pixel });
        });
        Self { values, size, row }
    }
}

/// A row of pixels, each filled up with zeros.
struct Rounded<'a> {
    from: &'a [f32],
    to: &'a mut [u16],
    channels: usize,
    pixel: usize,
}

impl WithSimd for Rounded<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { from, to, channels, pixel } = self;
        // A row without gaps is one pixel.
        let [channels, pixel] = if channels == pixel { [from.len(), from.len()] } else { [channels, pixel] };
        for (from, to) in from.chunks_exact(channels).zip(to.chunks_exact_mut(pixel)) {
            let (to, rest) = to.split_at_mut(channels);
            for (from, to) in from.iter().zip(to) {
                *to = round(*from);
            }
            rest.fill(0);
        }
    }
}

/// Sixteen output pixels in a row.
#[derive(Debug, Clone, Copy)]
struct Tile {
    /// Where the values under the kernel of the first one begin.
    from: usize,
    image: usize,
    y: usize,
    /// May be outside the result, under the border.
    x: usize,
}

/// All tiles in the order of their pixels.
fn tiles(output: Size, geometry: &Geometry, bordered: &Bordered, pixel: usize) -> Vec<Tile> {
    let image_values = bordered.size.height * bordered.row;
    let wide = bordered.size.width;
    let mut tiles = Vec::new();
    for image in 0..output.images {
        if geometry.stride == [1, 1] {
            let pixels = (output.height - 1) * wide + output.width;
            tiles.extend((0..pixels).step_by(PIXELS).map(|at| Tile {
                from: image * image_values + at * pixel,
                image,
                y: at / wide,
                x: at % wide,
            }));
            continue;
        }
        let [down, across] = geometry.stride;
        for y in 0..output.height {
            let line = image * image_values + y * down * bordered.row;
            tiles.extend((0..output.width).step_by(PIXELS).map(|x| Tile {
                from: line + x * across * pixel,
                image,
                y,
                x,
            }));
        }
    }
    tiles
}

struct Task<'a> {
    unit: Unit,
    image: &'a [u16],
    steps: &'a Steps,
    /// Values from one pixel of a tile to the next.
    next: usize,
    weights: &'a Panels,
    bias: &'a [f32],
    output: Size,
    /// Pixels after which a row of a tile goes on in the next one of the image.
    wrap: usize,
    relu: bool,
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

/// The sums of two tiles.
///
/// # Panics
/// Where a tile reaches over the end of the image, or the weights are of fewer steps.
fn products(unit: Unit, image: &[u16], tiles: [usize; 2], next: usize, steps: &Steps, weights: &[u16], sums: &mut Sums) {
    let last = tiles[0].max(tiles[1]) + (PIXELS - 1) * next + steps.largest + CHANNELS;
    assert!(last <= image.len() && weights.len() == steps.offsets.len() * STEP, "a tile within the image");
    match unit {
        Unit::Tiles => amx::products(image, tiles, next, steps, weights, sums),
        Unit::Pairs => dot::products(image, tiles, next, steps, weights, sums),
    }
}

/// [`super::convolve`] in bf16, without pooling; without dilation.
#[allow(clippy::too_many_arguments)]
pub(super) fn convolve(
    unit: Unit,
    x: &[f32],
    input: Size,
    weights: &Panels,
    bias: &[f32],
    geometry: &Geometry,
    output: Size,
    relu: bool,
) -> Buffer {
    let mut result = buffers::take(output.values());
    if result.is_empty() {
        return result;
    }
    let mut padded_bias = vec![0.0; weights.panels * CHANNELS];
    padded_bias[..bias.len()].copy_from_slice(bias);
    let cut = Cut::new(input.channels, geometry.kernel);
    let pixel = cut.pixel();
    let bordered = Bordered::new(x, input, geometry, pixel);
    let steps = Steps::new(cut.offsets(bordered.row));
    let task = Task {
        unit,
        image: halves(&bordered.values),
        steps: &steps,
        next: geometry.stride[1] * pixel,
        weights,
        bias: &padded_bias,
        output,
        wrap: if geometry.stride == [1, 1] { bordered.size.width } else { usize::MAX },
        relu,
    };
    let tiles = tiles(output, geometry, &bordered, pixel);
    // What a task reads stays in the second-level cache from one panel of the weights to the next.
    const CACHE: usize = 512 << 10;
    let most = (CACHE / (PIXELS * geometry.stride[1] * pixel * size_of::<u16>())).clamp(2, tiles.len().div_ceil(8).max(2));
    let mut rest = &mut result[..];
    let mut pieces = Vec::new();
    let mut first = 0;
    for tiles in tiles.chunks(most.next_multiple_of(2)) {
        let end = task.end(tiles[tiles.len() - 1]);
        let (piece, others) = rest.split_at_mut((end - first) * output.channels);
        rest = others;
        pieces.push((tiles, first, piece));
        first = end;
    }
    let arch = simd::arch();
    pieces.into_par_iter().for_each(|(tiles, first, piece)| {
        arch.dispatch(Run { task: &task, tiles, first, piece });
    });
    result
}

impl Task<'_> {
    /// The pixel of the result after the last one of a tile.
    fn end(&self, tile: Tile) -> usize {
        let Tile { image, y, x, .. } = tile;
        let Size { height, width, .. } = self.output;
        let end = x + PIXELS;
        let within = (y + end / self.wrap) * width + (end % self.wrap).min(width);
        image * height * width + within.min(height * width)
    }

}

/// The sums of some tiles, with what follows, into their piece of the result, which begins with pixel `first`.
struct Run<'a> {
    task: &'a Task<'a>,
    tiles: &'a [Tile],
    first: usize,
    piece: &'a mut [f32],
}

/// From the first line of a cache on.
#[repr(align(64))]
struct Aligned(Sums);

impl WithSimd for Run<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { task, tiles, first, piece } = self;
        let _configured = (task.unit == Unit::Tiles).then(amx::Configured::new);
        let mut sums = Aligned([0.0; 2 * PIXELS * CHANNELS]);
        for panel in 0..task.weights.panels {
            let weights = task.weights.panel(panel);
            for pair in tiles.chunks(2) {
                let from = [pair[0].from, pair[pair.len() - 1].from];
                products(task.unit, task.image, from, task.next, task.steps, weights, &mut sums.0);
                for (tile, sums) in pair.iter().zip(sums.0.chunks_exact(PIXELS * CHANNELS)) {
                    task.finish(simd, *tile, panel, sums, first, piece);
                }
            }
        }
    }
}

impl Task<'_> {
    /// Bias and ReLU over the sums of a tile, and into the result.
    #[inline(always)]
    fn finish<S: Simd>(
        &self,
        simd: S,
        tile: Tile,
        panel: usize,
        sums: &[f32],
        first: usize,
        piece: &mut [f32],
    ) {
        let Size { height, width, channels, .. } = self.output;
        let from = panel * CHANNELS;
        let bias = &self.bias[from..][..CHANNELS];
        let count = CHANNELS.min(channels - from);
        let [mut y, mut x] = [tile.y, tile.x];
        for sums in sums.chunks_exact(CHANNELS) {
            if y < height && x < width {
                let at = (tile.image * height + y) * width + x - first;
                let pixel = &mut piece[at * channels + from..][..count];
                for part in (0..count).step_by(2 * S::F32_LANES) {
                    let next = part + S::F32_LANES;
                    let mut left = simd.add_f32s(load::<S>(&sums[part..]), load::<S>(&bias[part..]));
                    let mut right = simd.add_f32s(load::<S>(&sums[next..]), load::<S>(&bias[next..]));
                    if self.relu {
                        left = simd::relu(simd, left);
                        right = simd::relu(simd, right);
                    }
                    direct::write(simd, &mut pixel[part..], left, right);
                }
            }
            x += 1;
            if x == self.wrap {
                [y, x] = [y + 1, 0];
            }
        }
    }
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
