//! Image measures on a pair of 512x384, as `measure/<name>/512x384`.
#![allow(missing_docs, reason = "Criterion's macros")]

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use iqa_models::metrics::image::Measure;
use iqa_testkit::textured;

fn measures(criterion: &mut Criterion) {
    let (distorted, reference) = (textured(512, 384, 1), textured(512, 384, 0));
    let mut group = criterion.benchmark_group("measure");
    group.sample_size(20).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    for measure in Measure::ALL {
        group.bench_function(format!("{measure}/512x384"), |bencher| {
            bencher.iter(|| measure.score(&distorted, &reference).expect("scores"));
        });
    }
    group.finish();
}

criterion_group!(benches, measures);
criterion_main!(benches);
