//! Results belong to the pictures that they are of, and nothing of anybody else is overwritten.
#![allow(missing_docs, reason = "a test")]

mod programs;

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use iqa_models::core::sha256;
use iqa_testkit::{names_in as names, textured};
use programs::{iqa, stderr};

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).expect("reads")
}

fn succeeds(output: &Output) {
    assert!(output.status.success(), "{}", stderr(output));
}

/// That a program says this, and that a file stays as it is.
fn refused(command: &mut Command, message: &str, unchanged: &Path) {
    let before = read(unchanged);
    let output = command.output().expect("starts");
    let told = stderr(&output);
    assert!(!output.status.success() && told.contains(message), "{told}");
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(read(unchanged) == before, "{} was changed", unchanged.display());
}

fn save(folder: &Path, name: &str, seed: u32) -> PathBuf {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("makes it");
    textured(64, 64, seed).save(&path).expect("saves");
    path
}

#[test]
fn a_score_belongs_to_the_picture_that_was_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let picture = save(folder.path(), "one/a.png", 1);
    save(folder.path(), "two/a.png", 2);
    save(folder.path(), "one/b.png", 3);
    save(folder.path(), "two/b.png", 3);
    for format in ["json", "csv"] {
        let output = folder.path().join(format!("scores.{format}"));
        let run = |folder: &Path, names: &[&str]| {
            let mut command = iqa("score");
            command.current_dir(folder).args(["--model", "wadiqam_nr", "--format", format, "--output"]);
            command.arg(&output).args(names);
            command
        };
        let (one, two) = (folder.path().join("one"), folder.path().join("two"));
        succeeds(&run(&one, &["a.png", "b.png"]).output().expect("starts"));
        let text = String::from_utf8(read(&output)).expect("text");
        let digest = &sha256(&read(&picture))[..16];
        assert_eq!(text.matches(&format!("-{digest}")).count(), 1, "{text}");
        // The same names from another place: the one of the same content is known, the other is not taken for it.
        succeeds(&run(&two, &["b.png"]).output().expect("starts"));
        assert_eq!(String::from_utf8(read(&output)).expect("text"), text);
        let message =
            format!("scores.{format}: holds a score of a.png from when that file had other content");
        refused(&mut run(&two, &["a.png", "b.png"]), &message, &output);
        refused(&mut run(&two, &["b.png", "./b.png", "a.png"]), &message, &output);
        // Replaced in its place, and put back.
        let original = read(&picture);
        std::fs::copy(two.join("a.png"), &picture).expect("copies");
        refused(&mut run(&one, &["a.png", "b.png"]), &message, &output);
        // Gone: what cannot be compared is not taken for scored.
        std::fs::remove_file(&picture).expect("removes");
        refused(&mut run(&one, &["a.png", "b.png"]), "a.png: No such file", &output);
        std::fs::write(&picture, original).expect("writes");
        succeeds(&run(&one, &["a.png", "b.png"]).output().expect("starts"));
        assert_eq!(String::from_utf8(read(&output)).expect("text"), text);
    }
}

/// Five references with two versions each.
fn rated_set(folder: &Path, seed: u32) {
    let mut list = "distorted,reference,score\n".to_owned();
    for index in 0..10 {
        save(folder, &format!("d{index}.png"), seed + index);
        save(folder, &format!("r{}.png", index / 2), seed + 50 + index / 2);
        list += &format!("d{index}.png,r{}.png,{}\n", index / 2, (index * 7) % 10);
    }
    std::fs::write(folder.join("list.csv"), list).expect("writes");
}

fn evaluate(set: &Path, output: &Path, model: &str) -> Command {
    let mut command = iqa("evaluate");
    command.args(["--set", "csv", "--range", "0,10", "--resamples", "20", "--model", model]);
    command.arg("--root").arg(set).arg("--list").arg(set.join("list.csv")).arg("--output").arg(output);
    command
}

