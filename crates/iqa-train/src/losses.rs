//! Losses over the scores of a batch, as terms that any recipe takes.
//!
//! Predictions and targets are `[n]`, one value an image, on the same scale. The functions are differentiable with respect
//! to the predictions and return `[1]`. What they need of a batch is checked by [`QualityLoss::loss`].
//!
//! A new term is a variant of [`Term`] and an arm of its one `match`.

use burn::tensor::activation::{log_softmax, relu};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::error::TrainError;

/// Added to the norm of the scores (`lidq92/LinearityIQA`).
const NORM_EPSILON: f64 = 1e-8;
/// A batch whose deviations from the mean have a smaller norm counts as constant.
const LEAST_NORM: f64 = 1e-12;

/// The highest order of a norm: of higher ones powers of 32-bit floats leave nothing.
pub const MAX_ORDER: f64 = 8.0;

/// Mean squared error.
pub fn mse(predictions: Tensor<1>, targets: Tensor<1>) -> Tensor<1> {
    (predictions - targets).square().mean()
}

/// Mean absolute error.
pub fn mae(predictions: Tensor<1>, targets: Tensor<1>) -> Tensor<1> {
    (predictions - targets).abs().mean()
}

/// Mean squared error of scores that are moved to mean 0 and divided by their norm: `(2 - 2 PLCC) / n`. Does not see
/// scale and offset of the predictions.
///
/// Source: Cong et al., CVPR Workshops 2022, equations 3 to 5, the fractions of which are printed upside down; Li et
/// al., "Norm-in-Norm Loss with Faster Convergence and Better Performance for Image Quality Assessment", ACM MM 2020.
pub fn norm_in_norm(predictions: Tensor<1>, targets: Tensor<1>) -> Tensor<1> {
    mse(normalised(predictions), normalised(targets))
}

/// [`norm_in_norm`] with the norm of any order `q` from 1 on, `(sum |x|^q)^(1/q)`, in place of the second; the paper's
/// equation 3 leaves it open.
pub fn norm_in_norm_of_order(predictions: Tensor<1>, targets: Tensor<1>, q: f64) -> Tensor<1> {
    let normalised = |scores: Tensor<1>| {
        let centred = scores.clone() - scores.mean();
        // Of a power below 2 the gradient has no value at 0.
        let sizes = (centred.clone().square() + NORM_EPSILON * NORM_EPSILON).sqrt();
        centred / (sizes.powf_scalar(q).sum().powf_scalar(1.0 / q) + NORM_EPSILON)
    };
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

/// A part of a loss.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Term {
    /// [`mse`].
    Mse,
    /// [`mae`].
    Mae,
    /// [`norm_in_norm`].
    NormInNorm,
    /// [`norm_in_norm_of_order`].
    NormInNormOfOrder {
        /// 1 or more.
        q: f64,
    },
    /// [`list_kl`].
    ListKl(KlDirection),
    /// [`plcc`].
    Plcc,
    /// [`ranking`].
    Ranking {
        /// In units of the score.
        margin: f64,
    },
}

/// What a term looks at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Over {
    /// Each image by itself; the term is the mean.
    Images,
    /// The images of a batch beside each other.
    Batch,
}

type Function = Box<dyn Fn(Tensor<1>, Tensor<1>) -> Tensor<1>>;

impl Term {
    fn function(self) -> (Over, Function) {
        match self {
            Self::Mse => (Over::Images, Box::new(mse)),
            Self::Mae => (Over::Images, Box::new(mae)),
            Self::NormInNorm => (Over::Batch, Box::new(norm_in_norm)),
            Self::NormInNormOfOrder { q } => {
                (Over::Batch, Box::new(move |p, t| norm_in_norm_of_order(p, t, q)))
            }
            Self::ListKl(direction) => (Over::Batch, Box::new(move |p, t| list_kl(p, t, direction))),
            Self::Plcc => (Over::Batch, Box::new(plcc)),
            Self::Ranking { margin } => (Over::Batch, Box::new(move |p, t| ranking(p, t, margin))),
        }
    }

