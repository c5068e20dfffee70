//! The page of an evaluation.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use iqa_core::{CoreError, DecodeOptions, Direction, images_in, read_image};
use iqa_metrics::agreement::average_ranks;

use super::scored::better;
use super::{Cell, Chart, Column, Content, Page, Picture, Section, Table};
use crate::EvaluateError;
use crate::comparison::Comparison;
use crate::figures::{FIGURES, Part};
use crate::folder::{REPORT, SCATTER, SCORES};
use crate::report::{Report, SplitSummary};
use crate::scatter::SIZE;
use crate::scores::{ListedRow, read_rows};
use crate::text::{notes, resampled};

/// Images that are named as those on which model and people disagree.
const NAMED: usize = 10;

/// An image with its places among all: 1 is the best, equal ones share the mean of theirs.
struct Ranked<'a> {
    row: &'a ListedRow,
    by_score: f64,
    by_rating: f64,
}

impl Ranked<'_> {
    fn apart(&self) -> f64 {
        self.by_rating - self.by_score
    }
}

impl Page {
    /// What [`evaluate`](crate::evaluate) left in a folder: the figures with their intervals, each type of distortion, the
    /// scatter plot, the images on which model and people disagree most, and all images. With the folder of the `images` those on
    /// which they disagree are shown, as far as they are there with the content that was scored.
    ///
    /// # Errors
    /// [`CoreError::Io`] for a file or a folder that is not there, and what an image that cannot be read gives; [`CoreError::NotResults`] for one that is damaged;
    /// [`CoreError::OtherResults`] where report and scores are of different evaluations.
    pub fn of_evaluation(folder: &Path, images: Option<&Path>) -> Result<Self, EvaluateError> {
        let path = folder.join(REPORT);
        let read =
            |path: &Path| std::fs::read(path).map_err(|source| CoreError::Io { path: path.into(), source });
        let bytes = read(&path)?;
        let report: Report = serde_json::from_slice(&bytes).map_err(|error| {
            let found = error.to_string();
            CoreError::not_results(&path, error.line(), "the report of an evaluation", &found)
        })?;
        let scores = folder.join(SCORES);
        let (key, rows) = read_rows(&scores)?;
        let parts = [
            ("list of images", &report.samples, &key.samples),
            ("model", &report.model, &key.model),
            ("weights", &report.weights, &key.weights),
        ];
        if let Some((what, expected, found)) =
            parts.into_iter().find(|(_, expected, found)| expected != found)
        {
            let (expected, found) = (expected.clone(), found.clone());
            return Err(CoreError::OtherResults { path: scores, what, expected, found }.into());
        }
        let svg = read(&folder.join(SCATTER))?;
        let files = images.map(|images| images_in(images, true)).transpose()?;
        page(&report, &rows, svg, files.as_deref())
    }
}

fn page(
    report: &Report,
    rows: &[ListedRow],
    svg: Vec<u8>,
    files: Option<&[PathBuf]>,
) -> Result<Page, EvaluateError> {
    let Report { model, set, images, direction, ratings, .. } = report;
    let mut facts = vec![match ratings {
        Some(ratings) => {
            let (scores, ratings) = (better(*direction), better(*ratings));
            format!("{images} images; {scores} scores and {ratings} ratings are better.")
        }
        None => format!("{images} images; {} scores are better.", better(*direction)),
    }];
    facts.extend(notes(report).map(|note| format!("{note}.")));
    facts.push(format!("Weights: {}.", report.weights));
    let mut sections = vec![whole(report)];
    if let Some(other) = &report.against {
        sections.push(comparison(model, other));
    }
    let chart = Chart::picture(&format!("Ratings of {set} over scores of {model}"), svg, SIZE);
    let about = Vec::new();
    sections.push(Section {
        heading: "Scores and ratings".into(),
        about,
        content: Content::Charts(vec![chart]),
    });
    for (heading, parts) in [("Types of distortion", &report.types), ("Subsets", &report.subsets)] {
        if !parts.is_empty() {
            sections.push(of_parts(heading, parts));
        }
    }
    if let Some(splits) = &report.splits {
        sections.push(of_splits(splits));
    }
    sections.extend(of_images(report, rows, files)?);
    Ok(Page { title: format!("{model} on {set}"), facts, sections })
}

