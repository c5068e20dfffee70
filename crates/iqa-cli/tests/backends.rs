//! Every device of the build gives the score of `flex`.
//!
//! The default build has no other device; `--features tch` or `--features wgpu` bring one each.
#![allow(missing_docs, reason = "a test")]

mod programs;

use std::time::Instant;

use programs::{iqa, stderr};

/// A pair for the full-reference model, a picture for the other.
const CASES: [&[&str]; 2] = [
    &["--reference", "examples/images/flowers.png", "examples/images/flowers_jpeg.jpg"],
    &["examples/images/flowers_blur.png"],
];

fn scores(device: &str, arguments: &[&str]) -> Vec<f64> {
    let start = Instant::now();
    let output = iqa("score").args(["--format", "json", "--device", device]).args(arguments).output();
    let output = output.expect("starts");
    assert!(output.status.success(), "{device}: {}", stderr(&output));
    eprintln!("{device}: {:.2} s", start.elapsed().as_secs_f64());
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let score = |line| serde_json::from_str::<serde_json::Value>(line).expect("JSON")["score"].as_f64();
    text.lines().map(|line| score(line).expect("a number")).collect()
}

#[test]
fn devices_agree_with_flex() {
    for arguments in CASES {
        let expected = scores("flex", arguments);
        for device in iqa_models::available_devices() {
            // A build with libtorch knows the CUDA device whether or not there is one.
            if device == "flex" || device.contains("cuda") {
                continue;
            }
            let found = scores(device, arguments);
            for (found, expected) in found.iter().zip(&expected) {
                assert!((found - expected).abs() < 1e-3, "{device}: {found} against {expected}");
            }
            assert_eq!(found.len(), expected.len());
        }
    }
}

/// Half precision on the CPU. What the other devices make of it is for their owners to see: software drivers and old GPUs
/// claim types that they do not bear.
#[test]
fn half_precision_is_close_to_single() {
    for arguments in CASES {
        let expected = scores("flex", arguments)[0];
        let found = scores("flex", &[arguments, &["--float", "f16"]].concat())[0];
        eprintln!("f16: {:.1e} of the range off", (found - expected).abs());
        assert!((found - expected).abs() < 5e-3, "f16: {found} against {expected}");
    }
}

/// By every bundled network, where the processor has instructions for it; elsewhere the reason.
#[test]
fn bf16_is_close_to_single_or_refused() {
    let [pair, single] = CASES;
    let bf16 = ["--float", "bf16"];
    if let Err(error) = iqa_models::device_with_float("flex", iqa_models::FloatDType::BF16) {
        let output = iqa("score").args(bf16).args(single).output().expect("starts");
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains(&error.to_string()), "{}", stderr(&output));
        return;
    }
    // Scores of one kind are not taken for those of the other.
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("scores.json");
    let score = |float: &[&str]| {
        let mut command = iqa("score");
        command.args(["--format", "json"]).args(single).args(float).arg("--output").arg(&file);
        command.output().expect("starts")
    };
    assert!(score(&[]).status.success());
    let before = std::fs::read(&file).expect("reads");
    let output = score(&bf16);
    assert!(!output.status.success());
    assert!(stderr(&output).contains("scores of another set of weights, float type"), "{}", stderr(&output));
    assert_eq!(std::fs::read(&file).expect("reads"), before);
    for (model, range, pictures) in
        [("wadiqam_fr", 1.0, pair), ("wadiqam_nr", 1.0, single), ("gsn", 1.0, pair), ("hiqa", 1.0, single)]
    {
        let arguments = [&["--model", model], pictures].concat();
        let expected = scores("flex", &arguments)[0];
        let found = scores("flex", &[&arguments[..], &bf16].concat())[0];
        let off = (found - expected).abs() / range;
        eprintln!("{model} in bf16: {off:.1e} of the range off");
        assert!(off < 1e-3 && off > 0.0, "{model}: {found} against {expected}");
    }
}
