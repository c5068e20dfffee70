//! The `synthesize` example, as a user calls it, kills it and starts it again.
#![allow(missing_docs, reason = "a test")]

mod programs;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use iqa_testkit::textured;
use programs::{example, stderr};

fn synthesize(photographs: &Path, output: &Path, set: &str, seed: &str) -> std::process::Command {
    let mut command = example("synthesize");
    command.arg("--photographs").arg(photographs).arg("--output").arg(output);
    command.args(["--set", set, "--seed", seed, "--crop", "48x36"]);
    command
}

/// Every file under a folder, by its path.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).expect("lists") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if path.is_dir() {
            found.extend(files(&path).into_iter().map(|(below, bytes)| (format!("{name}/{below}"), bytes)));
        } else {
            found.insert(name, std::fs::read(&path).expect("reads"));
        }
    }
    found
}

#[cfg(unix)]
#[test]
fn a_killed_run_ends_as_if_it_had_not_been_killed_on_any_number_of_threads() {
    let folder = tempfile::tempdir().expect("a folder");
    let photographs = folder.path().join("photographs");
    std::fs::create_dir(&photographs).expect("makes it");
    for (seed, name) in ["a", "b"].into_iter().enumerate() {
        textured(64, 48, seed as u32).save(photographs.join(name).with_extension("png")).expect("saves");
    }
    for (set, images) in [("kadid", "250"), ("tid", "240")] {
        let (whole, killed) = (folder.path().join(set), folder.path().join(format!("{set}_killed")));
        let output = synthesize(&photographs, &whole, set, "3")
            .env("RAYON_NUM_THREADS", "1")
            .output()
            .expect("starts");
        assert!(output.status.success(), "{}", stderr(&output));
        let report = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            report.starts_with(&format!("{images} images of 2 photographs ({images} made, 0 kept) in ")),
            "{report}"
        );

        let mut child = synthesize(&photographs, &killed, set, "3")
            .env("RAYON_NUM_THREADS", "3")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("starts");
        let start = Instant::now();
        let images = if set == "kadid" { "images" } else { "distorted_images" };
        let made = || std::fs::read_dir(killed.join(images)).map_or(0, Iterator::count);
        while made() < 20 {
            assert!(start.elapsed() < Duration::from_secs(120), "no image appears");
            std::thread::sleep(Duration::from_millis(1));
        }
        child.kill().expect("SIGKILL");
        assert!(!child.wait().expect("ends").success(), "killed before its end");
        assert!(!killed.join("labels.csv").exists());
        // A damaged image is made again; what a killed writer left behind is in nobody's way.
        let image =
            std::fs::read_dir(killed.join(images)).expect("lists").flatten().map(|entry| entry.path());
        let image =
            image.into_iter().find(|path| path.extension().is_some_and(|e| e == "png")).expect("an image");
        std::fs::write(&image, "no image").expect("writes");

        let output = synthesize(&photographs, &killed, set, "3").output().expect("starts");
        assert!(output.status.success(), "{}", stderr(&output));
        assert!(!String::from_utf8_lossy(&output.stdout).contains("0 kept"));
        let mut found = files(&killed);
        found.retain(|name, _| !name.contains(".tmp-"));
        assert!(found == files(&whole), "{set}: the sets differ");

        let output = synthesize(&photographs, &killed, set, "4").output().expect("starts");
        assert!(!output.status.success());
        assert!(
            stderr(&output).contains("another set was begun in this folder (seed differs)"),
            "{}",
            stderr(&output)
        );
    }
}

#[test]
fn a_small_photograph_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let photographs = folder.path().join("photographs");
    std::fs::create_dir(&photographs).expect("makes it");
    textured(40, 48, 1).save(photographs.join("small.png")).expect("saves");
    let output = synthesize(&photographs, &folder.path().join("out"), "kadid", "1").output().expect("starts");
    assert!(!output.status.success());
    assert!(
        stderr(&output).contains("reference `small` is 40x48, smaller than the crop of 36x48"),
        "{}",
        stderr(&output)
    );
}
