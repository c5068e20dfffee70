//! Losses over the scores of a batch.
//!
//! Predictions and targets are `[n]`, one value an image, higher is better in both. The functions are differentiable
//! with respect to the predictions and return `[1]`. What they need of a batch is checked by [`QualityLoss::loss`].

use burn::tensor::Tensor;
use burn::tensor::activation::{log_softmax, relu};
use serde::{Deserialize, Serialize};

use crate::TrainError;

/// Added to the norm of the scores (`lidq92/LinearityIQA`).
const NORM_EPSILON: f64 = 1e-8;
/// A batch whose deviations from the mean have a smaller norm counts as constant.
const LEAST_NORM: f64 = 1e-12;

/// Mean squared error.
pub fn mse(predictions: Tensor<1>, targets: Tensor<1>) -> Tensor<1> {
    (predictions - targets).square().mean()
}

/// Mean squared error of scores that are moved to mean 0 and divided by their norm: `(2 - 2 PLCC) / n`. Does not see
/// scale and offset of the predictions.
///
/// Source: Cong et al., CVPR Workshops 2022, equations 3 to 5, the fractions of which are printed upside down; Li et
/// al., "Norm-in-Norm Loss with Faster Convergence and Better Performance for Image Quality Assessment", ACM MM 2020.
pub fn norm_in_norm(predictions: Tensor<1>, targets: Tensor<1>) -> Tensor<1> {
    mse(normalised(predictions), normalised(targets))
}

fn normalised(scores: Tensor<1>) -> Tensor<1> {
    let centred = scores.clone() - scores.mean();
    // Inside the root too: equal scores have a norm of 0, where the gradient of the root has no value.
    let norm = (centred.clone().square().sum() + NORM_EPSILON * NORM_EPSILON).sqrt() + NORM_EPSILON;
    centred / norm
}

/// Which distribution a Kullback-Leibler divergence is taken of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KlDirection {
    /// `KL(predictions || targets)`, as the paper's equation 8 is computed.
    PredictionTarget,
    /// `KL(targets || predictions)`, as the equation is announced, and as PyTorch's `kl_div` with `softmax(targets)`.
    TargetPrediction,
}

/// List loss: the divergence between the softmax of the predictions and that of the targets over the batch. Softmax
/// sees the scale: targets belong into `[0, 1]`.
///
/// Source: Cong et al. 2022, equations 6 to 8.
pub fn list_kl(predictions: Tensor<1>, targets: Tensor<1>, direction: KlDirection) -> Tensor<1> {
    let predicted = log_softmax(predictions, 0);
    let target = log_softmax(targets, 0);
    let (of, to) = match direction {
        KlDirection::PredictionTarget => (predicted, target),
        KlDirection::TargetPrediction => (target, predicted),
    };
    (of.clone().exp() * (of - to)).sum()
}

/// `(1 - PLCC) / 2`: 0 for predictions on a rising line with the targets, 1 on a falling one.
pub fn plcc(predictions: Tensor<1>, targets: Tensor<1>) -> Tensor<1> {
    let correlation = (normalised(predictions) * normalised(targets)).sum();
    (1.0 - correlation) / 2.0
}

/// Mean hinge over the pairs of images with different targets: 0 where the better one is predicted better by `margin`.
pub fn ranking(predictions: Tensor<1>, targets: Tensor<1>, margin: f64) -> Tensor<1> {
    let [n] = predictions.dims();
    let differences = |scores: Tensor<1>| scores.clone().reshape([n, 1]) - scores.reshape([1, n]);
    let better = differences(targets).greater_scalar(0.0).float();
    let hinge = relu(margin - differences(predictions));
    (hinge * better.clone()).sum() / better.sum().clamp_min(1.0)
}

/// A weighted sum of losses; terms of weight 0 are not computed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct QualityLoss {
    /// Weight of [`mse`].
    pub mse: f64,
    /// Weight of [`norm_in_norm`].
    pub pair: f64,
    /// Weight of [`list_kl`].
    pub list: f64,
    /// Which way the list loss goes.
    pub list_direction: KlDirection,
    /// Weight of [`plcc`].
    pub plcc: f64,
    /// Weight of [`ranking`].
    pub ranking: f64,
    /// Margin of the ranking loss, in units of the score.
    pub margin: f64,
}

