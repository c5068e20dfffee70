//! The learning curves of several runs.

use std::error::Error;

use iqa_models::metrics::chart::{axis, drawn};
use iqa_models::train::EpochLog;
use plotters::prelude::*;

const SIZE: (u32, u32) = (1000, 420);
const COLORS: [RGBColor; 4] =
    [RGBColor(31, 119, 180), RGBColor(23, 190, 207), RGBColor(214, 39, 40), RGBColor(255, 127, 14)];

/// A column of the log.
type Value = fn(&EpochLog) -> Option<f64>;

/// Validation SRCC and PLCC over the epochs as SVG; one line a run.
pub(crate) fn draw(runs: &[(&str, &[EpochLog])]) -> Result<String, Box<dyn Error>> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        area.fill(&WHITE)?;
        let panels: [(&str, Value); 2] =
            [("validation SRCC", |row| row.validation_srcc), ("validation PLCC", |row| row.validation_plcc)];
        for (panel, (name, value)) in area.split_evenly((1, 2)).iter().zip(panels) {
            let points = |rows: &[EpochLog]| -> Vec<(f64, f64)> {
                rows.iter().filter_map(|row| Some((row.epoch as f64, drawn(value(row)?)?))).collect()
            };
            let heights = axis(runs.iter().flat_map(|(_, rows)| points(rows)).map(|at| at.1).chain([1.0]));
            let last = runs.iter().map(|(_, rows)| rows.len()).max().unwrap_or(0).max(2);
            let mut chart = ChartBuilder::on(panel)
                .margin(12)
                .x_label_area_size(36)
                .y_label_area_size(52)
                .build_cartesian_2d(1f64..last as f64, heights)?;
            chart.configure_mesh().x_desc("epoch").y_desc(name).draw()?;
            for ((name, rows), color) in runs.iter().zip(COLORS) {
                chart
                    .draw_series(LineSeries::new(points(rows), color.stroke_width(2)))?
                    .label(*name)
                    .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], color.stroke_width(2)));
            }
            chart
                .configure_series_labels()
                .position(SeriesLabelPosition::LowerRight)
                .background_style(WHITE.mix(0.8))
                .border_style(BLACK)
                .draw()?;
        }
        area.present()?;
    }
    Ok(svg)
}
