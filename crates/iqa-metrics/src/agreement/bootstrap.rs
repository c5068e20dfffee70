use std::collections::HashMap;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::correlation::check;
use crate::MetricsError;

/// Most resamples of a bootstrap: the figure of each is kept in memory.
pub const MAX_RESAMPLES: usize = 1_000_000;

/// How a bootstrap draws.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bootstrap<'a> {
    /// Resamples, from 1 to [`MAX_RESAMPLES`].
    pub resamples: usize,
    /// Level of the interval, in (0, 1).
    pub level: f64,
    /// The same seed gives the same interval.
    pub seed: u64,
    /// Which of the pairs belong together: a number for each, the same within a group. Pairs of a group, images of one
    /// reference say, are not independent, so groups are drawn, each with all of its pairs. `None` where pairs are
    /// independent: each is drawn by itself.
    pub groups: Option<&'a [usize]>,
}

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
/// As many pairs as there are, or as many groups, are drawn with replacement; the interval holds the central
/// [level](Bootstrap::level) of the figures. Linear interpolation between order statistics, as NumPy's default. Of groups
/// (the cluster bootstrap: Davison and Hinkley 1997, section 3.8) there should be more than a few: with five the interval
/// is rough, and rather too narrow.
///
/// ```
/// use iqa_metrics::agreement::{Bootstrap, bootstrap_interval, plcc};
/// let predicted: Vec<f64> = (0..50).map(f64::from).collect();
/// let subjective: Vec<f64> = predicted.iter().map(|x| x + (x * 1.7).sin() * 9.0).collect();
/// let bootstrap = Bootstrap { resamples: 500, level: 0.95, seed: 1, groups: None };
/// let interval = bootstrap_interval(plcc, &predicted, &subjective, &bootstrap)?;
/// let figure = plcc(&predicted, &subjective)?;
/// assert!(interval.low < figure && figure < interval.high);
/// # Ok::<(), iqa_metrics::MetricsError>(())
/// ```
///
/// # Errors
/// Those of the figure on the whole lists; [`MetricsError::Interval`]; [`MetricsError::OneGroup`];
/// [`MetricsError::TooShort`] when it is undefined on every resample.
///
/// # Panics
/// When there are groups, but not one for each pair.
pub fn bootstrap_interval(
    figure: impl Fn(&[f64], &[f64]) -> Result<f64, MetricsError>,
    predicted: &[f64],
    subjective: &[f64],
    bootstrap: &Bootstrap<'_>,
) -> Result<Interval, MetricsError> {
    check(predicted, subjective, 2)?;
    figure(predicted, subjective)?;
    let figures = bootstrap
        .resample([predicted, subjective], |[predicted, subjective]| figure(predicted, subjective))?;
    Ok(bootstrap.interval(&figures))
}

impl Bootstrap<'_> {
    /// The figures of all draws of whole rows of `lists`, which are of one length, where they are defined; sorted, and at
    /// least one.
    pub(super) fn resample<const N: usize>(
        &self,
        lists: [&[f64]; N],
        figure: impl Fn([&[f64]; N]) -> Result<f64, MetricsError>,
    ) -> Result<Vec<f64>, MetricsError> {
        let &Self { resamples, level, seed, groups } = self;
        if !(level > 0.0 && level < 1.0 && (1..=MAX_RESAMPLES).contains(&resamples)) {
            return Err(MetricsError::Interval { level, resamples });
        }
        let pairs = lists[0].len();
        let groups = members(pairs, groups);
        if groups.len() < 2 {
            return Err(MetricsError::OneGroup);
        }
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut drawn: [Vec<f64>; N] = std::array::from_fn(|_| Vec::with_capacity(pairs));
        let mut figures = Vec::with_capacity(resamples);
        for _ in 0..resamples {
            drawn.iter_mut().for_each(Vec::clear);
            for _ in 0..groups.len() {
                for &pair in &groups[rng.random_range(0..groups.len())] {
                    for (drawn, list) in drawn.iter_mut().zip(lists) {
                        drawn.push(list[pair]);
                    }
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

    /// The central part of sorted figures.
    pub(super) fn interval(&self, figures: &[f64]) -> Interval {
        let quantile = |p: f64| {
            let position = p * (figures.len() - 1) as f64;
            let below = position as usize;
            let above = (below + 1).min(figures.len() - 1);
            figures[below] + (position - below as f64) * (figures[above] - figures[below])
        };
        let tail = (1.0 - self.level) / 2.0;
        Interval {
            low: quantile(tail),
            high: quantile(1.0 - tail),
            undefined: self.resamples - figures.len(),
        }
    }
}

/// The pairs of each group, in the order of its first.
fn members(pairs: usize, groups: Option<&[usize]>) -> Vec<Vec<usize>> {
    let Some(groups) = groups else { return (0..pairs).map(|pair| vec![pair]).collect() };
    assert_eq!(groups.len(), pairs, "a group for each pair");
    let mut places = HashMap::new();
    let mut members: Vec<Vec<usize>> = Vec::new();
    for (pair, group) in groups.iter().enumerate() {
        let place = *places.entry(group).or_insert(members.len());
        if place == members.len() {
            members.push(Vec::new());
        }
        members[place].push(pair);
    }
    members
}
