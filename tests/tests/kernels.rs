//! The workspace's convolution layer against Burn's own, on the flex device.
#![allow(missing_docs, reason = "a test")]

use burn::module::{Module, Param, RunningState};
use burn::nn::conv::{Conv2d as BurnConv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, PaddingConfig2d};
use burn::tensor::activation::relu;
use burn::tensor::module::{
    avg_pool2d, batch_norm as module_batch_norm, batch_norm_train, conv2d, max_pool2d,
};
use burn::tensor::ops::{AvgPoolOptions, ConvOptions, MaxPoolOptions};
use burn::tensor::{Device, Tensor, TensorData};
use iqa_kernels::{Conv2d, Norm, add_relu, average_pool, channels_first, channels_last, max_pool};
use iqa_models::PatchMap;
use iqa_models::heads::wadiqam::{ScoreOptions, Wadiqam, WadiqamConfig, cut_patches};
use iqa_models::nn::BatchNorm2d;
use iqa_testkit::{Tolerance, assert_close, textured};

fn layers() -> Vec<(Conv2dConfig, [usize; 4])> {
    let same = || PaddingConfig2d::Same;
    vec![
        (Conv2dConfig::new([3, 16], [3, 3]).with_padding(same()), [2, 3, 17, 22]),
        (Conv2dConfig::new([16, 24], [3, 3]).with_padding(same()), [2, 16, 17, 22]),
        (Conv2dConfig::new([16, 24], [3, 3]).with_bias(false), [2, 16, 6, 6]),
        (Conv2dConfig::new([16, 24], [3, 3]).with_stride([2, 2]).with_padding(same()), [2, 16, 17, 22]),
        (Conv2dConfig::new([16, 24], [1, 7]).with_padding(same()), [2, 16, 17, 22]),
        (Conv2dConfig::new([16, 24], [1, 1]), [2, 16, 17, 22]),
        (Conv2dConfig::new([16, 24], [2, 2]).with_padding(same()), [2, 16, 17, 22]),
        (Conv2dConfig::new([16, 24], [3, 3]).with_groups(8), [2, 16, 17, 22]),
        (Conv2dConfig::new([16, 24], [3, 3]).with_dilation([2, 3]), [2, 16, 17, 22]),
    ]
}

type Run<C> = fn(&C, Tensor<4>) -> Tensor<4>;

const RUNS: [(Run<Conv2d>, Run<BurnConv2d>); 3] = [
    (|conv, x| conv.forward(x), |conv, x| conv.forward(x)),
    (|conv, x| conv.forward_relu(x), |conv, x| relu(conv.forward(x))),
    (
        |conv, x| conv.forward_relu_max_pool2(x),
        |conv, x| max_pool2d(relu(conv.forward(x)), MaxPoolOptions::new([2, 2])),
    ),
];

/// The same values every time, all different.
fn input(shape: [usize; 4], device: &Device) -> Tensor<4> {
    let values = (0..shape.iter().product()).map(|index: usize| (index as f32 * 1.7).sin()).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().expect("f32")
}

#[test]
fn results_and_gradients_are_those_of_burn() {
    let device = Device::flex().autodiff();
    for (config, shape) in layers() {
        let burn = config.init(&device);
        let conv = Conv2d::from(burn.clone());
        for (ours, theirs) in RUNS {
            let x = input(shape, &device).require_grad();
            let y = ours(&conv, x.clone());
            let expected_x = input(shape, &device).require_grad();
            let expected = theirs(&burn, expected_x.clone());
            assert_eq!(y.dims(), expected.dims());
            assert_close(
                &format!("{config}"),
                &values(y.clone()),
                &values(expected.clone()),
                Tolerance::FORWARD,
            );

            // Without gradients, in one pass.
            let plain = ours(&conv.clone().valid(), input(shape, &Device::flex()));
            assert_close("plain", &values(plain), &values(expected.clone()), Tolerance::FORWARD);

            let weights = input(y.dims(), &device);
            let gradients = (y * weights.clone()).sum().backward();
            let expected_gradients = (expected * weights).sum().backward();
            let of = |gradient: Option<Tensor<4>>| values(gradient.expect("a gradient"));
            let found = of(x.grad(&gradients));
            assert_close("x", &found, &of(expected_x.grad(&expected_gradients)), Tolerance::BACKWARD);
            let found = of(conv.weight.val().grad(&gradients));
            assert_close(
                "weight",
                &found,
                &of(burn.weight.val().grad(&expected_gradients)),
                Tolerance::BACKWARD,
            );
            if let (Some(bias), Some(expected)) = (&conv.bias, &burn.bias) {
                let found = values(bias.val().grad(&gradients).expect("a gradient"));
                let expected = values(expected.val().grad(&expected_gradients).expect("a gradient"));
                assert_close("bias", &found, &expected, Tolerance::BACKWARD);
            }
        }
    }
}

