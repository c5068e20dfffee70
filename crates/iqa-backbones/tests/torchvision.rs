//! VGG, ResNet, Inception-v3 and AlexNet against torchvision, EfficientNet-Lite0 against its package, at the same weights (`tests/fixtures/generate/backbones.py`).

use burn::module::Module;
use burn::optim::{GradientsParams, ModuleOptimizer, SgdConfig};
use burn::tensor::{Device, Tensor, TensorData};
use iqa_backbones::{Architecture, Backbone, BackboneConfig, BackboneError, FeatureExtractor};
use iqa_nn::{NamedTensors, NnError};
use iqa_testkit::{Arrays, Tolerance, assert_close, closed_form, fixture_path};

/// Width and height; at the last every layer is tapped.
const SIZES: [(usize, usize); 3] = [(512, 384), (299, 299), (97, 83)];

fn images((width, height): (usize, usize)) -> Tensor<4> {
    let values = closed_form::uniform(&format!("images/{width}x{height}"), 3 * width * height);
    let values: Vec<f32> = values.into_iter().map(|value| 2.0 * value).collect();
    Tensor::from_data(TensorData::new(values, [1, 3, height, width]), &Device::flex())
}

/// Names and shapes of all tensors of a network.
fn shapes(config: &BackboneConfig) -> Vec<(String, Vec<usize>)> {
    let tensors = config.init(&Device::flex()).to_tensors("shapes".as_ref()).expect("not fused");
    let shape = |key: &str| tensors.get(key).expect("listed").shape.clone();
    tensors.keys().map(|key| (key.to_owned(), shape(key))).collect()
}

fn network(config: &BackboneConfig) -> Backbone {
    let file = closed_form::weights_file("", &shapes(config));
    let tensors = NamedTensors::from_safetensors(&file, "closed form").expect("sound");
    Backbone::from_tensors(tensors, config, &Device::flex()).expect("loads")
}

