//! DIQaM and WaDIQaM: what a score costs, and where.
//!
//! ```text
//! cargo bench --workspace --bench wadiqam
//! IQA_DEVICES=libtorch cargo bench --workspace --features iqa-benches/tch --bench wadiqam
//! ```
//!
//! A pair of 512x384 is in the benchmark `models`, beside all other models.
#![allow(missing_docs, reason = "criterion's macros make public items")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use iqa_benches::devices;
use iqa_models::Scorer;
use iqa_models::heads::wadiqam::{PatchSampler, Wadiqam, WadiqamConfig, cut_patches};
use iqa_testkit::textured;

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

/// A whole score with the bundled weights, from decoded image to number, and against a prepared reference.
fn score(c: &mut Criterion) {
    for (name, device) in devices() {
        let full = Scorer::new("wadiqam_fr", &device).expect("bundled");
        let none = Scorer::new("wadiqam_nr", &device).expect("bundled");
        let (distorted, reference) = (textured(1920, 1080, 1), textured(1920, 1080, 2));
        let mut group = c.benchmark_group("wadiqam_fr");
        group.sample_size(10);
        group.bench_function(BenchmarkId::new("1920x1080", &name), |b| {
            b.iter(|| full.score_pair(black_box(&distorted), &reference).expect("scores"));
        });
        for (width, height) in [(512, 384), (1920, 1080)] {
            let (distorted, reference) = (textured(width, height, 1), textured(width, height, 2));
            let prepared = full.prepare(&reference).expect("prepares");
            group.bench_function(BenchmarkId::new(format!("{width}x{height}_prepared"), &name), |b| {
                b.iter(|| full.score_prepared(black_box(&distorted), &prepared).expect("scores"));
            });
        }
        group.finish();
        let mut group = c.benchmark_group("wadiqam_nr");
        group.sample_size(10);
        group.bench_function(BenchmarkId::new("1920x1080", &name), |b| {
            b.iter(|| none.score_single(black_box(&distorted)).expect("scores"));
        });
    }
}

criterion_group!(benches, patch_extraction, features, score);
criterion_main!(benches);
