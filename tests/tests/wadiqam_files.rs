//! Weights files that are not what a model needs: a typed error that names file and tensor.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use iqa_models::core::CoreError;
use iqa_models::heads::wadiqam::{Wadiqam, WadiqamConfig};
use iqa_models::heads::{HeadError, Stored as _};
use iqa_models::nn::{NamedTensors, NnError, Precision};
use iqa_models::{Device, ModelError, Scorer};
use iqa_testkit::fixture_path;
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;

/// A shape with its bytes.
type Stored = BTreeMap<String, (Vec<usize>, Vec<u8>)>;

/// The tensors of a sound file, changed and written elsewhere.
fn changed(folder: &Path, change: impl FnOnce(&mut Stored)) -> PathBuf {
    let bytes = std::fs::read(fixture_path("wadiqam/tiny_wadiqam_fr.safetensors")).expect("a fixture");
    let file = SafeTensors::deserialize(&bytes).expect("sound");
    let mut tensors: Stored =
        file.iter().map(|(key, view)| (key.into(), (view.shape().into(), view.data().into()))).collect();
    change(&mut tensors);
    let views = tensors.iter().map(|(key, (shape, data))| {
        (key.as_str(), TensorView::new(safetensors::Dtype::F32, shape.clone(), data).expect("sound"))
    });
    let path = folder.join("changed.safetensors");
    std::fs::write(&path, safetensors::serialize(views, None).expect("serialises")).expect("writes");
    path
}

fn load(path: &Path) -> Result<Wadiqam, HeadError> {
    Wadiqam::load(path, &WadiqamConfig::wadiqam_fr(), &Device::flex())
}

/// The error of loading, which must name the file.
fn refused(path: &Path) -> HeadError {
    let error = load(path).expect_err("refused");
    let name = path.file_name().expect("a name").to_string_lossy().into_owned();
    assert!(error.to_string().contains(&name), "{error}");
    error
}

#[test]
fn a_missing_tensor_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    for missing in ["conv3.bias", "fc2_a.weight", "fc1.weight"] {
        let path = changed(folder.path(), |tensors| drop(tensors.remove(missing)));
        let error = refused(&path);
        if missing == "fc1.weight" {
            assert!(matches!(error, HeadError::UnknownLayout { .. }), "{error}");
        } else {
            assert!(matches!(error, HeadError::Nn(NnError::MissingTensor { key, .. }) if key == missing));
        }
    }
}

#[test]
fn an_unused_tensor_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = changed(folder.path(), |tensors| {
        tensors.insert("extra.weight".into(), (vec![1], vec![0; 4]));
    });
    let error = refused(&path);
    assert!(matches!(error, HeadError::Nn(NnError::UnusedTensors { keys, .. }) if keys == ["extra.weight"]));
}

#[test]
fn a_misshapen_tensor_is_named_with_both_shapes() {
    let folder = tempfile::tempdir().expect("a folder");
    // The same numbers in another order of axes: no reader may reshape them in silence.
    let path = changed(folder.path(), |tensors| {
        let shape = &mut tensors.get_mut("fc1_a.weight").expect("there").0;
        shape.reverse();
    });
    let HeadError::Nn(NnError::TensorShape { key, expected, found, .. }) = refused(&path) else {
        panic!("another error");
    };
    assert_eq!((key.as_str(), expected, found), ("fc1_a.weight", vec![64, 192], vec![192, 64]));
    let path = changed(folder.path(), |tensors| {
        tensors.get_mut("conv1.weight").expect("there").0 = vec![4, 27, 1, 1];
    });
    assert!(
        matches!(refused(&path), HeadError::Nn(NnError::TensorShape { key, .. }) if key == "conv1.weight")
    );
}

#[test]
fn a_tensor_that_is_not_finite_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = changed(folder.path(), |tensors| {
        tensors.get_mut("conv2.bias").expect("there").1[..4].copy_from_slice(&f32::NAN.to_le_bytes());
    });
    assert!(
        matches!(refused(&path), HeadError::Nn(NnError::TensorNotFinite { key, .. }) if key == "conv2.bias")
    );
}

#[test]
fn weights_of_another_model_are_refused() {
    let file = |name: &str| fixture_path("wadiqam").join(name);
    // Without their own configuration, files are told apart by their tensors.
    for name in ["tiny_wadiqam_nr.safetensors", "tiny_pyiqa_nr.pth", "tiny_official_nr.model"] {
        assert!(matches!(refused(&file(name)), HeadError::WrongModel { .. }), "{name}");
    }
    let nr = WadiqamConfig::wadiqam_nr();
    let error =
        Wadiqam::load(file("tiny_wadiqam_fr.safetensors"), &nr, &Device::flex()).expect_err("refused");
    assert!(matches!(error, HeadError::WrongModel { .. }), "{error}");
    // Our own files say what they are.
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("nr.safetensors");
    WadiqamConfig::diqam_nr().tiny().init(&Device::flex()).save(&path, Precision::F32).expect("saves");
    let error = refused(&path);
    assert!(error.to_string().contains("DIQaM-NR, not for WaDIQaM-FR"), "{error}");
}

