//! What bounds each layer: a table of arithmetic, traffic and time beside this machine's measured peaks.
//!
//! ```text
//! cargo run --release -p iqa-benches --example roofline [threads]
//! ```
//!
//! "Arithmetic" counts multiplications and additions of the definition; "done" those of the matrix products that the
//! algorithm carries out (Winograd's are up to four times fewer); "bytes" are those of input, output and weights, each once.
#![allow(clippy::print_stdout, reason = "its purpose")]

use std::time::Instant;

use iqa_kernels::cpu::{self, Algorithm, Finish, Geometry, PackedWeights, Size};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

/// `[images, height, width, channels, out, kernel, stride]`
const LAYERS: [(&str, [usize; 7]); 20] = [
    ("3x3, 64 to 128, 192x192", [1, 192, 192, 64, 128, 3, 1]),
    ("1x1, 256 to 64, 96x128", [1, 96, 128, 256, 64, 1, 1]),
    ("1x1, 64 to 256, 96x128", [1, 96, 128, 64, 256, 1, 1]),
    ("1x1, 512 to 128, 48x64", [1, 48, 64, 512, 128, 1, 1]),
    ("1x1, 128 to 512, 48x64", [1, 48, 64, 128, 512, 1, 1]),
    ("1x1, 1024 to 256, 24x32", [1, 24, 32, 1024, 256, 1, 1]),
    ("1x1, 256 to 1024, 24x32", [1, 24, 32, 256, 1024, 1, 1]),
    ("1x1, 512 to 2048, 12x16", [1, 12, 16, 512, 2048, 1, 1]),
    ("3x3 stride 2, 128, 48x64", [1, 48, 64, 128, 128, 3, 2]),
    ("7x7 stride 2, 3 to 64, 384x512", [1, 384, 512, 3, 64, 7, 2]),
    ("5x5, 64 to 96, 48x64", [1, 48, 64, 64, 96, 5, 1]),
    ("VGG16 conv1_1, 384x512", [1, 384, 512, 3, 64, 3, 1]),
    ("VGG16 conv1_2", [1, 384, 512, 64, 64, 3, 1]),
    ("VGG16 conv3_2", [1, 96, 128, 256, 256, 3, 1]),
    ("VGG16 conv5_1", [1, 24, 32, 512, 512, 3, 1]),
    ("WaDIQaM conv1, 192 patches", [192, 32, 32, 3, 32, 3, 1]),
    ("WaDIQaM conv2", [192, 32, 32, 32, 32, 3, 1]),
    ("WaDIQaM conv4", [192, 16, 16, 64, 64, 3, 1]),
    ("WaDIQaM conv8", [192, 4, 4, 256, 256, 3, 1]),
    ("WaDIQaM conv10", [192, 2, 2, 512, 512, 3, 1]),
];

/// Fused multiply-adds on twelve registers; each round of each is two operations a lane.
struct Peak(usize);

impl WithSimd for Peak {
    type Output = (f32, usize);

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> (f32, usize) {
        let factor = simd.splat_f32s(0.999);
        let mut sums = [simd.splat_f32s(0.1); 12];
        for _ in 0..self.0 {
            for sum in &mut sums {
                *sum = simd.mul_add_e_f32s(*sum, factor, factor);
            }
        }
        let total = sums.into_iter().fold(factor, |total, sum| simd.add_f32s(total, sum));
        (simd.reduce_sum_f32s(total), 2 * 12 * S::F32_LANES * self.0)
    }
}

/// The shortest of some runs, in seconds, and what the last gave.
fn shortest<R>(runs: usize, mut work: impl FnMut() -> R) -> (f64, R) {
    let mut timed = || {
        let start = Instant::now();
        let result = work();
        (start.elapsed().as_secs_f64(), result)
    };
    let first = timed();
    (1..runs).fold(first, |best, _| {
        let next = timed();
        (best.0.min(next.0), next.1)
    })
}

