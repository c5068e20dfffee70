//! DIQaM and WaDIQaM against PyTorch and NumPy at the same weights (`tests/fixtures/generate/wadiqam.py`).

use std::path::PathBuf;

use image::RgbImage;
use iqa_models::heads::Stored;
use iqa_models::heads::wadiqam::{
    Fusion, PATCH, PatchSampler, ScoreOptions, Wadiqam, WadiqamConfig, cut_patches,
};
use iqa_models::nn::Precision;
use iqa_models::{Device, Direction, Scorer};
use iqa_testkit::{Arrays, Tolerance, assert_close, fixture_path};
use serde_json::Value;

/// A name in the fixtures, and the configuration of the paper.
type Kind = (&'static str, fn() -> WadiqamConfig);

const KINDS: [Kind; 4] = [
    ("wadiqam_fr", WadiqamConfig::wadiqam_fr),
    ("diqam_fr", WadiqamConfig::diqam_fr),
    ("wadiqam_nr", WadiqamConfig::wadiqam_nr),
    ("diqam_nr", WadiqamConfig::diqam_nr),
];
const SHALLOW: [(&str, Fusion); 3] = [
    ("shallow_fr_diff_only", Fusion::DiffOnly),
    ("shallow_fr_concat", Fusion::Concat),
    ("shallow_fr_concat_diff", Fusion::ConcatDiff),
];

fn fixture(file: &str) -> PathBuf {
    fixture_path("wadiqam").join(file)
}

fn json(file: &str) -> Value {
    let text = std::fs::read_to_string(fixture(file)).expect("a fixture");
    serde_json::from_str(&text).expect("JSON")
}

fn io() -> Arrays {
    Arrays::read("wadiqam/tiny_io.safetensors")
}

fn load(file: &str, config: &WadiqamConfig) -> Wadiqam {
    Wadiqam::load(fixture(file), config, &Device::flex()).expect("loads")
}

/// The images, the second only for a model that wants it.
fn images(model: &Wadiqam) -> (RgbImage, Option<RgbImage>) {
    let io = io();
    let reference = model.config().is_full_reference().then(|| io.image("images/reference"));
    (io.image("images/distorted"), reference)
}

/// Patch weights are small differences of large terms: PyTorch's own single precision lies up to 7e-6 from the double
/// precision that the fixtures hold. Where the tier is tighter than twice that, twice that is allowed.
fn weight_tolerance(name: &str) -> Tolerance {
    let index = json("wadiqam.json");
    let entry = if index["scores"][name].is_null() { &index["ports"][name] } else { &index["scores"][name] };
    let of_pytorch =
        entry["float32_largest_weight_difference_relative_to_largest"].as_f64().expect("recorded");
    Tolerance(Tolerance::FORWARD.0.max(2.0 * of_pytorch))
}

/// Holds features, patch scores, patch weights and score against the arrays recorded under `name`.
fn assert_parity(name: &str, model: &Wadiqam, sampler: PatchSampler) {
    let io = io();
    let device = model.device();
    let (distorted, reference) = images(model);
    let positions = sampler.positions(distorted.width(), distorted.height()).expect("large enough");
    assert_eq!(positions.len(), io.shape(&format!("{name}/y"))[0], "{name}: number of patches");
    for (key, image) in [("h_d", Some(&distorted)), ("h_r", reference.as_ref())] {
        let Some(image) = image else { continue };
        let features = model.features(cut_patches(image, &positions, &device));
        assert_eq!(features.dims(), [positions.len(), model.config().features()]);
        let key = format!("{name}/{key}");
        let features: Vec<f32> = features.into_data().iter::<f32>().collect();
        assert_close(&key, &features, &io.f32s(&key), Tolerance::FORWARD);
    }
    let options = ScoreOptions { sampler, ..ScoreOptions::default() };
    let found = model.score(&distorted, reference.as_ref(), &options).expect("scores");
    let y = format!("{name}/y");
    assert_close(&y, &found.patches.quality, &io.f32s(&y), Tolerance::FORWARD);
    let alpha = format!("{name}/alpha");
    if io.contains(&alpha) {
        assert_close(&alpha, &found.patches.weight, &io.f32s(&alpha), weight_tolerance(name));
        assert!(found.patches.weight.contains(&(model.config().weight_epsilon as f32)), "a ReLU that bites");
    } else {
        assert!(found.patches.weight.iter().all(|&weight| weight == 1.0));
    }
    let score = format!("{name}/score");
    assert_close(&score, &[found.score as f32], &io.f32s(&score), Tolerance::FORWARD);
}

#[test]
fn networks_agree_with_pytorch() {
    for (name, config) in KINDS {
        let model = load(&format!("tiny_{name}.safetensors"), &config());
        assert_parity(name, &model, PatchSampler::official());
    }
}

#[test]
fn the_three_fusions_of_the_shallow_network_agree_with_pytorch() {
    for (name, fusion) in SHALLOW {
        // Two and three feature vectors show in the file; one could be of a no-reference model.
        let asked = if fusion == Fusion::DiffOnly { fusion } else { Fusion::ConcatDiff };
        let config = WadiqamConfig { fusion: asked, ..WadiqamConfig::wadiqam_fr() };
        let model = load(&format!("tiny_{name}.safetensors"), &config);
        assert_eq!(model.config().fusion, fusion);
        assert_parity(name, &model, PatchSampler::official());
    }
}

#[test]
fn files_of_the_pytorch_ports_agree_with_pytorch() {
    for port in ["pyiqa", "lidq92"] {
        for (kind, config) in [("fr", WadiqamConfig::wadiqam_fr()), ("nr", WadiqamConfig::wadiqam_nr())] {
            let name = format!("{port}_{kind}");
            let model = load(&format!("tiny_{name}.pth"), &config);
            assert_eq!(model.config().weight_epsilon, if port == "pyiqa" { 1e-8 } else { 1e-6 });
            assert_eq!(model.config().input_scale, 1.0);
            assert_eq!(model.score_spec().direction, Direction::HigherIsBetter);
            assert_parity(&name, &model, PatchSampler::ports());
        }
    }
}

/// The weights stored by h5py in Chainer's layout; scores evaluated by NumPy alone.
#[test]
fn official_files_agree_with_numpy() {
    let expected = json("official_numpy_scores.json");
    let cases = [
        ("tiny_official_fr.model", "weighted", WadiqamConfig::wadiqam_fr()),
        ("tiny_official_nr.model", "patchwise", WadiqamConfig::diqam_nr()),
        // The no-reference files carry both heads.
        ("tiny_official_nr.model", "weighted", WadiqamConfig::wadiqam_nr()),
    ];
    for (file, pooling, config) in cases {
        let model = load(file, &config);
        assert_eq!(model.score_spec().direction, Direction::LowerIsBetter);
        assert_eq!(model.score_spec().range, (0.0, 100.0));
        let (distorted, reference) = images(&model);
        let found = model.score(&distorted, reference.as_ref(), &ScoreOptions::default()).expect("scores");
        let expected = &expected[file];
        let list = |key: &str| -> Vec<f32> {
            let values = expected[key].as_array().expect("a list").iter();
            values.map(|value| value.as_f64().expect("a number") as f32).collect()
        };
        assert_close(file, &found.patches.quality, &list("patch_scores"), Tolerance::FORWARD);
        if pooling == "weighted" {
            assert_close(file, &found.patches.weight, &list("patch_weights"), Tolerance::FORWARD);
        }
        let score = expected[pooling].as_f64().expect("a number");
        assert_close(file, &[found.score as f32], &[score as f32], Tolerance::FORWARD);
    }
}

#[test]
fn networks_have_as_many_parameters_as_published() {
    use burn::module::Module;
    let device = Device::flex();
    // From the layer sizes of the paper; the recorded ones were counted by PyTorch.
    let published = [6_287_138, 5_499_681, 5_238_562, 4_975_393];
    let recorded = json("wadiqam.json");
    let recorded =
        |name: &str| recorded["parameters_at_full_width"][name].as_u64().expect("a count") as usize;
    for ((name, config), count) in KINDS.into_iter().zip(published) {
        assert_eq!(config().init(&device).num_params(), count, "{name}");
        assert_eq!(recorded(name), count, "{name}");
    }
    for (name, fusion) in SHALLOW {
        let config = WadiqamConfig { fusion, ..WadiqamConfig::wadiqam_fr().shallow() };
        assert_eq!(config.init(&device).num_params(), recorded(name), "{name}");
    }
    assert_eq!(recorded("shallow_fr_concat_diff"), 791_906, "\"about 790k\" in section IV-H");
}

#[test]
fn the_gradient_of_the_image_agrees_with_pytorch() {
    let io = io();
    let device = Device::flex().autodiff();
    let config = WadiqamConfig::wadiqam_fr();
    let model = Wadiqam::load(fixture("tiny_wadiqam_fr.safetensors"), &config, &device).expect("loads");
    let tensor = |key| iqa_models::nn::image_to_tensor(&io.image(key), &device);
    let distorted = tensor("images/distorted").require_grad();
    let reference = Some(tensor("images/reference"));
    let score = model.score_tensor(distorted.clone(), reference, PatchSampler::official()).expect("scores");
    let score_value = score.clone().into_scalar::<f32>();
    assert_close("score", &[score_value], &io.f32s("wadiqam_fr/score"), Tolerance::FORWARD);
    let gradients = score.backward();
    let gradient = distorted.grad(&gradients).expect("a gradient");
    // The oracle's image runs from 0 to 255.
    let gradient: Vec<f32> = gradient.into_data().iter::<f32>().map(|g| g / 255.0).collect();
    assert_close("gradient", &gradient, &io.f32s("wadiqam_fr/grad_distorted"), Tolerance::FORWARD);
}

#[test]
fn three_steps_of_adam_agree_with_pytorch() {
    use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer};
    use burn::tensor::{Tensor, TensorData};

    let io = io();
    let device = Device::flex().autodiff();
    let patches = |key: &str| -> Tensor<4> {
        let values: Vec<f32> = io.bytes(key).into_iter().map(|byte| f32::from(byte) / 255.0).collect();
        Tensor::from_data(TensorData::new(values, [8, 3, PATCH, PATCH]), &device)
    };
    let labels = io.f32s("training/labels");
    let labels: Tensor<1> = Tensor::from_data(TensorData::new(labels, [2]), &device);
    for (name, config) in KINDS {
        let config = config();
        let file = fixture(&format!("tiny_{name}.safetensors"));
        let mut model = Wadiqam::load(file, &config, &device).expect("loads");
        // 1e-8 is the paper's epsilon (Kingma & Ba's); Burn's default is another.
        let mut adam: ModuleOptimizer = AdamConfig::new().with_epsilon(1e-8).init();
        let loss = |model: &Wadiqam| {
            let reference = config.is_full_reference().then(|| patches("training/reference"));
            model.forward(patches("training/distorted"), reference).l1_loss(labels.clone())
        };
        let values = |tensor: Tensor<4>| -> Vec<f32> { tensor.into_data().iter::<f32>().collect() };
        let mut losses = Vec::new();
        for step in 0..3 {
            let value = loss(&model);
            losses.push(value.clone().into_scalar::<f32>());
            let gradients = value.backward();
            if step == 0 {
                let gradient = model.convs()[0].weight.val().grad(&gradients).expect("a gradient");
                let key = format!("training/{name}/grad/conv1.weight");
                assert_close(&key, &values(gradient.inner()), &io.f32s(&key), Tolerance::BACKWARD);
            }
            let gradients = GradientsParams::from_grads(gradients, &model);
            model = adam.step(1e-4, model, gradients);
        }
        losses.push(loss(&model).into_scalar::<f32>());
        let key = format!("training/{name}/losses");
        assert_close(&key, &losses, &io.f32s(&key), Tolerance::BACKWARD);
        let key = format!("training/{name}/after/conv1.weight");
        assert_close(&key, &values(model.convs()[0].weight.val()), &io.f32s(&key), Tolerance::BACKWARD);
    }
}