#[test]
fn an_evaluation_belongs_to_the_pictures_of_its_set() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    for (name, seed) in [("set", 0), ("same", 0), ("other", 20)] {
        std::fs::create_dir(at(name)).expect("makes it");
        rated_set(&at(name), seed);
    }
    let run = |set: &str| evaluate(&at(set), &at("run"), "psnr");
    let done = run("set").output().expect("starts");
    succeeds(&done);
    let scores = at("run/scores.csv");
    let text = String::from_utf8(read(&scores)).expect("text");
    for picture in ["set/d3.png", "set/r1.png"] {
        assert!(text.contains(&format!(",{}", &sha256(&read(&at(picture)))[..16])), "{text}");
    }
    // A copy of the set is the set, by a link too; another one of the same names and ratings is not.
    let again = run("same").output().expect("starts");
    assert!(stderr(&again).contains("0 images scored"), "{}", stderr(&again));
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(at("set"), at("link")).expect("links");
        let again = run("link").output().expect("starts");
        assert!(stderr(&again).contains("0 images scored"), "{}", stderr(&again));
    }
    assert_eq!(String::from_utf8(read(&scores)).expect("text"), text);
    let message = "run/scores.csv: holds a score of ";
    refused(&mut run("other"), &format!("{message}{}", at("other/d").display()), &scores);
    // Nor is a comparison with scores of other pictures.
    succeeds(&evaluate(&at("other"), &at("elsewhere"), "ssim").output().expect("starts"));
    let mut against = evaluate(&at("set"), &at("compared"), "psnr");
    against.arg("--against").arg(at("elsewhere/scores.csv"));
    refused(&mut against, "elsewhere/scores.csv: holds a score of ", &at("elsewhere/scores.csv"));
    assert!(!at("compared").exists());
    // A picture, and a reference, replaced in place.
    for (picture, by) in [("set/d3.png", "set/d4.png"), ("set/r1.png", "set/r2.png")] {
        let original = read(&at(picture));
        std::fs::copy(at(by), at(picture)).expect("copies");
        refused(&mut run("set"), &format!("{message}{}", at(picture).display()), &scores);
        std::fs::write(at(picture), original).expect("writes");
    }
    succeeds(&run("set").output().expect("starts"));
}

#[test]
fn files_of_others_are_not_overwritten() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir(at("set")).expect("makes it");
    rated_set(&at("set"), 0);
    for name in ["report.md", "report.json", "scatter.svg", "scores.csv"] {
        let run = at(&format!("run_{name}"));
        std::fs::create_dir(&run).expect("makes it");
        std::fs::write(run.join(name), "notes\n").expect("writes");
        std::fs::write(run.join(".tmpAbc123"), "of another program").expect("writes");
        let expected =
            format!("{name}{}", if name == "scores.csv" { ", line 1" } else { ": would be overwritten" });
        refused(&mut evaluate(&at("set"), &run, "psnr"), &expected, &run.join(name));
        if name != "scores.csv" {
            assert_eq!(names(&run), [".tmpAbc123", name]);
        }
    }
    // One of a version before folders had lists is known by its report, and once there is a list, by that.
    let run = at("run");
    succeeds(&evaluate(&at("set"), &run, "psnr").output().expect("starts"));
    std::fs::remove_file(run.join(".iqa-models")).expect("removes");
    for _ in 0..2 {
        succeeds(&evaluate(&at("set"), &run, "psnr").output().expect("starts"));
    }
    // The table over several models.
    let table = at("table");
    std::fs::create_dir(&table).expect("makes it");
    std::fs::write(table.join("table.md"), "notes").expect("writes");
    let expected = "table.md: would be overwritten, and no run in this folder has made it";
    refused(&mut evaluate(&at("set"), &table, "psnr,ssim"), expected, &table.join("table.md"));
    // A training, without its count of pictures.
    let mut train = iqa("train");
    train.arg("--quiet");
    std::fs::write(table.join("report.md"), "notes").expect("writes");
    train.args(["--set", "csv", "--range", "0,10", "--images", "2", "--patches", "1", "--epochs", "1"]);
    train.arg("--root").arg(at("set")).arg("--list").arg(at("set/list.csv")).arg("--output").arg(&table);
    refused(&mut train, "table/report.md: would be overwritten", &table.join("report.md"));
    assert_eq!(names(&table), ["report.md", "table.md"]);
}

