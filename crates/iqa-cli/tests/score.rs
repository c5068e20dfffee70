//! `iqa score`, as a user calls it.
#![allow(missing_docs, reason = "a test")]

mod programs;

use std::path::Path;
use std::process::Output;

use programs::{iqa, stderr};

const REFERENCE: &str = "examples/images/flowers.png";
const DISTORTED: [&str; 3] = [
    "examples/images/flowers_jpeg.jpg",
    "examples/images/flowers_blur.png",
    "examples/images/flowers_local.png",
];

fn score(arguments: &[&str]) -> Output {
    iqa("score").args(arguments).output().expect("starts")
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn truncated(folder: &Path) -> String {
    let whole =
        std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/images/flowers.png"))
            .expect("reads");
    let path = folder.join("truncated.png");
    std::fs::write(&path, &whole[..whole.len() / 2]).expect("writes");
    path.display().to_string()
}

fn picture(folder: &Path, name: &str, width: u32, height: u32) -> String {
    let path = folder.join(name);
    image::RgbImage::new(width, height).save(&path).expect("saves");
    path.display().to_string()
}

#[test]
fn a_damaged_file_is_reported_and_the_others_are_scored() {
    let folder = tempfile::tempdir().expect("a folder");
    let damaged = truncated(folder.path());
    let output = score(&["--reference", REFERENCE, DISTORTED[0], DISTORTED[1], &damaged, DISTORTED[2]]);
    assert_eq!(output.status.code(), Some(1));
    let (scores, errors) = (stdout(&output), stderr(&output));
    assert_eq!(scores.lines().count(), 3, "{scores}");
    for (line, path) in scores.lines().zip(DISTORTED) {
        assert!(line.starts_with(path) && line.contains("higher_is_better"), "{line}");
    }
    assert_eq!(errors.matches("error").count(), 1, "{errors}");
    assert!(errors.contains("truncated.png"), "{errors}");
}

#[test]
fn a_size_mismatch_names_both_sizes() {
    let folder = tempfile::tempdir().expect("a folder");
    let other = picture(folder.path(), "other.png", 100, 60);
    let output = score(&["--reference", REFERENCE, &other]);
    assert_eq!(output.status.code(), Some(1));
    let reference = image::image_dimensions(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/images/flowers.png"),
    );
    let (width, height) = reference.expect("reads");
    let errors = stderr(&output);
    assert!(errors.contains("100x60") && errors.contains(&format!("{width}x{height}")), "{errors}");
}

#[test]
fn a_small_image_is_refused_with_the_minimum() {
    let folder = tempfile::tempdir().expect("a folder");
    let small = picture(folder.path(), "small.png", 20, 20);
    let output = score(&[&small]);
    assert_eq!(output.status.code(), Some(1));
    let errors = stderr(&output);
    assert!(errors.contains("small.png") && errors.contains("20x20") && errors.contains("32x32"), "{errors}");
}

#[test]
fn json_is_one_object_a_line() {
    let output = score(&["--format", "json", "--reference", REFERENCE, DISTORTED[0], DISTORTED[1]]);
    assert!(output.status.success(), "{}", stderr(&output));
    let lines: Vec<serde_json::Value> =
        stdout(&output).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["path"], DISTORTED[0]);
    assert_eq!(lines[0]["reference"], REFERENCE);
    assert_eq!(lines[0]["model"], "wadiqam_fr");
    assert_eq!(lines[0]["direction"], "higher_is_better");
    assert_eq!(lines[0]["range"], serde_json::json!([0.0, 1.0]));
    assert!(lines[0]["score"].as_f64().is_some_and(f64::is_finite));
}

