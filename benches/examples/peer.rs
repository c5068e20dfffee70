//! Our side of `peers/compare.py`: reads a name and a number a line, does that work for a tenth of a second and then so
//! many times more, writes the median of the seconds that these took.
//!
//! The networks have random weights: they cost what trained ones cost. Works are on `flex`, or on the device that `IQA_DEVICE`
//! names, in the type that `IQA_FLOAT` names (f16 or bf16); image measures are on the host.

use std::io::{BufRead, Write, stdin, stdout};
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use burn::nn::PaddingConfig2d;
use burn::nn::conv::Conv2dConfig;
use burn::tensor::{Device, Distribution, Tensor};
use image::RgbImage;
use iqa_benches::models::{MODELS, open_model};
use iqa_benches::open_device;
use iqa_benches::steps::{Step, gsn_step, hiqa_step, multi_branch_step, wadiqam_step};
use iqa_kernels::Conv2d;
use iqa_models::backbones::{Architecture, BackboneConfig, FeatureExtractor};
use iqa_models::heads::multi_branch::MultiBranchConfig;
use iqa_models::heads::wadiqam::{PatchSampler, ScoreOptions, WadiqamConfig};
use iqa_models::metrics::image::Measure;
use iqa_models::nn::{Identity, ModelError, QualityModel, Scored, image_to_tensor, keep_freed_memory};
use iqa_models::{Direction, Pair, ReferenceNeed, ScoreSpec, Scorer, Scorers};
use iqa_testkit::workspace_path;

/// One piece of work; what it makes is dropped after the clock has stopped.
type Work = Box<dyn FnMut() -> Tensor<1>>;

/// As in `compare.py`.
const WARM_UP: Duration = Duration::from_millis(100);

/// The device of all works.
fn device() -> Device {
    static DEVICE: OnceLock<Device> = OnceLock::new();
    DEVICE.get_or_init(|| open_device(&std::env::var("IQA_DEVICE").unwrap_or_else(|_| "flex".into()))).clone()
}

/// Blocks of VGG16's 3x3 convolutions; a 2x2 maximum ends each.
const VGG16: [&[usize]; 5] = [&[64, 64], &[128, 128], &[256; 3], &[512; 3], &[512; 3]];

fn conv(channels: usize, out: usize, kernel: usize, stride: usize, device: &Device) -> Conv2d {
    let around = kernel / 2;
    Conv2dConfig::new([channels, out], [kernel, kernel])
        .with_stride([stride, stride])
        .with_padding(PaddingConfig2d::Explicit(around, around, around, around))
        .init(device)
        .into()
}

fn random(shape: [usize; 4], device: &Device) -> Tensor<4> {
    Tensor::random(shape, Distribution::Uniform(0.0, 1.0), device)
}

fn picture(seed: u32) -> RgbImage {
    RgbImage::from_fn(512, 384, |x, y| {
        image::Rgb([0, 1, 2].map(|c| (x * 7 + y * 13 + c * 31 + seed * x * y) as u8))
    })
}

/// A convolution of the batch `[images, channels, height, width]`, channels last as between layers.
fn layer(shape: [usize; 4], out: usize, kernel: usize, stride: usize) -> Work {
    let device = device();
    let [n, channels, height, width] = shape;
    let conv = conv(channels, out, kernel, stride, &device);
    let x = random([n, height, width, channels], &device).permute([0, 3, 1, 2]);
    Box::new(move || conv.forward(x.clone()).slice([0..1, 0..1, 0..1, 0..1]).reshape([1]))
}

fn vgg16() -> Work {
    let device = device();
    let mut channels = 3;
    let blocks = VGG16.map(|block| {
        block
            .iter()
            .map(|&out| conv(std::mem::replace(&mut channels, out), out, 3, 1, &device))
            .collect::<Vec<_>>()
    });
    let x = random([1, 3, 384, 512], &device);
    Box::new(move || {
        let mut x = x.clone();
        for block in &blocks {
            let (last, others) = block.split_last().expect("no block is empty");
            x = others.iter().fold(x, |x, conv| conv.forward_relu(x));
            x = last.forward_relu_max_pool2(x);
        }
        x.slice([0..1, 0..1, 0..1, 0..1]).reshape([1])
    })
}

/// All of a backbone up to its deepest feature map, batch norm folded as in inference.
fn backbone(architecture: Architecture, images: [usize; 4]) -> Work {
    let device = device();
    let deepest = architecture.deepest_layers().pop().expect("a network has layers");
    let model = BackboneConfig::new(architecture, vec![deepest.name]).init(&device).fuse();
    let x = random(images, &device);
    Box::new(move || {
        let features = model.forward_features(x.clone()).pop().expect("one tap");
        features.slice([0..1, 0..1, 0..1, 0..1]).reshape([1])
    })
}

