//! Learning curves as a picture.

use std::path::Path;

use iqa_core::write_atomically;
use iqa_metrics::chart::{axis, drawn};
use plotters::prelude::*;

use crate::{EpochLog, TrainError};

const SIZE: (u32, u32) = (800, 480);

/// One of the two losses of an epoch.
type Loss = fn(&EpochLog) -> f64;

/// Draws training and validation loss over the epochs as SVG.
pub(crate) fn write_loss_curve(path: &Path, rows: &[EpochLog]) -> Result<(), TrainError> {
    let mut svg = String::new();
    draw(&mut svg, rows)
        .map_err(|error| TrainError::Curve { path: path.into(), reason: error.to_string() })?;
    Ok(write_atomically(path, svg.as_bytes())?)
}

fn draw(svg: &mut String, rows: &[EpochLog]) -> Result<(), Box<dyn std::error::Error>> {
    let losses = rows.iter().flat_map(|row| [row.train_loss, row.validation_loss]);
    let heights = axis(losses.chain([0.0]));
    let last = rows.last().map_or(1, |row| row.epoch).max(2);
    let area = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(56)
        .build_cartesian_2d(1f64..last as f64, heights)?;
    chart.configure_mesh().x_desc("epoch").y_desc("loss").draw()?;
    let series: [(&str, RGBColor, Loss); 2] = [
        ("training", RGBColor(31, 119, 180), |row| row.train_loss),
        ("validation", RGBColor(214, 39, 40), |row| row.validation_loss),
    ];
    for (name, color, value) in series {
        chart
            .draw_series(LineSeries::new(
                rows.iter().filter_map(|row| Some((row.epoch as f64, drawn(value(row))?))),
                color.stroke_width(2),
            ))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], color.stroke_width(2)));
    }
    chart.configure_series_labels().background_style(WHITE.mix(0.8)).border_style(BLACK).draw()?;
    area.present()?;
    Ok(())
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
            validation_loss: -loss,
            validation_srcc: None,
            validation_plcc: None,
            validation_krcc: None,
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