#[test]
fn a_set_is_not_made_over_files_of_others() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    save(folder.path(), "photographs/a.png", 1);
    let synthesize = |output: &str, seed: &str| {
        let mut command = iqa("synthesize");
        command
            .args(["--crop", "32x24", "--set", "tid", "--seed", seed, "--photographs"])
            .arg(at("photographs"));
        command.arg("--output").arg(at(output));
        command
    };
    for (foreign, named) in [
        ("labels/labels.csv", "labels/labels.csv"),
        ("list/images.csv", "list/images.csv"),
        ("images/distorted_images/I01_01_1.png", "images/distorted_images"),
        ("settings/synthesis.json", "settings/synthesis.json: expected the settings of a set"),
    ] {
        std::fs::create_dir_all(at(foreign).parent().expect("a folder")).expect("makes it");
        std::fs::write(at(foreign), "mine").expect("writes");
        let output = foreign.split('/').next().expect("a folder");
        refused(&mut synthesize(output, "1"), named, &at(foreign));
        assert_eq!(names(&at(output)).len(), 1);
    }
    succeeds(&synthesize("set", "1").output().expect("starts"));
    succeeds(&synthesize("set", "1").output().expect("starts"));
    refused(
        &mut synthesize("set", "2"),
        "another set was begun in this folder (seed differs)",
        &at("set/labels.csv"),
    );
    // As the first version left a set that was killed: no list, and temporary files without our name.
    let labels = read(&at("set/labels.csv"));
    std::fs::remove_file(at("set/.iqa-models")).expect("removes");
    for name in ["set/.tmpAbc123", "set/distorted_images/.tmpXyz789", "set/.tmpxyz"] {
        std::fs::write(at(name), "part of an image").expect("writes");
    }
    succeeds(&synthesize("set", "1").output().expect("starts"));
    assert!(read(&at("set/labels.csv")) == labels);
    assert!(!at("set/.tmpAbc123").exists() && !at("set/distorted_images/.tmpXyz789").exists());
    assert!(at("set/.tmpxyz").exists(), "that is no name of ours");
    // From then on the list counts, and such a file may be anybody's.
    std::fs::write(at("set/.tmpAbc123"), "of another program").expect("writes");
    succeeds(&synthesize("set", "1").output().expect("starts"));
    assert!(at("set/.tmpAbc123").exists());
    // Contact sheets.
    let sheets = || {
        let mut command = iqa("synthesize");
        command.arg("--photographs").arg(at("photographs")).arg("--contact-sheets").arg(at("sheets"));
        command
    };
    textured(160, 120, 1).save(at("photographs/a.png")).expect("saves");
    std::fs::create_dir(at("sheets")).expect("makes it");
    let sheet = at("sheets/kadid_01_gaussian_blur.jpg");
    std::fs::write(&sheet, "mine").expect("writes");
    refused(&mut sheets(), "kadid_01_gaussian_blur.jpg: would be overwritten", &sheet);
}

/// Standard output as a shell closes it.
#[cfg(target_os = "linux")]
fn under_shell(command: &Command, redirection: &str) -> Output {
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(format!("exec \"$0\" \"$@\" {redirection}")).arg(command.get_program());
    shell.args(command.get_args());
    if let Some(folder) = command.get_current_dir() {
        shell.current_dir(folder);
    }
    shell.output().expect("starts")
}

/// The runtime opens `/dev/null` for a closed descriptor, as others do on purpose: a warning, and no error.
#[cfg(target_os = "linux")]
#[test]
fn scores_to_a_closed_standard_output_are_warned_of() {
    let folder = tempfile::tempdir().expect("a folder");
    let picture = save(folder.path(), "a.png", 1);
    let mut score = iqa("score");
    score.args(["--model", "wadiqam_nr"]).arg(&picture);
    let warning =
        "warning: standard output is closed, or a /dev/null for reading and writing: the scores are lost\n";
    for (redirection, expected) in [
        (">&-", warning),
        (">&- <&-", warning),
        ("> /dev/null", ""),
        ("<&- > /dev/null", ""),
        (">> /dev/null", ""),
        ("| cat > /dev/null", ""),
        ("| head -0", ""),
    ] {
        let output = under_shell(&score, redirection);
        succeeds(&output);
        assert_eq!(stderr(&output), expected, "{redirection}");
    }
    // And with standard error closed too there is nobody to tell.
    succeeds(&under_shell(&score, ">&- <&- 2>&-"));
    // As Python's `subprocess.DEVNULL` and libuv open it.
    let null = File::options().read(true).write(true).open("/dev/null").expect("opens");
    succeeds(&score.stdout(null).stderr(Stdio::piped()).output().expect("starts"));
    // What goes to a file needs no standard output.
    let mut score = iqa("score");
    score.args(["--model", "wadiqam_nr", "--output"]).arg(folder.path().join("scores.json")).arg(&picture);
    let output = under_shell(&score, ">&-");
    succeeds(&output);
    assert_eq!(stderr(&output), "");
}

