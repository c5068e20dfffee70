//! The same pictures by `score` and by `evaluate`, as a user calls them.
#![allow(missing_docs, reason = "a test")]

mod programs;

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use image::{Rgb, RgbImage};
use programs::{iqa, stderr};

/// Files of `tests/fixtures/generate/pictures.py`: turned by Exif, transparent, CMYK, of 16 bits.
const PICTURES: [&str; 4] = ["turned.tif", "alpha.webp", "cmyk.jpg", "grey16.png"];

fn evaluate(folder: &Path) -> Command {
    let mut command = iqa("evaluate");
    command.args(["--set", "csv", "--range", "0,14", "--resamples", "1", "--model", "psnr"]);
    command.arg("--root").arg(folder).arg("--list").arg(folder.join("list.csv"));
    command.arg("--output").arg(folder.join("results"));
    command
}

/// Name and score of each line of a table of scores.
fn scores(text: &str) -> Vec<(String, f64)> {
    let lines = text.lines().filter(|line| !line.starts_with('#')).skip(1);
    lines
        .map(|line| {
            let mut fields = line.split(',');
            let name = fields.next().expect("a name").rsplit('/').next().expect("a name").to_owned();
            (name, fields.next().expect("a score").parse().expect("a number"))
        })
        .collect()
}

#[test]
fn score_and_evaluate_see_the_same_pixels() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../iqa-core/tests/fixtures");
    let folder = tempfile::tempdir().expect("a folder");
    let mut list = "distorted,reference,score\n".to_owned();
    let mut expected = Vec::new();
    for (number, name) in PICTURES.iter().enumerate() {
        std::fs::copy(fixtures.join(name), folder.path().join(name)).expect("copies");
        // Width and height, then the pixels that Pillow reads; the reference is seven levels off.
        let right = std::fs::read(fixtures.join(format!("{name}.rgb"))).expect("pixels");
        let [width, height] =
            [0, 4].map(|at| u32::from_le_bytes(right[at..at + 4].try_into().expect("four bytes")));
        let mut reference = RgbImage::from_raw(width, height, right[8..].into()).expect("as many pixels");
        reference.pixels_mut().for_each(|Rgb(pixel)| pixel.iter_mut().for_each(|value| *value ^= 7));
        let square = |(a, b): (&u8, &u8)| f64::from(a.abs_diff(*b)).powi(2);
        let error = reference.iter().zip(&right[8..]).map(square).sum::<f64>() / reference.len() as f64;
        expected.push(10.0 * (255f64.powi(2) / error).log10());
        reference.save(folder.path().join(format!("{number}.png"))).expect("saves");
        writeln!(list, "{name},{number}.png,{number}").expect("text");
    }
    std::fs::write(folder.path().join("list.csv"), list).expect("writes");
    let run = evaluate(folder.path()).output().expect("starts");
    let table = std::fs::read_to_string(folder.path().join("results/scores.csv"));
    let table = scores(&table.unwrap_or_else(|error| panic!("{error}: {}", stderr(&run))));
    assert_eq!(table.len(), PICTURES.len());
    for (number, (name, expected)) in PICTURES.iter().zip(expected).enumerate() {
        let run = iqa("score")
            .args(["--model", "psnr", "--format", "json", "--reference"])
            .args([folder.path().join(format!("{number}.png")), folder.path().join(name)])
            .output()
            .expect("starts");
        let row: serde_json::Value =
            serde_json::from_slice(&run.stdout).unwrap_or_else(|error| panic!("{error}: {}", stderr(&run)));
        let scored = row["score"].as_f64().expect("a number");
        let (_, evaluated) = table.iter().find(|(evaluated, _)| evaluated == name).expect("in the table");
        assert!((scored - evaluated).abs() < 1e-4, "{name}: {scored}, {evaluated}");
        let tolerance = if name.ends_with("jpg") { 1.0 } else { 1e-3 };
        assert!((scored - expected).abs() < tolerance, "{name}: {scored}, {expected}");
    }
}

