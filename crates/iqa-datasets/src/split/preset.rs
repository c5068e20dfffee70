use std::str::FromStr;

use super::{Parts, Split};
use crate::DatasetError;
use crate::dataset::DataSet;

/// The split of a paper.
///
/// Sources: *Bosse*, IEEE TIP 27(1), 2018, section IV; *HIQA*, CVPR 2018; *GSN*, CVPR workshops 2022; *Dutta*, Das,
/// Shah, which names 80 to 20 but not the unit: references here; *KonIQ-10k*, IEEE TIP 29, 2020.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SplitPreset {
    /// LIVE as 17, 6 and 6 references, ten times.
    BosseLive,
    /// TID2013 as 15, 5 and 5 references, ten times.
    BosseTid2013,
    /// LIVE Challenge as 698, 232 and 232 images, ten times.
    BosseLiveChallenge,
    /// LIVE as 23 references to train and 6 to validate; tests are on other sets.
    BosseLiveCross,
    /// TID2013 as 20 references to train and 5 to validate; tests are on other sets.
    BosseTid2013Cross,
    /// 80 to 20 by reference, ten times; medians are reported.
    Hiqa,
    /// All of KADID-10k or of PIPAL's training part to train; tests are on other sets.
    Gsn,
    /// KADID-10k as 80 to 20 by reference: 65 and 16.
    DuttaKadid10k,
    /// KonIQ-10k as its authors published it: 7058, 1000 and 2015 images, read from
    /// `koniq10k_distributions_sets.csv` in its folder.
    Koniq10k,
}

/// Images of the published parts of KonIQ-10k.
const KONIQ10K: [usize; 3] = [7058, 1000, 2015];

impl SplitPreset {
    /// Every preset.
    pub const ALL: [Self; 9] = [
        Self::BosseLive,
        Self::BosseTid2013,
        Self::BosseLiveChallenge,
        Self::BosseLiveCross,
        Self::BosseTid2013Cross,
        Self::Hiqa,
        Self::Gsn,
        Self::DuttaKadid10k,
        Self::Koniq10k,
    ];

    /// Its name in `snake_case`, which parses back.
    pub fn name(self) -> &'static str {
        match self {
            Self::BosseLive => "bosse_live",
            Self::BosseTid2013 => "bosse_tid2013",
            Self::BosseLiveChallenge => "bosse_live_challenge",
            Self::BosseLiveCross => "bosse_live_cross",
            Self::BosseTid2013Cross => "bosse_tid2013_cross",
            Self::Hiqa => "hiqa",
            Self::Gsn => "gsn",
            Self::DuttaKadid10k => "dutta_kadid10k",
            Self::Koniq10k => "koniq10k",
        }
    }

    /// Its parts.
    pub fn parts(self) -> Parts {
        match self {
            Self::BosseLive => Parts::Counts([17, 6, 6]),
            Self::BosseTid2013 => Parts::Counts([15, 5, 5]),
            Self::BosseLiveChallenge => Parts::Counts([698, 232, 232]),
            Self::BosseLiveCross => Parts::Counts([23, 6, 0]),
            Self::BosseTid2013Cross => Parts::Counts([20, 5, 0]),
            Self::Hiqa | Self::DuttaKadid10k => Parts::Ratios([0.8, 0.0, 0.2]),
            Self::Gsn => Parts::Ratios([1.0, 0.0, 0.0]),
            Self::Koniq10k => Parts::Counts(KONIQ10K),
        }
    }

    /// How often the paper repeats it.
    pub fn repeats(self) -> usize {
        match self {
            Self::BosseLive | Self::BosseTid2013 | Self::BosseLiveChallenge | Self::Hiqa => 10,
            Self::BosseLiveCross
            | Self::BosseTid2013Cross
            | Self::Gsn
            | Self::DuttaKadid10k
            | Self::Koniq10k => 1,
        }
    }

    /// The splits of a set, one for each repeat. Of KonIQ-10k's, which is no random one, images that the set lacks
    /// are left out, and the seed is not looked at.
    ///
    /// # Errors
    /// As [`Split::random`]; [`DatasetError::SplitUnit`] for a set without references where the paper splits by
    /// them, or with references where it splits by image. For KonIQ-10k's as [`Split::from_file`], and
    /// [`DatasetError::NoSplit`] for a set that is not [opened by name](crate::DataSetKind::Koniq10k).
    pub fn splits(self, set: &DataSet, seed: u64) -> Result<Vec<Split>, DatasetError> {
        let by_image = matches!(self, Self::BosseLiveChallenge | Self::Koniq10k);
        if set.has_references() == by_image {
            let expected = if by_image { "without" } else { "with" };
            return Err(DatasetError::SplitUnit { name: set.name().into(), expected });
        }
        if self == Self::Koniq10k {
            return Ok(vec![Split::published(set, KONIQ10K)?]);
        }
        Split::repeats(set, self.parts(), seed, self.repeats())
    }

    /// The first of its splits, which is that of its seed alone.
    ///
    /// # Errors
    /// As [`Self::splits`].
    pub fn first(self, set: &DataSet, seed: u64) -> Result<Split, DatasetError> {
        // No preset is repeated less than once.
        Ok(self.splits(set, seed)?.swap_remove(0))
    }
}

impl FromStr for SplitPreset {
    type Err = DatasetError;

    fn from_str(name: &str) -> Result<Self, DatasetError> {
        Self::ALL.into_iter().find(|preset| preset.name() == name).ok_or_else(|| DatasetError::UnknownName {
            what: "split preset",
            name: name.into(),
            known: Self::ALL.map(Self::name).into(),
        })
    }
}
