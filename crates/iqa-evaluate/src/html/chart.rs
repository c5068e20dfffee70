//! Charts as SVG in the colours of the page.

use std::fmt::Write as _;
use std::ops::Range;

use iqa_metrics::Summary;
use iqa_metrics::chart::{axis, drawn};

use super::Picture;
use super::markup::{escape, number};

/// Extents in the units of the drawing.
const WIDTH: f64 = 420.0;
const LEFT: f64 = 56.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 10.0;
const FOOT: f64 = 42.0;
const BARS: f64 = 150.0;
const SQUARE: f64 = 300.0;
/// Up to so many values are also drawn one by one below the bars.
const FEW: usize = 300;

/// A chart with what is said below it.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    /// What it shows.
    pub caption: String,
    pub(super) drawing: Drawing,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Drawing {
    /// Our own, which stands in the page.
    Svg(String),
    /// From a file: as a picture it can neither run nor load anything.
    Picture(Picture),
}

/// A point of a chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Dot {
    /// Across and up.
    pub at: [f64; 2],
    /// What the pointer shows.
    pub name: String,
}

impl Chart {
    /// How often values occur: bars, each value below them where they are few, and the median, dashed. What is not finite is
    /// left out; `None` where nothing is left.
    pub fn histogram(name: &str, values: &[f64]) -> Option<Self> {
        let mut values: Vec<f64> = values.iter().copied().filter_map(drawn).collect();
        values.sort_unstable_by(f64::total_cmp);
        let middle = Summary::of(&values)?.median;
        let across = Axis { values: axis(values.iter().copied()), ends: LEFT..WIDTH - RIGHT };
        let Range { start, end } = across.values.clone();
        let bins = (values.len() as f64).sqrt().ceil().clamp(8.0, 30.0) as usize;
        let edge = |bin: usize| start + (end - start) * (bin as f64 / bins as f64);
        let mut counts = vec![0usize; bins];
        for value in &values {
            let bin = ((value - start) / (end - start) * bins as f64) as usize;
            counts[bin.min(bins - 1)] += 1;
        }
        let most = counts.iter().copied().max().unwrap_or_default().max(1);
        let bottom = TOP + BARS;
        let rug = if values.len() <= FEW { 14.0 } else { 0.0 };
        let mut svg = open(bottom + rug + FOOT, &format!("How the scores of {name} are distributed"));
        for (bin, &count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            let (from, to) = (edge(bin), edge(bin + 1));
            let (x, height) = (across.place(from), BARS * count as f64 / most as f64);
            let _ = write!(
                svg,
                "<rect class=\"bar\" x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{height:.1}\"><title>{} to {}: \
                 {count}</title></rect>",
                x + 0.5,
                bottom - height,
                (across.place(to) - x - 1.0).max(1.0),
                number(from),
                number(to),
            );
        }
        line(&mut svg, "axis", [LEFT, bottom], [WIDTH - RIGHT, bottom]);
        if rug > 0.0 {
            for value in &values {
                let _ = write!(
                    svg,
                    "<circle class=\"dot\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\"/>",
                    across.place(*value),
                    bottom + 8.0
                );
            }
        }
        let x = across.place(middle);
        line(&mut svg, "middle", [x, TOP], [x, bottom + rug]);
        text(&mut svg, [LEFT - 6.0, TOP + 10.0], "end", &most.to_string());
        text(&mut svg, [LEFT - 6.0, bottom], "end", "0");
        across.label(&mut svg, bottom + rug, name);
        svg += "</svg>";
        let caption = format!("{name}: images by score; dashed, the median {}", number(middle));
        Some(Self { caption, drawing: Drawing::Svg(svg) })
    }

    /// Points over two axes. Those that are not finite are left out; `None` where nothing is left.
    pub fn scatter(names: [&str; 2], dots: &[Dot]) -> Option<Self> {
        let shown: Vec<([f64; 2], &str)> = dots
            .iter()
            .filter_map(|Dot { at: [x, y], name }| Some(([drawn(*x)?, drawn(*y)?], name.as_str())))
            .collect();
        if shown.is_empty() {
            return None;
        }
        let bottom = TOP + SQUARE;
        let of = |place: usize| axis(shown.iter().map(|(at, _)| at[place]));
        let across = Axis { values: of(0), ends: LEFT..WIDTH - RIGHT };
        let up = Axis { values: of(1), ends: bottom..TOP };
        let [first, second] = names;
        let caption = format!("{second} over {first}, {} images", shown.len());
        let mut svg = open(bottom + FOOT, &caption);
        line(&mut svg, "axis", [LEFT, bottom], [WIDTH - RIGHT, bottom]);
        line(&mut svg, "axis", [LEFT, TOP], [LEFT, bottom]);
        for ([x, y], name) in &shown {
            let _ = write!(
                svg,
                "<circle class=\"dot\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"{}\"><title>{}: {}, {}</title></circle>",
                across.place(*x),
                up.place(*y),
                if shown.len() > FEW { 2 } else { 4 },
                escape(name),
                number(*x),
                number(*y),
            );
        }
        for value in ticks(&up.values) {
            text(&mut svg, [LEFT - 6.0, up.place(value) + 4.0], "end", &number(value));
        }
        let middle = f64::midpoint(TOP, bottom);
        let _ = write!(
            svg,
            "<text x=\"12\" y=\"{middle:.1}\" text-anchor=\"middle\" transform=\"rotate(-90 12 {middle:.1})\">{}</text>",
            escape(second)
        );
        across.label(&mut svg, bottom, first);
        svg += "</svg>";
        Some(Self { caption, drawing: Drawing::Svg(svg) })
    }

