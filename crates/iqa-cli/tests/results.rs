//! Results that are resumed, and output that cannot be written: what users stop, double and break.
#![allow(missing_docs, reason = "a test")]

mod programs;

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use iqa_models::image::{self, Rgb, RgbImage};
use iqa_testkit::textured;
use programs::{iqa, stderr};

fn picture(folder: &Path, name: impl AsRef<OsStr>, seed: u32) -> PathBuf {
    let path = folder.join(name.as_ref());
    let mut bytes = std::io::Cursor::new(Vec::new());
    textured(64, 64, seed).write_to(&mut bytes, image::ImageFormat::Png).expect("encodes");
    std::fs::write(&path, bytes.into_inner()).expect("writes");
    path
}

fn score(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Output {
    iqa("score").args(arguments).output().expect("starts")
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).expect("reads")
}

fn succeeds(output: &Output) {
    assert!(output.status.success(), "{}", stderr(output));
}

/// That a run is refused with this message, and that it changes nothing.
fn refused(arguments: &[&OsStr], message: &str, unchanged: &Path) {
    let before = read(unchanged);
    let output = score(arguments);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains(message), "{}", stderr(&output));
    assert!(read(unchanged) == before, "{} was changed", unchanged.display());
}

/// The bundled weights of `model`, every score of theirs higher by about `shift`: their last bias is.
fn shifted_weights(model: &str, shift: f32, path: &Path) {
    let bundled = format!("../iqa-heads/weights/{model}.safetensors");
    let mut bytes = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join(bundled));
    let data =
        8 + usize::try_from(u64::from_le_bytes(bytes[..8].try_into().expect("8 bytes"))).expect("small");
    let header: serde_json::Value = serde_json::from_slice(&bytes[8..data]).expect("JSON");
    let at = data + header["fc2.bias"]["data_offsets"][0].as_u64().expect("an offset") as usize;
    let bias = half::f16::from_le_bytes([bytes[at], bytes[at + 1]]).to_f32() + shift;
    bytes[at..at + 2].copy_from_slice(&half::f16::from_f32(bias).to_le_bytes());
    std::fs::write(path, bytes).expect("writes");
}

#[test]
fn scores_of_other_weights_or_another_reference_are_not_gone_on_with() {
    let folder = tempfile::tempdir().expect("a folder");
    let [a, b] = [1, 2].map(|seed| picture(folder.path(), format!("{seed}.png"), seed));
    let (weights, other) = (folder.path().join("same.safetensors"), folder.path().join("other.safetensors"));
    shifted_weights("wadiqam_nr", 0.0, &weights);
    shifted_weights("wadiqam_nr", 0.5, &other);
    for format in ["json", "csv"] {
        let output = folder.path().join(format!("scores.{format}"));
        let begin = ["--format", format, "--output"].map(OsStr::new);
        let whole = ["--model", "wadiqam_nr"].map(OsStr::new).into_iter().chain(begin);
        succeeds(&score(whole.chain([output.as_os_str(), a.as_os_str()])));
        let with = |weights: &Path| {
            let options = begin.map(OsStr::to_owned).into_iter();
            options
                .chain(
                    [output.clone(), "--weights".into(), weights.into(), a.clone(), b.clone()]
                        .map(PathBuf::into_os_string),
                )
                .collect::<Vec<_>>()
        };
        let arguments = with(&other);
        let arguments: Vec<&OsStr> = arguments.iter().map(|argument| &**argument).collect();
        refused(&arguments, "scores of another set of weights, float type, device or options", &output);
        // The same weights by another way are the same.
        let before = read(&output);
        succeeds(&score(with(&weights)));
        assert!(read(&output).starts_with(&before) && read(&output).len() > before.len());
    }

    // A file of this name, and of other content.
    let (reference, output) = (folder.path().join("reference.png"), folder.path().join("against.json"));
    std::fs::copy(&a, &reference).expect("copies");
    let arguments = [
        "--model".as_ref(),
        "psnr".as_ref(),
        "--reference".as_ref(),
        reference.as_os_str(),
        "--output".as_ref(),
        output.as_os_str(),
        b.as_os_str(),
    ];
    succeeds(&score(arguments));
    succeeds(&score(arguments));
    std::fs::copy(&b, &reference).expect("copies");
    refused(&arguments, "reference.png from when that file had other content", &output);
}

