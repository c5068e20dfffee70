//! `iqa score`: scores image files.

mod content;
mod output;
mod parquet;
mod record;
mod tally;

use std::error::Error;
use std::ffi::OsString;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use content::Contents;
use iqa_models::core::{Observer, is_same_file, output_target};
use iqa_models::image::RgbImage;
use iqa_models::{ModelError, Pair, Score, Scores, available_devices, heatmap};
use output::{Format, Writer};

use crate::config::config;
use crate::jobs::{Job, Jobs, PairOptions};
use crate::opening::ModelOptions;
use crate::output::write_png;
use crate::preprocessing::PreprocessingOptions;
use crate::terminal::Terminal;

/// Scores how good images look to a person
///
/// Of one image, of several, of a folder; each against its own reference, against one for all, or without. By one model or
/// several. Scores go to standard output; errors, progress and the summary to standard error. The exit status is 1 when an image
/// could not be scored, or has no partner.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    /// Images to score: files, folders or glob patterns. Of a folder those with a usual extension; hidden files are left
    /// out.
    #[arg(required_unless_present = "pairs")]
    distorted: Vec<OsString>,
    #[command(flatten)]
    pairs: PairOptions,
    #[command(flatten)]
    models: ModelOptions,
    #[command(flatten)]
    preprocessing: PreprocessingOptions,
    /// Form of the output; `json` is one object a line, `parquet` is for `--output` alone [default: by the ending of --output, if it
    /// is .csv or .parquet; json with another; text without].
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

const EXAMPLES: &str = "Examples:
  iqa score --reference original.png distorted.jpg
  iqa score photographs/ --recursive --output scores.json
  iqa score restored/ --reference originals/ --model psnr,ssim_full,wadiqam_fr --format csv > scores.csv
  iqa score --pairs list.csv --model vsi --crop-border 4 --luma";

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

/// Whether every image was scored.
pub(crate) fn run(options: &Options) -> Result<bool, Box<dyn Error>> {
    if options.models.asks_for_devices() {
        say!("{}", available_devices().join("\n"));
        return Ok(true);
    }
    let (jobs, models) =
        Jobs::open(&options.distorted, &options.pairs, &options.models, options.heatmap.is_some())?;
    let Jobs { list: mut jobs, failures } = jobs;
    let mut complete = failures.is_empty();
    let alone = jobs.len() == 1;
    if let Some(shard) = options.shard {
        let all = jobs.len();
        jobs = jobs[shard.of(all)].to_vec();
        if jobs.is_empty() && all > 0 {
            remark!("part {} of {} has none of the {all} images", shard.index + 1, shard.count);
        }
    }
    let format = options.format.unwrap_or_else(|| Format::of(options.output.as_deref()));
    if options.heatmap.is_some() && (!alone || models.len() > 1) {
        return Err(format!(
            "--heatmap takes one image and one model, not {} and {}",
            jobs.len(),
            models.len()
        )
        .into());
    }
    options.heatmap.iter().try_for_each(|path| check_heatmap(path, options, &jobs))?;
    let (labels, scorers) = options.preprocessing.scorers(models)?;
    let mut writer = Writer::new(format, labels.into_iter().zip(scorers.each()));
    let first = options.shard.is_none_or(|shard| shard.index == 0);
    match &options.output {
        Some(path) if format == Format::Parquet => writer.grow_towards(path, &mut jobs)?,
        Some(path) => writer.go_on_in(path, &mut jobs, first)?,
        None if format == Format::Parquet => return Err("--format parquet needs --output".into()),
        None => writer.begin(first)?,
    }
    if writer.incomplete > 0 {
        complete = false;
        note!("error: {} images of the earlier run lack the score of some model", writer.incomplete);
    }
    let terminal = Terminal::new();
    terminal.start(jobs.len(), "images");
    let start = Instant::now();
    let pairs: Vec<Pair<'_>> = jobs.iter().map(Job::pair).collect();
    let mut contents = Contents::default();
    // Before they are decoded: a picture that is replaced meanwhile is refused later, and never taken for scored.
    let before = |index: usize| [contents.of(&jobs[index].distorted), contents.of_reference(&jobs[index])];
    scorers.score_pictures(&pairs, before, |index, contents, pictures, scores: Scores| {
        let job = &jobs[index];
        let mut fail = |error: &ModelError| {
            complete = false;
            terminal.suspend(|| note!("error: {error}"));
        };
        match scores {
            Err(error) => fail(&error),
            Ok(scores) => {
                scores.iter().filter_map(|score| score.as_ref().err()).for_each(fail);
                if let ([Ok(score)], Some(path), Some(pictures)) = (&scores[..], &options.heatmap, pictures) {
                    draw(path, pictures.distorted, score)?;
                }
                if scores.iter().any(Result::is_ok) {
                    terminal.suspend(|| writer.write(job, &contents, &scores))?;
                }
            }
        }
        terminal.step();
        Ok::<(), Box<dyn Error>>(())
    })?;
    terminal.end();
    writer.finish()?;
    writer.summarise();
    crate::output::detail(format_args!("{} images in {:.2} s", jobs.len(), start.elapsed().as_secs_f64()));
    Ok(complete)
}

/// That the heat map goes over no device, no pipe and nothing that is read, by whatever name.
fn check_heatmap(path: &Path, options: &Options, jobs: &[Job]) -> Result<(), Box<dyn Error>> {
    output_target(path).map_err(|error| format!("--heatmap {error}"))?;
    let pictures = jobs.iter().flat_map(|job| [Some(job.distorted.clone()), job.reference.clone()]);
    let lists = [options.pairs.pairs.clone(), config().file.clone()];
    let mut read = pictures.chain(lists).flatten().chain(options.models.weights());
    if read.any(|input| is_same_file(&input, path)) {
        return Err(format!("--heatmap {}: would replace what is read", path.display()).into());
    }
    Ok(())
}

fn draw(path: &Path, image: &RgbImage, score: &Score) -> Result<(), Box<dyn Error>> {
    let Some(patches) = &score.patches else {
        return Err("--heatmap: this model does not score patches; wadiqam_fr and wadiqam_nr do".into());
    };
    write_png(path, &heatmap(image, patches, score.direction))
}
