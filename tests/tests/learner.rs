//! Burn's own `Learner` drives the models.

use std::sync::Arc;

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataloader::{DataLoader, DataLoaderBuilder};
use burn::data::dataset::InMemDataset;
use burn::optim::AdamConfig;
use burn::optim::lr_scheduler::constant::ConstantLr;
use burn::tensor::{Device, Tensor, TensorData};
use burn_train::logger::InMemoryMetricLogger;
use burn_train::{ExecutionStrategy, Learner, MultiDeviceOptim, SupervisedTraining};
use iqa_models::heads::wadiqam::{PatchSampler, Wadiqam, WadiqamBatch, WadiqamConfig, cut_patches};
use iqa_testkit::textured;

/// An image's number and its label.
type Item = (u32, f32);

struct Patches {
    full_reference: bool,
}

impl Batcher<Item, WadiqamBatch> for Patches {
    fn batch(&self, items: Vec<Item>, device: &Device) -> WadiqamBatch {
        let cut = |seed: u32| {
            let positions =
                PatchSampler::Random { patches: 2, seed: 1 }.positions(64, 64).expect("large enough");
            cut_patches(&textured(64, 64, seed), &positions, device)
        };
        let stack = |offset: u32| Tensor::cat(items.iter().map(|(seed, _)| cut(seed + offset)).collect(), 0);
        let targets: Vec<f32> = items.iter().map(|(_, label)| *label).collect();
        let targets = TensorData::new(targets, [items.len()]);
        WadiqamBatch {
            distorted: stack(0),
            reference: self.full_reference.then(|| stack(100)),
            targets: Tensor::from_data(targets, device),
        }
    }
}

fn loader(items: &[Item], full_reference: bool) -> Arc<dyn DataLoader<WadiqamBatch>> {
    let builder = DataLoaderBuilder::new(Patches { full_reference }).batch_size(2);
    builder.build(InMemDataset::new(items.to_vec()))
}

const ITEMS: [Item; 4] = [(1, 20.0), (2, 40.0), (3, 60.0), (4, 30.0)];

/// Trains a narrow model for some epochs; the L1 loss before and after.
fn learn(config: WadiqamConfig, strategy: ExecutionStrategy, epochs: usize) -> (f32, f32) {
    let device = strategy.main_device().clone();
    device.seed(5);
    let config = config.shallow().tiny();
    let full_reference = config.is_full_reference();
    let model = config.init(&device);
    let loss = |model: &Wadiqam| {
        let batch = Patches { full_reference }.batch(ITEMS.to_vec(), &model.device());
        let scores = model.forward(batch.distorted, batch.reference);
        scores.l1_loss(batch.targets).into_scalar::<f32>()
    };
    let before = loss(&model);
    let folder = tempfile::tempdir().expect("a folder");
    let data = || loader(&ITEMS, full_reference);
    let result = SupervisedTraining::new(folder.path(), data(), data())
        .num_epochs(epochs)
        .with_training_strategy(strategy.into())
        .with_metric_logger(InMemoryMetricLogger::new())
        .with_application_logger(None)
        .launch(Learner::new(model, AdamConfig::new().init(), ConstantLr::new(1e-3)));
    (before, loss(&result.model))
}

#[test]
fn burns_learner_lowers_the_loss_of_every_model() {
    let configs = [
        WadiqamConfig::wadiqam_fr(),
        WadiqamConfig::diqam_fr(),
        WadiqamConfig::wadiqam_nr(),
        WadiqamConfig::diqam_nr(),
    ];
    for config in configs {
        let (before, after) = learn(config, ExecutionStrategy::single(Device::flex().autodiff()), 3);
        assert!(after < before, "{before} to {after}");
    }
}

/// A step takes a batch of each device; gradients meet on the first, or each device updates a part of the weights.
#[test]
fn burns_learner_trains_on_two_devices_at_once() {
    for optim in [MultiDeviceOptim::OptimMainDevice, MultiDeviceOptim::OptimSharded] {
        let devices = vec![Device::flex().autodiff(); 2];
        let (before, after) =
            learn(WadiqamConfig::wadiqam_fr(), ExecutionStrategy::multi(devices, optim), 15);
        assert!(after < before, "{optim:?}: {before} to {after}");
    }
}