fn whole(report: &Report) -> Section {
    let mut table =
        Table::new(vec![Column::text("figure"), Column::number("value"), Column::text("interval")]);
    let intervals = report.intervals.as_ref();
    for (name, figure) in FIGURES {
        let Some(value) = report.whole.figures.as_ref().and_then(figure) else { continue };
        let interval = intervals.and_then(|intervals| match name {
            "PLCC" => Some(intervals.plcc),
            "SRCC" => Some(intervals.srcc),
            "KRCC" => Some(intervals.krcc),
            _ => None,
        });
        let interval =
            interval.map_or(Cell::Missing, |[low, high]| Cell::text(format!("{low:.4} to {high:.4}")));
        table.rows.push(vec![Cell::text(name), Cell::number(value), interval]);
    }
    let mut section = Section::table("All images", table);
    if let Some(intervals) = intervals {
        section.about.push(format!(
            "{} % intervals, {} resamples of {}.",
            100.0 * intervals.level,
            intervals.resamples,
            resampled(intervals.references)
        ));
    }
    let Part { undefined, missing, .. } = &report.whole;
    section.about.extend(undefined.iter().chain(missing).cloned());
    section
}

fn of_parts(heading: &str, parts: &[Part]) -> Section {
    let figures = FIGURES
        .iter()
        .filter(|(_, figure)| parts.iter().any(|part| part.figures.as_ref().and_then(figure).is_some()));
    let figures: Vec<_> = figures.collect();
    let mut columns = vec![Column::text("images of"), Column::number("number")];
    columns.extend(figures.iter().map(|(name, _)| Column::number(name)));
    let row = |part: &Part| {
        let mut row = vec![Cell::text(part.name.replace('_', " ")), Cell::count(part.images)];
        row.extend(figures.iter().map(|(_, figure)| Cell::number(part.figures.as_ref().and_then(figure))));
        row
    };
    let mut section = Section::table(heading, Table { columns, rows: parts.iter().map(row).collect() });
    // A reason once, with all that it is of.
    let mut reasons: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for part in parts {
        for reason in part.undefined.iter().chain(&part.missing) {
            reasons.entry(reason).or_default().push(part.name.replace('_', " "));
        }
    }
    let sentence = |(reason, names): (&str, Vec<String>)| format!("{reason} ({})", names.join(", "));
    section.about.extend(reasons.into_iter().map(sentence));
    section
}

fn of_splits(splits: &SplitSummary) -> Section {
    let columns = ["mean", "median", "standard deviation"].map(Column::number);
    let mut table = Table::new([Column::text("figure")].into_iter().chain(columns).collect());
    for row in &splits.summary {
        table.rows.push(vec![
            Cell::text(&row.figure),
            Cell::number(row.mean),
            Cell::number(row.median),
            Cell::number(row.std),
        ]);
    }
    let mut section = Section::table("Splits", table);
    let SplitSummary { parts, preset, seed, .. } = splits;
    section.about.push(format!("Test parts of {} splits {preset} from seed {seed}.", parts.len()));
    section
}

fn comparison(model: &str, other: &Comparison) -> Section {
    let columns = [Column::text("figure"), Column::number("difference or statistic")];
    let mut table =
        Table::new(columns.into_iter().chain([Column::text("interval"), Column::number("p")]).collect());
    for (name, difference) in [("PLCC", other.plcc), ("SRCC", other.srcc)] {
        let [low, high] = difference.interval;
        table.rows.push(vec![
            Cell::text(format!("{name}, paired bootstrap of {}", resampled(other.references))),
            Cell::number(difference.value),
            Cell::text(format!("{low:+.4} to {high:+.4}")),
            Cell::number(difference.p_value),
        ]);
    }
    let tests = [("PLCC, Williams' t", Some(other.williams)), ("variance of the errors, F", other.f_test)];
    for (name, test) in tests {
        if let Some(test) = test {
            let (statistic, p) = (Cell::number(test.statistic), Cell::number(test.p_value));
            table.rows.push(vec![Cell::text(name), statistic, Cell::Missing, p]);
        }
    }
    let mut section = Section::table(&format!("{model} less {}", other.model), table);
    section.about.push(format!("On {} images.", other.images));
    section
}

