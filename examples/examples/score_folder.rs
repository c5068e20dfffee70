//! Scores the pictures of a folder on all cores, each file decoded once while the models work, and sums up.
//!
//! ```text
//! cargo run --release --example score_folder -- restored/ originals/
//! ```
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program")]

use std::error::Error;
use std::path::PathBuf;

use iqa_models::core::{ImageFolder, images_in};
use iqa_models::metrics::Summary;
use iqa_models::{Device, ModelError, Pair, Scorer, Scorers};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(restored), Some(originals)) = (arguments.next(), arguments.next()) else {
        return Err("expected two folders: the restored pictures, and their originals".into());
    };
    // The models use all cores themselves: one image at a time keeps memory low.
    let device = Device::flex();
    let names = ["psnr", "wadiqam_fr"];
    let scorers = names.iter().map(|name| Scorer::new(name, &device)).collect::<Result<_, ModelError>>()?;
    let scorers = Scorers::new(scorers);

    let originals = ImageFolder::open(originals, true)?;
    let mut files: Vec<(PathBuf, PathBuf)> = Vec::new();
    for file in images_in(&restored, true)? {
        match originals.find(file.strip_prefix(&restored)?) {
            Some(original) => files.push((file, original)),
            None => eprintln!("{}: no original", file.display()),
        }
    }
    let pairs: Vec<Pair<'_>> = files.iter().map(|(file, original)| Pair::new(file, original)).collect();
    let mut found = vec![Vec::new(); names.len()];
    scorers.score_pairs(&pairs, |index, scores| {
        // One that cannot be read, or scored, does not stop the others.
        match scores.and_then(|scores| scores.into_iter().collect::<Result<Vec<_>, _>>()) {
            Ok(scores) => found.iter_mut().zip(scores).for_each(|(found, score)| found.push(score.value)),
            Err(error) => eprintln!("{}: {error}", files[index].0.display()),
        }
        Ok::<(), ModelError>(())
    })?;
    for (name, scores) in names.iter().zip(&found) {
        let Some(Summary { count, mean, median, std }) = Summary::of(scores) else { continue };
        println!("{name}: {count} pictures, mean {mean:.4}, median {median:.4}, standard deviation {std:.4}");
    }
    Ok(())
}
