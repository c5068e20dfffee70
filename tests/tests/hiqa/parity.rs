//! The networks and losses against PyTorch.

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use iqa_models::heads::hiqa::{
    Discriminator, DiscriminatorConfig, Generator, GeneratorConfig, Hallucination, Hiqa, HiqaConfig,
    Regression, Regressor, RegressorConfig, Statistics, discrepancy, to_unit,
};
use iqa_models::nn::NamedTensors;
use iqa_models::train::hiqa::{
    Adversarial, Reduction, adversarial_loss, cross_entropy, feature_loss, pixel_loss,
};
use iqa_testkit::{Arrays, Tolerance, assert_close, fixture_path};

use super::{alone, images, io, tensor, values};

/// Weights of the fixture, whose names are the paths in the module but for those of batch normalisation.
fn load<M: Module>(module: M, file: &str) -> M {
    let file = fixture_path(format!("hiqa/{file}.safetensors"));
    let names: Vec<(String, String)> = NamedTensors::module_paths(&module)
        .into_iter()
        .map(|path| path.replace(".gamma", ".weight").replace(".beta", ".bias"))
        .map(|path| (path.clone(), path))
        .collect();
    NamedTensors::read(file).expect("reads").load_into(module, &names).expect("fits")
}

struct Networks {
    generator: Generator,
    discriminator: Discriminator,
    regressor: Regressor,
    baseline: Regressor,
}

fn networks(device: &Device) -> Networks {
    let _alone = alone();
    let generator = GeneratorConfig::new().with_width(4);
    let regressor = RegressorConfig::fused(4, &generator);
    Networks {
        generator: load(generator.init(device), "generator"),
        discriminator: load(
            DiscriminatorConfig::new().with_width(4).with_patch(64).init(device),
            "discriminator",
        ),
        regressor: load(regressor.init(device), "regressor"),
        baseline: load(RegressorConfig::baseline(4).init(device), "baseline"),
    }
}

/// The inputs of the regressor are independent of the generator's errors.
fn regress(networks: &Networks, io: &Arrays, mode: &str, statistics: Statistics) -> Regression {
    let device = networks.regressor.device();
    let [distorted, reference]: [Tensor<4>; 2] =
        ["images/distorted", "images/reference"].map(|key| images(io, key, &device));
    let map = discrepancy(distorted.clone(), reference, false);
    let bottleneck: Tensor<4> = tensor(io, &format!("{mode}/generator/bottleneck"), &device);
    networks.regressor.forward(distorted, Some(map), Some(bottleneck.tanh()), statistics)
}

fn assert_outputs(
    mode: &str,
    statistics: Statistics,
    networks: Networks,
    device: &Device,
) -> (Networks, Hallucination) {
    let io = io();
    let distorted = || images(&io, "images/distorted", device);
    // Normalising by 16 values, as the deepest layers do, amplifies rounding: PyTorch's own float32 is up to 4e-5
    // from float64 there (`float32_in_training_relative` in hiqa.json).
    let tolerance = if statistics == Statistics::Running { Tolerance::FORWARD } else { Tolerance::BACKWARD };
    let check = |key: &str, found: Vec<f32>| {
        let key = format!("{mode}/{key}");
        assert_close(&key, &found, &io.f32s(&key), tolerance);
    };
    let hallucination = networks.generator.forward(distorted(), statistics);
    assert_eq!(hallucination.bottleneck.dims(), [16, 16, 1, 1]);
    check("generator/image", values(hallucination.image.clone().narrow(0, 0, 1)));
    check("generator/bottleneck", values(hallucination.bottleneck.clone()));
    let reference = images(&io, "images/reference", device);
    check("discriminator", values(networks.discriminator.forward(reference, statistics)));
    let regression = regress(&networks, &io, mode, statistics);
    check("regressor/score", values(regression.score));
    for (stage, features) in regression.stages.into_iter().enumerate() {
        check(&format!("regressor/stage{}", stage + 1), values(features));
    }
    check("baseline/score", values(networks.baseline.forward(distorted(), None, None, statistics).score));
    (networks, hallucination)
}

