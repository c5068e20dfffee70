//! The network: sizes, parity in inference and in training, files.

use burn::module::Module;
use burn::tensor::Tensor;
use iqa_models::Device;
use iqa_models::core::{Direction, ReferenceNeed};
use iqa_models::heads::gsn::{Gsn, GsnConfig, PairFusion, ScoreOptions};
use iqa_models::heads::{HeadError, Stored};
use iqa_models::nn::{NamedTensors, NnError, Precision};
use iqa_testkit::{Arrays, Tolerance, assert_close, fixture_path};

use super::{images, json, numbers, tensor, values};

pub(crate) fn load(file: &str, config: &GsnConfig, device: &Device) -> Gsn {
    Gsn::load(fixture_path(format!("gsn/{file}.safetensors")), config, device).expect("loads")
}

pub(crate) fn tiny(device: &Device) -> Gsn {
    load("tiny", &GsnConfig::new().tiny(), device)
}

#[test]
fn the_published_network_has_2996441_parameters() {
    let model = GsnConfig::new().init(&Device::flex());
    let statistics: usize = NamedTensors::from_module(
        &model,
        &NamedTensors::module_paths(&model).into_iter().map(|path| (path.clone(), path)).collect::<Vec<_>>(),
        "network",
    )
    .map(|tensors| {
        let running: Vec<_> = tensors.keys().filter(|key| key.contains(".running_")).collect();
        running.iter().map(|key| tensors.get(key).expect("listed").values.len()).sum()
    })
    .expect("reads");
    // Burn counts running statistics too.
    assert_eq!(model.num_params() - statistics, 2_996_441);
    assert_eq!(json()["parameters"]["all"], 2_996_441);
    let spec = model.score_spec();
    assert_eq!((spec.direction, spec.reference), (Direction::HigherIsBetter, ReferenceNeed::FullReference));
}

#[test]
fn levels_have_the_sides_of_table_1() {
    let model = GsnConfig::new().scaled(0.0625).init(&Device::flex()).fuse();
    let channels = model.config().level_channels();
    assert_eq!(GsnConfig::new().level_channels(), [128, 128, 128]);
    for (side, expected) in [(192, [96, 48, 24]), (288, [144, 72, 36])] {
        let maps = model.level_maps(Tensor::zeros([1, 3, side, side], &model.device()));
        for ((maps, &channels), side) in maps.iter().zip(&channels).zip(expected) {
            assert_eq!(maps.dims(), [1, channels, side, side]);
        }
    }
}

/// Folded, against the two-convolution form with batch norms of its own.
#[test]
fn the_fused_network_agrees_with_pytorch() {
    let io = Arrays::read("gsn/tiny_io.safetensors");
    let options = ScoreOptions::default();
    let base = GsnConfig::new().tiny();
    let narrow = GsnConfig { crop: 32, grid: 6, ..GsnConfig::new().scaled(0.0625) };
    let cases = [
        ("default", "tiny", base.clone()),
        ("theta_0", "tiny", base.clone().with_theta(0.0)),
        ("attend_before_next", "tiny", base.clone().with_attend_before_next(true)),
        ("final_relu", "tiny", base.with_final_relu(true)),
        ("diff", "tiny_diff", narrow.clone().with_pair_fusion(PairFusion::Diff)),
        ("concat_diff", "tiny_concat_diff", narrow.with_pair_fusion(PairFusion::ConcatDiff)),
    ];
    for (name, file, config) in cases {
        let model = load(file, &config, &Device::flex()).fuse();
        let (distorted, reference) = (io.image("images/distorted"), io.image("images/reference"));
        let found = model.score(&distorted, Some(&reference), &options).expect("scores");
        let crops = found.crops.map(|crop| crop.score as f32);
        assert_close(name, &crops, &io.f32s(&format!("{name}/crops")), Tolerance::FORWARD);
        let expected = &json()["cases"][name];
        assert!((found.score - expected["score"].as_f64().expect("a number")).abs() < 2e-6, "{name}");
        // The images are told apart.
        let swapped = model.score(&reference, Some(&distorted), &options).expect("scores").score;
        assert!((swapped - expected["swapped"].as_f64().expect("a number")).abs() < 2e-6, "{name}");
        assert!((swapped - found.score).abs() > 1e-3, "{name}");
    }
}

