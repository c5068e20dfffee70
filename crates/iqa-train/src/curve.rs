//! Learning curves as a picture.

use std::path::Path;

use iqa_core::write_atomically;
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
    let highest = rows.iter().map(|row| row.train_loss.max(row.validation_loss)).fold(0.0, f64::max);
    let last = rows.last().map_or(1, |row| row.epoch).max(2);
    let area = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(56)
        .build_cartesian_2d(1f64..last as f64, 0f64..(highest * 1.05).max(f64::MIN_POSITIVE))?;
    chart.configure_mesh().x_desc("epoch").y_desc("loss").draw()?;
    let series: [(&str, RGBColor, Loss); 2] = [
        ("training", RGBColor(31, 119, 180), |row| row.train_loss),
        ("validation", RGBColor(214, 39, 40), |row| row.validation_loss),
    ];
    for (name, color, value) in series {
        chart
            .draw_series(LineSeries::new(
                rows.iter().map(|row| (row.epoch as f64, value(row))),
                color.stroke_width(2),
            ))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], color.stroke_width(2)));
    }
    chart.configure_series_labels().background_style(WHITE.mix(0.8)).border_style(BLACK).draw()?;
    area.present()?;
    Ok(())
}
