//! Weights in the orders that the algorithms read them in.

use std::sync::OnceLock;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::winograd::{F2, F4, Split, Transform};
use super::{Buffer, bf16, buffers, direct, simd};

/// A copy of a convolution's weights for each algorithm that has needed one.
#[derive(Debug)]
pub struct PackedWeights {
    /// `[out, in, height, width]`
    shape: [usize; 4],
    direct: OnceLock<Panels>,
    winograd4: OnceLock<Panels>,
    winograd2: OnceLock<Panels>,
    /// Of [`F4`], each matrix by itself.
    winograd4_split: OnceLock<Vec<bf16::Panels<3>>>,
    pub(super) bf16: Tiled<1>,
    pub(super) split: Tiled<3>,
}

/// Copies in tiles, each weight a sum of `PARTS` bf16 values.
#[derive(Debug, Default)]
pub(super) struct Tiled<const PARTS: usize> {
    panels: OnceLock<bf16::Panels<PARTS>>,
    /// As one matrix for images of that height and width, the first that came.
    dense: OnceLock<([usize; 2], bf16::Panels<PARTS>)>,
}

/// Weights, `[out, in, height, width]`, with their copies.
#[derive(Debug, Clone, Copy)]
pub struct Weights<'a> {
    original: &'a [f32],
    pub(super) packed: &'a PackedWeights,
}

/// Matrices `[depth, out]`, cut into panels of [`simd::panel`] output channels: `[panel, matrix, depth, channel]`;
/// the last panel is filled up with zeros.
#[derive(Debug)]
pub(super) struct Panels {
    values: Buffer,
    matrices: usize,
    depth: usize,
    pub(super) panels: usize,
}

impl Panels {
    /// One matrix; `fill(out, column)` writes one output channel, `[depth]`.
    fn new(depth: usize, out: usize, fill: impl Fn(usize, &mut [f32]) + Sync) -> Self {
        let width = simd::panel();
        let panels = out.div_ceil(width);
        let mut values = buffers::zeros(panels * depth * width);
        values.par_chunks_mut((depth * width).max(1)).enumerate().for_each(|(panel, values)| {
            let mut column = vec![0.0; depth];
            for (lane, o) in (panel * width..out.min((panel + 1) * width)).enumerate() {
                fill(o, &mut column);
                for (row, value) in values.chunks_exact_mut(width).zip(&column) {
                    row[lane] = *value;
                }
            }
        });
        Self { values, matrices: 1, depth, panels }
    }

    /// Panel `panel` of matrix `matrix`.
    #[inline(always)]
    pub(super) fn panel(&self, matrix: usize, panel: usize, width: usize) -> &[f32] {
        let len = self.depth * width;
        &self.values[(panel * self.matrices + matrix) * len..][..len]
    }
}

impl PackedWeights {
    /// Room for copies of weights of the shape `[out, in, height, width]`.
    pub fn new(shape: [usize; 4]) -> Self {
        let [direct, winograd4, winograd2] = [const { OnceLock::new() }; 3];
        Self {
            shape,
            direct,
            winograd4,
            winograd2,
            winograd4_split: OnceLock::new(),
            bf16: Tiled::default(),
            split: Tiled::default(),
        }
    }

    /// The weights themselves beside their copies; always the same ones.
    ///
    /// # Panics
    /// When the number of values is another than the shape's.
    pub fn with<'a>(&'a self, original: &'a [f32]) -> Weights<'a> {
        assert_eq!(original.len(), self.shape.iter().product::<usize>(), "weights of another shape");
        Weights { original, packed: self }
    }
}

impl<'a> Weights<'a> {
    pub(super) fn channels_in(&self) -> usize {
        self.packed.shape[1]
    }

    pub(super) fn channels_out(&self) -> usize {
        self.packed.shape[0]
    }

