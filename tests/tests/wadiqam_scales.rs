//! Patches at several sizes of a picture: beyond the paper, so that what is expected is put together by hand.

use image::RgbImage;
use iqa_models::heads::Stored;
use iqa_models::heads::wadiqam::{PatchSampler, PatchScores, ScoreOptions, Wadiqam, WadiqamConfig};
use iqa_models::{Device, Tensor};
use iqa_testkit::textured;

fn model(config: WadiqamConfig, scales: usize) -> Wadiqam {
    WadiqamConfig { scales, ..config.shallow().tiny() }.init(&Device::flex())
}

fn values(tensor: Tensor<1>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}

fn tensor(image: &RgbImage) -> Tensor<4> {
    iqa_models::nn::image_to_tensor(image, &Device::flex())
}

/// Means of squares of `side` pixels, by slices and sums.
fn shrunk(image: Tensor<4>, side: usize) -> Tensor<4> {
    let [n, channels, height, width] = image.dims();
    let (rows, columns) = (height / side, width / side);
    let whole = image.slice([0..n, 0..channels, 0..rows * side, 0..columns * side]);
    let squares: Tensor<6> = whole.reshape([n, channels, rows, side, columns, side]);
    squares.mean_dim(3).mean_dim(5).reshape([n, channels, rows, columns])
}

/// The 32x32 grid of a picture, row by row.
fn grid(image: Tensor<4>) -> Tensor<4> {
    let [_, _, height, width] = image.dims();
    let mut patches = Vec::new();
    for y in (0..=height - 32).step_by(32) {
        for x in (0..=width - 32).step_by(32) {
            patches.push(image.clone().slice([0..1, 0..3, y..y + 32, x..x + 32]));
        }
    }
    Tensor::cat(patches, 0)
}

#[test]
fn each_size_counts_the_same_in_the_score() {
    let (distorted, reference) = (textured(150, 131, 3), textured(150, 131, 4));
    for (config, reference) in [
        (WadiqamConfig::wadiqam_fr(), Some(&reference)),
        (WadiqamConfig::wadiqam_nr(), None),
        (WadiqamConfig::diqam_fr(), Some(&reference)),
    ] {
        let model = model(config, 3);
        let (mut above, mut below) = (0.0, 0.0);
        for side in [1, 2, 4] {
            let at = |image: &RgbImage| grid(shrunk(tensor(image), side));
            let PatchScores { quality, weight } = model.forward(at(&distorted), reference.map(at));
            let quality = values(quality);
            let weight = weight.map_or_else(|| vec![1.0; quality.len()], values);
            let count = quality.len() as f64;
            above +=
                quality.iter().zip(&weight).map(|(quality, weight)| quality * weight).sum::<f64>() / count;
            below += weight.iter().sum::<f64>() / count;
        }
        let expected = above / below;

        let options = ScoreOptions::default();
        let found = model.score(&distorted, reference, &options).expect("scores");
        assert_eq!(found.patches.positions.len(), 16 + 4 + 1);
        let close = |what: &str, found: f64| {
            assert!((found - expected).abs() < 1e-4 * expected.abs().max(1.0), "{what}: {found}, {expected}");
        };
        close("image", found.score);
        let chunked = ScoreOptions { chunk: 5, ..options };
        close("chunks", model.score(&distorted, reference, &chunked).expect("scores").score);
        if let Some(reference) = reference {
            let prepared = model.prepare(reference, &chunked).expect("prepares");
            close("prepared", model.score_prepared(&distorted, &prepared).expect("scores").score);
        }
        let batch = Tensor::cat(vec![tensor(&distorted), tensor(&distorted)], 0);
        let references = reference.map(|image| Tensor::cat(vec![tensor(image), tensor(image)], 0));
        for score in values(model.score_tensor(batch, references, options.sampler).expect("scores")) {
            close("tensor", score);
        }
    }
}

#[test]
fn random_patches_of_an_image_and_of_its_tensor_are_the_same() {
    let model = model(WadiqamConfig::wadiqam_nr(), 2);
    let image = textured(120, 90, 7);
    let sampler = PatchSampler::Random { patches: 6, seed: 5 };
    let options = ScoreOptions { sampler, ..ScoreOptions::default() };
    let found = model.score(&image, None, &options).expect("scores");
    assert_eq!(found.patches.positions.len(), 12);
    let tensor = values(model.score_tensor(tensor(&image), None, sampler).expect("scores"))[0];
    assert!((found.score - tensor).abs() < 1e-4 * tensor.abs().max(1.0), "{} {tensor}", found.score);
}

#[test]
fn a_picture_too_small_for_the_coarse_size_is_scored_at_the_others() {
    let one = model(WadiqamConfig::wadiqam_nr(), 1);
    let image = textured(50, 40, 1);
    let mut config = one.config().clone();
    config.scales = 4;
    let several = config.init(&Device::flex()).starting_from(&one);
    let score = |model: &Wadiqam| model.score(&image, None, &ScoreOptions::default()).expect("scores").score;
    assert_eq!(score(&several), score(&one));
}

#[test]
fn the_number_of_sizes_is_kept_with_the_weights_and_bounded() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("weights.safetensors");
    let model = model(WadiqamConfig::wadiqam_fr(), 2);
    model.save(&path, iqa_models::nn::Precision::F32).expect("saves");
    let loaded = Wadiqam::load(&path, &WadiqamConfig::wadiqam_fr(), &Device::flex()).expect("loads");
    assert_eq!(loaded.config().scales, 2);
    for scales in [0, 7] {
        assert!(WadiqamConfig { scales, ..WadiqamConfig::wadiqam_fr() }.validate().is_err());
    }
}
