//! The short examples run, and do what they say.
#![allow(missing_docs, reason = "a test")]

mod programs;

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

use iqa_models::image;
use programs::{example, stderr};

const PICTURE: &str = "examples/images/flowers_jpeg.jpg";
const ORIGINAL: &str = "examples/images/flowers.png";

fn told(command: &mut Command) -> String {
    let output = command.output().expect("starts");
    assert!(output.status.success(), "{}", stderr(&output));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The number after a beginning of a line.
fn after(text: &str, beginning: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(beginning)).expect(beginning);
    let number: String =
        line.trim_start().chars().take_while(|c| c.is_ascii_digit() || ".-".contains(*c)).collect();
    number.parse().expect("a number")
}

#[test]
fn pairs_models_of_ones_own_and_heat_maps() {
    let text = told(example("score_pair").args([PICTURE, ORIGINAL]));
    let (psnr, wadiqam) = (after(&text, "psnr: "), after(&text, "wadiqam_fr: "));
    assert!((psnr - 26.89).abs() < 0.01 && (0.0..1.0).contains(&wadiqam), "{text}");

    // By the definition of both.
    let open = |path: &str| {
        image::open(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)).expect("reads").to_rgb8()
    };
    let text = told(example("own_model").args([PICTURE, ORIGINAL]));
    let difference = after(&text, "mean_difference: ");
    assert!(
        difference > 1.0 && difference < 255.0 / 10f64.powf(psnr / 20.0),
        "at most the root of the mean square: {text}"
    );

    let folder = tempfile::tempdir().expect("a folder");
    let map = folder.path().join("map.png");
    let text = told(example("heat_map").args(["examples/images/flowers_local.png", ORIGINAL]).arg(&map));
    assert!(after(&text, "score ") < 1.0, "{text}");
    let size = image::image_dimensions(&map).expect("a picture");
    let original = open(ORIGINAL).dimensions();
    assert!(size.0 > 3 * original.0 && size.1 == original.1);
}

#[test]
fn folders_and_rated_sets() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    for name in ["restored", "originals"] {
        std::fs::create_dir(at(name)).expect("makes it");
    }
    let original = image::open(Path::new(env!("CARGO_MANIFEST_DIR")).join("images/flowers.png"))
        .expect("reads")
        .to_rgb8();
    let original = image::imageops::crop_imm(&original, 80, 60, 96, 80).to_image();
    let mut list = String::from("distorted,reference,score\n");
    for step in 1..=6u8 {
        let mut restored = original.clone();
        for value in restored.iter_mut() {
            *value = *value / (8 * step) * (8 * step);
        }
        restored.save(at(&format!("restored/{step}.png"))).expect("saves");
        original.save(at(&format!("originals/{step}.png"))).expect("saves");
        let _ = writeln!(list, "restored/{step}.png,originals/{step}.png,{}", 5.0 - 0.6 * f64::from(step));
    }
    let text = told(example("score_folder").arg(at("restored")).arg(at("originals")));
    assert!(text.contains("psnr: 6 pictures, mean ") && text.contains("wadiqam_fr: 6 pictures"), "{text}");

    std::fs::write(at("list.csv"), list).expect("writes");
    let text = told(example("rated_set").arg(at("list.csv")).arg(folder.path()).arg(at("results")));
    // The coarser the steps, the lower the rating and the PSNR.
    assert!(text.contains("psnr: SRCC 1.0000") && text.contains("wadiqam_fr: SRCC"), "{text}");
    assert!(at("results/psnr/scatter.svg").exists());
}

#[test]
fn a_recipe_of_ones_own_learns_and_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = || told(example("own_recipe").arg(folder.path()));
    let text = run();
    let plcc: f64 = text.trim().rsplit(' ').next().and_then(|number| number.parse().ok()).expect("a number");
    assert!(plcc > 0.99, "{text}");
    assert_eq!(run(), text, "there is nothing left to do");
}

#[test]
fn a_web_server_scores_what_it_is_sent() {
    let mut server =
        example("web_handler").arg("127.0.0.1:0").stdout(Stdio::piped()).spawn().expect("starts");
    let mut address = String::new();
    BufReader::new(server.stdout.take().expect("piped")).read_line(&mut address).expect("an address");
    let post = |body: &[u8]| {
        let mut connection = TcpStream::connect(address.trim()).expect("connects");
        write!(connection, "POST / HTTP/1.1\r\nContent-Length: {}\r\n\r\n", body.len()).expect("writes");
        connection.write_all(body).expect("writes");
        let mut answer = String::new();
        connection.read_to_string(&mut answer).expect("an answer");
        answer
    };
    let picture =
        std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(PICTURE)).expect("reads");
    let (good, bad) = (post(&picture), post(b"no picture"));
    server.kill().expect("ends");
    server.wait().expect("ended");
    assert!(
        good.starts_with("HTTP/1.1 200 ") && good.contains("{\"model\":\"wadiqam_nr\",\"score\":0."),
        "{good}"
    );
    assert!(bad.starts_with("HTTP/1.1 400 ") && bad.contains("image in memory"), "{bad}");
}
