//! Weight files. There are no others than ours: the authors released none.

use std::path::Path;

use burn::tensor::Device;
use iqa_nn::NamedTensors;

use super::config::{DEPTH, GeneratorConfig, HiqaConfig, RegressorConfig};
use super::model::Hiqa;
use super::regressor::{BLOCKS, Regressor, STAGES};
use crate::shapes::Shapes;
use crate::{HeadError, Stored};

/// The parameters of a network of this configuration.
fn shapes(config: &HiqaConfig) -> Shapes {
    let mut shapes = Shapes::default();
    if let Some(generator) = &config.generator {
        generator_shapes(&mut shapes, generator);
    }
    regressor_shapes(&mut shapes, "regressor.", &config.regressor);
    shapes
}

fn conv_norm(shapes: &mut Shapes, layer: &str, channels: [usize; 2], kernel: usize, bias: bool) {
    shapes.conv(&format!("{layer}.conv"), channels, kernel, bias);
    shapes.norm(&format!("{layer}.norm"), channels[1]);
}

fn residual(shapes: &mut Shapes, layer: &str, [channels, out]: [usize; 2]) {
    let half = out / 2;
    let parts = [(channels, half, 1), (half, half, 3), (half, out, 1)];
    for (index, (inputs, outputs, kernel)) in (1..).zip(parts) {
        shapes.norm(&format!("{layer}.norm{index}"), inputs);
        shapes.conv(&format!("{layer}.conv{index}"), [inputs, outputs], kernel, true);
    }
    if channels != out {
        shapes.conv(&format!("{layer}.project"), [channels, out], 1, true);
    }
}

fn generator_shapes(shapes: &mut Shapes, config: &GeneratorConfig) {
    let (width, trunk) = (config.width, config.bottleneck());
    let name = |layer: &str| format!("generator.{layer}");
    conv_norm(shapes, &name("stem"), [3, width], 7, true);
    residual(shapes, &name("residual_full"), [width, width]);
    conv_norm(shapes, &name("halve"), [width, width], 3, true);
    residual(shapes, &name("residual_half"), [width, 2 * width]);
    residual(shapes, &name("residual_quarter"), [2 * width, trunk]);
    for stack in 0..config.stacks {
        let name = |layer: &str| format!("generator.stacks.{stack}.{layer}");
        for level in 0..DEPTH {
            for unit in ["side", "down", "up"] {
                residual(shapes, &name(&format!("hourglass.levels.{level}.{unit}")), [trunk, trunk]);
            }
        }
        residual(shapes, &name("hourglass.bottom"), [trunk, trunk]);
        residual(shapes, &name("residual"), [trunk, trunk]);
        conv_norm(shapes, &name("linear"), [trunk, trunk], 1, true);
        if stack + 1 < config.stacks {
            shapes.conv(&name("link"), [trunk, trunk], 1, true);
        }
    }
    residual(shapes, &name("decode_half"), [trunk, 2 * width]);
    residual(shapes, &name("decode_full"), [2 * width, width]);
    shapes.conv(&name("output"), [width, 3], 3, true);
}

fn basic_block(shapes: &mut Shapes, layer: &str, [channels, out]: [usize; 2]) {
    conv_norm(shapes, &format!("{layer}.conv1"), [channels, out], 3, false);
    conv_norm(shapes, &format!("{layer}.conv2"), [out, out], 3, false);
    if channels != out {
        conv_norm(shapes, &format!("{layer}.downsample"), [channels, out], 1, false);
    }
}

fn regressor_shapes(shapes: &mut Shapes, before: &str, config: &RegressorConfig) {
    let width = config.width;
    let branches = if config.map { &["distorted", "map"][..] } else { &["distorted"] };
    for branch in branches {
        conv_norm(shapes, &format!("{before}{branch}.stem"), [3, width], 7, false);
        basic_block(shapes, &format!("{before}{branch}.block"), [width, width]);
    }
    conv_norm(shapes, &format!("{before}join"), [width, width], 3, false);
    let mut channels = width;
    for block in 0..STAGES * BLOCKS {
        let out = width << (block / BLOCKS);
        basic_block(shapes, &format!("{before}blocks.{block}"), [channels, out]);
        channels = out;
    }
    if let Some(fusion) = config.fusion {
        shapes.conv(&format!("{before}fusion"), [fusion, channels], 1, true);
    }
    let fused = if config.fusion.is_some() { 2 * channels } else { channels };
    shapes.linear(&format!("{before}fc1"), fused, config.hidden);
    shapes.linear(&format!("{before}fc2"), config.hidden, 1);
}

