//! The image measures on tensors: scores as on pictures, gradients against piq and against central differences of the
//! definitions (`tests/fixtures/generate/measure_gradients.py`).

use burn::tensor::{Device, Tensor};
use image::{Rgb, RgbImage, imageops};
use iqa_heads::measures::{MODELS, MeasureModel};
use iqa_metrics::image::Measure;
use iqa_nn::{ModelError, QualityModel, image_to_tensor};
use iqa_testkit::generated::{distorted, pair, waves};
use iqa_testkit::{Arrays, Tolerance, assert_close, relative_error};

const DIFFERENTIABLE: [Measure; 6] =
    [Measure::Psnr, Measure::Ssim, Measure::SsimFull, Measure::MsSsim, Measure::Gmsd, Measure::Vsi];
/// As in the fixture's generator.
const FIRST: usize = 7;
const BY_PIQ: usize = 199;
const BY_DIFFERENCES: usize = 41;

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

/// Scores, and the gradient of their sum with respect to the distorted images.
fn gradient(measure: Measure, distorted: Tensor<4>, reference: Tensor<4>) -> (Vec<f32>, Vec<f32>) {
    let distorted = distorted.require_grad();
    let score = MeasureModel(measure).score_tensors(distorted.clone(), Some(reference)).expect("scores");
    let gradients = score.clone().sum().backward();
    (values(score), values(distorted.grad(&gradients).expect("a gradient")))
}

fn of_pictures(measure: Measure, distorted: &RgbImage, reference: &RgbImage) -> (f32, Vec<f32>) {
    let device = Device::flex().autodiff();
    let [d, r] = [distorted, reference].map(|image| image_to_tensor(image, &device));
    let (scores, gradient) = gradient(measure, d, r);
    (scores[0], gradient)
}

fn every(values: &[f32], parts: usize) -> Vec<f32> {
    values.iter().copied().skip(FIRST).step_by(values.len() / parts).collect()
}

/// Prints, with `--nocapture`, how far apart they are.
#[test]
fn scores_are_those_of_pictures_and_gradients_those_of_piq_and_of_the_definition() {
    let arrays = Arrays::read("measures/gradients.safetensors");
    let cases = [
        "64x48_21_noise",
        "97x83_22_blocks",
        "192x176_23_noise",
        "256x256_24_blocks",
        "201x187_25_blocks",
        "400x392_26_noise",
        "701x643_27_blocks",
    ];
    let mut compared = 0;
    for case in cases {
        let (distorted, reference) = pair(case);
        for measure in DIFFERENTIABLE {
            let key = |what: &str| format!("{case}/{measure}/{what}");
            let (piq, definition) = (key("piq"), key("definition"));
            if !arrays.contains(&piq) && !arrays.contains(&definition) {
                continue;
            }
            let (score, gradient) = of_pictures(measure, &distorted, &reference);
            let expected = measure.score(&distorted, &reference).expect("scores") as f32;
            assert_close(&key("score"), &[score], &[expected], Tolerance::FORWARD);
            if arrays.contains(&piq) {
                let (found, expected) = (every(&gradient, BY_PIQ), arrays.f32s(&piq));
                eprintln!("{piq}: {:.1e}", relative_error(&found, &expected));
                assert_close(&piq, &found, &expected, Tolerance::BACKWARD);
                compared += 1;
            }
            if arrays.contains(&definition) {
                let found = every(&gradient, BY_DIFFERENCES);
                let expected = arrays.f32s(&definition);
                eprintln!("{definition}: {:.1e}", relative_error(&found, &expected));
                assert_close(&definition, &found, &expected, Tolerance::BACKWARD);
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 26, "gradients of the fixture");
}

/// At the kinks: no difference at all, no structure, nothing salient, black and white, and values out of range.
#[test]
fn scores_and_gradients_are_finite_where_formulas_have_kinks() {
    let side = 176;
    let flat = |value| RgbImage::from_pixel(side, side, Rgb([value; 3]));
    let busy = waves(side, side, 31);
    let mut half = busy.clone();
    imageops::replace(&mut half, &RgbImage::from_pixel(side / 2, side, Rgb([255; 3])), 0, 0);
    let negative = RgbImage::from_fn(side, side, |x, y| Rgb(busy.get_pixel(x, y).0.map(|value| 255 - value)));
    let pairs = [
        (&busy, &busy),
        (&half, &half),
        (&half, &busy),
        (&flat(0), &flat(0)),
        (&flat(255), &flat(255)),
        (&flat(131), &flat(130)),
        (&flat(131), &busy),
        (&busy, &flat(131)),
        (&negative, &busy),
    ];
    for measure in DIFFERENTIABLE {
        for (index, (distorted, reference)) in pairs.into_iter().enumerate() {
            let (score, gradient) = of_pictures(measure, distorted, reference);
            assert!(gradient.iter().all(|value| value.is_finite()), "{measure}: gradient of pair {index}");
            let expected = measure.score(distorted, reference).expect("scores") as f32;
            let error = (score - expected).abs() / expected.abs().max(1.0);
            assert!(error < 1e-4, "{measure}: {score} and not {expected}, pair {index}");
            if distorted == reference {
                assert_eq!(score, expected, "{measure}: pair {index}, a picture and itself");
            }
        }
        let device = Device::flex().autodiff();
        let outside = image_to_tensor(&busy, &device) * 1.4 - 0.2;
        let (scores, gradient) = gradient(measure, outside, image_to_tensor(&busy, &device));
        assert!(scores.iter().chain(&gradient).all(|value| value.is_finite()), "{measure}: out of range");
    }
}

#[test]
fn each_image_of_a_batch_has_the_score_and_the_gradient_it_has_alone() {
    let device = Device::flex().autodiff();
    let reference = waves(200, 190, 32);
    let images = ["noise", "blocks", "colours"].map(|kind| distorted(&reference, kind));
    for measure in DIFFERENTIABLE {
        let tensors = |images: &[RgbImage]| {
            Tensor::cat(images.iter().map(|image| image_to_tensor(image, &device)).collect(), 0)
        };
        let references = vec![reference.clone(); images.len()];
        let (scores, whole) = gradient(measure, tensors(&images), tensors(&references));
        let length = whole.len() / images.len();
        for (index, image) in images.iter().enumerate() {
            let (score, alone) = of_pictures(measure, image, &reference);
            assert_close(measure.name(), &[scores[index]], &[score], Tolerance::REORDERED);
            let found = &whole[index * length..(index + 1) * length];
            assert_close(measure.name(), found, &alone, Tolerance::FORWARD);
        }
    }
}

#[test]
fn measures_without_a_form_on_tensors_say_so() {
    let tensor = || Tensor::<4>::zeros([1, 3, 180, 180], &Device::flex());
    for measure in Measure::ALL {
        let found = MeasureModel(measure).score_tensors(tensor(), Some(tensor()));
        match found {
            Ok(_) => assert!(DIFFERENTIABLE.contains(&measure), "{measure}"),
            Err(error) => {
                assert!(matches!(error, ModelError::ImagesOnly { .. }), "{error}");
                assert!(!DIFFERENTIABLE.contains(&measure), "{measure}");
            }
        }
    }
    assert!(MODELS.iter().map(|model| model.name).eq(Measure::ALL.map(Measure::name)));
}
