//! The multi-branch model against PyTorch (`tests/fixtures/generate/multi_branch.py`), and what must hold of it whatever
//! the weights.

use burn::module::Module;
use burn::optim::{GradientsParams, ModuleOptimizer, SgdConfig};
use burn::tensor::{Device, Tensor, TensorData};
use image::RgbImage;
use iqa_backbones::{Architecture, BackboneError};
use iqa_heads::multi_branch::{Branches, MultiBranch, MultiBranchConfig, PairBatch, TapRule};
use iqa_heads::{HeadError, Stored};
use iqa_nn::{NamedTensors, Precision, ScoreError, image_to_tensor};
use iqa_testkit::{Arrays, Tolerance, assert_close, closed_form, textured};

const ARCHITECTURES: [Architecture; 3] =
    [Architecture::Vgg16, Architecture::ResNet50, Architecture::InceptionV3];
/// Sizes of the recorded pairs, and how many there are of each.
const SIZES: [(&str, usize); 2] = [("97x75", 2), ("64x80", 1)];

/// The configuration of the generator: a quarter of the width.
fn config(architecture: Architecture) -> MultiBranchConfig {
    MultiBranchConfig {
        frp_width_divisor: 4,
        width_divisor: 4,
        hidden: vec![64, 16],
        ..MultiBranchConfig::new(architecture)
    }
}

/// A model with the weights of the closed form, through a file as training writes them.
fn model(config: &MultiBranchConfig) -> MultiBranch {
    let device = Device::flex();
    let random =
        config.init(config.frp().init(&device), &device).to_tensors("random".as_ref()).expect("not fused");
    let shapes: Vec<_> =
        random.keys().map(|key| (key.to_owned(), random.get(key).expect("listed").shape.clone())).collect();
    let stored = random.metadata("multi_branch_config").expect("stored").to_owned();
    let file = closed_form::weights_file("", &shapes);
    let tensors = NamedTensors::from_safetensors(&file, "closed form").expect("sound");
    let tensors = tensors.with_metadata("multi_branch_config", stored);
    MultiBranch::from_tensors(tensors, config, &device).expect("loads")
}

fn images(arrays: &Arrays, key: &str, count: usize) -> Vec<RgbImage> {
    let (shape, bytes) = (arrays.shape(key), arrays.bytes(key));
    let &[_, 3, height, width] = shape.as_slice() else { panic!("{key}: {shape:?}") };
    let size = 3 * height * width;
    (0..count)
        .map(|index| {
            RgbImage::from_fn(width as u32, height as u32, |x, y| {
                let at = index * size + y as usize * width + x as usize;
                image::Rgb([0, 1, 2].map(|channel| bytes[at + channel * height * width]))
            })
        })
        .collect()
}