impl Hiqa {
    /// Loads a weights file of ours, which carries its configuration.
    ///
    /// # Errors
    /// [`HeadError::Nn`], [`HeadError::UnknownLayout`] for a file of another kind, [`HeadError::InvalidConfig`].
    pub fn load(path: impl AsRef<Path>, device: &Device) -> Result<Self, HeadError> {
        Self::from_tensors(NamedTensors::read(path)?, device)
    }

    /// As [`Self::load`], from tensors already read.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn from_tensors(tensors: NamedTensors, device: &Device) -> Result<Self, HeadError> {
        let Some(config) = Self::stored_in(&tensors)? else {
            return Err(HeadError::UnknownLayout {
                path: tensors.origin().into(),
                expected: "HIQA weights with their configuration",
                found: tensors.first_names(),
            });
        };
        Self::from_tensors_of(tensors, &config, device)
    }

    /// From tensors that carry no configuration, or another one.
    ///
    /// # Errors
    /// [`HeadError::Nn`], [`HeadError::InvalidConfig`].
    pub fn from_tensors_of(
        tensors: NamedTensors,
        config: &HiqaConfig,
        device: &Device,
    ) -> Result<Self, HeadError> {
        config.validate()?;
        Ok(shapes(config).load(tensors, || config.init(device))?)
    }
}

/// The first layer behind the pooled features, the generator's first.
const JOINED: &str = "fc1.weight";

impl Regressor {
    /// With the weights of another regressor in all layers that both have: one of the distorted image alone gives the way of that
    /// image, the body, and what the layers behind it make of its features. All other weights stay as they are.
    ///
    /// # Errors
    /// [`HeadError::Nn`] for layers of another width.
    pub fn started_from(self, earlier: &Self) -> Result<Self, HeadError> {
        let shapes_of = |config: &RegressorConfig| {
            let mut shapes = Shapes::default();
            regressor_shapes(&mut shapes, "", config);
            shapes
        };
        let origin = Path::new("the regressor that another starts from");
        let shapes = shapes_of(self.config());
        let mut own = shapes.weights(&self, origin)?;
        let mut found = shapes_of(earlier.config()).weights(earlier, origin)?;
        if self.config().fusion.is_some() && earlier.config().fusion.is_none() {
            let (joined, wide) = (found.get_mut(JOINED)?, own.get_mut(JOINED)?);
            let narrow = joined.shape[1];
            // Of another width it stays as it is, which its shape tells below.
            if wide.shape == [joined.shape[0], 2 * narrow] {
                for (into, from) in wide.values.chunks_mut(2 * narrow).zip(joined.values.chunks(narrow)) {
                    into[narrow..].copy_from_slice(from);
                }
                *joined = wide.clone();
            }
        }
        found.discard(|key| !own.contains(key));
        own = own.joined(found);
        Ok(shapes.load(own, || self)?)
    }
}

impl Stored for Hiqa {
    type Config = HiqaConfig;
    const FAMILY: &'static str = "HIQA";
    const CONFIG_KEY: &'static str = "hiqa_config";

    fn stored(&self) -> &HiqaConfig {
        &self.config
    }

    fn validate(config: &HiqaConfig) -> Result<(), HeadError> {
        config.validate()
    }

    fn weights(&self, origin: &Path) -> Result<NamedTensors, HeadError> {
        if self.regressor.is_fused() {
            return Err(HeadError::Fused { family: Self::FAMILY });
        }
        Ok(shapes(&self.config).weights(self, origin)?)
    }
}
