//! Where tiles come from.

use pulp::Simd;

use super::Transform;
use crate::cpu::Size;
use crate::cpu::simd::{load, store};

/// Images with zeros around them.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) x: &'a [f32],
    pub(super) size: Size,
    /// Rows above and columns to the left.
    pub(super) padding: [usize; 2],
    /// A pixel outside.
    pub(super) zeros: &'a [f32],
}

impl<'a> Source<'a> {
    /// The pixels of the tile at `[row, column]` of the result.
    #[inline(always)]
    pub(super) fn tile<const IN: usize>(&self, image: usize, at: [usize; 2]) -> [[&'a [f32]; IN]; IN] {
        let Size { height, width, channels, .. } = self.size;
        let [top, left] = [at[0].wrapping_sub(self.padding[0]), at[1].wrapping_sub(self.padding[1])];
        let mut pixels = [[self.zeros; IN]; IN];
        for (y, pixels) in pixels.iter_mut().enumerate() {
            let y = top.wrapping_add(y);
            if y >= height {
                continue;
            }
            let row = &self.x[(image * height + y) * width * channels..][..width * channels];
            for (x, pixel) in pixels.iter_mut().enumerate() {
                let x = left.wrapping_add(x);
                if x < width {
                    *pixel = &row[x * channels..][..channels];
                }
            }
        }
        pixels
    }

    /// `B^T d B` of the tile at `[row, column]` of the result, a vector of channels after another; `half` is room.
    #[inline(always)]
    pub(super) fn transform<T: Transform<IN, OUT>, S: Simd, const IN: usize, const OUT: usize>(
        &self,
        simd: S,
        image: usize,
        at: [usize; 2],
        half: &mut [[S::f32s; IN]; IN],
        sink: &mut impl Sink<S>,
    ) {
        let channels = self.size.channels;
        let pixels = self.tile::<IN>(image, at);
        for from in (0..channels).step_by(S::F32_LANES) {
            let full = from + S::F32_LANES <= channels;
            for x in 0..IN {
                let mut d = [simd.splat_f32s(0.0); IN];
                for (value, row) in d.iter_mut().zip(&pixels) {
                    *value = if full {
                        load::<S>(&row[x][from..])
                    } else {
                        simd.partial_load_f32s(&row[x][from..])
                    };
                }
                for (half, value) in half.iter_mut().zip(T::input(simd, d)) {
                    half[x] = value;
                }
            }
            for (y, half) in half.iter().enumerate() {
                for (x, value) in T::input(simd, *half).into_iter().enumerate() {
                    sink.put(simd, y * IN + x, from, value);
                }
            }
        }
        sink.end(simd, channels.next_multiple_of(S::F32_LANES));
    }
}

/// Where transformed values go.
pub(in crate::cpu) trait Sink<S: Simd> {
    /// Takes those of the channels from `from` on, of one matrix.
    fn put(&mut self, simd: S, matrix: usize, from: usize, value: S::f32s);

    /// After the last of them, before channel `from`.
    #[inline(always)]
    fn end(&mut self, _: S, _: usize) {}
}

/// Values as they are: the first matrix at the beginning, `step` from one to the next.
pub(super) struct Whole<'a> {
    pub(super) values: &'a mut [f32],
    pub(super) step: usize,
}

impl<S: Simd> Sink<S> for Whole<'_> {
    #[inline(always)]
    fn put(&mut self, _: S, matrix: usize, from: usize, value: S::f32s) {
        store::<S>(&mut self.values[matrix * self.step + from..], value);
    }
}
