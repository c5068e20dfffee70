//! Weight files: ours, the official Chainer ones, and those of the two PyTorch ports.

use std::path::Path;

use burn::tensor::Device;
use iqa_core::Direction;
use iqa_nn::NamedTensors;

use super::config::{Fusion, Pooling, WadiqamConfig};
use super::model::Wadiqam;
use crate::{HeadError, Stored};

/// `pyiqa` adds this to a patch weight where the paper's code adds 1e-6.
const PYIQA_EPSILON: f64 = 1e-8;

/// A naming and layout of the parameters in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeightLayout {
    /// The official names in PyTorch's axis order: `conv1.weight`, `fc1_a.bias`; our own files.
    Canonical,
    /// deepIQA's Chainer files: `conv1/W`, `fc1_a/b`; input 0..255, DMOS of 0..100, lower is better.
    Chainer,
    /// lidq92/WaDIQaM: `conv1.weight`, `fc1_q.weight` (FR), `fc1q_nr.weight` (NR); input and score in 0..1,
    /// higher is better (its checkpoint is trained on KADID-10k).
    Lidq92,
    /// pyiqa: `features.0.weight`, `fc_q.0.weight`; fused as `(r, d, d - r)`; input and score in 0..1,
    /// higher is better.
    Pyiqa,
}

impl WeightLayout {
    /// The layout of a file by its tensors' names, `None` when they fit none.
    pub fn detect(tensors: &NamedTensors) -> Option<Self> {
        let has = |key| tensors.contains(key);
        if has("conv1/W") {
            Some(Self::Chainer)
        } else if has("features.0.weight") && has("fc_q.0.weight") {
            Some(Self::Pyiqa)
        } else if has("fc1_q.weight") || has("fc1q_nr.weight") {
            Some(Self::Lidq92)
        } else if has("conv1.weight") && has("fc1.weight") {
            Some(Self::Canonical)
        } else {
            None
        }
    }

    /// File name of convolution `index` (from 0), without the parameter.
    fn conv(self, index: usize, blocks: &[Vec<usize>]) -> String {
        match self {
            Self::Pyiqa => {
                // Position in a sequence of convolution, ReLU, ..., and a pool after each block.
                let mut position = 0;
                let mut left = index;
                for block in blocks {
                    if left < block.len() {
                        break;
                    }
                    left -= block.len();
                    position += 2 * block.len() + 1;
                }
                format!("features.{}", position + 2 * left)
            }
            _ => format!("conv{}", index + 1),
        }
    }

    /// File name of a linear layer, given its official name.
    fn linear(self, official: &str, full_reference: bool) -> &str {
        match (self, official) {
            (Self::Pyiqa, "fc1") => "fc_q.0",
            (Self::Pyiqa, "fc2") => "fc_q.3",
            (Self::Pyiqa, "fc1_a") => "fc_w.0",
            (Self::Pyiqa, "fc2_a") => "fc_w.3",
            (Self::Lidq92, "fc1") => {
                if full_reference {
                    "fc1_q"
                } else {
                    "fc1q_nr"
                }
            }
            (Self::Lidq92, "fc2") => {
                if full_reference {
                    "fc2_q"
                } else {
                    "fc2q_nr"
                }
            }
            (Self::Lidq92, "fc1_a") => {
                if full_reference {
                    "fc1_w"
                } else {
                    "fc1w_nr"
                }
            }
            (Self::Lidq92, "fc2_a") => {
                if full_reference {
                    "fc2_w"
                } else {
                    "fc2w_nr"
                }
            }
            _ => official,
        }
    }

    /// Names of weight and bias of a layer.
    fn parameters(self, layer: &str) -> [String; 2] {
        match self {
            Self::Chainer => [format!("{layer}/W"), format!("{layer}/b")],
            _ => [format!("{layer}.weight"), format!("{layer}.bias")],
        }
    }
}

/// `(path in the module, name in the file)` and shape of every parameter.
fn parameters(config: &WadiqamConfig, layout: WeightLayout) -> Vec<((String, String), Vec<usize>)> {
    let mut parameters = Vec::new();
    let mut layer = |module: String, file: &str, shape: Vec<usize>| {
        let [weight, bias] = layout.parameters(file);
        let out = shape[0];
        parameters.push(((format!("{module}.weight"), weight), shape));
        parameters.push(((format!("{module}.bias"), bias), vec![out]));
    };
    let mut channels = 3;
    for (index, &out) in config.blocks.iter().flatten().enumerate() {
        let shape = vec![out, std::mem::replace(&mut channels, out), 3, 3];
        layer(format!("convs.{index}"), &layout.conv(index, &config.blocks), shape);
    }
    let heads: &[[&str; 2]] = match config.pooling {
        Pooling::Mean => &[["fc1", "fc2"]],
        Pooling::Weighted => &[["fc1", "fc2"], ["fc1_a", "fc2_a"]],
    };
    for [hidden, output] in heads {
        let file = |head| layout.linear(head, config.is_full_reference());
        layer((*hidden).into(), file(hidden), vec![config.hidden, config.fused()]);
        layer((*output).into(), file(output), vec![1, config.hidden]);
    }
    parameters
}

