//! `iqa score` on folders with references, lists of pairs and several models, as users of restored pictures call it.
#![allow(missing_docs, reason = "a test")]

mod programs;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use image::imageops::FilterType;
use iqa_testkit::textured;
use programs::{iqa, stderr};

/// A folder with originals and, of each, a version with its values rounded to steps.
fn folders(root: &Path, count: u32) {
    for number in 0..count {
        let original = textured(48, 40, number);
        let mut restored = original.clone();
        for value in restored.iter_mut() {
            *value = *value / (8 + number as u8) * (8 + number as u8);
        }
        let name = format!("{}/{number}.png", if number % 2 == 0 { "." } else { "in" });
        for (folder, picture) in [("ref", &original), ("dist", &restored)] {
            let path = root.join(folder).join(&name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("makes it");
            picture.save(path).expect("saves");
        }
    }
}

fn run(command: &mut Command) -> (Output, String) {
    let output = command.output().expect("starts");
    let text = String::from_utf8(output.stdout.clone()).expect("UTF-8");
    (output, text)
}

/// All pictures against their originals, by a model that can and, where they are small, one that cannot score them.
fn by_two_models(root: &Path, arguments: &[&str]) -> Output {
    let mut command = iqa("score");
    command.current_dir(root).args(["dist", "--reference", "ref", "--recursive", "--model", "psnr,ms_ssim"]);
    run(command.args(arguments)).0
}

fn scores(arguments: &[&str], root: &Path) -> Vec<Vec<String>> {
    let mut command = iqa("score");
    command.current_dir(root).args(arguments).args(["--format", "csv"]);
    let (output, text) = run(&mut command);
    assert!(output.status.success(), "{}", stderr(&output));
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
    let rows = reader.records().map(|row| row.expect("a row").iter().map(str::to_owned).collect());
    rows.collect()
}

#[test]
fn a_folder_is_scored_against_a_folder_by_several_models_and_summed_up() {
    let folder = tempfile::tempdir().expect("a folder");
    folders(folder.path(), 7);
    let all = scores(
        &["dist", "--recursive", "--reference", "ref", "--model", "psnr,gmsd,wadiqam_nr"],
        folder.path(),
    );
    assert_eq!(all[0], ["path", "reference", "psnr", "gmsd", "wadiqam_nr", "key"]);
    assert_eq!(all.len(), 8);
    // Each as by one model on one pair.
    for row in &all[1..] {
        for (place, model) in [(2, "psnr"), (3, "gmsd")] {
            let one = scores(&[&row[0], "--reference", &row[1], "--model", model], folder.path());
            assert_eq!(one[1][3], row[place], "{model} of {}", row[0]);
        }
        let alone = scores(&[&row[0], "--model", "wadiqam_nr"], folder.path());
        assert_eq!(alone[1][3], row[4]);
        assert_eq!(row[0].replace("dist", "ref"), row[1]);
    }
    let mut command = iqa("score");
    command.current_dir(folder.path()).args([
        "dist",
        "--recursive",
        "--reference",
        "ref",
        "--model",
        "psnr,gmsd",
    ]);
    let (output, text) = run(&mut command);
    assert!(output.status.success() && text.lines().count() == 14, "{}", stderr(&output));
    let text = stderr(&output);
    let mean = all[1..].iter().map(|row| row[2].parse::<f64>().expect("a number")).sum::<f64>() / 7.0;
    let line = text.lines().find(|line| line.starts_with("psnr ")).expect("a summary");
    let cells: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(cells[..3], ["psnr", "7", &format!("{mean:.4}")], "{text}");
    let worst = text.lines().find(|line| line.starts_with("worst by psnr: ")).expect("the worst");
    assert!(worst.starts_with("worst by psnr: dist/6.png ("), "{worst}");
    // The one with the lowest score is the best by a measure that is better when it is lower.
    let worst = text.lines().find(|line| line.starts_with("worst by gmsd: ")).expect("the worst");
    let gmsd = |row: &Vec<String>| row[3].parse::<f64>().expect("a number");
    let last = all[1..].iter().max_by(|a, b| gmsd(a).total_cmp(&gmsd(b))).expect("rows");
    assert!(worst.starts_with(&format!("worst by gmsd: {} (", last[0])), "{worst}");
}

#[test]
fn what_has_no_partner_is_told_and_the_rest_is_scored() {
    let folder = tempfile::tempdir().expect("a folder");
    folders(folder.path(), 3);
    let at = |name: &str| folder.path().join(name);
    fs::rename(at("dist/0.png"), at("dist/9.png")).expect("renames");
    // Of another kind, but the same name.
    image::open(at("ref/2.png")).expect("reads").save(at("ref/2.bmp")).expect("saves");
    fs::remove_file(at("ref/2.png")).expect("removes");
    let mut command = iqa("score");
    command.current_dir(folder.path()).args(["dist", "--reference", "ref", "--recursive", "--model", "psnr"]);
    let (output, text) = run(&mut command);
    assert_eq!(output.status.code(), Some(1));
    let errors = stderr(&output);
    assert!(errors.contains("dist/9.png: ") && errors.contains("ref/0.png: "), "{errors}");
    assert_eq!(errors.matches("error: ").count(), 2, "{errors}");
    assert!(
        text.contains("dist/2.png against ref/2.bmp: ")
            && text.contains("dist/in/1.png against ref/in/1.png"),
        "{text}"
    );
}

#[test]
fn pictures_of_formats_that_are_not_read_are_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    folders(folder.path(), 3);
    for name in ["dist/b.ppm", "dist/a.GIF", "dist/notes.txt", "dist/.c.gif", "dist/in/d.jxl", "ref/e.avif"] {
        fs::write(folder.path().join(name), "").expect("writes");
    }
    let call = |arguments: &[&str]| {
        let mut command = iqa(arguments[0]);
        let (output, _) =
            run(command.current_dir(folder.path()).args(&arguments[1..]).args(["--model", "psnr"]));
        assert!(output.status.success(), "{}", stderr(&output));
        stderr(&output)
    };
    let told = |text: &str| -> Vec<String> {
        text.lines().filter(|line| line.contains("passed over")).map(str::to_owned).collect()
    };
    let reference = "ref: a picture of a format that is not read was passed over, e.avif";
    let two = "dist: 2 pictures of formats that are not read were passed over, a.GIF the first";
    assert_eq!(told(&call(&["score", "dist", "--reference", "ref"])), [reference, two]);
    let three = "dist: 3 pictures of formats that are not read were passed over, a.GIF the first";
    let all = ["score", "dist", "--reference", "ref", "--recursive"];
    assert_eq!(told(&call(&all)), [reference, three]);
    assert_eq!(call(&[&all[..], &["--quiet"]].concat()), "");
    assert!(told(&call(&["score", "dist/0.png", "dist/2.png", "--reference", "ref/0.png"])).is_empty());
    let compared = call(&["compare", "dist", "dist", "--reference", "ref", "--recursive"]);
    assert_eq!(told(&compared), [three, three, reference]);
}

