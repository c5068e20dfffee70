//! HIQA from the command line: `iqa train --recipe hiqa`, killed in each of its phases, then `hallucinate` and `score`.
#![allow(missing_docs, reason = "a test")]

mod programs;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use iqa_models::image;
use iqa_testkit::textured;
use programs::{iqa, stderr};

fn train(photographs: &Path, output: &Path, extra: &[&str]) -> Command {
    let mut command = iqa("train");
    command.args(["--recipe", "hiqa", "--photographs"]).arg(photographs).arg("--output").arg(output);
    command.args(["--validation", "b", "--test", "c", "--distortions", "white_noise"]);
    command.args(["--channels", "2", "--images", "2", "--patches-each", "1", "--report-every", "2"]);
    command.args(["--baseline-steps", "6", "--steps", "6", "--regressor-steps", "6", "--stride", "512"]);
    command.args(extra);
    command
}

/// The log without its seconds.
fn losses(run: &Path) -> Vec<String> {
    let log = std::fs::read_to_string(run.join("log.csv")).expect("reads");
    log.lines().map(|row| row.rsplit_once(',').expect("columns").0.to_owned()).collect()
}

fn read(run: &Path, name: &str) -> Vec<u8> {
    std::fs::read(run.join(name)).expect("reads")
}

#[cfg(unix)]
#[test]
fn a_run_killed_in_each_phase_ends_as_one_that_was_not() {
    let folder = tempfile::tempdir().expect("a folder");
    for (seed, name) in ["a", "b", "c"].into_iter().enumerate() {
        textured(512, 384, seed as u32).save(folder.path().join(name).with_extension("png")).expect("saves");
    }
    let (whole, killed) = (folder.path().join("whole"), folder.path().join("killed"));
    let output = train(folder.path(), &whole, &[]).output().expect("starts");
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stderr(&output).contains("no VGG weights were given"), "{}", stderr(&output));

    // The header and a row of the phase; its next steps are then under way.
    for rows in [2, 5, 8] {
        let mut child = train(folder.path(), &killed, &[])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("starts");
        let start = Instant::now();
        let written = || std::fs::read_to_string(killed.join("log.csv")).map_or(0, |log| log.lines().count());
        while written() < rows {
            assert!(start.elapsed() < Duration::from_secs(300), "no row comes");
            std::thread::sleep(Duration::from_millis(2));
        }
        child.kill().expect("SIGKILL");
        child.wait().expect("ends");
    }
    let output = train(folder.path(), &killed, &[]).output().expect("starts");
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(losses(&killed), losses(&whole));
    for name in ["hiqa.safetensors", "baseline.safetensors", "report.md", "sheet_000006.png"] {
        assert!(read(&killed, name) == read(&whole, name), "{name} differs");
    }
    let report = String::from_utf8(read(&whole, "report.md")).expect("text");
    for part in ["PSNR", "R_pre", "Without a reference (map: true, fusion: true)"] {
        assert!(report.contains(part), "{report}");
    }
    let output = train(folder.path(), &killed, &["--seed", "2"]).output().expect("starts");
    assert!(!output.status.success());
    assert!(stderr(&output).contains("another recipe (seed differs)"), "{}", stderr(&output));

    // The generator of that run under another regressor: the plug-in use, and its oracle.
    let weights = whole.join("hiqa.safetensors");
    let plug_in = ["--rung", "map", "--oracle", "--plug-in", weights.to_str().expect("UTF-8")];
    let run = folder.path().join("oracle");
    let output = train(folder.path(), &run, &plug_in).output().expect("starts");
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(String::from_utf8_lossy(&read(&run, "report.md")).contains("Oracle (map: true, fusion: false)"));

    hallucinate_and_score(folder.path(), &weights);
}