#[test]
fn a_part_without_images_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let picture = save(folder.path(), "a.png", 1);
    let run = |shard: &str, format: &str| {
        let mut command = iqa("score");
        command.args(["--model", "wadiqam_nr", "--format", format, "--shard", shard]).arg(&picture);
        command.output().expect("starts")
    };
    for format in ["text", "json", "csv"] {
        let output = run("2/1000000", format);
        succeeds(&output);
        let header = format == "csv";
        assert!(output.stdout.is_empty() || header, "{}", String::from_utf8_lossy(&output.stdout));
        assert_eq!(stderr(&output), "part 2 of 1000000 has none of the 1 images\n");
        let whole = run("1000000/1000000", format);
        assert_eq!((stderr(&whole), whole.stdout.is_empty()), (String::new(), false));
    }
}

/// Squares beyond the largest double, and a scale that is wider than it.
#[test]
fn figures_of_huge_ratings_say_why_they_are_missing() {
    let folder = tempfile::tempdir().expect("a folder");
    rated_set(folder.path(), 0);
    let mut list = "distorted,reference,score\n".to_owned();
    for index in 0..10 {
        list += &format!("d{index}.png,r{}.png,{}e307\n", index / 2, (index * 7) % 10);
    }
    std::fs::write(folder.path().join("list.csv"), list).expect("writes");
    let run = |range: &str, output: &str| {
        let mut command = iqa("evaluate");
        command.args(["--set", "csv", "--range", range, "--resamples", "20", "--model", "ssim", "--root"]);
        command.arg(folder.path()).arg("--list").arg(folder.path().join("list.csv"));
        command.arg("--output").arg(folder.path().join(output)).output().expect("starts")
    };
    let output = run("0,1e308", "run");
    succeeds(&output);
    let report = std::fs::read_to_string(folder.path().join("run/report.md")).expect("reads");
    let row = report.lines().find(|line| line.starts_with("| all | 10 |")).expect("a row");
    assert!(row.contains('–'), "{report}");
    for figure in ["RMSE", "4 parameters", "5 parameters"] {
        let reason = format!("| | {figure}: the ratings are so large that their errors");
        assert!(report.contains(&reason), "{report}");
    }
    let output = run("-1e308,1e308", "wide");
    assert!(
        !output.status.success() && stderr(&output).contains("from -1e308 to 1e308: expected"),
        "{}",
        stderr(&output)
    );
}

/// Twenty starts at one moment: one does the work, or all do the same, and nothing is written twice.
#[test]
fn many_starts_at_once_are_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir(at("set")).expect("makes it");
    rated_set(&at("set"), 0);
    save(folder.path(), "photographs/a.png", 1);
    let mut score = iqa("score");
    score.args(["--model", "wadiqam_nr", "--output"]).arg(at("scores.json")).arg(at("set"));
    let mut synthesize = iqa("synthesize");
    synthesize.args(["--crop", "32x24", "--photographs"]).arg(at("photographs"));
    synthesize.arg("--output").arg(at("synthetic"));
    let mut train = iqa("train");
    train.args(["--set", "csv", "--range", "0,10", "--images", "2", "--patches", "1", "--epochs", "1"]);
    train.args(["--validation-patches", "1", "--steps", "1", "--root"]).arg(at("set"));
    train.arg("--list").arg(at("set/list.csv")).arg("--output").arg(at("trained"));
    let evaluate = evaluate(&at("set"), &at("run"), "ssim");
    for command in [&mut score, &mut synthesize, &mut train, &mut { evaluate }] {
        let start = |_| command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("starts");
        let runs: Vec<_> = (0..20).map(start).collect();
        let runs: Vec<Output> = runs.into_iter().map(|run| run.wait_with_output().expect("ends")).collect();
        assert!(runs.iter().any(|run| run.status.success()));
        for run in runs.iter().filter(|run| !run.status.success()) {
            let told = stderr(run);
            assert!(told.contains("another run is writing"), "{told}");
        }
    }
    let text = std::fs::read_to_string(at("scores.json")).expect("reads");
    assert_eq!(text.lines().count(), 15, "{text}");
    let text = std::fs::read_to_string(at("run/scores.csv")).expect("reads");
    assert_eq!(text.lines().count(), 2 + 10, "{text}");
    assert!(at("trained/report.md").exists() && at("synthetic/labels.csv").exists());
}

#[cfg(unix)]
#[test]
fn a_folder_whose_name_is_no_text_is_gone_on_with() {
    use std::os::unix::ffi::OsStrExt;

    let folder = tempfile::tempdir().expect("a folder");
    let odd = folder.path().join(OsStr::from_bytes(b"\xff \xfe"));
    std::fs::create_dir(&odd).expect("makes it");
    rated_set(&odd, 0);
    for _ in 0..2 {
        succeeds(&evaluate(&odd, &odd.join("run"), "ssim").output().expect("starts"));
    }
}
