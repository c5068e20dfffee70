//! Readers of the published sets, and of lists in CSV.
//!
//! `docs/DATASETS.md` in the repository says where to get each set, what its folder looks like and what to mind.
//! None of them may be passed on.

mod collect;
mod csiq;
mod entry;
mod kadid10k;
mod koniq10k;
mod list;
mod live;
mod live_challenge;
mod names;
mod pipal;
mod table;
mod tid;
mod tree;

use std::path::Path;
use std::str::FromStr;

pub(crate) use collect::Place;
pub use list::{ListedPair, ListedScore, read_pairs, read_scores};
pub(crate) use table::Table;
pub use tid::TID2013_SUBSETS;

use crate::DatasetError;
use crate::dataset::{DataSet, ScoreKind, ScoreScale};
use entry::Entry;
use iqa_core::Direction;
use tree::Tree;

/// Names of the distortions that LIVE, CSIQ, TID2008, TID2013 and KADID-10k share.
///
/// Source: Bosse et al., IEEE TIP 27(1), 2018, section IV-E, tests across sets on these.
pub const SHARED_TYPES: [&str; 4] = ["jpeg", "jpeg2000", "gaussian_blur", "white_noise"];

/// Makes the enum of the published sets out of a list: variant, what it documents, its entry.
macro_rules! registry {
    ($($(#[$doc:meta])* $kind:ident => $entry:path,)*) => {
        /// A published set.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum DataSetKind {
            $($(#[$doc])* $kind,)*
        }

        impl DataSetKind {
            /// Every kind.
            pub const ALL: [Self; [$(stringify!($kind)),*].len()] = [$(Self::$kind),*];

            fn entry(self) -> &'static Entry {
                match self {
                    $(Self::$kind => &$entry,)*
                }
            }
        }
    };
}

registry! {
    /// LIVE release 2 with the realigned DMOS.
    Live => live::LIVE,
    /// LIVE release 2 with the DMOS of the first release, before realignment.
    LiveOriginal => live::LIVE_ORIGINAL,
    /// CSIQ.
    Csiq => csiq::CSIQ,
    /// TID2008.
    Tid2008 => tid::TID2008,
    /// TID2013.
    Tid2013 => tid::TID2013,
    /// KADID-10k.
    Kadid10k => kadid10k::KADID10K,
    /// The training part of PIPAL, the only one whose labels are public.
    Pipal => pipal::PIPAL,
    /// LIVE In the Wild Image Quality Challenge.
    LiveChallenge => live_challenge::LIVE_CHALLENGE,
    /// KonIQ-10k.
    Koniq10k => koniq10k::KONIQ10K,
}

impl DataSetKind {
    /// Its name in `snake_case`; parsing takes it in any case, with `-`, `_`, a space or nothing between words.
    ///
    /// ```
    /// use iqa_datasets::readers::DataSetKind;
    /// assert_eq!("KADID-10k".parse::<DataSetKind>()?, DataSetKind::Kadid10k);
    /// # Ok::<(), iqa_datasets::DatasetError>(())
    /// ```
    pub fn name(self) -> &'static str {
        self.entry().name
    }

    /// Its name as the literature writes it; [`DataSet::name`] of a set opened by name.
    pub fn title(self) -> &'static str {
        self.entry().title
    }

    /// The paper to cite: authors, title, where it appeared.
    pub fn citation(self) -> &'static str {
        self.entry().citation
    }

    /// Kind, direction and nominal range of its scores.
    ///
    /// The scores of PIPAL are Elo ratings without a nominal range: the extremes of the training part stand in.
    pub fn scale(self) -> ScoreScale {
        self.entry().scale
    }
}

impl FromStr for DataSetKind {
    type Err = DatasetError;

    fn from_str(name: &str) -> Result<Self, DatasetError> {
        let plain = |name: &str| name.to_lowercase().replace(['-', '_', ' '], "");
        Self::ALL.into_iter().find(|kind| plain(kind.name()) == plain(name)).ok_or_else(|| {
            DatasetError::UnknownName {
                what: "data set",
                name: name.into(),
                known: Self::ALL.map(Self::name).into(),
            }
        })
    }
}

/// What to do about a copy of a set that is not complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Strictness {
    /// Every listed image must exist, and the counts must be the published ones.
    Strict,
    /// Labels without their images are skipped and [counted](DataSet::missing_images); no count is checked.
    /// Label files must still be well-formed.
    Lenient,
}

impl DataSet {
    /// Opens a published set in the folder that holds it. Reads labels and names; decodes no image.
    ///
    /// # Errors
    /// [`DatasetError::NoLabels`], [`DatasetError::Malformed`], [`DatasetError::Mat`],
    /// [`DatasetError::Spreadsheet`] or [`DatasetError::Column`] for the label files; [`DatasetError::Io`];
    /// [`DatasetError::EmptySet`] when no image is there; and when strict [`DatasetError::MissingImage`] and
    /// [`DatasetError::Count`].
    pub fn open(kind: DataSetKind, folder: &Path, strictness: Strictness) -> Result<Self, DatasetError> {
        let entry = kind.entry();
        (entry.open)(entry, &Tree::scan(folder)?, strictness)
    }

    /// Opens a list in CSV, whose images lie under `images` (paths that are absolute stay so). What the scores
    /// mean is for the caller to say.
    ///
    /// The first line names the columns, in any case and order; others are ignored. Between them stand commas, semicolons
    /// or tabs, whichever the first line has most of.
    ///
    /// | column | also called | |
    /// |---|---|---|
    /// | `distorted` | `dist`, `dis`, `dist_img`, `dis_img_path`; `image`, `image_name`, `filename`, `file`, `path`, `name` | needed |
    /// | `score` | `mos`, `dmos` | needed |
    /// | `reference` | `ref`, `ref_img`, `ref_img_path`; `original`, `pristine` | the reference image |
    /// | `std` | `mos_std`, `dmos_std` | standard deviation of the ratings |
    /// | `group` | | what is on the picture; where it is empty, the reference image says so |
    /// | `type` | `dis_type` | name of the distortion |
    /// | `level` | | its strength, a whole number |
    ///
    /// Names after a semicolon are general ones: they count where there is none of those before it. Of the names that
    /// count, one column has one. A file that does not exist as the list writes it is the only one of that name in another
    /// case; `\` is taken for `/`.
    ///
    /// # Errors
    /// [`DatasetError::Io`], [`DatasetError::Column`], [`DatasetError::Malformed`] (also for an image listed
    /// twice and a reference in two groups), [`DatasetError::MissingImage`] when strict,
    /// [`DatasetError::EmptySet`].
    pub fn open_csv(
        list: &Path,
        images: &Path,
        name: &str,
        scale: ScoreScale,
        strictness: Strictness,
    ) -> Result<Self, DatasetError> {
        list::open(list, images, name, |_| Ok(scale), strictness)
    }

    /// As [`Self::open_csv`], where the range of the scores is not known: the lowest and the highest of the list stand in.
    /// Errors in the units of the ratings (RMSE), and [`ScoreScale::quality01`], then depend on which images are listed.
    ///
    /// # Errors
    /// As [`Self::open_csv`]; [`DatasetError::Malformed`] too when all scores are the same.
    pub fn open_csv_inferring_range(
        list: &Path,
        images: &Path,
        name: &str,
        kind: ScoreKind,
        direction: Direction,
        strictness: Strictness,
    ) -> Result<Self, DatasetError> {
        list::open(list, images, name, |rows| list::inferred(list, rows, kind, direction), strictness)
    }
}
