//! Scores against ratings as a picture.

use std::error::Error;
use std::path::Path;

use iqa_core::{Direction, write_atomically};
use iqa_datasets::{DataSet, ScoreKind};
use iqa_metrics::agreement::{LogisticFit, LogisticKind, plcc};
use iqa_metrics::chart::{axis, drawn};
use plotters::prelude::*;

use super::scores::Scores;
use crate::EvaluateError;

pub(super) const SIZE: (u32, u32) = (760, 560);
/// Types told apart by colour; with more of them all points have one.
const COLOURED_TYPES: usize = 8;
const CURVE_POINTS: usize = 200;
/// Up to so many points are drawn larger.
const FEW: usize = 500;

/// One colour of points, and what it stands for.
type Series = (Option<String>, RGBColor, Vec<(f64, f64)>);

/// Draws each image's rating over its score as SVG, both as published, with the logistic curve of five parameters that
/// is fitted to them, or of fewer where there are few distinct scores. Points are coloured by type of distortion when
/// there are few.
///
/// # Errors
/// [`EvaluateError::Drawing`] when no score is finite or the picture cannot be made; [`EvaluateError::Core`] when it cannot be
/// written.
///
/// # Panics
/// When `scores` are not of `set`.
pub fn write_scatter(path: &Path, set: &DataSet, scores: &Scores) -> Result<(), EvaluateError> {
    let mut svg = String::new();
    draw(&mut svg, set, scores)
        .map_err(|error| EvaluateError::Drawing { path: path.into(), reason: error.to_string() })?;
    Ok(write_atomically(path, svg.as_bytes())?)
}

fn draw(svg: &mut String, set: &DataSet, scores: &Scores) -> Result<(), Box<dyn Error>> {
    let points: Vec<(f64, f64)> = points(set, scores).map(|(_, point)| point).collect();
    if points.is_empty() {
        return Err("no image has a finite score".into());
    }
    let (x, y) = (axis(points.iter().map(|p| p.0)), axis(points.iter().map(|p| p.1)));
    let area = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(60)
        .build_cartesian_2d(x, y.clone())?;
    let better = |higher: bool| if higher { "higher is better" } else { "lower is better" };
    let kind = match set.scale().kind() {
        ScoreKind::Mos => "MOS",
        ScoreKind::Dmos => "DMOS",
    };
    chart
        .configure_mesh()
        .x_desc(format!(
            "{} ({})",
            scores.key.model,
            better(scores.key.direction == Direction::HigherIsBetter)
        ))
        .y_desc(format!(
            "{kind} of {} ({})",
            set.name(),
            better(set.scale().direction() == Direction::HigherIsBetter)
        ))
        .light_line_style(TRANSPARENT)
        .draw()?;
    let radius = if points.len() > FEW { 2 } else { 3 };
    for (name, color, points) in series(set, scores) {
        let circles = points.into_iter().map(|point| Circle::new(point, radius, color.mix(0.55).filled()));
        let drawn = chart.draw_series(circles)?;
        if let Some(name) = name {
            drawn.label(name).legend(move |(x, y)| Circle::new((x + 10, y), 4, color.filled()));
        }
    }
    let (predicted, rated): (Vec<f64>, Vec<f64>) = points.iter().copied().unzip();
    // The legend goes where the points do not.
    let falls = plcc(&predicted, &rated).is_ok_and(|correlation| correlation < 0.0);
    let corner = if falls { SeriesLabelPosition::UpperRight } else { SeriesLabelPosition::LowerRight };
    // Of the published numbers: the fit of qualities is the same curve, turned.
    if let Ok(fit) = LogisticFit::new(LogisticKind::FiveParameter, &predicted, &rated) {
        let low = predicted.iter().copied().fold(f64::INFINITY, f64::min);
        let high = predicted.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let curve = (0..=CURVE_POINTS).filter_map(|step| {
            let at = low + (high - low) * step as f64 / CURVE_POINTS as f64;
            Some((at, drawn(fit.predict(at))?.clamp(y.start, y.end)))
        });
        chart
            .draw_series(LineSeries::new(curve, BLACK.stroke_width(2)))?
            .label(match fit.kind() {
                LogisticKind::Line => "line".into(),
                kind => format!("logistic fit, {} parameters", kind.parameters()),
            })
            .legend(|(x, y)| PathElement::new([(x, y), (x + 20, y)], BLACK.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .position(corner)
        .background_style(WHITE.mix(0.85))
        .border_style(BLACK.mix(0.4))
        .draw()?;
    area.present()?;
    Ok(())
}

/// Finite scores with their ratings, where both are drawn, and the sample's index.
fn points<'a>(set: &'a DataSet, scores: &'a Scores) -> impl Iterator<Item = (usize, (f64, f64))> + 'a {
    let point = |(index, sample): (usize, &iqa_datasets::Sample)| {
        Some((index, (drawn(scores.values[index])?, drawn(sample.raw)?)))
    };
    set.samples().iter().enumerate().filter_map(point)
}

fn series(set: &DataSet, scores: &Scores) -> Vec<Series> {
    let name = |index: usize| set.samples()[index].type_name.as_deref();
    let mut names: Vec<&str> = points(set, scores).filter_map(|(index, _)| name(index)).collect();
    names.sort_unstable();
    names.dedup();
    let coloured = (2..=COLOURED_TYPES).contains(&names.len());
    if !coloured {
        return vec![(None, RGBColor(31, 119, 180), points(set, scores).map(|(_, point)| point).collect())];
    }
    let of = |wanted: Option<&str>| -> Vec<(f64, f64)> {
        points(set, scores).filter(|(index, _)| name(*index) == wanted).map(|(_, point)| point).collect()
    };
    let mut series: Vec<Series> = names
        .iter()
        .zip(COLOURS)
        .map(|(type_name, color)| (Some(type_name.replace('_', " ")), color, of(Some(type_name))))
        .collect();
    let rest = of(None);
    if !rest.is_empty() {
        series.push((Some("other".into()), RGBColor(127, 127, 127), rest));
    }
    series
}

/// Eight colours that people with colour-blindness tell apart (Okabe and Ito, 2008), the yellow darkened.
const COLOURS: [RGBColor; COLOURED_TYPES] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(180, 168, 20),
    RGBColor(90, 90, 90),
];