#[test]
fn the_maps_of_every_level_agree_with_pytorch() {
    let io = Arrays::read("gsn/tiny_io.safetensors");
    let model = tiny(&Device::flex()).fuse();
    for (side, image) in [("d", "distorted"), ("r", "reference")] {
        let image = io.image(&format!("images/{image}"));
        let found = model.level_maps(super::scoring::five(&image, 32));
        for (level, maps) in found.into_iter().enumerate() {
            let key = format!("default/levels/{side}/{level}");
            assert_eq!(maps.dims().to_vec(), io.shape(&key));
            assert_close(&key, &values(maps), &io.f32s(&key), Tolerance::FORWARD);
        }
    }
}

/// Scores, loss, every gradient, and the running statistics after a step in training mode.
#[test]
fn training_mode_agrees_with_pytorch() {
    let expected = Arrays::read("gsn/tiny_training.safetensors");
    let device = Device::flex().autodiff();
    let model = tiny(&device);
    let scores = model
        .forward_training(images(&expected, "distorted", &device), images(&expected, "reference", &device));
    assert_close("scores", &values(scores.clone()), &expected.f32s("scores"), Tolerance::FORWARD);
    let targets: Vec<f64> = expected.f32s("targets").into_iter().map(f64::from).collect();
    let loss = iqa_models::train::QualityLoss::gsn().loss(scores, &targets).expect("a loss");
    assert_close("loss", &values(loss.clone()), &expected.f32s("loss"), Tolerance::FORWARD);
    let gradients = loss.backward();
    let mut seen = Gradients { gradients: &gradients, path: Vec::new(), expected: &expected, count: 0 };
    model.visit(&mut seen);
    assert_eq!(seen.count, 48, "every parameter");
    let after = model.valid().to_tensors("after".as_ref()).expect("reads");
    for key in after.keys().filter(|key| key.contains(".running_")) {
        let found = &after.get(key).expect("listed").values;
        assert_close(key, found, &expected.f32s(&format!("after/{key}")), Tolerance::FORWARD);
    }
}

struct Gradients<'a> {
    gradients: &'a burn::tensor::Gradients,
    path: Vec<String>,
    expected: &'a Arrays,
    count: usize,
}

impl burn::module::ModuleVisitor for Gradients<'_> {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.into());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, parameter: &burn::module::Param<Tensor<D>>) {
        let path = self.path.join(".");
        let Some(mut found) = parameter.val().grad(self.gradients) else {
            assert!(path.contains(".running_"), "{path} has no gradient");
            return;
        };
        let key = format!("grad/{path}");
        if path == "fc.weight" {
            found = found.swap_dims(0, 1);
        }
        assert_eq!(found.dims().to_vec(), self.expected.shape(&key), "{key}");
        self.count += 1;
        if path == "fc.bias" {
            // Neither loss sees an offset of the scores.
            assert!(values(found)[0].abs() < 1e-7 && self.expected.f32s(&key)[0].abs() < 1e-7);
            return;
        }
        assert_close(&key, &values(found), &self.expected.f32s(&key), Tolerance::BACKWARD);
    }
}

#[test]
fn a_saved_network_comes_back_with_its_configuration() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("gsn.safetensors");
    let config = GsnConfig::new().tiny().with_theta(0.5);
    let model = load("tiny", &config, &Device::flex());
    model.save(&path, Precision::F32).expect("writes");
    let loaded = Gsn::load(&path, &GsnConfig::new(), &Device::flex()).expect("loads");
    assert_eq!(loaded.config(), &config);
    let tensors = |model: &Gsn| {
        let tensors = model.to_tensors(&path).expect("reads");
        let keys: Vec<String> = tensors.keys().map(str::to_owned).collect();
        keys.into_iter().map(|key| tensors.get(&key).expect("listed").clone()).collect::<Vec<_>>()
    };
    assert_eq!(tensors(&loaded), tensors(&model));
}

