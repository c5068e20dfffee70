//! HIQA: parity with PyTorch, scoring of images, Algorithm 1.
#![allow(missing_docs, reason = "tests")]

mod files;
mod parity;
mod scoring;
mod steps;
mod training;

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use burn::module::Module;
use iqa_models::heads::HeadError;
use iqa_models::heads::hiqa::{Hiqa, HiqaConfig};
use iqa_models::{Device, Tensor};
use iqa_testkit::Arrays;

/// Initial weights draw from a generator that is global on a device: one at a time.
fn alone() -> MutexGuard<'static, ()> {
    static RUNNING: Mutex<()> = Mutex::new(());
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Random weights, the same in every test.
fn random(config: &HiqaConfig, device: &Device) -> Hiqa {
    let _alone = alone();
    device.seed(3);
    drawn(config.init(device))
}

/// A module whose weights are drawn by now, and not at their first use, when others may draw.
fn drawn<M: Module>(module: M) -> M {
    parity::all_tensors(&module);
    module
}

/// Weights of a file: a network starts from random ones before it is given others.
fn load(path: &Path, device: &Device) -> Result<Hiqa, HeadError> {
    let _alone = alone();
    Hiqa::load(path, device)
}

fn io() -> Arrays {
    Arrays::read("hiqa/io.safetensors")
}

fn tensor<const D: usize>(arrays: &Arrays, key: &str, device: &Device) -> Tensor<D> {
    use burn::tensor::TensorData;
    Tensor::from_data(TensorData::new(arrays.f32s(key), arrays.shape(key)), device)
}

/// Images of the fixture in the scale of the networks.
fn images(arrays: &Arrays, key: &str, device: &Device) -> Tensor<4> {
    use burn::tensor::TensorData;
    let values: Vec<f32> = arrays.bytes(key).into_iter().map(|byte| f32::from(byte) / 127.5 - 1.0).collect();
    Tensor::from_data(TensorData::new(values, arrays.shape(key)), device)
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}
