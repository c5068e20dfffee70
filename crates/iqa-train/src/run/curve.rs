//! Losses as a picture.

use std::ops::Range;
use std::path::Path;

use iqa_core::write_atomically;
use iqa_metrics::chart::{axis, drawn};
use plotters::prelude::*;

use super::log::EpochLog;
use crate::error::TrainError;

const SIZE: (u32, u32) = (800, 480);

/// A line of a chart; points that stand nowhere are left out.
pub(crate) struct Curve {
    pub(crate) name: &'static str,
    pub(crate) color: RGBColor,
    pub(crate) points: Vec<(f64, f64)>,
}

/// Draws losses over what `over` names as SVG. The heights of `shown` are on the axis whatever the losses.
pub(crate) fn write_curves(
    path: &Path,
    over: (&str, Range<f64>),
    shown: &[f64],
    mut curves: Vec<Curve>,
) -> Result<(), TrainError> {
    for curve in &mut curves {
        curve.points = curve.points.iter().filter_map(|&(x, y)| Some((x, drawn(y)?))).collect();
    }
    curves.retain(|curve| !curve.points.is_empty());
    let mut svg = String::new();
    draw(&mut svg, over, shown, &curves)
        .map_err(|error| TrainError::Curve { path: path.into(), reason: error.to_string() })?;
    Ok(write_atomically(path, svg.as_bytes())?)
}

fn draw(
    svg: &mut String,
    (over, places): (&str, Range<f64>),
    shown: &[f64],
    curves: &[Curve],
) -> Result<(), Box<dyn std::error::Error>> {
    let values = curves.iter().flat_map(|curve| &curve.points).map(|&(_, value)| value);
    let heights = axis(values.chain(shown.iter().copied()));
    let area = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(72)
        .build_cartesian_2d(places, heights)?;
    chart.configure_mesh().x_desc(over).y_desc("loss").draw()?;
    for Curve { name, color, points } in curves {
        let style = color.stroke_width(2);
        chart
            .draw_series(LineSeries::new(points.iter().copied(), style))?
            .label(*name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], style));
    }
    chart.configure_series_labels().background_style(WHITE.mix(0.8)).border_style(BLACK).draw()?;
    area.present()?;
    Ok(())
}

/// Draws training loss, and validation and test loss where there are, over the epochs.
pub(super) fn write_loss_curve(path: &Path, rows: &[EpochLog]) -> Result<(), TrainError> {
    let curve = |name, color, value: fn(&EpochLog) -> Option<f64>| Curve {
        name,
        color,
        points: rows.iter().filter_map(|row| Some((row.epoch as f64, value(row)?))).collect(),
    };
    let last = rows.last().map_or(1, |row| row.epoch).max(2);
    let curves = vec![
        curve("training", RGBColor(31, 119, 180), |row| Some(row.train_loss)),
        curve("validation", RGBColor(214, 39, 40), |row| row.validation_loss),
        curve("test", RGBColor(44, 160, 44), |row| row.test_loss),
    ];
    write_curves(path, ("epoch", 1.0..last as f64), &[0.0], curves)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_of_any_size_are_drawn() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("loss.svg");
        let row = |epoch: usize, loss: f64| EpochLog {
            epoch,
            steps: epoch,
            learning_rate: 1.0,
            train_loss: loss,
            validation_loss: Some(-loss),
            validation_srcc: None,
            validation_plcc: None,
            validation_krcc: None,
            test_loss: None,
            seconds: 0.0,
        };
        let (inf, nan) = (f64::INFINITY, f64::NAN);
        let cases: [&[f64]; 7] =
            [&[], &[inf], &[nan], &[0.0, 0.0], &[1e308, -1e308], &[1e-320], &[0.5, inf, 0.25, nan, 1e300]];
        for losses in cases {
            let rows: Vec<EpochLog> = losses.iter().zip(1..).map(|(&loss, epoch)| row(epoch, loss)).collect();
            write_loss_curve(&path, &rows).expect("draws");
            let svg = std::fs::read_to_string(&path).expect("reads");
            assert!(svg.contains("</svg>") && !svg.contains("NaN") && !svg.contains("inf"), "{losses:?}");
        }
    }
}
