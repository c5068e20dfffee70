//! The page of scored images.

use std::collections::BTreeSet;

use iqa_core::Direction;
use iqa_metrics::Summary;

use super::{Cell, Chart, Column, Content, Dot, Page, Picture, Section, Table};

/// Of up to so many models each is drawn over each; of more, each over the first.
const PAIRED: usize = 4;

/// Scored images as [`Page::of_scores`] shows them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ScoredImages {
    /// The models.
    pub models: Vec<ScoredModel>,
    /// The images, in the order of the page.
    pub images: Vec<ScoredImage>,
    /// What could not be scored, with the reason.
    pub failures: Vec<String>,
}

/// A model with what its scores mean.
#[derive(Clone, Debug, PartialEq)]
pub struct ScoredModel {
    /// Its name on the page.
    pub label: String,
    /// Digest of its weights, and options.
    pub identity: String,
    /// Which way its scores grow.
    pub direction: Direction,
    /// Their nominal range, `(lowest, highest)`.
    pub range: (f64, f64),
}

/// An image with its scores.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ScoredImage {
    /// Its name.
    pub name: String,
    /// The name of its reference.
    pub reference: Option<String>,
    /// A score a model; none where it had none.
    pub scores: Vec<Option<f64>>,
    /// The image.
    pub picture: Option<Picture>,
    /// Its reference.
    pub reference_picture: Option<Picture>,
    /// Of each model that scores patches: the local distortion, and the weight of each place. Empty without maps.
    pub maps: Vec<Option<[Picture; 2]>>,
}

impl Page {
    /// Scored images: a summary of each model, how its scores are distributed, models against each other, all images, and what
    /// could not be scored.
    ///
    /// # Panics
    /// When an image has not a score, or none, for each model.
    pub fn of_scores(title: &str, scored: &ScoredImages) -> Self {
        let ScoredImages { models, images, failures } = scored;
        assert!(images.iter().all(|image| image.scores.len() == models.len()), "a score for each model");
        let of = |model: usize| images.iter().filter_map(move |image| image.scores[model]);
        let mut sections = Vec::new();
        if !failures.is_empty() {
            let heading = format!("Not scored: {}", failures.len());
            sections.push(Section { heading, about: vec![], content: Content::Failures(failures.clone()) });
        }
        let summaries = models.iter().enumerate().map(|(place, model)| summary(model, of(place).collect()));
        let mut table = Table::new(
            [Column::text("model"), Column::text("better")]
                .into_iter()
                .chain(["images", "mean", "median", "std", "lowest", "highest"].map(Column::number))
                .chain([Column::text("nominal range")])
                .collect(),
        );
        table.rows = summaries.collect();
        sections.push(Section::table("Summary", table));
        let bars = models.iter().enumerate();
        let bars = bars.filter_map(|(place, m)| Chart::histogram(&m.label, &of(place).collect::<Vec<_>>()));
        charts(&mut sections, "Scores", bars.collect());
        charts(&mut sections, "Models against each other", scatters(models, images));
        sections.push(all(models, images));
        Self { title: title.into(), facts: facts(scored), sections }
    }
}

fn facts(scored: &ScoredImages) -> Vec<String> {
    let count = |number: usize, what: &str| match number {
        1 => format!("1 {what}"),
        _ => format!("{number} {what}s"),
    };
    let references: BTreeSet<&str> =
        scored.images.iter().filter_map(|image| image.reference.as_deref()).collect();
    let against = match references.first() {
        None => String::new(),
        Some(reference) if references.len() == 1 => format!(" against {reference}"),
        Some(_) => format!(" against {}", count(references.len(), "reference")),
    };
    let weights =
        scored.models.iter().map(|model| format!("Weights of {}: {}.", model.label, model.identity));
    [format!("{}{against}.", count(scored.images.len(), "image"))].into_iter().chain(weights).collect()
}

fn charts(sections: &mut Vec<Section>, heading: &str, charts: Vec<Chart>) {
    if !charts.is_empty() {
        sections.push(Section {
            heading: heading.into(),
            about: Vec::new(),
            content: Content::Charts(charts),
        });
    }
}

pub(super) fn better(direction: Direction) -> &'static str {
    match direction {
        Direction::HigherIsBetter => "higher",
        Direction::LowerIsBetter => "lower",
    }
}

