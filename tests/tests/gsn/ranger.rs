//! Ranger against PyTorch's RAdam with lookahead and centralisation.

use burn::module::{Module, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{Linear, LinearConfig, PaddingConfig2d};
use burn::optim::{GradientsParams, ModuleOptimizer, OptimizerRecord};
use burn::tensor::{Tensor, TensorData};
use iqa_models::Device;
use iqa_models::nn::NamedTensors;
use iqa_models::train::{Centralisation, QualityLoss, RangerConfig, Term};
use iqa_testkit::{Arrays, Tolerance, assert_close};

use super::{json, numbers, tensor, values};

/// A matrix whose gradient is linear in it, as PyTorch's 2x2 linear layer; Burn's lies on its side.
#[test]
fn goldens_of_a_linear_layer() {
    let device = Device::flex().autodiff();
    let mut layer = LinearConfig::new(2, 2).with_bias(false).init(&device);
    let matrix = |values: [f32; 4]| {
        Tensor::<2>::from_data(TensorData::new(values.to_vec(), [2, 2]), &device).transpose()
    };
    layer.weight = Param::from_tensor(matrix([1.0, 2.0, -1.0, 0.5]));
    let mut optimiser = RangerConfig::new().with_weight_decay(1e-5).init();
    for step in 1..=12 {
        let weight = layer.weight.val();
        // The gradient of this is `slope * w + offset`.
        let slope = matrix([1.0, 0.5, 0.25, -1.0]);
        let loss = (slope * weight.clone().square() / 2.0 + matrix([0.1, -0.2, 0.3, 0.4]) * weight).sum();
        let gradients = GradientsParams::from_grads(loss.backward(), &layer);
        layer = optimiser.step(1e-3, layer, gradients);
        let expected = &json()["goldens"]["ranger"][step.to_string()];
        if !expected.is_null() {
            let found = values(layer.weight.val().transpose());
            for (found, expected) in found.into_iter().zip(numbers(expected)) {
                assert!((f64::from(found) - expected).abs() < 1e-6, "step {step}: {found} for {expected}");
            }
        }
    }
}

#[derive(Module, Debug)]
struct Small {
    conv: Conv2d,
    fc1: Linear,
    fc2: Linear,
}

impl Small {
    fn new(device: &Device) -> Self {
        let conv = Conv2dConfig::new([2, 4], [3, 3]).with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1));
        Self {
            conv: conv.init(device),
            fc1: LinearConfig::new(100, 8).init(device),
            fc2: LinearConfig::new(8, 1).init(device),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<1> {
        let x: Tensor<2> = self.conv.forward(x).tanh().flatten(1, 3);
        let [n, _] = x.dims();
        self.fc2.forward(self.fc1.forward(x).tanh()).reshape([n])
    }
}

fn start(device: &Device) -> Small {
    let arrays = Arrays::read("gsn/ranger.safetensors");
    let path = iqa_testkit::fixture_path("gsn/ranger.safetensors");
    let mut tensors = NamedTensors::read(path).expect("a fixture");
    tensors.discard(|key| !key.starts_with("start/"));
    let model = Small::new(device);
    let names: Vec<_> = NamedTensors::module_paths(&model)
        .into_iter()
        .map(|path| (path.clone(), format!("start/{path}")))
        .collect();
    assert!(names.iter().all(|(_, key)| arrays.contains(key)));
    tensors.load_into(model, &names).expect("fits")
}

fn config() -> RangerConfig {
    RangerConfig::new().with_weight_decay(1e-2)
}

fn step(model: Small, optimiser: &mut ModuleOptimizer) -> (Small, f32) {
    let arrays = Arrays::read("gsn/ranger.safetensors");
    let device = model.fc1.weight.device();
    let targets: Vec<f64> = arrays.f32s("y").into_iter().map(f64::from).collect();
    let scores = model.forward(tensor(&arrays, "x", &device));
    let loss = QualityLoss::of(Term::Mse).loss(scores, &targets).expect("a loss");
    let value = values(loss.clone())[0];
    let gradients = GradientsParams::from_grads(loss.backward(), &model);
    (optimiser.step(1e-2, model, gradients), value)
}

#[test]
fn two_hundred_steps_agree_with_pytorch() {
    let arrays = Arrays::read("gsn/ranger.safetensors");
    let mut model = start(&Device::flex().autodiff());
    let mut optimiser = config().init();
    let mut losses = Vec::new();
    for _ in 0..200 {
        let loss;
        (model, loss) = step(model, &mut optimiser);
        losses.push(loss);
    }
    assert_close("losses", &losses, &arrays.f32s("losses"), Tolerance::FORWARD);
    let names: Vec<_> =
        NamedTensors::module_paths(&model).into_iter().map(|path| (path.clone(), path)).collect();
    let end = NamedTensors::from_module(&model.valid(), &names, "end").expect("reads");
    for (key, _) in names {
        let found = &end.get(&key).expect("listed").values;
        assert_close(&key, found, &arrays.f32s(&format!("end/{key}")), Tolerance::FORWARD);
    }
}

/// Wherever between two looks ahead it is saved.
#[test]
fn a_saved_optimiser_goes_on_as_it_was() {
    for stop in [3, 6, 8] {
        let mut model = start(&Device::flex().autodiff());
        let mut optimiser = config().init();
        for _ in 0..stop {
            (model, _) = step(model, &mut optimiser);
        }
        let bytes = optimiser.into_bytes().expect("writes");
        let record = OptimizerRecord::from_bytes(bytes).expect("reads");
        let mut resumed = config().init().load_record(record);
        let mut other = model.clone();
        for _ in 0..7 {
            (model, _) = step(model, &mut optimiser);
            (other, _) = step(other, &mut resumed);
        }
        assert_eq!(values(model.fc1.weight.val()), values(other.fc1.weight.val()), "after {stop} steps");
        assert_eq!(values(model.conv.weight.val()), values(other.conv.weight.val()), "after {stop} steps");
    }
}

/// The applied gradient of each output sums to zero, wherever the layer keeps its outputs.
#[test]
fn centralised_gradients_leave_the_sum_of_each_output() {
    let device = Device::flex().autodiff();
    let sums = |weight: Tensor<2>, axis: usize| values(weight.sum_dim(axis));
    let moved = |centralisation: Centralisation, axis: usize| {
        let layer = LinearConfig::new(3, 4).with_bias(false).init(&device);
        let before = layer.weight.val();
        let x = Tensor::<2>::from_floats([[0.3, -1.0, 2.0]], &device);
        let loss = layer.forward(x).square().sum();
        let gradients = GradientsParams::from_grads(loss.backward(), &layer);
        let after =
            RangerConfig::new().with_centralisation(centralisation).init().step(0.1, layer, gradients);
        let after = after.weight.val();
        let change = sums(after, axis).into_iter().zip(sums(before, axis)).map(|(a, b)| (a - b).abs());
        change.fold(0.0, f32::max)
    };
    // Burn's linear layers are `[in, out]`.
    assert!(moved(Centralisation::ByRank, 0) < 1e-6);
    assert!(moved(Centralisation::ByRank, 1) > 1e-3);
    assert!(moved(Centralisation::OutputAxis(0), 1) < 1e-6);
    assert!(moved(Centralisation::Off, 0) > 1e-3);
}
