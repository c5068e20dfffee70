//! Values of options.

use std::error::Error;
use std::ffi::OsStr;
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;

use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use iqa_models::datasets::DatasetError;
use iqa_models::datasets::loader::ReferenceCache;
use iqa_models::datasets::synthetic::{Reference, load_references};
use iqa_models::{available_devices, models};

/// A parser of whole numbers in a range, for options whose values take memory or time.
pub(crate) fn within(
    range: RangeInclusive<usize>,
) -> impl Fn(&str) -> Result<usize, String> + Clone + Send + Sync + 'static {
    move |text| {
        text.parse()
            .ok()
            .filter(|number| range.contains(number))
            .ok_or_else(|| format!("expected a whole number from {} to {}", range.start(), range.end()))
    }
}

/// A parser of what multiplies a network's widths: a number that is positive and not beyond all memory.
///
/// # Errors
/// What was expected, for other text.
pub(crate) fn width(text: &str) -> Result<f64, String> {
    let fits = |width: &f64| *width > 0.0 && *width <= 16.0;
    text.parse().ok().filter(fits).ok_or_else(|| "expected a number above 0 and up to 16".into())
}

/// A parser of a width and a height, which may be 0: `512x384` or `512,384`.
///
/// # Errors
/// What was expected, for other text.
pub(crate) fn size(text: &str) -> Result<(u32, u32), String> {
    let side = |text: &str| text.parse::<u32>().ok();
    text.split_once(['x', ','])
        .and_then(|(width, height)| Some((side(width)?, side(height)?)))
        .ok_or_else(|| "expected WIDTHxHEIGHT, as in 512x384".into())
}

/// The photographs of a folder, of which so many MiB stay decoded (default: 2048); says so where that is not all.
pub(crate) fn photographs(folder: &Path, cache: Option<usize>) -> Result<Arc<Vec<Reference>>, DatasetError> {
    let bytes = mib(cache.unwrap_or(2048));
    let references = load_references(folder, &ReferenceCache::new(bytes))?;
    let size = |reference: &Reference| {
        let (width, height) = reference.dimensions();
        3 * u64::from(width) * u64::from(height)
    };
    let all: u64 = references.iter().map(size).sum();
    if all > bytes as u64 {
        remark!(
            "{}: {} MiB of photographs, of which {} are kept; others are read again when they are used; \
             `train --cache` says how many",
            folder.display(),
            all >> 20,
            bytes >> 20
        );
    }
    Ok(Arc::new(references))
}

/// Bytes in so many MiB.
pub(crate) fn mib(count: usize) -> usize {
    count.saturating_mul(1 << 20)
}

/// What comes twice in a list, or more often.
pub(crate) fn repeated<T: PartialEq>(values: &[T]) -> Option<&T> {
    (1..values.len()).find(|&place| values[..place].contains(&values[place])).map(|place| &values[place])
}

/// Any text, with the names that a shell may complete.
#[derive(Clone)]
pub(crate) struct Known(fn() -> Vec<&'static str>);

impl Known {
    pub(crate) const MODELS: Self = Self(|| models().map(|model| model.name).collect());
    pub(crate) const DEVICES: Self = Self(available_devices);
}

impl TypedValueParser for Known {
    type Value = String;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<String, clap::Error> {
        StringValueParser::new().parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new((self.0)().into_iter().map(PossibleValue::new)))
    }
}

/// The places of photographs that are named, each once.
///
/// # Errors
/// A name that no photograph has, or two have, and one that is given twice.
pub(crate) fn photographs_by_name(
    references: &[Reference],
    names: &[String],
) -> Result<Vec<usize>, Box<dyn Error>> {
    if let Some(name) = repeated(names) {
        return Err(format!("the photograph `{name}` is named twice").into());
    }
    let place = |name: &String| -> Result<usize, Box<dyn Error>> {
        let mut called = (0..references.len()).filter(|&place| references[place].name == *name);
        let place = called.next().ok_or_else(|| format!("no photograph is called `{name}`"))?;
        if let Some(other) = called.next() {
            let [one, other] = [place, other].map(|place| references[place].path.display());
            return Err(format!("two photographs are called `{name}`: {one} and {other}").into());
        }
        Ok(place)
    };
    names.iter().map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_two_whole_numbers() {
        for text in ["96x64", "96,64"] {
            assert_eq!(size(text), Ok((96, 64)), "{text}");
        }
        for text in ["", "96", "x", "96x", "x64", "96x64x3", "96,64,3", "-1x64", "9.5x64", "wide,64"] {
            let expected = "expected WIDTHxHEIGHT, as in 512x384";
            assert_eq!(size(text).expect_err("no size"), expected, "{text}");
        }
    }

    #[test]
    fn what_comes_twice_is_found() {
        assert_eq!(repeated(&["a", "b", "a", "b"]), Some(&"a"));
        assert_eq!(repeated(&["a", "b", "c"]), None);
        assert_eq!(repeated::<u8>(&[]), None);
    }
}
