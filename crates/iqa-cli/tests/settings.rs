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
        "wadiqam_fr.safetensors: the weights are of `wadiqam_fr`, which needs a reference: give one",
    );
    let lite = ["--weights", "multibranch_lite_nr.safetensors"];
    refused(
        &[&pair[..], &lite].concat(),
        "the weights are of `multibranch_lite_nr`, which takes no reference: leave it out",
    );
    refused(&[&lite[..], &["--patches", "4"]].concat(), "`multibranch_lite_nr` has no option `patches`");
    std::fs::copy(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../iqa-heads/weights/dists.safetensors"),
        folder.path().join("dists.safetensors"),
    )
    .expect("copies");
    refused(
        &["--weights", "dists.safetensors"],
        "dists.safetensors: no model takes these weights; name the model that they were made for",
    );
    // Of another family, and a folder.
    refused(
        &["--model", "hiqa=wadiqam_nr.safetensors"],
        "wadiqam_nr.safetensors: the weights are for DIQaM or WaDIQaM, not for HIQA",
    );
    refused(
        &["--model", "wadiqam_nr=multibranch_lite_nr.safetensors"],
        "the weights are for the multi-branch model, not for DIQaM or WaDIQaM",
    );
    std::fs::create_dir(folder.path().join("run")).expect("makes it");
    refused(&["--model", "wadiqam_nr=run"], "run: a folder: name the file of weights in it");
    // A name that there is not is not passed over.
    std::fs::write(folder.path().join("iqa.toml"), "model_without_reference = 'wadiqam'\n").expect("writes");
    refused(&["--patches", "4"], "unknown model `wadiqam`");
}

/// Weights whose metadata another program dropped, and whose heads take one feature vector.
#[test]
fn weights_that_do_not_say_whether_they_take_a_reference_are_refused_without_the_name_of_a_model() {
    let folder = tempfile::tempdir().expect("a folder");
    textured(96, 80, 1).save(folder.path().join("a.png")).expect("saves");
    textured(96, 80, 2).save(folder.path().join("b.png")).expect("saves");
    let bundled = Path::new(env!("CARGO_MANIFEST_DIR")).join("../iqa-heads/weights/wadiqam_nr.safetensors");
    let bytes = std::fs::read(bundled).expect("reads");
    let length = u64::from_le_bytes(bytes[..8].try_into().expect("8 bytes")) as usize;
    let mut header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + length]).expect("JSON");
    header.as_object_mut().expect("an object").remove("__metadata__").expect("was there");
    let header = header.to_string();
    let header = format!("{header:<width$}", width = header.len().next_multiple_of(8));
    let parts = [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &bytes[8 + length..]];
    std::fs::write(folder.path().join("lost.safetensors"), parts.concat()).expect("writes");
    let score = |arguments: &[&str]| {
        let (output, text) = run(&mut iqa("score"), &[&["a.png"], arguments].concat(), folder.path());
        (output.status.success(), text, stderr(&output))
    };
    let (none, pair) = (&[][..], &["--reference", "b.png"][..]);
    for (reference, name, other) in [(none, "wadiqam_nr", "wadiqam_fr"), (pair, "wadiqam_fr", "wadiqam_nr")] {
        let (done, _, told) = score(&[reference, &["--weights", "lost.safetensors"]].concat());
        let expected =
            format!("lost.safetensors: the weights may be of `{name}` or of `{other}`, and do not say which");
        assert!(!done && told.contains(&expected) && told.contains("`--model`"), "{told}");
        let named = format!("{name}=lost.safetensors");
        let (done, text, told) = score(&[reference, &["--model", &named]].concat());
        assert!(done && text.contains(&named), "{told}");
        assert!(told.contains("the weights say nothing of their"), "{told}");
        assert_eq!(told.contains("by their difference alone"), name == "wadiqam_fr", "{told}");
    }
}