/// As a shell would have put the names there.
#[test]
fn a_quoted_pattern_that_folders_match_is_as_its_names() {
    let folder = tempfile::tempdir().expect("a folder");
    folders(folder.path(), 4);
    let other = folder.path().join("dist/.other");
    fs::create_dir(&other).expect("makes it");
    fs::copy(folder.path().join("dist/0.png"), other.join("0.png")).expect("copies");
    fs::copy(folder.path().join("dist/0.png"), folder.path().join("dist/.0.png")).expect("copies");
    let quoted = scores(&["dist/*", "--model", "wadiqam_nr"], folder.path());
    let named = scores(&["dist/0.png", "dist/2.png", "dist/in", "--model", "wadiqam_nr"], folder.path());
    assert_eq!(quoted, named);
    assert_eq!(quoted.len(), 5);
    // Hidden ones, not the folder itself and the one above; and no hidden ones on the way.
    let quoted = scores(&["dist/.*", "--model", "wadiqam_nr"], folder.path());
    assert_eq!(quoted, scores(&["dist/.0.png", "dist/.other", "--model", "wadiqam_nr"], folder.path()));
    let quoted = scores(&["dist/**/0.png", "--model", "wadiqam_nr"], folder.path());
    assert_eq!(quoted, scores(&["dist/0.png", "--model", "wadiqam_nr"], folder.path()));
    let quoted = scores(&["dist/.o*/*.png", "--model", "wadiqam_nr"], folder.path());
    assert_eq!(quoted, scores(&["dist/.other/0.png", "--model", "wadiqam_nr"], folder.path()));
    // Each part of a pattern for the name at its place: another part does not ask for it.
    for inner in ["dist/.other/.other", "dist/in/.other"] {
        fs::create_dir(folder.path().join(inner)).expect("makes it");
        fs::copy(folder.path().join("dist/0.png"), folder.path().join(inner).join("0.png")).expect("copies");
    }
    for (pattern, names) in [
        ("dist/*/.other/*.png", &["dist/in/.other/0.png"][..]),
        ("dist/.other/*/../*.png", &[]),
        ("./dist/.other/**/*.png", &["dist/.other/0.png"]),
        ("dist/**/.other/*.png", &["dist/.other/0.png", "dist/in/.other/0.png"]),
    ] {
        if names.is_empty() {
            let mut command = iqa("score");
            command.current_dir(folder.path()).args([pattern, "--model", "wadiqam_nr"]);
            let (output, _) = run(&mut command);
            assert_eq!(output.status.code(), Some(1), "{pattern}");
            assert!(stderr(&output).contains("no image there"), "{pattern}");
            continue;
        }
        let found = scores(&[pattern, "--model", "wadiqam_nr"], folder.path());
        assert_eq!(found, scores(&[names, &["--model", "wadiqam_nr"]].concat(), folder.path()), "{pattern}");
    }
    // With a folder of references each is below the folder that matched.
    let by_folder = |images: &[&str]| {
        let mut command = iqa("score");
        command.current_dir(folder.path()).args(images).args(["--reference", "ref/in", "--model", "psnr"]);
        let (output, text) = run(&mut command);
        (output.status.code(), text, stderr(&output))
    };
    let found = by_folder(&["dist/i*"]);
    assert_eq!(found, by_folder(&["dist/in"]));
    assert_eq!((found.0, found.1.lines().count()), (Some(0), 2));
    // And all originals are asked for.
    fs::remove_file(folder.path().join("dist/in/1.png")).expect("removes");
    let found = by_folder(&["dist/i*"]);
    assert_eq!(found, by_folder(&["dist/in"]));
    assert!(found.0 == Some(1) && found.2.contains("ref/in/1.png: a reference of which"), "{}", found.2);
}

