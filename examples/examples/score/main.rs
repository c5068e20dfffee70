//! Scores image files.
//!
//! ```text
//! cargo run --release --example score -- --reference original.png distorted.jpg more/*.png
//! ```

mod output;

use std::error::Error;
use std::ffi::OsString;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::builder::PossibleValuesParser;
use clap::{Parser, ValueEnum};
use iqa_examples::output::finish;
use iqa_examples::{Terminal, note, say};
use iqa_models::core::{Observer, images_in, write_atomically};
use iqa_models::{
    FloatDType, ImageInput, ModelError, ReferenceNeed, Score, Scorer, available_devices, device_by_name,
    device_with_float, heatmap, model_by_name, models, read_image,
};
use output::{Content, Format, ReaderGone, Writer};

/// Scores how good images look to a person.
///
/// One line an image on standard output; errors and progress on standard error. The exit status is 1 when an image
/// could not be scored.
#[derive(Parser)]
struct Options {
    /// Images to score: files, folders or glob patterns. Of a folder those with a usual extension; hidden files are left
    /// out.
    #[arg(required = true)]
    distorted: Vec<OsString>,
    /// Descend into the folders of a folder.
    #[arg(long)]
    recursive: bool,
    /// The model; some have bundled weights [default: wadiqam_fr with a reference, wadiqam_nr without].
    #[arg(long, value_parser = PossibleValuesParser::new(models().map(|model| model.name)))]
    model: Option<String>,
    /// Weights to use instead of the bundled ones: our safetensors; for DIQaM and WaDIQaM also deepIQA's `.model` or a
    /// `.pth` of lidq92 or pyiqa.
    #[arg(long)]
    weights: Option<PathBuf>,
    /// The pristine original of all the images, for a full-reference model.
    #[arg(long)]
    reference: Option<PathBuf>,
    /// Where to compute; the devices of this build are listed by `--device help`.
    #[arg(long, default_value = "flex")]
    device: String,
    /// Compute in half precision: faster on some GPUs, and less exact.
    #[arg(long, value_enum)]
    float: Option<Half>,
    /// Form of the output; `json` is one object a line [default: text; json with --output].
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Write the scores to this file; a run that was stopped goes on after the images it holds.
    #[arg(long)]
    output: Option<PathBuf>,
    /// Score one part of the images: `2/5` is the second of five. The parts' outputs one after another are that of a
    /// single run; of more parts than images some have none, which is told, and no error.
    #[arg(long, value_parser = Shard::parse)]
    shard: Option<Shard>,
    /// Also draw image, local distortion and patch weights side by side (PNG); for one image, which is scored anew: not with
    /// `--output`.
    #[arg(long, conflicts_with = "output")]
    heatmap: Option<PathBuf>,
}

/// Part `index` (from 0) of `count`.
#[derive(Clone, Copy)]
struct Shard {
    index: usize,
    count: usize,
}

impl Shard {
    fn parse(text: &str) -> Result<Self, String> {
        let expected = || "expected a part of all, such as 2/5".to_owned();
        let (part, count) = text.split_once('/').ok_or_else(expected)?;
        match (part.parse::<usize>(), count.parse()) {
            (Ok(part), Ok(count)) if (1..=count).contains(&part) => Ok(Self { index: part - 1, count }),
            _ => Err(expected()),
        }
    }

    /// Its part of so many images, which the parts divide evenly and in their order.
    fn of(self, images: usize) -> Range<usize> {
        let start = |index: usize| (images as u128 * index as u128 / self.count as u128) as usize;
        start(self.index)..start(self.index + 1)
    }
}

fn main() -> ExitCode {
    let done = match run(&Options::parse()) {
        // Whoever closed it wants no more scores.
        Err(error) if error.is::<ReaderGone>() => Ok(true),
        done => done,
    };
    iqa_examples::warn_of_profile();
    finish(done.map(|complete| if complete { ExitCode::SUCCESS } else { ExitCode::from(1) }), 2)
}

/// A type of half the size.
#[derive(Clone, Copy, ValueEnum)]
enum Half {
    /// IEEE 754, eleven binary digits.
    F16,
    /// The range of f32, eight binary digits.
    Bf16,
}

