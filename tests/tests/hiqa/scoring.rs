//! Scores and hallucinated references of images.

use burn::tensor::Tensor;
use iqa_models::heads::HeadError;
use iqa_models::heads::hiqa::{
    GeneratorConfig, GeneratorOutput, Hiqa, HiqaConfig, HiqaScoreOptions, MAP_GAIN, RegressorConfig,
};
use iqa_models::image::{RgbImage, imageops};
use iqa_models::nn::image_to_tensor;
use iqa_models::{Device, ScoreError};
use iqa_testkit::{Tolerance, assert_close, textured};

use super::{alone, drawn, random, values};

fn model() -> Hiqa {
    random(&HiqaConfig::reduced(4, 64), &Device::flex())
}

#[test]
fn a_score_is_the_mean_of_overlapped_patches_each_scored_by_itself() {
    let model = model();
    let image = textured(150, 100, 1);
    let found = model.score(&image, None, &HiqaScoreOptions::default()).expect("scores");
    let corners: Vec<_> = found.positions.iter().map(|p| (p.x, p.y)).collect();
    assert_eq!(corners[..4], [(0, 0), (32, 0), (64, 0), (86, 0)]);
    assert_eq!((corners.len(), corners[11]), (12, (86, 36)));
    for (position, &patch) in found.positions.iter().zip(&found.patches) {
        let cut = imageops::crop_imm(&image, position.x, position.y, 64, 64).to_image();
        let alone = model.score(&cut, None, &HiqaScoreOptions::default()).expect("scores").score;
        assert_close("patch", &[patch], &[alone as f32], Tolerance::REORDERED);
    }
    let mean = found.patches.iter().map(|&patch| f64::from(patch)).sum::<f64>() / 12.0;
    assert!((found.score - mean).abs() < 1e-12);
    for chunk in [1, 5, 100] {
        let options = HiqaScoreOptions { chunk, stride: Some(32) };
        let other = model.score(&image, None, &options).expect("scores");
        assert_close("chunks", &other.patches, &found.patches, Tolerance::REORDERED);
    }
    let batch = Tensor::cat(vec![image_to_tensor(&image, &model.device()); 2], 0);
    let scores = values(model.score_tensor(batch, None, &HiqaScoreOptions::default()).expect("scores"));
    assert_close("tensor", &scores, &[found.score as f32; 2], Tolerance::REORDERED);
}

#[test]
fn what_cannot_be_scored_is_an_error() {
    let model = model();
    let options = HiqaScoreOptions::default();
    let image = textured(64, 64, 1);
    assert!(matches!(
        model.score(&textured(63, 90, 1), None, &options),
        Err(HeadError::Score(ScoreError::TooSmall { .. }))
    ));
    assert!(matches!(
        model.score(&image, Some(&image), &options),
        Err(HeadError::Score(ScoreError::ReferenceUnexpected))
    ));
    assert!(matches!(
        model.score_oracle(&image, &textured(64, 65, 1), &options),
        Err(HeadError::Score(ScoreError::SizeMismatch { .. }))
    ));
    let stride = HiqaScoreOptions { stride: Some(0), ..options };
    assert!(matches!(model.score(&image, None, &stride), Err(HeadError::EmptySampler { .. })));
    let baseline = random(&HiqaConfig::baseline(4, 64), &Device::flex());
    assert!(baseline.score(&image, None, &options).is_ok());
    assert!(matches!(
        baseline.score_oracle(&image, &image, &options),
        Err(HeadError::Score(ScoreError::ReferenceUnexpected))
    ));
    assert!(matches!(baseline.hallucinate(&image, &options), Err(HeadError::WrongModel { .. })));
}

/// A generator that adds nothing hallucinates the image itself: whatever the size, no pixel may change.
#[test]
fn a_generator_that_adds_nothing_gives_the_image_back() {
    let mut config = HiqaConfig::reduced(4, 64);
    config.generator = Some(GeneratorConfig::new().with_width(4).with_output(GeneratorOutput::Residual));
    let model = random(&config, &Device::flex());
    for (width, height) in [(64, 64), (150, 97), (40, 130), (7, 5)] {
        let image = textured(width, height, 2);
        let found = model.hallucinate(&image, &HiqaScoreOptions::default()).expect("hallucinates");
        assert!(found.image == image, "{width}x{height}");
        assert_eq!(found.map, RgbImage::new(width, height), "nothing differs");
    }
}

#[test]
fn one_patch_is_hallucinated_as_the_network_gives_it_and_the_map_is_the_difference() {
    let model = model();
    let image = textured(64, 64, 3);
    let found = model.hallucinate(&image, &HiqaScoreOptions::default()).expect("hallucinates");
    let network =
        values(model.hallucinate_patches(image_to_tensor(&image, &model.device())).expect("has a generator"));
    for (index, pixel) in found.image.pixels().enumerate() {
        for channel in 0..3 {
            let value = network[channel * 64 * 64 + index];
            assert!((f32::from(pixel[channel]) / 255.0 - value.clamp(0.0, 1.0)).abs() <= 0.5 / 255.0 + 1e-6);
            let original = f32::from(image.as_raw()[3 * index + channel]) / 255.0;
            let drawn = f32::from(found.map.as_raw()[3 * index + channel]) / 255.0;
            let expected = ((original - value).abs() * MAP_GAIN).min(1.0);
            assert!((drawn - expected).abs() <= 0.5 / 255.0 + 1e-5);
        }
    }
}

#[test]
fn the_oracle_sees_the_true_reference() {
    let model = model();
    let options = HiqaScoreOptions::default();
    let (distorted, reference) = (textured(64, 64, 4), textured(64, 64, 5));
    let oracle = |reference| model.score_oracle(&distorted, reference, &options).expect("scores").score;
    assert_ne!(oracle(&reference), oracle(&distorted));
    // With the hallucination as its reference, the oracle is the no-reference score.
    let image = image_to_tensor(&distorted, &model.device());
    let hallucinated = model.hallucinate_patches(image.clone()).expect("has a generator");
    let scores = model.forward(image.clone(), Some(hallucinated));
    assert_close("oracle", &values(scores), &values(model.forward(image, None)), Tolerance::FORWARD);
}

#[test]
fn a_generator_from_elsewhere_serves_a_regressor_that_fits() {
    let device = Device::flex();
    let generator = || model().generator().expect("has one").clone();
    let regressor = |config: RegressorConfig| {
        let _alone = alone();
        drawn(config.init(&device))
    };
    let config = HiqaConfig::baseline(4, 64);
    let plug_in = Hiqa::new(Some(generator()), regressor(RegressorConfig::mapped(6)), config.clone());
    let plug_in = plug_in.expect("fits");
    assert_eq!(plug_in.config().regressor.width, 6);
    assert!(plug_in.score(&textured(64, 64, 1), None, &HiqaScoreOptions::default()).is_ok());
    let other = RegressorConfig::fused(6, &GeneratorConfig::new().with_width(8));
    assert!(Hiqa::new(Some(generator()), regressor(other), config.clone()).is_err());
    assert!(Hiqa::new(None, regressor(RegressorConfig::mapped(6)), config).is_err());
}
