//! The models of a family by name, as statics beside their networks.

use burn::tensor::Device;
use iqa_core::ReferenceNeed;

use crate::provenance::{self, TrainingSource};
use crate::{ModelError, NamedTensors, QualityModel};

/// A model that can be opened by name.
#[derive(Clone, Copy, Debug)]
pub struct ModelInfo {
    /// The name.
    pub name: &'static str,
    /// Whether it needs a reference image.
    pub reference: ReferenceNeed,
    /// Who published it, and where.
    pub paper: &'static str,
    /// Where its weights come from.
    pub weights: WeightSource,
    /// What may be chosen when it is opened.
    pub options: &'static [OptionInfo],
    /// Makes it.
    pub make: Make,
}

/// Where a model's weights come from.
#[derive(Clone, Copy, Debug)]
pub enum WeightSource {
    /// Safetensors inside the crate, and what they have learned from.
    Bundled(&'static [u8], &'static [TrainingSource]),
    /// A part inside the crate, on top of a published network that is looked for in the cache; its licence.
    Partly(&'static [u8], &'static str),
    /// There are none to give: the model is a formula.
    None,
    /// A file that the caller gives; the text says where to get one.
    File(&'static str),
}

/// Makes a network of weights, with those of [`ModelInfo::options`] that were given.
pub type MakeNetwork = fn(NamedTensors, &Chosen<'_>, &Device) -> Result<Box<dyn QualityModel>, ModelError>;

/// How a model is made.
#[derive(Clone, Copy, Debug)]
pub enum Make {
    /// Of weights.
    Network(MakeNetwork),
    /// Of nothing.
    Formula(fn() -> Box<dyn QualityModel>),
}

/// Something that may be chosen when a model is opened.
#[derive(Clone, Copy, Debug)]
pub struct OptionInfo {
    /// The name.
    pub name: &'static str,
    /// What it does, with its usual value.
    pub help: &'static str,
}

/// The options that were given to a model.
#[derive(Clone, Copy, Debug)]
pub struct Chosen<'a> {
    model: &'static str,
    options: &'a [(&'a str, &'a str)],
}

impl Chosen<'_> {
    /// The value of an option, where it was given.
    ///
    /// # Errors
    /// [`ModelError::OptionValue`] when it is not what the option takes.
    pub fn parse<T: std::str::FromStr>(
        &self,
        option: &'static str,
        expected: &'static str,
    ) -> Result<Option<T>, ModelError> {
        let given = self.options.iter().find(|(name, _)| *name == option);
        let wrong =
            |found: &str| ModelError::OptionValue { name: self.model, option, expected, found: found.into() };
        given.map(|(_, value)| value.parse().map_err(|_| wrong(value))).transpose()
    }
}

impl ModelInfo {
    /// Whether the model scores without a file of weights.
    pub fn is_bundled(&self) -> bool {
        !matches!(self.weights, WeightSource::File(_) | WeightSource::Partly(..))
    }

    /// What the bundled weights have learned from, with its terms; nothing where there are none.
    pub fn training_data(&self) -> &'static [TrainingSource] {
        if let WeightSource::Bundled(_, sources) = self.weights { sources } else { &[] }
    }

    /// The licence of the bundled weights, or of the formula, and what follows from the terms of the training data for
    /// those who use them; `None` where the caller gives the weights.
    pub fn licence(&self) -> Option<&'static str> {
        match self.weights {
            WeightSource::Bundled(_, sources) => Some(provenance::licence(sources)),
            WeightSource::None => Some(provenance::OWN),
            WeightSource::Partly(_, licence) => Some(licence),
            WeightSource::File(_) => None,
        }
    }

    /// The model with the weights that it brings, or with those of a file.
    ///
    /// # Errors
    /// [`ModelError::WeightsNeeded`], [`ModelError::WeightsUnexpected`], [`ModelError::UnknownOption`],
    /// [`ModelError::OptionValue`], and what reading the weights gives.
    pub fn open(
        &self,
        weights: Option<NamedTensors>,
        options: &[(&str, &str)],
        device: &Device,
    ) -> Result<Box<dyn QualityModel>, ModelError> {
        let known = || self.options.iter().map(|option| option.name);
        if let Some((option, _)) = options.iter().find(|(given, _)| known().all(|name| name != *given)) {
            let (option, known) = ((*option).into(), known().collect());
            return Err(ModelError::UnknownOption { name: self.name, option, known });
        }
        let make = match self.make {
            Make::Formula(_) if weights.is_some() => {
                return Err(ModelError::WeightsUnexpected { name: self.name });
            }
            Make::Formula(make) => return Ok(make()),
            Make::Network(make) => make,
        };
        let tensors = match (weights, self.weights) {
            (Some(tensors), _) => tensors,
            (None, WeightSource::Bundled(bytes, _) | WeightSource::Partly(bytes, _)) => {
                NamedTensors::from_safetensors(bytes, format!("bundled weights of {}", self.name))?
            }
            (None, WeightSource::File(origin)) => {
                return Err(ModelError::WeightsNeeded { name: self.name, origin });
            }
            (None, WeightSource::None) => NamedTensors::new("none", []),
        };
        make(tensors, &Chosen { model: self.name, options }, device)
    }
}
