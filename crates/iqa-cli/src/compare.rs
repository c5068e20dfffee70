//! `iqa compare`: which of two versions of the same pictures is better?

use std::error::Error;
use std::path::{Path, PathBuf};

use clap::Args;
use iqa_models::core::{Observer, is_same_file};
use iqa_models::evaluate::{ReportConfig, Versions};
use iqa_models::metrics::agreement::MAX_RESAMPLES;
use iqa_models::{ImageInput, Pair};
use serde_json::json;

use crate::jobs::{open_folder, warn_of_own_references};
use crate::opening::{ModelOptions, check_references, need_of};
use crate::options::within;
use crate::preprocessing::PreprocessingOptions;
use crate::terminal::Terminal;

/// Pictures that are named.
const NAMED: usize = 5;

/// Says which of two folders of the same pictures is better, and by how much
///
/// Each picture of the first folder is compared with the one of the same path in the second, or the only one of that path but
/// for the extension. The interval is a bootstrap over the pictures.
#[derive(Args)]
#[command(after_help = "Examples:
  iqa compare ours/ theirs/ --reference originals/ --model psnr,ssim_full,wadiqam_fr
  iqa compare ours/ theirs/ --model wadiqam_nr --json")]
pub(crate) struct Options {
    /// The first folder.
    first: PathBuf,
    /// The second folder.
    second: PathBuf,
    /// A folder with the originals of the pictures.
    #[arg(long)]
    reference: Option<PathBuf>,
    /// Descend into the folders of the folders.
    #[arg(long)]
    recursive: bool,
    #[command(flatten)]
    models: ModelOptions,
    #[command(flatten)]
    preprocessing: PreprocessingOptions,
    /// Resamples of the bootstrap.
    #[arg(long, default_value_t = 1000, value_parser = within(1..=MAX_RESAMPLES))]
    resamples: usize,
    /// As JSON, one object a model.
    #[arg(long)]
    json: bool,
}

/// Both versions of a picture.
struct Picture {
    below: PathBuf,
    versions: [PathBuf; 2],
    reference: Option<PathBuf>,
}

/// Whether every picture had its partners and scores.
pub(crate) fn run(options: &Options) -> Result<bool, Box<dyn Error>> {
    let folders = [Some(&options.first), Some(&options.second), options.reference.as_ref()];
    if let Some(file) = folders.into_iter().flatten().find(|path| path.is_file()) {
        return Err(format!("{}: expected a folder; `iqa score` is for single files", file.display()).into());
    }
    let models = options.models.open(Some(need_of(options.reference.is_some())), false)?;
    check_references(&models, options.reference.is_some())?;
    let (pictures, mut complete) = pictures(options)?;
    if is_same_file(&options.first, &options.second) {
        remark!("warning: {}: compared with itself", options.first.display());
    }
    warn_of_own_references(pictures.iter().flat_map(|picture| {
        let reference = picture.reference.as_deref();
        picture.versions.iter().filter_map(move |version| Some((&**version, reference?)))
    }));
    let (labels, scorers) = options.preprocessing.scorers(models)?;
    if let [only] = &pictures[..] {
        let path = only.versions[0].display();
        return Err(format!("{path}: one picture has no interval; `iqa score` gives both scores").into());
    }
    let pairs: Vec<Pair<'_>> = pictures
        .iter()
        .flat_map(|picture| {
            picture.versions.iter().map(|version| Pair {
                distorted: version.into(),
                reference: picture.reference.as_ref().map(ImageInput::from),
            })
        })
        .collect();
    let terminal = Terminal::new();
    terminal.start(pairs.len(), "images");
    // By model and version.
    let mut found: Vec<Vec<Option<f64>>> = vec![Vec::with_capacity(pairs.len()); labels.len()];
    scorers.score_pairs(&pairs, |_, scores| {
        let mut value = |score: Result<f64, iqa_models::ModelError>| {
            score
                .map_err(|error| {
                    complete = false;
                    terminal.suspend(|| note!("error: {error}"));
                })
                .ok()
        };
        match scores {
            Ok(scores) => {
                for (found, score) in found.iter_mut().zip(scores) {
                    found.push(value(score.map(|score| score.value)));
                }
            }
            Err(error) => {
                value(Err(error));
                found.iter_mut().for_each(|found| found.push(None));
            }
        }
        terminal.step();
        Ok::<(), Box<dyn Error>>(())
    })?;
    terminal.end();
    let report =
        ReportConfig { resamples: options.resamples, seed: options.models.seed(), ..ReportConfig::default() };
    for ((label, scorer), found) in labels.iter().zip(scorers.each()).zip(&found) {
        let both: Vec<(usize, f64, f64)> = found
            .chunks_exact(2)
            .enumerate()
            .filter_map(|(index, scores)| Some((index, scores[0]?, scores[1]?)))
            .collect();
        let list = |of: fn(&(usize, f64, f64)) -> f64| both.iter().map(of).collect::<Vec<f64>>();
        let (first, second) = (list(|scores| scores.1), list(|scores| scores.2));
        let versions = Versions::new(label, scorer.spec().direction, &first, &second, &report)
            .map_err(|error| format!("{label}: {error}"))?;
        let name =
            |&(place, difference): &(usize, f64)| (pictures[both[place].0].below.as_path(), difference);
        let most: Vec<(&Path, f64)> = versions.most.iter().take(NAMED).map(name).collect();
        if options.json {
            let mut line = serde_json::to_value(&versions)?;
            line["most"] = most.iter().map(|(path, by)| json!({ "image": path, "difference": by })).collect();
            line["first"] = json!(options.first);
            line["second"] = json!(options.second);
            say!("{line}");
        } else {
            say!("{}", describe(options, &versions, &most));
        }
    }
    Ok(complete)
}

