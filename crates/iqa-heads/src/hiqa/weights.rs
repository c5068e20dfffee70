//! Weight files. There are no others than ours: the authors released none.

use std::path::Path;

use burn::module::Module;
use burn::tensor::Device;
use iqa_core::{CoreError, NamedTensors, Precision};

use super::config::HiqaConfig;
use super::model::Hiqa;
use crate::HeadError;

/// Metadata key under which our files keep the configuration, as JSON.
const CONFIG_KEY: &str = "hiqa_config";

/// `(path in the module, name in the file)` of every parameter: the paths, with PyTorch's names for the two parameters
/// of a batch normalisation.
fn names<M: Module>(module: &M) -> Vec<(String, String)> {
    let rename = |path: String| match path.rsplit_once('.') {
        Some((layer, "gamma")) => format!("{layer}.weight"),
        Some((layer, "beta")) => format!("{layer}.bias"),
        _ => path,
    };
    let paths = NamedTensors::module_paths(module).into_iter().map(rename);
    paths.map(|path| (path.clone(), path)).collect()
}

impl Hiqa {
    /// Loads a weights file of ours, which carries its configuration.
    ///
    /// # Errors
    /// [`HeadError::Core`], [`HeadError::UnknownLayout`] for a file of another kind, [`HeadError::InvalidConfig`].
    pub fn load(path: impl AsRef<Path>, device: &Device) -> Result<Self, HeadError> {
        Self::from_tensors(NamedTensors::read(path)?, device)
    }

    /// As [`Self::load`], from tensors already read.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn from_tensors(tensors: NamedTensors, device: &Device) -> Result<Self, HeadError> {
        let Some(config) = HiqaConfig::stored_in(&tensors)? else {
            return Err(HeadError::UnknownLayout {
                path: tensors.origin().into(),
                expected: "HIQA weights with their configuration",
            });
        };
        Self::from_tensors_of(tensors, &config, device)
    }

    /// From tensors that carry no configuration, or another one.
    ///
    /// # Errors
    /// [`HeadError::Core`], [`HeadError::InvalidConfig`].
    pub fn from_tensors_of(
        tensors: NamedTensors,
        config: &HiqaConfig,
        device: &Device,
    ) -> Result<Self, HeadError> {
        config.validate()?;
        let model = config.init(device);
        let names = names(&model);
        Ok(tensors.load_into(model, &names)?)
    }

    /// Writes the weights with their configuration as safetensors, atomically.
    ///
    /// # Errors
    /// [`HeadError::Core`].
    pub fn save(&self, path: &Path, precision: Precision) -> Result<(), HeadError> {
        self.to_tensors(path)?.write_safetensors(path, precision)?;
        Ok(())
    }

    /// The weights under their names in a file, with the configuration as metadata.
    ///
    /// # Errors
    /// [`HeadError::Core`].
    pub fn to_tensors(&self, origin: &Path) -> Result<NamedTensors, HeadError> {
        let config = serde_json::to_string(&self.config)
            .map_err(|source| CoreError::WeightsFormat { path: origin.into(), source: source.into() })?;
        Ok(NamedTensors::from_module(self, &names(self), origin)?.with_metadata(CONFIG_KEY, config))
    }
}

impl HiqaConfig {
    /// The configuration that our own files carry beside the weights; `None` in a file of another origin.
    ///
    /// # Errors
    /// [`HeadError::Core`], [`HeadError::InvalidConfig`] when it is damaged.
    pub fn stored_in(tensors: &NamedTensors) -> Result<Option<Self>, HeadError> {
        let Some(json) = tensors.metadata(CONFIG_KEY) else { return Ok(None) };
        let config: Self = serde_json::from_str(json).map_err(|error| CoreError::Metadata {
            path: tensors.origin().into(),
            key: CONFIG_KEY.into(),
            expected: format!("a configuration as JSON ({error})"),
        })?;
        config.validate()?;
        Ok(Some(config))
    }
}
