use levenberg_marquardt::{LeastSquaresProblem, LevenbergMarquardt};
use nalgebra::{DVector, Dyn, OMatrix, Owned, U1, U2, Vector2};

use super::correlation::{check, plcc};
use crate::MetricsError;

/// The logistic curves in use before PLCC and RMSE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogisticKind {
    /// `(b1 - b2) / (1 + exp(-(x - b3) / |b4|)) + b2` (VQEG, FRTV Phase I, 2000).
    FourParameter,
    /// `b1 (1/2 - 1 / (1 + exp(b2 (x - b3)))) + b4 x + b5` (Sheikh et al., IEEE TIP 15(11), 2006).
    FiveParameter,
    /// `b1 x + b2`: no logistic curve, but what predictions of two or three distinct values can carry.
    Line,
}

impl LogisticKind {
    /// Number of its parameters.
    pub fn parameters(self) -> usize {
        match self {
            Self::FiveParameter => 5,
            Self::FourParameter => 4,
            Self::Line => 2,
        }
    }

    /// This curve and those with fewer parameters, the fewest last.
    fn and_simpler(self) -> impl Iterator<Item = Self> {
        let all = [Self::FiveParameter, Self::FourParameter, Self::Line];
        all.into_iter().filter(move |kind| kind.parameters() <= self.parameters())
    }
}

/// A logistic curve fitted to scores by least squares.
///
/// Both curves are linear in all but two parameters, place and steepness of the bend. Those two are searched by
/// Levenberg and Marquardt's method, from a few starts; the others follow from them (variable projection: Golub and
/// Pereyra 1973, with Kaufman's derivatives of 1975). So a fit also ends where the best curve is a limit, as on scores
/// that agree nearly linearly: there the curve of five parameters tends to a cubic, `b1` growing without bound while
/// `b2` goes to 0. The search stops at `b2 = 0.001` over the standard deviation of the predictions.
///
/// A curve needs as many distinct predictions as it has parameters: with fewer, infinitely many fit equally well, and
/// nothing holds them between the points. Then the curve of the next fewer parameters takes its place, in the end a
/// line; so it does where a search fails. [`Self::kind`] says which it is. No fit ends with a root mean squared error
/// above the standard deviation of the subjective scores, which is that of their mean.
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
    bend: Bend,
    /// Factors of the bend, of the predictor, and the constant; for the standardised predictor, in units of `height`.
    factors: [f64; 3],
    /// Units of predictions and subjective scores, so that large ones do not overflow; `centre` and `scale` are in the
    /// first.
    width: f64,
    height: f64,
    centre: f64,
    scale: f64,
}

/// Place and steepness, for the standardised predictor `(x - centre) / scale`.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Bend {
    place: f64,
    steepness: f64,
}

/// What rounding may add to the squared errors of a curve that explains nothing.
const ROUNDING: f64 = 1e-12;
/// Bounds of the steepness: a straight line to the eye, and a step.
const STEEPNESS: [f64; 2] = [1e-3, 1e4];
/// Where the search starts, in the middle of the predictions: a gentle and a steep bend, as the surface has more than
/// one valley. More starts would find steps that fit the noise, which the curves of the papers do not.
const STARTS: [f64; 2] = [1.0, 4.0];

impl LogisticFit {
    /// Fits a curve that maps predictions to subjective scores.
    ///
    /// # Errors
    /// As [`plcc`], with as many pairs needed as the curve has parameters and one; [`MetricsError::NotConverged`].
    pub fn new(kind: LogisticKind, predicted: &[f64], subjective: &[f64]) -> Result<Self, MetricsError> {
        check(predicted, subjective, kind.parameters() + 1)?;
        // Lists without spread have no fit.
        plcc(predicted, subjective)?;
        let (width, height) = (unit(predicted), unit(subjective));
        let n = predicted.len() as f64;
        let values = || predicted.iter().map(|x| x / width);
        let centre = values().sum::<f64>() / n;
        let scale = (values().map(|x| (x - centre).powi(2)).sum::<f64>() / n).sqrt();
        let x = DVector::from_iterator(predicted.len(), values().map(|x| (x - centre) / scale));
        let y = DVector::from_iterator(subjective.len(), subjective.iter().map(|y| y / height));

        let distinct = distinct(predicted);
        let most = y.add_scalar(-y.mean()).norm_squared() * (1.0 + ROUNDING);
        kind.and_simpler()
            .filter(|kind| kind.parameters() <= distinct)
            .filter_map(|kind| fitted(kind, &x, &y))
            .map(|(kind, bend, factors)| Self { kind, bend, factors, width, height, centre, scale })
            .find(|fit| x.zip_fold(&y, 0.0, |sum, x, y| sum + (fit.at(x) - y).powi(2)) <= most)
            .ok_or(MetricsError::NotConverged { starts: STARTS.len() })
    }

