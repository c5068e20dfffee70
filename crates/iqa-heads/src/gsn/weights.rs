//! Weight files.

use std::path::Path;

use burn::tensor::Device;
use iqa_nn::{NamedTensors, NnError, Precision};

use super::config::GsnConfig;
use super::model::Gsn;
use crate::HeadError;
use crate::stored::stored_config;

/// Metadata key under which our files keep the configuration, as JSON.
const CONFIG_KEY: &str = "gsn_config";

impl Gsn {
    /// Loads a weights file: safetensors or PyTorch, the parameters named as the modules are (`stem.conv.weight`,
    /// `blocks.0.1.norm.running_var`, `attention.0.weight`, `fusion.2.conv.weight`, `squeeze.weight`, `fc.bias`), axes
    /// as in PyTorch, convolutions not folded.
    ///
    /// Our files carry their configuration; of a file without one, `expected` is the configuration.
    ///
    /// # Errors
    /// [`HeadError::Nn`] for a file that cannot be read, or that lacks a tensor, or has one too many or of another
    /// shape; [`HeadError::StoredConfig`] for a damaged configuration.
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
        let config = GsnConfig::stored_in(&tensors)?.unwrap_or_else(|| expected.clone());
        Self::from_tensors_of(tensors, &config, device)
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
        let shapes = config.shapes();
        tensors.check_shapes(&shapes.0)?;
        Ok(tensors.load_into(config.init(device), &shapes.names())?)
    }

    /// Writes the weights, not folded, with their configuration as safetensors, atomically.
    ///
    /// # Errors
    /// [`HeadError::Nn`].
    pub fn save(&self, path: &Path, precision: Precision) -> Result<(), HeadError> {
        self.to_tensors(path)?.write_safetensors(path, precision)?;
        Ok(())
    }

    /// The weights by name, with the configuration as metadata.
    ///
    /// # Errors
    /// [`HeadError::Nn`].
    pub fn to_tensors(&self, origin: &Path) -> Result<NamedTensors, HeadError> {
        let config = serde_json::to_string(&self.config)
            .map_err(|source| NnError::WeightsUnfit { path: origin.into(), source: source.into() })?;
        Ok(NamedTensors::from_module(self, &self.config.shapes().names(), origin)?
            .with_metadata(CONFIG_KEY, config))
    }
}

impl GsnConfig {
    /// The configuration that our own files carry beside the weights; `None` in a file of another origin.
    ///
    /// # Errors
    /// [`HeadError::Nn`], [`HeadError::StoredConfig`] when it is damaged.
    pub fn stored_in(tensors: &NamedTensors) -> Result<Option<Self>, HeadError> {
        stored_config(tensors, CONFIG_KEY, Self::validate)
    }
}
