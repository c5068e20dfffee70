//! The models that are measured: bundled ones, and those of the papers' widths with random weights, which cost what trained ones do.

use std::path::Path;

use iqa_models::heads::Stored;
use iqa_models::heads::gsn::GsnConfig;
use iqa_models::heads::hiqa::HiqaConfig;
use iqa_models::heads::multi_branch::MultiBranchConfig;
use iqa_models::nn::Precision;
use iqa_models::{Device, Scorer};

/// Names of the models.
pub const MODELS: [&str; 7] = [
    "wadiqam_fr",
    "wadiqam_nr",
    "multibranch_vgg16",
    "multibranch_resnet50",
    "multibranch_inception_v3",
    "gsn",
    "hiqa",
];

/// A model on a device: with its bundled weights or, where none are, random ones.
///
/// # Panics
/// For a name that is not in [`MODELS`], and when there is no room for weights in the temporary folder.
pub fn open_model(name: &str, device: &Device) -> Scorer {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("weights.safetensors");
    let flex = Device::flex();
    match name {
        "wadiqam_fr" | "wadiqam_nr" => return Scorer::new(name, device).expect("bundled"),
        "multibranch_vgg16" => random_multi_branch(MultiBranchConfig::vgg16(), &path),
        "multibranch_resnet50" => random_multi_branch(MultiBranchConfig::resnet50(), &path),
        "multibranch_inception_v3" => random_multi_branch(MultiBranchConfig::inception_v3(), &path),
        "gsn" => GsnConfig::new().init(&flex).save(&path, Precision::F32).expect("saves"),
        "hiqa" => HiqaConfig::published().init(&flex).save(&path, Precision::F32).expect("saves"),
        _ => panic!("no model of the name `{name}`"),
    }
    Scorer::with_weights(name, path, device).expect("opens")
}

fn random_multi_branch(config: MultiBranchConfig, path: &Path) {
    let flex = Device::flex();
    config.init(config.frp().init(&flex), &flex).save(path, Precision::F32).expect("saves");
}