    /// A drawing from a file, as it is.
    pub(super) fn picture(caption: &str, svg: Vec<u8>, size: (u32, u32)) -> Self {
        let picture = Picture { mime: "image/svg+xml", bytes: svg, size, alt: caption.into() };
        Self { caption: caption.into(), drawing: Drawing::Picture(picture) }
    }
}

/// Numbers along a side of the drawing.
struct Axis {
    values: Range<f64>,
    ends: Range<f64>,
}

impl Axis {
    fn place(&self, value: f64) -> f64 {
        let Range { start, end } = self.values;
        self.ends.start + (self.ends.end - self.ends.start) * ((value - start) / (end - start))
    }

    /// Ticks, and the name in the middle, below the drawing.
    fn label(&self, svg: &mut String, bottom: f64, name: &str) {
        for value in ticks(&self.values) {
            let x = self.place(value);
            line(svg, "axis", [x, bottom], [x, bottom + 4.0]);
            text(svg, [x, bottom + 17.0], "middle", &number(value));
        }
        text(svg, [f64::midpoint(self.ends.start, self.ends.end), bottom + 35.0], "middle", name);
    }
}

/// Three to six round numbers, where there are some.
fn ticks(values: &Range<f64>) -> Vec<f64> {
    let Range { start, end } = *values;
    let unit = 10f64.powf(((end - start) / 3.0).log10().floor());
    let step = [5.0, 2.0, 1.0].into_iter().map(|times| times * unit).find(|step| (end - start) / step >= 2.5);
    let Some(step) = step.filter(|step| step.is_normal()) else { return Vec::new() };
    let first = (start / step).ceil();
    (0..12).map(|index| (first + f64::from(index)) * step).take_while(|value| *value <= end).collect()
}

fn open(height: f64, label: &str) -> String {
    let label = escape(label);
    format!("<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{label}\">")
}

fn line(svg: &mut String, class: &str, from: [f64; 2], to: [f64; 2]) {
    let ([x1, y1], [x2, y2]) = (from, to);
    let _ =
        write!(svg, "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>");
}

fn text(svg: &mut String, [x, y]: [f64; 2], anchor: &str, text: &str) {
    let text = escape(text);
    let _ = write!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn svg(chart: Option<Chart>) -> String {
        match chart.expect("is drawn").drawing {
            Drawing::Svg(svg) => svg,
            Drawing::Picture(_) => unreachable!("our own"),
        }
    }

    #[test]
    fn bars_hold_every_finite_value_once() {
        let chart = Chart::histogram("<m>", &[4.0, f64::INFINITY, 1.0, f64::NAN, 2.0, 9.0, 5.0]);
        assert!(chart.as_ref().expect("is drawn").caption.ends_with("the median 4"));
        let svg = svg(chart);
        let counts = svg.split("</title>").filter_map(|part| part.rsplit_once(": "));
        assert_eq!(counts.map(|(_, count)| count.parse::<u32>().expect("a count")).sum::<u32>(), 5);
        assert!(svg.contains(">&lt;m&gt;</text>") && !svg.contains("NaN"));
        assert_eq!(Chart::histogram("m", &[f64::NAN]), None);
        assert_eq!(Chart::histogram("m", &[]), None);
    }

    #[test]
    fn any_numbers_can_be_drawn() {
        for values in [[0.0, 0.0], [1e308, -1e308], [5e-324, 0.0], [1e17, 1e17 + 16.0], [3.0, f64::INFINITY]]
        {
            let dot = |value: f64| Dot { at: [value, -value], name: "a".into() };
            let drawn =
                svg(Chart::histogram("m", &values)) + &svg(Chart::scatter(["a", "b"], &values.map(dot)));
            assert!(
                !drawn.contains("NaN") && !drawn.contains("\"inf") && !drawn.contains("\"-inf"),
                "{values:?}"
            );
        }
    }

    #[test]
    fn ticks_are_round_and_within() {
        assert_eq!(ticks(&(-0.4..10.4)), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
        assert_eq!(ticks(&(23.0..31.0)), [24.0, 26.0, 28.0, 30.0]);
        for (start, end) in [(0.0, 1.0), (-3.3, 900.0), (1e-9, 2e-9), (-1e300, 1e300)] {
            let found = ticks(&(start..end));
            assert!((2..=8).contains(&found.len()), "{start} to {end}: {found:?}");
        }
    }
}
