//! The multi-branch models of which only the perceptron learns: their features are those of the frozen network, which is held
//! against its package in `iqa-backbones`, summed up here by the definition.

use burn::tensor::{Device, Tensor};
use image::RgbImage;
use iqa_backbones::{Architecture, FeatureExtractor};
use iqa_heads::multi_branch::{Branches, MultiBranch, MultiBranchConfig};
use iqa_heads::{HeadError, Stored};
use iqa_nn::{Precision, ScoreError, image_to_tensor};
use iqa_testkit::{Tolerance, assert_close, textured};

const SETTINGS: [Branches; 2] = [Branches::FrozenNr, Branches::FrozenAll];

fn model(branches: Branches) -> MultiBranch {
    let config = MultiBranchConfig::lite(branches).tiny();
    let device = Device::flex();
    device.seed(3);
    config.init(config.frp().init(&device), &device)
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

/// The values of each channel of each tap.
fn channels(model: &MultiBranch, image: &RgbImage) -> Vec<Vec<f64>> {
    let image = image_to_tensor(image, &Device::flex());
    let image = Architecture::EfficientNetLite0.normalisation().apply(image);
    let taps = model.frp().forward_features(image);
    taps.into_iter()
        .flat_map(|tap| {
            let [_, channels, height, width] = tap.dims();
            let all = values(tap);
            let area = height * width;
            (0..channels)
                .map(|c| all[c * area..][..area].iter().map(|v| f64::from(*v)).collect())
                .collect::<Vec<_>>()
        })
        .collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn deviation(values: &[f64]) -> f64 {
    let middle = mean(values);
    mean(&values.iter().map(|value| (value - middle).powi(2)).collect::<Vec<_>>()).sqrt()
}

#[test]
fn features_are_means_and_deviations_of_the_taps_and_mean_distances() {
    let (distorted, reference) = (textured(70, 58, 1), textured(70, 58, 2));
    for branches in SETTINGS {
        let model = model(branches);
        let (d, r) = (channels(&model, &distorted), channels(&model, &reference));
        let mut expected: Vec<f64> = Vec::new();
        if branches == Branches::FrozenAll {
            let distance = |(d, r): (&Vec<f64>, &Vec<f64>)| {
                mean(&d.iter().zip(r).map(|(d, r)| (d - r).abs()).collect::<Vec<_>>())
            };
            expected.extend(d.iter().zip(&r).map(distance));
        }
        expected.extend(d.iter().map(|values| mean(values)));
        expected.extend(d.iter().map(|values| deviation(values)));
        let expected: Vec<f32> = expected.into_iter().map(|value| value as f32).collect();
        let [d, r] = [&distorted, &reference].map(|image| image_to_tensor(image, &Device::flex()));
        let found = values(model.frozen_features(d, r));
        assert_close("features", &found, &expected, Tolerance::FORWARD);
        assert_eq!(found.len(), model.config().features().expect("valid"));
    }
    // Those of the bundled models: 464 channels.
    let features = |branches| MultiBranchConfig::lite(branches).features().expect("valid");
    assert_eq!(SETTINGS.map(features), [928, 1392]);
}

#[test]
fn larger_pictures_have_the_mean_features_of_their_tiles() {
    let device = Device::flex();
    let (distorted, reference) = (textured(150, 64, 1), textured(150, 64, 2));
    for branches in SETTINGS {
        let whole = model(branches);
        let tiled = MultiBranchConfig { tile: Some(64), ..whole.config().clone() };
        let tiled = tiled.init(whole.frp().clone(), &device);
        let part = |image: &RgbImage, x: u32| image::imageops::crop_imm(image, x, 0, 64, 64).to_image();
        // Three tiles, evenly apart: from 0, 43 and 86 on.
        let parts = [0, 43, 86].map(|x| {
            let [d, r] = [&distorted, &reference].map(|image| image_to_tensor(&part(image, x), &device));
            values(whole.frozen_features(d, r))
        });
        let expected: Vec<f32> =
            (0..parts[0].len()).map(|i| parts.iter().map(|part| part[i]).sum::<f32>() / 3.0).collect();
        let [d, r] = [&distorted, &reference].map(|image| image_to_tensor(image, &device));
        assert_close("tiles", &values(tiled.frozen_features(d, r)), &expected, Tolerance::REORDERED);
        // Prepared or not.
        if branches == Branches::FrozenAll {
            let plain = tiled.score(&distorted, Some(&reference)).expect("scores");
            let prepared = tiled.prepare(&reference).expect("prepares");
            let against = tiled.score_prepared(&distorted, &prepared).expect("scores");
            assert_close("prepared", &[against as f32], &[plain as f32], Tolerance::REORDERED);
        }
    }
    for tile in [Some(8), Some(1 << 20)] {
        let config = MultiBranchConfig { tile, ..MultiBranchConfig::lite(Branches::FrozenNr) };
        assert!(config.validate().expect_err("no such tile").to_string().contains("tile"));
    }
    let learns = MultiBranchConfig { tile: Some(512), ..MultiBranchConfig::vgg16() };
    assert!(learns.validate().is_err());
}

#[test]
fn features_are_standardised_before_the_perceptron() {
    let device = Device::flex();
    let model = model(Branches::FrozenNr);
    let image = |seed| image_to_tensor(&textured(64, 64, seed), &device);
    let features = Tensor::cat((1..6).map(|seed| model.frozen_features(image(seed), None)).collect(), 0);
    let before = values(model.head(features.clone()));
    let plain = model.clone();
    let model = model.standardised(features.clone());
    // By hand: the same perceptron over features that were standardised.
    let mean = features.clone().mean_dim(0);
    let variance = (features.clone() - mean.clone()).powi_scalar(2).mean_dim(0);
    let by_hand = (features.clone() - mean) / (variance + 1e-5).sqrt();
    let identity = by_hand.clone() * (1.0f64 + 1e-5).sqrt();
    let found = values(model.head(features));
    assert_close("standardised", &found, &values(plain.head(identity)), Tolerance::FORWARD);
    assert!(before != found);
}

#[test]
fn what_is_saved_is_whole_and_its_need_of_a_reference_is_checked() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("model.safetensors");
    let (distorted, reference) = (textured(64, 80, 1), textured(64, 80, 2));
    for branches in SETTINGS {
        let first = model(branches);
        first.save(&path, Precision::F32).expect("saves");
        let expected = MultiBranchConfig::lite(branches);
        let again = MultiBranch::load(&path, &expected, &Device::flex()).expect("loads");
        let score = |model: &MultiBranch| model.score(&distorted, Some(&reference)).expect("scores");
        assert_eq!(score(&first), score(&again));
        let fused = score(&again.clone().fuse());
        assert_close("fused", &[fused as f32], &[score(&first) as f32], Tolerance::FORWARD);
        let alone = again.score(&distorted, None);
        if branches == Branches::FrozenNr {
            assert_eq!(alone.expect("needs none"), score(&first));
        } else {
            assert!(matches!(alone, Err(HeadError::Score(ScoreError::ReferenceMissing))));
        }
        let other = SETTINGS.into_iter().find(|other| *other != branches).expect("two");
        let error = MultiBranch::load(&path, &MultiBranchConfig::lite(other), &Device::flex());
        assert!(matches!(error, Err(HeadError::WrongModel { .. })));
    }
}
