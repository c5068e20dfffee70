//! Damaged pictures: changes bytes, cuts and joins the files of folders, decodes what comes of it, and counts.
//!
//! ```text
//! cargo run --release -p iqa-core --example fuzz_decode -- 1000000 SEED FOLDER...
//! ```
//!
//! A panic that reaches this program ends it. Pictures above a million pixels are refused, so that memory tells what is
//! asked for beyond them.

#![allow(clippy::print_stdout)]

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use iqa_core::{CoreError, DecodeOptions, decode_image};

/// The finaliser of SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % end.max(1) as u64) as usize
    }
}

/// Half of the changes are in the first bytes, where headers are.
fn mutate(random: &mut Random, files: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = files[random.below(files.len())].clone();
    for _ in 0..=random.below(6) {
        let reach = if random.below(2) == 0 { bytes.len().min(200) } else { bytes.len() };
        let at = random.below(reach);
        match random.below(9) {
            0..=2 => bytes[at] = random.below(256) as u8,
            3 => bytes[at] ^= 1 << random.below(8),
            4 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][random.below(5)],
            5 => {
                let end = (at + 1 + random.below(4)).min(bytes.len());
                bytes[at..end].fill([0, 0xff][random.below(2)]);
            }
            6 => {
                let end = (at + 1 + random.below(32)).min(bytes.len());
                bytes.drain(at..end);
            }
            7 => {
                let other = &files[random.below(files.len())];
                let from = random.below(other.len());
                let part = &other[from..(from + 1 + random.below(64)).min(other.len())];
                bytes.splice(at..at, part.iter().copied());
            }
            _ => bytes.truncate(at + 1),
        }
        if bytes.is_empty() {
            bytes.push(0);
        }
    }
    bytes
}

/// The most memory that this process has held, where the system tells.
fn peak_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.map_or("unknown".into(), |line| line.trim().into())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let count: usize = arguments.next().ok_or("expected a count")?.parse()?;
    let mut random = Random(arguments.next().ok_or("expected a seed")?.parse()?);
    let mut files = Vec::new();
    for folder in arguments {
        let mut paths: Vec<PathBuf> =
            std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
        paths.retain(|path| path.is_file() && path.extension().is_none_or(|extension| extension != "rgb"));
        paths.sort();
        for path in paths {
            files.push(std::fs::read(path)?);
        }
    }
    let options = DecodeOptions { max_pixels: 1_000_000, ..DecodeOptions::default() };
    let mut reasons = BTreeSet::new();
    let (mut read, mut caught, mut slowest) = (0, 0, Duration::ZERO);
    for number in 0..count {
        let bytes = mutate(&mut random, &files);
        let start = Instant::now();
        match decode_image(&bytes, "mutant", &options) {
            Ok(_) => read += 1,
            Err(CoreError::Decode { source, .. }) if source.to_string().starts_with("the decoder failed") => {
                caught += 1;
                if reasons.insert(source.to_string()) {
                    println!("{source}; the first two bytes are {:02x?}", &bytes[..bytes.len().min(2)]);
                }
            }
            Err(_) => {}
        }
        slowest = slowest.max(start.elapsed());
        if (number + 1) % 100_000 == 0 {
            println!(
                "{} mutants of {} files: {read} read, {caught} panics became errors, slowest {slowest:?}, peak memory {}",
                number + 1,
                files.len(),
                peak_memory()
            );
        }
    }
    Ok(())
}
