use statrs::distribution::{ContinuousCDF, FisherSnedecor, StudentsT};

use super::correlation::{check, plcc};
use super::{Bootstrap, Interval};
use crate::MetricsError;

/// How far a figure of one model is above that of another, on the same images.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PairedDifference {
    /// The first model's figure less the second's.
    pub difference: f64,
    /// Its interval.
    pub interval: Interval,
    /// Two-sided: how often a difference of the other sign would be drawn; from `2 / (resamples + 1)` to 1.
    pub p_value: f64,
}

/// Percentile bootstrap of the difference of a figure between two models: both are resampled with the same images (or
/// groups of them), so that what makes an image hard for both cancels.
///
/// The p-value is twice the share of resamples on the side of zero with fewer of them, each share as `(count + 1) /
/// (resamples + 1)` (Efron and Tibshirani 1993, section 15.4; Davison and Hinkley 1997, section 4.2).
///
/// # Errors
/// As [`bootstrap_interval`](super::bootstrap_interval).
///
/// # Panics
/// As [`bootstrap_interval`](super::bootstrap_interval).
pub fn paired_bootstrap(
    figure: impl Fn(&[f64], &[f64]) -> Result<f64, MetricsError>,
    first: &[f64],
    second: &[f64],
    subjective: &[f64],
    bootstrap: &Bootstrap<'_>,
) -> Result<PairedDifference, MetricsError> {
    check(first, subjective, 2)?;
    check(second, subjective, 2)?;
    let difference = figure(first, subjective)? - figure(second, subjective)?;
    let differences =
        bootstrap.resample([first, second, subjective], |[a, b, s]| Ok(figure(a, s)? - figure(b, s)?))?;
    let share = |side: fn(&f64) -> bool| {
        let count = differences.iter().filter(|difference| side(difference)).count();
        (count + 1) as f64 / (differences.len() + 1) as f64
    };
    let p_value = (2.0 * share(|d| *d <= 0.0).min(share(|d| *d >= 0.0))).min(1.0);
    Ok(PairedDifference { difference, interval: bootstrap.interval(&differences), p_value })
}

/// A statistic and how probable one as far out is when there is no difference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TestResult {
    /// The statistic.
    pub statistic: f64,
    /// Two-sided.
    pub p_value: f64,
}

/// Williams' t-test of two dependent correlations: is the PLCC of the first model with the subjective scores another
/// than that of the second? Positive when the first is the larger. Feed it ranks to compare SRCCs.
///
/// `t = (r12 - r13) sqrt((n - 1)(1 + r23) / (2 |R| (n - 1)/(n - 3) + ((r12 + r13)/2)^2 (1 - r23)^3))` with `n - 3`
/// degrees of freedom; 1 stands for the subjective scores, `|R|` is the determinant of the correlation matrix.
///
/// Source: J. H. Steiger, "Tests for Comparing Elements of a Correlation Matrix", Psychological Bulletin 87, 1980,
/// equation 7.
///
/// # Errors
/// As [`plcc`], with 4 pairs needed.
pub fn williams_test(first: &[f64], second: &[f64], subjective: &[f64]) -> Result<TestResult, MetricsError> {
    check(first, subjective, 4)?;
    check(second, subjective, 4)?;
    let (r12, r13, r23) = (plcc(first, subjective)?, plcc(second, subjective)?, plcc(first, second)?);
    let n = first.len() as f64;
    // Rounding may leave the determinant of nearly equal predictions below its bound.
    let determinant = (1.0 - r12 * r12 - r13 * r13 - r23 * r23 + 2.0 * r12 * r13 * r23).max(0.0);
    let mean = (r12 + r13) / 2.0;
    let spread = 2.0 * determinant * (n - 1.0) / (n - 3.0) + mean * mean * (1.0 - r23).powi(3);
    let difference = r12 - r13;
    // The same model twice: no spread, and no difference but rounding.
    let statistic = if spread > 0.0 { difference * ((n - 1.0) * (1.0 + r23) / spread).sqrt() } else { 0.0 };
    let tail = StudentsT::new(0.0, 1.0, n - 3.0).map_or(f64::NAN, |t| t.sf(statistic.abs()));
    Ok(TestResult { statistic, p_value: 2.0 * tail })
}

/// F-test of two variances: do the errors that two models leave after their logistic fits spread differently? The
/// statistic is the first variance over the second, below 1 when the first model is the better one.
///
/// It takes the errors as normal and independent, which errors on the same images are not: it finds fewer differences
/// than [`williams_test`]. It is the test of H. R. Sheikh, M. F. Sabir, A. C. Bovik, IEEE TIP 15(11), 2006, and of many
/// papers since.
///
/// # Errors
/// [`MetricsError::UnequalLength`], [`MetricsError::TooShort`] below 2 errors, [`MetricsError::NotFinite`];
/// [`MetricsError::Constant`] when the second model's errors are all the same.
pub fn variance_f_test(first_errors: &[f64], second_errors: &[f64]) -> Result<TestResult, MetricsError> {
    check(first_errors, second_errors, 2)?;
    let n = first_errors.len() as f64;
    let variance = |errors: &[f64]| {
        let mean = errors.iter().sum::<f64>() / n;
        errors.iter().map(|error| (error - mean).powi(2)).sum::<f64>() / (n - 1.0)
    };
    let below = variance(second_errors);
    if below == 0.0 {
        return Err(MetricsError::Constant { list: crate::List::Predicted });
    }
    let statistic = variance(first_errors) / below;
    let tails = FisherSnedecor::new(n - 1.0, n - 1.0).map(|f| f.cdf(statistic).min(f.sf(statistic)));
    Ok(TestResult { statistic, p_value: tails.map_or(f64::NAN, |tail| (2.0 * tail).min(1.0)) })
}