#[test]
fn parts_one_after_another_are_a_single_run_with_one_header() {
    let folder = tempfile::tempdir().expect("a folder");
    let pictures: Vec<PathBuf> =
        (0..3).map(|seed| picture(folder.path(), format!("{seed}.png"), seed)).collect();
    let part = |shard: &str| {
        let output = score(
            ["--format", "csv", "--shard", shard]
                .map(OsStr::new)
                .into_iter()
                .chain(pictures.iter().map(|path| path.as_os_str())),
        );
        succeeds(&output);
        output.stdout
    };
    let whole = part("1/1");
    assert_eq!(whole.iter().filter(|&&byte| byte == b'\n').count(), 4);
    for count in [2, 3, 5] {
        let parts: Vec<u8> = (1..=count).flat_map(|index| part(&format!("{index}/{count}"))).collect();
        assert!(parts == whole, "{count} parts: {}", String::from_utf8_lossy(&parts));
    }
    // More parts than a product of 64 bits holds: the last one has the last image.
    let last = part("18446744073709551615/18446744073709551615");
    assert!(!last.is_empty() && whole.ends_with(&last), "{}", String::from_utf8_lossy(&last));
    for shard in ["0/2", "3/2", "1/18446744073709551616", "/", "-1/2"] {
        assert_eq!(score(["--shard", shard, "x.png"]).status.code(), Some(2), "{shard}");
    }
}

#[test]
fn two_runs_do_not_write_one_output() {
    let folder = tempfile::tempdir().expect("a folder");
    let pictures: Vec<PathBuf> =
        (0..20).map(|seed| picture(folder.path(), format!("{seed}.png"), seed)).collect();
    let output = folder.path().join("scores.json");
    let run = || {
        let mut command = iqa("score");
        command.args(["--model", "wadiqam_nr", "--output"]).arg(&output).args(&pictures);
        command
    };
    for _ in 0..3 {
        let _ = std::fs::remove_file(&output);
        let start = || run().stderr(Stdio::piped()).spawn().expect("starts");
        let runs = [start(), start()].map(|run| run.wait_with_output().expect("ends"));
        assert!(runs.iter().any(|run| run.status.success()));
        for run in runs.iter().filter(|run| !run.status.success()) {
            assert!(stderr(run).contains("scores.json: another run is writing this file"), "{}", stderr(run));
        }
        let text = String::from_utf8(read(&output)).expect("text");
        let names: Vec<String> = text
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON")["path"].to_string())
            .collect();
        assert_eq!(names.len(), 20, "{text}");
        assert!(names.iter().zip(&pictures).all(|(name, path)| name.contains(&path.display().to_string())));
    }
    // One that has the file for long.
    let held = File::options().append(true).open(&output).expect("opens");
    held.lock().expect("locks");
    let refused = run().output().expect("starts");
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("another run is writing this file"), "{}", stderr(&refused));
}

#[test]
fn a_file_that_is_not_ours_stays_as_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let image = picture(folder.path(), "a.png", 1);
    let notes = folder.path().join("notes.txt");
    for content in
        ["no line break", "a line\n", "{\"path\":\"b", "{\"path\":\"b.png\"}\n", "\u{feff}path,", "\n"]
    {
        std::fs::write(&notes, content).expect("writes");
        for format in ["json", "csv"] {
            let arguments = [
                "--format".as_ref(),
                format.as_ref(),
                "--output".as_ref(),
                notes.as_os_str(),
                image.as_os_str(),
            ];
            refused(&arguments, "notes.txt, line 1: expected", &notes);
        }
    }
}

