//! The multi-branch model: distances in a frozen ImageNet network and in a learned one, and features of the distorted
//! image alone, joined by a perceptron.
//!
//! Source: the full-reference model of Dutta, Das and Shah with an FRP (pretrained), an FRNP (not pretrained) and an NR
//! branch: `p = MLP(d_FRP ++ d_FRNP ++ f_NR)`, with `d = GAP(|phi(distorted) - phi(reference)|)` and `f = GAP(phi(distorted))` at
//! four scales, concatenated. The authors released no code; what the paper leaves open is a field of
//! [`MultiBranchConfig`].
//!
//! | branch | network | learns |
//! |---|---|---|
//! | FRP | the ImageNet weights | never: it is no part of the module's parameters |
//! | FRNP | random at first, the same for both images | yes |
//! | NR | random at first, sees the distorted image alone | yes |
//!
//! Of the small models ([`MultiBranchConfig::lite`]) only the perceptron learns; the one without a reference is bundled.

mod config;
mod model;
mod models;
mod quality;
mod score;
mod weights;

pub use config::{Branches, MultiBranchConfig, TapRule};
pub use model::{MultiBranch, PairBatch};
pub use models::{MODELS, bundled_network};
pub use quality::MultiBranchModel;
pub use score::PreparedReference;
