//! Principal components of reference features: against NumPy (`tests/fixtures/generate/reduced_reference.py`), against
//! the full-reference score, and their files.

use std::path::Path;

use image::RgbImage;
use iqa_models::heads::HeadError;
use iqa_models::heads::wadiqam::{
    FeaturePca, Fusion, PatchSampler, PcaFit, PreparedReference, ScoreOptions, Wadiqam, WadiqamConfig,
};
use iqa_models::nn::{NamedTensor, NamedTensors, NnError, Precision};
use iqa_models::{Device, Tensor};
use iqa_testkit::{Arrays, Tolerance, assert_close, textured, workspace_path};

type Tensors = Vec<(String, NamedTensor)>;

fn fitted(model: &Wadiqam, seeds: std::ops::Range<u32>) -> FeaturePca {
    let mut fit = PcaFit::new(model.config().features());
    for seed in seeds {
        let sampler = PatchSampler::Random { patches: 40, seed: u64::from(seed) };
        let options = ScoreOptions { sampler, chunk: 16 };
        fit.add(&model.prepare(&textured(120, 100, seed), &options).expect("prepares")).expect("fits");
    }
    fit.finish().expect("enough patches")
}

fn pair() -> (RgbImage, RgbImage) {
    (textured(150, 110, 21), textured(150, 110, 20))
}

fn options() -> ScoreOptions {
    ScoreOptions { chunk: 5, ..ScoreOptions::default() }
}

fn rebuilt(model: &Wadiqam, pca: &FeaturePca, prepared: &PreparedReference, k: usize) -> PreparedReference {
    pca.rebuild(&pca.reduce(prepared, k).expect("reduces"), &model.device()).expect("rebuilds")
}

