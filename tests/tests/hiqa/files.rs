//! Weight files.

use iqa_models::Device;
use iqa_models::heads::hiqa::{Hiqa, HiqaConfig, HiqaScoreOptions};
use iqa_models::heads::{HeadError, Stored};
use iqa_models::nn::{NamedTensors, Precision};
use iqa_testkit::{fixture_path, textured};

use super::{load, random};

#[test]
fn weights_come_back_with_their_configuration() {
    let folder = tempfile::tempdir().expect("a folder");
    let device = Device::flex();
    for (name, config) in [("whole", HiqaConfig::reduced(4, 64)), ("baseline", HiqaConfig::baseline(4, 64))] {
        let path = folder.path().join(name);
        let model = random(&config, &device);
        model.save(&path, Precision::F32).expect("writes");
        let found = load(&path, &device).expect("reads");
        assert_eq!(found.config(), &config);
        assert_eq!(found.score_spec(), config.score_spec());
        let image = textured(96, 64, 1);
        let score =
            |model: &Hiqa| model.score(&image, None, &HiqaScoreOptions::default()).expect("scores").score;
        assert_eq!(score(&found), score(&model), "{name}");
        let folded = model.clone().fuse();
        let difference = (score(&folded) - score(&model)).abs();
        assert!(difference < 1e-5, "{name}: {difference:e}");
        let refused = folded.save(&path, Precision::F32).expect_err("folded");
        assert!(matches!(refused, HeadError::Fused { family: "HIQA" }), "{refused}");
    }
}

#[test]
fn files_of_another_kind_are_refused_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let device = Device::flex();
    let message =
        load(&fixture_path("hiqa/regressor.safetensors"), &device).expect_err("no configuration").to_string();
    assert!(message.contains("regressor.safetensors") && message.contains("configuration"), "{message}");

    let path = folder.path().join("less.safetensors");
    let config = HiqaConfig::reduced(4, 64);
    let mut tensors = random(&config, &device).to_tensors(&path).expect("reads");
    tensors.discard(|key| key == "generator.stem.norm.running_mean");
    tensors.write_safetensors(&path, Precision::F32).expect("writes");
    let message = load(&path, &device).expect_err("one tensor less").to_string();
    assert!(message.contains("generator.stem.norm.running_mean"), "{message}");

    let damaged = NamedTensors::read(&path).expect("reads").with_metadata("hiqa_config", "{}");
    assert!(Hiqa::from_tensors(damaged, &device).is_err());
}
