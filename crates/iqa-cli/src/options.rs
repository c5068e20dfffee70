//! Values of options.

use std::error::Error;
use std::ffi::OsStr;
use std::ops::RangeInclusive;

use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use iqa_models::datasets::synthetic::Reference;
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

/// The places of photographs that are named.
pub(crate) fn photographs_by_name(
    references: &[Reference],
    names: &[String],
) -> Result<Vec<usize>, Box<dyn Error>> {
    names
        .iter()
        .map(|name| {
            references
                .iter()
                .position(|reference| &reference.name == name)
                .ok_or_else(|| format!("no photograph is called `{name}`").into())
        })
        .collect()
}
