//! The losses: goldens, PyTorch's values and gradients, and batches without a loss.

use burn::tensor::Tensor;
use iqa_models::Device;
use iqa_models::train::losses::{list_kl, mae, mse, norm_in_norm, norm_in_norm_of_order, plcc, ranking};
use iqa_models::train::{KlDirection, QualityLoss, Term, TrainError};
use iqa_testkit::Arrays;

use super::{json, tensor, values};

type Loss = fn(Tensor<1>, Tensor<1>) -> Tensor<1>;

fn sum_of_gsn(predictions: Tensor<1>, targets: Tensor<1>) -> Tensor<1> {
    let targets: Vec<f64> = targets.into_data().iter::<f64>().collect();
    QualityLoss::gsn().loss(predictions, &targets).expect("a loss")
}

const LOSSES: [(&str, Loss); 10] = [
    ("norm_in_norm", norm_in_norm),
    ("kl_prediction_target", |p, t| list_kl(p, t, KlDirection::PredictionTarget)),
    ("kl_target_prediction", |p, t| list_kl(p, t, KlDirection::TargetPrediction)),
    ("gsn", sum_of_gsn),
    ("plcc", plcc),
    ("ranking", |p, t| ranking(p, t, 0.05)),
    ("mse", mse),
    ("mae", mae),
    ("norm_in_norm_1", |p, t| norm_in_norm_of_order(p, t, 1.0)),
    ("norm_in_norm_3", |p, t| norm_in_norm_of_order(p, t, 3.0)),
];

/// Within 1e-6: a divergence is a small difference of terms around 1.
fn assert_near(what: &str, found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-6, "{what}: {found} for {expected}");
    }
}

#[test]
fn goldens() {
    let expected = &json()["goldens"]["losses"];
    let device = Device::flex();
    for (name, loss) in LOSSES {
        let predictions = Tensor::from_floats([0.55, 0.40, 0.62, 0.30], &device);
        let targets = Tensor::from_floats([0.694, 0.505, 0.60, 0.25], &device);
        let found = f64::from(values(loss(predictions, targets))[0]);
        let expected = expected[name].as_f64().expect("a number");
        assert!((found - expected).abs() < 1e-7, "{name}: {found} for {expected}");
    }
    // As the specification of the losses prints them.
    assert!((expected["norm_in_norm"].as_f64().expect("a number") - 0.060_780_135_0).abs() < 1e-9);
    assert!((expected["gsn"].as_f64().expect("a number") - 0.006_407_227_9).abs() < 1e-9);
}

#[test]
fn values_and_gradients_agree_with_pytorch() {
    let arrays = Arrays::read("gsn/operations.safetensors");
    let device = Device::flex().autodiff();
    for (name, loss) in LOSSES {
        let predictions: Tensor<1> = tensor(&arrays, "losses/predictions", &device).require_grad();
        let value = loss(predictions.clone(), tensor(&arrays, "losses/targets", &device));
        let key = format!("losses/{name}");
        assert_near(&key, &values(value.clone()), &arrays.f32s(&key));
        let gradients = value.backward();
        let found = values(predictions.grad(&gradients).expect("a gradient"));
        let key = format!("{key}/grad");
        assert_near(&key, &found, &arrays.f32s(&key));
    }
}

/// Away from the kinks of hinges and absolute values.
#[test]
fn gradients_agree_with_finite_differences() {
    const STEP: f32 = 1e-3;
    let device = Device::flex();
    let at = |predictions: [f32; 4], device: &Device| Tensor::<1>::from_floats(predictions, device);
    let (predictions, targets) = ([0.55, 0.40, 0.62, 0.30], [0.694, 0.505, 0.60, 0.25]);
    for (name, loss) in LOSSES {
        let autodiff = Device::flex().autodiff();
        let variable = at(predictions, &autodiff).require_grad();
        let gradients = loss(variable.clone(), at(targets, &autodiff)).backward();
        let found = values(variable.grad(&gradients).expect("a gradient"));
        for (place, found) in found.into_iter().enumerate() {
            let [above, below] = [STEP, -STEP].map(|step| {
                let mut moved = predictions;
                moved[place] += step;
                values(loss(at(moved, &device), at(targets, &device)))[0]
            });
            let expected = (above - below) / (2.0 * STEP);
            assert!((found - expected).abs() < 1e-3, "{name} {place}: {found} for {expected}");
        }
    }
}

#[test]
fn the_pair_loss_sees_neither_scale_nor_offset_and_the_list_loss_is_a_divergence() {
    let device = Device::flex();
    let tensor = |values: [f32; 5]| Tensor::<1>::from_floats(values, &device);
    let (predictions, targets) = (tensor([0.1, 0.7, 0.4, 0.5, 0.2]), tensor([0.2, 0.9, 0.3, 0.8, 0.1]));
    let loss = |predictions| values(norm_in_norm(predictions, targets.clone()))[0];
    assert!((loss(predictions.clone()) - loss(predictions.clone() * 3.0 + 7.0)).abs() < 1e-6);
    for direction in [KlDirection::PredictionTarget, KlDirection::TargetPrediction] {
        assert!(values(list_kl(predictions.clone(), targets.clone(), direction))[0] > 0.0);
        assert!(values(list_kl(targets.clone(), targets.clone(), direction))[0].abs() < 1e-7);
    }
}

#[test]
fn a_batch_without_a_loss_is_an_error() {
    let device = Device::flex();
    let loss = |kind: &QualityLoss, predictions: &[f32], targets: &[f64]| {
        kind.loss(Tensor::from_floats(predictions, &device), targets)
    };
    for kind in [QualityLoss::gsn(), QualityLoss::gsn_pair()] {
        assert!(matches!(
            loss(&kind, &[0.5], &[0.5]),
            Err(TrainError::BatchTooSmall { images: 1, least: 2 })
        ));
        assert!(matches!(
            loss(&kind, &[0.1, 0.2], &[0.5, 0.5]),
            Err(TrainError::ConstantBatch { what: "targets", .. })
        ));
        assert!(matches!(
            loss(&kind, &[0.3, 0.3], &[0.1, 0.5]),
            Err(TrainError::ConstantBatch { what: "predictions", .. })
        ));
    }
    for kind in [QualityLoss::gsn(), QualityLoss::of(Term::Mse)] {
        assert!(matches!(
            loss(&kind, &[0.1, 0.2], &[0.5, f64::NAN]),
            Err(TrainError::NonFiniteTarget { index: 1, .. })
        ));
        assert!(matches!(
            loss(&kind, &[f32::INFINITY, 0.2], &[0.5, 0.6]),
            Err(TrainError::NonFinitePrediction { index: 0, .. })
        ));
    }
    // A mean over images has a value for any batch.
    for term in [Term::Mse, Term::Mae] {
        assert!(loss(&QualityLoss::of(term), &[0.5], &[0.25]).is_ok());
    }
    for (weight, term) in
        [(0.0, Term::Mse), (f64::NAN, Term::Plcc), (1.0, Term::Ranking { margin: f64::NAN })]
    {
        assert!(QualityLoss::of(Term::Mae).with(weight, term).validate().is_err(), "{weight} {term:?}");
    }
    assert!(QualityLoss::gsn().validate().is_ok());
}
