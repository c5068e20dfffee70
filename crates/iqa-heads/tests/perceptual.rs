//! LPIPS and DISTS against their packages at the same weights (`tests/fixtures/generate/perceptual.py`).

use burn::tensor::{Device, Tensor};
use image::RgbImage;
use iqa_backbones::{Backbone, BackboneConfig};
use iqa_heads::FeatureDistance;
use iqa_heads::dists::{Dists, dists_backbone};
use iqa_heads::lpips::{Lpips, LpipsTrunk};
use iqa_nn::{NamedTensors, image_to_tensor};
use iqa_testkit::{Arrays, Tolerance, assert_close, closed_form, workspace_path};

const SIZES: [&str; 2] = ["97x83", "64x48"];

fn trunk(config: &BackboneConfig, device: &Device) -> Backbone {
    let tensors = config.init(&Device::flex()).to_tensors("shapes".as_ref()).expect("not fused");
    let shape = |key: &str| tensors.get(key).expect("listed").shape.clone();
    let shapes: Vec<_> = tensors.keys().map(|key| (key.to_owned(), shape(key))).collect();
    let file = closed_form::weights_file("", &shapes);
    let tensors = NamedTensors::from_safetensors(&file, "closed form").expect("sound");
    Backbone::from_tensors(tensors, config, device).expect("loads")
}

fn weights(name: &str) -> NamedTensors {
    let path = workspace_path(format!("crates/iqa-heads/weights/{name}.safetensors"));
    NamedTensors::read(path).expect("bundled")
}

fn lpips(kind: LpipsTrunk, device: &Device) -> Lpips {
    let name = if kind == LpipsTrunk::Alex { "lpips_alex" } else { "lpips_vgg" };
    Lpips::new(&weights(name), trunk(&kind.backbone(1), device)).expect("fits")
}

fn dists(device: &Device) -> Dists {
    Dists::new(&weights("dists"), &trunk(&dists_backbone(1), device)).expect("fits")
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

fn picture(arrays: &Arrays, size: &str, which: &str) -> RgbImage {
    arrays.image(&format!("{size}/{which}"))
}

fn compare(name: &str, forward: impl Fn(Tensor<4>, Tensor<4>) -> Tensor<1>, device: &Device) {
    let arrays = Arrays::read("perceptual/perceptual.safetensors");
    for size in SIZES {
        let [distorted, reference] = ["distorted", "reference"].map(|which| picture(&arrays, size, which));
        let tensor = |image| image_to_tensor(image, device);
        let key = format!("{name}/{size}");
        let found = forward(tensor(&distorted), tensor(&reference));
        // A distance of DISTS is one minus a sum near one, which is what is rounded.
        let rounded = |distances: Vec<f32>| -> Vec<f32> {
            distances
                .into_iter()
                .map(|distance| if name == "dists" { 1.0 - distance } else { distance })
                .collect()
        };
        let expected = rounded(arrays.f32s(&key));
        assert_close(&key, &rounded(values(found)), &expected, Tolerance::FORWARD);
        let same = values(forward(tensor(&reference), tensor(&reference)))[0];
        assert!(same.abs() < 1e-6, "{key}: {same} of a picture and itself");
    }
    let [distorted, reference] = ["distorted", "reference"].map(|which| picture(&arrays, SIZES[1], which));
    let device = device.clone();
    let distorted = image_to_tensor(&distorted, &device).require_grad();
    let gradients = forward(distorted.clone(), image_to_tensor(&reference, &device)).sum().backward();
    let key = format!("{name}/gradient");
    let found = distorted.grad(&gradients).expect("a gradient");
    assert_close(&key, &values(found), &arrays.f32s(&key), Tolerance::BACKWARD);
}

#[test]
fn distances_and_gradients_agree_with_the_packages() {
    let device = Device::flex().autodiff();
    let alex = lpips(LpipsTrunk::Alex, &device);
    compare("lpips_alex", |a, b| alex.forward(a, b), &device);
    let vgg = lpips(LpipsTrunk::Vgg, &device);
    compare("lpips_vgg", |a, b| vgg.forward(a, b), &device);
    let dists = dists(&device);
    compare("dists", |a, b| dists.forward(a, b), &device);
}

#[test]
fn weights_of_another_network_are_refused() {
    let device = Device::flex();
    let alex = trunk(&LpipsTrunk::Alex.backbone(1), &device);
    let error = Lpips::new(&weights("lpips_vgg"), alex.clone()).expect_err("VGG's channels").to_string();
    assert!(error.contains("lin1.model.1.weight") && error.contains("lpips_vgg.safetensors"), "{error}");
    let error = Dists::new(&weights("dists"), &alex).expect_err("AlexNet").to_string();
    assert_eq!(error, "invalid configuration: trunk is alexnet, expected vgg16");
}