fn batch(images: &[RgbImage], device: &Device) -> Tensor<4> {
    Tensor::cat(images.iter().map(|image| image_to_tensor(image, device)).collect(), 0)
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

#[test]
fn features_scores_and_gradients_agree_with_pytorch() {
    let arrays = Arrays::read("multi_branch/multi_branch.safetensors");
    for architecture in ARCHITECTURES {
        let model = model(&config(architecture));
        let fused = model.clone().fuse();
        for (size, count) in SIZES {
            let [distorted, reference] =
                ["distorted", "reference"].map(|name| images(&arrays, &format!("{size}/{name}"), count));
            let [a, b] = [&distorted, &reference].map(|images| batch(images, &model.device()));
            let key = format!("{architecture}/{size}/features");
            let features = model.features(a, b);
            assert_eq!(features.dims(), [count, model.config().features().expect("valid")]);
            assert_close(&key, &values(features), &arrays.f32s(&key), Tolerance::FORWARD);
            let key = format!("{architecture}/{size}/scores");
            for model in [&model, &fused] {
                let scores: Vec<f32> = distorted
                    .iter()
                    .zip(&reference)
                    .map(|(a, b)| model.score(a, Some(b)).expect("scores") as f32)
                    .collect();
                assert_close(&key, &scores, &arrays.f32s(&key), Tolerance::FORWARD);
            }
        }
        let device = Device::flex().autodiff();
        let on_device = model.clone().train();
        let tensor = |name: &str| batch(&images(&arrays, &format!("64x80/{name}"), 1), &device);
        let distorted = tensor("distorted").require_grad();
        let score = on_device.score_tensor(distorted.clone(), Some(tensor("reference"))).expect("scores");
        let gradient = distorted.grad(&score.backward()).expect("a gradient");
        let key = format!("{architecture}/64x80/gradient");
        assert_close(&key, &values(gradient), &arrays.f32s(&key), Tolerance::BACKWARD);
    }
}

/// The frozen branch in evaluation, batch norm of the others by the batch, both images of a pair in it.
#[test]
fn three_steps_agree_with_pytorch_and_leave_the_frozen_branch() {
    let arrays = Arrays::read("multi_branch/multi_branch.safetensors");
    let device = Device::flex().autodiff();
    for architecture in ARCHITECTURES {
        let mut model = model(&config(architecture)).train();
        let before = model.frp().to_tensors("before".as_ref()).expect("not fused");
        let [distorted, reference] = ["distorted", "reference"]
            .map(|name| batch(&images(&arrays, &format!("97x75/{name}"), 2), &device));
        let frozen = model.frozen_features(distorted.clone(), reference.clone());
        assert!(!frozen.device().is_autodiff());
        let labels: Tensor<1> = Tensor::from_data(TensorData::new(arrays.f32s("labels"), [2]), &device);
        let mut descent: ModuleOptimizer = SgdConfig::new().init();
        let rate = f64::from(arrays.f32s(&format!("{architecture}/rate"))[0]);
        let mut losses = Vec::new();
        for _ in 0..4 {
            let pairs = PairBatch {
                distorted: distorted.clone(),
                reference: Some(reference.clone()),
                frozen: frozen.clone(),
            };
            let loss = (model.forward_training(vec![pairs]) - labels.clone()).powi_scalar(2).mean();
            losses.push(loss.clone().into_scalar::<f32>());
            let gradients = GradientsParams::from_grads(loss.backward(), &model);
            model = descent.step(rate, model, gradients);
        }
        let key = format!("{architecture}/losses");
        assert_close(&key, &losses, &arrays.f32s(&key), Tolerance::BACKWARD);
        let after = model.valid().frp().to_tensors("after".as_ref()).expect("not fused");
        for key in before.keys() {
            assert_eq!(
                after.get(key).expect("there"),
                before.get(key).expect("there"),
                "{architecture} {key}"
            );
        }
    }
}

#[test]
fn identical_images_have_no_difference_and_the_others_do() {
    let device = Device::flex();
    for architecture in ARCHITECTURES {
        let model = model(&MultiBranchConfig::new(architecture).tiny());
        let a = image_to_tensor(&textured(61, 53, 1), &device);
        let b = image_to_tensor(&textured(61, 53, 2), &device);
        assert!(values(model.frozen_features(a.clone(), a.clone())).iter().all(|value| *value == 0.0));
        assert!(values(model.frozen_features(a.clone(), b.clone())).iter().any(|value| *value > 0.0));
        // Both difference branches: two thirds of the features.
        let features = values(model.features(a.clone(), a.clone()));
        assert!(features[..features.len() / 3 * 2].iter().all(|value| *value == 0.0), "{architecture}");
        assert!(features[features.len() / 3 * 2..].iter().any(|value| *value != 0.0), "{architecture}");
    }
}

#[test]
fn the_perceptron_takes_what_the_paper_gives_it() {
    let features = |config: MultiBranchConfig| config.features().expect("valid");
    assert_eq!(features(MultiBranchConfig::vgg16()), 4224);
    assert_eq!(features(MultiBranchConfig::resnet50()), 5568);
    assert_eq!(features(MultiBranchConfig::inception_v3()), 3936);
    let pools = MultiBranchConfig { taps: TapRule::AfterPool, ..MultiBranchConfig::vgg16() };
    assert_eq!(pools.frp().taps, ["features.4", "features.9", "features.16", "features.23"]);
    assert_eq!(features(MultiBranchConfig { branches: Branches::Frp, ..pools }), 960);
}

#[test]
fn a_batch_of_mixed_sizes_gives_the_scores_of_each() {
    let config = MultiBranchConfig::vgg16().tiny();
    let model = model(&config);
    let sizes = [(48, 40), (33, 17), (48, 40), (15, 40), (33, 17)];
    let pictures: Vec<_> =
        (0..).zip(sizes).map(|(seed, (w, h))| (textured(w, h, seed), textured(w, h, seed + 9))).collect();
    let pairs: Vec<_> = pictures.iter().map(|(a, b)| (a, b)).collect();
    let together = model.score_batch(&pairs);
    for (index, (result, (a, b))) in together.into_iter().zip(&pictures).enumerate() {
        if index == 3 {
            assert!(matches!(
                result,
                Err(HeadError::Score(ScoreError::TooSmall { size: (15, 40), minimum: (16, 16) }))
            ));
            continue;
        }
        let alone = model.score(a, Some(b)).expect("scores");
        assert_close("batch", &[result.expect("scores") as f32], &[alone as f32], Tolerance::REORDERED);
        let prepared = model.prepare(b).expect("prepares");
        let against = model.score_prepared(a, &prepared).expect("scores");
        assert_close("prepared", &[against as f32], &[alone as f32], Tolerance::REORDERED);
    }
    let (a, b) = (textured(48, 40, 1), textured(40, 48, 1));
    assert!(matches!(model.score(&a, Some(&b)), Err(HeadError::Score(ScoreError::SizeMismatch { .. }))));
    assert!(matches!(model.score(&a, None), Err(HeadError::Score(ScoreError::ReferenceMissing))));
}

#[test]
fn a_saved_model_is_whole_and_one_of_another_kind_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("model.safetensors");
    for branches in Branches::ALL {
        let config = MultiBranchConfig { branches, ..MultiBranchConfig::resnet50().tiny() };
        let first = model(&config);
        first.save(&path, Precision::F32).expect("saves");
        let again = MultiBranch::load(&path, &MultiBranchConfig::resnet50(), &Device::flex()).expect("loads");
        assert_eq!(again.config(), &config);
        let (a, b) = (textured(40, 32, 1), textured(40, 32, 2));
        let score = |model: &MultiBranch| model.score(&a, Some(&b)).expect("scores");
        assert_eq!(score(&again), score(&first));
    }
    let refused = |expected: &MultiBranchConfig| {
        MultiBranch::load(&path, expected, &Device::flex()).expect_err("another network").to_string()
    };
    let message = refused(&MultiBranchConfig::vgg16());
    assert!(message.contains("model.safetensors") && message.contains("resnet50"), "{message}");
    let fused = model(&MultiBranchConfig::resnet50().tiny()).fuse();
    assert!(matches!(
        fused.save(&path, Precision::F32),
        Err(HeadError::Backbone(BackboneError::Fused { .. }))
    ));
}