/// As [`parameters`], without the shapes.
fn names(config: &WadiqamConfig, layout: WeightLayout) -> Vec<(String, String)> {
    parameters(config, layout).into_iter().map(|(names, _)| names).collect()
}

impl Wadiqam {
    /// Loads a weights file: ours, or one of the public ones, told apart by its tensors' names.
    ///
    /// `expected` says what kind of model the caller wants (reference need and pooling). Everything else comes
    /// from the file: our files carry the whole configuration; for the public ones the widths are read off the
    /// tensors, and input scale, weight epsilon, direction and range are those of [`WeightLayout`]. Without a stored
    /// configuration, heads that take a single feature vector are those of a no-reference model, unless `expected`
    /// fuses by difference alone.
    ///
    /// The official no-reference files hold the weight head even where the model does not use it; it is
    /// then left out. Any other tensor that is missing, unused or misshapen is an error.
    ///
    /// # Errors
    /// [`HeadError::Nn`], [`HeadError::UnknownLayout`], [`HeadError::StoredConfig`], [`HeadError::WrongModel`].
    pub fn load(
        path: impl AsRef<Path>,
        expected: &WadiqamConfig,
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
        expected: &WadiqamConfig,
        device: &Device,
    ) -> Result<Self, HeadError> {
        let stored = Self::stored_in(&tensors)?;
        let Some(layout) = WeightLayout::detect(&tensors) else {
            return Err(HeadError::UnknownLayout {
                path: tensors.origin().into(),
                expected: "those of DIQaM or WaDIQaM: ours, or as deepIQA, lidq92 or pyiqa have them",
                found: tensors.first_names(),
            });
        };
        if layout == WeightLayout::Chainer
            && !expected.is_full_reference()
            && expected.pooling == Pooling::Mean
        {
            tensors.discard(|key| key.starts_with("fc1_a/") || key.starts_with("fc2_a/"));
        }
        let config = match stored {
            Some(config) => same_kind(config, &tensors, expected)?,
            None => inferred_config(&tensors, layout, expected)?,
        };
        let parameters = parameters(&config, layout);
        let shapes: Vec<_> =
            parameters.iter().map(|((_, file), shape)| (file.clone(), shape.clone())).collect();
        tensors.check_shapes(&shapes)?;
        if layout == WeightLayout::Pyiqa && config.is_full_reference() {
            let heads: &[&str] = if config.pooling == Pooling::Weighted {
                &["fc_q.0.weight", "fc_w.0.weight"]
            } else {
                &["fc_q.0.weight"]
            };
            for key in heads {
                pyiqa_to_official_columns(&mut tensors.get_mut(key)?.values, config.features());
            }
        }
        let names: Vec<_> = parameters.into_iter().map(|(names, _)| names).collect();
        Ok(tensors.load_into(config.init(device), &names)?)
    }
}

/// Weights under their official names.
impl Stored for Wadiqam {
    type Config = WadiqamConfig;
    const FAMILY: &'static str = "DIQaM or WaDIQaM";
    const CONFIG_KEY: &'static str = "wadiqam_config";

    fn stored(&self) -> &WadiqamConfig {
        &self.config
    }

    fn validate(config: &WadiqamConfig) -> Result<(), HeadError> {
        config.validate()
    }

    fn weights(&self, origin: &Path) -> Result<NamedTensors, HeadError> {
        let names = names(&self.config, WeightLayout::Canonical);
        Ok(NamedTensors::from_module(self, &names, origin)?)
    }
}

/// Whether weights are in our layout without their configuration, and what kind of network they may be of then.
pub(super) fn lost_configuration(tensors: &NamedTensors) -> Result<Option<Lost>, HeadError> {
    if Wadiqam::stored_in(tensors)?.is_some()
        || WeightLayout::detect(tensors) != Some(WeightLayout::Canonical)
    {
        return Ok(None);
    }
    // A no-reference network's heads take one feature vector, and so do those of one that fuses by difference alone.
    let is_single = inferred_config(tensors, WeightLayout::Canonical, &WadiqamConfig::wadiqam_nr()).is_ok();
    Ok(Some(if is_single { Lost::EitherKind } else { Lost::WithReference }))
}

/// What is known of the kind of weights whose configuration was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lost {
    /// They are of a full-reference network.
    WithReference,
    /// They may be of a full-reference network, or of one without.
    EitherKind,
}

