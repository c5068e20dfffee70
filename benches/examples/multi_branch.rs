//! Seconds that one 512x384 pair takes by the multi-branch model, weights random, batch norms folded.
//!
//! ```text
//! /usr/bin/time -v cargo run --release -p iqa-benches --example multi_branch -- vgg16 3
//! ```
#![allow(clippy::print_stdout, reason = "a program's report goes to standard output")]

use std::process::ExitCode;
use std::time::Instant;

use burn::tensor::Device;
use iqa_models::backbones::Architecture;
use iqa_models::heads::multi_branch::MultiBranchConfig;
use iqa_testkit::textured;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_default();
    let repeats: usize = arguments.next().and_then(|count| count.parse().ok()).unwrap_or(3).max(1);
    let Some(architecture) = Architecture::ALL.into_iter().find(|known| known.as_str() == name) else {
        eprintln!("error: expected one of {}", Architecture::ALL.map(Architecture::as_str).join(", "));
        return ExitCode::FAILURE;
    };
    let device = Device::flex();
    let config = MultiBranchConfig::new(architecture);
    let model = config.init(config.frp().init(&device), &device).fuse();
    let (distorted, reference) = (textured(512, 384, 1), textured(512, 384, 2));
    let mut seconds = Vec::new();
    // The first fills the caches of the weights.
    for _ in 0..=repeats {
        let start = Instant::now();
        if let Err(error) = model.score(&distorted, Some(&reference)) {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
        seconds.push(start.elapsed().as_secs_f64());
    }
    let first = seconds.remove(0);
    seconds.sort_by(f64::total_cmp);
    println!("{architecture}: median {:.3} s of {repeats}, the first {first:.3} s", seconds[repeats / 2]);
    ExitCode::SUCCESS
}
