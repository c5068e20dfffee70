//! What must hold for every image, whatever the weights.

use image::{Rgb, RgbImage};
use iqa_models::heads::wadiqam::{Fusion, PatchSampler, ScoreOptions, Wadiqam, WadiqamConfig};
use iqa_models::{Device, ImageInput, Scorer, Tensor};
use iqa_testkit::{Tolerance, fixture_path, relative_error, textured};
use proptest::prelude::*;

fn model(kind: &str) -> Wadiqam {
    let config = match kind {
        "wadiqam_fr" => WadiqamConfig::wadiqam_fr(),
        "diqam_fr" => WadiqamConfig::diqam_fr(),
        "wadiqam_nr" => WadiqamConfig::wadiqam_nr(),
        _ => WadiqamConfig::diqam_nr(),
    };
    let path = fixture_path("wadiqam").join(format!("tiny_{kind}.safetensors"));
    Wadiqam::load(path, &config, &Device::flex()).expect("loads")
}

const KINDS: [&str; 4] = ["wadiqam_fr", "diqam_fr", "wadiqam_nr", "diqam_nr"];

fn assert_same(what: &str, found: f64, expected: f64) {
    let error = relative_error(&[found as f32], &[expected as f32]);
    assert!(error <= Tolerance::REORDERED.0, "{what}: {found} against {expected}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn chunks_do_not_change_the_score(width in 32u32..150, height in 32u32..110, chunk in 1usize..9, seed in 0u32..99) {
        let (distorted, reference) = (textured(width, height, seed), textured(width, height, seed + 1));
        for kind in KINDS {
            let model = model(kind);
            let reference = model.config().is_full_reference().then_some(&reference);
            let score = |chunk| {
                let options = ScoreOptions { chunk, ..ScoreOptions::default() };
                model.score(&distorted, reference, &options).expect("scores")
            };
            let (whole, chunked) = (score(10_000), score(chunk));
            prop_assert_eq!(&whole.patches.positions, &chunked.patches.positions);
            assert_same(kind, chunked.score, whole.score);
        }
    }

    #[test]
    fn a_prepared_reference_does_not_change_the_score(width in 32u32..120, height in 32u32..120, seed in 0u32..99) {
        let (distorted, reference) = (textured(width, height, seed), textured(width, height, seed + 1));
        for kind in ["wadiqam_fr", "diqam_fr"] {
            let model = model(kind);
            let options = ScoreOptions { chunk: 3, ..ScoreOptions::default() };
            let prepared = model.prepare(&reference, &options).expect("prepares");
            let found = model.score_prepared(&distorted, &prepared).expect("scores");
            let expected = model.score(&distorted, Some(&reference), &options).expect("scores");
            assert_same(kind, found.score, expected.score);
        }
    }
}

#[test]
fn a_batch_of_tensors_scores_as_its_images_one_by_one() {
    let device = Device::flex();
    let pictures: Vec<RgbImage> = (0..3).map(|seed| textured(100, 70, seed)).collect();
    let stack = |pictures: &[RgbImage]| -> Tensor<4> {
        Tensor::cat(pictures.iter().map(|p| iqa_models::nn::image_to_tensor(p, &device)).collect(), 0)
    };
    let samplers = [
        PatchSampler::official(),
        PatchSampler::ports(),
        PatchSampler::Grid { stride: 16, inclusive: true },
        PatchSampler::Random { patches: 5, seed: 3 },
    ];
    for kind in KINDS {
        let model = model(kind);
        let reference = model.config().is_full_reference().then(|| textured(100, 70, 9));
        for sampler in samplers {
            let batch_reference = reference.clone().map(|image| stack(&vec![image; 3]));
            let batch = model.score_tensor(stack(&pictures), batch_reference, sampler).expect("scores");
            let batch: Vec<f64> = batch.into_data().iter::<f64>().collect();
            let options = ScoreOptions { sampler, ..ScoreOptions::default() };
            for (picture, batched) in pictures.iter().zip(&batch) {
                let single = model.score(picture, reference.as_ref(), &options).expect("scores");
                assert_same(kind, *batched, single.score);
            }
        }
    }
}

