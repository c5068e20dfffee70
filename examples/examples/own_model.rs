//! A model of your own is scored as any other: checked, named in errors, prepared, evaluated.
//!
//! ```text
//! cargo run --release --example own_model -- distorted.png original.png
//! ```
#![allow(clippy::print_stdout, reason = "a program")]

use std::error::Error;

use iqa_models::image::RgbImage;
use iqa_models::{
    Direction, Identity, ModelError, QualityModel, ReferenceNeed, ScoreError, ScoreSpec, Scored, Scorer,
};

/// The mean absolute difference of two pictures, in steps of 8 bits.
#[derive(Debug)]
struct MeanDifference;

impl QualityModel for MeanDifference {
    fn name(&self) -> &str {
        "mean_difference"
    }

    fn spec(&self) -> ScoreSpec {
        ScoreSpec::new(Direction::LowerIsBetter, 0.0, 255.0, ReferenceNeed::FullReference)
    }

    /// What scores depend on besides the pictures: weights and options. Of a formula nothing.
    fn identity(&self) -> Identity {
        Identity::formula()
    }

    fn score(&self, distorted: &RgbImage, reference: Option<&RgbImage>) -> Result<Scored, ModelError> {
        let reference = reference.ok_or(ScoreError::ReferenceMissing)?;
        let pairs = distorted.as_raw().iter().zip(reference.as_raw());
        let sum: u64 = pairs.map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        Ok((sum as f64 / distorted.as_raw().len() as f64).into())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(distorted), Some(original)) = (arguments.next(), arguments.next()) else {
        return Err("expected two pictures: the distorted one, and its original".into());
    };
    let scorer = Scorer::from_model(MeanDifference);
    let score = scorer.score_pair(&distorted, &original)?;
    println!("{}: {:.4} ({})", scorer.name(), score.value, score.direction);
    Ok(())
}
