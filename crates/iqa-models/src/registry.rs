//! The models by name.

use iqa_core::ReferenceNeed;
use iqa_heads::wadiqam::WadiqamConfig;

use crate::ModelError;

/// A model that can be opened by name.
#[derive(Clone, Copy, Debug)]
pub struct ModelInfo {
    /// The name.
    pub name: &'static str,
    /// Whether it needs a reference image.
    pub reference: ReferenceNeed,
    /// Safetensors inside this crate; `None` where a file must be given.
    pub(crate) bundled: Option<&'static [u8]>,
    /// The published configuration; the weights decide on everything but reference need and pooling.
    pub(crate) config: fn() -> WadiqamConfig,
}

impl ModelInfo {
    /// Whether weights are inside this crate.
    pub fn is_bundled(&self) -> bool {
        self.bundled.is_some()
    }
}

const fn model(
    name: &'static str,
    reference: ReferenceNeed,
    bundled: Option<&'static [u8]>,
    config: fn() -> WadiqamConfig,
) -> ModelInfo {
    ModelInfo { name, reference, bundled, config }
}

/// Every model there is.
pub const MODELS: [ModelInfo; 4] = [
    model(
        "wadiqam_fr",
        ReferenceNeed::FullReference,
        Some(include_bytes!("../weights/wadiqam_fr.safetensors")),
        WadiqamConfig::wadiqam_fr,
    ),
    model(
        "wadiqam_nr",
        ReferenceNeed::NoReference,
        Some(include_bytes!("../weights/wadiqam_nr.safetensors")),
        WadiqamConfig::wadiqam_nr,
    ),
    model("diqam_fr", ReferenceNeed::FullReference, None, WadiqamConfig::diqam_fr),
    model("diqam_nr", ReferenceNeed::NoReference, None, WadiqamConfig::diqam_nr),
];

/// The model of that name.
///
/// # Errors
/// [`ModelError::UnknownModel`], which lists the names there are.
pub fn model_by_name(name: &str) -> Result<&'static ModelInfo, ModelError> {
    static TABLE: [ModelInfo; 4] = MODELS;
    TABLE.iter().find(|model| model.name == name).ok_or_else(|| ModelError::UnknownModel {
        name: name.into(),
        known: MODELS.iter().map(|model| model.name).collect(),
    })
}
