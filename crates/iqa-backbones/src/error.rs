use std::error::Error as StdError;
use std::fmt;
use std::path::PathBuf;

use iqa_core::CoreError;
use iqa_nn::NnError;
use thiserror::Error;

use crate::Architecture;

/// What can go wrong with a backbone.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BackboneError {
    /// From a lower crate: reading files and weights.
    #[error(transparent)]
    Core(#[from] CoreError),
    /// From a lower crate: weights and tensors.
    #[error(transparent)]
    Nn(#[from] NnError),
    /// A tap at a layer that the network does not have.
    #[error("{architecture} has no layer `{name}` to tap: expected one of {}", .known.join(", "))]
    UnknownTap {
        /// The network.
        architecture: Architecture,
        /// The name given.
        name: String,
        /// The layers there are, first to last.
        known: Vec<String>,
    },
    /// A configuration that asks for no features.
    #[error("{architecture} without a tap gives no features")]
    NoTaps {
        /// The network.
        architecture: Architecture,
    },
    /// A width that leaves a layer without channels or with a fraction of one.
    #[error("{architecture} cannot be {divisor} times narrower: expected a divisor of 1, 2, 4, 8 or 16")]
    WidthDivisor {
        /// The network.
        architecture: Architecture,
        /// The divisor given.
        divisor: usize,
    },
    /// A network without its batch norms was to be saved or trained.
    #[error("{architecture} is fused: its batch norms are folded into its convolutions")]
    Fused {
        /// The network.
        architecture: Architecture,
    },
    /// A name of pretrained weights that does not exist.
    #[error("unknown pretrained weights `{name}`: expected one of {}", .known.join(", "))]
    UnknownPretrained {
        /// The name given.
        name: String,
        /// The names there are.
        known: Vec<&'static str>,
    },
    /// Pretrained weights are not at hand, and may not or cannot be downloaded.
    #[error("no weights for `{name}` at hand, and {reason}: save {url} as {path}", path = path.display())]
    PretrainedMissing {
        /// The weights asked for.
        name: &'static str,
        /// Where they are published.
        url: &'static str,
        /// The file that was looked for.
        path: PathBuf,
        /// Why they were not downloaded.
        reason: MissingReason,
    },
    /// A file under a published name has another digest than the published one.
    #[error(
        "{path}: damaged: SHA-256 is {found}, that of {url} starts with {expected}; delete the file",
        path = path.display()
    )]
    PretrainedDigest {
        /// The file.
        path: PathBuf,
        /// Where the good one is published.
        url: &'static str,
        /// First hex digits of the published digest.
        expected: &'static str,
        /// The file's digest.
        found: String,
    },
    /// There is no folder to keep weights in: the environment names neither one nor a home.
    #[error("no folder for caches: set {variable}")]
    NoCacheFolder {
        /// The environment variable that names one.
        variable: &'static str,
    },
    /// A server did not answer, or not in HTTP.
    #[error("{url}: no answer: {source}")]
    Unreachable {
        /// What was asked for.
        url: &'static str,
        /// The client's reason.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// A server answered, but did not send the file.
    #[error("{url}: expected the file, the server answered with status {status}")]
    HttpStatus {
        /// What was asked for.
        url: &'static str,
        /// The status code.
        status: u16,
    },
    /// A download broke off; what came is kept, and the next one goes on from there.
    #[error(
        "{url}: the download broke off after {received} of {} bytes, kept in {path}: {source}",
        .total.map_or_else(|| "unknown".to_owned(), |total| total.to_string()), path = path.display()
    )]
    Interrupted {
        /// What was asked for.
        url: &'static str,
        /// The file that holds what came.
        path: PathBuf,
        /// Bytes in it.
        received: u64,
        /// Bytes of the whole file, where the server told.
        total: Option<u64>,
        /// The reason.
        #[source]
        source: std::io::Error,
    },
    /// A server sent another file than the published one; it was not kept.
    #[error("{url}: expected a file whose SHA-256 starts with {expected}, got one with {found}; not kept")]
    DownloadDigest {
        /// What was asked for.
        url: &'static str,
        /// First hex digits of the published digest.
        expected: &'static str,
        /// The digest of what came.
        found: String,
    },
}

/// Why weights that were not at hand were not downloaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MissingReason {
    /// The caller named the folder to look in.
    NotInFolder,
    /// Downloads are switched off.
    Offline,
    /// This build has no downloads.
    NotCompiled,
}

impl fmt::Display for MissingReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotInFolder => "only that folder was to be looked in",
            Self::Offline => "downloads are switched off (IQA_MODELS_OFFLINE)",
            Self::NotCompiled => "this build cannot download (Cargo feature `download`)",
        })
    }
}