#[cfg(unix)]
#[test]
fn each_file_is_decoded_once_whatever_the_number_of_models() {
    let folder = tempfile::tempdir().expect("a folder");
    folders(folder.path(), 1);
    let at = |name: &str| folder.path().join(name);
    // A pipe can be read once: a second look would wait for ever.
    let mut writers = Vec::new();
    for (pipe, picture) in [("d.png", "dist/0.png"), ("r.png", "ref/0.png")] {
        assert!(Command::new("mkfifo").arg(at(pipe)).status().expect("mkfifo").success());
        let (pipe, bytes) = (at(pipe), fs::read(at(picture)).expect("reads"));
        writers.push(std::thread::spawn(move || fs::write(pipe, bytes).expect("writes")));
    }
    let found =
        scores(&["d.png", "--reference", "r.png", "--model", "psnr,ssim,gmsd,vsi,wadiqam_fr"], folder.path());
    writers.into_iter().for_each(|writer| writer.join().expect("ends"));
    let files = scores(
        &["dist/0.png", "--reference", "ref/0.png", "--model", "psnr,ssim,gmsd,vsi,wadiqam_fr"],
        folder.path(),
    );
    assert_eq!(found[1][2..7], files[1][2..7]);
}

#[test]
fn a_list_of_pairs_is_gone_on_with_to_the_bytes_of_one_run() {
    let folder = tempfile::tempdir().expect("a folder");
    folders(folder.path(), 5);
    // As a spreadsheet writes it: a byte order mark, CRLF, quotes; another order, one pair twice, one picture with two references.
    let mut list = "\u{feff}\"Reference\",\"Distorted\",\"remark\"\r\n".to_owned();
    for (distorted, reference) in
        [("4", "4"), ("in/3", "in/3"), ("0", "0"), ("0", "2"), ("in/1", "in/1"), ("0", "0")]
    {
        let _ = write!(list, "\"ref/{reference}.png\",dist/{distorted}.png,\"a, \"\"b\"\"\"\r\n");
    }
    fs::write(folder.path().join("list.csv"), list).expect("writes");
    let score = |output: &str| {
        // From another folder: paths are from the list's.
        let mut command = iqa("score");
        command.arg("--pairs").arg(folder.path().join("list.csv")).args([
            "--model",
            "psnr,ssim",
            "--format",
            "csv",
        ]);
        command.arg("--output").arg(folder.path().join(output));
        let (output, _) = run(&mut command);
        assert!(output.status.success(), "{}", stderr(&output));
        stderr(&output)
    };
    let summary = score("whole.csv");
    let whole = fs::read(folder.path().join("whole.csv")).expect("reads");
    assert_eq!(whole.iter().filter(|&&byte| byte == b'\n').count(), 7);
    for cut in (0..whole.len()).step_by(97) {
        fs::write(folder.path().join("part.csv"), &whole[..cut]).expect("writes");
        assert_eq!(score("part.csv"), summary, "cut at {cut}");
        assert!(fs::read(folder.path().join("part.csv")).expect("reads") == whole, "cut at {cut}");
    }
    // A reference that is another picture now.
    image::open(folder.path().join("ref/4.png"))
        .expect("reads")
        .save(folder.path().join("ref/2.png"))
        .expect("saves");
    let mut command = iqa("score");
    command.arg("--pairs").arg(folder.path().join("list.csv")).args([
        "--model",
        "psnr,ssim",
        "--format",
        "csv",
    ]);
    let (output, _) = run(command.arg("--output").arg(folder.path().join("whole.csv")));
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("ref/2.png from when that file had other content"),
        "{}",
        stderr(&output)
    );
    assert!(fs::read(folder.path().join("whole.csv")).expect("reads") == whole);
}

