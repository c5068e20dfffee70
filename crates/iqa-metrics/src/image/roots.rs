//! Roots of positive numbers, several times as fast as the general power, to 4e-15 of them.
//!
//! Ours because powers take most of the time of VSI: the libraries at hand round them correctly, or compute them one at a time
//! in double precision.

/// `x^(1/3)`, for `x` of at least 0 that is not denormal.
#[inline(always)]
pub(super) fn cube_root(x: f64) -> f64 {
    let mut inverse = first_guess::<3>(x, 1_430_188_392);
    for _ in 0..4 {
        let cube = inverse * inverse * inverse;
        inverse *= (4.0 - x * cube) * (1.0 / 3.0);
    }
    if x > 0.0 { x * (inverse * inverse) } else { 0.0 }
}

/// `x^(1/5)`, for `x` of at least 0 that is not denormal.
#[inline(always)]
pub(super) fn fifth_root(x: f64) -> f64 {
    let mut inverse = first_guess::<5>(x, 1_287_170_264);
    for _ in 0..4 {
        let square = inverse * inverse;
        inverse *= (6.0 - x * (square * square * inverse)) * 0.2;
    }
    let square = inverse * inverse;
    if x > 0.0 { x * (square * square) } else { 0.0 }
}

/// Within a few hundredths of `x^(-1 / N)`: a part of the exponent is the exponent of the root. Each step of Newton's method after
/// it has twice as many digits, and needs no division.
#[inline(always)]
fn first_guess<const N: u32>(x: f64, offset: u32) -> f64 {
    let high = (x.to_bits() >> 32) as u32;
    f64::from_bits(u64::from(offset - high / N) << 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_are_those_of_the_standard_library() {
        let mut x = 1e-30;
        while x < 1e30 {
            for (found, expected) in [(cube_root(x), x.cbrt()), (fifth_root(x), x.powf(0.2))] {
                assert!((found / expected - 1.0).abs() <= 4e-15, "{x}: {found}, {expected}");
            }
            x *= 1.000_9;
        }
        assert_eq!([cube_root(0.0), fifth_root(0.0)], [0.0, 0.0]);
    }
}
