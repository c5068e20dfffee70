//! Algorithm 1, step by step: each step moves one network and leaves the others, bit for bit.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use iqa_backbones::{Architecture, BackboneConfig};
use iqa_models::nn::Precision;
use iqa_models::train::hiqa::{
    Batch, Epsilon, HiqaRecipe, JointLosses, Perceptual, Rung, Trainer, agreement, cross_entropy,
};

use super::parity::all_tensors;
use super::{alone, drawn, images, io, tensor, values};

fn recipe() -> HiqaRecipe {
    HiqaRecipe { images: 16, ..HiqaRecipe::practical(Perceptual::None).tiny() }
}

fn trainer(recipe: &HiqaRecipe) -> (Trainer, Batch) {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let io = io();
    let batch = Batch {
        distorted: images(&io, "images/distorted", &device),
        reference: Some(images(&io, "images/reference", &device)),
        targets: tensor(&io, "labels", &device),
        sources: vec![0; 16],
    };
    let trainer = Trainer::new(recipe, &device).expect("a sound recipe");
    // Drawn here, and not at their first use.
    all_tensors(trainer.generator());
    all_tensors(trainer.discriminator());
    all_tensors(trainer.regressor());
    all_tensors(trainer.baseline());
    (trainer, batch)
}

/// Every weight and statistic of a network.
fn bits<M: Module>(network: &M) -> Vec<u32> {
    let all = all_tensors(network);
    all.keys().flat_map(|key| all.get(key).expect("listed").values.clone()).map(f32::to_bits).collect()
}

/// Generator, discriminator, regressor, R_pre.
fn all_bits(trainer: &Trainer) -> [Vec<u32>; 4] {
    [
        bits(trainer.generator()),
        bits(trainer.discriminator()),
        bits(trainer.regressor()),
        bits(trainer.baseline()),
    ]
}

#[track_caller]
fn assert_moved(before: &[Vec<u32>; 4], after: &[Vec<u32>; 4], expected: [bool; 4]) {
    let moved: Vec<bool> = before.iter().zip(after).map(|(before, after)| before != after).collect();
    assert_eq!(moved, expected, "moved: generator, discriminator, regressor, R_pre");
}

#[test]
fn each_step_moves_its_own_network_alone() {
    for merge_steps in [false, true] {
        let (mut trainer, batch) = trainer(&HiqaRecipe { merge_steps, ..recipe() });
        let hallucination = trainer.hallucinate(&batch);
        let mut fake = hallucination.clone();
        fake.image = fake.image.detach();
        fake.bottleneck = fake.bottleneck.detach();
        let start = all_bits(&trainer);

        let targets = batch.targets.zeros_like();
        let reference = batch.reference.clone().expect("given");
        trainer.discriminator_steps(reference, fake.image.clone(), targets, 1.0);
        let after_discriminator = all_bits(&trainer);
        assert_moved(&start, &after_discriminator, [false, true, false, false]);

        trainer.adversarial_step(hallucination, 1.0);
        let after_adversarial = all_bits(&trainer);
        assert_moved(&after_discriminator, &after_adversarial, [true, false, false, false]);

        let regression = trainer.regress(&batch, &fake);
        trainer.regressor_step(regression, &batch, 1.0);
        let after_regressor = all_bits(&trainer);
        assert_moved(&after_adversarial, &after_regressor, [false, false, true, false]);

        let hallucination = trainer.hallucinate(&batch);
        trainer.generator_step(hallucination, &batch, 1.0, &mut JointLosses::default());
        let after_generator = all_bits(&trainer);
        assert_moved(&after_regressor, &after_generator, [true, false, false, false]);

        trainer.baseline_step(&batch, 1.0);
        let after_baseline = all_bits(&trainer);
        assert_moved(&after_generator, &after_baseline, [false, false, false, true]);

        let fixed = trainer.generator().valid();
        trainer.regressor_phase_step(&fixed, &batch, 1.0);
        assert_moved(&after_baseline, &all_bits(&trainer), [false, false, true, false]);
    }
}

#[test]
fn rungs_train_what_they_name() {
    let cases = [
        (Rung::Map, [true, false, true, false]),
        (Rung::QualityLoss, [true, false, true, false]),
        (Rung::Adversary, [true, true, true, false]),
        (Rung::IqaAdversary, [true, true, true, false]),
        (Rung::Fusion, [true, true, true, false]),
    ];
    for (rung, expected) in cases {
        let (mut trainer, batch) = trainer(&HiqaRecipe { rung, ..recipe() });
        let before = all_bits(&trainer);
        let losses = trainer.joint_step(&batch, 1.0);
        assert_moved(&before, &all_bits(&trainer), expected);
        assert!(losses.pixel > 0.0 && losses.regressor > 0.0);
        assert_eq!(losses.quality > 0.0, rung >= Rung::QualityLoss);
        assert_eq!(losses.adversarial != 0.0, rung >= Rung::Adversary);
    }
}