/// Sums and pools beside Burn's own operations.
#[test]
fn sums_and_pools_are_those_of_burn() {
    type Operation = fn(Tensor<4>, Tensor<4>) -> Tensor<4>;
    let operations: [(&str, Operation, Operation); 6] = [
        ("add_relu", add_relu, |x, y| relu(x + y)),
        // One side as it comes from outside, one as from a convolution.
        ("add_relu", |x, y| add_relu(channels_first(channels_last(x) * 1.0), y), |x, y| relu(x + y)),
        (
            "max_pool 3, 2, 1",
            |x, _| max_pool(x, 3, 2, 1),
            |x, _| max_pool2d(x, MaxPoolOptions::new([3, 3]).with_stride([2, 2]).with_padding([1, 1])),
        ),
        ("max_pool 2, 2, 0", |x, _| max_pool(x, 2, 2, 0), |x, _| max_pool2d(x, MaxPoolOptions::new([2, 2]))),
        (
            "average_pool 3, 1, 1",
            |x, _| average_pool(x, 3, 1, 1),
            |x, _| {
                let options = AvgPoolOptions::new([3, 3]).with_stride([1, 1]).with_padding([1, 1]);
                avg_pool2d(x, options.with_count_include_pad(true))
            },
        ),
        (
            "average_pool 3, 2, 0",
            |x, _| average_pool(x, 3, 2, 0),
            |x, _| avg_pool2d(x, AvgPoolOptions::new([3, 3]).with_stride([2, 2])),
        ),
    ];
    let device = Device::flex().autodiff();
    let shape = [2, 5, 9, 7];
    for (name, ours, theirs) in operations {
        let run = |operation: Operation| {
            let x = input(shape, &device).require_grad();
            let y = input(shape, &device).flip([0, 3]).require_grad();
            let result = operation(x.clone(), y.clone());
            let gradients = (result.clone() * input(result.dims(), &device)).sum().backward();
            let gradient = |x: &Tensor<4>| x.grad(&gradients).map_or_else(Vec::new, values);
            [values(result), gradient(&x), gradient(&y)]
        };
        let without_gradients = |operation: Operation| {
            let x = input(shape, &Device::flex());
            values(operation(x.clone(), x.flip([0, 3])))
        };
        for (found, expected) in run(ours).iter().zip(run(theirs)) {
            assert_eq!(
                found.len(),
                expected.len(),
                "{name}: pools have no gradient for what they do not take"
            );
            if expected.is_empty() {
                continue;
            }
            assert_close(name, found, &expected, Tolerance::FORWARD);
        }
        assert_close(name, &without_gradients(ours), &without_gradients(theirs), Tolerance::FORWARD);
    }
}

#[test]
fn changed_weights_are_noticed() {
    let device = Device::flex();
    let shape = [1, 16, 12, 12];
    let config = Conv2dConfig::new([16, 16], [3, 3]);
    let mut conv = Conv2d::from(config.init(&device));
    let first = values(conv.forward(input(shape, &device)));
    conv.weight = conv.weight.map(|weight| weight * 2.0);
    conv.bias = conv.bias.map(|bias| bias.map(|bias| bias * 2.0));
    let doubled: Vec<f32> = first.iter().map(|value| value * 2.0).collect();
    assert_close("doubled", &values(conv.forward(input(shape, &device))), &doubled, Tolerance::REORDERED);
}

#[test]
fn a_clone_keeps_its_own_weights() {
    let device = Device::flex();
    let shape = [1, 16, 12, 12];
    let conv = Conv2d::from(Conv2dConfig::new([16, 16], [3, 3]).init(&device));
    let before = values(conv.forward(input(shape, &device)));
    let mut other = conv.clone();
    other.weight = other.weight.map(|weight| weight * 3.0);
    let changed = values(other.forward(input(shape, &device)));
    assert_ne!(before, changed);
    assert_eq!(values(conv.forward(input(shape, &device))), before);
}

