//! The `train` example, as a user calls it, kills it and starts it again.
#![allow(missing_docs, reason = "a test")]

mod programs;

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use iqa_testkit::textured;
use programs::{example, stderr};

fn train(photographs: &Path, output: &Path, extra: &[&str]) -> std::process::Command {
    let mut command = example("train");
    command.arg("--photographs").arg(photographs).arg("--output").arg(output);
    command.args(["--validation", "b", "--test", "c", "--distortions", "white_noise"]);
    command.args(["--epochs", "4", "--steps", "3", "--images", "2", "--patches", "2"]).args(extra);
    command
}

fn photographs(folder: &Path) {
    for (seed, name) in ["a", "b", "c"].into_iter().enumerate() {
        textured(512, 384, seed as u32).save(folder.join(name).with_extension("png")).expect("saves");
    }
}

/// The losses of a run's log, without its seconds.
fn losses(run: &Path) -> Vec<String> {
    let log = std::fs::read_to_string(run.join("log.csv")).expect("reads");
    log.lines().map(|row| row.rsplit_once(',').expect("columns").0.to_owned()).collect()
}

#[cfg(unix)]
#[test]
fn a_killed_run_ends_as_if_it_had_not_been_killed() {
    let folder = tempfile::tempdir().expect("a folder");
    photographs(folder.path());
    let (whole, killed) = (folder.path().join("whole"), folder.path().join("killed"));
    let output = train(folder.path(), &whole, &[]).output().expect("starts");
    assert!(output.status.success(), "{}", stderr(&output));

    let mut child = train(folder.path(), &killed, &[])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("starts");
    let start = Instant::now();
    let epochs = || std::fs::read_to_string(killed.join("log.csv")).map_or(0, |log| log.lines().count());
    // The header and one epoch; the second epoch is then under way.
    while epochs() < 2 {
        assert!(start.elapsed() < Duration::from_secs(300), "no epoch ends");
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().expect("SIGKILL");
    assert!(!child.wait().expect("ends").success());
    assert!(epochs() < 5, "killed before its end");

    let output = train(folder.path(), &killed, &[]).output().expect("starts");
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(losses(&killed), losses(&whole));
    for name in ["last.safetensors", "best.safetensors", "best.f16.safetensors", "report.md"] {
        let read = |run: &Path| std::fs::read(run.join(name)).expect("reads");
        assert!(read(&killed) == read(&whole), "{name} differs");
    }

    // Another recipe in the same folder would not be the same run.
    let output = train(folder.path(), &killed, &["--seed", "2"]).output().expect("starts");
    assert!(!output.status.success());
    assert!(stderr(&output).contains("another recipe (seed differs)"), "{}", stderr(&output));

    // The convolutions of a finished run start another kind of model.
    let best = whole.join("best.safetensors").display().to_string();
    let run = folder.path().join("nr");
    let options = ["--model", "wadiqam_nr", "--start-from", &best];
    let output = train(folder.path(), &run, &options).output().expect("starts");
    assert!(output.status.success(), "{}", stderr(&output));
}
