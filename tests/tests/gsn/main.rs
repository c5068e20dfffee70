//! GSN, its losses and its optimiser against PyTorch (`tests/fixtures/generate/gsn.py`) and closed forms.

mod losses;
mod network;
mod operations;
mod ranger;
mod scoring;
mod training;

use burn::tensor::{Tensor, TensorData};
use iqa_models::Device;
use iqa_testkit::{Arrays, fixture_path};
use serde_json::Value;

fn json() -> Value {
    let text = std::fs::read_to_string(fixture_path("gsn/gsn.json")).expect("a fixture");
    serde_json::from_str(&text).expect("JSON")
}

/// An array of 32-bit floats as a tensor.
fn tensor<const D: usize>(arrays: &Arrays, key: &str, device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(arrays.f32s(key), arrays.shape(key)), device)
}

/// Images kept as bytes, in `[0, 1]`.
fn images(arrays: &Arrays, key: &str, device: &Device) -> Tensor<4> {
    let values: Vec<f32> = arrays.bytes(key).iter().map(|&byte| f32::from(byte) / 255.0).collect();
    Tensor::from_data(TensorData::new(values, arrays.shape(key)), device)
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

fn numbers(json: &Value) -> Vec<f64> {
    json.as_array().expect("a list").iter().map(|value| value.as_f64().expect("a number")).collect()
}
