//! The models by name, of all families.

use iqa_heads::{dists, gsn, hiqa, lpips, measures, multi_branch, wadiqam};
use iqa_nn::{ModelError, ModelInfo};

/// Each family's models stand beside its networks; a family more is a line more.
const FAMILIES: &[&[ModelInfo]] = &[
    wadiqam::MODELS,
    gsn::MODELS,
    multi_branch::MODELS,
    hiqa::MODELS,
    lpips::MODELS,
    dists::MODELS,
    measures::MODELS,
];

/// Every model there is.
pub fn models() -> impl Iterator<Item = &'static ModelInfo> {
    FAMILIES.iter().copied().flatten()
}

/// The model of that name.
///
/// # Errors
/// [`ModelError::UnknownModel`], which lists the names there are.
pub fn model_by_name(name: &str) -> Result<&'static ModelInfo, ModelError> {
    models().find(|model| model.name == name).ok_or_else(|| ModelError::UnknownModel {
        name: name.into(),
        known: models().map(|model| model.name).collect(),
    })
}

#[cfg(test)]
mod tests {
    use iqa_nn::WeightSource;

    use super::*;

    #[test]
    fn bundled_weights_say_what_they_have_learned_from_and_formulas_nothing() {
        for model in models() {
            let (sources, licence) = (model.training_data(), model.licence());
            match model.weights() {
                Some(WeightSource::Bundled(..)) => {
                    assert!(!sources.is_empty() && licence.is_some(), "{}", model.name);
                }
                None => assert!(sources.is_empty() && licence.is_some(), "{}", model.name),
                Some(WeightSource::Partly(..)) => assert!(sources.is_empty() && licence.is_some()),
                Some(WeightSource::File(_)) => {
                    assert!(sources.is_empty() && licence.is_none(), "{}", model.name);
                }
            }
        }
    }

    #[test]
    fn the_landing_page_has_every_model() {
        let page: String = include_str!("lib.rs").lines().filter(|line| line.starts_with("//! |")).collect();
        for model in models() {
            assert!(page.contains(&format!("`{}`", model.name)), "{}", model.name);
        }
    }

    #[test]
    fn a_name_is_that_of_one_model_and_a_model_that_is_bundled_has_it() {
        let mut names: Vec<_> = models().map(|model| model.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), models().count());
        for info in models().filter(|info| info.is_bundled()) {
            let model =
                info.open(None, &[], &burn::tensor::Device::flex(), &iqa_core::Silent).expect("opens");
            let spec = model.spec();
            assert_eq!((model.name(), spec.reference), (info.name, info.reference));
            assert_eq!(info.scale, Some((spec.direction, spec.range)), "{}", info.name);
            assert!(!info.accuracy.is_empty(), "{}: measure it", info.name);
        }
    }
}
