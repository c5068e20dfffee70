//! Which network, tapped where.

use burn::config::Config;
use burn::tensor::Device;

use crate::{
    Architecture, Backbone, BackboneError, EfficientNet, FeatureInfo, InceptionV3, ResNet, Sequential,
};

/// Configuration of a [`Backbone`].
///
/// ```
/// use iqa_backbones::{Architecture, BackboneConfig};
/// // relu1_2 and relu2_2; nothing behind relu2_2 is built.
/// let config = BackboneConfig::new(Architecture::Vgg19, vec!["features.3".into(), "features.8".into()]);
/// assert_eq!(config.feature_info()?[1].channels, 128);
/// # Ok::<(), iqa_backbones::BackboneError>(())
/// ```
#[derive(Config, Debug, PartialEq)]
pub struct BackboneConfig {
    /// The network.
    pub architecture: Architecture,
    /// The layers whose output is wanted, by torchvision's names ([`Architecture::layers`]). Features come in the order
    /// of the network, each once. Nothing behind the deepest is built.
    pub taps: Vec<String>,
    /// Divides the channels of every layer: 1 for the published network, more for tests and small trained branches.
    #[config(default = 1)]
    pub width_divisor: usize,
}

impl BackboneConfig {
    /// The network tapped at the deepest activation of each resolution, from `h/2` to `h/16`.
    pub fn four_scales(architecture: Architecture) -> Self {
        let layers = architecture.deepest_layers().into_iter();
        let taps =
            layers.filter(|layer| (2..=16).contains(&layer.reduction)).map(|layer| layer.name).collect();
        Self::new(architecture, taps)
    }

    /// The same topology at a sixteenth of the width, for tests.
    #[must_use]
    pub fn tiny(self) -> Self {
        Self { width_divisor: 16, ..self }
    }

    /// Channels, reduction and name of the features, in the order in which they come.
    ///
    /// # Errors
    /// [`BackboneError::UnknownTap`], [`BackboneError::NoTaps`], [`BackboneError::WidthDivisor`].
    pub fn feature_info(&self) -> Result<Vec<FeatureInfo>, BackboneError> {
        let Plan { layers, tapped } = self.plan()?;
        Ok(layers.into_iter().zip(tapped).filter(|(_, tapped)| *tapped).map(|(layer, _)| layer).collect())
    }

    /// Width and height, in pixels, of the smallest image that gives all features.
    ///
    /// # Errors
    /// As [`Self::feature_info`].
    pub fn minimum_size(&self) -> Result<usize, BackboneError> {
        let plan = self.plan()?;
        Ok(plan.layers.last().map_or(1, |layer| self.architecture.minimum_size(layer)))
    }

    /// Checks a configuration that was read from a file.
    ///
    /// # Errors
    /// As [`Self::feature_info`].
    pub fn validate(&self) -> Result<(), BackboneError> {
        self.plan().map(|_| ())
    }

    /// A network with random weights, drawn as torchvision draws them: normal with variance `2 / fan_out` (VGG,
    /// ResNet and AlexNet, which torchvision leaves to PyTorch), normal with deviation 0.1 (Inception; torchvision cuts that at 20 deviations), zero bias.
    ///
    /// # Panics
    /// When [`Self::validate`] would fail.
    pub fn init(&self, device: &Device) -> Backbone {
        let plan = self.plan().unwrap_or_else(|error| panic!("{error}"));
        match self.architecture {
            Architecture::Vgg16 | Architecture::Vgg19 | Architecture::AlexNet => {
                Backbone::Sequential(Sequential::new(self, plan, device))
            }
            Architecture::ResNet18 | Architecture::ResNet50 => {
                Backbone::ResNet(ResNet::new(self, plan, device))
            }
            Architecture::InceptionV3 => Backbone::Inception(InceptionV3::new(self, plan, device)),
            Architecture::EfficientNetLite0 => Backbone::EfficientNet(EfficientNet::new(self, plan, device)),
        }
    }

