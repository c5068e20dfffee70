//! `iqa train --preset small` makes what can be bundled, and the other programs take it.
#![allow(missing_docs, reason = "a test")]

mod programs;

use std::path::Path;
use std::process::Output;

use iqa_testkit::textured;
use programs::{iqa, stderr};

/// What a file of bundled weights may take.
const BYTES: u64 = 2_000_000;

fn photographs(folder: &Path) {
    for (seed, name) in ["a", "b", "c"].into_iter().enumerate() {
        textured(512, 384, seed as u32).save(folder.join(name).with_extension("png")).expect("saves");
    }
}

fn train(recipe: &str, photographs: &Path, output: &Path, extra: &[&str]) -> Output {
    let mut command = iqa("train");
    command.args(["--recipe", recipe, "--preset", "small", "--images", "2"]);
    command.arg("--photographs").arg(photographs).arg("--output").arg(output);
    command.args(["--validation", "b", "--test", "c", "--distortions", "white_noise"]);
    command.args(extra).output().expect("starts")
}

/// The one score of a sample picture by the weights of a run.
fn score(model: &str, run: &Path, reference: bool) -> f64 {
    let mut command = iqa("score");
    command.args(["--format", "json", "--model", model]);
    command.arg("--weights").arg(run.join("best.f16.safetensors"));
    if reference {
        command.args(["--reference", "examples/images/flowers.png"]);
    }
    let output = command.arg("examples/images/flowers_jpeg.jpg").output().expect("starts");
    assert!(output.status.success(), "{}", stderr(&output));
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    found["score"].as_f64().expect("a number")
}

#[test]
fn each_recipe_makes_weights_that_can_be_bundled() {
    let folder = tempfile::tempdir().expect("a folder");
    photographs(folder.path());
    let run = |name: &str| folder.path().join(name);
    let epoch = ["--epochs", "1", "--steps", "2"];
    let phases = ["--steps", "2", "--baseline-steps", "2", "--regressor-steps", "2", "--patches-each", "1"];
    for (recipe, extra, reference) in
        [("gsn", &epoch[..], true), ("multibranch", &epoch, true), ("hiqa", &phases, false)]
    {
        let output = train(recipe, folder.path(), &run(recipe), extra);
        assert!(output.status.success(), "{recipe}: {}", stderr(&output));
        let bytes = std::fs::metadata(run(recipe).join("best.f16.safetensors")).expect("written").len();
        assert!(bytes < BYTES, "{recipe}: {bytes} bytes");
        assert!(score(recipe, &run(recipe), reference).is_finite());
    }

    // What one run has learned is the frozen branch of the next.
    let first = run("multibranch").join("best.safetensors").display().to_string();
    let output = train(
        "multibranch",
        folder.path(),
        &run("second"),
        &["--epochs", "1", "--steps", "2", "--frp", &first],
    );
    assert!(output.status.success(), "{}", stderr(&output));
    let tensors =
        |run: &Path| iqa_models::nn::NamedTensors::read(run.join("best.safetensors")).expect("reads");
    let (first, second) = (tensors(&run("multibranch")), tensors(&run("second")));
    let learned: Vec<&str> = first.keys().filter_map(|key| key.strip_prefix("frnp.")).collect();
    assert!(!learned.is_empty());
    for key in learned {
        let [from, to] = [first.get(&format!("frnp.{key}")), second.get(&format!("frp.{key}"))];
        assert_eq!(from.expect("listed"), to.expect("there"), "{key}");
    }
}
