use super::tree::Tree;
use crate::dataset::{DataSet, ScoreScale};
use crate::{DatasetError, Strictness};

/// What is known of a published set, and how its folder is read. Each set's file has its own.
pub(super) struct Entry {
    /// In `snake_case`, as options take it.
    pub(super) name: &'static str,
    /// As the literature writes it.
    pub(super) title: &'static str,
    /// Authors, paper, where it stands.
    pub(super) citation: &'static str,
    pub(super) scale: ScoreScale,
    pub(super) counts: Counts,
    pub(super) open: fn(&Entry, &Tree, Strictness) -> Result<DataSet, DatasetError>,
}

/// Published counts of a set.
pub(super) struct Counts {
    pub(super) samples: usize,
    pub(super) references: usize,
    /// Number of the first distortion type.
    pub(super) first_type: u32,
    /// Images of each type, in the order of their numbers; empty for a set without types.
    pub(super) types: &'static [usize],
}
