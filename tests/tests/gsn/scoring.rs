//! Scores of images: crops, chunks, prepared references, tensors, and what is refused.

use burn::tensor::Tensor;
use image::RgbImage;
use iqa_models::heads::HeadError;
use iqa_models::heads::gsn::{FusedGsn, ScoreOptions, five_crops};
use iqa_models::nn::image_to_tensor;
use iqa_models::{Device, ScoreError};
use iqa_testkit::{Arrays, Tolerance, assert_close, textured};

use super::network::tiny;
use super::values;

/// The five crops of an image, `[5, 3, side, side]`.
pub(crate) fn five(image: &RgbImage, side: u32) -> Tensor<4> {
    let whole = image_to_tensor(image, &Device::flex());
    let side_ = side as usize;
    let crops = five_crops(image.dimensions(), side).expect("large enough");
    let cut = |at: &iqa_models::heads::gsn::CropPosition| {
        whole.clone().narrow(2, at.y as usize, side_).narrow(3, at.x as usize, side_)
    };
    Tensor::cat(crops.iter().map(cut).collect(), 0)
}

fn scorer() -> FusedGsn {
    tiny(&Device::flex()).fuse()
}

fn pair() -> (RgbImage, RgbImage) {
    (textured(61, 47, 1), textured(61, 47, 2))
}

#[test]
fn the_memory_allowed_and_a_prepared_reference_do_not_change_the_score() {
    let model = scorer();
    let (distorted, reference) = pair();
    let whole = model.score(&distorted, Some(&reference), &ScoreOptions::default()).expect("scores");
    // One crop, two, and four in a pass.
    let image = (8 + 16 + 25) * 32 * 32 * 4;
    for memory in [0, 4 * image, 8 * image] {
        let options = ScoreOptions { memory };
        let chunked = model.score(&distorted, Some(&reference), &options).expect("scores");
        let prepared = model.prepare(&reference, &options).expect("prepares");
        assert_eq!(prepared.size(), (61, 47));
        let again = model.score_prepared(&distorted, &prepared).expect("scores");
        for found in [chunked, again] {
            assert_eq!(found.crops.map(|crop| crop.position), whole.crops.map(|crop| crop.position));
            let of = |score: &iqa_models::heads::gsn::ImageScore| score.crops.map(|crop| crop.score as f32);
            assert_close("crops", &of(&found), &of(&whole), Tolerance::REORDERED);
        }
    }
}

#[test]
fn tensors_score_as_images_do_and_a_batch_as_its_images() {
    let model = scorer();
    let (a, b) = pair();
    let as_tensor = |image: &RgbImage| image_to_tensor(image, &model.device());
    let options = ScoreOptions::default();
    let expected =
        [(&a, &b), (&b, &a)].map(|(d, r)| model.score(d, Some(r), &options).expect("scores").score as f32);
    let both = |first, second| Tensor::cat(vec![as_tensor(first), as_tensor(second)], 0);
    let found = model.score_tensor(both(&a, &b), Some(both(&b, &a))).expect("scores");
    assert_close("batch", &values(found), &expected, Tolerance::REORDERED);
}

/// On an autodiff device the score is a loss; its gradient is that of PyTorch.
#[test]
fn the_score_is_differentiable_in_the_image() {
    let io = Arrays::read("gsn/tiny_io.safetensors");
    let device = Device::flex().autodiff();
    let model = tiny(&device).fuse();
    let image = |side| image_to_tensor(&io.image(&format!("images/{side}")), &device);
    let distorted = image("distorted").require_grad();
    let score = model.score_tensor(distorted.clone(), Some(image("reference"))).expect("scores");
    let gradients = score.mean().backward();
    let found = values(distorted.grad(&gradients).expect("a gradient"));
    assert_close("grad_distorted", &found, &io.f32s("default/grad_distorted"), Tolerance::BACKWARD);
}

#[test]
fn what_cannot_be_scored_is_told() {
    let model = scorer();
    let options = ScoreOptions::default();
    let (distorted, reference) = pair();
    assert!(matches!(
        model.score(&distorted, None, &options),
        Err(HeadError::Score(ScoreError::ReferenceMissing))
    ));
    let other = textured(61, 48, 3);
    assert!(matches!(
        model.score(&distorted, Some(&other), &options),
        Err(HeadError::Score(ScoreError::SizeMismatch { distorted: (61, 47), reference: (61, 48) }))
    ));
    let prepared = model.prepare(&reference, &options).expect("prepares");
    assert!(matches!(
        model.score_prepared(&other, &prepared),
        Err(HeadError::Score(ScoreError::SizeMismatch { .. }))
    ));
    let small = textured(31, 64, 4);
    let told = ScoreError::TooSmall { size: (31, 64), minimum: (32, 32) }.to_string();
    let errors = [
        model.score(&small, Some(&small), &options).map(|_| ()),
        model.prepare(&small, &options).map(|_| ()),
        model
            .score_tensor(Tensor::zeros([1, 3, 64, 31], &model.device()), {
                Some(Tensor::zeros([1, 3, 64, 31], &model.device()))
            })
            .map(|_| ()),
    ];
    for error in errors {
        assert_eq!(error.expect_err("too small").to_string(), told);
    }
    let grey = Tensor::zeros([1, 1, 40, 40], &model.device());
    assert!(matches!(
        model.score_tensor(grey.clone(), Some(grey)),
        Err(HeadError::Score(ScoreError::TensorShape { .. }))
    ));
}
