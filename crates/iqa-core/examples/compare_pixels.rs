//! Beside the pixels that another program read: the PSNR of every file of a folder that has a NAME.rgb, as
//! `tests/fixtures/generate/jpeg_sweep.py` writes them (width and height as little-endian 32-bit integers, RGB rows).
//!
//! ```text
//! cargo run --release -p iqa-core --example compare_pixels -- FOLDER
//! ```

#![allow(clippy::print_stdout)]

use std::path::{Path, PathBuf};

use iqa_core::{DecodeOptions, read_image};

/// In dB, at most 100.
fn psnr(path: &Path, expected: &[u8]) -> Result<f64, String> {
    let image = read_image(path, &DecodeOptions::default()).map_err(|error| error.to_string())?;
    let size = [image.width().to_le_bytes(), image.height().to_le_bytes()].concat();
    if expected.get(..8) != Some(&size) || expected.len() - 8 != image.len() {
        return Err(format!("{}x{} is another size", image.width(), image.height()));
    }
    let square = |(&a, &b): (&u8, &u8)| f64::from(a.abs_diff(b)).powi(2);
    let error = image.iter().zip(&expected[8..]).map(square).sum::<f64>() / image.len() as f64;
    Ok((10.0 * (255f64.powi(2) / error).log10()).min(100.0))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).ok_or("expected a folder")?;
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
    files.sort();
    let mut counts = [0; 5];
    for path in &files {
        let mut beside = path.clone().into_os_string();
        beside.push(".rgb");
        let Ok(expected) = std::fs::read(&beside) else { continue };
        let class = match psnr(path, &expected) {
            Ok(value) => {
                println!("{value:6.2}  {}", path.display());
                [99.9, 50.0, 34.0].iter().position(|&least| value > least).unwrap_or(3)
            }
            Err(error) => {
                println!("        {error}");
                4
            }
        };
        counts[class] += 1;
    }
    let [same, fine, close, wrong, refused] = counts;
    println!("{same} the same, {fine} above 50 dB, {close} above 34 dB, {wrong} below, {refused} refused");
    Ok(())
}
