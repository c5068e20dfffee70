use std::error::Error;
use std::ops::RangeInclusive;

use iqa_models::datasets::synthetic::Reference;

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
