//! What decides on a scorer's scores.

use std::fmt;

use burn::tensor::Device;
use iqa_core::AlphaPolicy;
use iqa_heads::wadiqam::PatchSampler;

const WHITE: [u8; 3] = [255; 3];

/// All that a [`Scorer`](crate::Scorer)'s scores depend on, besides the images: scorers of one identity give one score
/// for an image.
///
/// `Display` says it in a line, without the model's name: the key under which scores are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    model: &'static str,
    /// SHA-256 of the content of the weights' file; `none` for a formula.
    weights: String,
    float: String,
    device: String,
    sampler: PatchSampler,
    background: [u8; 3],
}

impl Identity {
    /// That of a model as it is opened.
    pub(crate) fn new(model: &'static str, weights: String, device: &Device) -> Self {
        Self {
            model,
            weights,
            float: format!("{:?}", device.settings().float_dtype),
            device: format!("{:?}", device.as_dispatch()),
            sampler: PatchSampler::official(),
            background: WHITE,
        }
    }

    pub(crate) fn look_at(&mut self, sampler: PatchSampler) {
        self.sampler = sampler;
    }

    /// An image that [`AlphaPolicy::Refuse`] lets through has no transparency: its score is that over any colour.
    pub(crate) fn decode(&mut self, alpha: AlphaPolicy) {
        self.background = if let AlphaPolicy::Composite(color) = alpha { color } else { WHITE };
    }

    /// The model's name.
    pub fn model(&self) -> &'static str {
        self.model
    }

    /// The first thing in which two identities differ: its name, that of this one, that of the other.
    pub fn difference(&self, other: &Self) -> Option<(&'static str, String, String)> {
        let parts = self.parts().into_iter().zip(other.parts());
        parts.map(|((name, here), (_, there))| (name, here, there)).find(|(_, here, there)| here != there)
    }

    fn parts(&self) -> [(&'static str, String); 6] {
        let patches = match self.sampler {
            sampler if sampler == PatchSampler::official() => String::new(),
            PatchSampler::Grid { stride, inclusive } => {
                format!(
                    "a grid with stride {stride}{}",
                    if inclusive { "" } else { ", less its last places" }
                )
            }
            PatchSampler::Random { patches, seed } => format!("{patches} random patches with seed {seed}"),
        };
        let background = match self.background {
            WHITE => String::new(),
            [r, g, b] => format!("over #{r:02x}{g:02x}{b:02x}"),
        };
        [
            ("model", self.model.into()),
            ("weights", self.weights.clone()),
            ("float type", self.float.clone()),
            ("device", self.device.clone()),
            ("choice of patches", patches),
            ("background of transparent images", background),
        ]
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = self.parts().into_iter().skip(1).map(|(_, part)| part);
        f.write_str(&parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", "))
    }
}