    /// The curve that was fitted: the one asked for, or one with fewer parameters where the predictions have too few
    /// distinct values.
    pub fn kind(&self) -> LogisticKind {
        self.kind
    }

    /// The curve over the standardised predictor.
    fn at(&self, x: f64) -> f64 {
        let [bend, line, constant] = self.factors;
        bend * self.bend.at(x) + line * x + constant
    }

    /// The curve at a prediction, in the units of the subjective scores.
    pub fn predict(&self, score: f64) -> f64 {
        self.height * self.at((score / self.width - self.centre) / self.scale)
    }

    /// The parameters `b1, b2, ...` of the formula of [`Self::kind`], in the units of the predictions.
    pub fn parameters(&self) -> Vec<f64> {
        let [bend, line, constant] = self.factors;
        let (width, height) = (self.width, self.height);
        let place = (self.bend.place * self.scale + self.centre) * width;
        let start = constant + bend * self.bend.start();
        let slope = line / self.scale;
        match self.kind {
            LogisticKind::FourParameter => {
                vec![(start + bend) * height, start * height, place, self.scale / self.bend.steepness * width]
            }
            LogisticKind::FiveParameter => {
                let constant = start + bend / 2.0 - slope * self.centre;
                vec![
                    bend * height,
                    self.bend.steepness / self.scale / width,
                    place,
                    slope * height / width,
                    constant * height,
                ]
            }
            LogisticKind::Line => {
                vec![slope * height / width, (constant - slope * self.centre) * height]
            }
        }
    }
}

/// A power of two, by which division is exact, not far below the largest magnitude.
fn unit(values: &[f64]) -> f64 {
    let largest = values.iter().fold(0.0f64, |largest, value| largest.max(value.abs()));
    largest.log2().floor().clamp(-1000.0, 1000.0).exp2()
}

/// Number of distinct values.
fn distinct(values: &[f64]) -> usize {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    1 + sorted.windows(2).filter(|pair| pair[0] < pair[1]).count()
}

/// The best curve of a kind that is found, for standardised predictions.
fn fitted(kind: LogisticKind, x: &DVector<f64>, y: &DVector<f64>) -> Option<(LogisticKind, Bend, [f64; 3])> {
    let mut starts = STARTS.map(|steepness| Bend { place: 0.0, steepness }).to_vec();
    match kind {
        LogisticKind::Line => {
            let slope = x.dot(y) / x.norm_squared();
            return Some((kind, starts[0], [0.0, slope, y.mean() - slope * x.mean()]));
        }
        LogisticKind::FourParameter => {}
        // The curve of four parameters is one of five: never worse than that.
        LogisticKind::FiveParameter => starts.extend(search(LogisticKind::FourParameter, x, y, &starts)),
    }
    let bend = search(kind, x, y, &starts)?;
    Some((kind, bend, Problem::new(kind, x, y, bend).factors()))
}

impl Bend {
    /// `1 / (1 + exp(-z))` at `z = steepness (x - place)`, less 1 where the bend is on the left: it is then small at the
    /// other predictions, and keeps its digits however far away it is. No overflow at either end.
    fn at(self, x: f64) -> f64 {
        let z = self.steepness * (x - self.place);
        if self.place > 0.0 { logistic(z) } else { -logistic(-z) }
    }

    /// The value far to the left.
    fn start(self) -> f64 {
        if self.place > 0.0 { 0.0 } else { -1.0 }
    }

    /// Derivatives with respect to the place and to the logarithm of the steepness.
    fn derivatives(self, x: f64) -> [f64; 2] {
        let z = self.steepness * (x - self.place);
        let slope = logistic(z) * logistic(-z);
        [-slope * self.steepness, slope * z]
    }
}