/// Those on which model and people disagree, with pictures where `files` has them, and all.
fn of_images(
    report: &Report,
    rows: &[ListedRow],
    files: Option<&[PathBuf]>,
) -> Result<Vec<Section>, EvaluateError> {
    let Some(ratings) = report.ratings else {
        let columns = vec![Column::text("image"), Column::number("score"), Column::number("rating")];
        let row =
            |row: &ListedRow| vec![Cell::text(&row.image), Cell::number(row.score), Cell::number(row.rating)];
        let mut section = Section::table("Images", Table { columns, rows: rows.iter().map(row).collect() });
        section.about.push(
            "The report is from before reports told which ratings are better, so that images are not ranked: evaluate again, \
             which scores nothing anew."
                .into(),
        );
        return Ok(vec![section]);
    };
    let mut ranked = ranks(report.direction, ratings, rows);
    let columns = vec![
        Column::text("image"),
        Column::number("score"),
        Column::number("rating"),
        Column::number("place by score"),
        Column::number("place by rating"),
        Column::number("places apart"),
    ];
    let row = |ranked: &Ranked<'_>| {
        let place =
            |value: f64| Cell::Number { value, digits: usize::from(value.fract() != 0.0), outside: false };
        let Ranked { row, by_score, by_rating } = ranked;
        vec![
            Cell::text(&row.image),
            Cell::number(row.score),
            Cell::number(row.rating),
            place(*by_score),
            place(*by_rating),
            place(ranked.apart()),
        ]
    };
    let all = Table { columns: columns.clone(), rows: ranked.iter().map(row).collect() };
    ranked.sort_by(|a, b| b.apart().abs().total_cmp(&a.apart().abs()));
    let mut most = Table { columns, rows: ranked.iter().take(NAMED).map(row).collect() };
    if let Some(files) = files {
        most.columns.insert(0, Column::pictures("picture"));
        for (cells, ranked) in most.rows.iter_mut().zip(&ranked) {
            cells.insert(0, shown(ranked.row, files)?);
        }
    }
    let not_there = most.rows.iter().filter(|cells| matches!(cells[0], Cell::Missing)).count();
    let mut most = Section::table("Where model and people disagree most", most);
    if files.is_some() && not_there > 0 {
        most.about.push(format!(
            "{not_there} of these images are not in the folder that was given, or have another content than was scored."
        ));
    }
    most.about.push(format!(
        "Place 1 is the best of {}. Above zero the model ranks the image better than people do, below zero worse.",
        rows.len()
    ));
    Ok(vec![most, Section::table("Images", all)])
}

fn shown(row: &ListedRow, files: &[PathBuf]) -> Result<Cell, EvaluateError> {
    let Some(file) = row.find(files) else { return Ok(Cell::Missing) };
    let picture = read_image(&file, &DecodeOptions::default())?;
    let picture = Picture::thumbnail(&picture, &row.image);
    Ok(Cell::Picture(
        picture.map_err(|error| CoreError::Io { path: file, source: std::io::Error::other(error) })?,
    ))
}

fn ranks(direction: Direction, ratings: Direction, rows: &[ListedRow]) -> Vec<Ranked<'_>> {
    let places = |direction: Direction, value: fn(&ListedRow) -> f64| {
        let sign = match direction {
            Direction::HigherIsBetter => -1.0,
            Direction::LowerIsBetter => 1.0,
        };
        average_ranks(&rows.iter().map(|row| sign * value(row)).collect::<Vec<f64>>())
    };
    let by_score = places(direction, |row| row.score);
    let by_rating = places(ratings, |row| row.rating);
    let places = by_score.into_iter().zip(by_rating);
    rows.iter().zip(places).map(|(row, (by_score, by_rating))| Ranked { row, by_score, by_rating }).collect()
}
