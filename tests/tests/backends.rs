//! Every model on every device of the build, against `flex`, which the parity tests hold against PyTorch.
//!
//! The default build has no other device; the features `tch` and `wgpu` of this package bring one each. With
//! `IQA_PARITY=docs/PARITY.md` the table of that page is written anew. `IQA_DEVICES` names devices, separated by commas;
//! `IQA_FLOAT=f16`, `bf16` or `f64` has them compute in that type, of which the differences are stated, in no test's bounds.

use std::fmt::Write as _;
use std::path::Path;

use burn::module::Module;
use burn::optim::{GradientsParams, ModuleOptimizer, SgdConfig};
use iqa_models::heads::Stored;
use iqa_models::heads::gsn::{Gsn, GsnConfig};
use iqa_models::heads::hiqa::{Hiqa, HiqaConfig};
use iqa_models::heads::multi_branch::{MultiBranch, MultiBranchConfig, PairBatch};
use iqa_models::heads::wadiqam::{PatchSampler, Wadiqam, WadiqamConfig, cut_patches};
use iqa_models::nn::{NamedTensors, device_by_name, device_with_float, image_to_tensor, takes_bytes};
use iqa_models::{Device, FloatDType, ModelInfo, ReferenceNeed, Scorer, Tensor, available_devices, models};
use iqa_testkit::{Tolerance, fixture_path, relative_error, textured, workspace_path};

/// What a model gives on a device.
struct Outcome {
    scores: Vec<f32>,
    /// What the network sees in the distorted images, before its last layers.
    features: Vec<f32>,
    /// Of the mean score, with respect to the distorted images.
    gradient: Vec<f32>,
    /// What one step of gradient descent at rate 1 takes from the weights.
    step: Vec<f32>,
}

/// A model's name, the extent of its scores' range, and how to run it on images of a seed.
struct Case {
    name: &'static str,
    range: f64,
    run: fn(&Device, u32) -> Outcome,
}

const CASES: [Case; 7] = [
    Case { name: "wadiqam_fr, an eighth of the width", range: 100.0, run: wadiqam_fr },
    Case { name: "wadiqam_nr, an eighth of the width", range: 100.0, run: wadiqam_nr },
    Case {
        name: "multibranch_vgg16, a sixteenth of the width",
        range: 4.0,
        run: |device, seed| multi_branch(MultiBranchConfig::vgg16(), device, seed),
    },
    Case {
        name: "multibranch_resnet50, a sixteenth of the width",
        range: 4.0,
        run: |device, seed| multi_branch(MultiBranchConfig::resnet50(), device, seed),
    },
    Case {
        name: "multibranch_inception_v3, a sixteenth of the width",
        range: 4.0,
        run: |device, seed| multi_branch(MultiBranchConfig::inception_v3(), device, seed),
    },
    Case { name: "gsn, small", range: 1.0, run: gsn },
    Case { name: "hiqa, a sixteenth of the width", range: 1.0, run: hiqa },
];

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

fn images(side: u32, first_seed: u32, device: &Device) -> Tensor<4> {
    let image = |seed| image_to_tensor(&textured(side, side, seed), device);
    Tensor::cat(vec![image(first_seed), image(first_seed + 1)], 0)
}

/// Runs a model that is on an autodiff device: `score` for inference, `learn` for what a step lowers.
fn outcome<M: Module>(
    model: M,
    (side, seed): (u32, u32),
    device: &Device,
    score: impl Fn(&M, Tensor<4>, Tensor<4>) -> Tensor<1>,
    features: impl Fn(&M, Tensor<4>, Tensor<4>) -> Vec<f32>,
    learn: impl Fn(&M, Tensor<4>, Tensor<4>) -> Tensor<1>,
    weights: impl Fn(&M) -> Vec<f32>,
) -> Outcome {
    let (distorted, reference) = (images(side, seed, device).require_grad(), images(side, seed + 4, device));
    let scores = score(&model, distorted.clone(), reference.clone());
    let features = features(&model, distorted.clone(), reference.clone());
    let gradient = distorted.grad(&scores.clone().mean().backward()).expect("a gradient");
    let before = weights(&model);
    let loss = learn(&model, images(side, seed, device), reference).powi_scalar(2).mean();
    let gradients = GradientsParams::from_grads(loss.backward(), &model);
    let mut optimiser: ModuleOptimizer = SgdConfig::new().init();
    let after = weights(&optimiser.step(1.0, model, gradients));
    let step = before.iter().zip(&after).map(|(before, after)| before - after).collect();
    Outcome { scores: values(scores), features, gradient: values(gradient), step }
}

