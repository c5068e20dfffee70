//! Rated images as data: the samples of a set, and what its scores mean.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use iqa_core::{Direction, FileId};

use crate::DatasetError;

/// What people rated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ScoreKind {
    /// Mean opinion score.
    Mos,
    /// Difference mean opinion score: the reference's rating less that of the distorted image.
    Dmos,
}

/// Kind, direction and nominal range of the scores of a set.
///
/// ```
/// use iqa_datasets::{Direction, ScoreKind, ScoreScale};
/// let csiq = ScoreScale::new(ScoreKind::Dmos, Direction::LowerIsBetter, 0.0, 1.0)?;
/// assert_eq!(csiq.quality01(0.25), 0.75);
/// assert_eq!(csiq.live_dmos(0.25), 25.0);
/// # Ok::<(), iqa_datasets::DatasetError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScoreScale {
    kind: ScoreKind,
    direction: Direction,
    low: f64,
    high: f64,
}

impl ScoreScale {
    /// A scale from `low` to `high`, whatever its direction.
    ///
    /// # Errors
    /// [`DatasetError::ScoreRange`] unless both ends and their difference are finite and `low < high`.
    pub fn new(kind: ScoreKind, direction: Direction, low: f64, high: f64) -> Result<Self, DatasetError> {
        if low < high && (high - low).is_finite() {
            Ok(Self { kind, direction, low, high })
        } else {
            Err(DatasetError::ScoreRange { low, high })
        }
    }

    pub(crate) const fn mos(low: f64, high: f64) -> Self {
        Self { kind: ScoreKind::Mos, direction: Direction::HigherIsBetter, low, high }
    }

    pub(crate) const fn dmos(low: f64, high: f64) -> Self {
        Self { kind: ScoreKind::Dmos, direction: Direction::LowerIsBetter, low, high }
    }

    /// What was rated.
    pub fn kind(&self) -> ScoreKind {
        self.kind
    }

    /// Which end is good.
    pub fn direction(&self) -> Direction {
        self.direction
    }

    /// The nominal range, low end first. Published scores may lie outside it.
    pub fn range(&self) -> (f64, f64) {
        (self.low, self.high)
    }

    /// A score as quality: 0 at the bad end of the nominal range, 1 at the good end. Not clamped, since published
    /// scores may lie outside the range.
    pub fn quality01(&self, raw: f64) -> f64 {
        let unit = (raw - self.low) / (self.high - self.low);
        match self.direction {
            Direction::HigherIsBetter => unit,
            Direction::LowerIsBetter => 1.0 - unit,
        }
    }

    /// A score on the DMOS scale of LIVE, `100 * (1 - quality01)`: 0 is as good as the reference, 100 is worst.
    ///
    /// Source: Bosse et al., IEEE TIP 27(1), 2018, section IV-B, maps all sets to this range.
    pub fn live_dmos(&self, raw: f64) -> f64 {
        100.0 * (1.0 - self.quality01(raw))
    }
}

/// One rated image.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The rated image.
    pub distorted: PathBuf,
    /// The photograph it was made from, if there is one.
    pub reference: Option<PathBuf>,
    /// The score as published; finite.
    pub raw: f64,
    /// The published standard deviation of the ratings, where there is one; finite and not negative.
    pub std: Option<f64>,
    /// What is on the picture: all versions of a photograph share it. `None` in sets without references, and
    /// then in every sample.
    pub reference_id: Option<String>,
    /// Number of the distortion, as the set counts.
    pub type_id: Option<u32>,
    /// Name of the distortion in `snake_case`; the same name means the same distortion across the sets read by
    /// name ([`SHARED_TYPES`](crate::readers::SHARED_TYPES)).
    pub type_name: Option<String>,
    /// Strength of the distortion as the set numbers it, 1 being the first.
    pub level: Option<u32>,
}

/// The rated images of one set, in the order of its label file. Nothing is decoded: see
/// [`Loader`](crate::loader::Loader).
///
/// Made by [`DataSet::open`], [`DataSet::open_csv`] and [`DataSet::open_csv_inferring_range`]. Either every sample names its reference or none does; no
/// image is listed twice, in a list of one's own not over links either; no reference image belongs to two ids, over links
/// either. Splits rest on that.
#[derive(Clone, Debug, PartialEq)]
pub struct DataSet {
    name: String,
    scale: ScoreScale,
    samples: Vec<Sample>,
    missing_images: usize,
    /// Where the split that its authors published is, or should be.
    split: Option<PathBuf>,
}