#[test]
fn on_crops_of_another_side_places_share_the_weights() {
    let small = tiny(&Device::flex());
    let places = |model: &Gsn| {
        let tensors = model.to_tensors("weights".as_ref()).expect("reads");
        tensors.get("fc.weight").expect("listed").values.clone()
    };
    let before = places(&small);
    let twice = small.clone().on_crops(64, small.config().grid_for(64));
    assert_eq!((twice.config().crop, twice.config().grid), (64, 12));
    let expected: Vec<f32> = (0..144).map(|at| before[at / 24 * 6 + at % 12 / 2] / 4.0).collect();
    assert_close("twice", &places(&twice), &expected, Tolerance::REORDERED);
    assert_eq!(places(&small.clone().with_mean_head()), [1.0 / 36.0; 36]);
    // No multiple of the other: the sum is what stays.
    let between = places(&small.on_crops(40, 8));
    assert_eq!(between.len(), 64);
    assert!((between.iter().sum::<f32>() - before.iter().sum::<f32>()).abs() < 1e-6);
}

#[test]
fn a_file_that_does_not_fit_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("gsn.safetensors");
    let device = Device::flex();
    let fixture = fixture_path("gsn/tiny.safetensors");
    let missing = |key: &str| {
        let mut tensors = NamedTensors::read(&fixture).expect("a fixture");
        tensors.discard(|found| found == key);
        Gsn::from_tensors(tensors, &GsnConfig::new().tiny(), &device).expect_err("incomplete")
    };
    let key = "blocks.1.2.norm.running_var";
    // The fixture is PyTorch's and carries no configuration, which the error says too.
    let told = |error: HeadError| match error {
        HeadError::ConfigurationMissing { key: "gsn_config", source } => source,
        other => panic!("{other}"),
    };
    assert!(matches!(told(missing(key)), NnError::MissingTensor { key: found, .. } if found == key));
    let wide = told(Gsn::load(&fixture, &GsnConfig::new(), &device).expect_err("another width"));
    assert!(matches!(wide, NnError::TensorShape { .. }), "{wide}");
    let damaged = NamedTensors::read(&fixture).expect("a fixture").with_metadata("gsn_config", "{}");
    damaged.write_safetensors(&path, Precision::F32).expect("writes");
    let error = Gsn::load(&path, &GsnConfig::new(), &device).expect_err("damaged").to_string();
    assert!(error.contains("gsn.safetensors") && error.contains("gsn_config"), "{error}");
}

#[test]
fn configurations_that_describe_no_network_are_refused() {
    let sound = GsnConfig::new();
    sound.validate().expect("the paper's");
    let invalid = [
        ("theta", sound.clone().with_theta(f64::NAN)),
        ("blocks", sound.clone().with_blocks(vec![vec![8], vec![]])),
        ("attention", sound.clone().with_attention(vec![7, 5])),
        ("attention", sound.clone().with_attention(vec![7, 5, 4])),
        ("stem", sound.clone().with_stem(0)),
        ("fusion", sound.clone().with_fusion(0)),
        ("grid", sound.clone().with_grid(0)),
        ("crop", sound.clone().with_crop(7)),
        ("input_scale", sound.clone().with_input_scale(0.0)),
        ("range", sound.with_range((1.0, 1.0))),
    ];
    for (field, config) in invalid {
        let error = config.validate().expect_err(field).to_string();
        assert!(error.contains(field), "{error}");
    }
}

/// One in the fixture, so that the fixture is known to be of the default graph.
#[test]
fn the_fixtures_scores_are_distinct() {
    let crops = numbers(&json()["cases"]["default"]["crops"]);
    assert!(crops.windows(2).all(|pair| (pair[0] - pair[1]).abs() > 1e-3));
    let _: Tensor<1> = tensor(&Arrays::read("gsn/tiny_io.safetensors"), "default/crops", &Device::flex());
}
