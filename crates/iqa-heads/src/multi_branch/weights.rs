//! Weight files: the whole model in one, the frozen branch included.
//!
//! A trained model must score without the ImageNet weights at hand, so a file holds them too (59 MB of VGG16 in single
//! precision). Tensors keep torchvision's names behind `frp.`, `frnp.` and `nr.`; the perceptron is `mlp.0`, `mlp.1`, ...

use std::path::Path;

use burn::tensor::Device;
use iqa_backbones::{Backbone, BackboneConfig, BackboneError};
use iqa_nn::NamedTensors;

use super::config::MultiBranchConfig;
use super::model::MultiBranch;
use crate::shapes::Shapes;
use crate::{HeadError, Stored};

/// Before the names of the frozen branch.
const FRP: &str = "frp.";

type Names = Vec<(String, String)>;

/// `(path in the module, name in the file)` of a branch's parameters.
fn branch_names(config: &BackboneConfig, path: &str, prefix: &str) -> Result<Names, BackboneError> {
    let names = config.parameter_names()?.into_iter();
    Ok(names.map(|(inner, name)| (format!("{path}{inner}"), format!("{prefix}{name}"))).collect())
}

/// The same of everything but the frozen branch.
fn names(config: &MultiBranchConfig) -> Result<Names, BackboneError> {
    let mut names = Vec::new();
    if config.branches.has_frnp() {
        names.extend(branch_names(&config.learned(), "frnp.", "frnp.")?);
    }
    if config.branches.has_nr() {
        names.extend(branch_names(&config.learned(), "nr.", "nr.")?);
    }
    names.extend(perceptron(config, 0).names());
    Ok(names)
}

/// The parameters of the perceptron, which takes in so many features.
fn perceptron(config: &MultiBranchConfig, features: usize) -> Shapes {
    let mut shapes = Shapes::default();
    if config.branches.has_frozen_nr() {
        shapes.norm("norm", features);
    }
    let mut inputs = features;
    for (layer, &width) in config.hidden.iter().chain([&1]).enumerate() {
        shapes.linear(&format!("mlp.{layer}"), std::mem::replace(&mut inputs, width), width);
    }
    shapes
}

impl MultiBranch {
    /// Loads a file that [`Self::save`] wrote. Of `expected` the architecture must be the file's, and whether there is a
    /// reference; all else comes from the file.
    ///
    /// # Errors
    /// [`HeadError::Nn`], [`HeadError::UnknownLayout`], [`HeadError::StoredConfig`], [`HeadError::WrongModel`], [`HeadError::Backbone`].
    pub fn load(
        path: impl AsRef<Path>,
        expected: &MultiBranchConfig,
        device: &Device,
    ) -> Result<Self, HeadError> {
        Self::from_tensors(NamedTensors::read(path)?, expected, device)
    }

    /// As [`Self::load`], from tensors already read.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn from_tensors(
        mut tensors: NamedTensors,
        expected: &MultiBranchConfig,
        device: &Device,
    ) -> Result<Self, HeadError> {
        let path = tensors.origin().to_path_buf();
        let Some(config) = Self::stored_in(&tensors)? else {
            let expected = "a multi-branch model as saved by its training";
            return Err(HeadError::UnknownLayout { path, expected, found: tensors.first_names() });
        };
        if config.architecture != expected.architecture {
            return Err(HeadError::WrongModel {
                path,
                expected: format!("a multi-branch model on {}", expected.architecture),
                found: format!("one on {}", config.architecture),
            });
        }
        if config.branches.has_frp() != expected.branches.has_frp() {
            let kind = |config: &MultiBranchConfig| {
                let with = if config.branches.has_frp() { "with" } else { "without" };
                format!("a multi-branch model that scores {with} a reference")
            };
            return Err(HeadError::WrongModel { path, expected: kind(expected), found: kind(&config) });
        }
        // The branches have the widths of a known architecture.
        tensors.check_shapes(&perceptron(&config, config.features()?).0)?;
        let mut frozen = tensors.clone();
        frozen.discard(|key| !key.starts_with(FRP));
        tensors.discard(|key| key.starts_with(FRP));
        let frp: Backbone = config.frp().init(device);
        let frp = frozen.load_into(frp, &branch_names(&config.frp(), "", FRP)?)?;
        Ok(tensors.load_into(config.init(frp, device), &names(&config)?)?)
    }
}

/// Weights of all branches; folded ones cannot be stored.
impl Stored for MultiBranch {
    type Config = MultiBranchConfig;
    const FAMILY: &'static str = "the multi-branch model";
    const CONFIG_KEY: &'static str = "multi_branch_config";

    fn stored(&self) -> &MultiBranchConfig {
        &self.config
    }

    fn validate(config: &MultiBranchConfig) -> Result<(), HeadError> {
        config.validate()
    }

    fn weights(&self, origin: &Path) -> Result<NamedTensors, HeadError> {
        for branch in [Some(&self.frp), self.frnp.as_ref(), self.nr.as_ref()].into_iter().flatten() {
            if branch.is_fused() {
                let architecture = branch.config().architecture;
                return Err(BackboneError::Fused { architecture }.into());
            }
        }
        let frozen =
            NamedTensors::from_module(&self.frp, &branch_names(&self.config.frp(), "", FRP)?, origin)?;
        let learned = NamedTensors::from_module(self, &names(&self.config)?, origin)?;
        Ok(learned.joined(frozen))
    }
}