impl DataSet {
    /// Checks what the type promises. `lines` holds the line of each sample in `labels`, counted from 1.
    pub(crate) fn new(
        name: String,
        scale: ScoreScale,
        samples: Vec<Sample>,
        missing_images: usize,
        labels: &Path,
        lines: &[usize],
    ) -> Result<Self, DatasetError> {
        let Some(first) = samples.first() else {
            return Err(DatasetError::EmptySet { labels: labels.into() });
        };
        let with_ids = first.reference_id.is_some();
        let malformed = |line: usize, expected, found: &dyn ToString| DatasetError::Malformed {
            path: labels.into(),
            line,
            expected,
            found: found.to_string(),
        };
        // By the file too: over a link a reference would be in two groups, and in two parts of a split.
        let mut owners: HashMap<&Path, &str> = HashMap::new();
        let mut file_owners: HashMap<FileId, &str> = HashMap::new();
        for (sample, &line) in samples.iter().zip(lines) {
            if sample.reference_id.is_some() != with_ids {
                return Err(malformed(
                    line,
                    "a reference or group in every line or in none",
                    &sample.distorted.display(),
                ));
            }
            if let (Some(path), Some(id)) = (sample.reference.as_deref(), sample.reference_id.as_deref()) {
                let owner = *owners.entry(path).or_insert_with(|| match FileId::of(path) {
                    Some(file) => *file_owners.entry(file).or_insert(id),
                    None => id,
                });
                if owner != id {
                    return Err(malformed(
                        line,
                        "one group for each reference image, whatever path leads to it",
                        &path.display(),
                    ));
                }
            }
        }
        let mut seen = HashMap::new();
        for (sample, &line) in samples.iter().zip(lines) {
            if let Some(earlier) = seen.insert(sample.distorted.as_path(), line) {
                let (path, image) = (labels.into(), sample.distorted.clone());
                return Err(DatasetError::ListedTwice { path, line, image, earlier });
            }
            let file_owner =
                || FileId::of(&sample.distorted).and_then(|file| file_owners.get(&file).copied());
            let owner = owners.get(sample.distorted.as_path()).copied().or_else(file_owner);
            if owner.is_some() && owner != sample.reference_id.as_deref() {
                return Err(malformed(
                    line,
                    "an image that is not another group's reference",
                    &sample.distorted.display(),
                ));
            }
        }
        Ok(Self { name, scale, samples, missing_images, split: None })
    }

    /// The set, with the file of its published split.
    pub(crate) fn with_split(self, file: PathBuf) -> Self {
        Self { split: Some(file), ..self }
    }

    /// The file of its published split, there or not.
    pub(crate) fn split_file(&self) -> Option<&Path> {
        self.split.as_deref()
    }

    /// Name of the set.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What its scores mean.
    pub fn scale(&self) -> ScoreScale {
        self.scale
    }

    /// The samples, in the order of the label file; never empty.
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }

    /// Labels skipped because their image or its reference is not there; 0 unless opened
    /// [leniently](crate::readers::Strictness::Lenient).
    pub fn missing_images(&self) -> usize {
        self.missing_images
    }

    /// Samples whose score lies outside the nominal range of the [scale](Self::scale), which is no error.
    pub fn outside_range(&self) -> usize {
        let (low, high) = self.scale.range();
        self.samples.iter().filter(|sample| !(low..=high).contains(&sample.raw)).count()
    }

    /// Whether every sample belongs to a reference; otherwise none does.
    pub fn has_references(&self) -> bool {
        self.samples.first().is_some_and(|sample| sample.reference_id.is_some())
    }

    /// The reference ids, sorted; empty for a set without references.
    pub fn reference_ids(&self) -> Vec<&str> {
        let mut ids: Vec<&str> =
            self.samples.iter().filter_map(|sample| sample.reference_id.as_deref()).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// The samples that `keep` accepts, as a set of their own: some types, say.
    ///
    /// # Errors
    /// [`DatasetError::Empty`] when it accepts none.
    pub fn filtered(&self, keep: impl Fn(&Sample) -> bool) -> Result<Self, DatasetError> {
        let samples: Vec<Sample> = self.samples.iter().filter(|sample| keep(sample)).cloned().collect();
        if samples.is_empty() {
            return Err(DatasetError::Empty { what: "sample passes the filter" });
        }
        Ok(Self { samples, ..self.clone() })
    }

    /// The samples of a part of a [split](crate::split::Split) of this set, as a set of their own.
    ///
    /// # Errors
    /// [`DatasetError::Empty`] when the part is empty.
    ///
    /// # Panics
    /// When an index is not of a sample.
    pub fn part(&self, indices: &[usize]) -> Result<Self, DatasetError> {
        if indices.is_empty() {
            return Err(DatasetError::Empty { what: "image in this part of the split" });
        }
        let samples = indices.iter().map(|&index| self.samples[index].clone()).collect();
        Ok(Self { samples, ..self.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_map_to_quality_and_to_the_dmos_of_live() {
        // By hand, from the published ends: TID2013 100*(1 - MOS/9), LIVE Challenge 100 - MOS, CSIQ 100*DMOS.
        let tid = ScoreScale::mos(0.0, 9.0);
        assert_eq!(tid.quality01(4.5), 0.5);
        assert!((tid.live_dmos(0.24242) - 97.306_444_444).abs() < 1e-8);
        assert_eq!(ScoreScale::mos(0.0, 100.0).live_dmos(25.0), 75.0);
        assert_eq!(ScoreScale::dmos(0.0, 1.0).live_dmos(0.25), 25.0);
        assert_eq!(ScoreScale::mos(1.0, 5.0).quality01(4.0), 0.75);
        // Realigned LIVE leaves its nominal range; nothing is clamped, and the mapping gives LIVE itself.
        let live = ScoreScale::dmos(0.0, 100.0);
        assert!((live.live_dmos(111.775) - 111.775).abs() < 1e-12);
        assert!((live.quality01(-2.64) - 1.0264).abs() < 1e-12);
    }

    #[test]
    fn a_scale_without_extent_is_refused() {
        for (low, high) in [(1.0, 1.0), (5.0, 1.0), (f64::NAN, 1.0), (0.0, f64::INFINITY), (-1e308, 1e308)] {
            assert!(ScoreScale::new(ScoreKind::Mos, Direction::HigherIsBetter, low, high).is_err());
        }
    }
}
