//! `iqa.toml`, and what a shell and `man` are told.
#![allow(missing_docs, reason = "a test")]

mod programs;

use std::path::Path;
use std::process::{Command, Output};

use iqa_testkit::textured;
use programs::{iqa, stderr};

fn run(command: &mut Command, arguments: &[&str], folder: &Path) -> (Output, String) {
    let output = command.args(arguments).current_dir(folder).output().expect("starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output, text)
}

#[test]
fn weights_in_the_settings_lie_beside_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = folder.path().join("settings");
    std::fs::create_dir(&settings).expect("makes it");
    let bundled = concat!(env!("CARGO_MANIFEST_DIR"), "/../iqa-heads/weights/wadiqam_nr.safetensors");
    std::fs::copy(bundled, settings.join("mine.safetensors")).expect("copies");
    let text = "model_without_reference = \"wadiqam_nr=mine.safetensors\"\n";
    std::fs::write(settings.join("iqa.toml"), text).expect("writes");
    textured(64, 64, 1).save(folder.path().join("a.png")).expect("saves");
    let score = |arguments: &[&str]| {
        let (output, text) = run(&mut iqa("score"), arguments, folder.path());
        assert!(output.status.success(), "{}", stderr(&output));
        text.split_whitespace().find_map(|word| word.parse::<f64>().ok()).expect("a score")
    };
    let by_settings = score(&["a.png", "--quiet", "--config", "settings/iqa.toml"]);
    assert_eq!(by_settings, score(&["a.png", "--quiet", "--model", "wadiqam_nr"]));

    // What does not end is no file of settings.
    std::fs::write(settings.join("long.toml"), "#".repeat(2 << 20)).expect("writes");
    let (output, _) = run(&mut iqa("devices"), &["--config", "settings/long.toml"], folder.path());
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("long.toml: expected settings: found more than a MiB"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn pictures_that_are_their_own_references_are_remarked_upon() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("set")).expect("makes it");
    textured(64, 64, 1).save(folder.path().join("set/a.png")).expect("saves");
    textured(64, 64, 2).save(folder.path().join("set/b.png")).expect("saves");
    std::fs::write(folder.path().join("list.csv"), "distorted,reference\nset/a.png,./set/../set/a.png\n")
        .expect("writes");
    std::fs::hard_link(folder.path().join("set/a.png"), folder.path().join("c.png")).expect("links");
    let cases: [(&str, &[&str], &str); 6] = [
        ("score", &["c.png", "--reference", "set/a.png"], "c.png: the image is its own reference"),
        (
            "score",
            &["set", "--reference", "./set/"],
            "2 images are their own references, set/a.png the first",
        ),
        (
            "score",
            &["set/a.png", "--reference", "set/../set/a.png"],
            "set/a.png: the image is its own reference",
        ),
        ("score", &["--pairs", "list.csv"], "the image is its own reference"),
        ("compare", &["set", "./set", "--reference", "set"], "set: compared with itself"),
        ("compare", &["set", "./set", "--reference", "set"], "4 images are their own references"),
    ];
    for (command, arguments, expected) in cases {
        let arguments = [arguments, &["--model", "psnr"]].concat();
        let (output, _) = run(&mut iqa(command), &arguments, folder.path());
        let found = stderr(&output);
        assert!(output.status.success() && found.contains(expected), "{arguments:?}: {found}");
    }
}

