//! What decides on a model's scores.

use std::fmt;

use burn::tensor::Device;

/// All that a model's scores depend on, besides the images: models of one name and identity give one score for an image.
///
/// `Display` says it in a line: the key under which scores are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// What each part is, and its value; parts without a value are not shown.
    parts: Vec<(&'static str, String)>,
}

impl Identity {
    /// That of weights, by a digest of them, on a device.
    pub fn weights(digest: impl Into<String>, device: &Device) -> Self {
        let float = match device {
            #[cfg(feature = "flex")]
            device if iqa_kernels::multiplies_in_bf16() && *device == Device::flex() => {
                "products of BF16".to_owned()
            }
            _ => format!("{:?}", device.settings().float_dtype),
        };
        Self { parts: vec![("weights", digest.into())] }
            .with("float type", float)
            .with("device", format!("{:?}", device.as_dispatch()))
    }

    /// That of a model without weights.
    pub fn formula() -> Self {
        Self { parts: vec![("weights", "none".into())] }
    }

    /// An option that changes the scores; empty where it has its usual value.
    #[must_use]
    pub fn with(mut self, option: &'static str, value: impl Into<String>) -> Self {
        let value = value.into();
        match self.parts.iter_mut().find(|(name, _)| *name == option) {
            Some((_, old)) => *old = value,
            None => self.parts.push((option, value)),
        }
        self
    }

    /// The first thing in which two identities differ: its name, that of this one, that of the other.
    pub fn difference(&self, other: &Self) -> Option<(&'static str, String, String)> {
        let value = |parts: &[(&'static str, String)], name| {
            parts.iter().find(|(part, _)| *part == name).map_or(String::new(), |(_, value)| value.clone())
        };
        let names = self.parts.iter().chain(&other.parts).map(|(name, _)| *name);
        names
            .map(|name| (name, value(&self.parts, name), value(&other.parts, name)))
            .find(|(_, here, there)| here != there)
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = self.parts.iter().map(|(_, value)| value.as_str());
        f.write_str(&parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_named_and_usual_options_are_not_shown() {
        let plain = Identity::formula();
        let usual = plain.clone().with("choice of patches", "");
        assert_eq!(plain.difference(&usual), None);
        assert_eq!((plain.to_string(), usual.to_string()), ("none".into(), "none".into()));
        let random = usual.clone().with("choice of patches", "32 random patches");
        assert_eq!(random.to_string(), "none, 32 random patches");
        let found = plain.difference(&random);
        assert_eq!(found, Some(("choice of patches", String::new(), "32 random patches".into())));
        assert_eq!(random.with("choice of patches", ""), usual);
    }
}
