//! Matrix products without the matrix: any kernel, stride, dilation.
//!
//! Each output pixel is a row of a matrix, the input values under its kernel; a panel of the weights is the other
//! matrix. In channels-last order a row of the kernel covers one run of values, so that the rows of the matrix are
//! read where they lie; only pixels at the border, where zeros lie between, go tap by tap. Images of few channels have
//! runs too short for that: their rows are gathered, for some pixels at a time.
//!
//! The values under a kernel are cut into blocks so that the weights of a block stay in the first-level cache while
//! all pixels of a task go by.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::simd::{self, load, panel_width, store};
use super::weights::Panels;
use super::{Buffer, Finish, Geometry, Size, buffers};

/// Most output pixels of a task.
const TASK: usize = 96;
/// Below this number of input channels, the values under the kernel are gathered.
pub(super) const FEW: usize = 32;
/// Most values in a block: sixteen output channels' weights of it take 20 KiB.
const BLOCK: usize = 320;

struct Task<'a> {
    x: &'a [f32],
    input: Size,
    geometry: Geometry,
    weights: &'a Panels,
    bias: &'a [f32],
    output: Size,
    finish: Finish<'a>,
    gather: Option<&'a Gather>,
    blocks: &'a [Block],
    zeros: &'a [f32],
}

/// Some of the values under a kernel: channels `from..from + len` of `taps` taps in a row; all channels if there are
/// several taps.
#[derive(Debug, Clone, Copy)]
struct Block {
    /// Row and column of the first tap.
    tap: [usize; 2],
    taps: usize,
    from: usize,
    len: usize,
    /// Values before this block.
    before: usize,
}

/// Rows of the weights' matrix: where the values are gathered, whole runs of the inner loop.
pub(super) fn depth(area: usize, channels: usize) -> usize {
    if channels < FEW { (area * channels).next_multiple_of(simd::RUN) } else { area * channels }
}

pub(super) fn convolve(
    x: &[f32],
    input: Size,
    weights: &Panels,
    bias: &[f32],
    geometry: &Geometry,
    output: Size,
    finish: Finish<'_>,
) -> Buffer {
    let mut result = buffers::take(output.values());
    if result.is_empty() {
        return result;
    }
    let bias = simd::filled_up(bias, weights.panels * simd::panel());
    let gather = (input.channels < FEW).then(|| Gather::new(x, input, geometry));
    let zeros = vec![0.0; BLOCK];
    let blocks = if gather.is_some() { gathered_blocks(input, geometry) } else { blocks(input, geometry) };
    let task = Task {
        x,
        input,
        geometry: *geometry,
        weights,
        bias: &bias,
        output,
        finish,
        gather: gather.as_ref(),
        blocks: &blocks,
        zeros: &zeros,
    };
    let arch = simd::arch();
    // Small images are cut finer, so that all threads have work.
    let pixels = (output.pixels() / 16).clamp(TASK / 4, TASK).next_multiple_of(12);
    result.par_chunks_mut(pixels * output.channels).enumerate().for_each(|(index, piece)| {
        let count = piece.len() / output.channels;
        let width = simd::panel();
        let area = geometry.kernel[0] * geometry.kernel[1];
        // Copies go in whole vectors, over the end of the last row.
        let rows = if gather.is_some() { count * depth(area, input.channels) + width } else { 0 };
        simd::with_scratch(count.next_multiple_of(12) * width + rows, |scratch| {
            arch.dispatch(Run { task: &task, first: index * pixels, piece, scratch });
        });
    });
    result
}

/// Whole rows of the kernel where they are one run and short enough, else parts of them.
fn blocks(input: Size, geometry: &Geometry) -> Vec<Block> {
    let [high, wide] = geometry.kernel;
    let channels = input.channels;
    let mut blocks = Vec::new();
    let mut before = 0;
    for row in 0..high {
        // As many taps as fit, at least one; where taps do not touch, one.
        let most = if geometry.dilation[1] == 1 { (BLOCK / channels).max(1) } else { 1 };
        let parts = wide.div_ceil(most);
        for part in 0..parts {
            let [start, end] = [part * wide / parts, (part + 1) * wide / parts];
            let taps = end - start;
            let cuts = channels.div_ceil(BLOCK);
            for cut in 0..cuts {
                let [from, to] = [cut * channels / cuts, (cut + 1) * channels / cuts];
                let len = taps * (to - from);
                blocks.push(Block { tap: [row, start], taps, from, len, before });
                before += len;
            }
        }
    }
    blocks
}

