//! How much of the reference does a full-reference model need? Section IV-I of Bosse et al. 2018 on photographs.

mod curve;

use std::error::Error;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use crate::options::photographs_by_name;
use crate::terminal::Terminal;
use clap::{Args, ValueEnum};
use iqa_models::core::{FolderClaim, Observer, write_atomically};
use iqa_models::datasets::synthetic::{Reference, SyntheticConfig, SyntheticGrid, load_references};
use iqa_models::heads::wadiqam::{
    FeaturePca, PatchSampler, PcaFit, PreparedReference, ScoreOptions, Wadiqam, WadiqamConfig,
};
use iqa_models::metrics::agreement::{plcc, srcc};
use iqa_models::nn::device_by_name;

use curve::{Point, write_curve};

/// Fits principal components on the reference features of photographs, scores a synthetic set on other photographs with
/// the reference known by its first components alone, and draws the rank correlation with the labels over their number.
#[derive(Args)]
pub(crate) struct Options {
    /// Folder of pristine photographs, each at least 512x384 (or 384x512).
    #[arg(long)]
    photographs: PathBuf,
    /// Photographs to score on, the others being those to fit on: names without extension, separated by commas.
    #[arg(long, value_delimiter = ',', required = true)]
    test: Vec<String>,
    /// Folder for the components, the table and the curve.
    #[arg(long)]
    output: PathBuf,
    /// Pooling of the network.
    #[arg(long, value_enum, default_value_t = Model::WadiqamFr)]
    model: Model,
    /// Weights of the full-reference network.
    #[arg(long, default_value = "crates/iqa-heads/weights/wadiqam_fr.safetensors")]
    weights: PathBuf,
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
    #[arg(long, default_value = "flex")]
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
    let model = Wadiqam::load(&options.weights, &expected, &device)?;
    let files = ["components.safetensors", "reduced_reference.md", "reduced_reference.svg"];
    let _claim = FolderClaim::new(&options.output, "reduced_reference", &files)?;
    let references = Arc::new(load_references(&options.photographs)?);
    let test = photographs_by_name(&references, &options.test)?;
    let training: Vec<usize> = (0..references.len()).filter(|index| !test.contains(index)).collect();
    if training.is_empty() {
        return Err("no photograph is left to fit the components on".into());
    }
    let pca = fit(&model, &references, &training, options)?;
    pca.save(&options.output.join("components.safetensors"))?;

    let config = SyntheticConfig { continuous_levels: false, ..SyntheticConfig::default() };
    let set = SyntheticGrid::new(references, &test, config, options.seed)?;
    let mut counts: Vec<usize> =
        options.components.iter().copied().filter(|&k| k <= pca.features()).collect();
    counts.sort_unstable();
    counts.dedup();
    let (full, points) = score(&model, &pca, &set, &counts)?;
    let text = table(&pca, &set, full, &points)?;
    say!("{text}");
    write_atomically(&options.output.join("reduced_reference.md"), text.as_bytes())?;
    write_curve(&options.output.join("reduced_reference.svg"), full, &points)
}

fn fit(
    model: &Wadiqam,
    references: &[Reference],
    training: &[usize],
    options: &Options,
) -> Result<FeaturePca, Box<dyn Error>> {
    let mut fit = PcaFit::new(model.config().features());
    let patches = options.patches.div_ceil(training.len());
    let terminal = Terminal::new();
    terminal.start(training.len(), "photographs to fit on");
    for &index in training {
        let seed = options.seed.wrapping_add(index as u64);
        let sampler = PatchSampler::Random { patches, seed };
        fit.add(&model.prepare(&references[index].image, &ScoreOptions { sampler, ..Default::default() })?)?;
        terminal.step();
    }
    terminal.end();
    say!("{} patches of {} photographs fitted", fit.patches(), training.len());
    Ok(fit.finish()?)
}

/// The figures with the whole reference, and with each number of components.
fn score(
    model: &Wadiqam,
    pca: &FeaturePca,
    set: &SyntheticGrid,
    counts: &[usize],
) -> Result<(Point, Vec<Point>), Box<dyn Error>> {
    let options = ScoreOptions::default();
    let spec = model.score_spec();
    let mut labels = Vec::with_capacity(set.len());
    // One list a number of components, and a last one for the whole reference.
    let mut scores: Vec<Vec<f64>> = vec![Vec::with_capacity(set.len()); counts.len() + 1];
    let mut versions: Option<(usize, Vec<PreparedReference>)> = None;
    let terminal = Terminal::new();
    terminal.start(set.len(), "images to score");
    for index in 0..set.len() {
        let sample = set.sample(index)?;
        if versions.as_ref().is_none_or(|(of, _)| *of != sample.reference_index) {
            let whole = model.prepare(&sample.reference, &options)?;
            let mut rebuilt = counts
                .iter()
                .map(|&k| pca.rebuild(&pca.reduce(&whole, k)?, &model.device()))
                .collect::<Result<Vec<_>, _>>()?;
            rebuilt.push(whole);
            versions = Some((sample.reference_index, rebuilt));
        }
        // The distorted image goes through the network once, whatever it is compared with.
        let distorted = model.prepare(&sample.distorted, &options)?.features();
        for (scores, reference) in scores.iter_mut().zip(versions.iter().flat_map(|(_, list)| list)) {
            let fused = model.fuse(distorted.clone(), reference.features());
            let value = model.patch_scores(fused).pool(1).into_scalar::<f32>();
            scores.push(spec.quality01(f64::from(value)));
        }
        labels.push(f64::from(sample.mos));
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

fn table(
    pca: &FeaturePca,
    set: &SyntheticGrid,
    full: Point,
    points: &[Point],
) -> Result<String, std::fmt::Error> {
    let total: f64 = pca.variances().iter().sum();
    let mut text = format!("{} images; {} features a patch.\n\n", set.len(), pca.features());
    writeln!(text, "| components | variance kept | SRCC | PLCC |\n|---|---|---|---|")?;
    for point in points {
        let kept = pca.variances()[..point.components].iter().sum::<f64>() / total;
        let Point { components, srcc, plcc } = point;
        writeln!(text, "| {components} | {:.1} % | {srcc:.4} | {plcc:.4} |", 100.0 * kept)?;
    }
    writeln!(text, "| the reference itself | | {:.4} | {:.4} |", full.srcc, full.plcc)?;
    Ok(text)
}
