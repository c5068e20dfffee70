//! `iqa train`, as a user calls it, kills it and starts it again.
#![allow(missing_docs, reason = "a test")]

mod programs;

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use iqa_testkit::textured;
use programs::{iqa, stderr};

fn train(photographs: &Path, output: &Path, extra: &[&str]) -> std::process::Command {
    let mut command = iqa("train");
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

#[test]
fn what_makes_no_sense_is_refused_before_there_is_a_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    photographs(folder.path());
    let run = folder.path().join("run");
    let cases: [(&str, &[&str]); 5] = [
        ("--backbone", &["--backbone", "resnet50"]),
        ("--narrow", &["--narrow", "4"]),
        ("--no-flips", &["--no-flips"]),
        ("--preset", &["--preset", "paper"]),
        ("--preset", &["--preset", "fast"]),
    ];
    for (option, given) in cases {
        for branches in ["frozen_nr", "frozen_all"] {
            let mut command = iqa("train");
            command.arg("--photographs").arg(folder.path()).arg("--output").arg(&run);
            command.args(["--validation", "b", "--test", "c", "--distortions", "white_noise"]);
            command.args(["--recipe", "multibranch", "--branches", branches]).args(given);
            let told = stderr(&command.output().expect("starts"));
            let expected = format!("{option} is not for the branches frozen_all and frozen_nr");
            assert!(told.contains(&expected), "{branches}: {told}");
            assert!(!run.exists(), "{option}");
        }
    }
    let cases: [(&[&str], &str); 21] = [
        (&["--size", "0", "0"], "a crop of 0x0 has no pixels"),
        (&["--size", "64"], "--size 64: expected WIDTHxHEIGHT, as in 512x384"),
        (&["--size", "64x64", "3"], "--size 64x64,3: expected WIDTHxHEIGHT"),
        (&["--validation", "b"], "the photograph `b` is named twice"),
        (&["--distortions", "jpeg,jpeg"], "--distortions names jpeg twice"),
        (&["--leave-out", "jpeg,pixelate,jpeg"], "--leave-out names jpeg twice"),
        (&["--size", "100000", "100000"], "smaller than the crop of 100000x100000"),
        (&["--patches", "1000000000000"], "patches is 1000000000000"),
        (&["--images", "18446744073709551615"], "images is 18446744073709551615"),
        (&["--steps", "18446744073709551615"], "steps_per_epoch is 18446744073709551615"),
        (&["--learning-rate", "nan"], "learning_rate is NaN"),
        (&["--learning-rate", "1e300"], "learning_rate is 1e300, expected a number above 0 and up to 1,000"),
        (&["--recipe", "gsn", "--flips"], "--flips is for the recipe wadiqam, not for gsn"),
        (&["--recipe", "gsn", "--gsn-width", "1e9"], "above 0 and up to 16"),
        (&["--recipe", "gsn", "--gsn-width", "nan"], "above 0 and up to 16"),
        (&["--recipe", "gsn", "--gsn-width=-1"], "above 0 and up to 16"),
        (&["--recipe", "gsn", "--size", "64", "64"], "crop of 96x96"),
        (&["--recipe", "hiqa", "--channels", "1000000000000"], "generator.width is 1000000000000"),
        (&["--recipe", "hiqa", "--patch-side", "1099511627776"], "patch is 1099511627776"),
        (&["--recipe", "hiqa", "--learning-rate", "1"], "not for the recipe hiqa"),
        (&["--recipe", "hiqa", "--stride", "0"], "'0' for '--stride"),
    ];
    for (options, expected) in cases {
        let mut command = iqa("train");
        command.arg("--photographs").arg(folder.path()).arg("--output").arg(&run);
        command.args(["--validation", "b", "--test", "c", "--distortions", "white_noise"]);
        let output = command.args(options).output().expect("starts");
        assert!(!output.status.success(), "{options:?}");
        assert!(stderr(&output).contains(expected), "{options:?}: {}", stderr(&output));
        assert!(!run.exists(), "{options:?}");
    }
}

