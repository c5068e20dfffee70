//! Central difference convolution and resizing.

use burn::module::{Param, ParamId};
use burn::tensor::activation::relu;
use burn::tensor::{Tensor, TensorData};
use iqa_kernels::max_pool;
use iqa_models::Device;
use iqa_models::heads::gsn::{CentralDifferenceConv2d, CentralDifferenceConv2dConfig, resize_bilinear};
use iqa_testkit::{Arrays, Tolerance, assert_close};
use proptest::prelude::*;

use super::{json, numbers, tensor, values};

fn layer(weight: Tensor<4>, theta: f64, stride: usize) -> CentralDifferenceConv2d {
    let [out, channels, ..] = weight.dims();
    let config = CentralDifferenceConv2dConfig::new([channels, out]).with_theta(theta).with_stride(stride);
    let mut layer = config.init(&weight.device());
    layer.weight = Param::initialized(ParamId::new(), weight);
    layer
}

/// The paper's small example: the middle of the kernel becomes -2.65.
#[test]
fn the_golden_convolution() {
    let device = Device::flex();
    let counted = |scale: f32| {
        let values: Vec<f32> = (1..10).map(|value| value as f32 * scale).collect();
        Tensor::<4>::from_data(TensorData::new(values, [1, 1, 3, 3]), &device)
    };
    let layer = layer(counted(0.1), 0.7, 1);
    assert!((values(layer.folded_weight())[4] + 2.65).abs() < 1e-6);
    let expected = numbers(&json()["goldens"]["cdc"]);
    for (found, expected) in values(layer.forward(counted(1.0))).iter().zip(expected) {
        assert!((f64::from(*found) - expected).abs() < 4e-6, "{found} for {expected}");
    }
}

/// Values and both gradients of the two-convolution form in PyTorch.
#[test]
fn values_and_gradients_agree_with_pytorch() {
    let arrays = Arrays::read("gsn/operations.safetensors");
    for (case, stride) in [("stride1", 1), ("stride2", 2), ("wide", 1)] {
        let key = |name: &str| format!("cdc/{case}/{name}");
        let device = Device::flex().autodiff();
        let weight = tensor(&arrays, &key("w"), &device).require_grad();
        let x: Tensor<4> = tensor(&arrays, &key("x"), &device).require_grad();
        let y = layer(weight.clone(), 0.7, stride).forward(x.clone());
        assert_close(&key("y"), &values(y.clone()), &arrays.f32s(&key("y")), FOLDED);
        let gradients = (y * tensor(&arrays, &key("g"), &device)).sum().backward();
        for (name, leaf) in [("dx", x), ("dw", weight)] {
            let found = values(leaf.grad(&gradients).expect("a gradient"));
            assert_close(&key(name), &found, &arrays.f32s(&key(name)), FOLDED);
        }
    }
}

/// The form with one convolution against the form with two, as a part of the largest value.
const FOLDED: Tolerance = Tolerance(1e-6);

/// Equation 1 as printed, in double precision, on the image with its border of zeros.
fn literal(x: &[f32], w: &[f32], shape: [usize; 4], out: usize, theta: f64, stride: usize) -> Vec<f32> {
    let [n, channels, height, width] = shape;
    let at = |image: usize, channel: usize, y: isize, x_: isize| {
        let inside = y >= 0 && x_ >= 0 && (y as usize) < height && (x_ as usize) < width;
        if !inside {
            return 0.0;
        }
        f64::from(x[((image * channels + channel) * height + y as usize) * width + x_ as usize])
    };
    let mut result = Vec::new();
    for image in 0..n {
        for o in 0..out {
            for row in (0..height).step_by(stride) {
                for column in (0..width).step_by(stride) {
                    let (mut difference, mut plain) = (0.0, 0.0);
                    for channel in 0..channels {
                        let middle = at(image, channel, row as isize, column as isize);
                        for tap in 0..9 {
                            let weight = f64::from(w[(o * channels + channel) * 9 + tap]);
                            let (dy, dx) = (tap as isize / 3 - 1, tap as isize % 3 - 1);
                            let value = at(image, channel, row as isize + dy, column as isize + dx);
                            difference += weight * (value - middle);
                            plain += weight * value;
                        }
                    }
                    result.push((theta * difference + (1.0 - theta) * plain) as f32);
                }
            }
        }
    }
    result
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn one_convolution_is_equation_1(
        n in 1usize..3,
        channels in 1usize..9,
        out in 1usize..9,
        height in 1usize..14,
        width in 1usize..14,
        stride in 1usize..3,
        theta in prop_oneof![Just(0.0), Just(0.7), Just(1.0), 0.0..1.0],
        seed in any::<u32>(),
    ) {
        let mut state = seed;
        let mut random = |count: usize| -> Vec<f32> {
            (0..count)
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (state >> 8) as f32 / (1 << 23) as f32 - 1.0
                })
                .collect()
        };
        let shape = [n, channels, height, width];
        let (x, w) = (random(shape.iter().product()), random(out * channels * 9));
        let expected = literal(&x, &w, shape, out, theta, stride);
        let device = Device::flex();
        let weight = Tensor::from_data(TensorData::new(w, [out, channels, 3, 3]), &device);
        let found = layer(weight, theta, stride).forward(Tensor::from_data(TensorData::new(x, shape), &device));
        prop_assert_eq!(found.dims(), [n, out, height.div_ceil(stride), width.div_ceil(stride)]);
        assert_close("folded", &values(found), &expected, FOLDED);
    }
}

/// After a ReLU, so that there are ties.
#[test]
fn pooling_agrees_with_pytorch() {
    let arrays = Arrays::read("gsn/operations.safetensors");
    let device = Device::flex().autodiff();
    for (side, stride, padding) in [(3, 2, 1), (3, 2, 0), (3, 1, 1), (2, 2, 0)] {
        let key = |name: &str| format!("pool/{side}_{stride}_{padding}/{name}");
        let x: Tensor<4> = tensor(&arrays, &key("x"), &device).require_grad();
        let y = max_pool(relu(x.clone()), side, stride, padding);
        assert_eq!(y.dims().to_vec(), arrays.shape(&key("y")));
        assert_eq!(values(y.clone()), arrays.f32s(&key("y")));
        let gradients = (y * tensor(&arrays, &key("g"), &device)).sum().backward();
        let found = values(x.grad(&gradients).expect("a gradient"));
        assert_close(&key("dx"), &found, &arrays.f32s(&key("dx")), Tolerance::REORDERED);
    }
}

#[test]
fn resizing_agrees_with_pytorch() {
    let arrays = Arrays::read("gsn/operations.safetensors");
    let device = Device::flex();
    for (from, to) in [("24x24", 36, 36), ("48x48", 36, 36), ("96x90", 36, 36), ("5x3", 4, 7), ("1x2", 3, 3)]
        .map(|(from, height, width)| (from, [height, width]))
    {
        let key = format!("resize/{from}_{}x{}", to[0], to[1]);
        let found = resize_bilinear(tensor(&arrays, &format!("{key}/x"), &device), to);
        assert_close(&key, &values(found), &arrays.f32s(&format!("{key}/y")), Tolerance(5e-7));
    }
}
