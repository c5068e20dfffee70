//! Draws where a picture is bad, and what weight each place has.
//!
//! ```text
//! cargo run --release --example heat_map -- distorted.png original.png map.png
//! ```
#![allow(clippy::print_stdout, reason = "a program")]

use std::error::Error;
use std::path::PathBuf;

use iqa_models::{DecodeOptions, Device, Scorer, heatmap, read_image};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [distorted, original, map] = &arguments[..] else {
        return Err("expected the distorted picture, its original, and the picture to draw".into());
    };
    let image = read_image(distorted, &DecodeOptions::default())?;
    let score = Scorer::new("wadiqam_fr", &Device::flex())?.score_pair(&image, original)?;
    let patches = score.patches.as_ref().ok_or("the model does not score patches")?;
    // The patches are there as numbers too.
    let bad = patches.quality.iter().zip(&patches.positions).min_by(|a, b| a.0.total_cmp(b.0));
    if let Some((quality, place)) = bad {
        println!(
            "score {:.4}; the worst of {} patches, at {}, {}: {quality:.4}",
            score.value,
            patches.quality.len(),
            place.x,
            place.y
        );
    }
    heatmap(&image, patches, score.direction).save(map)?;
    Ok(())
}