#[test]
fn outputs_agree_with_pytorch_in_evaluation() {
    // On a device for gradients as on a plain one.
    for device in [Device::flex(), Device::flex().autodiff()] {
        let (networks, _) = assert_outputs("eval", Statistics::Running, networks(&device), &device);
        let io = io();
        let halves = images(&io, "images/distorted", &device).split(1, 0);
        let wide = Tensor::cat(vec![halves[0].clone(), halves[1].clone()], 3);
        let found = networks.generator.forward(wide, Statistics::Running).image;
        assert_eq!(found.dims(), [1, 3, 64, 128]);
        assert_close("wide", &values(found), &io.f32s("eval/generator/wide"), Tolerance::FORWARD);
    }
}

#[test]
fn outputs_agree_with_pytorch_where_batch_norms_are_folded() {
    for device in [Device::flex(), Device::flex().autodiff()] {
        let Networks { generator, discriminator, regressor, baseline } = networks(&device);
        let folded = Networks {
            generator: generator.fuse(),
            discriminator,
            regressor: regressor.fuse(),
            baseline: baseline.fuse(),
        };
        assert_outputs("eval", Statistics::Running, folded, &device);
    }
}

#[test]
fn outputs_agree_with_pytorch_in_training() {
    for device in [Device::flex(), Device::flex().autodiff()] {
        assert_outputs("train", Statistics::Batch, networks(&device), &device);
    }
}

/// PyTorch keeps the unbiased variance, Burn's own layer the biased one.
#[test]
fn running_statistics_agree_with_pytorch() {
    let device = Device::flex().autodiff();
    let io = io();
    let (networks, _) = assert_outputs("train", Statistics::BatchAndTrack, networks(&device), &device);
    let check = |name: &str, layer: &str, module: NamedTensors| {
        for statistic in ["running_mean", "running_var"] {
            let key = format!("train/running/{name}/{layer}.{statistic}");
            let found = &module.get(&format!("{layer}.{statistic}")).expect("a layer").values;
            assert_close(&key, found, &io.f32s(&key), Tolerance::BACKWARD);
        }
    };
    check("generator", "stem.norm", all_tensors(&networks.generator));
    check("generator", "stacks.1.hourglass.bottom.norm3", all_tensors(&networks.generator));
    check("discriminator", "norms.2", all_tensors(&networks.discriminator));
    check("regressor", "map.stem.norm", all_tensors(&networks.regressor));
    check("regressor", "blocks.7.conv2.norm", all_tensors(&networks.regressor));
}

pub(crate) fn all_tensors<M: Module>(module: &M) -> NamedTensors {
    let names: Vec<(String, String)> = NamedTensors::module_paths(module)
        .into_iter()
        .map(|path| path.replace(".gamma", ".weight").replace(".beta", ".bias"))
        .map(|path| (path.clone(), path))
        .collect();
    NamedTensors::from_module(module, &names, "module").expect("reads")
}

/// Generator, discrepancy map and regressor in a row, and what the score says to the image.
#[test]
fn the_whole_and_its_gradient_agree_with_pytorch() {
    let device = Device::flex().autodiff();
    let (io, networks) = (io(), networks(&device));
    let config = HiqaConfig::baseline(4, 64);
    let model = Hiqa::new(Some(networks.generator), networks.regressor, config).expect("go together");
    // The model takes RGB in [0, 1]: half the scale of the networks.
    let image = to_unit(images(&io, "images/distorted", &device)).require_grad();
    let scores = model.forward(image.clone(), None);
    assert_close("score", &values(scores.clone()), &io.f32s("eval/whole/score"), Tolerance::FORWARD);
    let gradients = scores.narrow(0, 0, 1).backward();
    let gradient = image.grad(&gradients).expect("a gradient").narrow(0, 0, 1) * 0.5;
    assert_close("gradient", &values(gradient), &io.f32s("eval/whole/gradient"), Tolerance::BACKWARD);
}