#[test]
fn one_unreadable_image_costs_only_itself_in_an_evaluation() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut list = "distorted,reference,score\n".to_owned();
    for number in 0..6u8 {
        let picture = RgbImage::from_fn(24, 24, |x, y| Rgb([(x * y) as u8, number * 20, (x + y) as u8]));
        picture.save(folder.path().join(format!("{number}.png"))).expect("saves");
        writeln!(list, "{number}.png,5.png,{number}").expect("text");
    }
    std::fs::write(folder.path().join("2.png"), "no picture").expect("writes");
    std::fs::write(folder.path().join("list.csv"), list).expect("writes");
    let run = evaluate(folder.path()).output().expect("starts");
    assert_eq!(run.status.code(), Some(2));
    let errors = stderr(&run);
    assert!(errors.matches("error").count() == 1 && errors.contains("2.png"), "{errors}");
    let table = std::fs::read_to_string(folder.path().join("results/scores.csv")).expect("reads");
    assert_eq!(scores(&table).len(), 5);
    // The picture mended, the run goes on.
    std::fs::copy(folder.path().join("1.png"), folder.path().join("2.png")).expect("copies");
    let run = evaluate(folder.path()).output().expect("starts");
    assert!(run.status.success(), "{}", stderr(&run));
}

#[test]
fn a_folder_has_every_usual_extension_and_no_hidden_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let picture = RgbImage::from_fn(40, 40, |x, y| Rgb([(x * y) as u8, x as u8, y as u8]));
    for name in ["a.png", "b.bmp", "c.tiff", ".hidden.png", "deep/d.jpg", "deep/.e/f.png"] {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("makes it");
        picture.save(path).expect("saves");
    }
    for (from, to) in [("deep/d.jpg", "e.jfif"), ("deep/d.jpg", "f.jpe"), ("b.bmp", "g.dib")] {
        std::fs::copy(folder.path().join(from), folder.path().join(to)).expect("copies");
    }
    let count = |arguments: &[&str]| {
        let run = iqa("score").args(arguments).arg(folder.path()).output().expect("starts");
        assert!(run.status.success(), "{}", stderr(&run));
        String::from_utf8_lossy(&run.stdout).lines().count()
    };
    assert_eq!(count(&[]), 6);
    assert_eq!(count(&["--recursive"]), 7);
}

/// A profile of linear light: mid-grey is far from that of sRGB.
#[test]
fn a_profile_that_is_ignored_is_warned_of_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let picture = RgbImage::from_fn(40, 40, |x, y| Rgb([(x * y) as u8, x as u8, y as u8]));
    for name in ["a.png", "b.png"] {
        let file = std::fs::File::create(folder.path().join(name)).expect("creates");
        let mut encoder = image::codecs::png::PngEncoder::new(file);
        image::ImageEncoder::set_icc_profile(&mut encoder, linear_grey_profile()).expect("has profiles");
        picture.write_with_encoder(encoder).expect("writes");
    }
    let run = iqa("score").arg(folder.path()).output().expect("starts");
    assert!(run.status.success(), "{}", stderr(&run));
    let errors = stderr(&run);
    assert!(errors.matches("colour profile").count() == 1 && errors.contains(".png"), "{errors}");
}

/// Source: ICC.1:2010: a header of 128 bytes, a table of tags; D50 as XYZ numbers of 16.16 bits; a curve without entries
/// is the identity.
fn linear_grey_profile() -> Vec<u8> {
    let mut header = [0u8; 128];
    header[8..12].copy_from_slice(&[4, 0x20, 0, 0]);
    header[12..24].copy_from_slice(b"mntrGRAYXYZ ");
    header[36..40].copy_from_slice(b"acsp");
    let white = [0xf6d6u32, 0x10000, 0xd32d].map(u32::to_be_bytes).concat();
    header[68..80].copy_from_slice(&white);
    let tag =
        |name: &[u8; 4], at: u32, size: u32| [&name[..], &at.to_be_bytes(), &size.to_be_bytes()].concat();
    let table = [&2u32.to_be_bytes()[..], &tag(b"wtpt", 156, 20), &tag(b"kTRC", 176, 12)].concat();
    let mut profile = [&header[..], &table, b"XYZ \0\0\0\0", &white, b"curv\0\0\0\0\0\0\0\0"].concat();
    let size = (profile.len() as u32).to_be_bytes();
    profile[..4].copy_from_slice(&size);
    profile
}
