//! The models of a family by name, as statics beside their networks.

use burn::tensor::Device;
use iqa_core::{Direction, Observer, ReferenceNeed};

use crate::provenance::{self, TrainingSource};
use crate::{ModelError, NamedTensors, QualityModel};

/// A model that can be opened by name.
#[derive(Clone, Copy, Debug)]
pub struct ModelInfo {
    /// The name.
    pub name: &'static str,
    /// Whether it needs a reference image.
    pub reference: ReferenceNeed,
    /// Direction and nominal range, `(lowest, highest)`, of its scores; `None` where the caller's weights say it.
    pub scale: Option<(Direction, (f64, f64))>,
    /// Who published it, and where.
    pub paper: &'static str,
    /// What may be chosen when it is opened.
    pub options: &'static [OptionInfo],
    /// How well it agrees with people, by itself or with the weights that it brings, where that was measured.
    pub accuracy: &'static [Accuracy],
    /// What it is made of.
    pub source: Source,
}

/// Agreement of a model's scores with opinions on pictures that it has not learned from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Accuracy {
    /// The pictures and whose opinions.
    pub set: &'static str,
    /// Spearman's rank correlation, from -1 to 1: with the sign that higher opinions for better scores give.
    pub srcc: f64,
    /// Pearson's correlation likewise, without a fit.
    pub plcc: f64,
}

impl Accuracy {
    /// On four references of TID2013 (I07, I13, I17, I22) with all 24 types at five levels, 480 pairs, remade by this project;
    /// against the published mean opinions.
    pub const fn tid2013(srcc: f64, plcc: f64) -> Self {
        Self { set: "TID2013 remade", srcc, plcc }
    }

    /// On the published test part of BIQ2021, 2,000 photographs with real flaws.
    pub const fn biq2021(srcc: f64, plcc: f64) -> Self {
        Self { set: "BIQ2021", srcc, plcc }
    }
}

/// What a model is made of.
#[derive(Clone, Copy, Debug)]
pub enum Source {
    /// Weights, and what makes the network of them.
    Network(WeightSource, MakeNetwork),
    /// Nothing: it is a formula.
    Formula(fn() -> Box<dyn QualityModel>),
}

/// Where a model's weights come from.
#[derive(Clone, Copy, Debug)]
pub enum WeightSource {
    /// Safetensors inside the crate, and what they have learned from.
    Bundled(&'static [u8], &'static [TrainingSource]),
    /// A part inside the crate, on top of a published network that is looked for in the cache; its licence.
    Partly(&'static [u8], &'static str),
    /// A file that the caller gives; the text says where to get one.
    File(&'static str),
}

/// Makes a network of weights, with those of [`ModelInfo::options`] that were given.
pub type MakeNetwork = fn(NamedTensors, &Chosen<'_>, &Device) -> Result<Box<dyn QualityModel>, ModelError>;

/// Something that may be chosen when a model is opened.
#[derive(Clone, Copy, Debug)]
pub struct OptionInfo {
    /// The name.
    pub name: &'static str,
    /// What it does, with its usual value.
    pub help: &'static str,
}

/// The options that were given to a model, and who looks on while it opens.
#[derive(Clone, Copy)]
pub struct Chosen<'a> {
    model: &'static str,
    options: &'a [(&'a str, &'a str)],
    /// Who looks on at a download.
    pub observer: &'a dyn Observer,
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
    /// Where its weights come from; `None` for a formula.
    pub fn weights(&self) -> Option<WeightSource> {
        if let Source::Network(weights, _) = self.source { Some(weights) } else { None }
    }

    /// Whether it has no weights: it computes in its own precision, whatever the device's.
    pub fn is_formula(&self) -> bool {
        matches!(self.source, Source::Formula(_))
    }

    /// Whether the model scores without a file of weights.
    pub fn is_bundled(&self) -> bool {
        matches!(self.weights(), None | Some(WeightSource::Bundled(..)))
    }

    /// What the bundled weights have learned from, with its terms; nothing where there are none.
    pub fn training_data(&self) -> &'static [TrainingSource] {
        if let Some(WeightSource::Bundled(_, sources)) = self.weights() { sources } else { &[] }
    }

    /// Whether the weights it brings have learned from data that were given for research alone.
    pub fn is_for_research(&self) -> bool {
        self.training_data().iter().any(|source| source.research_only)
    }

    /// The licence of the bundled weights, or of the formula, and what follows from the terms of the training data for
    /// those who use them; `None` where the caller gives the weights.
    pub fn licence(&self) -> Option<&'static str> {
        match self.weights() {
            Some(WeightSource::Bundled(_, sources)) => Some(provenance::licence(sources)),
            Some(WeightSource::Partly(_, licence)) => Some(licence),
            Some(WeightSource::File(_)) => None,
            None => Some(provenance::OWN),
        }
    }

    /// The model with the weights that it brings, or with those of a file. `observer` sees what is downloaded for it.
    ///
    /// # Errors
    /// [`ModelError::WeightsNeeded`], [`ModelError::WeightsUnexpected`], [`ModelError::UnknownOption`],
    /// [`ModelError::OptionValue`], and what reading the weights gives.
    pub fn open(
        &self,
        weights: Option<NamedTensors>,
        options: &[(&str, &str)],
        device: &Device,
        observer: &dyn Observer,
    ) -> Result<Box<dyn QualityModel>, ModelError> {
        let known = || self.options.iter().map(|option| option.name);
        if let Some((option, _)) = options.iter().find(|(given, _)| known().all(|name| name != *given)) {
            let (option, known) = ((*option).into(), known().collect());
            return Err(ModelError::UnknownOption { name: self.name, option, known });
        }
        let (source, make) = match self.source {
            Source::Formula(_) if weights.is_some() => {
                return Err(ModelError::WeightsUnexpected { name: self.name });
            }
            Source::Formula(make) => return Ok(make()),
            Source::Network(source, make) => (source, make),
        };
        let tensors = match (weights, source) {
            (Some(tensors), _) => tensors,
            (None, WeightSource::Bundled(bytes, _) | WeightSource::Partly(bytes, _)) => {
                NamedTensors::from_safetensors(bytes, format!("bundled weights of {}", self.name))?
            }
            (None, WeightSource::File(origin)) => {
                return Err(ModelError::WeightsNeeded { name: self.name, origin });
            }
        };
        make(tensors, &Chosen { model: self.name, options, observer }, device)
    }
}