/// Whether every image was scored.
fn run(options: &Options) -> Result<bool, Box<dyn Error>> {
    if options.device == "help" {
        say!("{}", available_devices().join("\n"));
        return Ok(true);
    }
    let default = if options.reference.is_some() { "wadiqam_fr" } else { "wadiqam_nr" };
    let model = options.model.as_deref().unwrap_or(default);
    let device = match options.float {
        None => device_by_name(&options.device)?,
        Some(Half::F16) => device_with_float(&options.device, FloatDType::F16)?,
        Some(Half::Bf16) => device_with_float(&options.device, FloatDType::BF16)?,
    };
    match (model_by_name(model)?.reference, &options.reference) {
        (ReferenceNeed::FullReference, None) => return Err(format!("`{model}` needs --reference").into()),
        (ReferenceNeed::NoReference, Some(_)) => return Err(format!("`{model}` takes no --reference").into()),
        _ => {}
    }
    let terminal = Terminal::new();
    let scorer = Scorer::open_observed(model, options.weights.as_deref(), &[], &device, &terminal)?;
    if let (Some(weights), Some(remark)) = (&options.weights, scorer.weights_remark()) {
        note!("{}: {remark}", weights.display());
    }
    let (mut files, mut complete) = expand(&options.distorted, options.recursive);
    // With one image the reference is not kept: less memory for the same work.
    let alone = files.len() == 1;
    if let Some(shard) = options.shard {
        let all = files.len();
        files = files[shard.of(all)].to_vec();
        if files.is_empty() && all > 0 {
            note!("part {} of {} has none of the {all} images", shard.index + 1, shard.count);
        }
    }
    let default = if options.output.is_some() { Format::Json } else { Format::Text };
    let format = options.format.unwrap_or(default);
    if options.heatmap.is_some() && !alone {
        return Err(format!("--heatmap takes one image, not {}", files.len()).into());
    }
    let heatmap = options.heatmap.as_deref().map(|path| heatmap_target(path, options, &files)).transpose()?;
    let mut writer = Writer::new(format, &scorer, options.reference.as_deref())?;
    let first = options.shard.is_none_or(|shard| shard.index == 0);
    match &options.output {
        Some(path) => writer.go_on_in(path, &mut files, first)?,
        None => writer.begin(first)?,
    }
    if files.is_empty() {
        return Ok(complete);
    }
    terminal.start(files.len(), "images");
    let mut report =
        |file: &Path, content: Content, score: Result<Score, ModelError>| -> Result<(), Box<dyn Error>> {
            match score {
                Ok(score) => {
                    draw(heatmap.as_deref(), file, &score)?;
                    terminal.suspend(|| writer.write(file, &content, &score))?;
                }
                Err(error) => {
                    complete = false;
                    terminal.suspend(|| note!("error: {error}"));
                }
            }
            terminal.step();
            Ok(())
        };
    match (&options.reference, files.as_slice()) {
        (Some(reference), [file]) if alone => {
            report(file, Content::of(file), scorer.score_pair(file, reference))?;
        }
        (reference, _) => {
            let prepared = reference.as_ref().map(|reference| scorer.prepare(reference)).transpose()?;
            let inputs: Vec<ImageInput<'_>> = files.iter().map(ImageInput::from).collect();
            // Before it is decoded: a picture that is replaced meanwhile is refused later, and never taken for scored.
            let content = |index: usize| Content::of(&files[index]);
            scorer.score_each_after(&inputs, prepared.as_ref(), content, |index, content, score| {
                report(&files[index], content, score)
            })?;
        }
    }
    terminal.end();
    Ok(complete)
}

/// Where the heat map goes: behind a link what it leads to, and never over a device, a pipe or what is read.
fn heatmap_target(path: &Path, options: &Options, files: &[PathBuf]) -> Result<PathBuf, Box<dyn Error>> {
    let Ok(target) = path.canonicalize() else { return Ok(path.into()) };
    if !target.is_file() {
        return Err(format!("--heatmap {}: not a file", path.display()).into());
    }
    let mut read = files.iter().chain(&options.reference).chain(&options.weights);
    if read.any(|input| input.canonicalize().is_ok_and(|input| input == target)) {
        return Err(format!("--heatmap {}: would replace what is read", path.display()).into());
    }
    Ok(target)
}

/// Draws the heat map, if one was asked for.
fn draw(path: Option<&Path>, file: &Path, score: &Score) -> Result<(), Box<dyn Error>> {
    let Some(path) = path else { return Ok(()) };
    let Some(patches) = &score.patches else {
        return Err("--heatmap: this model does not score patches".into());
    };
    let image = read_image(file, &iqa_models::DecodeOptions::default())?;
    write_png(path, &heatmap(&image, patches, score.direction))
}

/// The files that the arguments name, and whether every argument named some.
fn expand(arguments: &[OsString], recursive: bool) -> (Vec<PathBuf>, bool) {
    let mut files = Vec::new();
    let mut complete = true;
    for argument in arguments {
        let path = Path::new(argument);
        let found: Vec<PathBuf> = if path.is_dir() {
            match images_in(path, recursive) {
                Ok(found) => found,
                Err(error) => {
                    note!("error: {error}");
                    complete = false;
                    continue;
                }
            }
        } else {
            // What is no text is no pattern. A missing file stays in the list: scoring it says what is wrong with it.
            match argument.to_str().filter(|text| !path.exists() && text.contains(['*', '?', '['])) {
                Some(pattern) => {
                    glob::glob(pattern).map(|paths| paths.flatten().collect()).unwrap_or_default()
                }
                None => vec![path.into()],
            }
        };
        if found.is_empty() {
            note!("error: {}: no image there", path.display());
            complete = false;
        }
        files.extend(found);
    }
    (files, complete)
}

fn write_png(path: &Path, picture: &iqa_models::image::RgbImage) -> Result<(), Box<dyn Error>> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, iqa_models::image::ImageFormat::Png)?;
    Ok(write_atomically(path, &bytes.into_inner())?)
}