    fn is_over(self, over: Over) -> bool {
        self.function().0 == over
    }
}

/// A term with its weight.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct WeightedTerm {
    /// Above 0.
    pub weight: f64,
    /// The term.
    pub term: Term,
}

/// A weighted sum of terms.
///
/// ```
/// use iqa_train::losses::{QualityLoss, Term};
/// let loss = QualityLoss::of(Term::Mae).with(0.1, Term::Plcc);
/// assert_eq!(
///     serde_json::to_string(&loss)?,
///     r#"[{"weight":1.0,"term":"mae"},{"weight":0.1,"term":"plcc"}]"#
/// );
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "Form")]
pub struct QualityLoss(Vec<WeightedTerm>);

/// What a loss was and is written as.
#[derive(Deserialize)]
#[serde(untagged)]
enum Form {
    Terms(Vec<WeightedTerm>),
    /// Of earlier versions: a weight for each term there was, 0 for none.
    Weights {
        mse: f64,
        pair: f64,
        list: f64,
        list_direction: KlDirection,
        plcc: f64,
        ranking: f64,
        margin: f64,
    },
}

impl From<Form> for QualityLoss {
    fn from(form: Form) -> Self {
        match form {
            Form::Terms(terms) => Self(terms),
            Form::Weights { mse, pair, list, list_direction, plcc, ranking, margin } => {
                let terms = [
                    (mse, Term::Mse),
                    (pair, Term::NormInNorm),
                    (list, Term::ListKl(list_direction)),
                    (plcc, Term::Plcc),
                    (ranking, Term::Ranking { margin }),
                ];
                let terms = terms.into_iter().filter(|&(weight, _)| weight != 0.0);
                Self(terms.map(|(weight, term)| WeightedTerm { weight, term }).collect())
            }
        }
    }
}

impl QualityLoss {
    /// One term of weight 1.
    pub fn of(term: Term) -> Self {
        Self(Vec::new()).with(1.0, term)
    }

    /// One term more.
    #[must_use]
    pub fn with(mut self, weight: f64, term: Term) -> Self {
        self.0.push(WeightedTerm { weight, term });
        self
    }

    /// GSN's: a tenth of the pair loss and a tenth of the list loss (Cong et al. 2022, equation 9).
    pub fn gsn() -> Self {
        Self::gsn_pair().with(0.1, Term::ListKl(KlDirection::PredictionTarget))
    }

    /// GSN's without its list loss: "MSE" in the paper's table 5.
    pub fn gsn_pair() -> Self {
        Self(Vec::new()).with(0.1, Term::NormInNorm)
    }

    /// The same with the norm of the pair loss of another order; `None` without a pair loss.
    pub fn with_order(mut self, q: f64) -> Option<Self> {
        let mut pairs = self
            .0
            .iter_mut()
            .filter(|weighted| matches!(weighted.term, Term::NormInNorm | Term::NormInNormOfOrder { .. }));
        let term = if q == 2.0 { Term::NormInNorm } else { Term::NormInNormOfOrder { q } };
        pairs.next()?.term = term;
        pairs.for_each(|weighted| weighted.term = term);
        Some(self)
    }

    /// Its terms, in the order in which they are summed.
    pub fn terms(&self) -> &[WeightedTerm] {
        &self.0
    }