/// Statistics and factors that all differ from channel to channel.
fn batch_norm(channels: usize, device: &Device) -> BatchNorm {
    let vector = |value: fn(f32) -> f32| {
        let values = (0..channels).map(|channel| value(channel as f32)).collect::<Vec<_>>();
        Tensor::<1>::from_data(TensorData::new(values, [channels]), device)
    };
    let mut norm = BatchNormConfig::new(channels).with_epsilon(1e-3).init(device);
    norm.gamma = Param::from_tensor(vector(|c| (c * 0.9).cos() + 0.1));
    norm.beta = Param::from_tensor(vector(|c| (c * 1.3).sin()));
    norm.running_mean = RunningState::new(vector(|c| (c * 0.7).sin() * 0.5));
    norm.running_var = RunningState::new(vector(|c| 0.02 + (c * 0.4).sin().powi(2)));
    norm
}

fn ours(norm: BatchNorm) -> BatchNorm2d {
    let BatchNorm { gamma: weight, beta: bias, running_mean, running_var, epsilon, .. } = norm;
    BatchNorm2d { weight, bias, running_mean, running_var, epsilon }
}

/// Against Burn's own operations, which differentiate themselves: by the statistics of the batch and by given ones.
#[test]
fn a_normalisation_and_its_gradients_are_those_of_burn() {
    let device = Device::flex().autodiff();
    for (shape, relu_follows) in [([2, 5, 7, 6], false), ([3, 40, 33, 31], true), ([1, 3, 1, 1], false)] {
        for by_batch in [true, false] {
            let norm = ours(batch_norm(shape[1], &device));
            let leaf = |tensor: Tensor<1>| tensor.detach().require_grad();
            let run = |ours: bool| {
                let x = input(shape, &device).require_grad();
                let [weight, bias] = [&norm.weight, &norm.bias].map(|vector| leaf(vector.val()));
                let [mean, variance] = [&norm.running_mean, &norm.running_var].map(RunningState::value);
                let parameters = Norm {
                    weight: weight.clone(),
                    bias: bias.clone(),
                    epsilon: norm.epsilon,
                    relu: relu_follows,
                };
                let theirs = |y| if relu_follows { relu(y) } else { y };
                let epsilon = norm.epsilon;
                let (y, statistics) = match (ours, by_batch) {
                    (true, true) => {
                        let found = parameters.by_batch(x.clone());
                        (found.output, vec![found.mean, found.variance])
                    }
                    (true, false) => (parameters.by(x.clone(), mean, variance), vec![]),
                    (false, true) => {
                        let found = batch_norm_train(x.clone(), weight.clone(), bias.clone(), epsilon);
                        (theirs(found.output), vec![found.mean, found.variance])
                    }
                    (false, false) => {
                        let (weight, bias) = (weight.clone(), bias.clone());
                        (theirs(module_batch_norm(x.clone(), weight, bias, mean, variance, epsilon)), vec![])
                    }
                };
                let gradients = (y.clone() * input(shape, &device).cos()).sum().backward();
                let of = |vector: &Tensor<1>| values(vector.grad(&gradients).expect("a gradient"));
                let x = values(x.grad(&gradients).expect("a gradient"));
                let mut found =
                    vec![("y", values(y)), ("x", x), ("weight", of(&weight)), ("bias", of(&bias))];
                found.extend(statistics.into_iter().map(|vector| ("statistics", values(vector))));
                found
            };
            for ((what, found), (_, expected)) in run(true).into_iter().zip(run(false)) {
                // Of one pixel nothing is left but the bias.
                if expected.iter().all(|value| value.abs() < 1e-6) {
                    assert!(found.iter().all(|value| value.abs() < 1e-6), "{what} of {shape:?}");
                } else {
                    let what = format!("{what} of {shape:?}, by batch {by_batch}");
                    assert_close(&what, &found, &expected, Tolerance::BACKWARD);
                }
            }
        }
    }
}

#[test]
fn a_folded_batch_norm_is_burns_after_the_convolution() {
    let device = Device::flex();
    for (config, shape) in layers() {
        let conv = Conv2d::from(config.init(&device));
        let norm = batch_norm(conv.weight.dims()[0], &device);
        let expected = norm.forward(conv.forward(input(shape, &device)));
        let folded = ours(norm).fold_into(&conv);
        let found = folded.forward(input(shape, &device));
        assert_close(&format!("{config}"), &values(found), &values(expected.clone()), Tolerance::FORWARD);
        let found = folded.forward_relu(input(shape, &device));
        assert_close("with ReLU", &values(found), &values(relu(expected)), Tolerance::FORWARD);
    }
}

