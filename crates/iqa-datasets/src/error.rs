use std::path::PathBuf;

use iqa_core::CoreError;
use thiserror::Error;

/// What can go wrong with a data set.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DatasetError {
    /// A file or folder could not be read.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The operating system's reason.
        #[source]
        source: std::io::Error,
    },
    /// An image could not be read; the reason names the file.
    #[error(transparent)]
    Image(#[from] CoreError),
    /// A folder holds no image.
    #[error("{path}: no PNG, JPEG, BMP, TIFF or WebP image in this folder", path = path.display())]
    NoImages {
        /// The folder.
        path: PathBuf,
    },
    /// A reference is smaller than the crop asked for.
    #[error("reference `{name}` is {}x{}, smaller than the crop of {}x{}", found.0, found.1, needed.0, needed.1)]
    ReferenceTooSmall {
        /// Its name.
        name: String,
        /// Its width and height, in pixels.
        found: (u32, u32),
        /// Width and height of the crop, in pixels.
        needed: (u32, u32),
    },
    /// A photograph is not what it was when a run began.
    #[error("{path}: not the pixels that it had when it was first read", path = path.display())]
    PhotographChanged {
        /// The file.
        path: PathBuf,
    },
    /// A photograph whose place in a published set is not known.
    #[error("photograph `{name}` is not in the list of crops")]
    NoCrop {
        /// Its name.
        name: String,
    },
    /// A crop without pixels.
    #[error("a crop of {}x{} has no pixels", size.0, size.1)]
    EmptyCrop {
        /// Its width and height.
        size: (u32, u32),
    },
    /// A severity outside the published range.
    #[error("distortion level {found} is outside 1 to 5")]
    Level {
        /// The value.
        found: f32,
    },
    /// A distortion that does not exist.
    #[error("unknown distortion `{name}`: expected one of {}", .known.join(", "))]
    UnknownDistortion {
        /// The name given.
        name: String,
        /// The names there are.
        known: Vec<&'static str>,
    },
    /// A distortion that was to come with a score, and has none.
    #[error("the distortion `{name}` has no mean opinion scores")]
    Unlabelled {
        /// Its name.
        name: &'static str,
    },
    /// A codec that an image was to go through failed.
    #[error("{codec}: cannot take an image of {}x{} through: {source}", size.0, size.1)]
    Codec {
        /// The codec.
        codec: &'static str,
        /// Width and height of the image, in pixels.
        size: (u32, u32),
        /// Its reason.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A split that asks for more references than there are, or leaves a part empty.
    #[error("cannot split {references} references into {train} + {validation} + {test}")]
    Split {
        /// References there are.
        references: usize,
        /// References asked for, for training.
        train: usize,
        /// References asked for, for validation.
        validation: usize,
        /// References asked for, for testing.
        test: usize,
    },
    /// A set that would hold no sample.
    #[error("the set is empty: no {what}")]
    Empty {
        /// What is missing.
        what: &'static str,
    },
    /// A label file without a single rated image that exists.
    #[error("{labels}: the set is empty: no rated image that exists", labels = labels.display())]
    EmptySet {
        /// The label file.
        labels: PathBuf,
    },
    /// A label file that does not hold what it should.
    #[error("{path}, line {line}: expected {expected}, found `{found}`", path = path.display())]
    Malformed {
        /// The label file.
        path: PathBuf,
        /// Line, row or entry, from 1.
        line: usize,
        /// What belongs there.
        expected: &'static str,
        /// What is there.
        found: String,
    },
    /// A label file that rates a picture twice.
    #[error(
        "{path}, line {line}: expected an image not listed before, found `{image}`, the picture of line {earlier}",
        path = path.display(),
        image = image.display()
    )]
    ListedTwice {
        /// The label file.
        path: PathBuf,
        /// Line, row or entry of the second rating, from 1.
        line: usize,
        /// The picture, as it is named there.
        image: PathBuf,
        /// Line, row or entry of the first.
        earlier: usize,
    },
    /// A CSV file without a column that is needed.
    #[error("{path}, line 1: expected a column {expected}, found {found:?}", path = path.display())]
    Column {
        /// The file.
        path: PathBuf,
        /// The names it may have.
        expected: String,
        /// The columns there are.
        found: Vec<String>,
    },
    /// A spreadsheet that cannot be read.
    #[error("{path}: cannot read the spreadsheet: {source}", path = path.display())]
    Spreadsheet {
        /// The file.
        path: PathBuf,
        /// The reader's reason.
        #[source]
        source: Box<calamine::XlsxError>,
    },
    /// A MATLAB file that cannot be read, or lacks a variable.
    #[error("{path}: expected {expected}", path = path.display())]
    Mat {
        /// The file.
        path: PathBuf,
        /// What belongs there.
        expected: String,
    },
    /// A folder without the label file of the set.
    #[error("{folder}: expected the label file {expected}", folder = folder.display())]
    NoLabels {
        /// The folder of the set.
        folder: PathBuf,
        /// The names it may have.
        expected: &'static str,
    },
    /// An image that the labels list and the folder lacks.
    #[error("{labels}, line {line}: expected the image {image}: no such file", labels = labels.display(), image = image.display())]
    MissingImage {
        /// The label file.
        labels: PathBuf,
        /// Line, row or entry, from 1.
        line: usize,
        /// The image.
        image: PathBuf,
    },
    /// A set that is not complete.
    #[error("{labels}: expected {expected} {what}, found {found}", labels = labels.display())]
    Count {
        /// The label file.
        labels: PathBuf,
        /// What was counted.
        what: String,
        /// The published count.
        expected: usize,
        /// The count here.
        found: usize,
    },
    /// A name that is none of those known.
    #[error("unknown {what} `{name}`: expected one of {}", .known.join(", "))]
    UnknownName {
        /// What it should name.
        what: &'static str,
        /// The name given.
        name: String,
        /// The names there are.
        known: Vec<&'static str>,
    },
    /// A range of scores whose ends, or whose width, are not finite, or whose ends are not in order.
    #[error(
        "a range of scores from {low:?} to {high:?}: expected finite ends and a finite width, the lower first"
    )]
    ScoreRange {
        /// The lower end given.
        low: f64,
        /// The upper end given.
        high: f64,
    },
    /// Ratios of a split that are no ratios.
    #[error("split ratios {found:?}: expected finite parts from 0 to 1 that sum to 1, the first above 0")]
    SplitRatios {
        /// Training, validation, testing.
        found: [f64; 3],
    },
    /// A split by image asked of a set with references, or the other way round.
    #[error("{name}: expected a set {expected} references")]
    SplitUnit {
        /// The set.
        name: String,
        /// `with` or `without`.
        expected: &'static str,
    },
    /// The published split asked of a set that has none.
    #[error("{name}: expected a set with a published split")]
    NoSplit {
        /// The set.
        name: String,
    },
    /// A distorted image and its reference differ in size.
    #[error("{distorted} is {}x{}, its reference {reference} {}x{}", found.0, found.1, expected.0, expected.1, distorted = distorted.display(), reference = reference.display())]
    PairSize {
        /// The distorted image.
        distorted: PathBuf,
        /// Its width and height, in pixels.
        found: (u32, u32),
        /// The reference.
        reference: PathBuf,
        /// Its width and height, in pixels.
        expected: (u32, u32),
    },
    /// An image whose size does not fit.
    #[error("an image of {}x{}: expected {expected} {}x{}", found.0, found.1, size.0, size.1)]
    ImageSize {
        /// Its width and height, in pixels.
        found: (u32, u32),
        /// What `size` is.
        expected: &'static str,
        /// The width and height it should have or fit, in pixels.
        size: (u32, u32),
    },
    /// A background thread could not be started.
    #[error("cannot start a decoding thread: {source}")]
    Thread {
        /// The operating system's reason.
        #[source]
        source: std::io::Error,
    },
    /// A background thread ended before its work was done.
    #[error("{path}: the decoder failed without giving a reason", path = path.display())]
    Decoder {
        /// The image it was to decode.
        path: PathBuf,
    },
}
