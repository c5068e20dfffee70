//! Scores a picture against its original, by several models.
//!
//! ```text
//! cargo run --release --example score_pair -- distorted.jpg original.png
//! ```
#![allow(clippy::print_stdout, reason = "a program")]

use std::error::Error;

use iqa_models::{Device, Scorer};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(distorted), Some(original)) = (arguments.next(), arguments.next()) else {
        return Err("expected two pictures: the distorted one, and its original".into());
    };
    let device = Device::flex();
    for name in ["wadiqam_fr", "vsi", "psnr"] {
        let score = Scorer::new(name, &device)?.score_pair(&distorted, &original)?;
        let (low, high) = score.range;
        println!("{name}: {:.4}, {} from {low} to {high}", score.value, score.direction);
    }
    // Without the original.
    let score = Scorer::new("wadiqam_nr", &device)?.score_single(&distorted)?;
    println!("wadiqam_nr: {:.4}", score.value);
    Ok(())
}
