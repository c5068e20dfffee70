//! Every device of the build gives the score of `flex`.
//!
//! The default build has no other device; `--features tch` or `--features wgpu` bring one each.
#![allow(missing_docs, reason = "a test")]

mod programs;

use std::time::Instant;

use programs::{example, stderr};

fn scores(device: &str, arguments: &[&str]) -> Vec<f64> {
    let start = Instant::now();
    let output = example("score").args(["--format", "json", "--device", device]).args(arguments).output();
    let output = output.expect("starts");
    assert!(output.status.success(), "{device}: {}", stderr(&output));
    eprintln!("{device}: {:.2} s", start.elapsed().as_secs_f64());
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let score = |line| serde_json::from_str::<serde_json::Value>(line).expect("JSON")["score"].as_f64();
    text.lines().map(|line| score(line).expect("a number")).collect()
}

#[test]
fn devices_agree_with_flex() {
    let cases: [&[&str]; 2] = [
        &["--reference", "examples/images/flowers.png", "examples/images/flowers_jpeg.jpg"],
        &["examples/images/flowers_blur.png"],
    ];
    for arguments in cases {
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

/// Half precision: close to the score in single precision, or refused with a reason.
#[test]
fn half_precision_is_close_or_refused() {
    let pair = ["--reference", "examples/images/flowers.png", "examples/images/flowers_jpeg.jpg"];
    let single = ["examples/images/flowers_blur.png"];
    let expected = [scores("flex", &pair)[0], scores("flex", &single)[0]];
    for device in iqa_models::available_devices() {
        if device.contains("cuda") {
            continue;
        }
        for float in ["f16", "bf16"] {
            for (arguments, expected) in [&pair[..], &single].into_iter().zip(expected) {
                let output = example("score")
                    .args(["--format", "json", "--device", device, "--float", float])
                    .args(arguments)
                    .output()
                    .expect("starts");
                if !output.status.success() {
                    let reason = stderr(&output);
                    assert!(reason.contains("cannot be used here"), "{device} {float}: {reason}");
                    eprintln!("{device} in {float}: {}", reason.trim());
                    break;
                }
                let line: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
                let found = line["score"].as_f64().expect("a number");
                eprintln!("{device} in {float}: {:.1e} of the range off", (found - expected).abs());
                // Three digits of f16, two of bf16, over a dozen layers.
                let allowed = if float == "f16" { 5e-3 } else { 5e-2 };
                assert!((found - expected).abs() < allowed, "{device} {float}: {found} against {expected}");
            }
        }
    }
}