/// With the fusion `d - r` alone, the patches of an image and of itself give nothing but biases.
#[test]
fn an_image_differs_from_itself_nowhere() {
    let path = fixture_path("wadiqam/tiny_shallow_fr_diff_only.safetensors");
    let config = WadiqamConfig { fusion: Fusion::DiffOnly, ..WadiqamConfig::wadiqam_fr() };
    let model = Wadiqam::load(path, &config, &Device::flex()).expect("loads");
    let image = textured(128, 96, 5);
    let same = model.score(&image, Some(&image), &ScoreOptions::default()).expect("scores").patches;
    assert!(same.quality.windows(2).all(|pair| pair[0] == pair[1]), "{:?}", same.quality);
    let other = model.score(&textured(128, 96, 6), Some(&image), &ScoreOptions::default()).expect("scores");
    assert!(other.patches.quality.windows(2).any(|pair| pair[0] != pair[1]));
}

#[test]
fn black_white_and_single_patch_images_have_finite_scores() {
    for kind in KINDS {
        let model = model(kind);
        for value in [0, 255] {
            let image = RgbImage::from_pixel(32, 32, Rgb([value; 3]));
            let reference = model.config().is_full_reference().then(|| textured(32, 32, 1));
            let score = model.score(&image, reference.as_ref(), &ScoreOptions::default()).expect("scores");
            assert!(score.score.is_finite() && score.patches.quality.len() == 1);
        }
    }
}

#[test]
fn one_scorer_serves_many_threads() {
    fn shared<T: Send + Sync>(_: &T) {}
    let scorer = Scorer::new("wadiqam_nr", &Device::flex()).expect("bundled");
    shared(&scorer);
    let images: Vec<RgbImage> = (0..4).map(|seed| textured(64, 64, seed)).collect();
    let score = |image: &RgbImage| scorer.score_single(image).expect("scores").value;
    let alone: Vec<f64> = images.iter().map(score).collect();
    let together: Vec<f64> = std::thread::scope(|scope| {
        let handles: Vec<_> = images.iter().map(|image| scope.spawn(move || score(image))).collect();
        handles.into_iter().map(|handle| handle.join().expect("no panic")).collect()
    });
    assert_eq!(alone, together);
}

#[test]
fn a_batch_goes_on_after_an_image_that_fails() {
    let scorer = Scorer::new("wadiqam_fr", &Device::flex()).expect("bundled");
    let (reference, small) = (textured(64, 64, 1), textured(20, 20, 1));
    let images = [textured(64, 64, 2), textured(64, 64, 3)];
    let inputs = [ImageInput::from(&images[0]), ImageInput::from(&small), ImageInput::from(&images[1])];
    let scores = scorer.score_batch(inputs, Some((&reference).into())).expect("a sound reference");
    for (score, image) in [(&scores[0], &images[0]), (&scores[2], &images[1])] {
        let alone = scorer.score_pair(image, &reference).expect("scores").value;
        assert_same("batch", score.as_ref().expect("scores").value, alone);
    }
    let error = scores[1].as_ref().expect_err("too small");
    assert!(error.to_string().contains("20x20"), "{error}");
    assert!(scorer.score_batch([ImageInput::from(&images[0])], None).is_err(), "a reference is needed");
}

/// The same picture as file, bytes and pixels.
#[test]
fn every_form_of_an_image_has_the_same_score() {
    let scorer = Scorer::new("wadiqam_nr", &Device::flex()).expect("bundled");
    let image = textured(70, 50, 4);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("image.png");
    image.save(&path).expect("saves");
    let bytes = std::fs::read(&path).expect("reads");
    let expected = scorer.score_single(&image).expect("scores");
    let dynamic = image::DynamicImage::from(image);
    let forms = [ImageInput::from(&path), ImageInput::from(&bytes), ImageInput::from(&dynamic)];
    for form in forms {
        assert_eq!(scorer.score_single(form).expect("scores"), expected);
    }
    let tensor = iqa_models::nn::image_to_tensor(&dynamic.into_rgb8(), &Device::flex());
    let batched = scorer.score_tensors(tensor, None).expect("scores").into_scalar::<f64>();
    assert_same("tensor", batched, expected.value);
}