/// Names of every kind, one image twice: a run that was killed anywhere ends as one that was not.
#[cfg(unix)]
#[test]
fn names_of_every_kind_are_gone_on_with() {
    use std::os::unix::ffi::OsStrExt;

    let folder = tempfile::tempdir().expect("a folder");
    let names: [&[u8]; 6] = [
        b"plain.png",
        b"two\nlines.png",
        b"\"q\", and a comma.png",
        b"\xff\xfe.png",
        b"\xfe\xff.png",
        b"# x.png",
    ];
    let mut pictures: Vec<PathBuf> = names
        .iter()
        .zip(0..)
        .map(|(name, seed)| picture(folder.path(), OsStr::from_bytes(name), seed))
        .collect();
    pictures.insert(2, pictures[0].clone());
    pictures.push(pictures[1].clone());
    let run = |format: &str, extra: &[&str], output: &Path| {
        let mut command = iqa("score");
        command.args(["--model", "wadiqam_nr", "--format", format, "--output"]).arg(output);
        succeeds(&command.args(extra).args(&pictures).output().expect("starts"));
    };
    let (whole, killed) = (folder.path().join("whole"), folder.path().join("killed"));
    for (format, extra) in [("json", &[][..]), ("csv", &[][..]), ("csv", &["--shard", "2/2"][..])] {
        let _ = std::fs::remove_file(&whole);
        run(format, extra, &whole);
        let bytes = read(&whole);
        let cuts = (0..bytes.len()).step_by(bytes.len() / 9).chain([1, bytes.len() - 1]);
        // The first bytes of a path in a temporary folder, which are those of a first record too.
        for cut in cuts {
            std::fs::write(&killed, &bytes[..cut]).expect("writes");
            run(format, extra, &killed);
            let (found, expected) = (read(&killed), read(&whole));
            assert!(found == expected, "{format} cut at {cut}: {}", String::from_utf8_lossy(&found));
        }
        // Nothing is left to do, and nothing is done.
        run(format, extra, &whole);
        assert!(read(&whole) == bytes);
    }
}

#[test]
fn a_score_outside_its_nominal_range_is_marked_and_not_clamped() {
    let folder = tempfile::tempdir().expect("a folder");
    let image = picture(folder.path(), "a.png", 1);
    let weights = folder.path().join("shifted.safetensors");
    shifted_weights("wadiqam_nr", -3.0, &weights);
    let run = |format: &str, weights: Option<&Path>| {
        let mut command = iqa("score");
        command.args(["--model", "wadiqam_nr", "--format", format]).arg(&image);
        command.args(weights.into_iter().flat_map(|path| [OsStr::new("--weights"), path.as_os_str()]));
        let output = command.output().expect("starts");
        succeeds(&output);
        String::from_utf8(output.stdout).expect("text")
    };
    let json = |weights| serde_json::from_str::<serde_json::Value>(&run("json", weights)).expect("JSON");
    let (inside, outside) = (json(None), json(Some(&weights)));
    assert_eq!((inside["in_range"].as_bool(), outside["in_range"].as_bool()), (Some(true), Some(false)));
    assert_eq!(outside["range"], serde_json::json!([0.0, 1.0]));
    let value = |row: &serde_json::Value| row["score"].as_f64().expect("a number");
    // Half precision rounds a bias of 2 to 4 to 1/512.
    assert!((value(&inside) - 3.0 - value(&outside)).abs() < 2e-3, "{inside} {outside}");
    assert!(run("text", None).contains("(higher_is_better, 0 to 1, wadiqam_nr)"));
    let text = run("text", Some(&weights));
    assert!(
        text.contains(": -2.") && text.contains("outside the nominal range 0 to 1, wadiqam_nr"),
        "{text}"
    );
    assert!(run("csv", Some(&weights)).contains(",0,1,false,"));
}

/// Five images in the order of their ratings, and one that is not.
fn rated_set(folder: &Path) {
    let mut list = "distorted,reference,score\n".to_owned();
    picture(folder, "reference.png", 0);
    for step in 1..=6u8 {
        let mut image = textured(64, 64, 0);
        image.pixels_mut().for_each(|pixel| pixel.0 = pixel.0.map(|value| value / 8 * (8 - step)));
        image.save(folder.join(format!("{step}.png"))).expect("saves");
        list += &format!("{step}.png,reference.png,{}\n", if step == 6 { 3 } else { step });
    }
    std::fs::write(folder.join("list.csv"), list).expect("writes");
}

