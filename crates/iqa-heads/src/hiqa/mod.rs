//! HIQA: hallucinate the reference of a distorted image, and score the discrepancy between the two.
//!
//! Source: K.-Y. Lin and G. Wang, "Hallucinated-IQA: No-Reference Image Quality Assessment via Adversarial
//! Learning", CVPR 2018, with figure 2 and the first page of its supplementary material. No code of the authors is
//! public; sizes that neither gives are those of the networks that the paper builds on (stacked hourglasses, ResNet-18,
//! DCGAN), and say so where they stand.
//!
//! | part | what |
//! |---|---|
//! | [`Generator`] | distorted image to hallucinated reference; gives the deepest features of its last hourglass too |
//! | [`Regressor`] | distorted image and discrepancy map to a score; without the map it is the paper's baseline |
//! | [`Discriminator`] | real or hallucinated; serves training alone |
//! | [`Hiqa`] | generator and regressor together: scores images, draws what it hallucinates |
//!
//! The three networks take and give images scaled to `[-1, 1]` ([`to_network`], [`to_unit`]); [`Hiqa`] takes RGB in
//! `[0, 1]` and scales it.

mod config;
mod discriminator;
mod generator;
mod layers;
mod model;
mod models;
mod patches;
mod quality;
mod regressor;
mod score;
mod weights;

pub use config::{
    DiscriminatorConfig, GeneratorConfig, GeneratorOutput, HiqaConfig, MapSource, PATCH, PATCH_MULTIPLE,
    RegressorConfig,
};
pub use discriminator::Discriminator;
pub use generator::{Generator, Hallucination};
pub use iqa_nn::Statistics;
pub use model::{Hiqa, discrepancy, to_network, to_unit};
pub use models::{MODELS, bundled_network};
pub use patches::overlapped_positions;
pub use quality::HiqaModel;
pub use regressor::{Regression, Regressor, STAGES};
pub use score::{Hallucinated, HiqaScore, HiqaScoreOptions, MAP_GAIN};