/// What looks at patches passes over a model of the settings that has none, and weights say themselves whose they are.
#[test]
fn what_is_asked_for_chooses_the_model_where_none_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    textured(96, 80, 1).save(folder.path().join("a.png")).expect("saves");
    std::fs::write(folder.path().join("iqa.toml"), "model_without_reference = 'multibranch_lite_nr'\n")
        .expect("writes");
    for model in ["multibranch_lite_nr", "wadiqam_nr", "wadiqam_fr"] {
        let file = format!("{model}.safetensors");
        let bundled = Path::new(env!("CARGO_MANIFEST_DIR")).join("../iqa-heads/weights").join(&file);
        std::fs::copy(bundled, folder.path().join(file)).expect("copies");
    }
    let score = |arguments: &[&str]| {
        let arguments = [&["a.png", "--format", "csv"], arguments].concat();
        let (output, text) = run(&mut iqa("score"), &arguments, folder.path());
        assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
        text
    };
    assert_eq!(score(&["--patches", "4"]), score(&["--patches", "4", "--model", "wadiqam_nr"]));
    assert_eq!(score(&[]), score(&["--model", "multibranch_lite_nr"]));
    for model in ["multibranch_lite_nr", "wadiqam_nr"] {
        let weights = format!("{model}.safetensors");
        assert_eq!(score(&["--weights", &weights]), score(&["--model", model]));
    }
    let pair = ["--reference", "a.png"];
    let by_weights = [&pair[..], &["--weights", "wadiqam_fr.safetensors"]].concat();
    assert_eq!(score(&by_weights), score(&pair));
    let refused = |arguments: &[&str], expected: &str| {
        let arguments = [&["a.png"], arguments].concat();
        let (output, _) = run(&mut iqa("score"), &arguments, folder.path());
        assert!(!output.status.success() && stderr(&output).contains(expected), "{}", stderr(&output));
    };
    refused(
        &["--weights", "wadiqam_fr.safetensors"],
        "wadiqam_fr.safetensors: the weights are of `wadiqam_fr`, which needs a reference",
    );
    let lite = ["--weights", "multibranch_lite_nr.safetensors"];
    refused(&[&pair[..], &lite].concat(), "the weights are of `multibranch_lite_nr`, which takes none");
    refused(&[&lite[..], &["--patches", "4"]].concat(), "`multibranch_lite_nr` has no option `patches`");
    std::fs::copy(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../iqa-heads/weights/dists.safetensors"),
        folder.path().join("dists.safetensors"),
    )
    .expect("copies");
    refused(&["--weights", "dists.safetensors"], "dists.safetensors: no model takes these weights");
    // A name that there is not is not passed over.
    std::fs::write(folder.path().join("iqa.toml"), "model_without_reference = 'wadiqam'\n").expect("writes");
    refused(&["--patches", "4"], "unknown model `wadiqam`");
}

#[test]
fn every_command_has_a_page_and_shells_know_models_and_devices() {
    let here = Path::new(".");
    let (output, page) = run(&mut iqa("man"), &["weights", "convert"], here);
    assert!(output.status.success() && page.contains(".TH iqa-weights-convert 1"), "{page}");
    let (output, _) = run(&mut iqa("man"), &["weights", "melt"], here);
    assert!(!output.status.success() && stderr(&output).contains("no command `weights melt`"));
    for shell in ["bash", "zsh", "fish"] {
        let (_, text) = run(&mut iqa("completions"), &[shell], here);
        assert!(text.contains("wadiqam_fr") && text.contains("flex"), "{shell}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn help_that_cannot_be_written_is_an_error() {
    let full = std::fs::File::options().write(true).open("/dev/full").expect("opens");
    let output = iqa("score").arg("--help").stdout(full).output().expect("starts");
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
}

#[test]
fn the_table_of_models_says_how_good_each_is_and_on_what_terms() {
    let (_, table) = run(&mut iqa("models"), &[], Path::new("."));
    let row = |name: &str| table.lines().find(|line| line.starts_with(name)).expect("is there").to_owned();
    for (name, expected) in [
        ("wadiqam_nr", &["none", "bundled", "BIQ2021 0.", "for research", "Bosse et al."][..]),
        (
            "gmsd",
            &["full", "0 to 0.5, lower is better", "a formula", "TID2013 remade 0.7", "MIT", "Xue et al."],
        ),
        ("dists", &["0 to 1, lower is better", "from the cache"]),
        ("hiqa_oracle", &["full", "give --weights"]),
    ] {
        let row = row(name);
        assert!(expected.iter().all(|part| row.contains(part)), "{row}");
    }
}