fn wadiqam_features() -> Work {
    let device = device();
    let model = WadiqamConfig::wadiqam_fr().init(&device);
    let x = random([192, 3, 32, 32], &device);
    Box::new(move || model.features(x.clone()).slice([0..1, 0..1]).reshape([1]))
}

fn wadiqam_pair() -> Work {
    let device = device();
    let model = WadiqamConfig::wadiqam_fr().init(&device);
    let (distorted, reference) = (picture(1), picture(2));
    // pyiqa's grid: 165 patches, where the official one has 192.
    let options = ScoreOptions { sampler: PatchSampler::ports(), ..ScoreOptions::default() };
    Box::new(move || {
        let score = model.score(&distorted, Some(&reference), &options).expect("a score");
        Tensor::from_floats([score.score as f32], &device)
    })
}

/// A measure of a pair of pictures in memory.
fn measure(measure: Measure) -> Work {
    let device = Device::flex();
    let (distorted, reference) = (picture(1), picture(2));
    Box::new(move || {
        let score = measure.score(&distorted, &reference).expect("a score");
        Tensor::from_floats([score as f32], &device)
    })
}

/// From decoded pictures in memory to their scores, all of them through the network at once; one pair goes the way of a user's.
fn pairs(model: &str, [width, height, count]: [u32; 3]) -> Work {
    let device = device();
    let scorer = open_model(model, &device);
    let full = scorer.spec().reference == ReferenceNeed::FullReference;
    let pictures = |first: u32| (0..count).map(move |index| photograph(width, height, first + index));
    let (distorted, references): (Vec<_>, Vec<_>) = (pictures(0).collect(), pictures(1000).collect());
    let flex = Device::flex();
    let batch = move |images: &[RgbImage]| {
        Tensor::cat(images.iter().map(|image| image_to_tensor(image, &device)).collect(), 0)
    };
    Box::new(move || {
        let scores: Vec<f32> = match &distorted[..] {
            [distorted] if full => {
                vec![scorer.score_pair(distorted, &references[0]).expect("a score").value as f32]
            }
            [distorted] => vec![scorer.score_single(distorted).expect("a score").value as f32],
            _ => {
                let scores = scorer.score_tensors(batch(&distorted), full.then(|| batch(&references)));
                scores.expect("scores").into_data().iter::<f32>().collect()
            }
        };
        Tensor::from_floats(&scores[..], &flex)
    })
}

/// A part of a real picture, which is repeated as in mirrors.
fn photograph(width: u32, height: u32, place: u32) -> RgbImage {
    static FLOWERS: OnceLock<RgbImage> = OnceLock::new();
    let flowers = FLOWERS.get_or_init(|| {
        image::open(workspace_path("examples/images/flowers.png")).expect("the picture").into_rgb8()
    });
    let mirrored =
        |at: u32, side: u32| if (at / side).is_multiple_of(2) { at % side } else { side - 1 - at % side };
    RgbImage::from_fn(width, height, |x, y| {
        *flowers
            .get_pixel(mirrored(x + 7 * place, flowers.width()), mirrored(y + 3 * place, flowers.height()))
    })
}

/// Copies pictures to its device and looks at nothing: what is left of a run without its network.
#[derive(Debug)]
struct NoNetwork;

impl QualityModel for NoNetwork {
    fn name(&self) -> &str {
        "none"
    }

    fn spec(&self) -> ScoreSpec {
        ScoreSpec::new(Direction::HigherIsBetter, 0.0, 1.0, ReferenceNeed::FullReference)
    }

    fn identity(&self) -> Identity {
        Identity::formula()
    }

    fn score(&self, distorted: &RgbImage, reference: Option<&RgbImage>) -> Result<Scored, ModelError> {
        let first = |image| image_to_tensor(image, &device()).slice([0..1, 0..1, 0..1, 0..1]);
        let copied = reference.map(first).into_iter().fold(first(distorted), |sum, image| sum + image);
        Ok(f64::from(copied.into_scalar::<f32>()).into())
    }
}

/// PNG files of pairs of pictures, each with a reference of its own, to their scores; `none` is of no model.
fn stream(model: &str, [width, height, count]: [u32; 3]) -> Work {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: String, place: u32| -> PathBuf {
        let path = folder.path().join(name);
        photograph(width, height, place).save(&path).expect("saves");
        path
    };
    let files: Vec<[PathBuf; 2]> = (0..count)
        .map(|index| [write(format!("{index}_d.png"), index), write(format!("{index}_r.png"), 1000 + index)])
        .collect();
    let scorer = if model == "none" { Scorer::from_model(NoNetwork) } else { open_model(model, &device()) };
    let scorers = Scorers::new(vec![scorer]);
    let flex = Device::flex();
    Box::new(move || {
        // The files live as long as the work.
        let _ = &folder;
        let pairs: Vec<Pair<'_>> =
            files.iter().map(|[distorted, reference]| Pair::new(distorted, reference)).collect();
        let mut sum = 0.0;
        let each = |_, scores: iqa_models::Scores| {
            sum += scores?.pop().expect("a model")?.value;
            Ok::<(), ModelError>(())
        };
        scorers.score_pairs(&pairs, each).expect("scores");
        Tensor::from_floats([sum as f32], &flex)
    })
}

