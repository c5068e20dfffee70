//! A table as a picture: a panel a set, a line a model.

use std::error::Error;
use std::path::Path;

use iqa_core::write_atomically;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::table::Table;
use crate::EvaluateError;

/// Extents in pixels.
const ROW: i32 = 22;
const PANEL: i32 = 190;
const GAP: i32 = 16;
const LETTER: i32 = 8;
const HEAD: i32 = 44;
const FOOT: i32 = 40;
/// Between two lines of the scale.
const STEP: f64 = 0.1;

const DOT: RGBColor = RGBColor(0, 114, 178);
const BEST: RGBColor = RGBColor(213, 94, 0);
const FAINT: RGBColor = RGBColor(215, 215, 215);

/// Draws the SRCC of every model on every set as SVG, with its interval; the best of each set in another colour.
///
/// # Errors
/// [`EvaluateError::Drawing`] when no SRCC is defined or the picture cannot be made; [`EvaluateError::Core`] when it cannot be
/// written.
pub fn write_dots(path: &Path, table: &Table) -> Result<(), EvaluateError> {
    let mut svg = String::new();
    draw(&mut svg, table)
        .map_err(|error| EvaluateError::Drawing { path: path.into(), reason: error.to_string() })?;
    Ok(write_atomically(path, svg.as_bytes())?)
}

/// The lower end of the scale: what lies below the lowest value, in whole steps.
fn lowest(table: &Table) -> Option<f64> {
    let cells = table.rows.iter().flat_map(|row| &row.cells);
    let ends = cells.filter_map(|cell| Some(cell.srcc_interval.map_or(cell.srcc?, |[low, _]| low)));
    let least = ends.min_by(f64::total_cmp)?;
    Some((least / STEP).floor().min(1.0 / STEP - 1.0) * STEP)
}

fn draw(svg: &mut String, table: &Table) -> Result<(), Box<dyn Error>> {
    let low = lowest(table).ok_or("no SRCC is defined")?;
    let names = table.rows.iter().map(|row| row.model.chars().count()).max().unwrap_or_default();
    let left = names as i32 * LETTER + GAP;
    let bottom = HEAD + table.rows.len() as i32 * ROW;
    let width = left + table.sets.len() as i32 * (PANEL + GAP);
    let area = SVGBackend::with_string(svg, (width as u32, (bottom + FOOT) as u32)).into_drawing_area();
    area.fill(&WHITE)?;
    let text = |anchor: HPos, size: i32| {
        ("sans-serif", size).into_font().color(&BLACK).pos(Pos::new(anchor, VPos::Center))
    };
    let line = |from: (i32, i32), to: (i32, i32), style: ShapeStyle| PathElement::new([from, to], style);
    for (index, row) in table.rows.iter().enumerate() {
        let y = HEAD + index as i32 * ROW + ROW / 2;
        area.draw(&Text::new(row.model.clone(), (left - 8, y), text(HPos::Right, 14)))?;
    }
    for (column, set) in table.sets.iter().enumerate() {
        let start = left + column as i32 * (PANEL + GAP);
        let x = |value: f64| start + (f64::from(PANEL) * (value - low) / (1.0 - low)).round() as i32;
        let title = format!("{} ({})", set.name, set.images);
        area.draw(&Text::new(title, (start + PANEL / 2, HEAD / 2 - 4), text(HPos::Center, 14)))?;
        let steps = ((1.0 - low) / STEP).round() as i32;
        for step in 0..=steps {
            let value = low + f64::from(step) * STEP;
            area.draw(&line((x(value), HEAD), (x(value), bottom), FAINT.stroke_width(1)))?;
            // Every other one where they are close.
            if steps <= 5 || (steps - step) % 2 == 0 {
                let place = (x(value), bottom + 12);
                area.draw(&Text::new(format!("{value:.1}"), place, text(HPos::Center, 12)))?;
            }
        }
        let best = table.best_srcc(column);
        for (index, row) in table.rows.iter().enumerate() {
            let y = HEAD + index as i32 * ROW + ROW / 2;
            let cell = &row.cells[column];
            let Some(value) = cell.srcc else {
                area.draw(&Text::new("\u{2013}", (start + PANEL / 2, y), text(HPos::Center, 14)))?;
                continue;
            };
            let color = if Some(value) == best { BEST } else { DOT };
            if let Some([from, to]) = cell.srcc_interval {
                area.draw(&line((x(from), y), (x(to), y), color.mix(0.5).stroke_width(2)))?;
            }
            area.draw(&Circle::new((x(value), y), 5, color.filled()))?;
        }
    }
    let middle = left + (width - left) / 2;
    area.draw(&Text::new("SRCC", (middle, bottom + 28), text(HPos::Center, 13)))?;
    area.present()?;
    Ok(())
}