/// The same for values that lie one after another.
fn gathered_blocks(input: Size, geometry: &Geometry) -> Vec<Block> {
    let depth = depth(geometry.kernel[0] * geometry.kernel[1], input.channels);
    let cuts = depth.div_ceil(BLOCK);
    let block = |cut: usize| {
        let [from, to] = [cut * depth / cuts, (cut + 1) * depth / cuts];
        Block { tap: [0, 0], taps: 1, from, len: to - from, before: from }
    };
    (0..cuts).map(block).collect()
}

struct Run<'a> {
    task: &'a Task<'a>,
    first: usize,
    piece: &'a mut [f32],
    scratch: &'a mut [f32],
}

impl WithSimd for Run<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        if S::REGISTER_COUNT >= 32 { self.run::<S, 12>(simd) } else { self.run::<S, 6>(simd) }
    }
}

impl Run<'_> {
    #[inline(always)]
    fn run<S: Simd, const ROWS: usize>(self, simd: S) {
        let Self { task, first, piece, scratch } = self;
        let channels = task.output.channels;
        let width = panel_width::<S>();
        let count = piece.len() / channels;
        let (sums, gathered) = scratch.split_at_mut(count.next_multiple_of(12) * width);
        let mut corners = [Corner::default(); TASK];
        let corners = &mut corners[..count];
        match task.gather {
            Some(gather) => gather.copy::<S>(first, count, task.output, gathered),
            None => {
                for (r, corner) in corners.iter_mut().enumerate() {
                    *corner = task.corner(first + r);
                }
            }
        }
        let depth = depth(task.geometry.kernel[0] * task.geometry.kernel[1], task.input.channels);
        for panel in 0..task.weights.panels {
            let weights = task.weights.panel(0, panel, width);
            for (index, block) in task.blocks.iter().enumerate() {
                let weights = &weights[block.before * width..][..block.len * width];
                for start in (0..count).step_by(ROWS) {
                    let zero = simd.splat_f32s(0.0);
                    let mut part = [[zero; 2]; ROWS];
                    let values = if task.gather.is_some() {
                        Values::Gathered { values: gathered, depth }
                    } else {
                        Values::Image(corners)
                    };
                    task.rows(simd, block, &values, [start, count - 1], &mut part, weights);
                    // Sums of sums round less than one long sum.
                    let sums = &mut sums[start * width..][..ROWS * width];
                    if index > 0 {
                        for (part, sum) in part.iter_mut().zip(sums.chunks_exact(width)) {
                            part[0] = simd.add_f32s(part[0], load::<S>(sum));
                            part[1] = simd.add_f32s(part[1], load::<S>(&sum[S::F32_LANES..]));
                        }
                    }
                    if index + 1 == task.blocks.len() {
                        task.finish(simd, panel, &part, first + start, &mut piece[start * channels..]);
                    } else {
                        for (part, sum) in part.iter().zip(sums.chunks_exact_mut(width)) {
                            store::<S>(sum, part[0]);
                            store::<S>(&mut sum[S::F32_LANES..], part[1]);
                        }
                    }
                }
            }
        }
    }
}

/// Two vectors, as far as there is room.
#[inline(always)]
pub(super) fn write<S: Simd>(simd: S, target: &mut [f32], left: S::f32s, right: S::f32s) {
    let lanes = S::F32_LANES;
    if target.len() >= 2 * lanes {
        store::<S>(target, left);
        store::<S>(&mut target[lanes..], right);
    } else if target.len() > lanes {
        store::<S>(target, left);
        simd.partial_store_f32s(&mut target[lanes..], right);
    } else {
        simd.partial_store_f32s(target, left);
    }
}