fn describe(options: &Options, versions: &Versions, most: &[(&Path, f64)]) -> String {
    let Versions { model, direction, images, means: [first, second], difference, wins, ties, losses, .. } =
        versions;
    let [low, high] = difference.interval;
    let [a, b] = [&options.first, &options.second].map(|path| path.display());
    let verdict = match (versions.differ(), difference.value > 0.0) {
        (false, _) => "no difference can be told".to_owned(),
        (true, true) => format!("{a} is better"),
        (true, false) => format!("{b} is better"),
    };
    let most: Vec<String> = most.iter().map(|(path, by)| format!("{} ({by:+.4})", path.display())).collect();
    format!(
        "{model} ({direction}), {images} images: {verdict}\n  mean {first:.4} and {second:.4}; in quality {:+.4}, \
         95 % interval {low:+.4} to {high:+.4}\n  {a} is better on {wins}, {b} on {losses}, equal on {ties}\n  \
         most different: {}",
        difference.value,
        most.join(", ")
    )
}

/// The pictures that have all they need, and whether all have.
fn pictures(options: &Options) -> Result<(Vec<Picture>, bool), Box<dyn Error>> {
    let [first, second] = [&options.first, &options.second].map(|path| open_folder(path, options.recursive));
    let (first, second) = (first?, second?);
    let references = options.reference.as_ref().map(|path| open_folder(path, options.recursive));
    let references = references.transpose()?;
    let mut complete = true;
    let mut fail = |path: &Path, reason: &str| {
        note!("error: {}: {reason}", path.display());
        complete = false;
    };
    let mut pictures = Vec::new();
    let mut used = std::collections::HashSet::new();
    for file in first.files() {
        let below = file.strip_prefix(&options.first).unwrap_or(&file).to_path_buf();
        // Each is the partner of the other: of `a.png` and `a.jpg` one alone can be that of `a.png`.
        let back = |other: &PathBuf| first.find(other.strip_prefix(&options.second).unwrap_or(other));
        let Some(other) = second.find(&below).filter(|other| back(other).as_ref() == Some(&file)) else {
            fail(&file, "the second folder has no picture of this name, or it is that of another");
            continue;
        };
        used.insert(other.clone());
        let reference = match &references {
            None => None,
            Some(folder) => match folder.find(&below) {
                None => {
                    fail(&file, "the folder of references has no picture of this name, or several");
                    continue;
                }
                found => found,
            },
        };
        pictures.push(Picture { below, versions: [file, other], reference });
    }
    for file in second.files().filter(|file| !used.contains(file)) {
        fail(&file, "the first folder has no picture of this name, or it is that of another");
    }
    if pictures.is_empty() {
        return Err("no picture is in both folders".into());
    }
    Ok((pictures, complete))
}
