//! Improves a picture by gradient descent on a measure or a network.
//!
//! ```text
//! cargo run --release --example improve -- --model ms_ssim --reference examples/images/flowers.png \
//!     --output improved.png examples/images/flowers_blur.png
//! ```
#![allow(clippy::print_stderr, reason = "a program")]

use std::error::Error;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use burn::module::Param;
use burn::optim::{AdamConfig, GradientsParams};
use clap::Parser;
use iqa_models::image::{ImageFormat, RgbImage};
use iqa_models::nn::{image_to_tensor, tensor_to_image};
use iqa_models::{DecodeOptions, Device, Direction, ModelError, Scorer, Tensor, read_image};

/// Improves a picture by gradient descent on a measure or a network, towards the reference where the model takes one.
#[derive(Parser)]
struct Options {
    /// The picture to start from.
    picture: PathBuf,
    /// Name of the model.
    #[arg(long)]
    model: String,
    /// The picture as it should be.
    #[arg(long)]
    reference: Option<PathBuf>,
    /// The improved picture, PNG; a file that exists is not replaced.
    #[arg(long)]
    output: PathBuf,
    /// Steps of gradient descent.
    #[arg(long, default_value_t = 100)]
    steps: usize,
    /// By how much a value, 0 to 1, changes in a step.
    #[arg(long, default_value_t = 0.005)]
    rate: f64,
}

fn main() -> ExitCode {
    if let Err(error) = run(&Options::parse()) {
        eprintln!("error: {error}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    // The model and the pictures must be on a device that computes gradients.
    let device = Device::flex().autodiff();
    let scorer = Scorer::new(&options.model, &device)?;
    let read = |path: &PathBuf| read_image(path, &DecodeOptions::default());
    let (start, reference) = (read(&options.picture)?, options.reference.as_ref().map(read).transpose()?);
    let tensor = |image: &RgbImage| image_to_tensor(image, &device);
    let improved =
        tensor_to_image(improve(&scorer, tensor(&start), reference.as_ref().map(tensor), options)?)?;

    for (when, picture) in [("before", &start), ("after", &improved)] {
        let score = match &reference {
            Some(reference) => scorer.score_pair(picture, reference)?,
            None => scorer.score_single(picture)?,
        };
        let mut line = format!("{when}: {} {:.4} ({})", options.model, score.value, score.direction);
        if let Some(reference) = &reference {
            let psnr = Scorer::new("psnr", &device)?.score_pair(picture, reference)?;
            line += &format!(", psnr {:.2} dB", psnr.value);
        }
        writeln!(std::io::stdout(), "{line}")?;
    }
    let mut file = File::create_new(&options.output)
        .map_err(|error| format!("{}: {error}", options.output.display()))?;
    Ok(improved.write_to(&mut file, ImageFormat::Png)?)
}

/// The picture, `[1, 3, height, width]`, after steps of Adam.
fn improve(
    scorer: &Scorer,
    start: Tensor<4>,
    reference: Option<Tensor<4>>,
    options: &Options,
) -> Result<Tensor<4>, ModelError> {
    let mut picture = Param::from_tensor(start);
    let mut adam = AdamConfig::new().init();
    for _ in 0..options.steps {
        let score = scorer.score_tensors(picture.val(), reference.clone())?;
        let loss = match scorer.spec().direction {
            Direction::HigherIsBetter => -score,
            Direction::LowerIsBetter => score,
        };
        let gradients = GradientsParams::from_grads(loss.backward(), &picture);
        picture = adam.step(options.rate, picture, gradients);
        picture = picture.map(|values| values.clamp(0.0, 1.0).detach().require_grad());
    }
    Ok(picture.val())
}