#[test]
fn a_model_that_cannot_score_an_image_leaves_its_place_empty() {
    let folder = tempfile::tempdir().expect("a folder");
    folders(folder.path(), 2);
    // Too small for five scales.
    let call = |format: &str| {
        by_two_models(folder.path(), &["--format", format, "--output", &format!("o.{format}")])
    };
    for format in ["csv", "json"] {
        for _ in 0..2 {
            // The second run finds them.
            let output = call(format);
            assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
            assert!(
                stderr(&output).contains("ms_ssim") || stderr(&output).contains("lack the score"),
                "{}",
                stderr(&output)
            );
        }
        let text = fs::read_to_string(folder.path().join(format!("o.{format}"))).expect("reads");
        match format {
            "csv" => assert!(
                text.lines().nth(1).expect("a row").split(',').nth(3).expect("a cell").is_empty(),
                "{text}"
            ),
            _ => assert!(text.contains("\"scores\":{\"psnr\":{") && !text.contains("ms_ssim"), "{text}"),
        }
    }
}

#[test]
fn images_are_preprocessed_as_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    folders(folder.path(), 1);
    let open = |name: &str| image::open(folder.path().join(name)).expect("reads").to_rgb8();
    let (distorted, reference) = (open("dist/0.png"), open("ref/0.png"));
    let score = |arguments: &[&str]| {
        let mut all = vec!["--model", "psnr"];
        all.extend(arguments);
        scores(&all, folder.path())[1][3].parse::<f64>().expect("a number")
    };
    // PSNR by its definition, on what is left of the border; of luma as MATLAB's rgb2ycbcr has it.
    let psnr = |border: u32, value: &dyn Fn(&[u8]) -> Vec<f64>| {
        let inner = |image: &image::RgbImage| {
            let (width, height) = (image.width() - 2 * border, image.height() - 2 * border);
            image::imageops::crop_imm(image, border, border, width, height).to_image()
        };
        let (d, r) = (inner(&distorted), inner(&reference));
        let errors: Vec<f64> = d
            .pixels()
            .zip(r.pixels())
            .flat_map(|(d, r)| {
                value(&d.0).into_iter().zip(value(&r.0)).map(|(d, r)| (d - r).powi(2)).collect::<Vec<_>>()
            })
            .collect();
        10.0 * (255.0f64.powi(2) * errors.len() as f64 / errors.iter().sum::<f64>()).log10()
    };
    let rgb = |pixel: &[u8]| pixel.iter().map(|&value| f64::from(value)).collect::<Vec<_>>();
    let luma = |pixel: &[u8]| {
        let [r, g, b] = [0, 1, 2].map(|channel| f64::from(pixel[channel]));
        vec![(16.0 + (65.481 * r + 128.553 * g + 24.966 * b) / 255.0).round()]
    };
    let pair = ["dist/0.png", "--reference", "ref/0.png"];
    let with = |options: &[&'static str]| score(&[&pair[..], options].concat());
    for (found, expected) in [
        (with(&[]), psnr(0, &rgb)),
        (with(&["--crop-border", "4"]), psnr(4, &rgb)),
        (with(&["--luma"]), psnr(0, &luma)),
        (with(&["--luma", "--crop-border", "5"]), psnr(5, &luma)),
    ] {
        assert!((found - expected).abs() < 1e-9, "{found} {expected}");
    }
    // A reference of another size: an error that names both, unless a filter is named.
    image::imageops::resize(&reference, 96, 80, FilterType::Nearest)
        .save(folder.path().join("large.png"))
        .expect("saves");
    let mut command = iqa("score");
    command.current_dir(folder.path()).args(["dist/0.png", "--reference", "large.png", "--model", "psnr"]);
    let (output, _) = run(&mut command);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("48x40") && stderr(&output).contains("96x80"), "{}", stderr(&output));
    let shrunk = score(&["dist/0.png", "--reference", "large.png", "--resize-reference", "nearest"]);
    assert!((shrunk - psnr(0, &rgb)).abs() < 1e-9);
    let mut command = iqa("score");
    command.current_dir(folder.path()).args(pair).args(["--model", "psnr", "--crop-border", "20"]);
    assert!(stderr(&run(&mut command).0).contains("nothing is left"));
}

