//! The one error type of this crate.

use std::path::{Path, PathBuf};

use thiserror::Error;

/// What can go wrong with pictures and files.
///
/// Every variant that concerns a file names it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CoreError {
    /// A file could not be opened, read or written.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        #[source]
        source: std::io::Error,
    },
    /// A file where a folder is to be written into, or in place of one above it.
    #[error("{path}: {}a file; expected a folder, or nothing", above(path, file), path = path.display())]
    NotAFolder {
        /// The folder.
        path: PathBuf,
        /// The file.
        file: PathBuf,
    },
    /// A file of results that another run is writing.
    #[error("{path}: another run is writing this file", path = path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// A folder that another run is writing into.
    #[error("{path}: another run is writing into this folder", path = path.display())]
    FolderInUse {
        /// The folder.
        path: PathBuf,
    },
    /// A file that a run would overwrite, and that none has made.
    #[error(
        "{path}: would be overwritten, and no run in this folder has made it; move it away, or use another folder",
        path = path.display()
    )]
    ForeignFile {
        /// The file.
        path: PathBuf,
    },
    /// A file that a run would overwrite, and that was made by another program, or of another input.
    #[error(
        "{path}: would be overwritten, and was made by `{maker}`{}; move it away, or use another folder",
        if *same { " of another input" } else { "" },
        path = path.display()
    )]
    OtherMaker {
        /// The file.
        path: PathBuf,
        /// The program that made it.
        maker: String,
        /// Whether it is the one that runs.
        same: bool,
    },
    /// A file of results has the score of a picture that is no longer what it was.
    #[error(
        "{path}: holds a score of {picture} from when that file had other content; use another file or folder",
        path = path.display(),
        picture = picture.display()
    )]
    OtherPicture {
        /// The file of results.
        path: PathBuf,
        /// The picture, or the reference.
        picture: PathBuf,
    },
    /// A file that should hold results, and holds something else.
    #[error("{path}, line {line}: expected {expected}, found `{found}`", path = path.display())]
    NotResults {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What belongs there.
        expected: String,
        /// What is there; the beginning of it, where it is long.
        found: String,
    },
    /// A file of results that depend on something else than those of this run do.
    #[error("{path}: scores of another {what}: expected {expected}, found {found}; use another file or folder", path = path.display())]
    OtherResults {
        /// The file.
        path: PathBuf,
        /// What differs.
        what: &'static str,
        /// That of this run.
        expected: String,
        /// That of the file.
        found: String,
    },
    /// An image file is damaged, or of a flavour that its decoder does not know.
    #[error("{path}: cannot decode the image: {source}", path = path.display())]
    Decode {
        /// The file.
        path: PathBuf,
        /// The decoder's reason, cut to a line.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// An image file is of a flavour that is not read.
    #[error("{path}: {what} is not supported", path = path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// The flavour.
        what: String,
    },
    /// An image file ends before its image does.
    #[error("{path}: the image is truncated", path = path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
    },
    /// The content is none of the supported image formats.
    #[error("{path}: not a PNG, JPEG, BMP, TIFF or WebP image", path = path.display())]
    UnknownFormat {
        /// The file.
        path: PathBuf,
    },
    /// An image is larger than the decoder may decode.
    #[error("{path}: {width}x{height} is above the limit of {max_pixels} pixels", path = path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// The limit in force, in pixels.
        max_pixels: u64,
    },
    /// An image has an alpha channel and the options refuse one.
    #[error("{path}: has an alpha channel, which the options refuse", path = path.display())]
    AlphaRefused {
        /// The file.
        path: PathBuf,
    },
    /// An image has no pixels.
    #[error("{path}: the image is empty", path = path.display())]
    EmptyImage {
        /// The file.
        path: PathBuf,
    },
    /// A floating-point image holds NaN or infinity.
    #[error("{path}: the image holds a value that is not finite", path = path.display())]
    NonFinite {
        /// The file.
        path: PathBuf,
    },
    /// A floating-point image holds a value far outside the range.
    #[error("{path}: the image holds the value {value}, expected floats of 0 (black) to 1 (white)", path = path.display())]
    FloatRange {
        /// The file.
        path: PathBuf,
        /// The value.
        value: f64,
    },
}

/// Longest part of a foreign file that an error shows, in characters.
const SHOWN: usize = 80;

impl CoreError {
    /// [`Self::NotResults`] that shows the beginning of what it found.
    pub fn not_results(path: &Path, line: usize, expected: &str, found: &str) -> Self {
        let mut shown: String = found.chars().take(SHOWN).flat_map(char::escape_debug).collect();
        if found.chars().nth(SHOWN).is_some() {
            shown += "...";
        }
        Self::NotResults { path: path.into(), line, expected: expected.into(), found: shown }
    }
}

/// What of a path is the file, where it is not all of it.
fn above(path: &Path, file: &Path) -> String {
    if path == file { String::new() } else { format!("{} is ", file.display()) }
}
