use thiserror::Error;

/// Which of two lists an error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List {
    /// The scores of a model.
    Predicted,
    /// The opinions of people.
    Subjective,
}

impl std::fmt::Display for List {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Predicted => "predicted",
            Self::Subjective => "subjective",
        })
    }
}

/// Why a figure of agreement, or a measure of an image, does not exist.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum MetricsError {
    /// The two lists differ in length.
    #[error("{predicted} predicted scores but {subjective} subjective ones")]
    UnequalLength {
        /// Length of the first list.
        predicted: usize,
        /// Length of the second list.
        subjective: usize,
    },
    /// Too few pairs for the figure.
    #[error("{found} pairs are too few, {needed} are needed")]
    TooShort {
        /// Pairs given.
        found: usize,
        /// Pairs needed.
        needed: usize,
    },
    /// A value is NaN or infinite.
    #[error("{list} score {index} is not finite")]
    NotFinite {
        /// The list.
        list: List,
        /// Its index, from 0.
        index: usize,
    },
    /// All values of a list are the same: no correlation is defined.
    #[error("all {list} scores are the same")]
    Constant {
        /// The list.
        list: List,
    },
    /// The least-squares search for a logistic curve did not end.
    #[error("the logistic fit did not converge from any of {starts} starts")]
    NotConverged {
        /// Starts of the search.
        starts: usize,
    },
    /// A confidence level outside (0, 1), no resamples, or too many.
    #[error(
        "a confidence interval needs a level in (0, 1) and 1 to 1000000 resamples, not {level} and {resamples}"
    )]
    Interval {
        /// The level given.
        level: f64,
        /// The resamples given.
        resamples: usize,
    },
    /// All pairs are of one group: nothing is known of how groups differ.
    #[error("a bootstrap over groups needs two or more, not one")]
    OneGroup,
    /// Distorted image and reference differ in size.
    #[error("the distorted image is {}x{} but its reference is {}x{}", distorted.0, distorted.1, reference.0, reference.1)]
    SizeMismatch {
        /// Width and height of the distorted image, in pixels.
        distorted: (u32, u32),
        /// Width and height of the reference, in pixels.
        reference: (u32, u32),
    },
    /// An array of pixels that is not one of red, green and blue.
    #[error("an array of {found} channels is no picture of red, green and blue")]
    Channels {
        /// Length of its last axis.
        found: usize,
    },
    /// An image is too small for a measure's windows.
    #[error("the image is {}x{}, the smallest that {measure} takes is {minimum}x{minimum}", size.0, size.1)]
    TooSmall {
        /// The measure.
        measure: &'static str,
        /// Width and height of the image, in pixels.
        size: (u32, u32),
        /// Smallest width and height, in pixels.
        minimum: u32,
    },
    /// A channel whose values do not fill its size.
    #[error("a plane of {width}x{height} cannot have {values} values")]
    PlaneSize {
        /// Columns.
        width: usize,
        /// Rows.
        height: usize,
        /// Values given.
        values: usize,
    },
}
