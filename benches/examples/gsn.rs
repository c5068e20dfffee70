//! Our side of `peers/gsn.py`: scores a pair of 288x288 images by five crops, as often as asked, and writes the seconds of
//! each time and the most memory the process held, in MB.
//!
//! The network has random weights: it costs what a trained one costs. With a second argument, the bytes that a pass may
//! take, as [`ScoreOptions::memory`].
#![allow(clippy::print_stdout, reason = "a program's figures go to standard output")]

use std::time::Instant;

use burn::tensor::Device;
use image::RgbImage;
use iqa_models::heads::gsn::{GsnConfig, ScoreOptions};

fn picture(seed: u32) -> RgbImage {
    RgbImage::from_fn(288, 288, |x, y| {
        image::Rgb([0, 1, 2].map(|c| (x * 7 + y * 13 + c * 31 + seed * x * y) as u8))
    })
}

/// Megabytes, from Linux; 0 elsewhere.
fn peak_memory() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    let kilobytes = line.trim().trim_end_matches("kB").trim().parse::<f64>();
    kilobytes.map_or(0.0, |kilobytes| kilobytes * 1024.0 / 1e6)
}

fn main() {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<usize>().expect("a number"));
    let rounds = arguments.next().unwrap_or(5);
    let memory = arguments.next().unwrap_or(ScoreOptions::default().memory);
    let model = GsnConfig::new().init(&Device::flex()).fuse();
    let (distorted, reference) = (picture(1), picture(2));
    for _ in 0..rounds {
        let start = Instant::now();
        let score = model.score(&distorted, Some(&reference), &ScoreOptions { memory }).expect("a score");
        println!("{} {}", start.elapsed().as_secs_f64(), score.score);
    }
    println!("{}", peak_memory());
}
