use std::ops::RangeInclusive;

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