    /// The weighted sum for a batch.
    ///
    /// Reads the predictions back from the device, so that a batch without a loss ends in an error and not in NaN
    /// weights: the gradient of a norm has no value at zero.
    ///
    /// # Errors
    /// [`TrainError::NonFiniteTarget`]; [`TrainError::NonFinitePrediction`]; and, where a term looks at the batch as a
    /// whole, [`TrainError::BatchTooSmall`] for fewer than two images, [`TrainError::ConstantBatch`] when all targets
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
        if self.compares() {
            if targets.len() < 2 {
                return Err(TrainError::BatchTooSmall { images: targets.len(), least: 2 });
            }
            for (what, values) in [("targets", targets), ("predictions", &values)] {
                if deviation_norm(values) < LEAST_NORM {
                    return Err(TrainError::ConstantBatch { what, value: values[0] });
                }
            }
        }
        let targets = to_tensor(targets, &predictions.device());
        Ok(self.sum(&predictions, &targets))
    }

    /// Whether a term looks at the images of a batch beside each other: there must be two then.
    pub fn compares(&self) -> bool {
        self.0.iter().any(|weighted| weighted.term.is_over(Over::Batch))
    }

    /// Whether scores at another offset have the same loss: no term compares a score with its label.
    pub fn has_free_scale(&self) -> bool {
        !self.0.iter().any(|weighted| weighted.term.is_over(Over::Images))
    }

    /// The terms of each image by itself, and those that compare the images of a batch.
    pub(crate) fn parts(&self) -> [Self; 2] {
        [Over::Images, Over::Batch]
            .map(|over| Self(self.0.iter().copied().filter(|weighted| weighted.term.is_over(over)).collect()))
    }

    /// The weighted sum, whatever the batch.
    pub(crate) fn sum(&self, predictions: &Tensor<1>, targets: &Tensor<1>) -> Tensor<1> {
        let nothing = Tensor::zeros([1], &predictions.device());
        self.0.iter().fold(nothing, |sum, WeightedTerm { weight, term }| {
            let (_, function) = term.function();
            sum + function(predictions.clone(), targets.clone()) * *weight
        })
    }

    /// Checks a loss that was read from a file.
    ///
    /// # Errors
    /// [`TrainError::InvalidRecipe`] without terms, for a weight that is not above 0, a margin that is not finite, or an order
    /// that is not from 1 to 8.
    pub fn validate(&self) -> Result<(), TrainError> {
        let sound = |weighted: &WeightedTerm| {
            let sound = match weighted.term {
                Term::Ranking { margin } => margin.is_finite(),
                Term::NormInNormOfOrder { q } => (1.0..=MAX_ORDER).contains(&q),
                _ => true,
            };
            sound && weighted.weight > 0.0 && weighted.weight.is_finite()
        };
        if !self.0.is_empty() && self.0.iter().all(sound) {
            return Ok(());
        }
        Err(TrainError::InvalidRecipe {
            field: "loss",
            found: format!("{:?}", self.0),
            expected: "terms, each of a weight above 0; margins that are finite, orders from 1 to 8",
        })
    }
}

/// Labels on a device.
pub(crate) fn to_tensor(targets: &[f64], device: &Device) -> Tensor<1> {
    let targets: Vec<f32> = targets.iter().map(|&target| target as f32).collect();
    Tensor::from_floats(targets.as_slice(), device)
}

fn deviation_norm(values: &[f64]) -> f64 {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    values.iter().map(|value| (value - mean).powi(2)).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_of_an_earlier_version_is_read() {
        let earlier = r#"{"mse":1.0,"pair":0.1,"list":0.1,"list_direction":"target_prediction","plcc":0.0,
                          "ranking":0.5,"margin":0.05}"#;
        let found: QualityLoss = serde_json::from_str(earlier).expect("reads");
        let expected = QualityLoss::of(Term::Mse)
            .with(0.1, Term::NormInNorm)
            .with(0.1, Term::ListKl(KlDirection::TargetPrediction))
            .with(0.5, Term::Ranking { margin: 0.05 });
        assert_eq!(found, expected);
        let text = serde_json::to_string(&found).expect("writes");
        assert_eq!(serde_json::from_str::<QualityLoss>(&text).expect("reads"), expected, "{text}");
        assert!(serde_json::from_str::<QualityLoss>(r#"[{"weight":1.0,"term":"nothing"}]"#).is_err());
    }
}