fn evaluate(folder: &Path, output: &Path, model: &str) -> Command {
    let mut command = iqa("evaluate");
    command.args(["--set", "csv", "--range", "1,6", "--resamples", "20", "--model", model]);
    command.arg("--root").arg(folder).arg("--list").arg(folder.join("list.csv")).arg("--output").arg(output);
    command
}

/// Standard output whose reader has gone, as that of `head` has.
fn with_closed_output(mut command: Command) -> Output {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    command.stdout(writer).stderr(Stdio::piped()).spawn().expect("starts").wait_with_output().expect("ends")
}

#[test]
fn a_closed_standard_output_ends_no_work() {
    let folder = tempfile::tempdir().expect("a folder");
    rated_set(folder.path());
    let run = folder.path().join("run");
    let output = with_closed_output(evaluate(folder.path(), &run, "ssim"));
    succeeds(&output);
    assert!(run.join("report.md").exists() && run.join("scatter.svg").exists());

    let photographs = folder.path().join("photographs");
    std::fs::create_dir(&photographs).expect("makes it");
    textured(48, 32, 1).save(photographs.join("a.png")).expect("saves");
    let mut command = iqa("synthesize");
    command
        .arg("--photographs")
        .arg(&photographs)
        .args(["--crop", "32x24", "--output"])
        .arg(folder.path().join("set"));
    succeeds(&with_closed_output(command));
    assert!(folder.path().join("set/labels.csv").exists());

    let map = folder.path().join("map.png");
    let mut command = iqa("score");
    command.args(["--model", "wadiqam_nr", "--heatmap"]).arg(&map).arg(folder.path().join("1.png"));
    succeeds(&with_closed_output(command));
    assert!(map.exists());
    for arguments in [&["list"][..], &["markdown"]] {
        let mut command = iqa("reproduce");
        command.args(arguments);
        let output = with_closed_output(command);
        succeeds(&output);
        assert_eq!(stderr(&output), "");
    }
}

/// Everything but results and errors is left out: summaries, counts, warnings.
#[test]
fn quiet_leaves_results_and_errors_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    rated_set(folder.path());
    let at = |name: &str| folder.path().join(name);
    // Without a range, of which a warning says what it is taken for.
    let evaluate = |run: &str, quiet: &[&str]| {
        let mut command = iqa("evaluate");
        command.args(["--set", "csv", "--resamples", "20", "--model", "ssim"]).args(quiet);
        command.arg("--root").arg(folder.path()).arg("--list").arg(at("list.csv"));
        let output = command.arg("--output").arg(at(run)).output().expect("starts");
        succeeds(&output);
        (String::from_utf8(output.stdout.clone()).expect("text"), stderr(&output))
    };
    let (result, errors) = evaluate("quiet", &["--quiet"]);
    assert_eq!((result.trim_end(), errors.as_str()), (&*report_of(&at("quiet")), ""));
    let (result, told) = evaluate("usual", &[]);
    assert_eq!(result.trim_end(), report_of(&at("usual")));
    assert!(told.contains("6 images scored in ") && told.contains("without --range"), "{told}");

    let train = |run: &str, quiet: &[&str]| {
        let mut command = iqa("train");
        command.args(["--set", "csv", "--split", "0.5,0.25,0.25", "--leaky-image-split"]).args(quiet);
        command.args(["--epochs", "1", "--steps", "1", "--images", "1", "--patches", "1"]);
        command.arg("--root").arg(folder.path()).arg("--list").arg(at("list.csv"));
        let output = command.arg("--output").arg(at(run)).output().expect("starts");
        succeeds(&output);
        (String::from_utf8(output.stdout.clone()).expect("text"), stderr(&output))
    };
    let (result, errors) = train("quiet_run", &["-q"]);
    assert_eq!((result.trim_end(), errors.as_str()), (&*report_of(&at("quiet_run")), ""));
    let (result, told) = train("usual_run", &[]);
    assert_eq!(result.trim_end(), report_of(&at("usual_run")));
    for part in ["images to train on", "best epoch", "LEAKY", "without --range"] {
        assert!(told.contains(part), "{told}");
    }

    let picture = at("1.png").display().to_string();
    let output = score(["-q", "--model", "psnr", "--reference", &picture, &picture, "none.png"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(output.stdout.iter().filter(|&&byte| byte == b'\n').count(), 1);
    let errors = stderr(&output);
    assert!(errors.starts_with("error: none.png") && errors.lines().count() == 1, "{errors}");
    let output =
        iqa("report").args(["-q", &picture, "--output"]).arg(at("page.html")).output().expect("starts");
    succeeds(&output);
    assert!(output.stdout.is_empty() && output.stderr.is_empty(), "{}", stderr(&output));
}

fn report_of(run: &Path) -> String {
    std::fs::read_to_string(run.join("report.md")).expect("reads").trim_end().to_owned()
}

/// Whatever the form, the link stays and what it leads to is written, there before or not.
#[cfg(unix)]
#[test]
fn an_output_behind_a_link_is_written_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let image = picture(folder.path(), "a.png", 1);
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir(at("elsewhere")).expect("makes it");
    for name in ["scores.csv", "scores.json", "scores.parquet", "map.png", "page.html"] {
        let (link, target) = (at(name), at("elsewhere").join(name));
        std::os::unix::fs::symlink(&target, &link).expect("links");
        let mut command = iqa(if name == "page.html" { "report" } else { "score" });
        command.args(["--model", "wadiqam_nr"]).arg(&image);
        command.arg(if name == "map.png" { "--heatmap" } else { "--output" }).arg(&link);
        succeeds(&command.output().expect("starts"));
        assert!(link.is_symlink() && target.is_file(), "{name}");
    }
    assert!(image::open(at("elsewhere/map.png")).is_ok());
    assert_eq!(iqa_testkit::names_in(&at("elsewhere")).len(), 5);
}