/// A comma separates models, but for one in the name of a file that is there.
#[test]
fn a_file_of_weights_may_have_a_comma_in_its_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = folder.path().join("set, tings");
    std::fs::create_dir(&settings).expect("makes it");
    textured(64, 64, 1).save(folder.path().join("a.png")).expect("saves");
    let bundled = Path::new(env!("CARGO_MANIFEST_DIR")).join("../iqa-heads/weights/wadiqam_nr.safetensors");
    for name in ["one,two.safetensors", "one,multibranch_lite_nr", "set, tings/x,y,z.safetensors"] {
        std::fs::copy(&bundled, folder.path().join(name)).expect("copies");
    }
    let score = |arguments: &[&str]| {
        let (output, text) =
            run(&mut iqa("score"), &[&["a.png", "--format", "json"], arguments].concat(), folder.path());
        (output.status.code(), text, stderr(&output))
    };
    // As they are sorted in JSON.
    let rows = |arguments: &[&str]| {
        let (code, text, told) = score(arguments);
        assert_eq!(code, Some(0), "{told}");
        let row: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        match row["scores"].as_object() {
            Some(scores) => scores.keys().cloned().collect(),
            None => vec![row["model"].as_str().expect("a name").to_owned()],
        }
    };
    let named = "wadiqam_nr=one,two.safetensors";
    assert_eq!(rows(&["--model", named]), [named]);
    assert_eq!(rows(&["--model", &format!("{named},multibranch_lite_nr")]), ["multibranch_lite_nr", named]);
    assert_eq!(rows(&["--model", &format!("multibranch_lite_nr,{named}")]), ["multibranch_lite_nr", named]);
    // There is no `one`, so that the other can be meant alone.
    let model = "wadiqam_nr=one,multibranch_lite_nr";
    assert_eq!(rows(&["--model", model]), [model]);
    std::fs::copy(&bundled, folder.path().join("one")).expect("copies");
    assert_eq!(rows(&["--model", model]), ["multibranch_lite_nr", "wadiqam_nr=one"]);
    let text = "model_without_reference = 'wadiqam_nr=x,y,z.safetensors,multibranch_lite_nr'\n";
    std::fs::write(settings.join("iqa.toml"), text).expect("writes");
    let found = rows(&["--config", "set, tings/iqa.toml"]);
    assert_eq!(found, ["multibranch_lite_nr", "wadiqam_nr=set, tings/x,y,z.safetensors"]);
    let (code, _, told) = score(&["--model", "wadiqam_nr=one,three.safetensors"]);
    let expected = "(a comma separates models, and there is no file `one,three.safetensors`)";
    assert!(code == Some(2) && told.contains(expected), "{told}");
}

#[test]
fn a_model_without_a_reference_looks_at_none_of_a_list() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, seed) in [("a.png", 1), ("b.png", 2)] {
        textured(64, 64, seed).save(folder.path().join(name)).expect("saves");
    }
    std::fs::write(folder.path().join("list.csv"), "distorted,reference\na.png,b.png\nb.png,b.png\n")
        .expect("writes");
    let score = |arguments: &[&str]| {
        let arguments = [&["--pairs", "list.csv", "--model"], arguments].concat();
        let (output, text) = run(&mut iqa("score"), &arguments, folder.path());
        assert!(output.status.success(), "{}", stderr(&output));
        (text, stderr(&output))
    };
    let (text, told) = score(&["wadiqam_nr"]);
    assert!(text.starts_with("a.png: ") && !text.contains("against"), "{text}");
    assert!(told.contains("list.csv: its references are not looked at: `wadiqam_nr` takes none"), "{told}");
    assert!(!told.contains("its own reference"), "{told}");
    let (text, _) = score(&["wadiqam_nr", "--format", "json"]);
    assert!(text.lines().all(|line| line.contains("\"reference\":null")), "{text}");
    // Nor by its weights, without a name.
    let weights = concat!(env!("CARGO_MANIFEST_DIR"), "/../iqa-heads/weights/wadiqam_nr.safetensors");
    let arguments = ["--pairs", "list.csv", "--weights", weights];
    let (output, by_weights) = run(&mut iqa("score"), &arguments, folder.path());
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(by_weights, score(&["wadiqam_nr"]).0);
    // Beside one that takes it, each says for itself.
    let (text, told) = score(&["psnr,wadiqam_nr"]);
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("a.png against b.png: ") && lines[0].ends_with("psnr)"), "{text}");
    assert!(lines[1].starts_with("a.png: ") && lines[1].ends_with("wadiqam_nr)"), "{text}");
    assert!(
        !told.contains("not looked at") && told.contains("b.png: the image is its own reference"),
        "{told}"
    );
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
