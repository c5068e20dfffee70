//! How a report is made.

use iqa_datasets::split::SplitPreset;

/// How a report is made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReportConfig {
    /// Resamples of the bootstrap.
    pub resamples: usize,
    /// Level of the confidence intervals, in (0, 1).
    pub level: f64,
    /// Seed of bootstrap and splits.
    pub seed: u64,
    /// Splits on whose test parts the model is reported too.
    pub splits: Option<SplitPreset>,
}

impl Default for ReportConfig {
    /// 1,000 resamples, 95 %, seed 1, no splits.
    fn default() -> Self {
        Self { resamples: 1000, level: 0.95, seed: 1, splits: None }
    }
}
