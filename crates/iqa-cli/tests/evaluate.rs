//! `iqa evaluate` and `iqa reproduce`, as a user calls them, kills them and starts them again.
#![allow(missing_docs, reason = "a test")]

mod programs;

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Output};

use iqa_testkit::textured;
use programs::{iqa, stderr};

const REFERENCES: u32 = 5;
const VERSIONS: u8 = 12;

/// Textures with more and more of their rows turned grey.
fn made_set(folder: &Path) {
    let mut list = "distorted,reference,score,type\n".to_owned();
    for reference in 0..REFERENCES {
        let picture = textured(96, 96, reference);
        picture.save(folder.join(format!("r{reference}.png"))).expect("saves");
        for version in 1..=VERSIONS {
            let mut distorted = picture.clone();
            for (x, y, pixel) in distorted.enumerate_pixels_mut() {
                if (x + 7 * y) % u32::from(VERSIONS) < u32::from(version) {
                    pixel.0 = pixel.0.map(|value| value / 2 + 64);
                }
            }
            distorted.save(folder.join(format!("r{reference}_{version}.png"))).expect("saves");
            let kind = if version % 2 == 0 { "even" } else { "odd" };
            let score = f64::from(version) + f64::from(reference) / 3.0;
            writeln!(list, "r{reference}_{version}.png,r{reference}.png,{score},{kind}").expect("text");
        }
    }
    std::fs::write(folder.join("list.csv"), list).expect("writes");
}

