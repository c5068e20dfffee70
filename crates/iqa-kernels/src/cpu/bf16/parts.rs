//! Values as sums of bf16 values.

use super::CHANNELS;

/// The nearest bf16 value, of two the even one; what is not a number stays so.
#[inline(always)]
fn round(value: f32) -> u16 {
    if value.is_nan() { 0x7fc0 } else { nearest(value.to_bits()) }
}

#[inline(always)]
fn nearest(bits: u32) -> u16 {
    (bits.wrapping_add(0x7fff + (bits >> 16 & 1)) >> 16) as u16
}

/// Values in parts, from value `at` of each line on.
#[inline(always)]
pub(super) fn into_parts<const PARTS: usize>(values: &[f32], lines: &mut [&mut [u16]; PARTS], at: usize) {
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
