//! A training step of each family: forward, backward and Adam.

use burn::module::Module;
use iqa_models::heads::gsn::GsnConfig;
use iqa_models::heads::multi_branch::{MultiBranchConfig, PairBatch};
use iqa_models::heads::wadiqam::WadiqamConfig;
use iqa_models::nn::image_to_tensor;
use iqa_models::train::hiqa::{Batch, HiqaRecipe, Perceptual, Trainer};
use iqa_models::{Device, Tensor};
use iqa_testkit::textured;

use crate::training_step;

/// A step, once a call.
pub type Step = Box<dyn FnMut()>;

/// `n` textures as `[n, 3, side, side]`.
pub fn images(n: u32, side: u32, first_seed: u32, device: &Device) -> Tensor<4> {
    Tensor::cat(
        (0..n).map(|index| image_to_tensor(&textured(side, side, first_seed + index), device)).collect(),
        0,
    )
}

/// A step that lowers the mean of `scores`.
fn step<M: Module + 'static>(model: M, scores: impl Fn(&M) -> Tensor<1> + 'static) -> Step {
    let mut step = training_step(model, move |model| scores(model).mean());
    Box::new(move || drop(step()))
}

/// Of WaDIQaM: 128 patches of four images.
pub fn wadiqam_step(config: &WadiqamConfig, device: &Device) -> Step {
    let patches = |seed| images(128, 32, seed, device);
    let (distorted, reference) = (patches(1), patches(1000));
    let full = config.is_full_reference();
    step(config.init(device), move |model| {
        model.forward_training(distorted.clone(), full.then(|| reference.clone())).pool(4)
    })
}

/// Of the multi-branch model: four pairs of 128x128.
pub fn multi_branch_step(config: MultiBranchConfig, device: &Device) -> Step {
    let (distorted, reference) = (images(4, 128, 1, device), images(4, 128, 50, device));
    let model = config.init(config.frp().init(device), device);
    // The frozen branch is computed once a run, not once a step.
    let frozen = model.frozen_features(distorted.clone(), reference.clone());
    let batch = PairBatch { distorted, reference: Some(reference), frozen };
    step(model, move |model| model.forward_training(vec![batch.clone()]))
}

/// Of GSN: two pairs of crops.
pub fn gsn_step(device: &Device) -> Step {
    let config = GsnConfig::new();
    let side = config.crop as u32;
    let (distorted, reference) = (images(2, side, 1, device), images(2, side, 50, device));
    step(config.init(device), move |model| model.forward_training(distorted.clone(), reference.clone()))
}

/// Of HIQA: all of a joint step of the fast preset, regressor, discriminator and generator.
///
/// # Panics
/// Not with that preset.
pub fn hiqa_step(device: &Device) -> Step {
    let recipe = HiqaRecipe::fast(Perceptual::None);
    let mut trainer = Trainer::new(&recipe, device).expect("a valid recipe");
    let patches = |seed| images(16, recipe.patch as u32, seed, device) * 2.0 - 1.0;
    let targets = Tensor::from_floats([0.5; 16], device);
    let batch = Batch { distorted: patches(1), reference: Some(patches(50)), targets, sources: vec![0; 16] };
    Box::new(move || {
        trainer.joint_step(&batch, 1.0);
    })
}