/// Two vectors, as far as there are values; else zeros.
#[inline(always)]
pub(super) fn read<S: Simd>(simd: S, values: &[f32]) -> [S::f32s; 2] {
    let lanes = S::F32_LANES;
    if values.len() >= 2 * lanes {
        [load::<S>(values), load::<S>(&values[lanes..])]
    } else {
        let (left, right) = values.split_at(values.len().min(lanes));
        [simd.partial_load_f32s(left), simd.partial_load_f32s(right)]
    }
}

/// Where the values under the kernels of a task's pixels are.
enum Values<'a> {
    /// One pixel's after another's.
    Gathered { values: &'a [f32], depth: usize },
    /// In the image.
    Image(&'a [Corner]),
}

/// Where the kernel's first tap lies for an output pixel; may be outside the image.
#[derive(Clone, Copy, Default)]
struct Corner {
    image: usize,
    y: usize,
    x: usize,
    /// Whether the whole kernel lies inside the image.
    inside: bool,
}

impl Task<'_> {
    #[inline(always)]
    fn corner(&self, pixel: usize) -> Corner {
        let Size { height, width, .. } = self.output;
        let Geometry { kernel, stride, dilation, vertical, horizontal } = self.geometry;
        let [x, rest] = [pixel % width, pixel / width];
        let y = (rest % height * stride[0]).wrapping_sub(vertical[0]);
        let x = (x * stride[1]).wrapping_sub(horizontal[0]);
        let reaches = |at: usize, axis: usize, length: usize| {
            at < length && at + (kernel[axis] - 1) * dilation[axis] < length
        };
        let inside = reaches(y, 0, self.input.height) && reaches(x, 1, self.input.width);
        Corner { image: rest / height, y, x, inside }
    }

    /// The values of one tap: zeros outside the image.
    #[inline(always)]
    fn pixel(&self, corner: Corner, row: usize, column: usize) -> Option<usize> {
        let Size { height, width, channels, .. } = self.input;
        let y = corner.y.wrapping_add(row * self.geometry.dilation[0]);
        let x = corner.x.wrapping_add(column * self.geometry.dilation[1]);
        (y < height && x < width).then(|| ((corner.image * height + y) * width + x) * channels)
    }

    /// The products of a block for the pixels from `start` on; the last one again where there are no more. In one place for
    /// both kinds of values: the compiler keeps the sums of one inner loop in registers, of two it did not.
    #[inline(always)]
    fn rows<S: Simd, const ROWS: usize>(
        &self,
        simd: S,
        block: &Block,
        values: &Values<'_>,
        [start, last]: [usize; 2],
        part: &mut [[S::f32s; 2]; ROWS],
        weights: &[f32],
    ) {
        let [row, column] = block.tap;
        let pixels: [usize; ROWS] = std::array::from_fn(|r| (start + r).min(last));
        let whole = match values {
            Values::Gathered { .. } => true,
            Values::Image(corners) => pixels.iter().all(|pixel| corners[*pixel].inside),
        };
        // The same products in the same order, in one run or tap by tap.
        let [steps, len] = if whole { [1, block.len] } else { [block.taps, block.len / block.taps] };
        for step in 0..steps {
            let mut rows: [&[f32]; ROWS] = [&[]; ROWS];
            for (run, pixel) in rows.iter_mut().zip(pixels) {
                *run = match values {
                    Values::Gathered { values, depth } => &values[pixel * depth + block.from..][..len],
                    Values::Image(corners) => match self.pixel(corners[pixel], row, column + step) {
                        Some(at) => &self.x[at + block.from..][..len],
                        None => &self.zeros[..len],
                    },
                };
            }
            let weights = &weights[step * len * panel_width::<S>()..];
            simd::accumulate(simd, part, rows, weights);
        }
    }

    /// Bias, and what follows, over the sums of some pixels from `at` on, and into the result.
    #[inline(always)]
    fn finish<S: Simd, const ROWS: usize>(
        &self,
        simd: S,
        panel: usize,
        sums: &[[S::f32s; 2]; ROWS],
        at: usize,
        pixels: &mut [f32],
    ) {
        let width = panel_width::<S>();
        let channels = self.output.channels;
        let bias = &self.bias[panel * width..][..width];
        let bias = [load::<S>(bias), load::<S>(&bias[S::F32_LANES..])];
        for (index, (pixel, sums)) in pixels.chunks_exact_mut(channels).zip(sums).enumerate() {
            let mut left = simd.add_f32s(sums[0], bias[0]);
            let mut right = simd.add_f32s(sums[1], bias[1]);
            if let Some(added) = self.finish.added {
                let added = read(simd, &added[(at + index) * channels..][..channels][panel * width..]);
                left = simd.add_f32s(left, added[0]);
                right = simd.add_f32s(right, added[1]);
            }
            if self.finish.relu {
                [left, right] = [simd::relu(simd, left), simd::relu(simd, right)];
            }
            write(simd, &mut pixel[panel * width..], left, right);
        }
    }
}