fn values(count: usize) -> Vec<f32> {
    (0..count).map(|index| (index * 7919 % 1009) as f32 / 1009.0 - 0.5).collect()
}

fn main() {
    let threads = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(0);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool of threads");
    pool.install(table);
}

fn table() {
    let threads = rayon::current_num_threads();
    let arch = Arch::new();
    let (seconds, done) = shortest(5, || {
        let runs: Vec<(f32, usize)> =
            (0..threads).into_par_iter().with_max_len(1).map(|_| arch.dispatch(Peak(10_000_000))).collect();
        assert!(runs.iter().all(|(sum, _)| sum.is_finite()), "the sums tend to a limit");
        runs.iter().map(|(_, operations)| operations).sum::<usize>()
    });
    let peak = done as f64 / seconds / 1e9;
    let from = values(1 << 25);
    let mut to = vec![0.0; from.len()];
    let (seconds, ()) = shortest(5, || {
        to.par_chunks_mut(1 << 16)
            .zip(from.par_chunks(1 << 16))
            .for_each(|(to, from)| to.copy_from_slice(from));
    });
    let bandwidth = 2.0 * size_of_val(from.as_slice()) as f64 / seconds / 1e9;
    println!("{threads} threads: {peak:.0} GFLOP/s of fused multiply-adds, {bandwidth:.1} GB/s copied\n");
    println!(
        "| layer | algorithm | arithmetic, GFLOP | done | MB | ms | GFLOP/s | of the peak | at least, ms |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for (name, layer) in LAYERS {
        println!("{}", row(name, layer, peak, bandwidth));
    }
}

fn row(name: &str, layer: [usize; 7], peak: f64, bandwidth: f64) -> String {
    let [images, height, width, channels, out, kernel, stride] = layer;
    let input = Size { images, height, width, channels };
    let geometry = Geometry {
        kernel: [kernel; 2],
        stride: [stride; 2],
        dilation: [1; 2],
        vertical: [kernel / 2; 2],
        horizontal: [kernel / 2; 2],
    };
    let shape = [out, channels, kernel, kernel];
    let (x, weights, bias) = (values(input.values()), values(shape.iter().product()), values(out));
    let packed = PackedWeights::new(shape);
    let algorithm = Algorithm::choose_for_kept(&geometry, input, out);
    let (seconds, output) = shortest(12, || {
        // The result's memory serves the next one, as between the layers of a network.
        let weights = packed.with(&weights);
        cpu::convolve_by(algorithm, &x, input, &weights, &bias, &geometry, Finish::default()).1
    });
    let arithmetic = 2.0 * (output.values() * channels * kernel * kernel) as f64;
    let tiles = |tile: usize| {
        let count = images * output.height.div_ceil(tile) * output.width.div_ceil(tile);
        2.0 * (count * (tile + 2) * (tile + 2) * channels * out) as f64
    };
    let (name_of, done) = match algorithm {
        Algorithm::Winograd4 => ("F(4x4)", tiles(4)),
        Algorithm::Winograd2 => ("F(2x2)", tiles(2)),
        Algorithm::Direct => ("direct", arithmetic),
        Algorithm::Split => ("split", arithmetic),
        Algorithm::SplitWinograd4 => ("split F(4x4)", tiles(4)),
        Algorithm::Bf16(_) => ("bf16", arithmetic),
    };
    let bytes = (size_of::<f32>() * (input.values() + output.values() + weights.len())) as f64;
    let least = (done / peak / 1e9).max(bytes / bandwidth / 1e9);
    format!(
        "| {name} | {name_of} | {:.2} | {:.2} | {:.1} | {:.2} | {:.0} | {:.2} | {:.2} |",
        arithmetic / 1e9,
        done / 1e9,
        bytes / 1e6,
        1e3 * seconds,
        arithmetic / seconds / 1e9,
        done / seconds / 1e9 / peak,
        1e3 * least,
    )
}
