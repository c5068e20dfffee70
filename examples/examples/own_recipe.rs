//! A network of your own, trained by a recipe of your own: batches ahead, validation, checkpoints, exact resume and the curve
//! are the loop's.
//!
//! ```text
//! cargo run --release --example own_recipe -- RUN
//! ```
//!
//! The network learns how green plain colours are. [docs/ADDING_A_RECIPE.md](../../docs/ADDING_A_RECIPE.md) says more.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program")]

use std::error::Error;
use std::fmt::Arguments;
use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::optim::AdamConfig;
use burn::tensor::TensorData;
use iqa_models::core::{Observer, write_atomically};
use iqa_models::train::losses::{QualityLoss, Term};
use iqa_models::train::{DataKey, Plan, Recipe, Schedule, Task, TrainError, Validation, train};
use iqa_models::{Device, Tensor};
use serde::{Deserialize, Serialize};

/// The numbers of a run. A run that was stopped goes on under the same ones alone.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
struct GreenRecipe {
    epochs: usize,
    images: usize,
    learning_rate: f64,
    loss: QualityLoss,
}

impl Default for GreenRecipe {
    fn default() -> Self {
        Self {
            epochs: 5,
            images: 16,
            learning_rate: 0.05,
            loss: QualityLoss::of(Term::Mse).with(0.1, Term::Plcc),
        }
    }
}

impl Recipe for GreenRecipe {
    fn validate(&self) -> Result<(), TrainError> {
        self.loss.validate()
    }
}

#[derive(Module, Debug)]
struct Network {
    line: Linear,
}

/// Colours with how good they are: the network and its data, brought together.
struct Green {
    recipe: GreenRecipe,
    data: DataKey,
    device: Device,
}

impl Green {
    /// Colour `index`, and its quality.
    fn colour(index: usize) -> ([f32; 3], f64) {
        let value = |factor: usize| (index * factor % 256) as f32 / 255.0;
        ([value(37), value(101), value(59)], f64::from(value(101)))
    }

    fn scores(&self, network: &Network, colours: &[([f32; 3], f64)], device: &Device) -> Tensor<1> {
        let values: Vec<f32> = colours.iter().flat_map(|(colour, _)| *colour).collect();
        let colours = Tensor::<2>::from_data(TensorData::new(values, [colours.len(), 3]), device);
        network.line.forward(colours).squeeze()
    }
}

impl Task for Green {
    type Model = Network;
    type Batch = Vec<([f32; 3], f64)>;
    type Recipe = GreenRecipe;

    fn recipe(&self) -> &GreenRecipe {
        &self.recipe
    }

    fn plan(&self) -> Plan {
        let GreenRecipe { epochs, learning_rate, .. } = self.recipe;
        Plan { epochs, steps_per_epoch: 40, learning_rate, schedule: Schedule::Constant }
    }

    fn data(&self) -> &DataKey {
        &self.data
    }

    /// A pure function of the step: a run that goes on sees the same.
    fn batch(&self, step: usize) -> Result<Self::Batch, TrainError> {
        Ok((0..self.recipe.images).map(|place| Self::colour(step * self.recipe.images + place)).collect())
    }

    fn loss(&self, network: &Network, batch: Self::Batch, _: usize) -> Result<Tensor<1>, TrainError> {
        let targets: Vec<f64> = batch.iter().map(|(_, quality)| *quality).collect();
        self.recipe.loss.loss(self.scores(network, &batch, &self.device), &targets)
    }

    fn validate(&self, network: &Network) -> Result<Option<Validation>, TrainError> {
        let colours: Vec<_> = (0..64).map(|index| Self::colour(7 * index + 3)).collect();
        let scores = self.scores(network, &colours, &Device::flex());
        let predictions: Vec<f64> = scores.clone().into_data().iter::<f64>().collect();
        let targets: Vec<f64> = colours.iter().map(|(_, quality)| *quality).collect();
        let loss = self.recipe.loss.loss(scores, &targets)?.into_scalar::<f64>();
        Ok(Some(Validation::new(loss, &predictions, &targets)))
    }

    fn save(&self, network: &Network, path: &Path) -> Result<(), TrainError> {
        let weights: Vec<f32> = network.line.weight.val().into_data().iter::<f32>().collect();
        Ok(write_atomically(path, format!("{weights:?}\n").as_bytes())?)
    }
}

/// Shows the line of each epoch.
struct Lines;

impl Observer for Lines {
    fn line(&self, text: Arguments<'_>) {
        eprintln!("{text}");
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os().nth(1).map(PathBuf::from).ok_or("expected a folder for the run")?;
    let device = Device::flex().autodiff();
    let network = Network { line: LinearConfig::new(3, 1).init(&device) };
    let data = DataKey::from([("colours".into(), "three sequences".into())]);
    let task = Green { recipe: GreenRecipe::default(), data, device };
    let outcome = train(&task, network, AdamConfig::new().init(), &folder, &Lines)?;
    let best = outcome.log[outcome.best_epoch];
    println!(
        "best epoch {}: loss {:.5}, PLCC {:.4}",
        best.epoch,
        best.validation_loss.unwrap_or(f64::NAN),
        best.validation_plcc.unwrap_or(0.0)
    );
    Ok(())
}
