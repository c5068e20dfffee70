//! The presets of the papers, a few steps each, on sets in their published layouts.
#![allow(missing_docs, reason = "a test")]

mod programs;

use std::fmt::Write as _;
use std::fs::create_dir_all;
use std::path::{Path, PathBuf};

use iqa_models::Device;
use iqa_models::backbones::{Architecture, BackboneConfig};
use iqa_models::image::RgbImage;
use iqa_models::nn::Precision;
use iqa_testkit::textured;
use programs::{iqa, stderr};

/// The five levels of a picture: coarser and coarser.
fn versions(original: &RgbImage) -> impl Iterator<Item = RgbImage> {
    (1..=5u8).map(|level| {
        let mut distorted = original.clone();
        distorted.iter_mut().for_each(|value| *value = *value / (12 * level) * (12 * level));
        distorted
    })
}

/// A set of some references in five versions each: files by the names that `reference` and `distorted` give, and the rows of
/// `label`, with a number that falls from level to level, below a header.
fn published(
    set: PathBuf,
    (references, side): (u32, u32),
    reference: impl Fn(u32) -> String,
    distorted: impl Fn(u32, u32) -> String,
    (labels, header): (&str, &str),
    label: impl Fn(u32, u32, f64) -> String,
) -> PathBuf {
    let save = |picture: &RgbImage, name: String| {
        let path = set.join(name);
        create_dir_all(path.parent().expect("a folder")).expect("makes it");
        picture.save(path).expect("saves");
    };
    let mut rows = header.to_owned();
    for number in 1..=references {
        let original = textured(side, side, number);
        save(&original, reference(number));
        for (level, picture) in (1..).zip(versions(&original)) {
            save(&picture, distorted(number, level));
            writeln!(
                rows,
                "{}",
                label(number, level, 1.0 - 0.15 * f64::from(level) + 0.01 * f64::from(number))
            )
            .expect("text");
        }
    }
    std::fs::write(set.join(labels), rows).expect("writes");
    set
}

/// TID2013 with one of its types.
fn tid2013(folder: &Path, references: u32, side: u32) -> PathBuf {
    let name = |reference: u32, level: u32| format!("i{reference:02}_07_{level}.bmp");
    published(
        folder.join("tid2013"),
        (references, side),
        |reference| format!("reference_images/I{reference:02}.BMP"),
        |reference, level| format!("distorted_images/{}", name(reference, level)),
        ("mos_with_names.txt", ""),
        |reference, level, quality| format!("{:.5} {}", 8.0 * quality, name(reference, level)),
    )
}

/// KADID-10k with one of its types.
fn kadid10k(folder: &Path, references: u32, side: u32) -> PathBuf {
    let name = |reference: u32, level: u32| format!("I{reference:02}_22_{level:02}.png");
    published(
        folder.join("kadid10k"),
        (references, side),
        |reference| format!("images/I{reference:02}.png"),
        |reference, level| format!("images/{}", name(reference, level)),
        ("dmos.csv", "dist_img,ref_img,dmos,var\n"),
        |reference, level, quality| {
            format!("{},I{reference:02}.png,{:.2},0.5", name(reference, level), 1.0 + 4.0 * quality)
        },
    )
}

/// Weights of VGG16 as torchvision names them, random.
fn vgg16(folder: &Path) -> PathBuf {
    let path = folder.join("vgg16.safetensors");
    let config = BackboneConfig::new(Architecture::Vgg16, vec!["features.30".into()]);
    let network = config.init(&Device::flex());
    network.to_tensors(&path).expect("tensors").write_safetensors(&path, Precision::F32).expect("writes");
    path
}

