//! `iqa report`: pages that need nothing else, whatever files and types are called.
#![cfg(unix)]
#![allow(missing_docs, reason = "a test")]

mod programs;

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use iqa_testkit::textured;
use programs::{iqa, stderr};

/// Names that are markup, or would end an attribute.
const NAMES: [&str; 4] = ["<script>alert(1)<!--.png", "a \"b\" 'c' & d.png", "plain.png", "{{body}}.png"];

/// Pictures of these names, one with a line break, one that is no UTF-8, and their originals.
fn folders(root: &Path) -> usize {
    let mut names: Vec<PathBuf> = NAMES.iter().map(PathBuf::from).collect();
    names.push("new\nline.png".into());
    names.push(OsStr::from_bytes(b"\xff\xfe.png").into());
    fs::create_dir_all(root.join("dist")).expect("makes it");
    fs::create_dir_all(root.join("ref")).expect("makes it");
    for (number, name) in names.iter().enumerate() {
        let original = textured(200, 120, number as u32);
        let mut restored = original.clone();
        for value in restored.iter_mut() {
            *value = *value / (8 + 8 * number as u8) * (8 + 8 * number as u8);
        }
        original.save(root.join("ref").join(name)).expect("saves");
        restored.save(root.join("dist").join(name)).expect("saves");
    }
    names.len()
}

fn report(root: &Path, arguments: &[&str]) -> Output {
    let mut command = iqa("report");
    command.current_dir(root).args(arguments).output().expect("starts")
}

fn page(root: &Path, arguments: &[&str], status: i32) -> String {
    let output = report(root, &[arguments, &["--output", "page.html"]].concat());
    assert_eq!(output.status.code(), Some(status), "{}", stderr(&output));
    fs::read_to_string(root.join("page.html")).expect("UTF-8")
}

/// That a page is one file: it loads nothing, and text has become no markup.
fn check_page(html: &str) {
    for attribute in ["src", "href", "action", "srcset", "data", "poster"] {
        for part in html.split(&format!(" {attribute}=")).skip(1) {
            assert!(part.starts_with("\"data:image/"), "{attribute}={}", &part[..40.min(part.len())]);
        }
    }
    for loading in ["url(", "@import", "fetch(", "XMLHttpRequest", "<link", "<iframe", "<object", "onerror"] {
        assert!(!html.contains(loading), "{loading}");
    }
    assert_eq!((html.matches("<script").count(), html.matches("</script>").count()), (1, 1));
    assert_eq!(html.matches("<!--").count(), 1, "one comment, in the first line");
    for tag in ["html", "head", "body", "main", "table", "tr", "td", "th", "section", "figure", "svg", "p"] {
        let opened = html.matches(&format!("<{tag}>")).count() + html.matches(&format!("<{tag} ")).count();
        assert_eq!(opened, html.matches(&format!("</{tag}>")).count(), "{tag}");
    }
    assert_eq!(
        html.matches("<img ").count(),
        html.matches("<img alt=\"").count(),
        "an alternative text each"
    );
}

/// The text of the cells of each row of the table below a heading.
fn rows(html: &str, heading: &str) -> Vec<Vec<String>> {
    let (_, after) = html.split_once(&format!("<h2>{heading}</h2>")).expect(heading);
    let (_, body) = after.split_once("<tbody>").expect("a table");
    let (body, _) = body.split_once("</tbody>").expect("its end");
    let cells = |row: &str| {
        let cells = row.split("<td").skip(1);
        cells.map(|cell| cell[cell.find('>').expect("an end") + 1..].replace("</td>", "")).collect()
    };
    body.split("<tr>").skip(1).map(|row| cells(row.split("</tr>").next().expect("a row"))).collect()
}

#[test]
fn a_page_of_scores_stands_alone_and_is_the_same_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    let count = folders(root);
    let arguments = ["dist", "--reference", "ref", "--model", "psnr,wadiqam_fr"];
    let html = page(root, &arguments, 0);
    check_page(&html);
    assert!(html.starts_with("<!doctype html>"), "{}", &html[..80]);
    for name in
        ["&lt;script&gt;alert(1)&lt;!--.png", "a &quot;b&quot; &#39;c&#39; &amp; d.png", "{{body}}.png"]
    {
        assert!(html.contains(name), "{name}");
    }
    assert!(html.contains("new\\nline.png") && html.contains("\u{fffd}\u{fffd}.png"));
    // Image, original, distortion and weight of each.
    assert_eq!(html.matches("<img ").count(), 4 * count);
    assert_eq!(html.matches("src=\"data:image/jpeg;base64,").count(), 4 * count);
    assert_eq!(html.matches("width=\"160\" height=\"96\"").count(), 4 * count);
    let images = rows(&html, "Images");
    assert_eq!(images.len(), count);
    // The numbers are those of `iqa score`.
    let mut command: Command = iqa("score");
    let scores =
        command.current_dir(root).args(arguments).args(["--format", "csv"]).output().expect("starts");
    let mut reader = csv::Reader::from_reader(&scores.stdout[..]);
    let found: Vec<csv::StringRecord> = reader.records().map(|row| row.expect("a row")).collect();
    let score = |row: usize, column: usize| found[row][column].parse::<f64>().expect("a number");
    for (row, cells) in images.iter().enumerate() {
        assert_eq!(cells[2..4], [2, 3].map(|column| format!("{:.4}", score(row, column))));
    }
    let mean = (0..count).map(|row| score(row, 2)).sum::<f64>() / count as f64;
    let summary = rows(&html, "Summary");
    assert_eq!(summary[0][..4], ["psnr", "higher", &count.to_string(), &format!("{mean:.4}")]);
    // Once more over the first.
    assert_eq!(html, page(root, &arguments, 0));
    let small = page(root, &[&arguments[..], &["--no-thumbnails"]].concat(), 0);
    check_page(&small);
    assert!(!small.contains("<img") && small.len() < 20_000 + 2000 * count, "{}", small.len());
}

