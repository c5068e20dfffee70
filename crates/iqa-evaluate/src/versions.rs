//! Which of two versions of the same pictures is better?

use iqa_core::Direction;
use iqa_metrics::MetricsError;
use iqa_metrics::agreement::{Bootstrap, paired_bootstrap};
use serde::Serialize;

use super::comparison::Difference;
use super::config::ReportConfig;

/// Two versions of the same pictures by one model, two restorations say.
///
/// ```
/// use iqa_core::Direction;
/// use iqa_evaluate::{ReportConfig, Versions};
/// // PSNR of six pictures by two methods: the first is some 1 dB better.
/// let first = [31.0, 28.4, 35.1, 30.2, 26.7, 33.3];
/// let second = [30.1, 27.2, 34.3, 29.0, 25.9, 32.2];
/// let found = Versions::new("psnr", Direction::HigherIsBetter, &first, &second, &ReportConfig::default())?;
/// assert!((found.difference.value - 1.0).abs() < 1e-9 && found.difference.interval[0] > 0.8);
/// assert_eq!((found.wins, found.ties, found.losses), (6, 0, 0));
/// # Ok::<(), iqa_metrics::MetricsError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Versions {
    /// Name of the model.
    pub model: String,
    /// Which way its scores grow.
    pub direction: Direction,
    /// Pictures.
    pub images: usize,
    /// Mean scores of the first and the second version.
    pub means: [f64; 2],
    /// Mean score of the first version less that of the second in the sense of quality (positive: the first is better), with
    /// an interval by the bootstrap over the pictures.
    pub difference: Difference,
    /// Pictures of which the first version is better.
    pub wins: usize,
    /// Pictures with equal scores.
    pub ties: usize,
    /// Pictures of which the second version is better.
    pub losses: usize,
    /// The pictures, by their places in the lists, with their differences in the sense of quality: those that differ most first.
    #[serde(skip)]
    pub most: Vec<(usize, f64)>,
}

impl Versions {
    /// Of the scores of both versions of each picture, in the same order.
    ///
    /// # Errors
    /// [`MetricsError`] for lists of unequal length, fewer than two pictures, scores that are not finite, or a `config` without
    /// resamples or level.
    pub fn new(
        model: &str,
        direction: Direction,
        first: &[f64],
        second: &[f64],
        config: &ReportConfig,
    ) -> Result<Self, MetricsError> {
        let sign = match direction {
            Direction::HigherIsBetter => 1.0,
            Direction::LowerIsBetter => -1.0,
        };
        let mean = |scores: &[f64]| scores.iter().sum::<f64>() / scores.len() as f64;
        let ReportConfig { resamples, level, seed, .. } = *config;
        let bootstrap = Bootstrap { resamples, level, seed, groups: None };
        let quality = |scores: &[f64], _: &[f64]| Ok(sign * mean(scores));
        // What people say has no part in it.
        let difference = paired_bootstrap(quality, first, second, first, &bootstrap)?.into();
        let mut most: Vec<(usize, f64)> =
            first.iter().zip(second).map(|(first, second)| sign * (first - second)).enumerate().collect();
        let count = |is: fn(f64) -> bool| most.iter().filter(|(_, difference)| is(*difference)).count();
        let (wins, ties) = (count(|difference| difference > 0.0), count(|difference| difference == 0.0));
        most.sort_by(|(_, a), (_, b)| b.abs().total_cmp(&a.abs()));
        Ok(Self {
            model: model.into(),
            direction,
            images: first.len(),
            means: [mean(first), mean(second)],
            difference,
            wins,
            ties,
            losses: first.len() - wins - ties,
            most,
        })
    }

    /// Whether the interval of the difference leaves out zero.
    pub fn differ(&self) -> bool {
        let [low, high] = self.difference.interval;
        low > 0.0 || high < 0.0
    }
}
