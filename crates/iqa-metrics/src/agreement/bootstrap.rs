use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::correlation::check;
use crate::MetricsError;

/// Most resamples of a bootstrap: the figure of each is kept in memory.
pub const MAX_RESAMPLES: usize = 1_000_000;

/// A confidence interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Resamples on which the figure was not defined (all values the same) and which were left out.
    pub undefined: usize,
}

/// Percentile bootstrap interval of a figure of agreement (Efron and Tibshirani 1993, section 13.3).
///
/// Pairs are drawn with replacement, `resamples` times; the interval holds the central `level` of the figures. The
/// same seed gives the same interval. Linear interpolation between order statistics, as NumPy's default.
///
/// ```
/// use iqa_metrics::agreement::{bootstrap_interval, plcc};
/// let predicted: Vec<f64> = (0..50).map(f64::from).collect();
/// let subjective: Vec<f64> = predicted.iter().map(|x| x + (x * 1.7).sin() * 9.0).collect();
/// let interval = bootstrap_interval(plcc, &predicted, &subjective, 500, 0.95, 1)?;
/// let figure = plcc(&predicted, &subjective)?;
/// assert!(interval.low < figure && figure < interval.high);
/// # Ok::<(), iqa_metrics::MetricsError>(())
/// ```
///
/// # Errors
/// Those of the figure on the whole lists; [`MetricsError::Interval`]; [`MetricsError::TooShort`] when it is
/// undefined on every resample.
pub fn bootstrap_interval(
    figure: impl Fn(&[f64], &[f64]) -> Result<f64, MetricsError>,
    predicted: &[f64],
    subjective: &[f64],
    resamples: usize,
    level: f64,
    seed: u64,
) -> Result<Interval, MetricsError> {
    check(predicted, subjective, 2)?;
    figure(predicted, subjective)?;
    let figures =
        resamples_of([predicted, subjective], resamples, level, seed, |[predicted, subjective]| {
            figure(predicted, subjective)
        })?;
    Ok(interval(&figures, resamples, level))
}

/// The figures of `resamples` draws of whole rows of `lists`, which are of one length, where they are defined; sorted,
/// and at least one.
pub(super) fn resamples_of<const N: usize>(
    lists: [&[f64]; N],
    resamples: usize,
    level: f64,
    seed: u64,
    figure: impl Fn([&[f64]; N]) -> Result<f64, MetricsError>,
) -> Result<Vec<f64>, MetricsError> {
    if !(level > 0.0 && level < 1.0 && (1..=MAX_RESAMPLES).contains(&resamples)) {
        return Err(MetricsError::Interval { level, resamples });
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let pairs = lists[0].len();
    let mut drawn: [Vec<f64>; N] = std::array::from_fn(|_| vec![0.0; pairs]);
    let mut figures = Vec::with_capacity(resamples);
    for _ in 0..resamples {
        for row in 0..pairs {
            let index = rng.random_range(0..pairs);
            for (drawn, list) in drawn.iter_mut().zip(lists) {
                drawn[row] = list[index];
            }
        }
        figures.extend(figure(std::array::from_fn(|list| drawn[list].as_slice())));
    }
    if figures.is_empty() {
        return Err(MetricsError::TooShort { found: pairs, needed: pairs + 1 });
    }
    figures.sort_unstable_by(f64::total_cmp);
    Ok(figures)
}

/// The central `level` of sorted figures.
pub(super) fn interval(figures: &[f64], resamples: usize, level: f64) -> Interval {
    let quantile = |p: f64| {
        let position = p * (figures.len() - 1) as f64;
        let below = position as usize;
        let above = (below + 1).min(figures.len() - 1);
        figures[below] + (position - below as f64) * (figures[above] - figures[below])
    };
    let tail = (1.0 - level) / 2.0;
    Interval { low: quantile(tail), high: quantile(1.0 - tail), undefined: resamples - figures.len() }
}