fn all(tensors: &NamedTensors) -> Vec<f32> {
    let mut keys: Vec<&str> = tensors.keys().collect();
    keys.sort_unstable();
    // Running statistics are no weights: a step does not learn them.
    keys.retain(|key| !key.contains("running"));
    keys.iter().flat_map(|key| tensors.get(key).expect("listed").values.clone()).collect()
}

fn wadiqam_fr(device: &Device, seed: u32) -> Outcome {
    wadiqam("wadiqam_fr", &WadiqamConfig::wadiqam_fr(), device, seed)
}

fn wadiqam_nr(device: &Device, seed: u32) -> Outcome {
    wadiqam("wadiqam_nr", &WadiqamConfig::wadiqam_nr(), device, seed)
}

fn wadiqam(name: &str, config: &WadiqamConfig, device: &Device, seed: u32) -> Outcome {
    let path = fixture_path("wadiqam").join(format!("tiny_{name}.safetensors"));
    let device = device.clone().autodiff();
    let model = Wadiqam::load(path, config, &device).expect("loads");
    let score = |model: &Wadiqam, distorted, reference| {
        let reference = model.config().is_full_reference().then_some(reference);
        model.score_tensor(distorted, reference, PatchSampler::official()).expect("scores")
    };
    let features = |model: &Wadiqam, images: Tensor<4>, _| {
        values(model.features(images.narrow(2, 0, 32).narrow(3, 0, 32)))
    };
    outcome(model, (64, seed), &device, score, features, score, |model| {
        let parameters = |conv: &iqa_kernels::Conv2d| values(conv.weight.val());
        model.convs().iter().flat_map(parameters).collect()
    })
}

/// Weights drawn on `flex`, whatever the device: generators differ.
fn drawn<M>(make: impl FnOnce(&Device) -> M) -> M {
    let flex = Device::flex();
    flex.seed(3);
    make(&flex)
}

fn multi_branch(config: MultiBranchConfig, device: &Device, seed: u32) -> Outcome {
    let config = config.tiny();
    let random = drawn(|flex| config.init(config.frp().init(flex), flex));
    let tensors = random.to_tensors(Path::new("random")).expect("not fused");
    let device = device.clone().autodiff();
    let model = MultiBranch::from_tensors(tensors, &config, &device).expect("loads");
    let score = |model: &MultiBranch, distorted, reference| {
        model.score_tensor(distorted, Some(reference)).expect("scores")
    };
    let learn = |model: &MultiBranch, distorted: Tensor<4>, reference: Tensor<4>| {
        let frozen = model.frozen_features(distorted.clone(), reference.clone());
        model.forward_training(vec![PairBatch { distorted, reference: Some(reference), frozen }])
    };
    outcome(
        model,
        (96, seed),
        &device,
        score,
        |model, a, b| values(model.features(a, b)),
        learn,
        |model| all(&model.to_tensors(Path::new("weights")).expect("not fused")),
    )
}

fn gsn(device: &Device, seed: u32) -> Outcome {
    let config = GsnConfig::new().tiny();
    let tensors = drawn(|flex| config.init(flex).to_tensors(Path::new("random")).expect("a network"));
    let device = device.clone().autodiff();
    let model = Gsn::from_tensors(tensors, &config, &device).expect("loads");
    let score = |model: &Gsn, distorted, reference| {
        model.fuse().score_tensor(distorted, Some(reference)).expect("scores")
    };
    let side = config.crop as u32;
    let features = |model: &Gsn, distorted, _| {
        let maps = model.fuse().level_maps(distorted);
        values(maps.into_iter().next_back().expect("a level"))
    };
    outcome(model, (side, seed), &device, score, features, Gsn::forward_training, |model| {
        all(&model.to_tensors(Path::new("weights")).expect("a network"))
    })
}