impl QualityLoss {
    const NOTHING: Self = Self {
        mse: 0.0,
        pair: 0.0,
        list: 0.0,
        list_direction: KlDirection::PredictionTarget,
        plcc: 0.0,
        ranking: 0.0,
        margin: 0.05,
    };

    /// GSN's: a tenth of the pair loss and a tenth of the list loss (Cong et al. 2022, equation 9).
    pub const fn gsn() -> Self {
        Self { pair: 0.1, list: 0.1, ..Self::NOTHING }
    }

    /// GSN's without its list loss: "MSE" in the paper's table 5.
    pub const fn gsn_pair() -> Self {
        Self { pair: 0.1, ..Self::NOTHING }
    }

    /// Mean squared error alone.
    pub const fn plain_mse() -> Self {
        Self { mse: 1.0, ..Self::NOTHING }
    }

    /// The weighted sum for a batch.
    ///
    /// Reads the predictions back from the device, so that a batch without a loss ends in an error and not in NaN
    /// weights: the gradient of a norm has no value at zero.
    ///
    /// # Errors
    /// [`TrainError::NonFiniteTarget`]; [`TrainError::NonFinitePrediction`]; and, where a term normalises over the
    /// batch, [`TrainError::BatchTooSmall`] for fewer than two images, [`TrainError::ConstantBatch`] when all targets
    /// or all predictions are the same.
    ///
    /// # Panics
    /// When there are not as many targets as predictions.
    pub fn loss(&self, predictions: Tensor<1>, targets: &[f64]) -> Result<Tensor<1>, TrainError> {
        assert_eq!(predictions.dims(), [targets.len()], "a target for each prediction");
        if let Some(index) = targets.iter().position(|target| !target.is_finite()) {
            return Err(TrainError::NonFiniteTarget { index, value: targets[index] });
        }
        let values: Vec<f64> = predictions.clone().into_data().iter::<f64>().collect();
        if let Some(index) = values.iter().position(|value| !value.is_finite()) {
            return Err(TrainError::NonFinitePrediction { index, value: values[index] });
        }
        if self.normalises() {
            if targets.len() < 2 {
                return Err(TrainError::BatchTooSmall { images: targets.len(), least: 2 });
            }
            for (what, values) in [("targets", targets), ("predictions", &values)] {
                if deviation_norm(values) < LEAST_NORM {
                    return Err(TrainError::ConstantBatch { what, value: values[0] });
                }
            }
        }
        let targets: Vec<f32> = targets.iter().map(|&target| target as f32).collect();
        let targets = Tensor::from_floats(targets.as_slice(), &predictions.device());
        Ok(self.sum(&predictions, &targets))
    }

    /// Whether a term is a matter of the whole batch.
    fn normalises(&self) -> bool {
        [self.pair, self.list, self.plcc, self.ranking].iter().any(|&weight| weight != 0.0)
    }

    fn sum(&self, predictions: &Tensor<1>, targets: &Tensor<1>) -> Tensor<1> {
        let mut sum = Tensor::zeros([1], &predictions.device());
        let mut add = |weight: f64, term: &dyn Fn(Tensor<1>, Tensor<1>) -> Tensor<1>| {
            if weight != 0.0 {
                sum = sum.clone() + term(predictions.clone(), targets.clone()) * weight;
            }
        };
        add(self.mse, &mse);
        add(self.pair, &norm_in_norm);
        add(self.list, &|p, t| list_kl(p, t, self.list_direction));
        add(self.plcc, &plcc);
        add(self.ranking, &|p, t| ranking(p, t, self.margin));
        sum
    }

    /// Checks a loss that was read from a file.
    ///
    /// # Errors
    /// [`TrainError::InvalidRecipe`] for a weight below zero or not finite, or no weight at all.
    pub fn validate(&self) -> Result<(), TrainError> {
        let weights = [self.mse, self.pair, self.list, self.plcc, self.ranking];
        let sound = weights.iter().all(|weight| weight.is_finite() && *weight >= 0.0);
        if !sound || weights.iter().all(|&weight| weight == 0.0) || !self.margin.is_finite() {
            return Err(TrainError::InvalidRecipe {
                field: "loss",
                found: format!("{self:?}"),
                expected: "weights of at least 0, one of them above",
            });
        }
        Ok(())
    }
}

fn deviation_norm(values: &[f64]) -> f64 {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    values.iter().map(|value| (value - mean).powi(2)).sum::<f64>().sqrt()
}