#[test]
fn an_unknown_key_of_a_source_is_named_with_those_there_are() {
    let cases = [
        ("set=csv;lst=list.csv", "unknown key `lst`: expected some of photographs, validation, test, "),
        ("set=csv;root=a;b.csv", "unknown key `b.csv`: expected some of"),
        ("set=csv;weight=much", "invalid value 'much' for '--weight <WEIGHT>': invalid float literal"),
        ("set=csv;photographs=here", "cannot be used with"),
    ];
    for (source, expected) in cases {
        let mut command = iqa("train");
        let output = command.args(["--source", source, "--output", "none"]).output().expect("starts");
        let told = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{source}: {told}");
        assert!(
            told.starts_with(&format!("error: --source {source}: ")) && told.contains(expected),
            "{told}"
        );
        assert!(told.lines().count() == 1 && !told.contains("Usage"), "{told}");
    }
}

/// Two photographs of one name, and one photograph of two: which is kept out would be chance, or the other would be learned.
#[test]
fn a_photograph_is_kept_out_whole_or_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    photographs(folder.path());
    let run = folder.path().join("run");
    let refused = || {
        let output = train(folder.path(), &run, &["--size", "64x48"]).output().expect("starts");
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(!run.exists());
        stderr(&output)
    };
    let (jpeg, other) = (folder.path().join("b.jpg"), folder.path().join("b.png"));
    let picture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/images/flowers_jpeg.jpg");
    std::fs::copy(picture, &jpeg).expect("copies");
    let expected = format!("two photographs are called `b`: {} and {}", jpeg.display(), other.display());
    let told = refused();
    assert!(told.contains(&expected), "{told}");
    std::fs::remove_file(jpeg).expect("removes");
    std::fs::hard_link(other, folder.path().join("d.png")).expect("links");
    let told = refused();
    assert!(told.contains("d.png: by another name it is in --validation or --test"), "{told}");
}

/// What one source validates and reports on, photographs and references, no other trains on.
#[test]
fn photographs_that_a_source_keeps_out_are_trained_on_by_no_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir(at("photographs")).expect("makes it");
    for (seed, name) in ["a", "b", "c", "d", "e"].into_iter().enumerate() {
        let path = at("photographs").join(name).with_extension("png");
        textured(80, 64, seed as u32).save(path).expect("saves");
    }
    let mut list = String::from("distorted,reference,score\n");
    for (number, name) in ["a", "d"].into_iter().enumerate() {
        textured(80, 64, 10 + number as u32).save(at(&format!("{name}_1.png"))).expect("saves");
        list += &format!("{name}_1.png,photographs/{name}.png,{number}\n");
    }
    std::fs::write(at("list.csv"), list).expect("writes");
    let train = |sources: [&str; 2]| {
        let mut command = iqa("train");
        command.args(["--epochs", "1", "--steps", "1", "--images", "2", "--patches", "2"]);
        command.args(["--validation-patches", "2"]).arg("--output").arg(at("run"));
        for source in sources {
            let source = source.replace("FOLDER", &folder.path().display().to_string());
            command.args(["--source", &source]);
        }
        command.output().expect("starts")
    };
    let one = "photographs=FOLDER/photographs;validation=a;test=b;distortions=jpeg;size=64x64";
    let other = "photographs=FOLDER/photographs;validation=c;test=d;distortions=white_noise;size=64,64";
    let rated = "set=csv;root=FOLDER;list=FOLDER/list.csv;range=0,2";
    let (trains, tests) = (format!("{rated};split=1,0,0"), format!("{rated};validation=photographs/d.png"));
    let (trains, tests) = (trains.as_str(), tests.as_str());
    for (sources, file) in [
        ([one, other], "c.png"),
        ([other, one], "a.png"),
        ([one, trains], "a.png"),
        ([trains, one], "a.png"),
        ([one, tests], "d.png"),
        ([tests, one], "a.png"),
    ] {
        let output = train(sources);
        let told = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{sources:?}: {told}");
        let file = at("photographs").join(file).display().to_string();
        assert!(told.contains(&format!("{file}: kept out of training in the source ")), "{told}");
        assert!(!at("run").exists());
    }
    // References are on all sides of a leaky split, of both sources alike.
    let leaky = format!("{rated};split=0.5,0.25,0.25;leaky-image-split");
    let told = stderr(&train([&leaky, &leaky]));
    assert!(!told.contains("kept out of training"), "{told}");
    let same = one.replace("jpeg", "white_noise");
    let done = train([one, &same]);
    assert!(done.status.success(), "{}", stderr(&done));
}