#[test]
fn the_program_says_what_it_is_and_what_it_has() {
    let text = |arguments: &[&str]| {
        let mut command = iqa(arguments[0]);
        let (output, text) = run(command.args(&arguments[1..]));
        assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
        text
    };
    let help = text(&["--help"]);
    assert!(help.lines().count() <= 40, "more than a screen: {help}");
    for command in
        help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty())
    {
        let name = command.split_whitespace().next().expect("a name");
        if !["help", "devices"].contains(&name) {
            assert!(text(&[name, "--help"]).contains("Example"), "{name}: no example");
        }
    }
    for shell in ["bash", "zsh", "fish"] {
        assert!(text(&["completions", shell]).contains("resize-reference"), "{shell}");
    }
    assert!(text(&["man"]).contains(".TH iqa 1") && text(&["man", "score"]).contains("crop\\-border"));
    assert!(text(&["devices"]).lines().any(|line| line == "flex"));
    let models = text(&["models", "--json"]);
    let gmsd = models.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
    let gmsd = gmsd.into_iter().find(|model| model["name"] == "gmsd").expect("is there");
    assert_eq!(
        (&gmsd["direction"], &gmsd["range"]),
        (&"lower_is_better".into(), &serde_json::json!([0.0, 0.5]))
    );
}

