//! Draws the reference that HIQA hallucinates for an image, and the discrepancy between the two.

use std::collections::HashMap;
use std::error::Error;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::options::{Known, within};
use crate::output::write_png;
use crate::terminal::Terminal;
use clap::Args;
use iqa_models::core::{FolderClaim, Observer, is_same_file, sha256};
use iqa_models::heads::hiqa::{Hiqa, HiqaScoreOptions, bundled_network};
use iqa_models::{DecodeOptions, Device, device_by_name, read_image};

/// What is drawn of each image.
const KINDS: [&str; 2] = ["hallucinated", "map"];

/// Draws the reference that HIQA hallucinates for an image, and where it differs
///
/// The image may have any size. The discrepancy between the two is drawn too (black: none,
/// white: a quarter of the scale and more).
///
/// Writes NAME.hallucinated.png and NAME.map.png for each image, and over nothing but what it drew of the same file. The exit status is 1 when one could not be read.
#[derive(Args)]
#[command(after_help = "Example:\n  iqa hallucinate --output FOLDER picture.png")]
pub(crate) struct Options {
    /// Images, PNG, JPEG, BMP, TIFF or WebP.
    #[arg(required = true)]
    images: Vec<PathBuf>,
    /// Weights of HIQA with a generator, as `iqa train --recipe hiqa` writes them, instead of the bundled ones.
    #[arg(long)]
    weights: Option<PathBuf>,
    /// Folder for the pictures.
    #[arg(long, default_value = ".")]
    output: PathBuf,
    /// Distance between patches in pixels, at most half a patch (default: half a patch).
    #[arg(long, value_parser = within(1..=usize::from(u16::MAX)))]
    stride: Option<usize>,
    /// Where to compute: flex, wgpu, libtorch, libtorch-cuda or cuda, as compiled in.
    #[arg(long, default_value = "flex", value_parser = Known::DEVICES, hide_possible_values = true)]
    device: String,
}

/// Whether every image was drawn.
pub(crate) fn run(options: &Options) -> Result<bool, Box<dyn Error>> {
    let names = names(&options.images)?;
    let device: Device = device_by_name(&options.device)?;
    let model = match &options.weights {
        Some(file) => Hiqa::load(file, &device)?,
        None => bundled_network(&device)?,
    };
    let model = model.fuse();
    if let (None, Some(file)) = (model.generator(), &options.weights) {
        return Err(format!("{}: the baseline, which has no generator", file.display()).into());
    }
    let half = model.config().patch / 2;
    if let Some(stride) = options.stride.filter(|stride| *stride > half) {
        return Err(
            format!("--stride {stride}: expected at most {half}, half a patch of this network").into()
        );
    }
    let files: Vec<(OsString, String)> = options
        .images
        .iter()
        .zip(&names)
        .flat_map(|(image, name)| KINDS.map(|kind| (picture(name, kind), maker(image))))
        .collect();
    for (file, _) in &files {
        let path = options.output.join(file);
        if options.images.iter().chain(&options.weights).any(|input| is_same_file(input, &path)) {
            return Err(
                format!("{}: would replace what is read; draw into another folder", path.display()).into()
            );
        }
    }
    let _claim = FolderClaim::of_inputs(&options.output, &files)?;
    let terminal = Terminal::new();
    terminal.start(options.images.len(), "images");
    let mut complete = true;
    for (file, name) in options.images.iter().zip(&names) {
        match draw(&model, file, name, options) {
            Ok(pictures) => terminal.suspend(|| say!("{} {}", pictures[0].display(), pictures[1].display())),
            Err(error) => {
                complete = false;
                terminal.suspend(|| note!("error: {error}"));
            }
        }
        terminal.step();
    }
    terminal.end();
    Ok(complete)
}

/// The names of the images' pictures, without their kind: the images' own without extension, each of one image.
fn names(images: &[PathBuf]) -> Result<Vec<OsString>, Box<dyn Error>> {
    let names: Vec<OsString> =
        images.iter().map(|image| image.file_stem().unwrap_or_default().to_owned()).collect();
    let mut first: HashMap<&OsStr, &Path> = HashMap::new();
    for (name, image) in names.iter().zip(images) {
        let other = *first.entry(name).or_insert(image);
        if other != image {
            let (name, other, image) = (name.display(), other.display(), image.display());
            return Err(format!("{other} and {image} would both be drawn as {name}.map.png; draw them into folders of their own").into());
        }
    }
    Ok(names)
}

/// The name of a picture.
fn picture(name: &OsStr, kind: &str) -> OsString {
    let mut name = name.to_owned();
    name.push(format!(".{kind}.png"));
    name
}

/// Who makes the pictures of an image: this program, of the file at its place, by whatever way it is named.
fn maker(image: &Path) -> String {
    let place = std::fs::canonicalize(image).unwrap_or_else(|_| image.to_owned());
    format!("hallucinate {}", sha256(place.as_os_str().as_encoded_bytes()))
}

/// The pictures of one image, as they were written.
fn draw(model: &Hiqa, file: &Path, name: &OsStr, options: &Options) -> Result<[PathBuf; 2], Box<dyn Error>> {
    let image = read_image(file, &DecodeOptions::default())?;
    let score = HiqaScoreOptions { stride: options.stride, ..HiqaScoreOptions::default() };
    let found = model.hallucinate(&image, &score).map_err(|error| format!("{}: {error}", file.display()))?;
    let pictures = KINDS.map(|kind| options.output.join(picture(name, kind)));
    write_png(&pictures[0], &found.image)?;
    write_png(&pictures[1], &found.map)?;
    Ok(pictures)
}
