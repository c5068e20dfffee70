//! `iqa compare` on versions whose difference is known.
#![allow(missing_docs, reason = "a test")]

mod programs;

use std::fs;
use std::path::Path;

use iqa_testkit::textured;
use programs::{iqa, stderr};

/// Noise that is the same for the same place: the sum of twelve uniform values less its mean, of variance 1.
fn noise(seed: u32) -> impl FnMut() -> f64 {
    let mut state = u64::from(seed) * 2 + 1;
    move || {
        let mut uniform = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f64 / f64::from(1 << 24)
        };
        (0..12).map(|_| uniform()).sum::<f64>() - 6.0
    }
}

/// Pictures with white noise of standard deviation 5 and 10, and their originals; none is near the ends of the range.
fn versions(root: &Path) {
    for folder in ["five", "ten", "ref"] {
        fs::create_dir(root.join(folder)).expect("makes it");
    }
    for number in 0..24 {
        let mut original = textured(64, 48, number);
        for value in original.iter_mut() {
            *value = 64 + *value / 2;
        }
        original.save(root.join(format!("ref/{number}.png"))).expect("saves");
        for (folder, deviation, seed) in [("five", 5.0, number), ("ten", 10.0, 100 + number)] {
            let mut noise = noise(seed);
            let mut noisy = original.clone();
            for value in noisy.iter_mut() {
                *value = (f64::from(*value) + deviation * noise()).round() as u8;
            }
            noisy.save(root.join(format!("{folder}/{number}.png"))).expect("saves");
        }
    }
}

#[test]
fn the_interval_covers_a_known_difference_and_either_order_finds_it() {
    let folder = tempfile::tempdir().expect("a folder");
    versions(folder.path());
    let run = |first: &str, second: &str| {
        let mut command = iqa("compare");
        command.current_dir(folder.path()).args([first, second, "--reference", "ref", "--json"]);
        let output = command.args(["--model", "psnr,gmsd"]).output().expect("starts");
        assert!(output.status.success(), "{}", stderr(&output));
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
        lines.collect::<Vec<_>>()
    };
    let found = run("five", "ten");
    // Rounding adds an error of variance 1/12 to both.
    let known = 10.0 * ((100.0 + 1.0 / 12.0) / (25.0 + 1.0 / 12.0f64)).log10();
    let end = |line: &serde_json::Value, place: usize| {
        line["difference"]["interval"][place].as_f64().expect("an end")
    };
    assert!(end(&found[0], 0) < known && known < end(&found[0], 1), "{known}: {}", found[0]);
    assert!(end(&found[0], 1) - end(&found[0], 0) < 0.1, "{}", found[0]);
    assert_eq!(
        (&found[0]["wins"], &found[0]["ties"], &found[0]["losses"]),
        (&24.into(), &0.into(), &0.into())
    );
    // Lower is better: the first is the better one all the same.
    assert!(found[1]["model"] == "gmsd" && end(&found[1], 0) > 0.0, "{}", found[1]);
    let back = run("ten", "five");
    assert!((end(&back[0], 0) + end(&found[0], 1)).abs() < 1e-9 && back[0]["wins"] == 0, "{}", back[0]);
    // The same pictures do not differ.
    let same = run("five", "five");
    assert_eq!((end(&same[0], 0), end(&same[0], 1), &same[0]["ties"]), (0.0, 0.0, &24.into()));
}

#[test]
fn what_has_no_partner_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    versions(folder.path());
    fs::remove_file(folder.path().join("ten/3.png")).expect("removes");
    fs::remove_file(folder.path().join("ref/4.png")).expect("removes");
    fs::remove_file(folder.path().join("five/5.png")).expect("removes");
    let mut command = iqa("compare");
    command.current_dir(folder.path()).args(["five", "ten", "--reference", "ref", "--model", "psnr"]);
    let output = command.output().expect("starts");
    assert_eq!(output.status.code(), Some(1));
    let errors = stderr(&output);
    for name in ["five/3.png", "five/4.png", "ten/5.png"] {
        assert!(errors.contains(name), "{errors}");
    }
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(text.starts_with("psnr (higher_is_better), 21 images: five is better\n"), "{text}");
}

#[test]
fn a_picture_is_the_partner_of_one_other_in_either_order() {
    let folder = tempfile::tempdir().expect("a folder");
    versions(folder.path());
    // Of this one there are two kinds in one of the folders.
    let picture = image::open(folder.path().join("five/7.png")).expect("reads");
    picture.save(folder.path().join("five/7.bmp")).expect("saves");
    for (first, second) in [("five", "ten"), ("ten", "five")] {
        let mut command = iqa("compare");
        command.current_dir(folder.path()).args([first, second, "--reference", "ref", "--model", "psnr"]);
        let output = command.output().expect("starts");
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains("five/7.bmp: ") && stderr(&output).matches("error").count() == 1);
        assert!(String::from_utf8_lossy(&output.stdout).contains("24 images"));
    }
}

#[test]
fn single_files_and_a_single_picture_are_for_another_command() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["first", "second"] {
        fs::create_dir(folder.path().join(name)).expect("makes it");
        textured(64, 48, 1).save(folder.path().join(name).join("a.png")).expect("saves");
    }
    let cases = [
        (["first", "second"], "first/a.png: one picture has no interval; `iqa score` gives both scores"),
        (["first/a.png", "second/a.png"], "first/a.png: expected a folder; `iqa score` is for single files"),
        (["first", "second/a.png"], "second/a.png: expected a folder"),
    ];
    for (folders, expected) in cases {
        let mut command = iqa("compare");
        let output = command.current_dir(folder.path()).args(folders).output().expect("starts");
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(stderr(&output).contains(expected), "{}", stderr(&output));
    }
}
