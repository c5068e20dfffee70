use std::path::PathBuf;

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
    /// An image could not be decoded.
    #[error("{path}: cannot decode the image: {source}", path = path.display())]
    Image {
        /// The file.
        path: PathBuf,
        /// The decoder's reason.
        #[source]
        source: image::ImageError,
    },
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
}
