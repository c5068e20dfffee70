//! Image measures on a pair of 512x384, as `measure/<name>/512x384`; those on tensors as `measure/<name>/tensors_512x384`, and
//! with the gradient as `measure/<name>/gradient_512x384`.
#![allow(missing_docs, reason = "Criterion's macros")]

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use iqa_models::metrics::image::Measure;
use iqa_models::nn::image_to_tensor;
use iqa_models::{Device, MeasureModel, QualityModel, Tensor};
use iqa_testkit::textured;

fn measures(criterion: &mut Criterion) {
    let (distorted, reference) = (textured(512, 384, 1), textured(512, 384, 0));
    let mut group = criterion.benchmark_group("measure");
    group.sample_size(20).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    for measure in Measure::ALL {
        group.bench_function(format!("{measure}/512x384"), |bencher| {
            bencher.iter(|| measure.score(&distorted, &reference).expect("scores"));
        });
        let model = MeasureModel(measure);
        let [plain, tracked] = [Device::flex(), Device::flex().autodiff()].map(|device| {
            let tensor = |image| image_to_tensor(image, &device);
            (tensor(&distorted), tensor(&reference))
        });
        if model.score_tensors(plain.0.clone(), Some(plain.1.clone())).is_err() {
            continue;
        }
        let score = |distorted: &Tensor<4>, reference: &Tensor<4>| {
            model.score_tensors(distorted.clone(), Some(reference.clone())).expect("scores")
        };
        group.bench_function(format!("{measure}/tensors_512x384"), |bencher| {
            bencher.iter(|| score(&plain.0, &plain.1).into_data());
        });
        group.bench_function(format!("{measure}/gradient_512x384"), |bencher| {
            bencher.iter(|| {
                let distorted = tracked.0.clone().require_grad();
                let gradients = score(&distorted, &tracked.1).backward();
                distorted.grad(&gradients).expect("a gradient").into_data()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, measures);
criterion_main!(benches);