fn values(tensor: Tensor<4>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

/// Holds shape, channel means and samples of every tap against what is recorded under `key`.
fn assert_taps(key: &str, recorded: &Arrays, network: &Backbone, images: Tensor<4>, tolerance: Tolerance) {
    let features = network.forward_features(images);
    let infos = network.feature_info();
    assert_eq!(features.len(), infos.len());
    for (info, tap) in infos.into_iter().zip(features) {
        let key = format!("{key}/{}", info.name);
        let shape = tap.dims();
        let expected: Vec<usize> =
            recorded.f32s(&format!("{key}/shape")).into_iter().map(|extent| extent as usize).collect();
        assert_eq!(shape.as_slice(), expected, "{key}");
        assert_eq!(shape[1], info.channels, "{key}");
        let means = tap.clone().mean_dims(&[0, 2, 3]);
        assert_close(
            &format!("{key}/means"),
            &values(means),
            &recorded.f32s(&format!("{key}/means")),
            tolerance,
        );
        // Samples and the largest value, which is the measure of their error.
        let all = values(tap);
        let largest = all.iter().fold(0f32, |largest, value| largest.max(value.abs()));
        let samples = recorded.f32s(&format!("{key}/samples"));
        let places = closed_form::places(&key, samples.len(), all.len());
        let found: Vec<f32> = places.into_iter().map(|place| all[place]).chain([largest]).collect();
        let expected = [samples, recorded.f32s(&format!("{key}/largest"))].concat();
        assert_close(&format!("{key}/samples"), &found, &expected, tolerance);
    }
}

fn assert_parity(architecture: Architecture) {
    assert_parity_with("backbones/taps.safetensors", architecture, Tolerance::FORWARD);
}

fn assert_parity_with(fixture: &str, architecture: Architecture, tolerance: Tolerance) {
    let recorded = Arrays::read(fixture);
    let names =
        |layers: Vec<iqa_backbones::FeatureInfo>| layers.into_iter().map(|layer| layer.name).collect();
    let all = network(&BackboneConfig::new(architecture, names(architecture.layers())));
    // The same weights, but passes that go over layers without a tap.
    let deepest = network(&BackboneConfig::new(architecture, names(architecture.deepest_layers())));
    let key = |(width, height): (usize, usize)| format!("{architecture}/{width}x{height}");
    assert_taps(&key(SIZES[2]), &recorded, &all, images(SIZES[2]), tolerance);
    assert_taps(&key(SIZES[2]), &recorded, &all.fuse(), images(SIZES[2]), tolerance);
    assert_taps(&key(SIZES[1]), &recorded, &deepest, images(SIZES[1]), tolerance);
    assert_taps(&key(SIZES[0]), &recorded, &deepest.fuse(), images(SIZES[0]), tolerance);
}

#[test]
fn vgg16_agrees_with_torchvision() {
    assert_parity(Architecture::Vgg16);
}

#[test]
fn vgg19_agrees_with_torchvision() {
    assert_parity(Architecture::Vgg19);
}

#[test]
fn resnet18_agrees_with_torchvision() {
    assert_parity(Architecture::ResNet18);
}

#[test]
fn resnet50_agrees_with_torchvision() {
    assert_parity(Architecture::ResNet50);
}

#[test]
fn alexnet_agrees_with_torchvision() {
    assert_parity(Architecture::AlexNet);
}

/// Forty-eight layers deep: PyTorch's own single precision is 2.7e-5 from its double precision there.
const DEEP: Tolerance = Tolerance(3e-5);

#[test]
fn efficientnet_lite0_agrees_with_its_package() {
    assert_parity_with("backbones/efficientnet.safetensors", Architecture::EfficientNetLite0, DEEP);
}

#[test]
fn inception_v3_agrees_with_torchvision() {
    assert_parity(Architecture::InceptionV3);
}

/// Files as torchvision's are: `.pth` and safetensors, with classifiers, counters and layers that are cut off here.
#[test]
fn files_of_torchvision_load() {
    let recorded = Arrays::read("backbones/narrow_taps.safetensors");
    let files = [
        (Architecture::Vgg16, "narrow_vgg16.pth"),
        (Architecture::ResNet18, "narrow_resnet18.pth"),
        (Architecture::InceptionV3, "narrow_inception_v3.safetensors"),
    ];
    for (architecture, file) in files {
        let config = BackboneConfig::four_scales(architecture).tiny();
        let file = fixture_path("backbones").join(file);
        let network = Backbone::load(&file, &config, &Device::flex()).expect("loads");
        assert_taps(
            &format!("narrow/{architecture}"),
            &recorded,
            &network,
            images(SIZES[2]),
            Tolerance::FORWARD,
        );
    }
}

#[test]
fn a_file_that_is_not_the_networks_is_refused_by_tensor() {
    let config = BackboneConfig::four_scales(Architecture::ResNet18).tiny();
    let load = |tensors: &[(String, Vec<usize>)]| {
        let file = closed_form::weights_file("", tensors);
        let tensors = NamedTensors::from_safetensors(&file, "some.pth").expect("sound");
        match Backbone::from_tensors(tensors, &config, &Device::flex()).expect_err("not the network's") {
            BackboneError::Nn(error) => error,
            other => panic!("{other}"),
        }
    };
    let sound = shapes(&config);
    let without = |name: &str| -> Vec<_> { sound.iter().filter(|(key, _)| key != name).cloned().collect() };
    match load(&without("layer2.0.downsample.1.running_var")) {
        NnError::MissingTensor { key, .. } => assert_eq!(key, "layer2.0.downsample.1.running_var"),
        other => panic!("{other}"),
    }
    let with =
        |name: &str, shape: &[usize]| [without(name), vec![(name.to_owned(), shape.to_vec())]].concat();
    match load(&with("layer9.0.conv1.weight", &[1])) {
        NnError::UnusedTensors { keys, .. } => assert_eq!(keys, ["layer9.0.conv1.weight"]),
        other => panic!("{other}"),
    }
    match load(&with("conv1.weight", &[4, 3, 5, 5])) {
        NnError::TensorShape { key, expected, found, .. } => {
            assert_eq!((key.as_str(), expected, found), ("conv1.weight", vec![4, 3, 7, 7], vec![4, 3, 5, 5]));
        }
        other => panic!("{other}"),
    }
}

#[test]
fn saved_tensors_load_as_they_were_and_a_fused_network_has_none() {
    for architecture in [
        Architecture::ResNet50,
        Architecture::InceptionV3,
        Architecture::Vgg19,
        Architecture::EfficientNetLite0,
    ] {
        let config = BackboneConfig::four_scales(architecture).tiny();
        let first = network(&config);
        let tensors = first.to_tensors("saved".as_ref()).expect("not fused");
        let again = Backbone::from_tensors(tensors, &config, &Device::flex()).expect("loads");
        for (a, b) in
            first.forward_features(images(SIZES[2])).into_iter().zip(again.forward_features(images(SIZES[2])))
        {
            assert_eq!(values(a), values(b), "{architecture}");
        }
    }
    let fused = network(&BackboneConfig::four_scales(Architecture::ResNet18).tiny()).fuse();
    assert!(matches!(fused.to_tensors("saved".as_ref()), Err(BackboneError::Fused { .. })));
}

/// SPEC: VGG16 to relu5_3, ResNet50 to layer3, Inception-v3 to Mixed_6e; the counts recorded are torchvision's own.
#[test]
fn cut_off_networks_have_the_channels_and_sizes_of_the_paper() {
    let text = std::fs::read_to_string(fixture_path("backbones/backbones.json")).expect("a fixture");
    let recorded: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let expected = [
        (Architecture::Vgg16, [128, 256, 512, 512], 14_714_688),
        (Architecture::ResNet50, [64, 256, 512, 1024], 8_543_296),
        (Architecture::InceptionV3, [64, 192, 288, 768], 8_965_856),
    ];
    for (architecture, channels, parameters) in expected {
        let config = BackboneConfig::four_scales(architecture);
        let info = config.feature_info().expect("valid");
        assert_eq!(info.iter().map(|tap| tap.channels).collect::<Vec<_>>(), channels);
        let running: usize = shapes(&config)
            .iter()
            .filter(|(key, _)| key.contains(".running_"))
            .map(|(_, shape)| shape[0])
            .sum();
        assert_eq!(config.init(&Device::flex()).num_params() - running, parameters, "{architecture}");
        assert_eq!(recorded["parameters"][architecture.as_str()]["four_scales"], parameters);
    }
    let inception = network(&BackboneConfig::four_scales(Architecture::InceptionV3).tiny());
    let sides = [
        (384, [189, 92, 45, 22]),
        (512, [253, 124, 61, 30]),
        (288, [141, 68, 33, 16]),
        (299, [147, 71, 35, 17]),
    ];
    for (side, expected) in sides {
        let image = Tensor::zeros([1, 3, side, 43], &Device::flex());
        let found = inception.forward_features(image).into_iter().map(|tap| tap.dims()[2]);
        assert_eq!(found.collect::<Vec<_>>(), expected);
    }
}

/// An image of the smallest size gives one pixel at the deepest tap, one of a pixel less is too small.
#[test]
fn the_smallest_image_is_that_of_the_network() {
    for architecture in Architecture::ALL {
        for layer in architecture.layers() {
            let config = BackboneConfig::new(architecture, vec![layer.name.clone()]).tiny();
            let side = config.minimum_size().expect("valid");
            let features =
                network(&config).forward_features(Tensor::zeros([1, 3, side, side], &Device::flex()));
            assert_eq!(features[0].dims()[2..], [1, 1], "{architecture} {}", layer.name);
        }
    }
}

/// Loss, running statistics and features after a step along the gradient, on an image and its negative at half contrast.
#[test]
fn a_step_of_training_agrees_with_torchvision() {
    let recorded = Arrays::read("backbones/training.safetensors");
    for architecture in [Architecture::ResNet18, Architecture::InceptionV3] {
        let config = BackboneConfig::four_scales(architecture).tiny();
        let file = closed_form::weights_file(&format!("narrow/{architecture}/"), &shapes(&config));
        let tensors = NamedTensors::from_safetensors(&file, "closed form").expect("sound");
        let network = Backbone::from_tensors(tensors, &config, &Device::flex()).expect("loads").train();
        let batch = Tensor::cat(vec![images(SIZES[2]), images(SIZES[2]) * -0.5], 0);

        let taps = network.forward_features_training(Tensor::from_inner(batch.clone()));
        let losses = taps.into_iter().map(|tap| tap.powi_scalar(2).mean());
        let loss = losses.reduce(|sum, loss| sum + loss).expect("taps");
        let scalar = |name: &str| recorded.f32s(&format!("{architecture}/{name}"));
        assert_close("loss", &[loss.clone().into_scalar()], &scalar("loss"), Tolerance::FORWARD);
        let gradients = GradientsParams::from_grads(loss.backward(), &network);
        let mut descent: ModuleOptimizer = SgdConfig::new().init();
        let network = descent.step(f64::from(scalar("rate")[0]), network, gradients).valid();

        let after = network.to_tensors("after".as_ref()).expect("not fused");
        for key in after.keys().filter(|key| key.contains(".running_")) {
            let expected = scalar(key);
            assert_close(key, &after.get(key).expect("there").values, &expected, Tolerance::FORWARD);
        }
        assert_taps(&format!("{architecture}/after"), &recorded, &network, batch, Tolerance::FORWARD);
    }
}

/// Batch norm by running statistics on an autodiff device too; those of the batch, and an update, only in training.
#[test]
fn running_statistics_change_in_training_alone() {
    let config = BackboneConfig::four_scales(Architecture::ResNet18).tiny();
    let plain = network(&config);
    let training = plain.clone().train();
    let device = Device::flex().autodiff();
    let batch = Tensor::cat(vec![images((64, 48)), images((48, 64)).swap_dims(2, 3)], 0);
    let on_device = Tensor::from_inner(batch.clone());
    assert!(on_device.device().is_autodiff() && device.is_autodiff());
    let before = training.to_tensors("before".as_ref()).expect("tensors");
    for (a, b) in plain.forward_features(batch).into_iter().zip(training.forward_features(on_device.clone()))
    {
        assert_close("evaluation", &values(b.inner()), &values(a), Tolerance::REORDERED);
    }
    let same = |network: &Backbone| {
        let after = network.valid().to_tensors("after".as_ref()).expect("tensors");
        after.get("bn1.running_mean").expect("there") == before.get("bn1.running_mean").expect("there")
    };
    assert!(same(&training));
    let _ = training.forward_features_training(on_device);
    assert!(!same(&training));
}
