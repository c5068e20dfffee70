use levenberg_marquardt::{LeastSquaresProblem, LevenbergMarquardt};
use nalgebra::{DVector, Dyn, OMatrix, Owned, U1};

use super::correlation::{check, plcc};
use crate::MetricsError;

/// The logistic curves in use before PLCC and RMSE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogisticKind {
    /// `(b1 - b2) / (1 + exp(-(x - b3) / |b4|)) + b2` (VQEG, FRTV Phase I, 2000).
    FourParameter,
    /// `b1 (1/2 - 1 / (1 + exp(b2 (x - b3)))) + b4 x + b5` (Sheikh et al., IEEE TIP 15(11), 2006).
    FiveParameter,
}

/// A logistic curve fitted to scores by least squares (Levenberg-Marquardt).
///
/// ```
/// use iqa_metrics::agreement::{LogisticFit, LogisticKind};
/// let x: Vec<f64> = (0..40).map(|i| f64::from(i) / 10.0).collect();
/// let y: Vec<f64> = x.iter().map(|x| 80.0 / (1.0 + (-(x - 2.0) / 0.4f64).exp()) + 10.0).collect();
/// let fit = LogisticFit::new(LogisticKind::FourParameter, &x, &y)?;
/// assert!((fit.predict(2.0) - 50.0).abs() < 1e-4);
/// # Ok::<(), iqa_metrics::MetricsError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct LogisticFit {
    kind: LogisticKind,
    /// For the standardised predictor `(x - centre) / scale`.
    parameters: Vec<f64>,
    centre: f64,
    scale: f64,
}

impl LogisticFit {
    /// Fits a curve that maps predictions to subjective scores.
    ///
    /// # Errors
    /// As [`plcc`], with as many pairs needed as the curve has parameters and one; [`MetricsError::NotConverged`].
    pub fn new(kind: LogisticKind, predicted: &[f64], subjective: &[f64]) -> Result<Self, MetricsError> {
        let count = match kind {
            LogisticKind::FourParameter => 4,
            LogisticKind::FiveParameter => 5,
        };
        check(predicted, subjective, count + 1)?;
        let sign = plcc(predicted, subjective)?.signum();
        let n = predicted.len() as f64;
        let centre = predicted.iter().sum::<f64>() / n;
        let scale = (predicted.iter().map(|x| (x - centre).powi(2)).sum::<f64>() / n).sqrt();
        let x: Vec<f64> = predicted.iter().map(|x| (x - centre) / scale).collect();
        let low = subjective.iter().copied().fold(f64::INFINITY, f64::min);
        let high = subjective.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let mean = subjective.iter().sum::<f64>() / n;
        // A steep and a gentle start: the better end is kept, as the surface has more than one valley.
        let starts: Vec<Vec<f64>> = [1.0, 4.0]
            .into_iter()
            .map(|steepness| match kind {
                LogisticKind::FourParameter => {
                    let (end, start) = if sign < 0.0 { (low, high) } else { (high, low) };
                    vec![end, start, 0.0, 1.0 / steepness]
                }
                LogisticKind::FiveParameter => vec![sign * (high - low), steepness, 0.0, 0.0, mean],
            })
            .collect();
        let solver = LevenbergMarquardt::new().with_patience(400);
        let mut best: Option<(f64, DVector<f64>)> = None;
        let mut evaluations = 0;
        for start in starts {
            let problem = Problem { kind, x: &x, y: subjective, p: DVector::from_vec(start) };
            let (solved, report) = solver.minimize(problem);
            evaluations += report.number_of_evaluations;
            let finite = report.objective_function.is_finite() && solved.p.iter().all(|p| p.is_finite());
            let better = best.as_ref().is_none_or(|(objective, _)| report.objective_function < *objective);
            if report.termination.was_successful() && finite && better {
                best = Some((report.objective_function, solved.p));
            }
        }
        match best {
            Some((_, p)) => Ok(Self { kind, parameters: p.as_slice().to_vec(), centre, scale }),
            None => Err(MetricsError::NotConverged { evaluations }),
        }
    }

    /// The curve at a prediction, in the units of the subjective scores.
    pub fn predict(&self, score: f64) -> f64 {
        curve(self.kind, &self.parameters, (score - self.centre) / self.scale)
    }

    /// The parameters `b1, b2, ...` of the formula in [`LogisticKind`], in the units of the predictions.
    pub fn parameters(&self) -> Vec<f64> {
        let p = &self.parameters;
        match self.kind {
            LogisticKind::FourParameter => {
                vec![p[0], p[1], p[2] * self.scale + self.centre, p[3].abs() * self.scale]
            }
            LogisticKind::FiveParameter => vec![
                p[0],
                p[1] / self.scale,
                p[2] * self.scale + self.centre,
                p[3] / self.scale,
                p[4] - p[3] * self.centre / self.scale,
            ],
        }
    }
}

/// `1 / (1 + exp(-z))`; no overflow at either end.
fn logistic(z: f64) -> f64 {
    if z >= 0.0 { 1.0 / (1.0 + (-z).exp()) } else { z.exp() / (1.0 + z.exp()) }
}

fn curve(kind: LogisticKind, p: &[f64], x: f64) -> f64 {
    match kind {
        LogisticKind::FourParameter => (p[0] - p[1]) * logistic((x - p[2]) / p[3].abs()) + p[1],
        // 1/2 - 1/(1 + exp(z)) is logistic(z) - 1/2.
        LogisticKind::FiveParameter => p[0] * (logistic(p[1] * (x - p[2])) - 0.5) + p[3] * x + p[4],
    }
}

struct Problem<'a> {
    kind: LogisticKind,
    x: &'a [f64],
    y: &'a [f64],
    p: DVector<f64>,
}

impl LeastSquaresProblem<f64, Dyn, Dyn> for Problem<'_> {
    type ResidualStorage = Owned<f64, Dyn, U1>;
    type JacobianStorage = Owned<f64, Dyn, Dyn>;
    type ParameterStorage = Owned<f64, Dyn, U1>;

    fn set_params(&mut self, p: &DVector<f64>) {
        self.p.copy_from(p);
    }

    fn params(&self) -> DVector<f64> {
        self.p.clone()
    }

    fn residuals(&self) -> Option<DVector<f64>> {
        let p = self.p.as_slice();
        Some(DVector::from_iterator(
            self.x.len(),
            self.x.iter().zip(self.y).map(|(&x, &y)| curve(self.kind, p, x) - y),
        ))
    }

    fn jacobian(&self) -> Option<OMatrix<f64, Dyn, Dyn>> {
        let p = self.p.as_slice();
        let mut jacobian = OMatrix::<f64, Dyn, Dyn>::zeros(self.x.len(), p.len());
        for (row, &x) in self.x.iter().enumerate() {
            let derivatives: [f64; 5] = match self.kind {
                LogisticKind::FourParameter => {
                    let width = p[3].abs();
                    let z = (x - p[2]) / width;
                    let s = logistic(z);
                    let slope = (p[0] - p[1]) * s * (1.0 - s);
                    [s, 1.0 - s, -slope / width, -slope * z / width * p[3].signum(), 0.0]
                }
                LogisticKind::FiveParameter => {
                    let s = logistic(p[1] * (x - p[2]));
                    let slope = p[0] * s * (1.0 - s);
                    [s - 0.5, slope * (x - p[2]), -slope * p[1], x, 1.0]
                }
            };
            for (column, derivative) in derivatives.into_iter().take(p.len()).enumerate() {
                jacobian[(row, column)] = derivative;
            }
        }
        Some(jacobian)
    }
}
