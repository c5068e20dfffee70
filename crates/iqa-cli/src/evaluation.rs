//! An evaluation with all its files.

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Instant;

use iqa_models::Scorer;
use iqa_models::core::{FolderClaim, write_atomically};
use iqa_models::datasets::DataSet;
use iqa_models::evaluate::{
    Comparison, Figures, Part, Report, ReportConfig, Scores, SplitSummary, report, score_set, write_scatter,
};

use crate::terminal::Terminal;

/// An evaluation that is done.
pub(crate) struct Evaluation {
    /// Its figures.
    pub(crate) report: Report,
    /// They as text, in Markdown.
    pub(crate) text: String,
    /// Images that this run scored.
    pub(crate) scored: usize,
    /// Images that an earlier run had scored.
    pub(crate) found: usize,
    /// Seconds that scoring took.
    pub(crate) seconds: f64,
}

/// Evaluates a model on a set into a folder: `scores.csv`, which grows as scores come; then `report.json`, `report.md`
/// and `scatter.svg`. `against` is the `scores.csv` of another model.
///
/// # Errors
/// What reading the set, scoring and writing give.
pub(crate) fn evaluate(
    scorer: &Scorer,
    set: &DataSet,
    folder: &Path,
    against: Option<&Path>,
    config: &ReportConfig,
) -> Result<Evaluation, Box<dyn Error>> {
    // Read first: a wrong file is told before the work.
    let against = against.map(|path| Scores::read(path, set)).transpose()?;
    let report_file = folder.join("report.json");
    let names = ["report.json", "report.md", "scatter.svg"];
    let _claim = FolderClaim::adopting(folder, "evaluate", &names, || is_report(&report_file))?;
    let start = Instant::now();
    let scores = score_set(scorer.model(), set, &folder.join("scores.csv"), &Terminal::new())?;
    let seconds = start.elapsed().as_secs_f64();
    let report = report(set, &scores, against.as_ref(), config)?;
    let text = describe(&report);
    write_atomically(&report_file, format!("{}\n", serde_json::to_string_pretty(&report)?).as_bytes())?;
    write_atomically(&folder.join("report.md"), text.as_bytes())?;
    write_scatter(&folder.join("scatter.svg"), set, &scores)?;
    let scored = set.samples().len() - scores.found;
    Ok(Evaluation { report, text, scored, found: scores.found, seconds })
}

/// Whether a file is a report: a folder with one is an evaluation's, also from before folders had lists of what is ours.
fn is_report(path: &Path) -> bool {
    std::fs::read(path).is_ok_and(|bytes| serde_json::from_slice::<Report>(&bytes).is_ok())
}

fn describe(report: &Report) -> String {
    let mut text = format!("{} on {}, {} images", report.model, report.set, report.images);
    if report.missing_images > 0 {
        let _ = write!(text, "; {} labels have no image", report.missing_images);
    }
    if report.not_finite > 0 {
        let _ = write!(text, "; {} images have no finite score and are left out", report.not_finite);
    }
    if report.outside_range > 0 {
        let end = |end: Option<f64>, none: &str| end.map_or_else(|| none.to_owned(), |end| end.to_string());
        let [low, high] = report.range;
        let _ = write!(
            text,
            "; {} scores lie outside the nominal range {} to {}",
            report.outside_range,
            end(low, "-inf"),
            end(high, "inf")
        );
    }
    if report.range.iter().any(Option::is_none) {
        text += "; the model's scores have no range that could be mapped onto that of the ratings: no RMSE";
    }
    text += "\n\n";
    let parts = [("types", &report.types), ("subsets", &report.subsets)];
    table(&mut text, std::iter::once(&report.whole));
    if let Some(intervals) = &report.intervals {
        let ends = |[low, high]: [f64; 2]| format!("{low:.4} to {high:.4}");
        let _ = writeln!(
            text,
            "\n{} % intervals ({} resamples): PLCC {}, SRCC {}, KRCC {}",
            100.0 * intervals.level,
            intervals.resamples,
            ends(intervals.plcc),
            ends(intervals.srcc),
            ends(intervals.krcc)
        );
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
        let _ =
            writeln!(text, "| {} | {} | {} |", part.name.replace('_', " "), part.images, cells.join(" | "));
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
    for (name, difference) in [("PLCC", other.plcc), ("SRCC", other.srcc)] {
        let [low, high] = difference.interval;
        let _ = writeln!(
            text,
            "| {name}, paired bootstrap | {:+.4} | {low:+.4} to {high:+.4} | {} |",
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

fn probability(p: f64) -> String {
    if p < 0.0001 { "below 0.0001".into() } else { format!("{p:.4}") }
}