/// `1 / (1 + exp(-z))`; no overflow at either end.
fn logistic(z: f64) -> f64 {
    if z >= 0.0 { 1.0 / (1.0 + (-z).exp()) } else { z.exp() / (1.0 + z.exp()) }
}

/// The bend with the least squared errors that a search from one of the starts ends at.
fn search(kind: LogisticKind, x: &DVector<f64>, y: &DVector<f64>, starts: &[Bend]) -> Option<Bend> {
    let solver = LevenbergMarquardt::new().with_patience(400);
    let ends = starts.iter().filter_map(|&start| {
        let (solved, report) = solver.minimize(Problem::new(kind, x, y, start));
        let error = solved.errors.norm_squared();
        (report.termination.was_successful() && error.is_finite()).then_some((error, solved.bend))
    });
    ends.min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, bend)| bend)
}

/// Errors of the best curve with a given bend, as a function of the bend.
struct Problem<'a> {
    kind: LogisticKind,
    x: &'a DVector<f64>,
    y: &'a DVector<f64>,
    bend: Bend,
    /// What of the bend is neither line nor constant, scaled to unit length.
    direction: DVector<f64>,
    /// Factor of the bend in the best curve.
    factor: f64,
    /// `y` less the best curve.
    errors: DVector<f64>,
}

impl<'a> Problem<'a> {
    fn new(kind: LogisticKind, x: &'a DVector<f64>, y: &'a DVector<f64>, bend: Bend) -> Self {
        let empty = || DVector::zeros(0);
        let mut problem = Self { kind, x, y, bend, direction: empty(), factor: 0.0, errors: empty() };
        problem.solve();
        problem
    }

    /// The best curve with the bend at hand.
    fn solve(&mut self) {
        // Twice: a faint bend is nearly a line, and the first pass leaves rounding of the size of what is sought.
        let rest = self.without_line(self.without_line(self.x.map(|x| self.bend.at(x))));
        let length = rest.norm();
        let direction = rest / length;
        let y = self.without_line(self.y.clone());
        let along = direction.dot(&y);
        self.factor = along / length;
        self.errors = &y - &direction * along;
        self.direction = direction;
    }

    /// Takes out the constant, and the line where the curve has one; `x` has mean 0 and mean square 1.
    fn without_line(&self, mut values: DVector<f64>) -> DVector<f64> {
        values.add_scalar_mut(-values.mean());
        if self.kind != LogisticKind::FourParameter {
            let slope = self.x.dot(&values) / self.x.norm_squared();
            values.axpy(-slope, self.x, 1.0);
        }
        values
    }

    /// Factors of bend, predictor and constant.
    fn factors(&self) -> [f64; 3] {
        let rest = self.y - self.x.map(|x| self.factor * self.bend.at(x));
        let line = match self.kind {
            LogisticKind::FourParameter => 0.0,
            LogisticKind::FiveParameter | LogisticKind::Line => self.x.dot(&rest) / self.x.norm_squared(),
        };
        [self.factor, line, rest.mean() - line * self.x.mean()]
    }
}

impl LeastSquaresProblem<f64, Dyn, U2> for Problem<'_> {
    type ResidualStorage = Owned<f64, Dyn, U1>;
    type JacobianStorage = Owned<f64, Dyn, U2>;
    type ParameterStorage = Owned<f64, U2, U1>;

    fn set_params(&mut self, p: &Vector2<f64>) {
        self.bend = Bend { place: p[0], steepness: p[1].exp().clamp(STEEPNESS[0], STEEPNESS[1]) };
        self.solve();
    }

    fn params(&self) -> Vector2<f64> {
        Vector2::new(self.bend.place, self.bend.steepness.ln())
    }

    fn residuals(&self) -> Option<DVector<f64>> {
        Some(self.errors.clone())
    }

    fn jacobian(&self) -> Option<OMatrix<f64, Dyn, U2>> {
        let columns: [DVector<f64>; 2] = std::array::from_fn(|parameter| {
            let derivative = self.without_line(self.x.map(|x| self.bend.derivatives(x)[parameter]));
            let along = self.direction.dot(&derivative);
            (&self.direction * along - derivative) * self.factor
        });
        Some(OMatrix::<f64, Dyn, U2>::from_columns(&columns))
    }
}