fn summary(model: &ScoredModel, scores: Vec<f64>) -> Vec<Cell> {
    let found = Summary::of(&scores);
    let number = |value: fn(&Summary) -> f64| Cell::number(found.as_ref().map(value));
    let end = |than: fn(f64, f64) -> f64| Cell::number(scores.iter().copied().reduce(than));
    let (low, high) = model.range;
    vec![
        Cell::text(&model.label),
        Cell::text(better(model.direction)),
        Cell::count(scores.len()),
        number(|summary| summary.mean),
        number(|summary| summary.median),
        number(|summary| summary.std),
        end(f64::min),
        end(f64::max),
        Cell::text(format!("{} to {}", super::markup::number(low), super::markup::number(high))),
    ]
}

fn scatters(models: &[ScoredModel], images: &[ScoredImage]) -> Vec<Chart> {
    let count = models.len();
    let first = if count > PAIRED { 1 } else { count };
    let pairs = (0..first).flat_map(|first| (first + 1..count).map(move |second| (first, second)));
    pairs
        .filter_map(|(first, second)| {
            let dots = images.iter().filter_map(|image| {
                Some(Dot { at: [image.scores[first]?, image.scores[second]?], name: image.name.clone() })
            });
            Chart::scatter([&models[first].label, &models[second].label], &dots.collect::<Vec<_>>())
        })
        .collect()
}

fn all(models: &[ScoredModel], images: &[ScoredImage]) -> Section {
    let references: BTreeSet<&Option<String>> = images.iter().map(|image| &image.reference).collect();
    let several = references.len() > 1;
    let has_pictures = images.iter().any(|image| image.picture.is_some());
    let has_references = images.iter().any(|image| image.reference_picture.is_some());
    let map = |image: &ScoredImage, model: usize| image.maps.get(model).cloned().flatten();
    let mapped: Vec<usize> =
        (0..models.len()).filter(|&model| images.iter().any(|image| map(image, model).is_some())).collect();
    let mut columns = Vec::new();
    if has_pictures {
        columns.push(Column::pictures("picture"));
    }
    columns.push(Column::text("image"));
    columns.extend(models.iter().map(|model| Column::number(&model.label)));
    if has_references {
        columns.push(Column::pictures("original"));
    }
    if several {
        columns.push(Column::text("reference"));
    }
    for &model in &mapped {
        let label = &models[model].label;
        columns.extend(["distortion", "weight"].map(|what| Column::pictures(&format!("{what}, {label}"))));
    }
    let picture = |picture: &Option<Picture>| picture.clone().map_or(Cell::Missing, Cell::Picture);
    let row = |image: &ScoredImage| {
        let mut row = Vec::with_capacity(columns.len());
        if has_pictures {
            row.push(picture(&image.picture));
        }
        row.push(Cell::text(&image.name));
        row.extend(models.iter().zip(&image.scores).map(|(model, score)| match *score {
            Some(value) if !value.is_nan() => {
                let outside = !(model.range.0..=model.range.1).contains(&value);
                Cell::Number { value, digits: 4, outside }
            }
            _ => Cell::Missing,
        }));
        if has_references {
            row.push(picture(&image.reference_picture));
        }
        if several {
            row.push(image.reference.as_ref().map_or(Cell::Missing, Cell::text));
        }
        for &model in &mapped {
            match map(image, model) {
                Some(maps) => row.extend(maps.map(Cell::Picture)),
                None => row.extend([Cell::Missing, Cell::Missing]),
            }
        }
        row
    };
    let rows = images.iter().map(row).collect();
    let mut about = vec!["A click on the name of a column sorts by it.".to_owned()];
    if has_pictures {
        about[0] += " Pictures are as the models were given them.";
    }
    if !mapped.is_empty() {
        about[0] += " Of distortions brighter is worse, of weights brighter counts more; each map uses its whole scale.";
    }
    let outside = |image: &ScoredImage| {
        let mut each = models.iter().zip(&image.scores);
        each.any(|(model, score)| {
            score.is_some_and(|score| !(model.range.0..=model.range.1).contains(&score))
        })
    };
    if images.iter().any(outside) {
        about[0] += " A star marks a score outside the nominal range.";
    }
    Section { heading: "Images".into(), about, content: Content::Table(Table { columns, rows }) }
}
