//! Sums in the order of the definition: any kernel, stride, dilation.
//!
//! Some output pixels at a time, two vectors of output channels: for each place of the kernel, the input pixels under
//! it are rows of the inner loop. Nothing is copied, save that images of few channels get their border of zeros
//! first, so that a whole row of the kernel is one run of values.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::simd::{self, load, panel_width, store};
use super::weights::Panels;
use super::{Geometry, Size};

/// Output pixels of a task.
const TASK: usize = 96;
/// Below this number of input channels, rows of the kernel are read as one run.
const FEW: usize = 16;

struct Task<'a> {
    x: &'a [f32],
    input: Size,
    geometry: Geometry,
    weights: &'a Panels,
    bias: &'a [f32],
    output: Size,
    relu: bool,
    /// Runs of `run` values, `[vertical, horizontal]` of them.
    taps: [usize; 2],
    run: usize,
    zeros: &'a [f32],
}

pub(super) fn convolve(
    x: &[f32],
    input: Size,
    weights: &Panels,
    bias: &[f32],
    geometry: &Geometry,
    output: Size,
    relu: bool,
) -> Vec<f32> {
    let mut result = vec![0.0; output.values()];
    if result.is_empty() {
        return result;
    }
    let mut padded_bias = vec![0.0; weights.panels * simd::panel()];
    padded_bias[..bias.len()].copy_from_slice(bias);
    let [high, wide] = geometry.kernel;
    let merge = input.channels < FEW && geometry.dilation[1] == 1 && wide > 1;
    let (bordered, input, geometry) = if merge {
        let (bordered, size) = with_border(x, input, geometry);
        let geometry = Geometry { vertical: [0; 2], horizontal: [0; 2], ..*geometry };
        (Some(bordered), size, geometry)
    } else {
        (None, input, *geometry)
    };
    let (taps, run) = if merge { ([high, 1], wide * input.channels) } else { ([high, wide], input.channels) };
    let zeros = vec![0.0; run];
    let task = Task {
        x: bordered.as_deref().unwrap_or(x),
        input,
        geometry,
        weights,
        bias: &padded_bias,
        output,
        relu,
        taps,
        run,
        zeros: &zeros,
    };
    let arch = simd::arch();
    result.par_chunks_mut(TASK * output.channels).enumerate().for_each(|(index, piece)| {
        arch.dispatch(Run { task: &task, first: index * TASK, piece });
    });
    result
}

/// The images with their zeros around them.
fn with_border(x: &[f32], input: Size, geometry: &Geometry) -> (Vec<f32>, Size) {
    let [top, bottom] = geometry.vertical;
    let [left, right] = geometry.horizontal;
    let size = Size { height: input.height + top + bottom, width: input.width + left + right, ..input };
    let mut bordered = vec![0.0; size.values()];
    let row = input.width * input.channels;
    if row > 0 {
        for (index, from) in x.chunks_exact(row).enumerate() {
            let [image, y] = [index / input.height, index % input.height];
            let at = ((image * size.height + y + top) * size.width + left) * size.channels;
            bordered[at..at + row].copy_from_slice(from);
        }
    }
    (bordered, size)
}

struct Run<'a> {
    task: &'a Task<'a>,
    first: usize,
    piece: &'a mut [f32],
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
        let Self { task, first, piece } = self;
        let channels = task.output.channels;
        let width = panel_width::<S>();
        let pixels = piece.len() / channels;
        let zero = simd.splat_f32s(0.0);
        for panel in 0..task.weights.panels {
            let weights = task.weights.panel(0, panel, width);
            let bias = &task.bias[panel * width..][..width];
            for start in (0..pixels).step_by(ROWS) {
                let mut corners = [Corner { image: 0, y: 0, x: 0 }; ROWS];
                for (r, corner) in corners.iter_mut().enumerate() {
                    *corner = task.corner(first + (start + r).min(pixels - 1));
                }
                // A row of the kernel at a time: sums of sums round less than one long sum.
                let mut sums = [[zero; 2]; ROWS];
                for row in 0..task.taps[0] {
                    let mut part = [[zero; 2]; ROWS];
                    for tap in row * task.taps[1]..(row + 1) * task.taps[1] {
                        let mut rows: [&[f32]; ROWS] = [&[]; ROWS];
                        for (row, corner) in rows.iter_mut().zip(corners) {
                            *row = task.row(corner, tap);
                        }
                        simd::accumulate(simd, &mut part, rows, &weights[tap * task.run * width..]);
                    }
                    for (sum, part) in sums.iter_mut().zip(part) {
                        *sum = [simd.add_f32s(sum[0], part[0]), simd.add_f32s(sum[1], part[1])];
                    }
                }
                for (r, [left, right]) in sums.into_iter().enumerate().take(pixels - start) {
                    let mut left = simd.add_f32s(left, load::<S>(bias));
                    let mut right = simd.add_f32s(right, load::<S>(&bias[S::F32_LANES..]));
                    if task.relu {
                        [left, right] = [simd.max_f32s(left, zero), simd.max_f32s(right, zero)];
                    }
                    let pixel = &mut piece[(start + r) * channels..][..channels];
                    write(simd, &mut pixel[panel * width..], left, right);
                }
            }
        }
    }
}

/// Two vectors, as far as there is room.
#[inline(always)]
fn write<S: Simd>(simd: S, target: &mut [f32], left: S::f32s, right: S::f32s) {
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

/// Where the kernel's first place lies for an output pixel; may be outside the image.
#[derive(Clone, Copy)]
struct Corner {
    image: usize,
    y: usize,
    x: usize,
}

impl Task<'_> {
    #[inline(always)]
    fn corner(&self, pixel: usize) -> Corner {
        let Size { height, width, .. } = self.output;
        let [x, rest] = [pixel % width, pixel / width];
        Corner {
            image: rest / height,
            y: (rest % height * self.geometry.stride[0]).wrapping_sub(self.geometry.vertical[0]),
            x: (x * self.geometry.stride[1]).wrapping_sub(self.geometry.horizontal[0]),
        }
    }

    #[inline(always)]
    fn row(&self, corner: Corner, tap: usize) -> &[f32] {
        let Size { height, width, channels, .. } = self.input;
        let y = corner.y.wrapping_add(tap / self.taps[1] * self.geometry.dilation[0]);
        let x = corner.x.wrapping_add(tap % self.taps[1] * self.geometry.dilation[1]);
        if y < height && x < width {
            &self.x[((corner.image * height + y) * width + x) * channels..][..self.run]
        } else {
            self.zeros
        }
    }
}
