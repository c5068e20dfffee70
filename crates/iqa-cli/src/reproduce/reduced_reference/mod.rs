//! How much of the reference does a full-reference model need? Section IV-I of Bosse et al. 2018, on photographs or a rated
//! set.

mod curve;

use std::collections::HashSet;
use std::error::Error;
use std::fmt::Write as _;
use std::path::PathBuf;

use crate::options::{Known, photographs, photographs_by_name, within};
use crate::sets::SetOptions;
use crate::terminal::Terminal;
use clap::{Args, ValueEnum};
use iqa_models::core::{FolderClaim, Observer, write_atomically};
use iqa_models::datasets::split::SplitPreset;
use iqa_models::datasets::synthetic::{SyntheticConfig, SyntheticGrid};
use iqa_models::datasets::{DataSet, DatasetError};
use iqa_models::heads::wadiqam::{
    FeaturePca, MAX_PATCHES, PatchSampler, PcaFit, PreparedReference, ScoreOptions, Wadiqam, WadiqamConfig,
    bundled,
};
use iqa_models::image::RgbImage;
use iqa_models::metrics::agreement::{plcc, srcc};
use iqa_models::nn::{NamedTensors, device_by_name};
use iqa_models::train::{SetValidation, ValidationPairs};

use curve::{Point, write_curve};

/// Fits principal components on the reference features of photographs, or of the training part of a rated set, scores
/// others with the reference known by its first components alone, and draws the rank correlation with the labels over their
/// number.
#[derive(Args)]
#[command(after_help = "Examples:
  iqa reproduce reduced-reference --photographs FOLDER --test NAME,NAME --output OUT
  iqa reproduce reduced-reference --set live --root data/live --split bosse_live --random-patches 32 --output OUT")]
pub(crate) struct Options {
    /// Folder of pristine photographs, each at least 512x384 (or 384x512), to be distorted.
    #[arg(long, conflicts_with = "set", requires = "test")]
    photographs: Option<PathBuf>,
    /// Photographs to score on, the others being those to fit on: names without extension, separated by commas.
    #[arg(long, value_delimiter = ',', requires = "photographs")]
    test: Vec<String>,
    #[command(flatten)]
    rated: SetOptions,
    /// How a rated set is split: a paper's preset.
    #[arg(long, requires = "set")]
    split: Option<SplitPreset>,
    /// Looks at so many random patches of each image, as the paper with 32, in place of the grid.
    #[arg(long, value_parser = within(1..=MAX_PATCHES))]
    random_patches: Option<usize>,
    /// Folder for the components, the table and the curve.
    #[arg(long)]
    output: PathBuf,
    /// Pooling of the network.
    #[arg(long, value_enum, default_value_t = Model::WadiqamFr)]
    model: Model,
    /// Weights of the full-reference network [default: the bundled ones of wadiqam_fr].
    #[arg(long)]
    weights: Option<PathBuf>,
    /// Patches to fit on, from all photographs together (the paper: 4000).
    #[arg(long, default_value_t = 4000)]
    patches: usize,
    /// Numbers of components to try; those beyond the features are left out, the full reference is added.
    #[arg(long, value_delimiter = ',', default_value = "0,1,2,3,4,6,8,12,16,24,32,64,128,256,512")]
    components: Vec<usize>,
    /// Seed of the patches and the distortions.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Device to score on: flex, wgpu, libtorch, libtorch-cuda or cuda, as compiled in.
    #[arg(long, default_value = "flex", value_parser = Known::DEVICES, hide_possible_values = true)]
    device: String,
}

#[derive(Clone, Copy, ValueEnum)]
enum Model {
    /// Weighted mean of patches.
    WadiqamFr,
    /// Plain mean of patches.
    DiqamFr,
}

pub(crate) fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let device = device_by_name(&options.device)?;
    let expected = match options.model {
        Model::WadiqamFr => WadiqamConfig::wadiqam_fr(),
        Model::DiqamFr => WadiqamConfig::diqam_fr(),
    };
    let model = match &options.weights {
        Some(weights) => Wadiqam::load(weights, &expected, &device)?,
        None => {
            let tensors = NamedTensors::from_safetensors(bundled(true), "bundled weights")?;
            Wadiqam::from_tensors(tensors, &expected, &device)?
        }
    };
    let files = ["components.safetensors", "reduced_reference.md", "reduced_reference.svg"];
    let _claim = FolderClaim::new(&options.output, "reduced_reference", &files)?;
    let set = options.rated.open()?;
    let material = Material::open(options, set.as_ref())?;
    let pca = fit(&model, &material.references, options)?;
    pca.save(&options.output.join("components.safetensors"))?;

    let mut counts: Vec<usize> =
        options.components.iter().copied().filter(|&k| k <= pca.features()).collect();
    counts.sort_unstable();
    counts.dedup();
    let sampler = match options.random_patches {
        Some(patches) => PatchSampler::Random { patches, seed: options.seed },
        None => PatchSampler::official(),
    };
    let (full, points) = score(&model, &pca, &*material.test, sampler, &counts)?;
    let text = table(&pca, material.test.samples(), full, &points)?;
    say!("{text}");
    write_atomically(&options.output.join("reduced_reference.md"), text.as_bytes())?;
    write_curve(&options.output.join("reduced_reference.svg"), full, &points)
}

/// What is fitted on, and what is scored: of other references.
struct Material<'a> {
    references: Vec<RgbImage>,
    test: Box<dyn ValidationPairs + 'a>,
}