fn same_kind(
    config: WadiqamConfig,
    tensors: &NamedTensors,
    expected: &WadiqamConfig,
) -> Result<WadiqamConfig, HeadError> {
    if (config.reference, config.pooling) != (expected.reference, expected.pooling) {
        return Err(HeadError::WrongModel {
            path: tensors.origin().into(),
            expected: kind(expected),
            found: kind(&config),
        });
    }
    Ok(config)
}

fn kind(config: &WadiqamConfig) -> String {
    let pooling = if config.pooling == Pooling::Weighted { "WaDIQaM" } else { "DIQaM" };
    let reference = if config.is_full_reference() { "FR" } else { "NR" };
    format!("{pooling}-{reference}")
}

fn inferred_config(
    tensors: &NamedTensors,
    layout: WeightLayout,
    expected: &WadiqamConfig,
) -> Result<WadiqamConfig, HeadError> {
    let mut config = expected.clone();
    // The two public topologies: ten convolutions in pairs, or the five of the shallow network.
    let sixth = layout.conv(5, &config.blocks);
    if layout != WeightLayout::Pyiqa && !tensors.contains(&layout.parameters(&sixth)[0]) {
        config = config.shallow();
    }
    let blocks = config.blocks.clone();
    for (index, channels) in config.blocks.iter_mut().flatten().enumerate() {
        let [key, _] = layout.parameters(&layout.conv(index, &blocks));
        *channels = tensors.get(&key)?.shape.first().copied().unwrap_or(0);
    }
    let [key, _] = layout.parameters(layout.linear("fc1", config.is_full_reference()));
    let shape = tensors.get(&key)?.shape.clone();
    config.hidden = shape.first().copied().unwrap_or(0);
    config.validate()?;
    let inputs = shape.get(1).copied().unwrap_or(0);
    let mismatch = |found: String| HeadError::WrongModel {
        path: tensors.origin().into(),
        expected: kind(expected),
        found,
    };
    match (config.is_full_reference(), inputs / config.features(), inputs % config.features()) {
        (true, 3, 0) => config.fusion = Fusion::ConcatDiff,
        (true, 2, 0) => config.fusion = Fusion::Concat,
        (true, 1, 0) if config.fusion == Fusion::DiffOnly => {}
        (true, 1, 0) => return Err(mismatch("a no-reference model".into())),
        (false, 1, 0) => {}
        _ => return Err(mismatch(format!("a model whose {key} takes {inputs} features"))),
    }
    match layout {
        WeightLayout::Canonical => {}
        WeightLayout::Chainer => set_convention(&mut config, 255.0, Direction::LowerIsBetter, 100.0),
        WeightLayout::Lidq92 => set_convention(&mut config, 1.0, Direction::HigherIsBetter, 1.0),
        WeightLayout::Pyiqa => {
            set_convention(&mut config, 1.0, Direction::HigherIsBetter, 1.0);
            config.weight_epsilon = PYIQA_EPSILON;
        }
    }
    Ok(config)
}

fn set_convention(config: &mut WadiqamConfig, input_scale: f64, direction: Direction, highest: f64) {
    config.input_scale = input_scale;
    config.input_offset = 0.0;
    config.direction = direction;
    config.range = (0.0, highest);
}

/// Turns the columns of a `[hidden, 3 * features]` matrix from pyiqa's `(r, d, d - r)` to `(d - r, d, r)`.
///
/// Exchanging the first block with the last does it, in both directions.
fn pyiqa_to_official_columns(values: &mut [f32], features: usize) {
    for row in values.chunks_exact_mut(3 * features) {
        let (reference, rest) = row.split_at_mut(features);
        reference.swap_with_slice(&mut rest[features..]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pyiqa_positions_are_those_of_its_sequence() {
        let blocks = WadiqamConfig::wadiqam_fr().blocks;
        let positions: Vec<_> = (0..10).map(|i| WeightLayout::Pyiqa.conv(i, &blocks)).collect();
        let expected = [0, 2, 5, 7, 10, 12, 15, 17, 20, 22].map(|i| format!("features.{i}"));
        assert_eq!(positions, expected);
    }

    #[test]
    fn the_column_permutation_moves_blocks_and_undoes_itself() {
        let mut columns = [0.0f32, 1.0, 10.0, 11.0, 20.0, 21.0, 5.0, 6.0, 15.0, 16.0, 25.0, 26.0];
        let before = columns;
        pyiqa_to_official_columns(&mut columns, 2);
        assert_eq!(columns, [20.0, 21.0, 10.0, 11.0, 0.0, 1.0, 25.0, 26.0, 15.0, 16.0, 5.0, 6.0]);
        pyiqa_to_official_columns(&mut columns, 2);
        assert_eq!(columns, before);
    }
}