#[test]
fn what_cannot_be_scored_is_on_the_page_and_in_the_status() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    let count = folders(root);
    for (name, content) in [("dist/<i>bad.png", "no picture"), ("ref/<i>bad.png", "no picture")] {
        fs::write(root.join(name), content).expect("writes");
    }
    textured(40, 40, 9).save(root.join("dist/alone.png")).expect("saves");
    let html = page(root, &["dist", "--reference", "ref", "--model", "gmsd"], 1);
    check_page(&html);
    assert!(html.contains("Not scored: 2") && html.contains("dist/&lt;i&gt;bad.png"), "{html}");
    assert!(html.contains("alone.png: the folder of references has no picture of this name, or several"));
    assert_eq!(rows(&html, "Images").len(), count);
    // A list, and a picture by itself.
    fs::write(root.join("list.csv"), "distorted,reference\ndist/plain.png,ref/plain.png\n").expect("writes");
    assert_eq!(rows(&page(root, &["--pairs", "list.csv", "--model", "psnr"], 0), "Images").len(), 1);
    let html = page(root, &["dist/plain.png", "--title", "<b>mine"], 0);
    assert!(html.contains("<title>&lt;b&gt;mine</title>") && html.contains("multibranch_lite_nr"));
    check_page(&html);
    // Heat maps are of what was scored.
    let cut = ["dist/plain.png", "--reference", "ref/plain.png", "--crop-border", "4", "--luma"];
    check_page(&page(root, &cut, 0));
    let mut command = iqa("score");
    let output = command.current_dir(root).args(cut).args(["--heatmap", "map.png"]).output().expect("starts");
    assert!(output.status.success(), "{}", stderr(&output));
    let size = image::image_dimensions(root.join("map.png")).expect("a picture");
    assert_eq!(size, (3 * (200 - 2 * 4) + 2 * 8, 120 - 2 * 4));
}

