//! Weight files.

use std::path::Path;

use burn::tensor::Device;
use iqa_nn::{NamedTensors, NnError};

use super::config::GsnConfig;
use super::model::Gsn;
use crate::{HeadError, Stored};

impl Gsn {
    /// Loads a weights file: safetensors or PyTorch, the parameters named as the modules are (`stem.conv.weight`,
    /// `blocks.0.1.norm.running_var`, `attention.0.weight`, `fusion.2.conv.weight`, `squeeze.weight`, `fc.bias`), axes
    /// as in PyTorch, convolutions not folded.
    ///
    /// Our files carry their configuration; of a file without one, `expected` is the configuration.
    ///
    /// # Errors
    /// [`HeadError::Nn`] for a file that cannot be read, or that lacks a tensor, or has one too many or of another
    /// shape; [`HeadError::ConfigurationMissing`] if it carries no configuration either; [`HeadError::StoredConfig`] for a
    /// damaged one.
    pub fn load(path: impl AsRef<Path>, expected: &GsnConfig, device: &Device) -> Result<Self, HeadError> {
        Self::from_tensors(NamedTensors::read(path)?, expected, device)
    }

    /// As [`Self::load`], from tensors already read.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn from_tensors(
        tensors: NamedTensors,
        expected: &GsnConfig,
        device: &Device,
    ) -> Result<Self, HeadError> {
        match Self::stored_in(&tensors)? {
            Some(config) => Self::from_tensors_of(tensors, &config, device),
            None => Self::from_tensors_of(tensors, expected, device).map_err(|error| match error {
                HeadError::Nn(
                    source @ (NnError::MissingTensor { .. }
                    | NnError::TensorShape { .. }
                    | NnError::UnusedTensors { .. }),
                ) => HeadError::ConfigurationMissing { key: Self::CONFIG_KEY, source },
                other => other,
            }),
        }
    }

    /// From tensors of this configuration, whatever they carry.
    ///
    /// # Errors
    /// [`HeadError::Nn`], [`HeadError::InvalidConfig`].
    pub fn from_tensors_of(
        mut tensors: NamedTensors,
        config: &GsnConfig,
        device: &Device,
    ) -> Result<Self, HeadError> {
        config.validate()?;
        tensors.discard(|key| key.ends_with(".num_batches_tracked"));
        Ok(config.shapes().load(tensors, || config.init(device))?)
    }
}

/// Weights are not folded.
impl Stored for Gsn {
    type Config = GsnConfig;
    const FAMILY: &'static str = "GSN";
    const CONFIG_KEY: &'static str = "gsn_config";

    fn stored(&self) -> &GsnConfig {
        &self.config
    }

    fn validate(config: &GsnConfig) -> Result<(), HeadError> {
        config.validate()
    }

    fn weights(&self, origin: &Path) -> Result<NamedTensors, HeadError> {
        Ok(self.config.shapes().weights(self, origin)?)
    }
}
