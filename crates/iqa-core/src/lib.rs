//! What everything in `iqa-models` stands on: decoding of pictures, files that are whole or not there, results that are
//! resumed, and the meaning of a score. Nothing here knows of networks.
//!
//! Images are RGB, 8 bits a channel.

mod claim;
mod decode;
mod digest;
mod error;
mod file;
mod folder;
mod maps;
mod observer;
pub mod panics;
mod results;
mod score;

pub use claim::FolderClaim;
pub use decode::{
    AlphaPolicy, DecodeOptions, decode_image, expected_bytes, expected_bytes_of, ignored_profile, read_image,
    to_rgb8,
};
pub use ndarray;

pub use digest::{sha256, sha256_of_file, short_sha256_of_file};
pub use error::CoreError;
pub use file::{
    FileId, create_folder, is_same_file, lock, output_target, remove_unnamed_temporaries, write_atomically,
};
pub use folder::{ImageFolder, images_in};
pub use maps::{PatchMap, PatchPosition, scale_shares};
pub use observer::{Observer, Silent, Work};
pub use results::{RecordForm, ResultsFile, read_records};
pub use score::{Direction, ReferenceNeed, ScoreSpec};
