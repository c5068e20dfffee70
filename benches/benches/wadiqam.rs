//! DIQaM and WaDIQaM: what a score costs, and where.
//!
//! ```text
//! cargo bench -p iqa-benches --bench wadiqam
//! IQA_DEVICE=libtorch cargo bench -p iqa-benches --features tch --bench wadiqam
//! ```
//!
//! Every device of the build is measured unless `IQA_DEVICE` names one.
#![allow(missing_docs, reason = "criterion's macros make public items")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use iqa_models::heads::wadiqam::{PatchSampler, ScoreOptions, Wadiqam, WadiqamConfig, cut_patches};
use iqa_models::{Device, Scorer, available_devices, device_by_name};
use iqa_testkit::textured;

const SIZES: [(u32, u32); 2] = [(512, 384), (1920, 1080)];

fn devices() -> Vec<(String, Device)> {
    let names = match std::env::var("IQA_DEVICE") {
        Ok(name) => vec![name],
        // A machine without an NVIDIA card has these names too.
        Err(_) => available_devices()
            .iter()
            .filter(|name| !name.contains("cuda"))
            .map(|name| (*name).to_owned())
            .collect(),
    };
    let open = |name: String| {
        let device = device_by_name(&name).unwrap_or_else(|error| panic!("{error}"));
        (name, device)
    };
    names.into_iter().map(open).collect()
}

/// Cutting the 192 patches of an image of KADID-10k's size, without any network.
fn patch_extraction(c: &mut Criterion) {
    let image = textured(512, 384, 1);
    let sampler = PatchSampler::official();
    let positions = sampler.positions(512, 384).expect("large enough");
    let mut group = c.benchmark_group("patch_extraction");
    group.throughput(Throughput::Elements(positions.len() as u64));
    for (name, device) in devices() {
        group.bench_function(&name, |b| {
            b.iter(|| {
                let patches = cut_patches(black_box(&image), &positions, &device);
                device.sync().expect("no error on the device");
                patches
            });
        });
    }
}

/// Features of 192 patches: the full network of the paper and the shallow one.
fn features(c: &mut Criterion) {
    let image = textured(512, 384, 1);
    let positions = PatchSampler::official().positions(512, 384).expect("large enough");
    let mut group = c.benchmark_group("features_of_192_patches");
    group.sample_size(10).throughput(Throughput::Elements(positions.len() as u64));
    for (name, device) in devices() {
        for (depth, config) in
            [("full", WadiqamConfig::wadiqam_nr()), ("shallow", WadiqamConfig::wadiqam_nr().shallow())]
        {
            let model: Wadiqam = config.init(&device);
            let patches = cut_patches(&image, &positions, &device);
            group.bench_function(BenchmarkId::new(depth, &name), |b| {
                b.iter(|| model.features(black_box(patches.clone())).into_data());
            });
        }
    }
}

/// A whole score with the bundled weights, from decoded image to number.
fn score(c: &mut Criterion) {
    for (width, height) in SIZES {
        let (distorted, reference) = (textured(width, height, 1), textured(width, height, 2));
        let mut group = c.benchmark_group(format!("score_{width}x{height}"));
        group.sample_size(10);
        for (name, device) in devices() {
            let options = ScoreOptions::default();
            let full = Scorer::new("wadiqam_fr", &device).expect("bundled").with_options(options);
            let none = Scorer::new("wadiqam_nr", &device).expect("bundled").with_options(options);
            group.bench_function(BenchmarkId::new("wadiqam_fr", &name), |b| {
                b.iter(|| full.score_pair(black_box(&distorted), &reference).expect("scores"));
            });
            let prepared = full.prepare(&reference).expect("prepares");
            group.bench_function(BenchmarkId::new("wadiqam_fr_prepared", &name), |b| {
                b.iter(|| full.score_prepared(black_box(&distorted), &prepared).expect("scores"));
            });
            group.bench_function(BenchmarkId::new("wadiqam_nr", &name), |b| {
                b.iter(|| none.score_single(black_box(&distorted)).expect("scores"));
            });
        }
    }
}

criterion_group!(benches, patch_extraction, features, score);
criterion_main!(benches);