#[test]
fn image_measures_are_models_too() {
    for (name, direction) in [("ssim", "higher_is_better"), ("gmsd", "lower_is_better")] {
        let arguments =
            ["--model", name, "--format", "json", "--reference", REFERENCE, DISTORTED[0], DISTORTED[1]];
        let output = score(&arguments);
        assert!(output.status.success(), "{}", stderr(&output));
        for line in stdout(&output).lines() {
            let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
            assert_eq!((line["model"].as_str(), line["direction"].as_str()), (Some(name), Some(direction)));
            assert!(line["score"].as_f64().is_some_and(|score| score > 0.0 && score < 1.0), "{line}");
        }
    }
    let folder = tempfile::tempdir().expect("a folder");
    let small = picture(folder.path(), "small.png", 100, 175);
    let refused = |code: i32, arguments: &[&str], said: &[&str]| {
        let output = score(arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
        let errors = stderr(&output);
        assert!(said.iter().all(|part| errors.contains(part)), "{errors}");
    };
    refused(
        1,
        &["--model", "ms_ssim", "--reference", &small, &small],
        &["small.png", "100x175", "ms_ssim", "176x176"],
    );
    let weights = "crates/iqa-heads/weights/wadiqam_fr.safetensors";
    let with_weights = ["--model", "vif", "--weights", weights, "--reference", REFERENCE, DISTORTED[0]];
    refused(2, &with_weights, &["vif", "no weights"]);
    refused(2, &["--model", "psnr", DISTORTED[0]], &["reference"]);
}

#[test]
fn csv_has_a_header_and_quotes_names_with_commas() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = picture(folder.path(), "a, b.png", 64, 64);
    let output = score(&["--format", "csv", &path]);
    let text = stdout(&output);
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("path,reference,model,score,direction,range_low,range_high,in_range,key"));
    assert!(lines.next().is_some_and(|line| line.starts_with('"') && line.contains("a, b.png\",")), "{text}");
}

#[test]
fn folders_and_patterns_stand_for_their_images() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["b.png", "a.png"] {
        picture(folder.path(), name, 64, 64);
    }
    std::fs::write(folder.path().join("notes.txt"), "no image").expect("writes");
    let whole = folder.path().display().to_string();
    let pattern = format!("{whole}/*.png");
    for argument in [&whole, &pattern] {
        let output = score(&[argument]);
        assert!(output.status.success(), "{}", stderr(&output));
        let names: Vec<bool> = stdout(&output).lines().map(|line| line.contains("a.png")).collect();
        assert_eq!(names, [true, false], "sorted");
    }
    let nothing = score(&[&format!("{whole}/*.jpg")]);
    assert_eq!(nothing.status.code(), Some(1));
    assert!(stderr(&nothing).contains("no image there"));
}

#[test]
fn a_prepared_reference_gives_the_scores_of_single_pairs() {
    let together = score(&["--format", "json", "--reference", REFERENCE, DISTORTED[0], DISTORTED[1]]);
    let alone: String = DISTORTED[..2]
        .iter()
        .map(|path| stdout(&score(&["--format", "json", "--reference", REFERENCE, path])))
        .collect();
    let scores = |text: &str| -> Vec<f64> {
        let line = |line| serde_json::from_str::<serde_json::Value>(line).expect("JSON")["score"].clone();
        text.lines().map(|text| line(text).as_f64().expect("a number")).collect()
    };
    for (a, b) in scores(&stdout(&together)).iter().zip(scores(&alone)) {
        assert!((a - b).abs() < 1e-6, "{a} against {b}");
    }
}

#[test]
fn what_cannot_be_done_is_said_before_anything_is_scored() {
    let cases: [(&[&str], &str); 6] = [
        (&["--model", "wadiqam_fr", DISTORTED[0]], "needs --reference"),
        (&["--model", "wadiqam_nr", "--reference", REFERENCE, DISTORTED[0]], "takes no --reference"),
        (&["--model", "diqam_nr", DISTORTED[0]], "no bundled weights"),
        (&["--device", "cuda", DISTORTED[0]], "--features cuda"),
        (&["--device", "abacus", DISTORTED[0]], "expected one of flex"),
        (&["--weights", "missing.safetensors", DISTORTED[0]], "missing.safetensors"),
    ];
    for (arguments, message) in cases {
        let output = score(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(stdout(&output).is_empty() && stderr(&output).contains(message), "{}", stderr(&output));
    }
}

/// The heat map of a picture that is distorted in one place is brightest there.
#[test]
fn the_heat_map_marks_the_distorted_region() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("map.png");
    let map = path.display().to_string();
    let output = score(&["--reference", REFERENCE, "--heatmap", &map, DISTORTED[2]]);
    assert!(output.status.success(), "{}", stderr(&output));
    let map = image::open(&path).expect("reads").to_rgb8();
    let open = |path: &str| {
        image::open(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)).expect("reads").to_rgb8()
    };
    let (reference, distorted) = (open(REFERENCE), open(DISTORTED[2]));
    let offset = reference.width() + 8;
    let (mut inside, mut outside) = ((0f64, 0f64), (0f64, 0f64));
    for (x, y, pixel) in distorted.enumerate_pixels() {
        let sum = if pixel == reference.get_pixel(x, y) { &mut outside } else { &mut inside };
        let red = f64::from(map.get_pixel(x + offset, y)[0]);
        *sum = (sum.0 + red, sum.1 + 1.0);
    }
    assert!(inside.1 > 0.0 && outside.1 > inside.1, "a local distortion");
    let (inside, outside) = (inside.0 / inside.1, outside.0 / outside.1);
    assert!(inside > 1.5 * outside, "red is {inside} inside and {outside} outside");
}

