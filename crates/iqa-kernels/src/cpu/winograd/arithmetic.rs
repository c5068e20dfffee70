//! How transformed values are kept and multiplied.

use pulp::{Simd, WithSimd, bytemuck};

use super::Steps;
use super::source::{Sink, Whole};
use crate::cpu::bf16::{self, CHANNELS, Configured, Operands, PIXELS, Unit};
use crate::cpu::simd::{self, load, panel_width, store};
use crate::cpu::weights::Panels;

/// Single values, or such in parts.
pub(in crate::cpu) trait Arithmetic: Sync {
    /// What values are kept as.
    type Value: bytemuck::Pod + Send + Sync;
    /// What must be there while there are products.
    type Ready;
    /// Parts of a value, one after another in memory, each of all matrices.
    const PARTS: usize;
    /// Tiles of a group of the inner loop.
    const GROUP: usize;
    /// Tiles in a block where the stages follow one another; of whole groups.
    const BLOCK: usize;

    /// Panels of output channels.
    fn panels(&self) -> usize;

    /// Values from one tile to the next, of so many channels.
    fn tile(channels: usize) -> usize;

    /// Bytes of a value with all its parts.
    fn bytes() -> usize {
        Self::PARTS * size_of::<Self::Value>()
    }

    /// Before products, and held until they are there.
    fn ready() -> Self::Ready;

    /// Tiles to be filled up for so many, with copies.
    fn filled<S: Simd>(count: usize) -> usize;

    /// Where the transformed values of the tile `slot` of a block go; `left` is room.
    fn sink<'a, S: Simd, const IN: usize>(
        block: &'a mut [Self::Value],
        slot: usize,
        step: Steps,
        left: &'a mut [[S::f32s; IN]; IN],
    ) -> impl Sink<S>;

    /// The products of one matrix with one panel for `count` tiles of a block, `[tile, channel]`.
    #[allow(clippy::too_many_arguments)]
    fn multiply<S: Simd>(
        &self,
        simd: S,
        block: &[Self::Value],
        step: Steps,
        matrix: usize,
        panel: usize,
        count: usize,
        products: &mut [f32],
    );
}

/// Values as they are, by vectors.
pub(in crate::cpu) struct Single<'a> {
    pub(in crate::cpu) weights: &'a Panels,
    pub(in crate::cpu) channels: usize,
}

impl Arithmetic for Single<'_> {
    type Value = f32;
    type Ready = ();
    const PARTS: usize = 1;
    const GROUP: usize = 12;
    const BLOCK: usize = 48;

    fn panels(&self) -> usize {
        self.weights.panels
    }

    fn tile(channels: usize) -> usize {
        channels.next_multiple_of(simd::panel())
    }

    fn ready() {}

    #[inline(always)]
    fn filled<S: Simd>(count: usize) -> usize {
        count.next_multiple_of(if S::REGISTER_COUNT >= 32 { 12 } else { 6 })
    }

    #[inline(always)]
    fn sink<'a, S: Simd, const IN: usize>(
        block: &'a mut [f32],
        slot: usize,
        step: Steps,
        _: &'a mut [[S::f32s; IN]; IN],
    ) -> impl Sink<S> {
        Whole { values: &mut block[slot * step.tile..], step: step.matrix }
    }

    #[inline(always)]
    fn multiply<S: Simd>(
        &self,
        simd: S,
        block: &[f32],
        step: Steps,
        matrix: usize,
        panel: usize,
        count: usize,
        products: &mut [f32],
    ) {
        let weights = self.weights.panel(matrix, panel, panel_width::<S>());
        let a = &block[matrix * step.matrix..][..step.matrix];
        simd.vectorize(Multiply { a, step: step.tile, channels: self.channels, count, weights, c: products });
    }
}

/// Values as sums of three of bf16, by [`Unit::Tiles`]. Two vectors lie in turns, a channel of the one and then of the other.
pub(in crate::cpu) struct Split<'a> {
    matrices: &'a [bf16::Panels<3>],
    steps: bf16::Steps,
}

impl<'a> Split<'a> {
    /// # Panics
    /// Where this computer has no tiles.
    pub(in crate::cpu) fn new(matrices: &'a [bf16::Panels<3>], channels: usize) -> Self {
        assert!(Unit::all().contains(&Unit::Tiles), "this processor has no tiles");
        Self { matrices, steps: bf16::Steps::new((0..channels).step_by(CHANNELS).collect()) }
    }

    /// The place of a channel in a tile.
    pub(in crate::cpu) fn place(channel: usize) -> usize {
        let within = channel % CHANNELS;
        channel - within + 2 * (within % (CHANNELS / 2)) + within / (CHANNELS / 2)
    }
}

