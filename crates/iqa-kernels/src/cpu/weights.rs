//! Weights in the orders that the algorithms read them in.

use std::sync::OnceLock;

use rayon::prelude::*;

use super::winograd::{F2, F4, Transform};
use super::{Buffer, buffers, direct, simd};

/// A copy of a convolution's weights for each algorithm that has needed one.
#[derive(Debug)]
pub struct PackedWeights {
    /// `[out, in, height, width]`
    shape: [usize; 4],
    direct: OnceLock<Panels>,
    winograd4: OnceLock<Panels>,
    winograd2: OnceLock<Panels>,
}

/// Weights, `[out, in, height, width]`, with their copies.
#[derive(Debug, Clone, Copy)]
pub struct Weights<'a> {
    original: &'a [f32],
    packed: &'a PackedWeights,
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
    /// `fill(out, column)` writes one output channel: `column` is `[matrix, depth]`.
    fn new(matrices: usize, depth: usize, out: usize, fill: impl Fn(usize, &mut [f32]) + Sync) -> Self {
        let width = simd::panel();
        let panels = out.div_ceil(width);
        let mut values = buffers::zeros(panels * matrices * depth * width);
        values.par_chunks_mut((matrices * depth * width).max(1)).enumerate().for_each(|(panel, values)| {
            let mut column = vec![0.0; matrices * depth];
            for (lane, o) in (panel * width..out.min((panel + 1) * width)).enumerate() {
                fill(o, &mut column);
                for (row, value) in values.chunks_exact_mut(width).zip(&column) {
                    row[lane] = *value;
                }
            }
        });
        Self { values, matrices, depth, panels }
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
        Self { shape, direct, winograd4, winograd2 }
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

/// The weights of the convolution that takes gradients of the output to gradients of the input: channels exchanged,
/// kernels turned by half a turn. `[in, out, height, width]`
pub fn transposed(weights: &[f32], [out, into, height, width]: [usize; 4]) -> Vec<f32> {
    let area = height * width;
    let mut turned = vec![0.0; weights.len()];
    for (index, kernel) in weights.chunks_exact(area.max(1)).enumerate() {
        let [o, i] = [index / into, index % into];
        let target = &mut turned[(i * out + o) * area..][..area];
        for (value, from) in target.iter_mut().zip(kernel.iter().rev()) {
            *value = *from;
        }
    }
    turned
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
            Panels::new(1, direct::depth(area, into), out, |o, column| {
                for (i, kernel) in self.kernels(o).chunks_exact(area).enumerate() {
                    for (place, value) in kernel.iter().enumerate() {
                        column[place * into + i] = *value;
                    }
                }
            })
        })
    }

    pub(super) fn winograd4(&self) -> &'a Panels {
        self.packed.winograd4.get_or_init(|| self.winograd::<F4, 6, 4>())
    }

    pub(super) fn winograd2(&self) -> &'a Panels {
        self.packed.winograd2.get_or_init(|| self.winograd::<F2, 4, 2>())
    }

    /// `G g G^T` of every kernel, computed in f64.
    fn winograd<T: Transform<IN, OUT>, const IN: usize, const OUT: usize>(&self) -> Panels {
        let [out, into, height, width] = self.packed.shape;
        assert_eq!([height, width], [3, 3], "Winograd tiles are for 3x3 kernels");
        let g = T::kernel_matrix();
        Panels::new(IN * IN, into, out, |o, column| {
            for (i, kernel) in self.kernels(o).chunks_exact(9).enumerate() {
                for (a, row) in g.iter().enumerate() {
                    let half: [f64; 3] =
                        std::array::from_fn(|x| (0..3).map(|y| row[y] * f64::from(kernel[3 * y + x])).sum());
                    for (b, g) in g.iter().enumerate() {
                        let value: f64 = half.iter().zip(g).map(|(half, g)| half * g).sum();
                        column[(a * IN + b) * into + i] = value as f32;
                    }
                }
            }
        })
    }
}