/// What a batch engine does: parts at once, their outputs one after another.
#[test]
fn two_shards_at_once_are_one_run() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["a.png", "b, c.png", "d.png", "e.png", "f.png"] {
        picture(folder.path(), name, 64, 64);
    }
    let pictures = folder.path().display().to_string();
    for format in ["json", "csv"] {
        let file = |name: &str| folder.path().join(format!("{name}.{format}"));
        let start = |shard: &str, name: &str| {
            let output = file(name).display().to_string();
            let arguments = ["--format", format, "--shard", shard, "--output", &output, &pictures];
            iqa("score").args(arguments).spawn().expect("starts")
        };
        let read = |name: &str| std::fs::read_to_string(file(name)).expect("reads");
        let parts = [start("1/2", "one"), start("2/2", "two")];
        for mut part in parts {
            assert!(part.wait().expect("ends").success());
        }
        assert!(start("1/1", "whole").wait().expect("ends").success());
        let (whole, one, two) = (read("whole"), read("one"), read("two"));
        let header = usize::from(format == "csv");
        assert_eq!(whole.lines().count(), 5 + header);
        assert!(one.lines().count() > header && two.lines().count() > 1);
        assert_eq!(whole, one + &two, "one after another");

        // A run killed while it wrote: two whole lines, and the third up to its middle.
        let kept: usize = whole.split_inclusive('\n').take(2 + header).map(str::len).sum();
        std::fs::write(file("killed"), &whole[..kept + 9]).expect("writes");
        assert!(start("1/1", "killed").wait().expect("ends").success());
        assert_eq!(read("killed"), whole);
        // Nothing is left to do, and nothing is done.
        assert!(start("1/1", "killed").wait().expect("ends").success());
        assert_eq!(read("killed"), whole);
    }
}

#[test]
fn an_output_of_another_model_is_not_gone_on_with() {
    let folder = tempfile::tempdir().expect("a folder");
    let image = picture(folder.path(), "a.png", 64, 64);
    let output = folder.path().join("scores.json").display().to_string();
    assert!(score(&["--output", &output, &image]).status.success());
    let before = std::fs::read(&output).expect("reads");
    let other = score(&["--output", &output, "--reference", &image, &image]);
    assert_eq!(other.status.code(), Some(2));
    let expected = "scores.json: scores of another model: expected wadiqam_fr, found multibranch_lite_nr";
    assert!(stderr(&other).contains(expected), "{}", stderr(&other));
    assert_eq!(std::fs::read(&output).expect("reads"), before);
    for shard in ["0/2", "3/2", "1", "a/b"] {
        let refused = score(&["--shard", shard, &image]);
        assert_eq!(refused.status.code(), Some(2), "{shard}");
    }
}

#[test]
fn a_heat_map_replaces_nothing_that_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let image = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/images/flowers_blur.png");
    let path = folder.path().join("in.png");
    std::fs::copy(image, &path).expect("copies");
    let before = std::fs::read(&path).expect("reads");
    let path = path.display().to_string();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let weights = at("weights.safetensors");
    let bundled = Path::new(env!("CARGO_MANIFEST_DIR")).join("../iqa-heads/weights/wadiqam_nr.safetensors");
    std::fs::copy(bundled, &weights).expect("copies");
    let (named, list) = (format!("wadiqam_nr={weights}"), at("list.csv"));
    std::fs::write(&list, "distorted\nin.png\n").expect("writes");
    let hard = at("hard.png");
    std::fs::hard_link(&path, &hard).expect("links");
    for (arguments, message) in [
        (vec!["--heatmap", &hard, &path], "would replace what is read"),
        (vec!["--heatmap", &weights, "--model", &named, &path], "would replace what is read"),
        (vec!["--heatmap", &list, "--pairs", &list], "would replace what is read"),
        (vec!["--heatmap", &path, &path], "would replace what is read"),
        (vec!["--reference", &path, "--heatmap", &path, &path], "would replace what is read"),
        (vec!["--heatmap", "/", &path], "not a file"),
    ] {
        let output = score(&arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(stderr(&output).contains(message), "{}", stderr(&output));
        assert_eq!(std::fs::read(&path).expect("reads"), before, "{arguments:?}");
        assert_eq!(std::fs::read(&hard).expect("reads"), before, "{arguments:?}");
    }
}
