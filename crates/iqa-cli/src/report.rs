//! `iqa report`: scores, or an evaluation, as a page for a browser.

use std::error::Error;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::Args;
use iqa_models::core::Observer;
use iqa_models::evaluate::html::{Page, Picture, ScoredImage, ScoredImages, ScoredModel};
use iqa_models::{Pair, Pictures, Score, heatmap_panels};

use crate::jobs::{Job, Jobs, PairOptions};
use crate::opening::ModelOptions;
use crate::preprocessing::PreprocessingOptions;
use crate::terminal::Terminal;

/// Shows scores, or an evaluation, on a page for a browser
///
/// Of images scored now, or of what `iqa evaluate` left in a folder. The page is one file that needs nothing else, no network
/// either: tables sorted by a click, thumbnails, heat maps of models that score patches, charts. The exit status is 1 when an
/// image could not be scored; the page says which.
#[derive(Args)]
#[command(after_help = "Examples:
  iqa report restored/ --reference originals/ --model psnr,wadiqam_fr --output report.html
  iqa report photographs/ --recursive --no-thumbnails --output report.html
  iqa report --evaluation results/csiq --images data/csiq --output csiq.html")]
pub(crate) struct Options {
    /// Images to score, as `iqa score` takes them: files, folders or glob patterns.
    #[arg(required_unless_present_any = ["pairs", "evaluation"])]
    distorted: Vec<OsString>,
    #[command(flatten)]
    pairs: PairOptions,
    /// A folder that `iqa evaluate` wrote, of one model on one set.
    #[arg(long, conflicts_with_all = [
        "distorted", "reference", "pairs", "recursive", "model", "weights", "no_thumbnails", "patches", "luma", "crop_border",
        "resize_reference",
    ])]
    evaluation: Option<PathBuf>,
    /// The folder of the images of an evaluation: those on which model and people disagree most are then shown.
    #[arg(long)]
    images: Option<PathBuf>,
    /// The page. Only a page, or an empty file, is replaced.
    #[arg(long)]
    output: PathBuf,
    /// The title of the page of scored images.
    #[arg(long, default_value = "Image quality", conflicts_with = "evaluation")]
    title: String,
    /// Leave out thumbnails and heat maps, some 8 KB each: for thousands of images.
    #[arg(long)]
    no_thumbnails: bool,
    #[command(flatten)]
    models: ModelOptions,
    #[command(flatten)]
    preprocessing: PreprocessingOptions,
}

/// Whether every image was scored.
pub(crate) fn run(options: &Options) -> Result<bool, Box<dyn Error>> {
    let output = &options.output;
    if options.images.is_some() && options.evaluation.is_none() {
        return Err("--images is for --evaluation: scored images are shown as they are".into());
    }
    // Before the work.
    Page::check_target(output)?;
    let (page, complete) = match &options.evaluation {
        Some(folder) => (Page::of_evaluation(folder, options.images.as_deref())?, true),
        None => {
            let scored = score(options)?;
            (Page::of_scores(&options.title, &scored), scored.failures.is_empty())
        }
    };
    page.write(output)?;
    let bytes = std::fs::metadata(output).map_or(0, |found| found.len());
    remark!("{} ({:.1} MB)", output.display(), bytes as f64 / 1e6);
    Ok(complete)
}

fn score(options: &Options) -> Result<ScoredImages, Box<dyn Error>> {
    let (jobs, models) = Jobs::open(&options.distorted, &options.pairs, &options.models, false)?;
    let Jobs { list: jobs, mut failures } = jobs;
    let (labels, scorers) = options.preprocessing.scorers(models)?;
    let models = labels.iter().zip(scorers.each()).map(|(label, scorer)| {
        let (spec, identity) = (scorer.spec(), scorer.identity().to_string());
        ScoredModel { label: label.clone(), identity, direction: spec.direction, range: spec.range }
    });
    let models = models.collect();
    let pairs: Vec<Pair<'_>> = jobs.iter().map(Job::pair).collect();
    let (mut images, mut drawer) = (Vec::with_capacity(jobs.len()), Drawer::default());
    let terminal = Terminal::new();
    terminal.start(jobs.len(), "images");
    scorers.score_pictures(
        &pairs,
        |_| (),
        |index, (), pictures, scores| {
            let mut fail = |error: &iqa_models::ModelError| {
                terminal.suspend(|| note!("error: {error}"));
                failures.push(error.to_string());
            };
            match scores {
                Err(error) => fail(&error),
                Ok(scores) => {
                    scores.iter().filter_map(|score| score.as_ref().err()).for_each(&mut fail);
                    let scores: Vec<Option<Score>> = scores.into_iter().map(Result::ok).collect();
                    if scores.iter().any(Option::is_some) {
                        let mut image = ScoredImage {
                            name: jobs[index].distorted.display().to_string(),
                            reference: jobs[index].reference.as_deref().map(shown),
                            scores: scores.iter().map(|score| Some(score.as_ref()?.value)).collect(),
                            ..ScoredImage::default()
                        };
                        if let Some(pictures) = pictures.filter(|_| !options.no_thumbnails) {
                            drawer.draw(&mut image, &jobs[index], pictures, &labels, &scores)?;
                        }
                        images.push(image);
                    }
                }
            }
            terminal.step();
            Ok::<(), Box<dyn Error>>(())
        },
    )?;
    terminal.end();
    Ok(ScoredImages { models, images, failures })
}

/// Draws thumbnails; that of a reference which comes again is kept.
#[derive(Default)]
struct Drawer {
    reference: Option<(PathBuf, (u32, u32), Picture)>,
}

impl Drawer {
    fn draw(
        &mut self,
        image: &mut ScoredImage,
        job: &Job,
        pictures: Pictures<'_>,
        labels: &[String],
        scores: &[Option<Score>],
    ) -> Result<(), Box<dyn Error>> {
        let Pictures { distorted, reference } = pictures;
        let name = image.name.clone();
        image.picture = Some(Picture::thumbnail(distorted, &name)?);
        if let (Some(reference), Some(file)) = (reference, &job.reference) {
            let size = reference.dimensions();
            let same = |(kept, of, _): &&(PathBuf, (u32, u32), Picture)| kept == file && *of == size;
            let picture = match self.reference.as_ref().filter(same) {
                Some((_, _, picture)) => picture.clone(),
                None => Picture::thumbnail(reference, format!("original: {}", file.display()))?,
            };
            self.reference = Some((file.clone(), size, picture.clone()));
            image.reference_picture = Some(picture);
        }
        let maps = labels.iter().zip(scores).map(|(label, score)| {
            let Some((score, map)) = score.as_ref().and_then(|score| Some((score, score.patches.as_ref()?)))
            else {
                return Ok(None);
            };
            let [distortion, weight] = heatmap_panels(distorted, map, score.direction);
            Ok(Some([
                Picture::thumbnail(&distortion, format!("distortion that {label} sees in {name}"))?,
                Picture::thumbnail(&weight, format!("weight that {label} gives each place of {name}"))?,
            ]))
        });
        image.maps = maps.collect::<Result<_, Box<dyn Error>>>()?;
        Ok(())
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