fn hiqa(device: &Device, seed: u32) -> Outcome {
    let config = HiqaConfig::reduced(4, 64);
    let tensors = drawn(|flex| config.init(flex).to_tensors(Path::new("random")).expect("a network"));
    let device = device.clone().autodiff();
    let model = Hiqa::from_tensors(tensors, &device).expect("loads");
    let score = |model: &Hiqa, distorted: Tensor<4>, _| model.forward(distorted, None);
    let features =
        |model: &Hiqa, distorted, _| values(model.hallucinate_patches(distorted).expect("a generator"));
    outcome(model, (64, seed), &device, score, features, score, |model| {
        all(&model.to_tensors(Path::new("weights")).expect("a network"))
    })
}

/// Scores of the sample pictures by a bundled model, in full.
fn bundled(info: &ModelInfo, device: &Device) -> Vec<f32> {
    let scorer = Scorer::new(info.name, device).expect("bundled");
    let picture = |name: &str| workspace_path("examples/images").join(name);
    let reference = picture("flowers.png");
    let pictures = ["flowers_jpeg.jpg", "flowers_blur.png", "flowers_local.png"];
    // The many small layers of HIQA take minutes on a Vulkan device without a GPU.
    let count = if info.name == "hiqa" { 1 } else { pictures.len() };
    pictures[..count]
        .iter()
        .map(|name| match info.reference {
            ReferenceNeed::FullReference => scorer.score_pair(picture(name), &reference),
            ReferenceNeed::NoReference => scorer.score_single(picture(name)),
        })
        .map(|score| score.expect("scores").value as f32)
        .collect()
}

fn largest_difference(found: &[f32], expected: &[f32]) -> f64 {
    assert_eq!(found.len(), expected.len(), "unequal numbers of scores");
    let difference = found.iter().zip(expected).map(|(a, b)| f64::from((a - b).abs()));
    difference.fold(0.0, |worst, d| if d.is_nan() { f64::INFINITY } else { worst.max(d) })
}

/// The devices to compare: those that `IQA_DEVICES` names, or all but `flex` itself and those that need a GPU of NVIDIA, which a
/// build with libtorch knows whether or not there is one.
fn devices() -> Vec<(&'static str, Device)> {
    let asked = std::env::var("IQA_DEVICES").ok();
    let float = std::env::var("IQA_FLOAT").ok().map(|name| match &*name {
        "f16" => FloatDType::F16,
        "bf16" => FloatDType::BF16,
        "f64" => FloatDType::F64,
        _ => panic!("IQA_FLOAT is `{name}`, expected f16, bf16 or f64"),
    });
    let names = available_devices().into_iter().filter(|name| match &asked {
        Some(asked) => asked.split(',').any(|device| device == *name),
        None => *name != "flex" && !name.contains("cuda"),
    });
    let open = |name| match float {
        Some(float) => device_with_float(name, float),
        None => device_by_name(name),
    };
    names.map(|name| (name, open(name).unwrap_or_else(|error| panic!("{error}")))).collect()
}