#[test]
fn losses_agree_with_pytorch() {
    let device = Device::flex();
    let io = io();
    let check = |key: &str, found: Tensor<1>| {
        let key = format!("losses/{key}");
        assert_close(&key, &values(found), &io.f32s(&key), Tolerance::FORWARD);
    };
    let logits = || tensor::<1>(&io, "losses/logits", &device);
    check("adversarial_saturating", adversarial_loss(logits(), Adversarial::Saturating));
    check("adversarial_non_saturating", adversarial_loss(logits(), Adversarial::NonSaturating));
    check("bce_with_logits", cross_entropy(logits(), tensor(&io, "losses/fake_targets", &device)));
    let image = tensor::<4>(&io, "train/generator/image", &device);
    let reference = images(&io, "images/reference", &device).narrow(0, 0, 1);
    // By the definitions: Caffe halves and sums over an image of 3 x 64 x 64; features are summed over channels.
    let squares = values(image.clone()).into_iter().zip(values(reference.clone()));
    let sum: f64 = squares.map(|(a, b)| (f64::from(a) - f64::from(b)).powi(2)).sum();
    let mean = (sum / (3.0 * 64.0 * 64.0)) as f32;
    let found = values(pixel_loss(image.clone(), reference.clone(), Reduction::Mean));
    assert_close("mean", &found, &[mean], Tolerance::FORWARD);
    let summed = values(pixel_loss(image.clone(), reference.clone(), Reduction::PerSample));
    assert_close("summed", &summed, &[mean * 3.0 * 64.0 * 64.0 / 2.0], Tolerance::FORWARD);
    let features = values(feature_loss(image, reference, Reduction::PerSample));
    assert_close("features", &features, &[mean * 3.0], Tolerance::FORWARD);
}

/// The printed form of the discriminator's objective, computed by PyTorch, against our cross-entropy.
#[test]
fn the_discriminators_loss_is_the_printed_one_and_gradients_agree_with_pytorch() {
    let device = Device::flex().autodiff();
    let (io, networks) = (io(), networks(&device));
    let [distorted, reference]: [Tensor<4>; 2] =
        ["images/distorted", "images/reference"].map(|key| images(&io, key, &device));
    let statistics = Statistics::BatchAndTrack;

    let fake = networks.generator.forward(distorted.clone(), statistics).image.detach();
    let loss = pixel_loss(fake.clone(), reference.clone(), Reduction::Mean);
    assert_close("pixel", &values(loss), &io.f32s("losses/pixel"), Tolerance::BACKWARD);
    // In training mode the generator's gradients hang on which side of a ReLU a rounding error falls.
    let found = networks.generator.forward(distorted, Statistics::Running);
    let loss = pixel_loss(found.image, reference.clone(), Reduction::Mean);
    assert_close("pixel", &values(loss.clone()), &io.f32s("losses/pixel_eval"), Tolerance::BACKWARD);
    let loss = loss + found.bottleneck.powi_scalar(2).mean();
    assert_gradients("generator", loss, &networks.generator, &io);

    let real = networks.discriminator.forward(reference, statistics);
    let ones = real.ones_like();
    let fake = networks.discriminator.forward(fake, statistics);
    let targets = tensor(&io, "losses/fake_targets", &device);
    let loss = cross_entropy(real, ones) + cross_entropy(fake, targets);
    let key = "losses/discriminator_as_printed";
    assert_close(key, &values(loss.clone()), &io.f32s(key), Tolerance::BACKWARD);
    assert_gradients("discriminator", loss, &networks.discriminator, &io);

    let scores = regress(&networks, &io, "train", statistics).score;
    let loss = (scores - tensor(&io, "labels", &device)).abs().mean();
    assert_close("quality", &values(loss.clone()), &io.f32s("losses/quality"), Tolerance::BACKWARD);
    assert_gradients("regressor", loss, &networks.regressor, &io);
}

