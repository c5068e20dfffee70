//! What all charts share: axes that hold whatever numbers come.

use std::ops::Range;

/// Largest magnitude on an axis. Margins and differences of numbers up to it do not overflow.
const LARGEST: f64 = 1e300;
/// Extents below this part of the numbers themselves are rounding; no axis can be divided into them.
const LEAST_EXTENT: f64 = 1e-9;
/// Free space at each end, as a part of the extent.
const MARGIN: f64 = 0.04;

/// Where a number stands on an axis: itself, or within 1e300 of 0. `None` for NaN and infinities, which stand nowhere.
pub fn drawn(value: f64) -> Option<f64> {
    value.is_finite().then(|| value.clamp(-LARGEST, LARGEST))
}

/// An axis that holds all of `values` that can be [`drawn`], with some space at both ends. Equal values get a range
/// around them; without values it goes from 0 to 1.
///
/// ```
/// use iqa_metrics::chart::axis;
/// assert_eq!(axis([0.0, 25.0, f64::NAN]), -1.0..26.0);
/// assert_eq!(axis([3.0]), 1.5..4.5);
/// ```
pub fn axis(values: impl IntoIterator<Item = f64>) -> Range<f64> {
    let (low, high) = values
        .into_iter()
        .filter_map(drawn)
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    if low > high {
        return 0.0..1.0;
    }
    let largest = low.abs().max(high.abs());
    let extent = high - low;
    let margin = if extent > (LEAST_EXTENT * largest).max(f64::MIN_POSITIVE) {
        MARGIN * extent
    } else {
        largest.max(1.0) / 2.0
    };
    low - margin..high + margin
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_is_finite_and_can_be_divided_whatever_the_values() {
        let (inf, nan) = (f64::INFINITY, f64::NAN);
        let cases: [&[f64]; 12] = [
            &[],
            &[nan, inf, -inf],
            &[0.0, 0.0],
            &[7.0; 3],
            &[1e17; 2],
            &[1e17, 1e17 + 16.0],
            &[-1e308, 1e308],
            &[1e308, 1.000_000_1e308],
            &[f64::MAX, f64::MIN],
            &[0.0, 5e-324],
            &[1e-300, 2e-300, nan],
            &[-3.0, inf, 4.0],
        ];
        for values in cases {
            let Range { start, end } = axis(values.iter().copied());
            assert!(start.is_finite() && end.is_finite(), "{values:?}: {start} to {end}");
            let steps = (end - start) / 1000.0;
            assert!(
                steps > 0.0 && start + steps > start && end - steps < end,
                "{values:?}: {start} to {end}"
            );
            for value in values.iter().copied().filter_map(drawn) {
                assert!((start..=end).contains(&value), "{values:?}: {start} to {end}");
            }
        }
    }
}
