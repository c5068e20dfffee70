//! Every option of `train` in the folder of an earlier run: it is refused by name of what differs, or changes nothing that
//! the run has learned.
#![allow(missing_docs, reason = "a test")]

mod programs;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output};

use iqa_testkit::textured;
use programs::{iqa, stderr};

/// What a changed option does to a run that goes on.
enum Effect {
    /// Refused, with this in the message.
    Refused(&'static str),
    /// The run goes on: only its report or its work may be another.
    Harmless,
    /// Not tried, for a reason.
    Untried(&'static str),
}

use Effect::{Harmless, Refused, Untried};

/// An option, the run that it is changed in, and its values; `FOLDER` is the folder of the test. An option of the run is
/// replaced. Options after the first go with it.
type Case = (&'static str, &'static str, &'static [&'static [&'static str]], Effect);

const CASES: &[Case] = &[
    (
        "recipe",
        "wadiqam",
        &[&["recipe", "gsn"], &["patches"], &["validation-patches"]],
        Refused("not a checkpoint of this recipe"),
    ),
    ("output", "wadiqam", &[], Untried("the folder itself")),
    ("device", "wadiqam", &[], Untried("where it computes: this build has one")),
    ("photographs", "wadiqam", &[&["photographs", "FOLDER/others"]], Refused("other training photographs")),
    ("photographs", "wadiqam", &[&["photographs", "FOLDER/copies"]], Harmless),
    (
        "validation",
        "wadiqam",
        &[&["validation", "c"], &["test", "b"]],
        Refused("other validation photographs"),
    ),
    ("test", "wadiqam", &[&["test", "a"]], Refused("other training photographs")),
    ("distortions", "wadiqam", &[&["distortions", "gaussian_blur"]], Refused("other training distortions")),
    ("leave-out", "wadiqam", &[&["leave-out", "gaussian_blur"]], Harmless),
    (
        "leave-out",
        "wadiqam",
        &[&["distortions", "white_noise,jpeg"], &["leave-out", "white_noise"]],
        Refused("other training distortions"),
    ),
    ("size", "wadiqam", &[&["size", "128", "96"]], Refused("other training sizes")),
    ("size", "wadiqam", &[&["size", "96x96"]], Harmless),
    ("size", "wadiqam", &[&["size", "96,96"]], Harmless),
    ("grid", "wadiqam", &[&["grid"]], Refused("other training levels")),
    (
        "source",
        "sources",
        &[&[
            "source",
            "set=csv;list=FOLDER/list.csv;root=FOLDER/set;range=0,10;split=0.6,0.2,0.2",
            "set=csv;list=FOLDER/list.csv;root=FOLDER/set;range=0,10;split=0.6,0.2,0.2;weight=2",
        ]],
        Refused("other training weights of sources"),
    ),
    (
        "source",
        "sources",
        &[&[
            "source",
            "set=csv;list=FOLDER/list.csv;root=FOLDER/set;range=0,10;split=0.6,0.2,0.2",
            "set=csv;list=FOLDER/list.csv;root=FOLDER/set;range=0,20;split=0.6,0.2,0.2",
        ]],
        Refused("other training labels of source 2"),
    ),
    (
        "source",
        "sources",
        &[&[
            "source",
            "set=csv;list=FOLDER/list.csv;root=FOLDER/set;range=0,10;split=0.6,0.2,0.2",
            "set=csv;list=FOLDER/list.csv;root=FOLDER/set;range=0,10;split=1,0,0;name=whole",
        ]],
        Refused("kept out of training in the source list and trained on in whole"),
    ),
    ("source", "sources", &[&["split", "0.8,0.1,0.1"]], Refused("cannot be used with")),
    ("size", "set", &[&["size", "64", "48"]], Refused("cannot be used with")),
    ("distortions", "set", &[&["distortions", "jpeg"]], Refused("cannot be used with")),
    ("leave-out", "set", &[&["leave-out", "jpeg"]], Refused("cannot be used with")),
    ("grid", "set", &[&["grid"]], Refused("cannot be used with")),
    ("validation", "set", &[&["validation", "r0.png"]], Refused("cannot be used with")),
    ("split", "wadiqam", &[&["split", "0.8,0.1,0.1"]], Refused("cannot be used with")),
    ("range", "wadiqam", &[&["range", "0,1"]], Refused("--range is for --set, not for --photographs")),
    ("better", "wadiqam", &[&["better", "lower"]], Refused("--better is for --set, not for --photographs")),
    ("test", "wadiqam", &[&["test", "b"]], Refused("b is both in --validation and in --test")),
    (
        "fusion",
        "wadiqam",
        &[&["fusion", "concat"], &["model", "wadiqam_nr"]],
        Refused("--fusion is for a model with"),
    ),
    ("set", "set", &[], Untried("the published sets are not here; images and labels count")),
    ("root", "set", &[&["root", "FOLDER/other_set"]], Refused("other training images")),
    ("root", "set", &[&["root", "FOLDER/same_set"]], Harmless),
    ("list", "set", &[&["list", "FOLDER/other_list.csv"]], Refused("other training labels")),
    ("name", "set", &[&["name", "another"]], Harmless),
    ("range", "set", &[&["range", "0,20"]], Refused("other training labels")),
    ("better", "set", &[&["better", "lower"]], Refused("other training labels")),
    ("lenient", "set", &[&["lenient"]], Harmless),
    ("split", "set", &[&["split", "FOLDER/other_split.csv"]], Refused("other training images")),
    ("leaky-image-split", "set", &[&["leaky-image-split"]], Refused("is a split of its own")),
    (
        "leaky-image-split",
        "set",
        &[&["leaky-image-split"], &["split", "0.6,0.2,0.2"]],
        Refused("other training images"),
    ),
    ("cache", "set", &[&["cache", "0"]], Harmless),
    ("cache", "wadiqam", &[&["cache", "0"]], Harmless),
    ("cache", "sources", &[&["cache", "0"]], Refused("cannot be used with")),
    ("preset", "wadiqam", &[&["preset", "paper"]], Refused("another recipe (")),
    ("epochs", "wadiqam", &[&["epochs", "2"]], Refused("another recipe (epochs differs)")),
    ("steps", "wadiqam", &[&["steps", "2"]], Refused("another recipe (steps_per_epoch differs)")),
    ("images", "wadiqam", &[&["images", "3"]], Refused("another recipe (images differs)")),
    (
        "learning-rate",
        "wadiqam",
        &[&["learning-rate", "1e-5"]],
        Refused("another recipe (learning_rate differs)"),
    ),
    ("seed", "wadiqam", &[&["seed", "2"]], Refused("another recipe (seed differs)")),
    ("model", "wadiqam", &[&["model", "diqam_nr"]], Refused("another recipe (model differs)")),
    ("patches", "wadiqam", &[&["patches", "3"]], Refused("another recipe (patches differs)")),
    (
        "start-from",
        "wadiqam",
        &[&["start-from", "FOLDER/set_run/best.safetensors"]],
        Refused("another recipe (start_from differs)"),
    ),
    ("dropout", "wadiqam", &[&["dropout", "0.125"]], Refused("another recipe (model differs)")),
    ("scales", "wadiqam", &[&["scales", "2"]], Refused("another recipe (model differs)")),
    ("blocks", "wadiqam", &[&["blocks", "8/8/8/8/8"]], Refused("another recipe (model differs)")),
    ("hidden", "wadiqam", &[&["hidden", "8"]], Refused("another recipe (model differs)")),
    ("correlation", "wadiqam", &[&["correlation", "0.5"]], Refused("another recipe (correlation differs)")),
    ("watch-test", "wadiqam", &[&["watch-test"]], Harmless),
    ("flips", "wadiqam", &[&["flips"]], Harmless),
    ("flips", "set", &[&["flips"]], Refused("other training flips and crops")),
    (
        "validation-patches",
        "wadiqam",
        &[&["validation-patches", "3"]],
        Refused("another recipe (validation_patches differs)"),
    ),
    ("fusion", "wadiqam", &[&["fusion", "concat"]], Refused("another recipe (model differs)")),
    (
        "gsn-width",
        "wadiqam",
        &[&["gsn-width", "0.5"]],
        Refused("--gsn-width is for the recipe gsn, not for wadiqam"),
    ),
    ("gsn-width", "gsn", &[&["gsn-width", "0.125"]], Refused("another recipe (model differs)")),
    ("gsn-ablation", "gsn", &[&["gsn-ablation", "cdc_mse"]], Refused("another recipe (loss differs)")),
    ("gsn-loss", "gsn", &[&["gsn-loss", "mae"]], Refused("another recipe (loss differs)")),
    ("gsn-order", "gsn", &[&["gsn-order", "3"]], Refused("another recipe (loss differs)")),
    ("gsn-order", "gsn", &[&["gsn-order", "2"]], Harmless),
    ("gsn-order", "gsn", &[&["gsn-order", "9"]], Refused("expected a number from 1 to 8")),
    (
        "gsn-order",
        "gsn",
        &[&["gsn-order", "3"], &["gsn-loss", "mae"]],
        Refused("--gsn-order is for the pair loss"),
    ),
    (
        "start-from",
        "gsn",
        &[&["start-from", "bundled"]],
        Refused("--start-from bundled is for the recipe wadiqam"),
    ),
    ("gsn-fusion", "gsn", &[&["gsn-fusion", "4"]], Refused("another recipe (model differs)")),
    ("gsn-crop", "gsn", &[&["gsn-crop", "32"]], Refused("another recipe (model differs)")),
    ("gsn-flat", "gsn", &[&["gsn-flat", "0.5"]], Refused("another recipe (schedule differs)")),
    (
        "start-from",
        "gsn",
        &[&["start-from", "FOLDER/gsn_run/last.safetensors"]],
        Refused("another recipe (start_from differs)"),
    ),
    (
        "start-from",
        "multibranch",
        &[&["start-from", "FOLDER/multibranch_run/best.safetensors"]],
        Refused("--start-from is not for the recipe multibranch"),
    ),
    (
        "start-from",
        "hiqa",
        &[&["start-from", "FOLDER/hiqa_run/hiqa.safetensors"]],
        Refused("another recipe (start_from differs)"),
    ),
    ("backbone", "multibranch", &[&["backbone", "vgg19"]], Refused("another recipe (")),
    ("branches", "multibranch", &[&["branches", "frp_frnp"]], Refused("another recipe (model differs)")),
    (
        "frp",
        "multibranch",
        &[&["frp", "FOLDER/multibranch_run/best.safetensors"]],
        Refused("another recipe (frozen_weights differs)"),
    ),
    ("features", "multibranch", &[&["features", "FOLDER/kept.features"]], Harmless),
    ("narrow", "multibranch", &[&["narrow", "16"]], Refused("another recipe (model differs)")),
    ("no-flips", "multibranch", &[&["no-flips"]], Refused("other training flips and crops")),
    ("table", "multibranch", &[], Untried("each of its runs has a folder of its own")),
    ("seeds", "multibranch", &[], Untried("each of a table's runs has a folder of its own")),
    ("seeds", "multibranch", &[&["seeds", "1"]], Refused("--table <TABLE>")),
    ("rung", "hiqa", &[&["rung", "map"]], Refused("another recipe (rung differs)")),
    ("practical", "hiqa", &[&["practical"]], Refused("--practical is for --preset paper")),
    ("printed", "hiqa", &[&["printed"]], Refused("--printed is for --preset paper")),
    ("no-vgg", "hiqa", &[&["no-vgg"]], Refused("--no-vgg is for --preset paper")),
    ("rotation", "hiqa", &[&["rotation", "2"]], Refused("another recipe (rotation differs)")),
    ("channels", "hiqa", &[&["channels", "4"]], Refused("another recipe (")),
    ("patch-side", "hiqa", &[&["patch-side", "128"]], Refused("another recipe (patch differs)")),
    ("patches-each", "hiqa", &[&["patches-each", "2"]], Refused("another recipe (patches differs)")),
    (
        "baseline-steps",
        "hiqa",
        &[&["baseline-steps", "2"]],
        Refused("another recipe (baseline_steps differs)"),
    ),
    (
        "regressor-steps",
        "hiqa",
        &[&["regressor-steps", "2"]],
        Refused("another recipe (regressor_steps differs)"),
    ),
    ("report-every", "hiqa", &[&["report-every", "2"]], Refused("another recipe (report_every differs)")),
    ("plug-in", "hiqa", &[&["plug-in", "FOLDER/hiqa_run/hiqa.safetensors"]], Refused("another recipe (")),
    (
        "oracle",
        "hiqa",
        &[&["oracle"], &["plug-in", "FOLDER/hiqa_run/hiqa.safetensors"]],
        Refused("another recipe ("),
    ),
    ("vgg19", "hiqa", &[&["vgg19", "FOLDER/none.safetensors"]], Refused("none.safetensors")),
    ("vgg16", "hiqa", &[&["vgg16", "FOLDER/none.safetensors"]], Refused("none.safetensors")),
    ("vgg-layers", "hiqa", &[&["vgg-layers", "3"]], Refused("--vgg-layers is for --vgg19 or --vgg16")),
    ("stride", "hiqa", &[&["stride", "32"]], Harmless),
];

const SOURCE: &str = "set=csv;list=FOLDER/list.csv;root=FOLDER/set;range=0,10;split=0.6,0.2,0.2";
const PHOTOGRAPHS: &[&[&str]] = &[
    &["photographs", "FOLDER/photographs"],
    &["validation", "b"],
    &["test", "c"],
    &["distortions", "white_noise"],
    &["size", "96", "96"],
    &["images", "2"],
];
const SHORT: &[&[&str]] = &[&["epochs", "1"], &["steps", "1"]];
const PATCHES: &[&[&str]] = &[&["patches", "2"], &["validation-patches", "2"]];

/// The options of a run.
fn options(run: &str) -> Vec<Vec<String>> {
    let set = &[
        &["set", "csv"][..],
        &["root", "FOLDER/set"],
        &["list", "FOLDER/list.csv"],
        &["range", "0,10"],
        &["split", "FOLDER/split.csv"],
        &["images", "2"],
    ];
    let sources: &[&[&str]] = &[&["source", SOURCE, SOURCE], &["images", "2"]];
    let parts: Vec<&[&[&str]]> = match run {
        "wadiqam" => vec![PHOTOGRAPHS, SHORT, PATCHES],
        "set" => vec![set, SHORT, PATCHES],
        "sources" => vec![sources, SHORT, PATCHES],
        "gsn" => vec![PHOTOGRAPHS, SHORT, &[&["recipe", "gsn"], &["gsn-width", "0.0625"]]],
        "multibranch" => {
            vec![PHOTOGRAPHS, SHORT, &[&["recipe", "multibranch"], &["preset", "small"], &["grid"]]]
        }
        "hiqa" => vec![
            PHOTOGRAPHS,
            &[
                &["recipe", "hiqa"],
                &["channels", "2"],
                &["patches-each", "1"],
                &["baseline-steps", "1"],
                &["steps", "1"],
                &["regressor-steps", "1"],
                &["report-every", "1"],
                &["stride", "64"],
            ],
        ],
        _ => unreachable!("no such run"),
    };
    parts.concat().iter().map(|option| option.iter().map(|&word| word.to_owned()).collect()).collect()
}

/// A run, with some options in place of its own; one without a value after it in both is left out.
fn train(folder: &Path, run: &str, changed: &[&[&str]]) -> Output {
    let mut all = options(run);
    for option in changed {
        let flags = [
            "grid",
            "lenient",
            "flips",
            "leaky-image-split",
            "no-flips",
            "practical",
            "oracle",
            "printed",
            "no-vgg",
            "watch-test",
        ];
        all.retain(|own| own[0] != option[0]);
        if option.len() > 1 || flags.contains(&option[0]) {
            all.push(option.iter().map(|&word| word.to_owned()).collect());
        }
    }
    let mut command: Command = iqa("train");
    command.arg("--output").arg(folder.join(format!("{run}_run")));
    for option in all {
        let values = option[1..].iter().map(|value| value.replace("FOLDER", &folder.display().to_string()));
        match option[0].as_str() {
            "source" => values.for_each(|value| {
                command.args(["--source", &value]);
            }),
            name => {
                command.arg(format!("--{name}")).args(values);
            }
        }
    }
    command.output().expect("starts")
}

fn data(folder: &Path) {
    for (name, first) in [("photographs", 0), ("copies", 0), ("others", 10)] {
        std::fs::create_dir(folder.join(name)).expect("makes it");
        for (seed, photograph) in (first..).zip(["a", "b", "c"]) {
            let path = folder.join(name).join(photograph).with_extension("png");
            textured(160, 120, seed).save(path).expect("saves");
        }
    }
    for (name, first) in [("set", 0), ("same_set", 0), ("other_set", 40)] {
        std::fs::create_dir(folder.join(name)).expect("makes it");
        for index in 0..15 {
            let path = |letter: char| folder.join(name).join(format!("{letter}{index}.png"));
            textured(64, 48, first + index).save(path('d')).expect("saves");
            textured(64, 48, first + 20 + index / 3).save(path('r')).expect("saves");
        }
    }
    let list = |shift: u32| {
        let rows = (0..15).map(|index| format!("d{index}.png,r{}.png,{}\n", index / 3, (index + shift) % 11));
        format!("distorted,reference,score\n{}", rows.collect::<String>())
    };
    let split = |shift: u32| {
        let part =
            |index: u32| ["train", "train", "train", "validation", "test"][((index + shift) % 5) as usize];
        let rows = (0..5).map(|index| format!("{},r{index}.png\n", part(index)));
        format!("part,reference\n{}", rows.collect::<String>())
    };
    for (name, text) in
        [("list", list(0)), ("other_list", list(1)), ("split", split(0)), ("other_split", split(1))]
    {
        std::fs::write(folder.join(name).with_extension("csv"), text).expect("writes");
    }
}

/// The files of a run that hold what it has learned.
fn learned(folder: &Path, run: &str) -> Vec<Vec<u8>> {
    let names = match run {
        "hiqa" => ["checkpoint.safetensors", "hiqa.safetensors", "log.csv"],
        _ => ["checkpoint.safetensors", "last.safetensors", "log.csv"],
    };
    let read = |name| std::fs::read(folder.join(format!("{run}_run")).join(name)).expect("reads");
    names.map(read).into()
}

fn go_through(runs: &[&str]) {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    data(folder);
    for &run in runs {
        let output = train(folder, run, &[]);
        assert!(output.status.success(), "{run}: {}", stderr(&output));
    }
    for &run in runs {
        let before = learned(folder, run);
        for (option, _, changed, effect) in CASES.iter().filter(|(_, of, ..)| *of == run) {
            let tried = || {
                let output = train(folder, run, changed);
                assert!(learned(folder, run) == before, "{run}, --{option}: the run was changed");
                output
            };
            match effect {
                Refused(message) => {
                    let output = tried();
                    let told = stderr(&output);
                    assert_eq!(output.status.code(), Some(2), "{run}, --{option} {changed:?}: {told}");
                    assert!(told.contains(message), "{run}, --{option} {changed:?}: {told}");
                }
                Harmless => {
                    let output = tried();
                    assert!(output.status.success(), "{run}, --{option}: {}", stderr(&output));
                }
                Untried(reason) => assert!(!reason.is_empty()),
            }
        }
    }
}

#[test]
fn wadiqam_goes_on_under_the_same_options_alone() {
    go_through(&["set", "wadiqam", "sources"]);
}

#[test]
fn gsn_and_multibranch_go_on_under_the_same_options_alone() {
    go_through(&["gsn", "multibranch"]);
}

#[test]
fn hiqa_goes_on_under_the_same_options_alone() {
    go_through(&["hiqa"]);
}

/// A new option has to say what it does to a run that goes on.
#[test]
fn no_option_is_forgotten() {
    let output = iqa("train").arg("--help").output().expect("starts");
    let help = String::from_utf8(output.stdout).expect("text");
    let names = help.lines().filter_map(|line| {
        let name = line.trim_start().strip_prefix("--")?;
        Some(name.split([' ', '=']).next().unwrap_or(name).to_owned())
    });
    let found: BTreeSet<String> = names.collect();
    let mut known: BTreeSet<String> = CASES.iter().map(|(option, ..)| (*option).to_owned()).collect();
    // Of every command: how fast it goes, and where its defaults are from.
    known.extend(["threads", "config"].map(str::to_owned));
    assert!(found.len() > 40, "{help}");
    assert_eq!(found, known);
}