#[test]
fn a_training_whose_output_nobody_reads_writes_its_report() {
    let folder = tempfile::tempdir().expect("a folder");
    for (seed, name) in ["a", "b", "c"].into_iter().enumerate() {
        textured(512, 384, seed as u32).save(folder.path().join(name).with_extension("png")).expect("saves");
    }
    let mut command = iqa("train");
    command.arg("--photographs").arg(folder.path()).args(["--validation", "b", "--test", "c"]);
    command.args(["--distortions", "white_noise", "--epochs", "1", "--steps", "1", "--images", "1"]);
    command.args(["--patches", "1", "--output"]).arg(folder.path().join("run"));
    succeeds(&with_closed_output(command));
    assert!(folder.path().join("run/report.md").exists());
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_standard_output_is_an_error_and_no_panic() {
    let folder = tempfile::tempdir().expect("a folder");
    rated_set(folder.path());
    let run = folder.path().join("run");
    let mut list = iqa("reproduce");
    list.arg("list");
    let mut one = iqa("score");
    one.args(["--model", "wadiqam_nr"]).arg(folder.path().join("1.png"));
    let mut set = evaluate(folder.path(), &run, "ssim");
    // Its summary is no error.
    set.arg("--quiet");
    for mut command in [set, list, one] {
        let full = File::options().write(true).open("/dev/full").expect("opens");
        let output = command.stdout(full).output().expect("starts");
        let errors = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{errors}");
        assert_eq!(errors, "error: standard output: No space left on device (os error 28)\n");
    }
    assert!(run.join("report.md").exists());
    // Standard error too, where an error is told.
    let full = File::options().write(true).open("/dev/full").expect("opens");
    let mut command = iqa("score");
    assert_eq!(command.arg("none.png").stderr(full).status().expect("starts").code(), Some(1));
}

#[cfg(target_os = "linux")]
#[test]
fn output_to_a_device_or_a_pipe_is_written_as_it_comes() {
    let folder = tempfile::tempdir().expect("a folder");
    let image = picture(folder.path(), "a.png", 1);
    let to = |path: &str| {
        let arguments = ["--output", path].map(OsStr::new).into_iter().chain([image.as_os_str()]);
        score(arguments)
    };
    let output = to("/dev/stdout");
    succeeds(&output);
    assert_eq!(output.stdout.iter().filter(|&&byte| byte == b'\n').count(), 1);
    let output = to("/dev/full");
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("/dev/full: No space left on device"), "{}", stderr(&output));
    let output = to(&folder.path().display().to_string());
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("Is a directory"), "{}", stderr(&output));
}