fn evaluate(folder: &Path, output: &Path, model: &str) -> Command {
    let mut command = iqa("evaluate");
    command.args(["--set", "csv", "--range", "0,14", "--better", "lower", "--resamples", "50"]);
    command.arg("--root").arg(folder).arg("--list").arg(folder.join("list.csv"));
    command.args(["--splits", "hiqa", "--model", model]).arg("--output").arg(output);
    command
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn lines(path: &Path) -> usize {
    std::fs::read_to_string(path).map_or(0, |text| text.matches('\n').count())
}

#[cfg(unix)]
#[test]
fn a_killed_evaluation_gives_the_same_report_and_scores_nothing_twice() {
    use std::process::Stdio;
    use std::time::{Duration, Instant};

    let folder = tempfile::tempdir().expect("a folder");
    made_set(folder.path());
    let (whole, killed) = (folder.path().join("whole"), folder.path().join("killed"));
    let output = evaluate(folder.path(), &whole, "wadiqam_fr").output().expect("starts");
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stderr(&output).contains("60 images scored"), "{}", stderr(&output));

    let mut child = evaluate(folder.path(), &killed, "wadiqam_fr")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("starts");
    let scores = killed.join("scores.csv");
    let start = Instant::now();
    // Two lines of header and one score; the others are under way.
    while lines(&scores) < 3 {
        assert!(start.elapsed() < Duration::from_secs(300), "no score comes");
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().expect("SIGKILL");
    assert!(!child.wait().expect("ends").success());
    let found = lines(&scores) - 2;
    assert!((1..60).contains(&found), "{found} scores when killed");
    assert!(!killed.join("report.json").exists());

    let output = evaluate(folder.path(), &killed, "wadiqam_fr").output().expect("starts");
    assert!(output.status.success(), "{}", stderr(&output));
    let text = stderr(&output);
    assert!(text.contains(&format!("{} images scored", 60 - found)), "{text}");
    assert!(text.contains(&format!("{found} found in")), "{text}");
    for name in ["scores.csv", "report.json", "report.md", "scatter.svg"] {
        let read = |run: &Path| std::fs::read(run.join(name)).expect("reads");
        assert!(read(&killed) == read(&whole), "{name} differs");
    }

    // Another model does not go on with these scores, and is compared with them from its own folder.
    let output = evaluate(folder.path(), &whole, "wadiqam_nr").output().expect("starts");
    assert!(
        !output.status.success() && stderr(&output).contains("scores of another model"),
        "{}",
        stderr(&output)
    );
    let other = folder.path().join("other");
    let output = evaluate(folder.path(), &other, "wadiqam_nr")
        .arg("--against")
        .arg(whole.join("scores.csv"))
        .output()
        .expect("starts");
    assert!(output.status.success(), "{}", stderr(&output));
    let report: serde_json::Value =
        serde_json::from_slice(&std::fs::read(other.join("report.json")).expect("reads")).expect("JSON");
    assert_eq!(report["against"]["model"], "wadiqam_fr");
    assert_eq!(report["against"]["images"], 60);
    assert_eq!(report["types"].as_array().map(Vec::len), Some(2));
    assert_eq!(report["splits"]["parts"].as_array().map(Vec::len), Some(10));
    for part in ["wadiqam_nr less wadiqam_fr on 60 images", "| even | 30 |", "Test parts of 10 splits `hiqa`"]
    {
        assert!(stdout(&output).contains(part), "{}", stdout(&output));
    }
}

/// The same pictures as a set with references and as one without.
#[test]
fn several_models_on_several_sets_give_one_table() {
    let folder = tempfile::tempdir().expect("a folder");
    made_set(folder.path());
    let list = std::fs::read_to_string(folder.path().join("list.csv")).expect("reads");
    let alone: Vec<String> = list
        .lines()
        .map(|line| {
            line.split(',')
                .enumerate()
                .filter(|(column, _)| *column != 1)
                .map(|(_, cell)| cell)
                .collect::<Vec<_>>()
                .join(",")
        })
        .collect();
    std::fs::write(folder.path().join("alone.csv"), alone.join("\n")).expect("writes");
    let output = folder.path().join("results");
    let table = |models: &str| {
        let mut command = iqa("evaluate");
        for list in ["list.csv", "alone.csv"] {
            command.args(["--set", "csv", "--range", "0,14", "--better", "lower"]);
            command.arg("--root").arg(folder.path()).arg("--list").arg(folder.path().join(list));
        }
        command.args(["--name", "pairs", "--name", "singles", "--resamples", "50", "--model", models]);
        command.arg("--output").arg(&output).output().expect("starts")
    };
    let read = |name: &str| std::fs::read(output.join(name)).expect("reads");
    let json = |name: &str| -> serde_json::Value { serde_json::from_slice(&read(name)).expect("JSON") };

    let found = table("psnr,wadiqam_nr");
    assert!(found.status.success(), "{}", stderr(&found));
    let text = stdout(&found);
    assert_eq!(text.lines().next(), Some("| model | pairs (60) | singles (60) |"));
    assert!(text.contains("- psnr on singles: the set has no references"), "{text}");
    let written = json("table.json");
    assert_eq!(written["rows"][0]["cells"][1]["srcc"], serde_json::Value::Null);
    for (row, model) in ["psnr", "wadiqam_nr"].into_iter().enumerate() {
        let cell = &written["rows"][row]["cells"][0];
        let report = json(&format!("pairs/{model}/report.json"));
        assert_eq!(cell["images"], 60);
        assert_eq!(cell["srcc"], report["whole"]["figures"]["srcc"]);
        assert_eq!(cell["plcc"], report["whole"]["figures"]["plcc"]);
        assert_eq!(cell["srcc_interval"], report["intervals"]["srcc"]);
    }
    // The better of the two, and the one that there is.
    let bold = text.lines().filter(|line| line.starts_with("| ")).map(|line| line.matches("**").count() / 2);
    assert_eq!(bold.sum::<usize>(), 2, "{text}");
    let picture = String::from_utf8(read("table.svg")).expect("text");
    for word in ["psnr", "wadiqam_nr", "pairs (60)", "singles (60)", "SRCC"] {
        assert!(picture.contains(word), "{word}");
    }

    // Another model: nothing is scored again, a damaged file is told, and the rest is in the table.
    let scores = read("pairs/psnr/scores.csv");
    std::fs::write(output.join("singles/wadiqam_nr/scores.csv"), "nothing\n").expect("writes");
    let found = table("psnr,wadiqam_nr,ssim");
    assert_eq!(found.status.code(), Some(1));
    assert!(stderr(&found).contains("wadiqam_nr on singles: "), "{}", stderr(&found));
    assert!(scores == read("pairs/psnr/scores.csv"));
    let again = json("table.json");
    assert_eq!(again["rows"][0], written["rows"][0]);
    assert!(again["rows"][2]["cells"][0]["srcc"].is_number());
    assert!(again["rows"][1]["cells"][1]["note"].as_str().is_some_and(|note| note.contains("scores.csv")));
}

#[test]
fn wrong_options_say_what_is_right() {
    let folder = tempfile::tempdir().expect("a folder");
    made_set(folder.path());
    let output = folder.path().join("run");
    for (extra, message) in [
        (&["--model", "nothing"][..], "unknown model `nothing`: expected one of wadiqam_fr"),
        (&["--model", "wadiqam_fr", "--splits", "bosse_live_challenge"], "expected a set without references"),
        (&["--model", "wadiqam_fr", "--against", "missing.csv"], "missing.csv"),
        (&["--model", "psnr,psnr"], "`psnr` is there twice"),
        (&["--model", "psnr,diqam_nr"], "`diqam_nr` has no bundled weights"),
        (&["--model", "psnr,diqam_nr=missing.safetensors"], "missing.safetensors"),
        (&["--model", "psnr,ssim", "--weights", "some.safetensors"], "NAME=FILE"),
        (&["--model", "psnr,ssim", "--splits", "hiqa"], "for one model on one set"),
        (
            &["--model", "psnr", "--range", "0,1"],
            "--range is there 2 times: expected one for each csv set, 1",
        ),
    ] {
        let mut command = iqa("evaluate");
        command.args(["--set", "csv", "--range", "0,14"]).arg("--root").arg(folder.path());
        command.arg("--list").arg(folder.path().join("list.csv")).arg("--output").arg(&output).args(extra);
        let output = command.output().expect("starts");
        assert!(!output.status.success() && stderr(&output).contains(message), "{}", stderr(&output));
    }
    let mut command = iqa("evaluate");
    command.args(["--set", "tid", "--output"]).arg(&output).arg("--root").arg(folder.path());
    let text = stderr(&command.output().expect("starts"));
    assert!(text.contains("unknown data set `tid`: expected one of live, "), "{text}");
}

#[test]
fn the_page_on_reproducing_is_up_to_date() {
    let output = iqa("reproduce").arg("markdown").output().expect("starts");
    assert!(output.status.success(), "{}", stderr(&output));
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/REPRODUCING.md");
    assert!(
        std::fs::read_to_string(page).expect("reads") == stdout(&output),
        "write it: iqa reproduce markdown > docs/REPRODUCING.md"
    );
}

#[test]
fn reproduce_lists_shows_and_says_what_is_missing() {
    let run = |arguments: &[&str]| iqa("reproduce").args(arguments).output().expect("starts");
    let list = stdout(&run(&["list"]));
    for id in ["bosse-1 ", "bosse-pca ", "dutta-2 ", "gsn-cross ", "hiqa-ablation ", "synthetic-kadid10k "] {
        assert!(list.lines().any(|line| line.starts_with(id)), "{list}");
    }
    let shown = stdout(&run(&["show", "bosse-1"]));
    assert!(shown.contains("| WaDIQaM-FR, TID2013, mean | 0.946 | 0.940 |"), "{shown}");
    assert!(shown.contains("--set tid2013 --root DATA/tid2013 --split bosse_tid2013"), "{shown}");
    let error = run(&["show", "bosse-9"]);
    assert!(
        stderr(&error).contains("unknown entry `bosse-9`: expected one of bosse-1"),
        "{}",
        stderr(&error)
    );

    let folder = tempfile::tempdir().expect("a folder");
    let (data, results) = (folder.path().join("data"), folder.path().join("results"));
    std::fs::create_dir_all(data.join("live")).expect("creates");
    let paths = [&data, &results].map(|path| path.display().to_string());
    let output = run(&["run", "bosse-1", "--data", &paths[0], "--results", &paths[1]]);
    assert!(output.status.success(), "{}", stderr(&output));
    let text = stdout(&output);
    assert!(text.contains("best.safetensors is missing") && text.contains("tid2013 is missing"), "{text}");
    assert!(text.contains("| not run |"), "{text}");
    // What it tells to do next finds what the commands before it make.
    let next = format!("iqa reproduce run bosse-1 --data DATA --results {}\n", paths[1]);
    assert!(text.contains(&next), "{text}");
    assert!(shown.contains("iqa reproduce run bosse-1 --data DATA\n"), "{shown}");
}

#[test]
fn a_range_may_be_left_out_and_be_left_by_scores() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let mut list = "Dist;Original;MOS\r\n".to_owned();
    for (version, score) in [-0.75, -0.5, 0.0, 0.25, 1.5].into_iter().enumerate() {
        let mut picture = textured(64, 64, 1);
        picture.save(folder.join("original.png")).expect("saves");
        picture.put_pixel(7, 7, image::Rgb([50 * version as u8; 3]));
        picture.save(folder.join(format!("{version}.png"))).expect("saves");
        write!(list, "{version}.PNG;original.png;{score}\r\n").expect("text");
    }
    std::fs::write(folder.join("list.csv"), list).expect("writes");
    let run = |name: &str, range: Option<&str>| {
        let mut command = iqa("evaluate");
        command.args(["--set", "csv", "--model", "psnr", "--resamples", "20"]).args(range);
        command.arg("--root").arg(folder).arg("--list").arg(folder.join("list.csv"));
        command.arg("--output").arg(folder.join(name)).output().expect("starts")
    };
    let output = run("inferred", None);
    assert!(output.status.success(), "{}", stderr(&output));
    let warning = "list.csv: without --range, its scores are taken to go from -0.75 to 1.5";
    assert!(stderr(&output).contains(warning), "{}", stderr(&output));
    let output = run("outside", Some("--range=-1,1"));
    assert!(output.status.success(), "{}", stderr(&output));
    let warning = "list.csv: 1 of 5 scores lie outside --range -1,1";
    assert!(stderr(&output).contains(warning), "{}", stderr(&output));
    let output = run("within", Some("--range=-1,2"));
    assert!(output.status.success() && !stderr(&output).contains("warning"), "{}", stderr(&output));
    for (range, expected) in [
        ("--range=2,-1", "--range 2,-1: a range of scores from 2.0 to -1.0: expected finite ends"),
        ("--range=2", "expected two numbers, such as 1,5"),
    ] {
        let output = run("refused", Some(range));
        assert!(!output.status.success() && stderr(&output).contains(expected), "{}", stderr(&output));
    }
}