impl<'a> Material<'a> {
    fn open(options: &Options, set: Option<&'a DataSet>) -> Result<Self, Box<dyn Error>> {
        if let Some(set) = set {
            let split =
                options.split.ok_or("--set needs --split, a paper's preset")?.first(set, options.seed)?;
            let training = SetValidation::new(set, split.train());
            let mut seen = HashSet::new();
            let mut references = Vec::new();
            for (index, &sample) in split.train().iter().enumerate() {
                if seen.insert(set.samples()[sample].reference_id.clone()) {
                    references.push(training.pair(index)?.reference.ok_or("the set has no references")?);
                }
            }
            return Ok(Self { references, test: Box::new(SetValidation::new(set, split.test())) });
        }
        let folder = options.photographs.as_deref().ok_or("give --photographs, or --set with --root")?;
        let all = photographs(folder, None)?;
        let test = photographs_by_name(&all, &options.test)?;
        let others = (0..all.len()).filter(|index| !test.contains(index));
        let references = others.map(|index| Ok(RgbImage::clone(&*all[index].image()?)));
        let references: Vec<RgbImage> = references.collect::<Result<_, DatasetError>>()?;
        if references.is_empty() {
            return Err("no photograph is left to fit the components on".into());
        }
        let config = SyntheticConfig { continuous_levels: false, ..SyntheticConfig::default() };
        Ok(Self { references, test: Box::new(SyntheticGrid::new(all, &test, config, options.seed)?) })
    }
}

fn fit(model: &Wadiqam, references: &[RgbImage], options: &Options) -> Result<FeaturePca, Box<dyn Error>> {
    let mut fit = PcaFit::new(model.config().features());
    let patches = options.patches.div_ceil(references.len());
    let terminal = Terminal::new();
    terminal.start(references.len(), "references to fit on");
    for reference in references {
        let sampler = PatchSampler::Random { patches, seed: options.seed }.for_picture(reference);
        fit.add(&model.prepare(reference, &ScoreOptions { sampler, ..Default::default() })?)?;
        terminal.step();
    }
    terminal.end();
    remark!("{} patches of {} references fitted", fit.patches(), references.len());
    Ok(fit.finish()?)
}

/// The figures with the whole reference, and with each number of components.
fn score(
    model: &Wadiqam,
    pca: &FeaturePca,
    set: &dyn ValidationPairs,
    sampler: PatchSampler,
    counts: &[usize],
) -> Result<(Point, Vec<Point>), Box<dyn Error>> {
    let spec = model.score_spec();
    let mut labels = Vec::with_capacity(set.samples());
    // One list a number of components, and a last one for the whole reference.
    let mut scores: Vec<Vec<f64>> = vec![Vec::with_capacity(set.samples()); counts.len() + 1];
    // By which reference and which patches of it.
    let mut versions: Option<(RgbImage, PatchSampler, Vec<PreparedReference>)> = None;
    let terminal = Terminal::new();
    terminal.start(set.samples(), "images to score");
    for index in 0..set.samples() {
        let pair = set.pair(index)?;
        let reference = pair.reference.ok_or("an image has no reference")?;
        let options = ScoreOptions { sampler: sampler.for_picture(&pair.distorted), ..Default::default() };
        let known = |(of, at, _): &(RgbImage, PatchSampler, _)| *at == options.sampler && *of == reference;
        if !versions.as_ref().is_some_and(known) {
            let whole = model.prepare(&reference, &options)?;
            let mut rebuilt = counts
                .iter()
                .map(|&k| pca.rebuild(&pca.reduce(&whole, k)?, &model.device()))
                .collect::<Result<Vec<_>, _>>()?;
            rebuilt.push(whole);
            versions = Some((reference, options.sampler, rebuilt));
        }
        // The distorted image goes through the network once, whatever it is compared with.
        let distorted = model.prepare(&pair.distorted, &options)?.features();
        for (scores, reference) in scores.iter_mut().zip(versions.iter().flat_map(|(_, _, list)| list)) {
            let fused = model.fuse(distorted.clone(), reference.features());
            let value = model.patch_scores(fused).pool(1).into_scalar::<f32>();
            scores.push(spec.quality01(f64::from(value)));
        }
        labels.push(pair.quality01);
        terminal.step();
    }
    terminal.end();
    let point = |components: usize, scores: &[f64]| -> Result<Point, Box<dyn Error>> {
        Ok(Point { components, srcc: srcc(scores, &labels)?, plcc: plcc(scores, &labels)? })
    };
    let full = point(pca.features(), &scores[counts.len()])?;
    let points = counts.iter().zip(&scores).map(|(&k, scores)| point(k, scores)).collect::<Result<_, _>>()?;
    Ok((full, points))
}

fn table(pca: &FeaturePca, images: usize, full: Point, points: &[Point]) -> Result<String, std::fmt::Error> {
    let total: f64 = pca.variances().iter().sum();
    let mut text = format!("{images} images; {} features a patch.\n\n", pca.features());
    writeln!(text, "| components | variance kept | SRCC | PLCC |\n|---|---|---|---|")?;
    for point in points {
        let kept = pca.variances()[..point.components].iter().sum::<f64>() / total;
        let Point { components, srcc, plcc } = point;
        // The sum of none is -0.
        writeln!(text, "| {components} | {:.1} % | {srcc:.4} | {plcc:.4} |", 100.0 * kept.abs())?;
    }
    writeln!(text, "| the reference itself | | {:.4} | {:.4} |", full.srcc, full.plcc)?;
    Ok(text)
}
