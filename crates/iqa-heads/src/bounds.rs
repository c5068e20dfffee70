//! What a configuration may ask for. One that was read from a file may be damaged, and a network is made of it.

use std::fmt::Debug;
use std::ops::RangeInclusive;

use crate::HeadError;

/// Channels and hidden units of a layer; the networks of the papers have up to 512.
pub(crate) const WIDTH: RangeInclusive<usize> = 1..=1 << 14;
/// Layers in a row.
pub(crate) const LAYERS: usize = 64;
/// Side of a crop or patch, in pixels; the networks of the papers have up to 288.
pub(crate) const MAX_SIDE: usize = 2048;

/// Characters of a value that an error shows.
const SHOWN: usize = 120;

/// The error of a field, however long its value is.
pub(crate) fn invalid(field: &'static str, found: impl Debug, expected: &'static str) -> HeadError {
    let mut found = format!("{found:?}");
    if let Some((cut, _)) = found.char_indices().nth(SHOWN) {
        found.truncate(cut);
        found.push_str("...");
    }
    HeadError::InvalidConfig { field, found, expected }
}

/// A number of channels or units.
pub(crate) fn width(field: &'static str, value: usize) -> Result<(), HeadError> {
    if WIDTH.contains(&value) { Ok(()) } else { Err(invalid(field, value, "1 to 16384")) }
}

/// A nominal range of scores.
pub(crate) fn score_range(range: (f64, f64)) -> Result<(), HeadError> {
    let (low, high) = range;
    // Of two finite numbers far apart the difference may be none.
    if low < high && (high - low).is_finite() {
        Ok(())
    } else {
        Err(invalid("range", range, "(lowest, highest)"))
    }
}

/// The range of 16 bits. Offsets far beyond leave nothing of an image in 32-bit floats.
const MAX_INPUT: f64 = 65_536.0;

/// What an image in `[0, 1]` is multiplied by before the network, and what is added.
pub(crate) fn input(scale: f64, offset: f64) -> Result<(), HeadError> {
    let within = |value: f64| (-MAX_INPUT..=MAX_INPUT).contains(&value);
    if scale == 0.0 || !within(scale) {
        return Err(invalid("input_scale", scale, "a number other than 0, from -65536 to 65536"));
    }
    if within(offset) {
        Ok(())
    } else {
        Err(invalid("input_offset", offset, "a number from -65536 to 65536"))
    }
}
