//! AVX512-BF16: sums of products of pairs, in vectors.
//!
//! `unsafe`, because the compiler does not know which processor will run it; [`is_there`] does.
#![allow(unsafe_code)]

use super::{CHANNELS, Operands, PIXELS, STEP, Steps, Sums};

#[cfg(target_arch = "x86_64")]
mod pairs {
    use std::arch::x86_64::{
        __m512bh, __m512i, _mm512_dpbf16_ps, _mm512_loadu_si512, _mm512_set1_epi32, _mm512_setzero_ps,
        _mm512_storeu_ps,
    };

    use super::{CHANNELS, Operands, PIXELS, STEP, Steps, Sums};

    pub(in super::super) fn is_there() -> bool {
        is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bf16")
    }

    /// Pixels computed at once: with two vectors of sums each, and the weights, all in registers.
    const ROWS: usize = 8;

    pub(in super::super) fn products(operands: &Operands<'_>, sums: &mut Sums) {
        let Operands { image, tiles, next, steps, weights } = *operands;
        for (group, sums) in sums.chunks_exact_mut(ROWS * CHANNELS).enumerate() {
            let first = tiles[group * ROWS / PIXELS] + group * ROWS % PIXELS * next;
            // SAFETY: only called where `is_there` has found the instructions.
            unsafe { rows(image, first, next, steps, weights, sums) };
        }
    }

    #[target_feature(enable = "avx512f,avx512bf16")]
    fn rows(image: &[u16], first: usize, next: usize, steps: &Steps, weights: &[u16], sums: &mut [f32]) {
        let mut held = [[_mm512_setzero_ps(); 2]; ROWS];
        for (offset, weights) in steps.offsets.iter().zip(weights.chunks_exact(STEP)) {
            let rows: [&[[u16; 2]]; ROWS] =
                std::array::from_fn(|row| image[first + row * next + offset..][..CHANNELS].as_chunks().0);
            let (left, right) = weights.split_at(STEP / 2);
            for (pair, (left, right)) in
                left.chunks_exact(CHANNELS).zip(right.chunks_exact(CHANNELS)).enumerate()
            {
                let [left, right] = [load(left), load(right)];
                for (held, row) in held.iter_mut().zip(rows) {
                    let [low, high] = row[pair];
                    let value = as_halves(_mm512_set1_epi32((u32::from(high) << 16 | u32::from(low)) as i32));
                    held[0] = _mm512_dpbf16_ps(held[0], value, left);
                    held[1] = _mm512_dpbf16_ps(held[1], value, right);
                }
            }
        }
        for (held, sums) in held.iter().zip(sums.chunks_exact_mut(CHANNELS)) {
            for (held, sums) in held.iter().zip(sums.as_chunks_mut::<16>().0) {
                // SAFETY: sixteen values.
                unsafe { _mm512_storeu_ps(sums.as_mut_ptr(), *held) };
            }
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bf16")]
    fn load(values: &[u16]) -> __m512bh {
        let values = &values[..CHANNELS];
        // SAFETY: sixty-four bytes, as the slice is long.
        as_halves(unsafe { _mm512_loadu_si512(values.as_ptr().cast()) })
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bf16")]
    fn as_halves(values: __m512i) -> __m512bh {
        // SAFETY: both are sixty-four bytes of any content.
        unsafe { std::mem::transmute(values) }
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) use pairs::{is_there, products};

#[cfg(not(target_arch = "x86_64"))]
pub(super) fn is_there() -> bool {
    false
}

#[cfg(not(target_arch = "x86_64"))]
pub(super) fn products(_: &Operands<'_>, _: &mut Sums) {
    unreachable!("there are no pairs")
}