#[test]
fn a_folded_batch_norm_has_the_closed_form() {
    // One pixel, one weight 2 and bias 0.5: ((3 * 2 + 0.5) - 1.5) / sqrt(0.16 + 0.09) * 0.7 - 0.25 = 6.75.
    let device = Device::flex();
    let one = |value: f32| Tensor::<1>::from_floats([value], &device);
    let mut conv = Conv2d::from(Conv2dConfig::new([1, 1], [1, 1]).init(&device));
    conv.weight = Param::from_tensor(one(2.0).reshape([1, 1, 1, 1]));
    conv.bias = Some(Param::from_tensor(one(0.5)));
    let mut norm = BatchNorm2d::new(1, &device).with_epsilon(0.09);
    norm.weight = Param::from_tensor(one(0.7));
    norm.bias = Param::from_tensor(one(-0.25));
    norm.running_mean = RunningState::new(one(1.5));
    norm.running_var = RunningState::new(one(0.16));
    let found = norm.fold_into(&conv).forward(one(3.0).reshape([1, 1, 1, 1]));
    assert_close("closed form", &values(found), &[6.75], Tolerance::REORDERED);
}

#[test]
fn weights_given_for_a_step_are_used_and_get_gradients() {
    let device = Device::flex().autodiff();
    for (config, shape) in layers() {
        let burn = config.init(&device);
        let conv = Conv2d::from(burn.clone());
        // Computed from the layer's own: the gradient goes through that.
        let computed = |weight: Tensor<4>| weight.clone() * 2.0 - weight.clone().sum_dim(3).sum_dim(2) * 0.7;
        let y = conv.forward_with_weight(input(shape, &device), computed(conv.weight.val()));
        let mut other = burn.clone();
        let weight = burn.weight.val();
        other.weight = Param::initialized(burn.weight.id, computed(weight.clone()));
        let expected = other.forward(input(shape, &device));
        assert_close(&format!("{config}"), &values(y.clone()), &values(expected.clone()), Tolerance::FORWARD);

        let fixed = conv.with_weight(computed(conv.weight.val())).forward(input(shape, &device));
        assert_close("kept", &values(fixed), &values(expected.clone()), Tolerance::FORWARD);

        let factors = input(y.dims(), &device);
        let gradients = (y * factors.clone()).sum().backward();
        let expected_gradients = (expected * factors).sum().backward();
        let found = values(conv.weight.val().grad(&gradients).expect("a gradient"));
        let expected = values(weight.grad(&expected_gradients).expect("a gradient"));
        assert_close("weight", &found, &expected, Tolerance::BACKWARD);
    }
}

/// The features by Burn's own operations on the flex device.
fn plain_features(model: &Wadiqam, patches: Tensor<4>) -> Tensor<2> {
    let config = model.config();
    let mut x = patches * config.input_scale + config.input_offset;
    let mut convs = model.convs().iter();
    for block in &config.blocks {
        for conv in convs.by_ref().take(block.len()) {
            let bias = conv.bias.as_ref().map(Param::val);
            x = relu(conv2d(x, conv.weight.val(), bias, ConvOptions::new([1, 1], [1, 1], [1, 1], 1)));
        }
        x = max_pool2d(x, MaxPoolOptions::new([2, 2]));
    }
    let n = x.dims()[0];
    x.reshape([n, config.features()])
}

#[test]
fn scores_of_the_bundled_weights_are_those_of_burns_own_operations() {
    let device = Device::flex();
    let weights = |name: &str| format!("{}/../crates/iqa-heads/weights/{name}", env!("CARGO_MANIFEST_DIR"));
    let (distorted, reference) = (textured(96, 64, 1), textured(96, 64, 2));
    for (name, config) in
        [("wadiqam_fr", WadiqamConfig::wadiqam_fr()), ("wadiqam_nr", WadiqamConfig::wadiqam_nr())]
    {
        let file = weights(&format!("{name}.safetensors"));
        let model = Wadiqam::load(file, &config, &device).expect("loads");
        let pair = model.config().is_full_reference();
        let found =
            model.score(&distorted, pair.then_some(&reference), &ScoreOptions::default()).expect("scores");
        let plain = |image| plain_features(&model, cut_patches(image, &found.patches.positions, &device));
        let features =
            if pair { model.fuse(plain(&distorted), plain(&reference)) } else { plain(&distorted) };
        let scores = model.patch_scores(features);
        let values = |tensor: Tensor<1>| tensor.into_data().iter::<f32>().collect();
        let expected = PatchMap {
            quality: values(scores.quality),
            weight: values(scores.weight.expect("weighted")),
            ..found.patches.clone()
        }
        .pool();
        let found = found.score;
        let (lowest, highest) = model.score_spec().range;
        let moved = (found - expected).abs() / (highest - lowest);
        assert!(moved <= 1e-6, "{name}: {found}, plain {expected}: {moved:.1e} of the range");
    }
}