/// A run by the preset of the paper on a set, with what it leaves.
fn runs(set: (&str, &Path), options: &str, files: &[(&str, &Path)], weights: &str) -> PathBuf {
    let run = set.1.with_extension(options.split_whitespace().next().expect("a recipe"));
    let mut command = iqa("train");
    command
        .args(["--preset", "paper", "--set", set.0, "--lenient", "--recipe"])
        .args(options.split_whitespace());
    command.arg("--root").arg(set.1).arg("--output").arg(&run);
    for (option, file) in files {
        command.arg(option).arg(file);
    }
    let done = command.output().expect("starts");
    assert!(done.status.success(), "{options}\n{}", stderr(&done));
    for name in [weights, "log.csv", "loss.svg", "report.md"] {
        assert!(run.join(name).metadata().is_ok_and(|file| file.len() > 0), "{options}: {name}");
    }
    let report = std::fs::read_to_string(run.join("report.md")).expect("reads");
    assert!(!report.is_empty() && !report.contains("NaN"), "{report}");
    let log = std::fs::read_to_string(run.join("log.csv")).expect("reads");
    assert!(log.lines().count() > 1 && !log.contains("NaN") && !log.contains("inf"), "{log}");
    run
}

#[test]
fn bosse_on_tid2013() {
    let folder = tempfile::tempdir().expect("a folder");
    let set = tid2013(folder.path(), 5, 96);
    for model in ["wadiqam_fr", "diqam_nr"] {
        let options =
            format!("wadiqam --model {model} --split 0.6,0.2,0.2 --watch-test --epochs 2 --steps 1");
        let run = runs(("tid2013", &set), &options, &[], "best.safetensors");
        let log = std::fs::read_to_string(run.join("log.csv")).expect("reads");
        let test_losses: Vec<&str> =
            log.lines().skip(1).map(|row| row.rsplit(',').nth(1).expect("a column")).collect();
        assert_eq!(test_losses.len(), 2);
        assert!(test_losses.iter().all(|loss| loss.parse::<f64>().is_ok_and(|loss| loss > 0.0)), "{log}");
        std::fs::remove_dir_all(run).expect("removes");
    }
}

#[test]
fn gsn_on_all_of_kadid10k() {
    let folder = tempfile::tempdir().expect("a folder");
    let set = kadid10k(folder.path(), 2, 192);
    runs(("kadid10k", &set), "gsn --split gsn --epochs 1 --steps 1 --images 2", &[], "last.safetensors");
}

#[test]
fn multi_branch_and_hiqa_around_a_vgg() {
    let folder = tempfile::tempdir().expect("a folder");
    let vgg = vgg16(folder.path());
    let kadid = kadid10k(folder.path(), 5, 64);
    let options = "multibranch --split 0.6,0.2,0.2 --epochs 1 --steps 1 --images 2";
    runs(("kadid10k", &kadid), options, &[("--frp", &vgg)], "best.safetensors");

    // Half of the paper's side; all of its widths.
    let tid = tid2013(folder.path(), 5, 128);
    let steps = "--images 2 --baseline-steps 6 --steps 3 --regressor-steps 1 --report-every 1";
    let options = format!("hiqa --split hiqa --rotation 2 --patch-side 128 {steps}");
    let run = runs(("tid2013", &tid), &options, &[("--vgg16", &vgg)], "hiqa.safetensors");
    let log = std::fs::read_to_string(run.join("log.csv")).expect("reads");
    assert_eq!(log.lines().filter(|row| row.starts_with("joint,")).count(), 3, "{log}");
}

#[test]
fn a_reduced_reference_on_a_rated_set() {
    let folder = tempfile::tempdir().expect("a folder");
    let set = tid2013(folder.path(), 5, 96);
    let run = folder.path().join("run");
    let mut command = iqa("reproduce");
    command.args(["reduced-reference", "--set", "tid2013", "--lenient", "--split", "hiqa"]);
    command.args(["--random-patches", "6", "--patches", "400", "--components", "0,8"]);
    let done = command.arg("--root").arg(&set).arg("--output").arg(&run).output().expect("starts");
    assert!(done.status.success(), "{}", stderr(&done));
    let table = std::fs::read_to_string(run.join("reduced_reference.md")).expect("reads");
    assert!(table.starts_with("5 images;") && table.contains("| the reference itself |"), "{table}");
    assert!(run.join("reduced_reference.svg").exists() && run.join("components.safetensors").exists());
}