#[test]
fn scores_of_another_program_are_compared_with_and_a_split_file_is_kept_to() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    made_set(folder);
    let mut scores = "Image;Score\r\n".to_owned();
    for reference in 0..REFERENCES {
        for version in 1..=VERSIONS {
            let score = 20.0 - f64::from(version) + f64::from(reference * u32::from(version) % 3);
            write!(scores, "elsewhere\\R{reference}_{version}.PNG;{score}\r\n").expect("text");
        }
    }
    std::fs::write(folder.join("other.csv"), scores).expect("writes");
    let split = "part,reference\ntrain,r0.png\ntrain,r1.png\nvalidation,r2.png\ntest,r3.png\ntest,r4.png\n";
    std::fs::write(folder.join("split.csv"), split).expect("writes");
    let run = |name: &str, extra: &[&str]| {
        let mut command = iqa("evaluate");
        command.args(["--set", "csv", "--range", "0,14", "--better", "lower", "--resamples", "50"]);
        command.arg("--root").arg(folder).arg("--list").arg(folder.join("list.csv"));
        command.args(["--model", "psnr", "--output"]).arg(folder.join(name)).args(extra);
        command.output().expect("starts")
    };
    let [other, split] = ["other.csv", "split.csv"].map(|name| folder.join(name).display().to_string());
    let report = |name: &str| -> serde_json::Value {
        let bytes = std::fs::read(folder.join(name).join("report.json")).expect("reads");
        serde_json::from_slice(&bytes).expect("JSON")
    };
    let output = run("higher", &["--against", &other]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stdout(&output).contains("psnr less other on 60 images"), "{}", stdout(&output));
    assert!(stdout(&output).contains("(50 resamples of 5 references)"), "{}", stdout(&output));
    assert_eq!(report("higher")["against"]["references"], 5);
    let output = run("lower", &["--against", &other, "--against-better", "lower"]);
    assert!(output.status.success(), "{}", stderr(&output));
    // The other model is turned round: what PSNR is ahead of it by grows by twice its correlation.
    let ahead = |name: &str| report(name)["against"]["srcc"]["value"].as_f64().expect("a number");
    assert!(ahead("lower") > 1.0 && ahead("higher").abs() < 0.3, "{} {}", ahead("lower"), ahead("higher"));

    let output = run("part", &["--split", &split, "--against", &other]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!((&report("part")["images"], &report("part")["against"]["images"]), (&24.into(), &24.into()));

    let own = folder.join("higher/scores.csv").display().to_string();
    for (extra, expected) in [
        (&["--against", own.as_str(), "--against-better", "lower"][..], "says itself which end is good"),
        (&["--against", &split], "expected a column named distorted"),
        (&["--split", &other], "expected a column named reference"),
        (&["--split", &split, "--splits", "hiqa"], "cannot be used with"),
        (&["--against-better", "lower"], "--against <AGAINST>"),
    ] {
        let output = run("refused", extra);
        assert!(!output.status.success() && stderr(&output).contains(expected), "{}", stderr(&output));
    }
    assert!(!folder.join("refused").exists());
}