/// With a VGG of random weights, in a file as torchvision writes it.
#[test]
fn the_vgg_loss_is_there_and_its_network_stays() {
    let folder = tempfile::tempdir().expect("a folder");
    let weights = folder.path().join("vgg16.safetensors");
    let config = BackboneConfig::new(Architecture::Vgg16, vec!["features.8".into()]);
    let vgg = {
        let _alone = alone();
        drawn(config.init(&Device::flex()))
    };
    vgg.to_tensors(&weights).expect("reads").write_safetensors(&weights, Precision::F32).expect("writes");
    let vgg = Perceptual::Vgg16 { weights, layers: vec![3, 8] };
    let (mut trainer, batch) = trainer(&HiqaRecipe { vgg, ..recipe() });
    let batch = Batch {
        distorted: batch.distorted.narrow(0, 0, 2),
        reference: batch.reference.map(|images| images.narrow(0, 0, 2)),
        targets: batch.targets.narrow(0, 0, 2),
        sources: vec![0; 2],
    };
    let before = all_bits(&trainer);
    let mut step = || {
        let mut losses = JointLosses::default();
        let hallucination = trainer.hallucinate(&batch);
        trainer.generator_step(hallucination, &batch, 0.0, &mut losses);
        losses.vgg
    };
    let first = step();
    assert!(first > 0.0 && first.is_finite());
    // At a rate of nothing the generator stays; a VGG that stays too gives the same loss again.
    assert_eq!(step(), first);
    assert_eq!(all_bits(&trainer)[1..], before[1..]);

    let missing = HiqaRecipe { vgg: Perceptual::vgg19(folder.path().join("none.pth")), ..recipe() };
    let _alone = alone();
    let error = Trainer::new(&missing, &Device::flex().autodiff()).map(|_| ()).expect_err("no file");
    assert!(error.to_string().contains("none.pth"), "{error}");
}

/// For targets of 0 and 1 the printed objective `log(1 - |D - d|)` is the cross-entropy.
#[test]
fn the_discriminators_loss_is_the_cross_entropy() {
    let device = Device::flex();
    for (logit, target) in [(-3.0f64, 0.0f64), (-3.0, 1.0), (0.4, 0.0), (0.4, 1.0), (5.0, 0.0), (5.0, 1.0)] {
        let d = 1.0 / (1.0 + (-logit).exp());
        let printed = -(1.0 - (d - target).abs()).ln();
        let cross = -(target * d.ln() + (1.0 - target) * (1.0 - d).ln());
        let tensor = |value: f64| Tensor::<1>::from_floats([value as f32], &device);
        let found = cross_entropy(tensor(logit), tensor(target)).into_scalar::<f64>();
        assert!((printed - cross).abs() < 1e-12);
        assert!((found - printed).abs() < 1e-6 * printed.max(1.0), "{logit}, {target}: {found}, {printed}");
    }
    let far = cross_entropy(Tensor::from_floats([200.0, -200.0], &device), Tensor::zeros([2], &device));
    assert_eq!(far.into_scalar::<f64>(), 100.0, "no overflow");
}

#[test]
fn a_hallucination_counts_as_real_where_the_regressor_is_right() {
    let device = Device::flex();
    let predicted = || Tensor::<1>::from_floats([0.10, 0.50, 0.92, 0.3], &device);
    let targets = || Tensor::<1>::from_floats([0.14, 0.90, 0.90, 0.2], &device);
    let accepted = |epsilon| values(agreement(predicted(), targets(), epsilon));
    assert_eq!(accepted(Epsilon::Fixed(0.05)), [1.0, 0.0, 1.0, 0.0]);
    assert_eq!(accepted(Epsilon::Fixed(0.01)), [0.0; 4]);
    assert_eq!(accepted(Epsilon::Quantile(0.25)), [0.0, 0.0, 1.0, 0.0]);
    assert_eq!(accepted(Epsilon::Quantile(0.75)), [1.0, 0.0, 1.0, 1.0]);
    assert_eq!(accepted(Epsilon::Quantile(1.0)), [1.0; 4]);
}