#[test]
fn two_evaluations_at_once_are_one() {
    let folder = tempfile::tempdir().expect("a folder");
    rated_set(folder.path());
    for round in 0..5 {
        let run = folder.path().join(format!("run{round}"));
        let start = || {
            evaluate(folder.path(), &run, "wadiqam_fr")
                .stderr(Stdio::piped())
                .stdout(Stdio::null())
                .spawn()
                .expect("starts")
        };
        let runs = [start(), start()].map(|run| run.wait_with_output().expect("ends"));
        assert!(runs.iter().any(|run| run.status.success()));
        for run in runs.iter().filter(|run| !run.status.success()) {
            assert!(stderr(run).contains("another run is writing into this folder"), "{}", stderr(run));
        }
        let text = String::from_utf8(read(&run.join("scores.csv"))).expect("text");
        assert_eq!(text.lines().count(), 2 + 6, "{text}");
    }
}

#[test]
fn options_without_sense_are_refused_before_the_work() {
    let folder = tempfile::tempdir().expect("a folder");
    rated_set(folder.path());
    let run = folder.path().join("run");
    for (model, option, value, message) in [
        ("ssim", "--patches", "32", "`ssim` has no option `patches`"),
        ("wadiqam_fr", "--patches", "0", "expected a whole number from 1 to 65536"),
        ("wadiqam_fr", "--patches", "18446744073709551615", "expected a whole number from 1 to 65536"),
        ("ssim", "--resamples", "0", "expected a whole number from 1 to 1000000"),
        ("ssim", "--resamples", "18446744073709551615", "expected a whole number from 1 to 1000000"),
    ] {
        let output = evaluate(folder.path(), &run, model).args([option, value]).output().expect("starts");
        // Given twice, --resamples is refused for that alone.
        let output = if option == "--resamples" {
            let mut command = iqa("evaluate");
            command.args(["--set", "csv", "--range", "1,6", "--model", model, option, value]);
            command.arg("--root").arg(folder.path()).arg("--list").arg(folder.path().join("list.csv"));
            command.arg("--output").arg(&run).output().expect("starts")
        } else {
            output
        };
        assert!(!output.status.success() && stderr(&output).contains(message), "{}", stderr(&output));
    }
    assert!(!run.exists());

    // Options that would change nothing.
    let picture = folder.path().join("1.png").display().to_string();
    let pair = ["--reference", &picture, &picture];
    for (options, message) in [
        (&["--model", "psnr", "--float", "f16"][..], "--float is for networks: `psnr` is a formula"),
        (
            &["--model", "ssim,psnr", "--float", "bf16"],
            "--float is for networks: `ssim` and the others are formulas",
        ),
        (&["--model", "ssim,psnr", "--patches", "4"], "--patches: none of these models looks at patches"),
        (&["--model", "psnr", "--seed", "4"], "--seed is for --patches"),
    ] {
        let output = score(options.iter().chain(&pair));
        assert_eq!(output.status.code(), Some(2), "{options:?}");
        assert!(stderr(&output).contains(message), "{}", stderr(&output));
    }
    // Some model's scores are others by them.
    for options in [["--float", "bf16"], ["--patches", "1"]] {
        let output = score(["--model", "psnr,wadiqam_fr"].iter().chain(&options).chain(&pair));
        assert!(!stderr(&output).contains(options[0]), "{}", stderr(&output));
    }
    let resize = ["--resize-reference", "bicubic"];
    let message = "--resize-reference is for models with a reference: `wadiqam_nr` takes none";
    let root = folder.path().display().to_string();
    for (command, images) in [("score", vec![&*picture]), ("compare", vec![&*root, &*root])] {
        let mut command = iqa(command);
        let output =
            command.args(images).args(["--model", "wadiqam_nr"]).args(resize).output().expect("starts");
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains(message), "{}", stderr(&output));
    }

    let pictures = ["a/x.png", "b/x.jpg"];
    let mut command = iqa("hallucinate");
    command.args(pictures).args(["--weights", "none.safetensors", "--output"]).arg(&run);
    let output = command.output().expect("starts");
    let expected = "a/x.png and b/x.jpg would both be drawn as x.map.png";
    assert!(!output.status.success() && stderr(&output).contains(expected), "{}", stderr(&output));
    let mut command = iqa("hallucinate");
    command.args(["x.png", "--stride", "0", "--weights", "none.safetensors"]);
    assert!(stderr(&command.output().expect("starts")).contains("expected a whole number from 1"));
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    rated_set(folder.path());
    let output = folder.path().join("list.csv/run");
    let mut synthesize = iqa("synthesize");
    synthesize.args(["--crop", "32x24", "--photographs"]).arg(folder.path()).arg("--output").arg(&output);
    let mut sheets = iqa("synthesize");
    sheets.arg("--photographs").arg(folder.path()).arg("--contact-sheets").arg(&output);
    for mut command in [evaluate(folder.path(), &output, "ssim"), synthesize, sheets] {
        let done = command.output().expect("starts");
        assert!(!done.status.success());
        assert!(stderr(&done).contains("list.csv/run: "), "{}", stderr(&done));
    }
    // A crop that is too large is told of before the folder is claimed for it.
    let mut large = iqa("synthesize");
    large.arg("--photographs").arg(folder.path()).arg("--output").arg(folder.path().join("set"));
    let done = large.output().expect("starts");
    assert!(
        !done.status.success() && stderr(&done).contains("smaller than the crop of 512x384"),
        "{}",
        stderr(&done)
    );
    assert!(!folder.path().join("set").exists());
    let empty = folder.path().join("empty");
    std::fs::create_dir(&empty).expect("makes it");
    let mut command = iqa("synthesize");
    command.arg("--photographs").arg(&empty).arg("--output").arg(folder.path().join("set"));
    let done = command.output().expect("starts");
    assert!(!done.status.success() && stderr(&done).contains("empty: no PNG"), "{}", stderr(&done));
    std::fs::write(folder.path().join("list.csv"), "distorted,reference,score\n").expect("writes");
    let done = evaluate(folder.path(), &folder.path().join("run"), "ssim").output().expect("starts");
    assert!(!done.status.success() && stderr(&done).contains("list.csv"), "{}", stderr(&done));
}

