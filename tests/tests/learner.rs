//! Burn's own `Learner` drives the models.

use std::sync::Arc;

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataloader::{DataLoader, DataLoaderBuilder};
use burn::data::dataset::InMemDataset;
use burn::optim::AdamConfig;
use burn::optim::lr_scheduler::constant::ConstantLr;
use burn::tensor::{Device, Tensor, TensorData};
use burn_train::{Learner, SupervisedTraining, logger::InMemoryMetricLogger};
use iqa_models::heads::wadiqam::{PatchSampler, WadiqamBatch, WadiqamConfig, cut_patches};
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

#[test]
fn burns_learner_lowers_the_loss_of_every_model() {
    let device = Device::flex().autodiff();
    let items = [(1, 20.0), (2, 40.0), (3, 60.0), (4, 30.0)];
    let configs = [
        WadiqamConfig::wadiqam_fr(),
        WadiqamConfig::diqam_fr(),
        WadiqamConfig::wadiqam_nr(),
        WadiqamConfig::diqam_nr(),
    ];
    for config in configs {
        device.seed(5);
        let config = config.shallow().tiny();
        let full_reference = config.is_full_reference();
        let model = config.init(&device);
        let loss = |model: &iqa_models::heads::wadiqam::Wadiqam| {
            let batch = Patches { full_reference }.batch(items.to_vec(), &model.device());
            let scores = model.forward(batch.distorted, batch.reference);
            scores.l1_loss(batch.targets).into_scalar::<f32>()
        };
        let before = loss(&model);
        let folder = tempfile::tempdir().expect("a folder");
        let data = || loader(&items, full_reference);
        let result = SupervisedTraining::new(folder.path(), data(), data())
            .num_epochs(3)
            .with_metric_logger(InMemoryMetricLogger::new())
            .with_application_logger(None)
            .launch(Learner::new(model, AdamConfig::new().init(), ConstantLr::new(1e-3)));
        let after = loss(&result.model);
        assert!(after < before, "{before} to {after}");
    }
}
