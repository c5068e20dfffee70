//! How well models agree with your own ratings: a CSV file with the columns `distorted`, `score` and, where there are
//! originals, `reference`.
//!
//! ```text
//! cargo run --release --example rated_set -- ratings.csv IMAGES RESULTS
//! ```
#![allow(clippy::print_stdout, reason = "a program")]

use std::error::Error;
use std::path::PathBuf;

use iqa_models::core::Silent;
use iqa_models::datasets::{DataSet, Direction, ScoreKind, ScoreScale, Strictness};
use iqa_models::evaluate::{ReportConfig, evaluate};
use iqa_models::{Device, Scorer};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [list, images, results] = &arguments[..] else {
        return Err("expected a list of ratings, the folder of its images, and a folder for results".into());
    };
    // The lowest and the highest rating that a person could give.
    let scale = ScoreScale::new(ScoreKind::Mos, Direction::HigherIsBetter, 1.0, 5.0)?;
    let set = DataSet::open_csv(list, images, "mine", scale, Strictness::Strict)?;
    for name in ["psnr", "wadiqam_fr"] {
        let scorer = Scorer::new(name, &Device::flex())?;
        // Goes on where an earlier run was stopped; writes scores, a report and a scatter plot.
        let done =
            evaluate(scorer.model(), &set, &results.join(name), None, &ReportConfig::default(), &Silent)?;
        let Some(figures) = done.report.whole.figures else { continue };
        println!(
            "{name}: SRCC {:.4}, PLCC {:.4} on {} images",
            figures.srcc,
            figures.plcc,
            set.samples().len()
        );
    }
    Ok(())
}