/// Patches as a device cuts them are those that the host cuts, on grids and off them.
#[test]
fn patches_are_cut_the_same_on_every_device() {
    if std::env::var_os("IQA_FLOAT").is_some() {
        return;
    }
    let samplers = [
        PatchSampler::official(),
        PatchSampler::ports(),
        PatchSampler::Grid { stride: 16, inclusive: true },
        PatchSampler::Random { patches: 20, seed: 1 },
    ];
    for (name, device) in devices() {
        for (width, height) in [(33, 33), (64, 64), (100, 71), (257, 130), (40, 300)] {
            let image = textured(width, height, width);
            for sampler in samplers {
                let positions = sampler.positions_at_scales(width, height, 3).expect("large enough");
                // From the middle of a row too.
                for positions in [&positions[..], &positions[positions.len() / 2..]] {
                    let cut = |device| values(cut_patches(&image, positions, device));
                    let difference = largest_difference(&cut(&device), &cut(&Device::flex()));
                    assert!(difference < 1e-6, "{name}, {width}x{height}, {sampler:?}: {difference:e}");
                }
            }
        }
        if !takes_bytes(&device) {
            continue;
        }
        let model = |device: &Device| Scorer::new("wadiqam_fr", device).expect("bundled");
        // More patches than go through the network at once, and a last row of them that is alone.
        let (distorted, reference) = (textured(2100, 610, 1), textured(2100, 610, 2));
        let score = |scorer: Scorer| {
            let patches = scorer.score_pair(&distorted, &reference).expect("scores").patches;
            patches.expect("patches").quality
        };
        let difference = largest_difference(&score(model(&device)), &score(model(&Device::flex())));
        assert!(difference < Tolerance::BACKEND.0, "{name}: {difference:e}");
    }
}

#[test]
fn every_model_on_every_device() {
    // Before a device, which may be this one, computes in another type.
    let flex = Device::flex();
    let expected = CASES.map(|case| (case.run)(&flex, 1));
    let bundled_models: Vec<_> = models().filter(|info| info.is_bundled() && !info.is_formula()).collect();
    let expected_of_bundled: Vec<_> = bundled_models.iter().map(|info| bundled(info, &flex)).collect();
    let single = std::env::var_os("IQA_FLOAT").is_none();
    let mut table = String::from(
        "| model | device | score, part of its range | features | gradient | weights' step |\n\
         |---|---|---|---|---|---|\n",
    );
    let mut exceeded = Vec::new();
    for (name, device) in devices() {
        for (Case { name: model, range, run }, expected) in CASES.iter().zip(&expected) {
            let found = run(&device, 1);
            let score = largest_difference(&found.scores, &expected.scores) / range;
            let features = relative_error(&found.features, &expected.features);
            let gradient = relative_error(&found.gradient, &expected.gradient);
            let mut step = relative_error(&found.step, &expected.step);
            // Where a value is as near to zero as rounding goes, a ReLU lets it through on one device and not on another,
            // and all steps before it differ by what that value brings: some 1e-3 to 1e-2 in the last layers of ResNet50,
            // whose channels have nine values an image. A fault would show on every image.
            for seed in 10..12 {
                if single && step > Tolerance::BACKEND.0 {
                    step = step.min(relative_error(&run(&device, seed).step, &run(&flex, seed).step));
                }
            }
            let _ = writeln!(
                table,
                "| {model} | {name} | {score:.1e} | {features:.1e} | {gradient:.1e} | {step:.1e} |"
            );
            if single && score.max(features).max(gradient).max(step) > Tolerance::BACKEND.0 {
                exceeded.push(format!(
                    "{model} on {name}: {score:.1e}, {features:.1e}, {gradient:.1e}, {step:.1e}"
                ));
            }
        }
        for (info, expected) in bundled_models.iter().zip(&expected_of_bundled) {
            let (model, score) = (info.name, largest_difference(&bundled(info, &device), expected));
            let _ = writeln!(table, "| {model}, bundled | {name} | {score:.1e} | | | |");
            if single && score > Tolerance::BACKEND.0 {
                exceeded.push(format!("{model}, bundled, on {name}: {score:.1e}"));
            }
        }
    }
    eprintln!("{table}");
    if let Ok(page) = std::env::var("IQA_PARITY") {
        let page = workspace_path(page);
        let text = std::fs::read_to_string(&page).expect("the page");
        let start = text.find("| model |").expect("its table");
        let end = text[start..].find("\n\n").map_or(text.len(), |end| start + end + 1);
        let text = format!("{}{table}{}", &text[..start], &text[end..]);
        std::fs::write(&page, text).expect("writes");
    }
    assert!(exceeded.is_empty(), "{exceeded:#?}");
}
