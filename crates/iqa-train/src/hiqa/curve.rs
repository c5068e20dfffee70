//! The losses of a run as a picture.

use std::path::Path;

use iqa_core::write_atomically;
use iqa_metrics::chart::{axis, drawn};
use plotters::prelude::*;

use super::log::HiqaLog;
use super::recipe::Phase;
use crate::TrainError;

const SIZE: (u32, u32) = (800, 480);

/// Name, colour and value of a curve.
type Curve = (&'static str, RGBColor, fn(&HiqaLog) -> Option<f64>);

const CURVES: [Curve; 5] = [
    ("R_pre: L_R", RGBColor(127, 127, 127), |row| (row.phase == Phase::Baseline).then_some(row.regressor)),
    ("R: L_R", RGBColor(31, 119, 180), |row| (row.phase != Phase::Baseline).then_some(row.regressor)),
    ("G: L_p", RGBColor(214, 39, 40), |row| row.pixel),
    ("D: half the cross-entropy", RGBColor(44, 160, 44), |row| Some((row.real? + row.fake?) / 2.0)),
    ("part with d_fake = 1", RGBColor(255, 127, 14), |row| row.accepted),
];

/// Draws the losses over the steps of all phases, one after the other, as SVG.
pub(super) fn write_curves(path: &Path, rows: &[HiqaLog]) -> Result<(), TrainError> {
    let mut svg = String::new();
    draw(&mut svg, rows)
        .map_err(|error| TrainError::Curve { path: path.into(), reason: error.to_string() })?;
    Ok(write_atomically(path, svg.as_bytes())?)
}

fn draw(svg: &mut String, rows: &[HiqaLog]) -> Result<(), Box<dyn std::error::Error>> {
    let mut places = Vec::with_capacity(rows.len());
    let (mut done, mut last) = (0, 0);
    for (index, row) in rows.iter().enumerate() {
        if index > 0 && rows[index - 1].phase != row.phase {
            done += last;
        }
        last = row.step;
        places.push((done + last) as f64);
    }
    let points = |value: fn(&HiqaLog) -> Option<f64>| {
        let pairs = rows.iter().zip(&places);
        pairs.filter_map(move |(row, &place)| Some((place, drawn(value(row)?)?))).collect::<Vec<_>>()
    };
    let heights =
        axis(CURVES.iter().flat_map(|curve| points(curve.2)).map(|(_, value)| value).chain([0.0, 0.1]));
    let end = places.last().copied().unwrap_or(1.0);
    let area = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(56)
        .build_cartesian_2d(0f64..end, heights)?;
    chart.configure_mesh().x_desc("step").y_desc("loss").draw()?;
    for (name, color, value) in CURVES {
        let points = points(value);
        if points.is_empty() {
            continue;
        }
        chart
            .draw_series(LineSeries::new(points, color.stroke_width(2)))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], color.stroke_width(2)));
    }
    chart.configure_series_labels().background_style(WHITE.mix(0.8)).border_style(BLACK).draw()?;
    area.present()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::log::Sums;
    use super::super::trainer::JointLosses;
    use super::*;

    #[test]
    fn losses_of_any_size_are_drawn() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("loss.svg");
        for loss in [0.0, 1e-320, 1e308, -1e308, f64::INFINITY, f64::NAN] {
            let mut sums = Sums::default();
            sums.add(&JointLosses {
                pixel: loss,
                real: loss,
                fake: -loss,
                regressor: loss,
                ..Default::default()
            });
            let rows = [1, 2].map(|step| sums.row(Phase::Joint, step, 1.0, 0.0));
            write_curves(&path, &rows).expect("draws");
            let svg = std::fs::read_to_string(&path).expect("reads");
            assert!(svg.contains("</svg>") && !svg.contains("NaN"), "{loss}");
        }
        write_curves(&path, &[]).expect("draws nothing");
    }
}