/// By any name that the list has it under, in any case, with `./` or without; and by two of them it is named twice.
#[test]
fn a_reference_is_kept_out_by_any_of_its_names() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    for (seed, name) in
        ["r.png", "s.png", "t.png", "1.png", "2.png", "3.png", "4.png"].into_iter().enumerate()
    {
        textured(64, 64, seed as u32).save(at(name)).expect("saves");
    }
    std::fs::hard_link(at("r.png"), at("link.png")).expect("links");
    let list = "distorted,reference,score\n1.png,r.png,1\n2.png,link.png,2\n3.png,s.png,3\n4.png,t.png,4\n";
    std::fs::write(at("list.csv"), list).expect("writes");
    let train = |validation: &str, test: &str| {
        let mut command = iqa("train");
        command.args(["--set", "csv", "--range", "1,4", "--validation", validation, "--test", test]);
        command.args(["--epochs", "1", "--steps", "1", "--images", "1", "--patches", "2"]);
        command.args(["--validation-patches", "2"]).arg("--list").arg(at("list.csv"));
        command.arg("--root").arg(folder.path()).arg("--output").arg(at("run"));
        let output = command.output().expect("starts");
        let _ = std::fs::remove_dir_all(at("run"));
        (output.status.code(), stderr(&output))
    };
    for name in ["r.png", "R.png", "link.png", "./link.png"] {
        let (code, told) = train(name, "t.png");
        assert_eq!(code, Some(0), "{told}");
        assert!(told.contains("1 images to train on, 2 to validate, 1 to test"), "{name}: {told}");
    }
    for (validation, test, expected) in [
        ("r.png,link.png", "t.png", "--validation names r.png twice"),
        ("s.png,S.png", "t.png", "--validation names s.png twice"),
        ("r.png", "link.png", "a reference is both in --validation and in --test"),
        (
            "ink.png",
            "t.png",
            "no reference of list is called `ink.png`: its references are r.png, s.png, t.png",
        ),
        ("", "t.png", "no reference of list is called ``"),
    ] {
        let (code, told) = train(validation, test);
        assert!(code == Some(2) && told.contains(expected), "{validation}: {told}");
    }
}

#[test]
fn a_list_without_references_is_split_by_shares() {
    let folder = tempfile::tempdir().expect("a folder");
    let list = folder.path().join("biq.csv");
    for name in ["x.png", "y.png"] {
        textured(64, 64, 1).save(folder.path().join(name)).expect("saves");
    }
    std::fs::write(&list, "image,score\nx.png,1\ny.png,2\n").expect("writes");
    let mut command = iqa("train");
    command.args(["--set", "csv", "--range", "1,2", "--validation", "nope"]).arg("--list").arg(list);
    command.arg("--root").arg(folder.path()).arg("--output").arg(folder.path().join("run"));
    let told = stderr(&command.output().expect("starts"));
    let expected = "biq has no references, which --validation and --test name: give --split, three shares";
    assert!(told.contains(expected), "{told}");
}

