use iqa_core::CoreError;
use thiserror::Error;

use crate::Architecture;

/// What can go wrong with a backbone.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BackboneError {
    /// From a lower crate: reading files and weights.
    #[error(transparent)]
    Core(#[from] CoreError),
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
}
