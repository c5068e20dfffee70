//! The losses of a run as a picture.

use std::path::Path;

use plotters::style::RGBColor;

use super::log::HiqaLog;
use super::recipe::Phase;
use crate::TrainError;
use crate::run::{Curve, write_curves};

/// Name, colour and value of a loss.
type Loss = (&'static str, RGBColor, fn(&HiqaLog) -> Option<f64>);

const LOSSES: [Loss; 5] = [
    ("R_pre: L_R", RGBColor(127, 127, 127), |row| (row.phase == Phase::Baseline).then_some(row.regressor)),
    ("R: L_R", RGBColor(31, 119, 180), |row| (row.phase != Phase::Baseline).then_some(row.regressor)),
    ("G: L_p", RGBColor(214, 39, 40), |row| row.pixel),
    ("D: half the cross-entropy", RGBColor(44, 160, 44), |row| Some((row.real? + row.fake?) / 2.0)),
    ("part with d_fake = 1", RGBColor(255, 127, 14), |row| row.accepted),
];

/// Draws the losses over the steps of all phases, one after the other, as SVG.
pub(super) fn write_losses(path: &Path, rows: &[HiqaLog]) -> Result<(), TrainError> {
    let mut places = Vec::with_capacity(rows.len());
    let (mut done, mut last) = (0, 0);
    for (index, row) in rows.iter().enumerate() {
        if index > 0 && rows[index - 1].phase != row.phase {
            done += last;
        }
        last = row.step;
        places.push((done + last) as f64);
    }
    let curve = |(name, color, value): Loss| {
        let points = rows.iter().zip(&places).filter_map(|(row, &place)| Some((place, value(row)?)));
        Curve { name, color, points: points.collect() }
    };
    let end = places.last().copied().unwrap_or(1.0);
    write_curves(path, ("step", 0.0..end), &[0.0, 0.1], LOSSES.map(curve).into())
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
            write_losses(&path, &rows).expect("draws");
            let svg = std::fs::read_to_string(&path).expect("reads");
            assert!(svg.contains("</svg>") && !svg.contains("NaN"), "{loss}");
        }
        write_losses(&path, &[]).expect("draws nothing");
    }
}
