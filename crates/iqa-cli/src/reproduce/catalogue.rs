//! The tables and figures of the papers, and what gives their numbers here.
//!
//! Published numbers are those of the papers, as far as they are known to us; none is invented: a row without one says
//! so.

use iqa_models::datasets::split::SplitPreset;

/// One of the papers, or what stands in for their data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Paper {
    Bosse,
    Dutta,
    Gsn,
    Hiqa,
    StandIn,
}

impl Paper {
    pub(crate) const ALL: [Self; 5] = [Self::Bosse, Self::Dutta, Self::Gsn, Self::Hiqa, Self::StandIn];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Bosse => {
                "S. Bosse et al., Deep Neural Networks for No-Reference and Full-Reference Image Quality Assessment, \
                 IEEE TIP 27(1), 2018"
            }
            Self::Dutta => "Dutta, Das, Shah: branches with and without pretraining",
            Self::Gsn => "Gradient Siamese Network, CVPR workshops 2022",
            Self::Hiqa => "Hallucinated-IQA, CVPR 2018",
            Self::StandIn => "Stand-ins: sets made here, for want of the papers' own",
        }
    }
}

/// A table or figure.
pub(crate) struct Entry {
    pub(crate) id: &'static str,
    pub(crate) paper: Paper,
    /// Where in the paper.
    pub(crate) place: &'static str,
    pub(crate) what: &'static str,
    /// What is to be minded; empty when nothing is.
    pub(crate) note: &'static str,
    pub(crate) rows: &'static [Row],
}

/// A row of a table: a model on images.
pub(crate) struct Row {
    /// Folder of its reports.
    pub(crate) name: &'static str,
    pub(crate) label: &'static str,
    pub(crate) published: Published,
    pub(crate) ours: Ours,
}

/// Figures as printed; `None` where a paper gives none, or it is not known to us.
#[derive(Clone, Copy)]
pub(crate) struct Published {
    pub(crate) plcc: Option<f64>,
    pub(crate) srcc: Option<f64>,
    pub(crate) krcc: Option<f64>,
}

/// What gives our figures.
#[derive(Clone, Copy)]
pub(crate) enum Ours {
    /// Weights that are there, on a set.
    Evaluation(Evaluation),
    /// Weights to be trained first, one run for each seed.
    Training(Training, Evaluation),
    /// Nothing that this software does; says why.
    Nothing(&'static str),
}

/// A model on a set.
#[derive(Clone, Copy)]
pub(crate) struct Evaluation {
    /// Name of the model.
    pub(crate) model: &'static str,
    /// A file below `weights` in the folder of the data; `None` for the bundled weights.
    pub(crate) weights: Option<&'static str>,
    /// The set, and its folder in the folder of the data.
    pub(crate) set: &'static str,
    pub(crate) folder: &'static str,
    /// Whether the set is complete only by another count than the published one.
    pub(crate) lenient: bool,
    /// Which images count.
    pub(crate) part: Part,
    /// Random patches, where the grid is not meant.
    pub(crate) patches: Option<usize>,
}

/// Images of a set.
#[derive(Clone, Copy)]
pub(crate) enum Part {
    Whole,
    /// A subset that reports name.
    Subset(&'static str),
    /// The versions of some references, by their ids.
    References(&'static [&'static str]),
    /// The test part of a split, which has the seed of the training.
    Test(SplitPreset),
    /// A subset of the test part of a split.
    TestSubset(SplitPreset, &'static str),
}

/// Runs of `iqa train`.
#[derive(Clone, Copy)]
pub(crate) struct Training {
    /// Folder of the runs, which rows may share.
    pub(crate) run: &'static str,
    /// Recipe and what belongs to it.
    pub(crate) recipe: &'static str,
    /// The set to train on, and how it is split.
    pub(crate) set: &'static str,
    pub(crate) split: &'static str,
    /// Runs, with the seeds 1, 2 and so on.
    pub(crate) seeds: u64,
    /// The file of weights that a run leaves.
    pub(crate) weights: &'static str,
    /// How the paper sums them up.
    pub(crate) summary: Summary,
}

/// One figure from several runs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Summary {
    Mean,
    Median,
}

pub(crate) fn entries() -> impl Iterator<Item = &'static Entry> {
    [crate::reproduce::bosse::ENTRIES, crate::reproduce::others::ENTRIES].into_iter().flatten()
}

/// LCC and SROCC.
pub(crate) const fn both(plcc: f64, srcc: f64) -> Published {
    Published { plcc: Some(plcc), srcc: Some(srcc), krcc: None }
}

/// SRCC and KRCC.
pub(crate) const fn ranks(srcc: f64, krcc: f64) -> Published {
    Published { plcc: None, srcc: Some(srcc), krcc: Some(krcc) }
}

/// PLCC, SRCC and KRCC.
pub(crate) const fn three(plcc: f64, srcc: f64, krcc: f64) -> Published {
    Published { plcc: Some(plcc), srcc: Some(srcc), krcc: Some(krcc) }
}

/// Nothing that is known to us.
pub(crate) const NONE: Published = Published { plcc: None, srcc: None, krcc: None };

/// A model with its bundled weights on a published set.
pub(crate) const fn on(model: &'static str, set: &'static str) -> Evaluation {
    Evaluation { model, weights: None, set, folder: set, lenient: false, part: Part::Whole, patches: None }
}

impl Evaluation {
    pub(crate) const fn with(self, weights: &'static str) -> Self {
        Self { weights: Some(weights), ..self }
    }

    pub(crate) const fn part(self, part: Part) -> Self {
        Self { part, ..self }
    }
}

pub(crate) const fn row(name: &'static str, label: &'static str, published: Published, ours: Ours) -> Row {
    Row { name, label, published, ours }
}