#[test]
fn damaged_files_are_refused_without_a_panic() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in
        ["tiny_wadiqam_fr.safetensors", "tiny_pyiqa_fr.pth", "tiny_lidq92_fr.pth", "tiny_official_fr.model"]
    {
        let whole = std::fs::read(fixture_path("wadiqam").join(name)).expect("a fixture");
        for length in [0, 1, 7, 100, whole.len() / 2, whole.len() - 1] {
            let path = folder.path().join(name);
            std::fs::write(&path, &whole[..length]).expect("writes");
            let Err(error) = load(&path) else {
                // The last byte of a pickle or of an HDF5 file may hold nothing that is needed.
                assert_eq!(length, whole.len() - 1, "{name} cut to {length} bytes loads");
                continue;
            };
            assert!(error.to_string().contains(name), "{error}");
        }
    }
    let error = load(Path::new("missing.safetensors")).expect_err("refused");
    assert!(matches!(error, HeadError::Nn(NnError::Core(CoreError::Io { .. }))), "{error}");
}

#[test]
fn models_are_opened_by_their_names_alone() {
    let device = Device::flex();
    let error = Scorer::new("wadiqam", &device).expect_err("unknown");
    assert!(matches!(&error, ModelError::UnknownModel { .. }) && error.to_string().contains("wadiqam_fr"));
    let error = Scorer::new("diqam_fr", &device).expect_err("no weights");
    assert!(matches!(error, ModelError::WeightsNeeded { name: "diqam_fr", .. }));
}

#[test]
fn the_bundled_weights_are_small_and_say_what_they_are() {
    for name in ["wadiqam_fr", "wadiqam_nr"] {
        let path = iqa_testkit::workspace_path(format!("crates/iqa-heads/weights/{name}.safetensors"));
        assert!(std::fs::metadata(&path).expect("there").len() <= 2_000_000, "{name}");
        let config = Wadiqam::stored_in(&NamedTensors::read(&path).expect("reads")).expect("sound");
        assert_eq!(config.expect("carries its configuration").is_full_reference(), name == "wadiqam_fr");
    }
}

/// The tensors of a file of lidq92's layout under other names, as safetensors.
fn renamed(folder: &Path, names: impl Fn(&str) -> Vec<String>) -> PathBuf {
    let plain = NamedTensors::read(fixture_path("wadiqam/tiny_lidq92_fr.pth")).expect("a fixture");
    let keys: Vec<String> = plain.keys().map(Into::into).collect();
    let tensors = keys.iter().flat_map(|key| {
        let tensor = plain.get(key).expect("listed").clone();
        names(key).into_iter().map(move |name| (name, tensor.clone()))
    });
    let path = folder.join("renamed.safetensors");
    NamedTensors::new(&path, tensors).write_safetensors(&path, Precision::F32).expect("writes");
    path
}

#[test]
fn wrapped_weights_give_the_score_of_plain_ones() {
    let folder = tempfile::tempdir().expect("a folder");
    let device = Device::flex();
    let picture = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/images").join(name);
    let score = |weights: &Path| {
        let scorer = Scorer::with_weights("wadiqam_fr", weights, &device).expect("reads");
        let remark = scorer.weights_remark().map(String::from);
        let score = scorer.score_pair(picture("flowers_blur.png"), picture("flowers.png")).expect("scores");
        (score.value, remark)
    };
    let (plain, remark) = score(&fixture_path("wadiqam/tiny_lidq92_fr.pth"));
    // The score of PyTorch at these weights.
    assert!((plain - 0.6220).abs() < 5e-5, "{plain}");
    assert_eq!(remark, None);
    for prefix in [
        "module.",
        "_orig_mod.",
        "state_dict.model.",
        "model_state_dict.",
        "net.",
        "network.",
        "params.",
        "ema.",
    ] {
        let path = renamed(folder.path(), |key| vec![format!("{prefix}{key}")]);
        assert_eq!(score(&path), (plain, None), "{prefix}");
    }
    let path = renamed(folder.path(), |key| vec![format!("params.{key}"), format!("params_ema.{key}")]);
    let expected = "of `params`, `params_ema`, the averaged weights under `params_ema` were taken";
    assert_eq!(score(&path), (plain, Some(expected.into())));
    // Names that fit no layout are listed.
    let path = renamed(folder.path(), |key| vec![format!("encoder.{key}")]);
    let error = refused(&path).to_string();
    assert!(error.contains("the file has encoder.conv1.bias, encoder.conv1.weight, "), "{error}");
}

/// A tool that keeps tensors alone loses what the scores mean: that is told, and not told of what says it, or of a layout
/// that does.
#[test]
fn weights_without_their_configuration_are_remarked_upon() {
    let folder = tempfile::tempdir().expect("a folder");
    let device = Device::flex();
    let config = WadiqamConfig::wadiqam_fr();
    let one_size =
        Wadiqam::load(fixture_path("wadiqam/tiny_lidq92_fr.pth"), &config, &device).expect("reads");
    let whole = folder.path().join("whole.safetensors");
    one_size.save(&whole, Precision::F32).expect("saves");
    let stripped = folder.path().join("stripped.safetensors");
    let tensors = NamedTensors::read(&whole).expect("reads");
    let kept = tensors.keys().map(|key| (key.to_owned(), tensors.get(key).expect("listed").clone()));
    NamedTensors::new(&stripped, kept).write_safetensors(&stripped, Precision::F32).expect("writes");

    let remark = |path: &Path| {
        let scorer = Scorer::with_weights("wadiqam_fr", path, &device).expect("reads");
        scorer.weights_remark().map(str::to_owned)
    };
    assert_eq!(remark(&whole), None);
    assert!(remark(&stripped).expect("a remark").contains("0 to 100, lower is better"));
}
