//! Values as sums of bf16 values.
//!
//! `unsafe`, because the compiler does not know which processor will run it; whoever asks for [`into_parts`] does.
#![allow(unsafe_code)]

use super::CHANNELS;

#[cfg(target_arch = "x86_64")]
mod vectors {
    use std::arch::x86_64::{
        __m256i, __m512, __m512bh, __m512i, _mm512_castsi512_ps, _mm512_castsi512_si256,
        _mm512_cvtepu16_epi32, _mm512_cvtne2ps_pbh, _mm512_extracti64x4_epi64, _mm512_loadu_ps,
        _mm512_setzero_si512, _mm512_slli_epi32, _mm512_storeu_si512, _mm512_sub_ps,
    };

    use super::CHANNELS;

    /// Values in parts, from value `at` of each line on: as [`super::split`], but parts below the smallest normal number are zeros,
    /// as they are in products.
    ///
    /// # Panics
    /// Where a line ends before its values.
    pub(in super::super) fn into_parts<const PARTS: usize>(
        values: &[f32],
        lines: &mut [&mut [u16]; PARTS],
        at: usize,
    ) {
        // SAFETY: only called where `Unit::all` has found a unit, all of which have these instructions.
        unsafe { line(values, lines, at) };
    }

    #[target_feature(enable = "avx512f,avx512bf16")]
    fn line<const PARTS: usize>(values: &[f32], lines: &mut [&mut [u16]; PARTS], at: usize) {
        let (whole, last) = values.as_chunks::<CHANNELS>();
        for (index, values) in whole.iter().enumerate() {
            for (line, part) in lines.iter_mut().zip(parts::<PARTS>(values)) {
                let line =
                    line[at + index * CHANNELS..].first_chunk_mut().expect("a line as long as its values");
                store(line, part);
            }
        }
        if last.is_empty() {
            return;
        }
        let mut values = [0.0; CHANNELS];
        values[..last.len()].copy_from_slice(last);
        let at = at + whole.len() * CHANNELS;
        for (line, part) in lines.iter_mut().zip(parts::<PARTS>(&values)) {
            let mut stored = [0; CHANNELS];
            store(&mut stored, part);
            line[at..][..last.len()].copy_from_slice(&stored[..last.len()]);
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bf16")]
    fn parts<const PARTS: usize>(values: &[f32; CHANNELS]) -> [__m512i; PARTS] {
        let (left, right) = values.split_at(CHANNELS / 2);
        // SAFETY: sixteen values each.
        let [mut left, mut right] =
            unsafe { [_mm512_loadu_ps(left.as_ptr()), _mm512_loadu_ps(right.as_ptr())] };
        // A loop: what calls closures does not know of the instructions, and calls one for each part.
        let mut parts = [_mm512_setzero_si512(); PARTS];
        for part in &mut parts {
            *part = bits(_mm512_cvtne2ps_pbh(right, left));
            left = _mm512_sub_ps(left, widened(_mm512_castsi512_si256(*part)));
            right = _mm512_sub_ps(right, widened(_mm512_extracti64x4_epi64::<1>(*part)));
        }
        parts
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bf16")]
    fn widened(halves: __m256i) -> __m512 {
        _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(halves)))
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bf16")]
    fn bits(values: __m512bh) -> __m512i {
        // SAFETY: both are sixty-four bytes of any content.
        unsafe { std::mem::transmute(values) }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bf16")]
    fn store(line: &mut [u16; CHANNELS], part: __m512i) {
        // SAFETY: sixty-four bytes.
        unsafe { _mm512_storeu_si512(line.as_mut_ptr().cast(), part) };
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) use vectors::into_parts;

#[cfg(not(target_arch = "x86_64"))]
pub(super) fn into_parts<const PARTS: usize>(_: &[f32], _: &mut [&mut [u16]; PARTS], _: usize) {
    unreachable!("there is no unit")
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

/// Values as sums of so many of bf16, the largest first: the eight binary digits of three are the twenty-four of an f32.
#[inline(always)]
pub(super) fn split<const PARTS: usize>(values: &[f32; CHANNELS]) -> [[u16; CHANNELS]; PARTS] {
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

    /// Whole vectors and a rest, at both places of a line.
    #[test]
    fn vectors_have_the_parts_of_single_values() {
        if super::super::Unit::all().is_empty() {
            eprintln!("this processor multiplies no bf16 values: not tested");
            return;
        }
        let special = [0.0, -0.0, 1.0, f32::INFINITY, f32::NAN, 3.0e38, -1.5e-20];
        let values: Vec<f32> = (0..71_u32)
            .map(|index| f32::from_bits(0x3f80_0000 ^ index.wrapping_mul(0x9e37_79b9) >> 4))
            .chain(special)
            .collect();
        for at in [0, 5] {
            let mut lines = [(); 3].map(|()| vec![7_u16; at + values.len() + 1]);
            let [a, b, c] = &mut lines;
            into_parts::<3>(&values, &mut [a, b, c], at);
            for (index, value) in values.iter().enumerate() {
                let mut alone = [0.0; CHANNELS];
                alone[0] = *value;
                for (line, part) in lines.iter().zip(split::<3>(&alone)) {
                    let [found, expected] = [line[at + index], part[0]].map(bf16::from_bits);
                    assert!(
                        found == expected || found.is_nan() && expected.is_nan(),
                        "{value}: {found} {expected}"
                    );
                }
            }
            assert!(
                lines.iter().all(|line| line[..at].iter().all(|v| *v == 7) && line[at + values.len()] == 7)
            );
        }
    }

    #[test]
    fn values_are_rounded_as_by_another_library() {
        let ends =
            [0.0, -0.0, f32::MAX, f32::MIN, f32::INFINITY, f32::NEG_INFINITY, 1e-40, f32::MIN_POSITIVE];
        let steps = (0..u32::MAX - 0x1_0000).step_by(0x7fff).map(f32::from_bits);
        for value in ends.into_iter().chain(steps) {
            let [found, expected] = [bf16::from_bits(round(value)), bf16::from_f32(value)];
            assert!(found == expected || found.is_nan() && expected.is_nan(), "{value}: {found} {expected}");
        }
    }
}