/// A directional derivative, against central differences of the network itself.
#[test]
fn the_gradient_of_the_image_agrees_with_finite_differences() {
    use burn::tensor::{Tensor, TensorData};
    let io = io();
    let device = Device::flex().autodiff();
    for (name, config) in KINDS {
        let file = fixture(&format!("tiny_{name}.safetensors"));
        let model = Wadiqam::load(file, &config(), &device).expect("loads");
        let image = iqa_models::nn::image_to_tensor(&io.image("images/distorted"), &device);
        let reference = config()
            .is_full_reference()
            .then(|| iqa_models::nn::image_to_tensor(&io.image("images/reference"), &device));
        let score = |image: Tensor<4>| {
            model.score_tensor(image, reference.clone(), PatchSampler::official()).expect("scores")
        };
        let input = image.clone().require_grad();
        let gradient = input.grad(&score(input.clone()).backward()).expect("a gradient");
        let gradient: Vec<f32> = gradient.into_data().iter::<f32>().collect();
        // Along the gradient itself the difference is largest, so that rounding matters least.
        let norm = gradient.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
        let step = 2e-3;
        let direction: Vec<f32> = gradient.iter().map(|g| (f64::from(*g) / norm * step) as f32).collect();
        let direction: Tensor<4> = Tensor::from_data(TensorData::new(direction, image.dims()), &device);
        let ahead = score(image.clone() + direction.clone()).into_scalar::<f64>();
        let behind = score(image - direction).into_scalar::<f64>();
        let difference = (ahead - behind) / (2.0 * step);
        assert!((difference / norm - 1.0).abs() < 2e-2, "{name}: {difference} against {norm}");
    }
}

#[test]
fn saved_weights_load_as_they_were() {
    let folder = tempfile::tempdir().expect("a folder");
    let model = load("tiny_pyiqa_fr.pth", &WadiqamConfig::wadiqam_fr());
    let (distorted, reference) = images(&model);
    let score = |model: &Wadiqam| {
        let score = model.score(&distorted, reference.as_ref(), &ScoreOptions::default());
        score.expect("scores").score as f32
    };
    for (precision, tolerance) in [(Precision::F32, Tolerance(0.0)), (Precision::F16, Tolerance::HALF)] {
        let path = folder.path().join("saved.safetensors");
        model.save(&path, precision).expect("saves");
        let again = Wadiqam::load(&path, &WadiqamConfig::wadiqam_fr(), &Device::flex()).expect("loads");
        assert_eq!(again.config(), model.config(), "the configuration goes with the weights");
        assert_close("score", &[score(&again)], &[score(&model)], tolerance);
        let scorer = Scorer::with_weights("wadiqam_fr", &path, &Device::flex()).expect("opens");
        assert_eq!(scorer.spec(), model.score_spec());
    }
}