    /// `[in, height, width]` of one output channel.
    fn kernels(&self, out: usize) -> &'a [f32] {
        let len = self.packed.shape[1..].iter().product::<usize>();
        &self.original[out * len..][..len]
    }

    /// One matrix, of depth `height * width * in`, filled up with zeros to [`direct::depth`].
    pub(super) fn direct(&self) -> &'a Panels {
        let [out, into, height, width] = self.packed.shape;
        let area = height * width;
        self.packed.direct.get_or_init(|| {
            Panels::new(direct::depth(area, into), out, |o, column| {
                for (i, kernel) in self.kernels(o).chunks_exact(area).enumerate() {
                    for (place, value) in kernel.iter().enumerate() {
                        column[place * into + i] = *value;
                    }
                }
            })
        })
    }

    pub(super) fn tiled<const PARTS: usize>(&self, kept: &'a Tiled<PARTS>) -> &'a bf16::Panels<PARTS> {
        kept.panels.get_or_init(|| bf16::Panels::new(self.original, self.packed.shape))
    }

    /// As one matrix for images of that size; `None` where another size came before.
    pub(super) fn dense<const PARTS: usize>(
        &self,
        kept: &'a Tiled<PARTS>,
        size: [usize; 2],
    ) -> Option<&'a bf16::Panels<PARTS>> {
        let (known, panels) = kept.dense.get_or_init(|| {
            let [out, into, ..] = self.packed.shape;
            let pixels = size[0] * size[1];
            let matrix = bf16::matrix(self.original, [out, into], size);
            (size, bf16::Panels::new(&matrix, [pixels * out, pixels * into, 1, 1]))
        });
        (*known == size).then_some(panels)
    }

    pub(super) fn winograd4(&self) -> &'a Panels {
        self.packed.winograd4.get_or_init(|| self.winograd::<F4, 6, 4>())
    }

    pub(super) fn winograd2(&self) -> &'a Panels {
        self.packed.winograd2.get_or_init(|| self.winograd::<F2, 4, 2>())
    }

    /// Matrices `[out, in]` in the order of [`Split::place`].
    pub(super) fn winograd4_split(&self) -> &'a [bf16::Panels<3>] {
        self.packed.winograd4_split.get_or_init(|| {
            let [out, into, ..] = self.packed.shape;
            let (width, depth) = (simd::panel(), into.next_multiple_of(bf16::CHANNELS));
            let whole = self.winograd::<F4, 6, 4>();
            let matrix = |matrix| {
                let mut values = buffers::zeros(out * depth);
                values.par_chunks_mut(depth).enumerate().for_each(|(o, values)| {
                    let panel = whole.panel(matrix, o / width, width).iter().skip(o % width);
                    for (i, value) in panel.step_by(width).enumerate() {
                        values[Split::place(i)] = *value;
                    }
                });
                bf16::Panels::new(&values, [out, depth, 1, 1])
            };
            (0..whole.matrices).map(matrix).collect()
        })
    }

    /// `G g G^T` of every kernel, computed in f64.
    fn winograd<T: Transform<IN, OUT>, const IN: usize, const OUT: usize>(&self) -> Panels {
        let [out, into, height, width] = self.packed.shape;
        assert_eq!([height, width], [3, 3], "Winograd tiles are for 3x3 kernels");
        let lanes = simd::panel();
        let panels = out.div_ceil(lanes);
        let mut values = buffers::take(panels * IN * IN * into * lanes);
        let g = T::kernel_matrix();
        let arch = simd::arch();
        values.par_chunks_mut((IN * IN * into * lanes).max(1)).enumerate().for_each(|(panel, values)| {
            let kernels: Vec<&[f32]> =
                (panel * lanes..out.min((panel + 1) * lanes)).map(|o| self.kernels(o)).collect();
            arch.dispatch(Transformed { g: &g, kernels: &kernels, lanes, into, values });
        });
        Panels { values, matrices: IN * IN, depth: into, panels }
    }
}

/// Kernels computed at once.
const AT_ONCE: usize = 8;

/// Those of a panel, in Winograd's domain: `values` is `[matrix, in, channel]`.
struct Transformed<'a, const IN: usize> {
    g: &'a [[f64; 3]; IN],
    /// `[in, 3, 3]` of each output channel.
    kernels: &'a [&'a [f32]],
    lanes: usize,
    into: usize,
    values: &'a mut [f32],
}

impl<const IN: usize> WithSimd for Transformed<'_, IN> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { g, kernels, lanes, into, values } = self;
        for i in 0..into {
            for first in (0..lanes).step_by(AT_ONCE) {
                let mut kernel = [[0.0_f64; AT_ONCE]; 9];
                for (lane, from) in kernels.iter().skip(first).take(AT_ONCE).enumerate() {
                    let from = &from[9 * i..][..9];
                    (0..9).for_each(|place| kernel[place][lane] = f64::from(from[place]));
                }
                for (a, row) in g.iter().enumerate() {
                    let half: [[f64; AT_ONCE]; 3] =
                        std::array::from_fn(|x| weighted(*row, [kernel[x], kernel[3 + x], kernel[6 + x]]));
                    for (b, row) in g.iter().enumerate() {
                        let found = weighted(*row, half).map(|value| value as f32);
                        let target = &mut values[((a * IN + b) * into + i) * lanes + first..];
                        // A copy of a length known here is a store.
                        match target.first_chunk_mut::<AT_ONCE>() {
                            Some(target) if first + AT_ONCE <= lanes => *target = found,
                            _ => target[..lanes - first].copy_from_slice(&found[..lanes - first]),
                        }
                    }
                }
            }
        }
    }
}

/// `weights[0] * values[0] + weights[1] * values[1] + weights[2] * values[2]`, in this order.
#[inline(always)]
fn weighted(weights: [f64; 3], values: [[f64; AT_ONCE]; 3]) -> [f64; AT_ONCE] {
    std::array::from_fn(|lane| {
        weights[0] * values[0][lane] + weights[1] * values[1][lane] + weights[2] * values[2][lane]
    })
}
