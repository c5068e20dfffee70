//! Every model on every device: a pair, batches of 1, 8 and 32 on their way through the network, a training step.
//!
//! ```text
//! cargo bench --workspace --bench models
//! cargo bench --workspace --features iqa-benches/tch,iqa-benches/wgpu --bench models -- --quick wadiqam
//! ```
//!
//! Names are `<model>/<work>/<device>`, so that a part of one chooses what is run. `IQA_DEVICES=flex,libtorch` chooses
//! devices, `IQA_SIZE=256x256` another size of the pair than 512x384 (no less for HIQA, 192x192 for GSN). At its end stands
//! a table of all figures there are. Models without bundled weights have random ones: they cost what trained ones cost.
//! The clock stops when the result is in the memory of the computer or the device has done its work; what a device
//! compiles or tunes at first is done before it starts.
#![allow(missing_docs, reason = "criterion's macros make public items")]
#![allow(clippy::print_stdout, reason = "the table at the end")]

use std::hint::black_box;

use criterion::{Bencher, BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group};
use iqa_benches::models::{MODELS, open_model};
use iqa_benches::steps::{Step, gsn_step, hiqa_step, images, multi_branch_step, wadiqam_step};
use iqa_benches::{comparison_table, criterion_directory, devices, image_size};
use iqa_models::heads::multi_branch::MultiBranchConfig;
use iqa_models::heads::wadiqam::WadiqamConfig;
use iqa_models::{Device, ReferenceNeed};
use iqa_testkit::textured;

/// Side of the images of a batch: no model asks for more.
const SIDE: u32 = 256;
const BATCHES: [u32; 3] = [1, 8, 32];

/// Measures after a run that does not count: Criterion's own warm-up is left out by `--quick`.
fn warm<R>(bencher: &mut Bencher<'_>, mut run: impl FnMut() -> R) {
    run();
    bencher.iter(run);
}

/// Scores with everything that a user waits for, and batches of tensors.
fn scores(criterion: &mut Criterion) {
    let (width, height) = image_size();
    let (distorted, reference) = (textured(width, height, 1), textured(width, height, 2));
    for (device_name, device) in devices() {
        for model in MODELS {
            let mut group = criterion.benchmark_group(model);
            group.sample_size(10).sampling_mode(SamplingMode::Flat);
            // Opened by the first benchmark that is asked for.
            let mut scorer = None;
            group.bench_function(BenchmarkId::new(format!("{width}x{height}"), &device_name), |bencher| {
                let scorer = scorer.get_or_insert_with(|| open_model(model, &device));
                warm(bencher, || {
                    let score = match scorer.spec().reference {
                        ReferenceNeed::FullReference => scorer.score_pair(black_box(&distorted), &reference),
                        ReferenceNeed::NoReference => scorer.score_single(black_box(&distorted)),
                    };
                    score.expect("a size that the model takes")
                });
            });
            for n in BATCHES {
                group.throughput(Throughput::Elements(u64::from(n)));
                let id = BenchmarkId::new(format!("batch{n}_{SIDE}x{SIDE}"), &device_name);
                group.bench_function(id, |bencher| {
                    let scorer = scorer.get_or_insert_with(|| open_model(model, &device));
                    let distorted = images(n, SIDE, 1, &device);
                    let full = scorer.spec().reference == ReferenceNeed::FullReference;
                    let reference = full.then(|| images(n, SIDE, 50, &device));
                    warm(bencher, || {
                        let scores = scorer.score_tensors(distorted.clone(), reference.clone());
                        scores.expect("scores").into_data()
                    });
                });
            }
        }
    }
}

type Training = (&'static str, &'static str, fn(&Device) -> Step);

const TRAINING: [Training; 7] = [
    ("wadiqam_fr", "step_128_patches", |device| wadiqam_step(&WadiqamConfig::wadiqam_fr(), device)),
    ("wadiqam_nr", "step_128_patches", |device| wadiqam_step(&WadiqamConfig::wadiqam_nr(), device)),
    ("multibranch_vgg16", "step_4_pairs_128x128", |device| {
        multi_branch_step(MultiBranchConfig::vgg16(), device)
    }),
    ("multibranch_resnet50", "step_4_pairs_128x128", |device| {
        multi_branch_step(MultiBranchConfig::resnet50(), device)
    }),
    ("multibranch_inception_v3", "step_4_pairs_128x128", |device| {
        multi_branch_step(MultiBranchConfig::inception_v3(), device)
    }),
    ("gsn", "step_2_crops", gsn_step),
    ("hiqa", "joint_step_fast_preset", hiqa_step),
];

fn training(criterion: &mut Criterion) {
    for (device_name, device) in devices() {
        let device = device.autodiff();
        for (model, work, make) in TRAINING {
            let mut group = criterion.benchmark_group(model);
            group.sample_size(10).sampling_mode(SamplingMode::Flat);
            group.bench_function(BenchmarkId::new(work, &device_name), |bencher| {
                let mut step = make(&device);
                warm(bencher, || {
                    step();
                    device.sync().expect("no error on the device");
                });
            });
        }
    }
}

criterion_group!(benches, scores, training);

fn main() {
    benches();
    Criterion::default().configure_from_args().final_summary();
    println!("{}", comparison_table(&criterion_directory()));
}