/// Pictures of a rated set of which one cannot be used: told before the first step, wherever it lies, or in the first epoch; no
/// run leaves anything then.
#[test]
fn a_picture_that_cannot_be_used_is_told_early_and_nothing_is_left() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let (mut list, mut split) =
        (String::from("distorted,reference,score\n"), String::from("reference,part\n"));
    for number in 0..9u32 {
        let part = ["train", "validation", "test"][number as usize % 3];
        textured(128, 128, number).save(at(&format!("{part}{number}.png"))).expect("saves");
        list += &format!("{part}{number}.png,{part}{number}.png,{number}\n");
        split += &format!("{part}{number}.png,{part}\n");
    }
    std::fs::write(at("list.csv"), list).expect("writes");
    std::fs::write(at("split.csv"), split).expect("writes");
    let recipes: [(&str, &[&str]); 5] = [
        ("wadiqam", &["--patches", "1", "--validation-patches", "1"]),
        ("wadiqam", &["--model", "wadiqam_nr", "--patches", "1"]),
        ("gsn", &["--gsn-width", "0.0625"]),
        ("multibranch", &["--branches", "frozen_all"]),
        ("hiqa", &["--channels", "2", "--patches-each", "1", "--rung", "map"]),
    ];
    let train = |recipe: &str, options: &[&str], steps: &str| {
        let mut command = iqa("train");
        command.args(["--recipe", recipe, "--set", "csv", "--range", "0,9", "--images", "2"]).args(options);
        if recipe == "hiqa" {
            command.args(["--baseline-steps", steps, "--steps", steps, "--regressor-steps", steps]);
            command.args(["--report-every", steps]);
        } else {
            command.args(["--epochs", "1", "--steps", steps]);
        }
        if recipe == "multibranch" {
            command.arg("--features").arg(at("kept.features"));
        }
        command.arg("--root").arg(folder.path()).arg("--list").arg(at("list.csv"));
        command.arg("--split").arg(at("split.csv")).arg("--output").arg(at("run"));
        command.output().expect("starts")
    };
    let whole = iqa_testkit::names_in(folder.path());
    let small = {
        let path = at("small.png");
        textured(20, 20, 1).save(&path).expect("saves");
        let bytes = std::fs::read(&path).expect("reads");
        std::fs::remove_file(path).expect("removes");
        bytes
    };
    for (recipe, options) in recipes {
        for name in ["test8.png", "validation7.png", "train6.png"] {
            let original = std::fs::read(at(name)).expect("reads");
            for (bytes, expected) in [(&small[..], "20x20"), (b"no picture", "not a PNG")] {
                std::fs::write(at(name), bytes).expect("writes");
                let output = train(recipe, options, "20");
                let told = stderr(&output);
                // HIQA scores no validation picture, and shows a part of small ones.
                let shown = recipe == "hiqa" && name.starts_with("validation") && expected == "20x20";
                if !shown {
                    assert_eq!(output.status.code(), Some(2), "{recipe}, {name}: {told}");
                    assert!(
                        told.contains(&format!("{name}: ")) && told.contains(expected),
                        "{recipe}: {told}"
                    );
                    // No epoch, and no step of what was looked at before the first.
                    assert!(!told.contains("epoch 1"), "{recipe}: {told}");
                }
                if shown {
                    std::fs::remove_dir_all(at("run")).expect("removes");
                }
                let mut found = iqa_testkit::names_in(folder.path());
                // What was computed of good pictures is of use to the next run.
                found.retain(|name| name != "kept.features");
                let _ = std::fs::remove_file(at("kept.features"));
                assert_eq!(found, whole, "{recipe}, {name}");
            }
            std::fs::write(at(name), original).expect("writes");
        }
    }
    // In a folder that was there, what was in it stays.
    std::fs::create_dir(at("run")).expect("makes it");
    std::fs::write(at("run/notes.md"), "mine").expect("writes");
    std::fs::write(at("train6.png"), &small).expect("writes");
    let output = train("gsn", &["--gsn-width", "0.0625"], "20");
    assert!(!output.status.success());
    assert_eq!(iqa_testkit::names_in(&at("run")), ["notes.md"]);
}

/// A run does not write over the weights that it starts from.
#[test]
fn the_weights_that_a_run_starts_from_are_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    photographs(folder.path());
    let run = folder.path().join("run");
    let output = train(folder.path(), &run, &[]).output().expect("starts");
    assert!(output.status.success(), "{}", stderr(&output));
    std::fs::remove_file(run.join("checkpoint.safetensors")).expect("removes");
    let (best, link) = (run.join("best.safetensors"), folder.path().join("start.safetensors"));
    std::fs::hard_link(&best, &link).expect("links");
    let before = std::fs::read(&best).expect("reads");
    for start in [&best, &link] {
        let start = start.display().to_string();
        let output = train(folder.path(), &run, &["--start-from", &start]).output().expect("starts");
        let told = stderr(&output);
        assert!(!output.status.success() && told.contains(": the run would write over it"), "{told}");
        assert!(std::fs::read(&best).expect("reads") == before);
    }
}

