//! Every family at the widths of its paper against PyTorch, at weights that PyTorch drew: scores, and their gradients with
//! respect to the image, as a table in Markdown.
//!
//! ```text
//! python tests/fixtures/generate/full_width.py --out FOLDER
//! cargo run --release -p iqa-tests --example full_width -- FOLDER
//! ```
#![allow(clippy::print_stdout, reason = "a program's report goes to standard output")]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use burn::tensor::Tensor;
use iqa_models::core::Silent;
use iqa_models::heads::hiqa::{Hiqa, HiqaConfig, HiqaModel};
use iqa_models::heads::multi_branch::MultiBranchConfig;
use iqa_models::nn::{NamedTensors, QualityModel, image_to_tensor};
use iqa_models::{Device, ReferenceNeed, model_by_name};
use iqa_testkit::Arrays;

const CASES: [&str; 9] = [
    "wadiqam_fr",
    "wadiqam_nr",
    "diqam_fr",
    "diqam_nr",
    "gsn",
    "hiqa",
    "multibranch_vgg16",
    "multibranch_resnet50",
    "multibranch_inception_v3",
];
/// Of the range of the scores.
const ALLOWED: f64 = 1e-4;
/// Of the length of a gradient: where a value is near 0, or two are nearly the same, rounding decides what a ReLU or a pool lets
/// through, in PyTorch's single precision too.
const ALLOWED_GRADIENT: f64 = 1e-2;

fn main() -> ExitCode {
    let Some(folder) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("error: give the folder that full_width.py wrote");
        return ExitCode::FAILURE;
    };
    println!(
        "| model | score | apart | PyTorch's own | gradient apart | PyTorch's own |\n|---|---|---|---|---|---|"
    );
    let mut done = ExitCode::SUCCESS;
    for case in CASES {
        match compare(&folder, case) {
            Ok(true) => {}
            Ok(false) => done = ExitCode::FAILURE,
            Err(error) => {
                eprintln!("error: {case}: {error}");
                done = ExitCode::FAILURE;
            }
        }
    }
    done
}

fn open(path: &Path, case: &str, device: &Device) -> Result<Box<dyn QualityModel>, Box<dyn Error>> {
    // Files of ours carry a configuration; PyTorch's have none.
    let multi_branch = match case {
        "hiqa" => {
            let network = Hiqa::from_tensors_of(NamedTensors::read(path)?, &HiqaConfig::published(), device)?;
            return Ok(Box::new(HiqaModel::new(network)?));
        }
        "multibranch_vgg16" => Some(MultiBranchConfig::vgg16()),
        "multibranch_resnet50" => Some(MultiBranchConfig::resnet50()),
        "multibranch_inception_v3" => Some(MultiBranchConfig::inception_v3()),
        _ => None,
    };
    let mut tensors = NamedTensors::read(path)?;
    if let Some(config) = multi_branch {
        tensors = tensors.with_metadata("multi_branch_config", serde_json::to_string(&config)?);
    }
    Ok(model_by_name(case)?.open(Some(tensors), &[], device, &Silent)?)
}

/// The length of the difference over that of what is expected.
fn apart(found: &[f32], expected: &[f32]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let length =
        |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>().sqrt();
    let differences = &mut found.iter().zip(expected).map(|(&f, &e)| f64::from(f) - f64::from(e));
    length(differences) / length(&mut expected.iter().copied().map(f64::from))
}

/// Prints a row; whether it is near enough.
fn compare(folder: &Path, case: &str) -> Result<bool, Box<dyn Error>> {
    let device = Device::flex();
    let model = open(&folder.join(format!("{case}.safetensors")), case, &device.clone().autodiff())?;
    let arrays = Arrays::read(&folder.join(format!("{case}_io.safetensors")).to_string_lossy());
    let tensor = |key: &str| image_to_tensor(&arrays.image(key), &device.clone().autodiff());
    let distorted: Tensor<4> = tensor("images/distorted").require_grad();
    let full = model.spec().reference == ReferenceNeed::FullReference;
    let score = model.score_tensors(distorted.clone(), full.then(|| tensor("images/reference")))?;
    let found = score.clone().into_scalar::<f64>();
    let gradients = score.backward();
    let gradient = distorted.grad(&gradients).ok_or("no gradient")?;
    let gradient: Vec<f32> = gradient.into_data().iter::<f32>().collect();
    let gradient = apart(&gradient, &arrays.f32s("gradient"));
    let (low, high) = model.spec().range;
    let (expected, single) = (f64::from(arrays.f32s("score")[0]), arrays.f32s("single"));
    let score = (found - expected).abs() / (high - low);
    let own = f64::from(single[0]) / (high - low);
    println!("| {case} | {expected:.4} | {score:.1e} | {own:.1e} | {gradient:.1e} | {:.1e} |", single[1]);
    Ok(score <= ALLOWED && gradient <= ALLOWED_GRADIENT)
}
