//! Every value of every tap against torchvision, at weights that torchvision drew.
//!
//! ```text
//! python tests/fixtures/generate/backbones.py --full FOLDER
//! cargo run --release -p iqa-tests --example torchvision -- FOLDER
//! ```
#![allow(clippy::print_stdout, reason = "a program's report goes to standard output")]

use std::path::PathBuf;
use std::process::ExitCode;

use burn::tensor::{Tensor, TensorData};
use iqa_models::Device;
use iqa_models::backbones::{Architecture, Backbone, BackboneConfig, FeatureExtractor};
use iqa_testkit::{Arrays, relative_error};

const SIZES: [&str; 3] = ["512x384", "299x299", "97x83"];
/// Of the largest value of a tap.
const ALLOWED: f64 = 1e-4;

fn main() -> ExitCode {
    let Some(folder) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("error: give the folder that backbones.py --full wrote");
        return ExitCode::FAILURE;
    };
    let device = Device::flex();
    let mut worst = 0f64;
    for architecture in Architecture::ALL {
        let taps = architecture.deepest_layers().into_iter().map(|layer| layer.name).collect();
        let config = BackboneConfig::new(architecture, taps);
        let network = match Backbone::load(folder.join(format!("{architecture}.pth")), &config, &device) {
            Ok(network) => network,
            Err(error) => {
                eprintln!("error: {error}");
                return ExitCode::FAILURE;
            }
        };
        let fused = network.clone().fuse();
        for size in SIZES {
            let file = folder.join(format!("{architecture}_{size}.safetensors"));
            let arrays = Arrays::read(&file.to_string_lossy());
            let shape = arrays.shape("images");
            let images: Tensor<4> = Tensor::from_data(TensorData::new(arrays.f32s("images"), shape), &device);
            for (kind, network) in [("", &network), (", fused", &fused)] {
                for (info, tap) in network.feature_info().iter().zip(network.forward_features(images.clone()))
                {
                    let found: Vec<f32> = tap.into_data().iter::<f32>().collect();
                    let error = relative_error(&found, &arrays.f32s(&info.name));
                    println!("{architecture} {size} {}{kind}: {error:.1e}", info.name);
                    worst = worst.max(error);
                }
            }
        }
    }
    println!("largest error, relative to the largest value of its tap: {worst:.1e}");
    if worst <= ALLOWED { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