/// Lists as users have them, a split file as sets are published with, and the bundled weights as a start: after a step of
/// no length they score as they did.
#[test]
fn own_lists_are_trained_on_from_the_bundled_weights() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let mut lists = [String::from("Image;MOS\r\n"), String::from("dist,original,score\n")];
    let mut split = String::from("image,part\n");
    for number in 0..12u32 {
        let original = iqa_testkit::textured(64, 64, number / 2);
        let mut distorted = original.clone();
        for value in distorted.iter_mut() {
            *value = *value / (4 + 5 * (number as u8 % 2) + number as u8)
                * (4 + 5 * (number as u8 % 2) + number as u8);
        }
        original.save(at(&format!("o{}.png", number / 2))).expect("saves");
        distorted.save(at(&format!("d{number}.png"))).expect("saves");
        lists[0] += &format!("d{number}.png;{}\r\n", 5.0 - f64::from(number) / 3.0);
        lists[1] += &format!("d{number}.png,o{}.png,{}\n", number / 2, 5.0 - f64::from(number) / 3.0);
        split += &format!("d{number}.png,{}\n", ["training", "validation", "test"][number as usize % 3]);
    }
    std::fs::write(at("nr.csv"), &lists[0]).expect("writes");
    std::fs::write(at("fr.csv"), &lists[1]).expect("writes");
    std::fs::write(at("split.csv"), split).expect("writes");
    let split = at("split.csv").display().to_string();
    for (model, list, split) in [("wadiqam_nr", "nr.csv", &*split), ("wadiqam_fr", "fr.csv", "0.5,0.25,0.25")]
    {
        let run = at(model);
        let mut train = iqa("train");
        train
            .args(["--set", "csv", "--range", "1,5", "--split", split, "--model", model])
            .arg("--list")
            .arg(at(list));
        train.arg("--root").arg(folder.path()).args(["--start-from", "bundled", "--learning-rate", "1e-15"]);
        train
            .args(["--epochs", "1", "--steps", "1", "--images", "2", "--patches", "2", "--output"])
            .arg(&run);
        let done = train.output().expect("starts");
        assert!(done.status.success(), "{}", stderr(&done));
        assert!(run.join("report.md").exists());
        let score = |weights: &[&std::ffi::OsStr]| {
            let mut score = iqa("score");
            score.args(["--model", model, "--format", "csv"]).args(weights).arg(at("d5.png"));
            if model == "wadiqam_fr" {
                score.arg("--reference").arg(at("o2.png"));
            }
            let output = score.output().expect("starts");
            assert!(output.status.success(), "{}", stderr(&output));
            let text = String::from_utf8(output.stdout).expect("UTF-8");
            text.lines()
                .nth(1)
                .expect("a row")
                .split(',')
                .nth(3)
                .expect("a score")
                .parse::<f64>()
                .expect("a number")
        };
        let trained = run.join("last.safetensors");
        let (before, after) = (score(&[]), score(&["--weights".as_ref(), trained.as_ref()]));
        assert!((before - after).abs() < 1e-6, "{model}: {before} {after}");
    }
}

