//! Published weight files: torchvision's, and those of `efficientnet_lite_pytorch`.

use std::collections::HashSet;
use std::path::Path;

use burn::tensor::Device;
use iqa_nn::NamedTensors;

use crate::{
    Architecture, Backbone, BackboneConfig, BackboneError, efficientnet, inception, resnet, sequential,
};

/// Tensors of published files that no features come from: the classifiers, and a counter that nothing reads.
const IGNORED: [&str; 6] = ["classifier.", "fc.", "AuxLogits.", "_conv_head.", "_bn1.", "_fc."];
const IGNORED_SUFFIX: &str = ".num_batches_tracked";

impl Backbone {
    /// Loads a torchvision file, `.pth` or safetensors; of a cut-off network the layers that are there.
    ///
    /// The classifiers (`classifier.*`, `fc.*`, `AuxLogits.*`), `*.num_batches_tracked` and torchvision's layers behind the
    /// deepest tap are not looked at. Any other tensor that is missing, unused or misshapen is an error.
    ///
    /// # Errors
    /// [`BackboneError`], naming the file.
    pub fn load(
        path: impl AsRef<Path>,
        config: &BackboneConfig,
        device: &Device,
    ) -> Result<Self, BackboneError> {
        Self::from_tensors(NamedTensors::read(path)?, config, device)
    }

    /// As [`Self::load`], from tensors already read.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn from_tensors(
        mut tensors: NamedTensors,
        config: &BackboneConfig,
        device: &Device,
    ) -> Result<Self, BackboneError> {
        let names = config.parameter_names()?;
        let wanted: HashSet<&str> = names.iter().map(|(_, name)| name.as_str()).collect();
        let whole: HashSet<String> =
            config.whole().parameter_names()?.into_iter().map(|(_, name)| name).collect();
        tensors.discard(|key| {
            IGNORED.iter().any(|prefix| key.starts_with(prefix))
                || key.ends_with(IGNORED_SUFFIX)
                || (whole.contains(key) && !wanted.contains(key))
        });
        Ok(tensors.load_into(config.init(device), &names)?)
    }

    /// The weights under torchvision's names.
    ///
    /// # Errors
    /// [`BackboneError::Fused`], [`BackboneError::Core`].
    pub fn to_tensors(&self, origin: &Path) -> Result<NamedTensors, BackboneError> {
        if self.is_fused() {
            return Err(BackboneError::Fused { architecture: self.config().architecture });
        }
        Ok(NamedTensors::from_module(self, &self.config().parameter_names()?, origin)?)
    }
}

impl BackboneConfig {
    /// `(path in the module, torchvision's name)` of every parameter and running statistic.
    ///
    /// # Errors
    /// As [`Self::feature_info`].
    pub fn parameter_names(&self) -> Result<Vec<(String, String)>, BackboneError> {
        let plan = self.plan()?;
        let units = match self.architecture {
            Architecture::Vgg16 | Architecture::Vgg19 | Architecture::AlexNet => {
                return Ok(sequential::names(self.architecture, &plan));
            }
            Architecture::ResNet18 | Architecture::ResNet50 => resnet::units(self, &plan),
            Architecture::InceptionV3 => inception::units(&plan),
            Architecture::EfficientNetLite0 => efficientnet::units(&plan),
        };
        let parameters = |(path, [conv, norm]): (String, [String; 2])| {
            let of_norm = ["weight", "bias", "running_mean", "running_var"]
                .map(|parameter| (format!("{path}.bn.{parameter}"), format!("{norm}.{parameter}")));
            [(format!("{path}.conv.weight"), format!("{conv}.weight"))].into_iter().chain(of_norm)
        };
        Ok(units.into_iter().flat_map(parameters).collect())
    }
}