#[test]
fn only_pages_are_replaced() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    folders(root);
    let refused = |output: &str| {
        let output = report(root, &["dist/plain.png", "--output", output]);
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(stderr(&output).contains("not a page of scores"), "{}", stderr(&output));
    };
    let mine = "<!doctype html>\n<p>Written by hand</p>\n";
    fs::write(root.join("mine.html"), mine).expect("writes");
    refused("mine.html");
    assert_eq!(fs::read_to_string(root.join("mine.html")).expect("is there"), mine);
    let picture = fs::read(root.join("dist/plain.png")).expect("reads");
    refused("dist/plain.png");
    assert_eq!(fs::read(root.join("dist/plain.png")).expect("is there"), picture);
    refused("dist");
    refused("/dev/null");
    std::os::unix::fs::symlink("real.html", root.join("link.html")).expect("links");
    fs::write(root.join("real.html"), "").expect("an empty file");
    let output = report(root, &["dist/plain.png", "--output", "link.html"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(root.join("link.html").is_symlink());
    check_page(&fs::read_to_string(root.join("real.html")).expect("a page"));
}

/// Textures with more and more of their rows turned grey, of types with names that are markup.
fn evaluation(root: &Path) {
    let mut list = "distorted,reference,score,type\n".to_owned();
    for reference in 0..3u32 {
        let picture = textured(64, 64, reference);
        picture.save(root.join(format!("r{reference}.png"))).expect("saves");
        for version in 1..=6u32 {
            let mut distorted = picture.clone();
            for (x, y, pixel) in distorted.enumerate_pixels_mut() {
                if (x + 7 * y) % 6 < version {
                    pixel.0 = pixel.0.map(|value| value / 2 + 64);
                }
            }
            let name = format!("<{reference}>_{version}.png");
            distorted.save(root.join(&name)).expect("saves");
            let kind = if version % 2 == 0 { "<b>even & more" } else { "odd" };
            let score = (version * 5 + reference * 3) % 11;
            writeln!(list, "{name},r{reference}.png,{score},{kind}").expect("text");
        }
    }
    fs::write(root.join("list.csv"), list).expect("writes");
    let mut command = iqa("evaluate");
    command.current_dir(root).args(["--set", "csv", "--name", "<set>", "--root", ".", "--list", "list.csv"]);
    command.args(["--range", "0,11", "--better", "lower", "--resamples", "50"]);
    let output = command.args(["--model", "psnr", "--output", "results"]).output().expect("starts");
    assert!(output.status.success(), "{}", stderr(&output));
}

#[test]
fn a_page_of_an_evaluation_has_its_figures_and_what_is_furthest_apart() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    evaluation(root);
    let html = page(root, &["--evaluation", "results"], 0);
    check_page(&html);
    assert!(html.contains("<h1>psnr on &lt;set&gt;</h1>") && html.contains("&lt;b&gt;even &amp; more"));
    assert_eq!(html.matches("src=\"data:image/svg+xml;base64,").count(), 1);
    let json = fs::read(root.join("results/report.json")).expect("a report");
    let json: serde_json::Value = serde_json::from_slice(&json).expect("JSON");
    let srcc = json["whole"]["figures"]["srcc"].as_f64().expect("a number");
    assert!(rows(&html, "All images").iter().any(|row| row[..2] == ["SRCC", &format!("{srcc:.4}")]));
    assert_eq!(rows(&html, "Types of distortion").len(), 2);

    // Places by counting: how many are better, and half of those that are equal.
    let text = fs::read_to_string(root.join("results/scores.csv")).expect("scores");
    let mut reader = csv::Reader::from_reader(text.split_once('\n').expect("a first line").1.as_bytes());
    let records: Vec<csv::StringRecord> = reader.records().map(|row| row.expect("a row")).collect();
    let column = |place: usize| -> Vec<f64> {
        records.iter().map(|row| row[place].parse().expect("a number")).collect()
    };
    let place = |values: &[f64], value: f64, sign: f64| {
        let better = values.iter().filter(|&&other| sign * other > sign * value).count() as f64;
        let equal = values.iter().filter(|&&other| other == value).count() as f64;
        better + (equal + 1.0) / 2.0
    };
    let (scores, ratings) = (column(1), column(2));
    // Higher scores are better, lower ratings are.
    let apart = |row: usize| place(&ratings, ratings[row], -1.0) - place(&scores, scores[row], 1.0);
    let all = rows(&html, "Images");
    assert_eq!(all.len(), records.len());
    for (row, cells) in all.iter().enumerate() {
        assert_eq!(cells[5], apart(row).to_string(), "{cells:?}");
    }
    let most = (0..all.len()).map(|row| apart(row).abs()).fold(0.0, f64::max);
    let named = rows(&html, "Where model and people disagree most");
    assert!(named.len() == 10 && most > 0.0);
    assert_eq!(named[0][5].trim_start_matches('-'), most.to_string());
    assert_eq!(html, page(root, &["--evaluation", "results"], 0));

    // With their folder the named images are shown; one that has changed since is not.
    let shown = |html: &str| html.matches("src=\"data:image/jpeg;base64,").count();
    let with = ["--evaluation", "results", "--images", "."];
    let html = page(root, &with, 0);
    check_page(&html);
    assert_eq!(shown(&html), 10);
    let name = named[0][0].replace("&lt;", "<").replace("&gt;", ">");
    textured(64, 64, 9).save(root.join(name)).expect("saves");
    let html = page(root, &with, 0);
    assert_eq!(shown(&html), 9);
    assert!(html.contains("1 of these images are not in the folder"));
    let output = report(root, &["r0.png", "--images", ".", "--output", "page.html"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("--images is for --evaluation"), "{}", stderr(&output));
}

#[test]
fn a_page_of_something_else_than_an_evaluation_is_refused_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    evaluation(root);
    let refused = |expected: &str| {
        let output = report(root, &["--evaluation", "results", "--output", "page.html"]);
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(stderr(&output).contains(expected), "{expected}: {}", stderr(&output));
        assert!(!root.join("page.html").exists());
    };
    let path = root.join("results/scores.csv");
    let whole = fs::read_to_string(&path).expect("scores");
    let less = whole.trim_end().rsplit_once('\n').expect("lines").0;
    fs::write(&path, format!("{less}\n")).expect("writes");
    refused("scores.csv, line 20: expected scores of 18 images");
    fs::write(&path, whole.replacen("\"model\":\"psnr\"", "\"model\":\"vsi\"", 1)).expect("writes");
    refused("scores of another model: expected psnr, found vsi");
    fs::write(&path, &whole).expect("writes");
    fs::remove_file(root.join("results/scatter.svg")).expect("was there");
    refused("scatter.svg");
    fs::write(root.join("results/report.json"), "{}").expect("writes");
    refused("report.json, line 1: expected the report of an evaluation");
    fs::remove_file(root.join("results/report.json")).expect("was there");
    refused("report.json");
    let output = report(root, &["--output", "page.html"]);
    assert_eq!(output.status.code(), Some(2));
}
