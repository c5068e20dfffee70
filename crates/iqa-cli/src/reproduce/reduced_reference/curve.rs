//! Agreement over the number of components, as a picture.

use std::error::Error;
use std::path::Path;

use iqa_models::core::write_atomically;
use iqa_models::metrics::chart::{axis, drawn};
use plotters::prelude::*;

const SIZE: (u32, u32) = (800, 480);
const BLUE: RGBColor = RGBColor(31, 119, 180);
const RED: RGBColor = RGBColor(214, 39, 40);

/// Agreement with the labels when so many components are known.
#[derive(Clone, Copy)]
pub(crate) struct Point {
    pub(crate) components: usize,
    pub(crate) srcc: f64,
    pub(crate) plcc: f64,
}

/// Draws SRCC over the number of components, and the full reference's as a line, as SVG.
pub(crate) fn write_curve(path: &Path, full: Point, points: &[Point]) -> Result<(), Box<dyn Error>> {
    let mut svg = String::new();
    draw(&mut svg, full, points)?;
    Ok(write_atomically(path, svg.as_bytes())?)
}

/// The numbers of components stand at equal distances: the first few matter most.
fn draw(svg: &mut String, full: Point, points: &[Point]) -> Result<(), Box<dyn Error>> {
    let points: Vec<Point> = points.iter().copied().filter(|point| drawn(point.srcc).is_some()).collect();
    let heights = axis(points.iter().map(|point| point.srcc).chain([full.srcc]));
    let last = points.len().max(2) - 1;
    let area = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(56)
        .build_cartesian_2d(-0.2..last as f64 + 0.2, heights)?;
    let label = |at: &f64| {
        let index = at.round();
        match points.get(index as usize) {
            Some(point) if (at - index).abs() < 1e-6 && index >= 0.0 => point.components.to_string(),
            _ => String::new(),
        }
    };
    chart
        .configure_mesh()
        .disable_x_mesh()
        .x_labels(2 * points.len())
        .x_label_formatter(&label)
        .x_desc("components known of each reference patch")
        .y_desc("SRCC")
        .draw()?;
    let level = drawn(full.srcc).map(|srcc| [(0.0, srcc), (last as f64, srcc)]);
    chart
        .draw_series(LineSeries::new(level.into_iter().flatten(), RED.stroke_width(1)))?
        .label("the reference itself")
        .legend(|(x, y)| PathElement::new([(x, y), (x + 20, y)], RED.stroke_width(1)));
    let line = points.iter().enumerate().map(|(index, point)| (index as f64, point.srcc));
    chart
        .draw_series(LineSeries::new(line.clone(), BLUE.stroke_width(2)))?
        .label("rebuilt from its components")
        .legend(|(x, y)| PathElement::new([(x, y), (x + 20, y)], BLUE.stroke_width(2)));
    chart.draw_series(line.map(|at| Circle::new(at, 4, BLUE.filled())))?;
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK)
        .draw()?;
    area.present()?;
    Ok(())
}
