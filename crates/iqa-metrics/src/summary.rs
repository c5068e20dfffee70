//! A list of scores in short.

/// Mean, median and spread of scores.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// How many scores.
    pub count: usize,
    /// Their mean; infinite where a score is.
    pub mean: f64,
    /// The middle one, or the mean of the two in the middle.
    pub median: f64,
    /// Standard deviation of the sample, divided by `count - 1`: 0 for one score, NaN where a score is infinite.
    pub std: f64,
}

impl Summary {
    /// Of scores, in any order; `None` of nothing.
    ///
    /// ```
    /// use iqa_metrics::Summary;
    /// let summary = Summary::of(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]).unwrap();
    /// assert_eq!((summary.mean, summary.median), (5.0, 4.5));
    /// assert!((summary.std - (32.0f64 / 7.0).sqrt()).abs() < 1e-15);
    /// assert_eq!(Summary::of(&[]), None);
    /// ```
    pub fn of(scores: &[f64]) -> Option<Self> {
        let count = scores.len();
        if count == 0 {
            return None;
        }
        let mut sorted = scores.to_vec();
        sorted.sort_by(f64::total_cmp);
        // In ascending order: the same scores have the same sum, in whatever order they came.
        let mean = sorted.iter().sum::<f64>() / count as f64;
        let (low, high) = (sorted[(count - 1) / 2], sorted[count / 2]);
        let squares: f64 = sorted.iter().map(|score| (score - mean).powi(2)).sum();
        let std = if count == 1 && mean.is_finite() { 0.0 } else { (squares / (count - 1) as f64).sqrt() };
        Some(Self { count, mean, median: f64::midpoint(low, high), std })
    }
}