/// The frozen network comes with the program; what it says of pictures is kept in a file, from which another run, and one
/// that goes on, end with the same weights.
#[test]
fn a_perceptron_is_trained_over_the_bundled_network() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let mut list = String::from("distorted,reference,score\n");
    for number in 0..8u8 {
        let original = textured(64, 64, u32::from(number) / 4);
        let step = 8 + 12 * (number % 4);
        let mut distorted = original.clone();
        distorted.iter_mut().for_each(|value| *value = *value / step * step);
        original.save(at(&format!("o{}.png", number / 4))).expect("saves");
        distorted.save(at(&format!("d{number}.png"))).expect("saves");
        list += &format!("d{number}.png,o{}.png,{}\n", number / 4, 5 - number % 4);
    }
    std::fs::write(at("list.csv"), list).expect("writes");
    let train = |branches: &str, run: &str, features: &str, epochs: &str| {
        let mut train = iqa("train");
        train.args(["--recipe", "multibranch", "--branches", branches, "--set", "csv", "--range", "1,5"]);
        train.arg("--list").arg(at("list.csv")).arg("--root").arg(folder.path());
        train.args(["--split", "1,0,0", "--steps", "2", "--images", "8", "--epochs", epochs]);
        train.arg("--features").arg(at(features)).arg("--output").arg(at(run));
        train.output().expect("starts")
    };
    for (branches, model, reference) in
        [("frozen_nr", "multibranch_lite_nr", false), ("frozen_all", "multibranch_lite", true)]
    {
        let features = format!("{branches}.features");
        let weights = |run: &str| std::fs::read(at(run).join("last.safetensors")).expect("reads");
        let runs = ["a", "b"].map(|name| format!("{branches}_{name}"));
        for run in &runs {
            let done = train(branches, run, &features, "3");
            assert!(done.status.success(), "{}", stderr(&done));
        }
        assert!(weights(&runs[0]) == weights(&runs[1]));
        let mut score = iqa("score");
        score.args(["--format", "csv", "--model", model, "--weights"]);
        score.arg(at(&runs[0]).join("last.f16.safetensors")).arg(at("d5.png"));
        if reference {
            score.arg("--reference").arg(at("o1.png"));
        }
        let output = score.output().expect("starts");
        assert!(output.status.success(), "{}", stderr(&output));
        assert!(String::from_utf8(output.stdout).expect("UTF-8").contains(model));
    }
    // Features of another kind are not taken for these.
    let refused = train("frozen_all", "refused", "frozen_nr.features", "1");
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("frozen_nr.features: not a file of features of this network"));
}

/// GSN's table 3: all of KADID-10k to train on, here of a few images in its layout. Nothing is selected.
#[test]
fn a_split_without_validation_trains_to_its_last_weights() {
    let folder = tempfile::tempdir().expect("a folder");
    let (set, run) = (folder.path().join("kadid10k"), folder.path().join("run"));
    std::fs::create_dir_all(set.join("images")).expect("creates");
    let mut labels = String::from("dist_img,ref_img,dmos,var\n");
    for reference in 1..=2u32 {
        let original = textured(128, 128, reference);
        original.save(set.join(format!("images/I{reference:02}.png"))).expect("saves");
        for level in 1..=3u8 {
            let mut distorted = original.clone();
            for value in distorted.iter_mut() {
                *value = *value / (20 * level) * (20 * level);
            }
            let name = format!("I{reference:02}_22_{level:02}.png");
            distorted.save(set.join("images").join(&name)).expect("saves");
            labels += &format!(
                "{name},I{reference:02}.png,{:.2},0.5\n",
                4.5 - f64::from(level) - 0.1 * f64::from(reference)
            );
        }
    }
    std::fs::write(set.join("dmos.csv"), labels).expect("writes");
    let mut train = iqa("train");
    train.args([
        "--recipe",
        "gsn",
        "--set",
        "kadid10k",
        "--split",
        "gsn",
        "--lenient",
        "--gsn-width",
        "0.05",
    ]);
    train.args(["--epochs", "2", "--steps", "2", "--images", "3"]);
    let done = train.arg("--root").arg(&set).arg("--output").arg(&run).output().expect("starts");
    assert!(done.status.success(), "{}", stderr(&done));
    let told = stderr(&done);
    assert!(told.contains("no validation: the weights of the last epoch, 2, count"), "{told}");
    let files = ["last.safetensors", "last.f16.safetensors", "log.csv", "loss.svg", "report.md"];
    assert!(files.iter().all(|name| run.join(name).exists()) && !run.join("best.safetensors").exists());
    let log = losses(&run);
    assert_eq!(log.len(), 3);
    assert!(log[1..].iter().all(|row| row.ends_with(",,,,")), "{log:?}");
}