/// Compares all gradients that the fixture has for the network.
fn assert_gradients<M: Module>(name: &str, loss: Tensor<1>, module: &M, io: &Arrays) {
    let keys = [
        ("generator", "stem.conv.weight"),
        ("generator", "stem.norm.weight"),
        ("generator", "stacks.0.hourglass.levels.3.down.conv2.weight"),
        ("generator", "decode_full.project.weight"),
        ("generator", "output.bias"),
        ("discriminator", "convs.0.weight"),
        ("discriminator", "norms.1.bias"),
        ("discriminator", "output.weight"),
        ("regressor", "map.stem.conv.weight"),
        ("regressor", "join.norm.weight"),
        ("regressor", "fusion.weight"),
        ("regressor", "fc1.weight"),
    ];
    // A step of plain gradient descent at rate 1 shows the gradients of all parameters by name.
    let before = all_tensors(module);
    let gradients = GradientsParams::from_grads(loss.backward(), module);
    let stepped = burn::optim::SgdConfig::new().init().step(1.0, module.clone(), gradients);
    let after = all_tensors(&stepped);
    for (_, parameter) in keys.into_iter().filter(|(network, _)| *network == name) {
        let key = format!("grad/{}/{parameter}", name);
        let [before, after] = [&before, &after].map(|all| &all.get(parameter).expect("a parameter").values);
        let found: Vec<f32> = before.iter().zip(after).map(|(before, after)| before - after).collect();
        assert_close(&key, &found, &io.f32s(&key), Tolerance::BACKWARD);
    }
}

#[test]
fn networks_have_as_many_parameters_as_in_pytorch() {
    let text = std::fs::read_to_string(fixture_path("hiqa/hiqa.json")).expect("reads");
    let recorded: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let device = Device::flex();
    let _alone = alone();
    let generator = GeneratorConfig::new();
    // Parameters of a module here include the running statistics, which PyTorch does not count.
    fn learned<M: Module>(module: &M) -> u64 {
        let all = all_tensors(module);
        let learned = all.keys().filter(|key| !key.contains("running_"));
        learned.map(|key| all.get(key).expect("listed").values.len() as u64).sum()
    }
    let regressor = RegressorConfig::fused(64, &generator).init(&device);
    let counts = [
        ("generator", learned(&generator.init(&device))),
        ("discriminator", learned(&DiscriminatorConfig::new().init(&device))),
        ("regressor", learned(&regressor)),
        ("baseline", learned(&RegressorConfig::baseline(64).init(&device))),
    ];
    for (name, count) in counts {
        assert_eq!(Some(count), recorded["parameters_at_full_width"][name].as_u64(), "{name}");
    }
    assert_eq!(counts[0].1, 6_675_779, "about 6.68 M");
}

/// The sizes of the specification at full width; the numbers beside them are PyTorch's.
#[test]
fn shapes_at_full_width_are_those_of_the_paper() {
    let device = Device::flex();
    let _alone = alone();
    let config = GeneratorConfig::new();
    let image = Tensor::<4>::zeros([1, 3, 256, 256], &device);
    let found = config.init(&device).forward(image.clone(), Statistics::Running);
    assert_eq!(found.image.dims(), [1, 3, 256, 256]);
    assert_eq!(found.bottleneck.dims(), [1, 256, 4, 4], "H_5,2");
    let regressor = RegressorConfig::fused(64, &config).init(&device);
    let map = discrepancy(image.clone(), found.image, false);
    let regression = regressor.forward(image.clone(), Some(map), Some(found.bottleneck), Statistics::Running);
    let stages: Vec<[usize; 4]> = regression.stages.iter().map(Tensor::dims).collect();
    assert_eq!(stages, [[1, 64, 32, 32], [1, 128, 16, 16], [1, 256, 8, 8], [1, 512, 4, 4]]);
    assert_eq!(regression.score.dims(), [1]);
    let logits = DiscriminatorConfig::new().init(&device).forward(image, Statistics::Running);
    assert_eq!(logits.dims(), [1]);
}
