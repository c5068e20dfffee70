//! Our side of `peers/compare.py`: reads a name and a number a line, does that work for a tenth of a second and then so
//! many times more, writes the median of the seconds that these took.
//!
//! The networks have random weights: they cost what trained ones cost.

use std::io::{BufRead, Write, stdin, stdout};
use std::time::{Duration, Instant};

use burn::nn::PaddingConfig2d;
use burn::nn::conv::Conv2dConfig;
use burn::tensor::{Device, Distribution, Tensor};
use image::RgbImage;
use iqa_benches::steps::{Step, gsn_step, hiqa_step, multi_branch_step, wadiqam_step};
use iqa_kernels::Conv2d;
use iqa_models::backbones::{Architecture, BackboneConfig, FeatureExtractor};
use iqa_models::heads::multi_branch::MultiBranchConfig;
use iqa_models::heads::wadiqam::{PatchSampler, ScoreOptions, WadiqamConfig};
use iqa_models::metrics::image::Measure;
use iqa_models::nn::keep_freed_memory;

/// One piece of work; what it makes is dropped after the clock has stopped.
type Work = Box<dyn FnMut() -> Tensor<1>>;

/// As in `compare.py`.
const WARM_UP: Duration = Duration::from_millis(100);

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
    let device = Device::flex();
    let [n, channels, height, width] = shape;
    let conv = conv(channels, out, kernel, stride, &device);
    let x = random([n, height, width, channels], &device).permute([0, 3, 1, 2]);
    Box::new(move || conv.forward(x.clone()).slice([0..1, 0..1, 0..1, 0..1]).reshape([1]))
}

fn vgg16() -> Work {
    let device = Device::flex();
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
    let device = Device::flex();
    let deepest = architecture.deepest_layers().pop().expect("a network has layers");
    let model = BackboneConfig::new(architecture, vec![deepest.name]).init(&device).fuse();
    let x = random(images, &device);
    Box::new(move || {
        let features = model.forward_features(x.clone()).pop().expect("one tap");
        features.slice([0..1, 0..1, 0..1, 0..1]).reshape([1])
    })
}

fn wadiqam_features() -> Work {
    let device = Device::flex();
    let model = WadiqamConfig::wadiqam_fr().init(&device);
    let x = random([192, 3, 32, 32], &device);
    Box::new(move || model.features(x.clone()).slice([0..1, 0..1]).reshape([1]))
}

fn wadiqam_pair() -> Work {
    let device = Device::flex();
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

fn training(step: impl FnOnce(&Device) -> Step) -> Work {
    let device = Device::flex();
    let mut step = step(&device.clone().autodiff());
    Box::new(move || {
        step();
        Tensor::zeros([1], &device)
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
        _ => measure(Measure::from_name(name.strip_prefix("measure_")?)?),
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