impl Arithmetic for Split<'_> {
    type Value = u16;
    type Ready = Configured;
    const PARTS: usize = 3;
    const GROUP: usize = 2 * PIXELS;
    const BLOCK: usize = 4 * PIXELS;

    fn panels(&self) -> usize {
        self.matrices[0].panels
    }

    fn tile(channels: usize) -> usize {
        channels.next_multiple_of(CHANNELS)
    }

    fn ready() -> Configured {
        Configured::new()
    }

    /// What is left of earlier tiles is multiplied too, and not looked at.
    #[inline(always)]
    fn filled<S: Simd>(count: usize) -> usize {
        count
    }

    #[inline(always)]
    fn sink<'a, S: Simd, const IN: usize>(
        block: &'a mut [u16],
        slot: usize,
        step: Steps,
        left: &'a mut [[S::f32s; IN]; IN],
    ) -> impl Sink<S> {
        let part = block.len() / Self::PARTS;
        Parts::<S, IN> { values: &mut block[slot * step.tile..], part, step: step.matrix, left }
    }

    #[inline(always)]
    fn multiply<S: Simd>(
        &self,
        _: S,
        block: &[u16],
        step: Steps,
        matrix: usize,
        panel: usize,
        count: usize,
        products: &mut [f32],
    ) {
        let weights = self.matrices[matrix].panel(panel);
        for (group, sums) in
            products.as_chunks_mut().0.iter_mut().enumerate().take(count.div_ceil(Self::GROUP))
        {
            let first = group * Self::GROUP;
            // The second half of the last group may be empty.
            let second = if first + PIXELS < count { first + PIXELS } else { first };
            let tiles = [first, second].map(|slot| matrix * step.matrix + slot * step.tile);
            let operands = Operands { image: block, tiles, next: step.tile, steps: &self.steps, weights };
            bf16::products::<3>(Unit::Tiles, &operands, sums);
        }
    }
}

/// Values in three parts.
struct Parts<'a, S: Simd, const IN: usize> {
    values: &'a mut [u16],
    /// From one part to the next, and from one matrix to the next.
    part: usize,
    step: usize,
    /// The first vectors of two.
    left: &'a mut [[S::f32s; IN]; IN],
}

impl<S: Simd, const IN: usize> Sink<S> for Parts<'_, S, IN> {
    #[inline(always)]
    fn put(&mut self, simd: S, matrix: usize, from: usize, value: S::f32s) {
        let left = &mut self.left[matrix / IN][matrix % IN];
        if (from / S::F32_LANES).is_multiple_of(2) {
            *left = value;
            return;
        }
        let mut rest = [*left, value];
        let high = simd.splat_u32s(0xffff_0000);
        let half = simd.splat_u32s(0x8000);
        let target = &mut self.values[matrix * self.step + from - S::F32_LANES..];
        for part in 0..3 {
            let mut bits = [simd.splat_u32s(0); 2];
            for (bits, rest) in bits.iter_mut().zip(&mut rest) {
                *bits = simd.transmute_u32s_f32s(*rest);
                // The nearest of eight binary digits, except of the last part, which has no more.
                if part < 2 {
                    *bits = simd.and_u32s(simd.add_u32s(*bits, half), high);
                    *rest = simd.sub_f32s(*rest, simd.transmute_f32s_u32s(*bits));
                }
            }
            let low = simd.wrapping_dyn_shr_u32s(bits[0], simd.splat_u32s(16));
            let both = simd.or_u32s(low, simd.and_u32s(bits[1], high));
            let target: &mut [u32] =
                bytemuck::cast_slice_mut(&mut target[part * self.part..][..2 * S::U32_LANES]);
            S::as_mut_simd_u32s(target).0[0] = both;
        }
    }

    /// Of an odd number of vectors the last one is still to come.
    #[inline(always)]
    fn end(&mut self, simd: S, from: usize) {
        if !(from / S::F32_LANES).is_multiple_of(2) {
            for matrix in 0..IN * IN {
                self.put(simd, matrix, from, simd.splat_f32s(0.0));
            }
        }
    }
}

/// `c = a * weights` for one panel: `count` rows of `channels` values, `step` from one to the next. In a function of its own:
/// among other loops the registers that hold the sums go to the stack and back.
struct Multiply<'a> {
    a: &'a [f32],
    step: usize,
    channels: usize,
    count: usize,
    weights: &'a [f32],
    c: &'a mut [f32],
}

impl WithSimd for Multiply<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        if S::REGISTER_COUNT >= 32 { multiply::<S, 12>(simd, self) } else { multiply::<S, 6>(simd, self) }
    }
}

#[inline(always)]
fn multiply<S: Simd, const ROWS: usize>(simd: S, operands: Multiply<'_>) {
    let Multiply { a, step, channels, count, weights, c } = operands;
    // Weights of more channels would push each other out of the first-level cache.
    const CHANNELS: usize = 256;
    let width = panel_width::<S>();
    for from in (0..channels).step_by(CHANNELS) {
        let len = CHANNELS.min(channels - from);
        let weights = &weights[from * width..][..len * width];
        for first in (0..count).step_by(ROWS) {
            let mut rows: [&[f32]; ROWS] = [&[]; ROWS];
            for (r, row) in rows.iter_mut().enumerate() {
                *row = &a[(first + r) * step + from..][..len];
            }
            let mut sums = [[simd.splat_f32s(0.0); 2]; ROWS];
            simd::accumulate(simd, &mut sums, rows, weights);
            let c = &mut c[first * width..][..ROWS * width];
            for (c, sum) in c.chunks_exact_mut(width).zip(sums) {
                let (left, right) = c.split_at_mut(S::F32_LANES);
                if from == 0 {
                    store::<S>(left, sum[0]);
                    store::<S>(right, sum[1]);
                } else {
                    store::<S>(left, simd.add_f32s(load::<S>(left), sum[0]));
                    store::<S>(right, simd.add_f32s(load::<S>(right), sum[1]));
                }
            }
        }
    }
}