#[test]
fn scores_become_a_parquet_file_that_is_gone_on_towards() {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::Field;

    let folder = tempfile::tempdir().expect("a folder");
    folders(folder.path(), 3);
    // Two fail by one of the models: too small.
    let score = |output: &str| by_two_models(folder.path(), &["--output", output]);
    assert_eq!(score("rows.csv").status.code(), Some(1));
    assert_eq!(score("growing.json").status.code(), Some(1));
    // As a run that was stopped in the middle of a record leaves it.
    let bytes = fs::read(folder.path().join("growing.json")).expect("reads");
    let part = folder.path().join("scores.parquet.part.json");
    fs::write(&part, &bytes[..bytes.len() * 2 / 3]).expect("writes");
    assert_eq!(score("scores.parquet").status.code(), Some(1));
    assert!(!part.exists());

    let file = fs::File::open(folder.path().join("scores.parquet")).expect("opens");
    let reader = SerializedFileReader::new(file).expect("a Parquet file");
    let metadata = reader.metadata().file_metadata().key_value_metadata().expect("metadata");
    let models =
        metadata.iter().find(|entry| entry.key == "iqa.models").and_then(|entry| entry.value.clone());
    let models: serde_json::Value = serde_json::from_str(&models.expect("a value")).expect("JSON");
    assert_eq!((&models[0]["model"], &models[0]["direction"]), (&"psnr".into(), &"higher_is_better".into()));
    let rows: Vec<Vec<(String, Field)>> = reader
        .get_row_iter(None)
        .expect("rows")
        .map(|row| {
            row.expect("a row").get_column_iter().map(|(name, field)| (name.clone(), field.clone())).collect()
        })
        .collect();
    let text = fs::read_to_string(folder.path().join("rows.csv")).expect("reads");
    let expected: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(rows.len(), 3);
    for (row, expected_row) in rows.iter().zip(&expected[1..]) {
        for ((name, field), (title, cell)) in row.iter().zip(expected[0].iter().zip(expected_row)) {
            assert_eq!(name, title);
            match field {
                Field::Str(text) => assert_eq!(text, cell),
                Field::Double(value) => assert_eq!(*value, cell.parse::<f64>().expect("a number")),
                Field::Null => assert_eq!((name.as_str(), *cell), ("ms_ssim", "")),
                other => panic!("{name}: {other:?}"),
            }
        }
    }
    // One that is there is left alone.
    let again = score("scores.parquet");
    assert_eq!(again.status.code(), Some(2));
    assert!(stderr(&again).contains("is there already"), "{}", stderr(&again));
}

#[test]
fn records_of_other_images_are_kept_and_not_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    folders(folder.path(), 4);
    let score = |arguments: &[&str]| {
        let mut command = iqa("score");
        command.current_dir(folder.path()).args(["--model", "psnr"]).args(arguments);
        run(&mut command).0
    };
    let path = folder.path().join("o.csv");
    // One by one into one file, each against its own reference; a single file does not ask for the other originals.
    for number in ["0", "2"] {
        let done = score(&[&format!("dist/{number}.png"), "--reference", "ref", "--output", "o.csv"]);
        assert!(done.status.success(), "{}", stderr(&done));
        assert_eq!(stderr(&done), "", "one image has no summary");
    }
    let both = fs::read_to_string(&path).expect("reads");
    assert_eq!(both.lines().count(), 3, "{both}");
    let folder_of_both = score(&["dist", "--reference", "ref", "--output", "o.csv"]);
    let summary = stderr(&folder_of_both);
    let line = summary.lines().find(|line| line.starts_with("psnr ")).expect("a summary");
    assert_eq!(line.split_whitespace().nth(1), Some("2"), "{summary}");
    assert_eq!(fs::read_to_string(&path).expect("reads"), both);

    // A score is a finite number.
    let cell = both.lines().nth(1).expect("a row").split(',').nth(3).expect("a score");
    for damage in ["nan", "inf", "1e999"] {
        fs::write(&path, both.replace(cell, damage)).expect("writes");
        let refused = score(&["dist", "--reference", "ref", "--output", "o.csv"]);
        assert_eq!(refused.status.code(), Some(2), "{damage}: {}", stderr(&refused));
    }

    // What becomes Parquet is of the images of the run alone.
    let part = folder.path().join("s.parquet.part.json");
    assert!(score(&["dist/0.png", "--reference", "ref", "--output", "part.json"]).status.success());
    fs::copy(folder.path().join("part.json"), &part).expect("copies");
    let other = score(&["dist/2.png", "--reference", "ref", "--output", "s.parquet"]);
    assert_eq!(other.status.code(), Some(2));
    assert!(stderr(&other).contains("s.parquet.part.json"), "{}", stderr(&other));
    assert!(part.exists() && !folder.path().join("s.parquet").exists());
}
