//! What scorers share and what they do not.

use std::path::Path;

use iqa_models::image::RgbImage;
use iqa_models::{AlphaPolicy, DecodeOptions, Device, ModelError, PatchSampler, ScoreOptions, Scorer};
use iqa_testkit::{fixture_path, textured, workspace_path};

fn scorer(weights: &Path) -> Scorer {
    Scorer::with_weights("wadiqam_fr", weights, &Device::flex()).expect("loads")
}

/// A file of the bundled weights, with another last byte if asked for: another weight of the same network.
fn bundled(folder: &Path, changed: bool) -> Scorer {
    let source = workspace_path("crates/iqa-models/weights/wadiqam_fr.safetensors");
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
    let sampler = PatchSampler::Random { patches: 2, seed: 1 };
    let random = open().with_options(ScoreOptions { sampler, ..ScoreOptions::default() });
    assert_eq!(what_differs(&bundle, &random, &images), "choice of patches");
    let over_black = DecodeOptions { alpha: AlphaPolicy::Composite([0; 3]), ..DecodeOptions::default() };
    let over_black = open().with_decoding(over_black);
    assert_eq!(what_differs(&over_black, &bundle, &images), "background of transparent images");
}

#[test]
fn options_without_a_say_leave_the_identity() {
    let device = Device::flex();
    let options = ScoreOptions { sampler: PatchSampler::Random { patches: 2, seed: 1 }, chunk: 7 };
    let ssim = || Scorer::new("ssim", &device).expect("a formula");
    assert_eq!(ssim().with_options(options).identity(), ssim().identity());
    let chunked = ScoreOptions { chunk: 7, ..ScoreOptions::default() };
    let network = || Scorer::new("wadiqam_nr", &device).expect("bundled");
    assert_eq!(network().with_options(chunked).identity(), network().identity());
    assert_ne!(network().with_options(options).identity(), network().identity());
}