/// `512x384_8`: width, height, number.
fn extent(text: &str) -> Option<[u32; 3]> {
    let (size, count) = text.split_once('_')?;
    let (width, height) = size.split_once('x')?;
    Some([width.parse().ok()?, height.parse().ok()?, count.parse().ok()?])
}

/// `pair_MODEL_512x384_8` and `stream_MODEL_512x384_8`.
fn scoring(name: &str) -> Option<Work> {
    let (kind, rest) = name.split_once('_')?;
    let make = match kind {
        "pair" => pairs,
        "stream" => stream,
        _ => return None,
    };
    let model = MODELS
        .into_iter()
        .chain(["none"])
        .find(|model| rest.strip_prefix(model).is_some_and(|rest| rest.starts_with('_')))?;
    Some(make(model, extent(&rest[model.len() + 1..])?))
}

fn training(step: impl FnOnce(&Device) -> Step) -> Work {
    let device = device();
    let mut step = step(&device.clone().autodiff());
    let flex = Device::flex();
    Box::new(move || {
        step();
        device.sync().expect("no error on the device");
        Tensor::zeros([1], &flex)
    })
}

fn work(name: &str) -> Option<Work> {
    Some(match name {
        "conv3x3_64_128" => layer([1, 64, 192, 192], 128, 3, 1),
        "conv1x1_256_64" => layer([1, 256, 96, 128], 64, 1, 1),
        "conv3x3_stride2_128" => layer([1, 128, 48, 64], 128, 3, 2),
        "conv7x7_stride2_3_64" => layer([1, 3, 384, 512], 64, 7, 2),
        "conv5x5_64_96" => layer([1, 64, 48, 64], 96, 5, 1),
        "conv3x3_3_64" => layer([1, 3, 384, 512], 64, 3, 1),
        "vgg16_features" => vgg16(),
        "resnet50_features" => backbone(Architecture::ResNet50, [1, 3, 384, 512]),
        "inception_v3_features" => backbone(Architecture::InceptionV3, [1, 3, 384, 512]),
        "wadiqam_features" => wadiqam_features(),
        "wadiqam_fr_pair" => wadiqam_pair(),
        "wadiqam_training_step" => training(|device| wadiqam_step(&WadiqamConfig::wadiqam_fr(), device)),
        "multibranch_vgg16_training_step" => {
            training(|device| multi_branch_step(MultiBranchConfig::vgg16(), device))
        }
        "multibranch_resnet50_training_step" => {
            training(|device| multi_branch_step(MultiBranchConfig::resnet50(), device))
        }
        "multibranch_inception_v3_training_step" => {
            training(|device| multi_branch_step(MultiBranchConfig::inception_v3(), device))
        }
        "gsn_training_step" => training(gsn_step),
        "hiqa_training_step" => training(hiqa_step),
        _ if name.starts_with("measure_") => measure(Measure::from_name(&name["measure_".len()..])?),
        _ => scoring(name)?,
    })
}

fn main() -> std::io::Result<()> {
    // As the program does.
    keep_freed_memory();
    let mut current: Option<(String, Work)> = None;
    for line in stdin().lock().lines() {
        let line = line?;
        let Some((name, Ok(repeats))) =
            line.split_once(' ').map(|(name, count)| (name, count.parse::<usize>()))
        else {
            eprintln!("expected a name and a number, found `{line}`");
            std::process::exit(1);
        };
        if current.as_ref().is_none_or(|(known, _)| known != name) {
            let Some(work) = work(name) else {
                eprintln!("no work of the name `{name}`");
                std::process::exit(1);
            };
            current = Some((name.to_owned(), work));
        }
        let Some((_, work)) = &mut current else { continue };
        // It takes the system a while to give each thread that wakes a core of its own.
        let start = Instant::now();
        while start.elapsed() < WARM_UP {
            drop(work());
        }
        let mut seconds: Vec<f64> = (0..repeats.max(1))
            .map(|_| {
                let start = Instant::now();
                let result = work();
                let seconds = start.elapsed().as_secs_f64();
                drop(result);
                seconds
            })
            .collect();
        seconds.sort_by(f64::total_cmp);
        writeln!(stdout(), "{}", seconds[seconds.len() / 2])?;
        stdout().flush()?;
    }
    Ok(())
}