    /// The same network, nothing cut off.
    pub(crate) fn whole(&self) -> Self {
        let last = self.architecture.layers().pop().map(|layer| layer.name);
        Self { taps: last.into_iter().collect(), ..self.clone() }
    }

    /// The layers up to the deepest tap.
    pub(crate) fn plan(&self) -> Result<Plan, BackboneError> {
        let architecture = self.architecture;
        // The narrowest layers, Inception's of 48 and 80 channels, are multiples of 16.
        if !matches!(self.width_divisor, 1 | 2 | 4 | 8 | 16) {
            return Err(BackboneError::WidthDivisor { architecture, divisor: self.width_divisor });
        }
        let mut layers = architecture.layers();
        if let Some(unknown) = self.taps.iter().find(|tap| !layers.iter().any(|layer| layer.name == **tap)) {
            return Err(BackboneError::UnknownTap {
                architecture,
                name: unknown.clone(),
                known: layers.into_iter().map(|layer| layer.name).collect(),
            });
        }
        let Some(deepest) = layers.iter().rposition(|layer| self.taps.contains(&layer.name)) else {
            return Err(BackboneError::NoTaps { architecture });
        };
        layers.truncate(deepest + 1);
        for layer in &mut layers {
            layer.channels /= self.width_divisor;
        }
        let tapped = layers.iter().map(|layer| self.taps.contains(&layer.name)).collect();
        Ok(Plan { layers, tapped })
    }
}

/// The layers of a network up to its deepest tap.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) layers: Vec<FeatureInfo>,
    /// Which of them are tapped.
    pub(crate) tapped: Vec<bool>,
}

impl Plan {
    pub(crate) fn has(&self, name: &str) -> bool {
        self.layers.iter().any(|layer| layer.name == name)
    }

    pub(crate) fn feature_info(&self) -> Vec<FeatureInfo> {
        let taps = self.layers.iter().zip(&self.tapped);
        taps.filter(|(_, tapped)| **tapped).map(|(layer, _)| layer.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(architecture: Architecture, taps: &[&str]) -> BackboneConfig {
        BackboneConfig::new(architecture, taps.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_layer_that_is_not_there_is_named_with_those_that_are() {
        let error =
            config(Architecture::ResNet18, &["layer1", "layer9"]).validate().expect_err("no such layer");
        assert_eq!(
            error.to_string(),
            "resnet18 has no layer `layer9` to tap: expected one of relu, maxpool, layer1, layer2, layer3, layer4"
        );
        assert!(matches!(config(Architecture::Vgg16, &[]).validate(), Err(BackboneError::NoTaps { .. })));
        let narrow = BackboneConfig { width_divisor: 3, ..BackboneConfig::four_scales(Architecture::Vgg16) };
        assert!(narrow.validate().expect_err("a fraction of a channel").to_string().contains("3 times"));
    }

    #[test]
    fn features_come_in_the_order_of_the_network_and_once() {
        let info = config(Architecture::Vgg16, &["features.8", "features.3", "features.8"]).feature_info();
        let names: Vec<_> = info.expect("valid").into_iter().map(|layer| layer.name).collect();
        assert_eq!(names, ["features.3", "features.8"]);
    }

    /// torchvision gives 75x75 as the smallest image of Inception-v3 (`Inception_V3_Weights`, `min_size`).
    #[test]
    fn the_smallest_image_gives_one_pixel_at_the_deepest_tap() {
        let minimum = |architecture, tap| config(architecture, &[tap]).minimum_size().expect("valid");
        assert_eq!(minimum(Architecture::InceptionV3, "Mixed_7c"), 75);
        assert_eq!(minimum(Architecture::InceptionV3, "Mixed_6e"), 43);
        assert_eq!(minimum(Architecture::Vgg19, "features.35"), 16);
        assert_eq!(minimum(Architecture::Vgg19, "features.36"), 32);
        assert_eq!(minimum(Architecture::ResNet50, "layer4"), 1);
    }
}