fn hallucinate_and_score(folder: &Path, weights: &Path) {
    let (small, large) = (folder.join("small.png"), folder.join("large.png"));
    textured(50, 40, 7).save(&small).expect("saves");
    textured(130, 70, 8).save(&large).expect("saves");
    let output = iqa("hallucinate")
        .args([&small, &large])
        .arg("--weights")
        .arg(weights)
        .arg("--output")
        .arg(folder.join("drawn"))
        .output()
        .expect("starts");
    assert!(output.status.success(), "{}", stderr(&output));
    for (name, size) in [("small", (50, 40)), ("large", (130, 70))] {
        for kind in ["hallucinated", "map"] {
            let path = folder.join("drawn").join(format!("{name}.{kind}.png"));
            assert_eq!(image::open(&path).expect("a picture").into_rgb8().dimensions(), size);
        }
    }
    // With the bundled weights where none are given, which draw otherwise.
    let output =
        iqa("hallucinate").arg(&large).arg("--output").arg(folder.join("bundled")).output().expect("starts");
    assert!(output.status.success(), "{}", stderr(&output));
    let drawn = |folder_of: &str| std::fs::read(folder.join(folder_of).join("large.map.png")).expect("reads");
    assert!(drawn("bundled") != drawn("drawn"));
    // Patches that would not fade into each other, and a file where a folder should be.
    let mut command = iqa("hallucinate");
    command.arg(&large).args(["--stride", "128", "--output"]).arg(folder.join("far"));
    let output = command.output().expect("starts");
    assert_eq!(output.status.code(), Some(2));
    let expected = "--stride 128: expected at most 64, half a patch of this network";
    assert!(stderr(&output).contains(expected), "{}", stderr(&output));
    let output = iqa("hallucinate").arg(&large).arg("--output").arg(&small).output().expect("starts");
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("small.png: a file; expected a folder"), "{}", stderr(&output));
    // The same pictures by another way are drawn again; others of these names are not drawn over them.
    let drawn = folder.join("drawn/small.map.png");
    let draw = |image: &Path| {
        let mut command = iqa("hallucinate");
        command.arg(image).arg("--weights").arg(weights).arg("--output").arg(folder.join("drawn"));
        command.output().expect("starts")
    };
    let before = std::fs::read(&drawn).expect("reads");
    let output = draw(&folder.join("drawn/../small.png"));
    assert!(output.status.success(), "{}", stderr(&output));
    std::fs::create_dir(folder.join("elsewhere")).expect("makes it");
    let other = folder.join("elsewhere/small.png");
    textured(50, 40, 9).save(&other).expect("saves");
    let output = draw(&other);
    let expected =
        "small.hallucinated.png: would be overwritten, and was made by `hallucinate` of another input";
    assert!(!output.status.success() && stderr(&output).contains(expected), "{}", stderr(&output));
    assert!(std::fs::read(&drawn).expect("reads") == before);
    // A picture that no run has drawn.
    let foreign = folder.join("drawn/third.map.png");
    std::fs::write(&foreign, "mine").expect("writes");
    let third = folder.join("third.png");
    textured(50, 40, 9).save(&third).expect("saves");
    let output = draw(&third);
    let expected = "third.map.png: would be overwritten, and no run in this folder has made it";
    assert!(!output.status.success() && stderr(&output).contains(expected), "{}", stderr(&output));
    assert_eq!(std::fs::read(&foreign).expect("reads"), b"mine");
    // Nor is a picture over one that is read.
    let output = iqa("hallucinate")
        .args([&small, &drawn])
        .arg("--weights")
        .arg(weights)
        .arg("--output")
        .arg(folder.join("drawn"))
        .output()
        .expect("starts");
    let expected = "drawn/small.map.png: would replace what is read";
    assert!(!output.status.success() && stderr(&output).contains(expected), "{}", stderr(&output));
    let output = draw(&folder.join("none.png"));
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("none.png"), "{}", stderr(&output));

    let mut score = iqa("score");
    score.args(["--model", "hiqa"]).arg(&large).arg("--weights").arg(weights);
    let output = score.output().expect("starts");
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(String::from_utf8_lossy(&output.stdout).contains("large.png"));
}
