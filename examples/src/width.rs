/// A parser of what multiplies a network's widths: a number that is positive and not beyond all memory.
///
/// # Errors
/// What was expected, for other text.
pub fn width(text: &str) -> Result<f64, String> {
    let fits = |width: &f64| *width > 0.0 && *width <= 16.0;
    text.parse().ok().filter(fits).ok_or_else(|| "expected a number above 0 and up to 16".into())
}