fn values(tensor: Tensor<2>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

/// With all components the score is the full-reference score: the bundled shallow network (256 features), and the
/// full one with random weights (512), of which far fewer patches than features are known.
#[test]
fn all_components_give_the_full_reference_score() {
    let device = Device::flex();
    let bundled = workspace_path("crates/iqa-heads/weights/wadiqam_fr.safetensors");
    let models = [
        Wadiqam::load(bundled, &WadiqamConfig::wadiqam_fr(), &device).expect("bundled"),
        WadiqamConfig::wadiqam_fr().init(&device),
        WadiqamConfig { fusion: Fusion::DiffOnly, ..WadiqamConfig::diqam_fr() }.init(&device),
    ];
    let (distorted, reference) = pair();
    for model in models {
        let features = model.config().features();
        let pca = fitted(&model, 0..3);
        assert_eq!(pca.features(), features);
        let prepared = model.prepare(&reference, &options()).expect("prepares");
        let full = model.score(&distorted, Some(&reference), &options()).expect("scores").score;
        let found = model
            .score_prepared(&distorted, &rebuilt(&model, &pca, &prepared, features))
            .expect("scores")
            .score;
        let (low, high) = model.config().range;
        let error = (found - full).abs() / (high - low);
        eprintln!("{features} features: {found} against {full}, {error:.1e} of the range");
        assert!(error < 1e-4, "{features} features: {found} against {full}");
        // With fewer the features are others.
        let some = values(rebuilt(&model, &pca, &prepared, features / 16).features());
        assert_ne!(some, values(prepared.features()));
    }
}

#[test]
fn without_components_every_patch_is_compared_with_the_mean() {
    let model = WadiqamConfig::wadiqam_fr().tiny().init(&Device::flex());
    let pca = fitted(&model, 0..2);
    let prepared = model.prepare(&pair().1, &options()).expect("prepares");
    let reduced = pca.reduce(&prepared, 0).expect("reduces");
    assert_eq!((reduced.components(), reduced.patches()), (0, 12));
    let rows = values(rebuilt(&model, &pca, &prepared, 0).features());
    let features = pca.features();
    let mut fit = PcaFit::new(features);
    let mut all = Vec::new();
    for seed in 0..2 {
        let sampler = PatchSampler::Random { patches: 40, seed };
        let reference = textured(120, 100, seed as u32);
        let part = model.prepare(&reference, &ScoreOptions { sampler, ..options() }).expect("prepares");
        fit.add(&part).expect("fits");
        all.extend(values(part.features()));
    }
    assert_eq!(fit.patches(), 80);
    let mean: Vec<f32> = (0..features)
        .map(|at| (all.iter().skip(at).step_by(features).map(|&v| f64::from(v)).sum::<f64>() / 80.0) as f32)
        .collect();
    for row in rows.chunks_exact(features) {
        assert_close("mean", row, &mean, Tolerance::REORDERED);
    }
}

#[test]
fn components_and_rebuilt_features_agree_with_numpy() {
    let device = Device::flex();
    let arrays = Arrays::read("reduced_reference/pca.safetensors");
    let tensor = |key: &str| {
        let shape = arrays.shape(key);
        let data = burn::tensor::TensorData::new(arrays.f32s(key), [shape[0], shape[1]]);
        Tensor::<2>::from_data(data, &device)
    };
    let features = arrays.shape("training")[1];
    let training = tensor("training");
    let mut fit = PcaFit::new(features);
    // In unequal parts: the order and grouping of patches must not matter.
    for (from, to) in [(0, 7), (7, 8), (8, 60)] {
        fit.add_features(training.clone().slice([from..to, 0..features])).expect("fits");
    }
    let pca = fit.finish().expect("enough");
    let variances: Vec<f32> = pca.variances().iter().map(|&v| v as f32).collect();
    assert_close("variances", &variances, &arrays.f32s("variances"), Tolerance::FORWARD);
    for k in [0, 1, 3, features] {
        let found = values(pca.approximate(tensor("held_out"), k).expect("approximates"));
        assert_close(&format!("k = {k}"), &found, &arrays.f32s(&format!("rebuilt_{k}")), Tolerance::FORWARD);
    }
}

#[test]
fn a_file_gives_the_same_components_and_damage_is_named() {
    let model = WadiqamConfig::wadiqam_fr().tiny().init(&Device::flex());
    let pca = fitted(&model, 0..2);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("pca.safetensors");
    pca.save(&path).expect("saves");
    assert_eq!(FeaturePca::load(&path).expect("loads"), pca);

    let rewritten = |change: fn(&mut Tensors)| {
        let tensors = NamedTensors::read(&path).expect("reads");
        let mut list: Tensors =
            tensors.keys().map(|key| (key.to_owned(), tensors.get(key).expect("listed").clone())).collect();
        change(&mut list);
        let other = folder.path().join("other.safetensors");
        NamedTensors::new(&other, list).write_safetensors(&other, Precision::F32).expect("writes");
        FeaturePca::load(&other).expect_err("damaged")
    };
    let missing = rewritten(|list| list.retain(|(key, _)| key != "variances"));
    assert!(matches!(missing, HeadError::Nn(NnError::MissingTensor { ref key, .. }) if key == "variances"));
    let unused = rewritten(|list| list.push(("extra".into(), list[0].1.clone())));
    assert!(matches!(unused, HeadError::Nn(NnError::UnusedTensors { ref keys, .. }) if keys == &["extra"]));
    let misshapen = rewritten(|list| {
        let mean = &mut list.iter_mut().find(|(key, _)| key == "mean").expect("there").1;
        mean.values.pop();
        mean.shape = vec![mean.values.len()];
    });
    assert!(matches!(misshapen, HeadError::Nn(NnError::TensorShape { .. })), "{misshapen}");
    assert!(FeaturePca::load(Path::new("no/such/file")).is_err());
}

#[test]
fn what_does_not_fit_is_refused() {
    let device = Device::flex();
    let small = WadiqamConfig::wadiqam_fr().tiny().init(&device);
    let pca = fitted(&small, 0..2);
    let large = WadiqamConfig::wadiqam_fr().shallow().init(&device);
    let foreign = large.prepare(&pair().1, &options()).expect("prepares");
    assert!(matches!(pca.reduce(&foreign, 3), Err(HeadError::FeatureLength { found: 256, expected: 64 })));
    let own = small.prepare(&pair().1, &options()).expect("prepares");
    assert!(matches!(pca.reduce(&own, 65), Err(HeadError::TooManyComponents { found: 65, available: 64 })));
    assert!(matches!(PcaFit::new(64).finish(), Err(HeadError::TooFewPatches { found: 0, .. })));
    let mut fit = PcaFit::new(64);
    assert!(matches!(fit.add(&foreign), Err(HeadError::FeatureLength { .. })));
}