/// Images of few channels with their zeros around them, and where the values under a kernel lie from its corner on.
struct Gather {
    x: Buffer,
    size: Size,
    stride: [usize; 2],
    /// Beginnings of runs of `run` values.
    offsets: Vec<usize>,
    run: usize,
    depth: usize,
}

/// Images with the zeros of the padding around them, and their size. Runs of values may be copied in whole vectors, over the end of
/// the last one.
pub(super) fn bordered(x: &[f32], input: Size, geometry: &Geometry) -> (Buffer, Size) {
    let channels = input.channels;
    let [[top, bottom], [left, right]] = [geometry.vertical, geometry.horizontal];
    let size = Size { height: input.height + top + bottom, width: input.width + left + right, ..input };
    let row = size.width * channels;
    let [before, inside] = [left * channels, input.width * channels];
    let mut bordered = buffers::take(size.values() + simd::panel());
    let (lines, rest) = bordered.split_at_mut(size.values());
    rest.fill(0.0);
    lines.par_chunks_mut(row.max(1)).with_min_len(64).enumerate().for_each(|(index, line)| {
        let [image, y] = [index / size.height, (index % size.height).wrapping_sub(top)];
        if y < input.height && inside > 0 {
            line[..before].fill(0.0);
            line[before..before + inside]
                .copy_from_slice(&x[(image * input.height + y) * inside..][..inside]);
            line[before + inside..].fill(0.0);
        } else {
            line.fill(0.0);
        }
    });
    (bordered, size)
}

impl Gather {
    fn new(x: &[f32], input: Size, geometry: &Geometry) -> Self {
        let [high, wide] = geometry.kernel;
        let channels = input.channels;
        let (bordered, size) = bordered(x, input, geometry);
        let row = size.width * channels;
        let [down, across] = [geometry.dilation[0] * row, geometry.dilation[1] * channels];
        let (runs, run) = if geometry.dilation[1] == 1 { (1, wide * channels) } else { (wide, channels) };
        let offsets = (0..high).flat_map(|y| (0..runs).map(move |x| y * down + x * across)).collect();
        let depth = depth(high * wide, channels);
        Self { x: bordered, size, stride: geometry.stride, offsets, run, depth }
    }

    /// The values under the kernels of `count` output pixels from `first` on, one after another.
    #[inline(always)]
    fn copy<S: Simd>(&self, first: usize, count: usize, output: Size, gathered: &mut [f32]) {
        let vectors = self.run.next_multiple_of(S::F32_LANES);
        let values = self.offsets.len() * self.run;
        let [mut x, rest] = [first % output.width, first / output.width];
        let [mut y, mut image] = [rest % output.height, rest / output.height];
        for pixel in 0..count {
            let row = image * self.size.height + y * self.stride[0];
            let corner = (row * self.size.width + x * self.stride[1]) * self.size.channels;
            let from = &self.x[corner..];
            let target = &mut gathered[pixel * self.depth..];
            for (index, offset) in self.offsets.iter().enumerate() {
                // What goes too far is written over by the next run.
                let (from, _) = S::as_simd_f32s(&from[*offset..][..vectors]);
                let (to, _) = S::as_mut_simd_f32s(&mut target[index * self.run..][..vectors]);
                for (to, from) in to.iter_mut().zip(from) {
                    *to = *from;
                }
            }
            target[values..self.depth].fill(0.0);
            x += 1;
            if x == output.width {
                x = 0;
                y += 1;
            }
            if y == output.height {
                y = 0;
                image += 1;
            }
        }
    }
}
