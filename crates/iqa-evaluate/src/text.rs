//! Reports as text.

use std::fmt::Write as _;

use super::comparison::Comparison;
use super::figures::{Figures, Part};
use super::report::{Report, SplitSummary};

/// Below so many references a bootstrap over them says little.
const FEW_REFERENCES: usize = 10;

impl Report {
    /// The report as text, in Markdown.
    pub fn markdown(&self) -> String {
        describe(self)
    }
}

fn describe(report: &Report) -> String {
    let mut text = format!("{} on {}, {} images", report.model, report.set, report.images);
    for note in notes(report) {
        let _ = write!(text, "; {note}");
    }
    text += "\n\n";
    let parts = [("types", &report.types), ("subsets", &report.subsets)];
    table(&mut text, std::iter::once(&report.whole));
    if let Some(intervals) = &report.intervals {
        let ends = |[low, high]: [f64; 2]| format!("{low:.4} to {high:.4}");
        let _ = writeln!(
            text,
            "\n{} % intervals ({} resamples of {}): PLCC {}, SRCC {}, KRCC {}",
            100.0 * intervals.level,
            intervals.resamples,
            resampled(intervals.references),
            ends(intervals.plcc),
            ends(intervals.srcc),
            ends(intervals.krcc)
        );
        if intervals.references.is_some_and(|references| references < FEW_REFERENCES) {
            text += "\nOf so few references an interval is rough, and rather too narrow.\n";
        }
    }
    for (_, parts) in parts.into_iter().filter(|(_, parts)| !parts.is_empty()) {
        text.push('\n');
        table(&mut text, parts.iter());
    }
    if let Some(splits) = &report.splits {
        text.push('\n');
        describe_splits(&mut text, splits);
    }
    if let Some(comparison) = &report.against {
        text.push('\n');
        describe_comparison(&mut text, &report.model, comparison);
    }
    text
}

/// What a reader of the figures must know.
pub(super) fn notes(report: &Report) -> impl Iterator<Item = String> {
    let missing =
        (report.missing_images > 0).then(|| format!("{} labels have no image", report.missing_images));
    let not_finite = (report.not_finite > 0)
        .then(|| format!("{} images have no finite score and are left out", report.not_finite));
    let outside = (report.outside_range > 0).then(|| {
        let end = |end: Option<f64>, none: &str| end.map_or_else(|| none.to_owned(), |end| end.to_string());
        let [low, high] = report.range;
        format!(
            "{} scores lie outside the nominal range {} to {}",
            report.outside_range,
            end(low, "-inf"),
            end(high, "inf")
        )
    });
    let no_range = report.range.iter().any(Option::is_none).then(|| {
        "the model's scores have no range that could be mapped onto that of the ratings: no RMSE".to_owned()
    });
    [missing, not_finite, outside, no_range].into_iter().flatten()
}

/// A name in a cell of a table, which a line or `|` would end.
pub(super) fn in_cell(name: &str) -> String {
    name.replace(['\n', '\r'], " ").replace('|', "\\|")
}

fn table<'a>(text: &mut String, parts: impl Iterator<Item = &'a Part>) {
    *text += "| images of | number | PLCC | SRCC | KRCC | PLCC + SRCC | RMSE | PLCC, 4 par. | PLCC, 5 par. | RMSE, 5 par. |\n";
    *text += "|---|---|---|---|---|---|---|---|---|---|\n";
    let number = |value: Option<f64>| value.map_or_else(|| "–".into(), |value| format!("{value:.4}"));
    for part in parts {
        let value = |figure: &dyn Fn(&Figures) -> Option<f64>| number(part.figures.as_ref().and_then(figure));
        let cells = [
            value(&|f| Some(f.plcc)),
            value(&|f| Some(f.srcc)),
            value(&|f| Some(f.krcc)),
            value(&|f| Some(f.main_score)),
            value(&|f| f.rmse),
            value(&|f| f.four_parameters.map(|fitted| fitted.plcc)),
            value(&|f| f.five_parameters.map(|fitted| fitted.plcc)),
            value(&|f| f.five_parameters.map(|fitted| fitted.rmse)),
        ];
        let _ = writeln!(
            text,
            "| {} | {} | {} |",
            in_cell(&part.name.replace('_', " ")),
            part.images,
            cells.join(" | ")
        );
        let fits = part.figures.iter().flat_map(|f| [(4, f.four_parameters), (5, f.five_parameters)]);
        for (asked, fitted) in fits {
            if let Some(found) =
                fitted.map(|fitted| fitted.parameters).filter(|&found| (1..asked).contains(&found))
            {
                let _ = writeln!(
                    text,
                    "| | too few distinct scores for {asked} parameters: {found} | | | | | | | | |"
                );
            }
        }
        for reason in part.undefined.iter().chain(&part.missing) {
            let _ = writeln!(text, "| | {reason} | | | | | | | | |");
        }
    }
}

fn describe_splits(text: &mut String, splits: &SplitSummary) {
    let _ = writeln!(
        text,
        "Test parts of {} splits `{}` from seed {}:\n\n| | mean | median | standard deviation |\n|---|---|---|---|",
        splits.parts.len(),
        splits.preset,
        splits.seed
    );
    for row in &splits.summary {
        let _ = writeln!(text, "| {} | {:.4} | {:.4} | {:.4} |", row.figure, row.mean, row.median, row.std);
    }
}

fn describe_comparison(text: &mut String, model: &str, other: &Comparison) {
    let _ = writeln!(
        text,
        "{model} less {} on {} images:\n\n| | difference | interval | p |\n|---|---|---|---|",
        other.model, other.images
    );
    let drawn = resampled(other.references);
    for (name, difference) in [("PLCC", other.plcc), ("SRCC", other.srcc)] {
        let [low, high] = difference.interval;
        let _ = writeln!(
            text,
            "| {name}, paired bootstrap of {drawn} | {:+.4} | {low:+.4} to {high:+.4} | {} |",
            difference.value,
            probability(difference.p_value)
        );
    }
    let tests = [("PLCC, Williams' t", Some(other.williams)), ("variance of the errors, F", other.f_test)];
    for (name, test) in tests {
        if let Some(test) = test {
            let p = probability(test.p_value);
            let _ = writeln!(text, "| {name} | {:.3} | | {p} |", test.statistic);
        }
    }
}

/// What a bootstrap drew.
pub(super) fn resampled(references: Option<usize>) -> String {
    references.map_or_else(|| "single images".into(), |references| format!("{references} references"))
}

fn probability(p: f64) -> String {
    if p < 0.0001 { "below 0.0001".into() } else { format!("{p:.4}") }
}
