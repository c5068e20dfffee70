//! What scorers share and what they do not.

use std::path::Path;

use iqa_models::image::RgbImage;
use iqa_models::{AlphaPolicy, DecodeOptions, Device, ModelError, Scorer};
use iqa_testkit::{fixture_path, textured, workspace_path};

fn scorer(weights: &Path) -> Scorer {
    Scorer::with_weights("wadiqam_fr", weights, &Device::flex()).expect("loads")
}

/// A file of the bundled weights, with another last byte if asked for: another weight of the same network.
fn bundled(folder: &Path, changed: bool) -> Scorer {
    let source = workspace_path("crates/iqa-heads/weights/wadiqam_fr.safetensors");
    let mut bytes = std::fs::read(source).expect("reads");
    let last = bytes.len() - 1;
    bytes[last] ^= u8::from(changed);
    let path = folder.join(format!("{changed}.safetensors"));
    std::fs::write(&path, bytes).expect("writes");
    scorer(&path)
}

fn what_differs(scorer: &Scorer, other: &Scorer, [distorted, reference]: &[RgbImage; 2]) -> &'static str {
    let prepared = other.prepare(reference).expect("prepares");
    match scorer.score_prepared(distorted, &prepared) {
        Err(ModelError::ForeignReference { what, .. }) => what,
        other => panic!("expected a refusal, found {other:?}"),
    }
}

#[test]
fn a_prepared_reference_serves_the_scorers_of_its_identity_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let images = [textured(96, 64, 1), textured(96, 64, 2)];
    let [distorted, reference] = &images;
    let device = Device::flex();
    let open = || Scorer::new("wadiqam_fr", &device).expect("bundled");
    let (bundle, same, changed) = (open(), bundled(folder.path(), false), bundled(folder.path(), true));
    assert_eq!(
        (bundle.identity(), bundle.identity().to_string()),
        (same.identity(), same.identity().to_string())
    );
    let prepared = same.prepare(reference).expect("prepares");
    assert_eq!(
        bundle.score_prepared(distorted, &prepared).expect("the same").value,
        bundle.score_pair(distorted, reference).expect("scores").value
    );
    // Weights of the same shapes gave a wrong score, those of a smaller network a panic.
    let small = scorer(&fixture_path("wadiqam").join("tiny_wadiqam_fr.safetensors"));
    assert_eq!(what_differs(&bundle, &changed, &images), "weights");
    assert_eq!(what_differs(&bundle, &small, &images), "weights");
    assert_eq!(what_differs(&small, &bundle, &images), "weights");
    let measure = Scorer::new("ssim", &device).expect("a formula");
    assert_eq!(what_differs(&bundle, &measure, &images), "model");
    assert_eq!(what_differs(&measure, &bundle, &images), "model");
    let random =
        Scorer::open("wadiqam_fr", None, &[("patches", "2"), ("seed", "1")], &device).expect("bundled");
    assert_eq!(what_differs(&bundle, &random, &images), "choice of patches");
    let over_black = DecodeOptions { alpha: AlphaPolicy::Composite([0; 3]), ..DecodeOptions::default() };
    let over_black = open().with_decoding(over_black);
    assert_eq!(what_differs(&over_black, &bundle, &images), "background of transparent images");
}

#[test]
fn options_are_those_of_the_model() {
    let device = Device::flex();
    let open = |name, options: &[(&str, &str)]| Scorer::open(name, None, options, &device);
    let identity =
        |options: &[(&str, &str)]| open("wadiqam_nr", options).expect("bundled").identity().clone();
    assert_eq!(identity(&[("stride", "32")]), identity(&[]));
    assert_ne!(identity(&[("patches", "2")]), identity(&[]));
    assert_ne!(identity(&[("patches", "2"), ("seed", "3")]), identity(&[("patches", "2")]));
    let message = |name, options: &[(&str, &str)]| open(name, options).expect_err("refused").to_string();
    assert_eq!(message("ssim", &[("patches", "2")]), "`ssim` has no option `patches`; it has none");
    assert_eq!(
        message("wadiqam_nr", &[("size", "2")]),
        "`wadiqam_nr` has no option `size`: expected one of patches, seed, stride"
    );
    assert_eq!(
        message("wadiqam_nr", &[("patches", "many")]),
        "option `patches` of `wadiqam_nr`: expected a number of patches, found `many`"
    );
    assert_eq!(message("wadiqam_nr", &[("patches", "0")]), "the patch sampler has patches = 0");
}