#[cfg(unix)]
#[test]
fn a_set_begun_by_killed_runs_is_whole_and_has_no_temporary_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let photographs = folder.path().join("photographs");
    std::fs::create_dir(&photographs).expect("makes it");
    for seed in 0..2 {
        let picture =
            RgbImage::from_fn(200, 160, |x, y| Rgb([(x * 3) as u8, (y * 5 + seed) as u8, (x ^ y) as u8]));
        picture.save(photographs.join(format!("{seed}.png"))).expect("saves");
    }
    let synthesize = |output: &Path| {
        let mut command = iqa("synthesize");
        command.arg("--photographs").arg(&photographs).args(["--crop", "160x120", "--output"]).arg(output);
        command
    };
    let (whole, killed) = (folder.path().join("whole"), folder.path().join("killed"));
    succeeds(&synthesize(&whole).output().expect("starts"));
    for milliseconds in [15, 40, 80, 120, 200] {
        let mut child =
            synthesize(&killed).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("starts");
        std::thread::sleep(std::time::Duration::from_millis(milliseconds));
        child.kill().expect("SIGKILL");
        child.wait().expect("ends");
    }
    // As a run leaves it that is killed while it writes an image.
    std::fs::create_dir_all(killed.join("images")).expect("makes it");
    std::fs::write(killed.join("images/.tmp-iqa-abcdef"), "part of an image").expect("writes");
    succeeds(&synthesize(&killed).output().expect("starts"));
    let files = |set: &Path| {
        let mut files: Vec<(PathBuf, Vec<u8>)> = Vec::new();
        for folder in [set.to_owned(), set.join("images")] {
            for entry in
                std::fs::read_dir(folder).expect("lists").flatten().filter(|entry| entry.path().is_file())
            {
                files.push((entry.path().strip_prefix(set).expect("below").to_owned(), read(&entry.path())));
            }
        }
        files.sort();
        files
    };
    let (found, expected) = (files(&killed), files(&whole));
    let names = |files: &[(PathBuf, Vec<u8>)]| files.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&found), names(&expected));
    assert!(found == expected);
}
