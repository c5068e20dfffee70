//! A picture improved by gradient descent, from the command line.
#![allow(missing_docs, reason = "a test")]

mod programs;

use std::path::Path;
use std::process::{Command, Output};

use iqa_models::image;
use programs::{example, stderr};

/// A crop of a sample picture, saved in a folder.
fn crop(folder: &Path, name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("images").join(name);
    let picture = image::open(path).expect("a sample picture").crop_imm(100, 60, 192, 176);
    picture.save(folder.join(name)).expect("saves");
}

fn improve(folder: &Path, model: &str, extra: &[&str]) -> Output {
    let mut command: Command = example("improve");
    command.args(["--model", model, "--output"]).arg(folder.join(model).with_extension("png"));
    command.args(extra).arg(folder.join("flowers_blur.png"));
    command.output().expect("starts")
}

/// The number after a word of a line.
fn after(line: &str, word: &str) -> f64 {
    let mut words = line.split([' ', ',']).skip_while(|&part| part != word);
    words.nth(1).and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("no {word} in {line}"))
}

#[test]
fn a_hundred_steps_improve_a_picture_by_each_measure() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["flowers.png", "flowers_blur.png"] {
        crop(folder.path(), name);
    }
    let reference = folder.path().join("flowers.png");
    let reference = ["--reference", reference.to_str().expect("UTF-8")];
    // By how much the score must change, at the least.
    for (model, change) in [("ssim", 0.3), ("ms_ssim", 0.1), ("gmsd", -0.12), ("vsi", 0.08)] {
        let output = improve(folder.path(), model, &reference);
        assert!(output.status.success(), "{}", stderr(&output));
        let told = String::from_utf8(output.stdout).expect("UTF-8");
        eprint!("{told}");
        let lines: Vec<&str> = told.lines().collect();
        let gain = |word| after(lines[1], word) - after(lines[0], word);
        assert!(gain(model) / change >= 1.0, "{told}");
        assert!(gain("psnr") > 0.0, "{told}");
        let picture = image::open(folder.path().join(model).with_extension("png")).expect("a picture");
        assert_eq!((picture.width(), picture.height()), (192, 176));
    }
    let again = improve(folder.path(), "ssim", &[&reference[..], &["--steps", "1"]].concat());
    assert!(!again.status.success() && stderr(&again).contains("ssim.png"), "{}", stderr(&again));
}

#[test]
fn networks_improve_a_picture_too_with_and_without_a_reference() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["flowers.png", "flowers_blur.png"] {
        crop(folder.path(), name);
    }
    let reference = folder.path().join("flowers.png");
    let reference = ["--reference", reference.to_str().expect("UTF-8"), "--steps", "10"];
    for (model, extra) in [("wadiqam_fr", &reference[..]), ("wadiqam_nr", &["--steps", "10"])] {
        let output = improve(folder.path(), model, extra);
        assert!(output.status.success(), "{}", stderr(&output));
        let told = String::from_utf8(output.stdout).expect("UTF-8");
        eprint!("{told}");
        let scores: Vec<f64> = told.lines().map(|line| after(line, model)).collect();
        assert!(scores[1] > scores[0] + 0.02, "{told}");
    }
}

#[test]
fn a_measure_of_pictures_alone_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    crop(folder.path(), "flowers_blur.png");
    let same = folder.path().join("flowers_blur.png");
    let output = improve(folder.path(), "fsim", &["--reference", same.to_str().expect("UTF-8")]);
    assert!(!output.status.success());
    assert_eq!(stderr(&output).trim_end(), "error: `fsim` scores images, not tensors");
    assert!(!folder.path().join("fsim.png").exists());
}
