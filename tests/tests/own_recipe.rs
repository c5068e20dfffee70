//! A network of one's own with a recipe of its own, from outside of the workspace's crates: trained, stopped, gone on with,
//! and refused under other numbers. `docs/ADDING_A_RECIPE.md` follows it.

use std::fmt::Arguments;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::module::{Initializer, Module};
use burn::nn::{Linear, LinearConfig};
use burn::optim::AdamConfig;
use burn::tensor::TensorData;
use iqa_models::core::{Observer, Silent, write_atomically};
use iqa_models::image::{Rgb, RgbImage};
use iqa_models::train::losses::{QualityLoss, Term};
use iqa_models::train::{
    DataKey, Outcome, Plan, Recipe, Schedule, Task, TrainError, TrainingPair, TrainingPairs, Validation,
    train,
};
use iqa_models::{Device, Tensor};
use serde::{Deserialize, Serialize};

/// The quality of a picture is a line over the means of its channels.
#[derive(Module, Debug)]
struct Colours {
    line: Linear,
}

impl Colours {
    fn new(device: &Device) -> Self {
        Self {
            line: LinearConfig::new(3, 1).with_initializer(Initializer::Constant { value: 0.1 }).init(device),
        }
    }

    /// Means `[n, 3]` to scores `[n]`.
    fn forward(&self, means: Tensor<2>) -> Tensor<1> {
        let [n, _] = means.dims();
        self.line.forward(means).reshape([n])
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
struct ColoursRecipe {
    epochs: usize,
    images: usize,
    learning_rate: f64,
    loss: QualityLoss,
    /// Came later: runs from before had none.
    noise: f64,
}

impl Default for ColoursRecipe {
    fn default() -> Self {
        let loss = QualityLoss::of(Term::Mae).with(0.1, Term::Plcc);
        Self { epochs: 4, images: 4, learning_rate: 0.05, loss, noise: 0.0 }
    }
}

impl Recipe for ColoursRecipe {
    fn validate(&self) -> Result<(), TrainError> {
        if self.images < 2 {
            let (found, expected) = (self.images.to_string(), "at least 2");
            return Err(TrainError::InvalidRecipe { field: "images", found, expected });
        }
        self.loss.validate()
    }
}

/// The same from before `noise`.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct EarlierRecipe {
    epochs: usize,
    images: usize,
    learning_rate: f64,
    loss: QualityLoss,
}

impl From<&ColoursRecipe> for EarlierRecipe {
    fn from(recipe: &ColoursRecipe) -> Self {
        let ColoursRecipe { epochs, images, learning_rate, loss, .. } = recipe.clone();
        Self { epochs, images, learning_rate, loss }
    }
}

impl Recipe for EarlierRecipe {
    fn validate(&self) -> Result<(), TrainError> {
        Ok(())
    }
}

/// Plain pictures, the greener the better.
struct Pictures {
    /// Pictures after which reading fails.
    fails_after: usize,
    read: AtomicUsize,
}

impl Pictures {
    fn new(fails_after: usize) -> Self {
        Self { fails_after, read: AtomicUsize::new(0) }
    }
}

impl TrainingPairs for Pictures {
    fn samples(&self) -> usize {
        12
    }

    fn pair(&self, epoch: u64, index: usize) -> Result<TrainingPair, TrainError> {
        if self.read.fetch_add(1, Ordering::SeqCst) >= self.fails_after {
            return Err(TrainError::Task("the camera is gone".into()));
        }
        let value = |factor: u64| ((epoch * 12 + index as u64) * factor % 251) as u8;
        let distorted = RgbImage::from_pixel(4, 4, Rgb([value(37), value(101), value(59)]));
        let quality01 = f64::from(value(101)) / 255.0;
        Ok(TrainingPair { distorted, reference: None, quality01, source: 0, name: index.to_string() })
    }

    fn key(&self) -> Result<DataKey, TrainError> {
        Ok(DataKey::from([("pictures".into(), "12 plain ones".into())]))
    }
}

/// The recipe with its network and its data; `recorded` is what checkpoints keep of it.
struct Run<'a, R> {
    recipe: &'a ColoursRecipe,
    recorded: R,
    data: DataKey,
    training: &'a Pictures,
    validates: bool,
    device: Device,
}

impl<R> Run<'_, R> {
    fn means(&self, pairs: &[TrainingPair], device: &Device) -> Tensor<2> {
        let means =
            |pair: &TrainingPair| pair.distorted.get_pixel(0, 0).0.map(|value| f32::from(value) / 255.0);
        let values: Vec<f32> = pairs.iter().flat_map(means).collect();
        Tensor::from_data(TensorData::new(values, [pairs.len(), 3]), device)
    }

    fn loss_of(&self, scores: Tensor<1>, pairs: &[TrainingPair]) -> Result<Tensor<1>, TrainError> {
        let targets: Vec<f64> = pairs.iter().map(|pair| pair.quality01).collect();
        self.recipe.loss.loss(scores, &targets)
    }
}

impl<R: Recipe + Sync> Task for Run<'_, R> {
    type Model = Colours;
    type Batch = Vec<TrainingPair>;
    type Recipe = R;

    fn recipe(&self) -> &R {
        &self.recorded
    }

    fn plan(&self) -> Plan {
        Plan {
            epochs: self.recipe.epochs,
            steps_per_epoch: self.training.samples() / self.recipe.images,
            learning_rate: self.recipe.learning_rate,
            schedule: Schedule::Constant,
        }
    }

    fn data(&self) -> &DataKey {
        &self.data
    }

    fn batch(&self, step: usize) -> Result<Vec<TrainingPair>, TrainError> {
        self.training.batch(step, self.recipe.images)
    }

    fn loss(&self, model: &Colours, batch: Vec<TrainingPair>, _: usize) -> Result<Tensor<1>, TrainError> {
        self.loss_of(model.forward(self.means(&batch, &self.device)), &batch)
    }

    fn validate(&self, model: &Colours) -> Result<Option<Validation>, TrainError> {
        if !self.validates {
            return Ok(None);
        }
        let pictures = Pictures::new(usize::MAX);
        let pairs = (0..12).map(|index| pictures.pair(1000, index)).collect::<Result<Vec<_>, _>>()?;
        let scores = model.forward(self.means(&pairs, &Device::flex()));
        let predictions: Vec<f64> = scores.clone().into_data().iter::<f64>().collect();
        let targets: Vec<f64> = pairs.iter().map(|pair| pair.quality01).collect();
        let loss = self.loss_of(scores, &pairs)?.into_scalar::<f64>();
        Ok(Some(Validation::new(loss, &predictions, &targets)))
    }

    fn save(&self, model: &Colours, path: &Path) -> Result<(), TrainError> {
        let bias = model.line.bias.as_ref().map(|bias| bias.val().into_data());
        let all = [Some(model.line.weight.val().into_data()), bias];
        let values: Vec<f32> = all.iter().flatten().flat_map(TensorData::iter::<f32>).collect();
        let bytes: Vec<u8> = values.into_iter().flat_map(f32::to_le_bytes).collect();
        Ok(write_atomically(path, &bytes)?)
    }
}

fn run<R: Recipe + Sync>(
    recipe: &ColoursRecipe,
    recorded: R,
    fails_after: usize,
    folder: &Path,
    observer: &dyn Observer,
) -> Result<Outcome, TrainError> {
    let device = Device::flex().autodiff();
    let training = Pictures::new(fails_after);
    let data = training.key()?;
    let task = Run { recipe, recorded, data, training: &training, validates: true, device };
    let model = Colours::new(&task.device);
    train(&task, model, AdamConfig::new().init(), folder, observer)
}

fn run_now(recipe: &ColoursRecipe, fails_after: usize, folder: &Path) -> Result<Vec<u8>, TrainError> {
    let outcome = run(recipe, recipe.clone(), fails_after, folder, &Silent)?;
    Ok(std::fs::read(outcome.last).expect("reads"))
}

/// Counts what it sees.
#[derive(Default)]
struct Counter {
    steps: AtomicUsize,
    lines: AtomicUsize,
    ends: AtomicUsize,
}

impl Observer for Counter {
    fn advance(&self, units: u64, state: Arguments<'_>) {
        assert!(state.to_string().starts_with("loss "), "{state}");
        self.steps.fetch_add(units as usize, Ordering::SeqCst);
    }

    fn end(&self) {
        self.ends.fetch_add(1, Ordering::SeqCst);
    }

    fn line(&self, text: Arguments<'_>) {
        assert!(text.to_string().starts_with("epoch "), "{text}");
        self.lines.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_network_of_ones_own_learns_and_goes_on_bit_for_bit() {
    let parent = tempfile::tempdir().expect("a folder");
    let at = |name: &str| parent.path().join(name);
    let recipe = ColoursRecipe { epochs: 12, ..ColoursRecipe::default() };
    let counter = Counter::default();
    let outcome = run(&recipe, recipe.clone(), usize::MAX, &at("whole"), &counter).expect("trains");
    let [steps, lines, ends] =
        [counter.steps, counter.lines, counter.ends].map(std::sync::atomic::AtomicUsize::into_inner);
    assert_eq!((steps, lines, ends), (36, 12, 1));
    let last = outcome.log[11];
    let [loss_before, loss_after] = [outcome.log[0], last].map(|row| row.validation_loss.expect("validated"));
    assert!(loss_after < 0.5 * loss_before, "{loss_before} {loss_after}");
    assert!(last.validation_srcc.is_some_and(|srcc| srcc > 0.9), "{last:?}");
    assert!(outcome.best.exists() && at("whole").join("loss.svg").exists());
    let expected = std::fs::read(&outcome.last).expect("reads");

    // Stopped by an error in the middle of an epoch, by which of its own the run says.
    for fails_after in [0, 5, 30, 61] {
        let folder = at(&format!("after_{fails_after}"));
        let error = run_now(&recipe, fails_after, &folder).expect_err("stops");
        assert_eq!(error.to_string(), "the camera is gone");
        assert!(run_now(&recipe, usize::MAX, &folder).expect("goes on") == expected, "{fails_after}");
    }
    // Stopped behind an epoch: under a constant rate the number of epochs may grow.
    let shorter = ColoursRecipe { epochs: 5, ..recipe.clone() };
    run_now(&shorter, usize::MAX, &at("longer")).expect("trains");
    assert!(run_now(&recipe, usize::MAX, &at("longer")).expect("goes on") == expected);
}

#[test]
fn a_run_goes_on_under_the_same_numbers_alone() {
    let parent = tempfile::tempdir().expect("a folder");
    let folder = parent.path().join("run");
    let recipe = ColoursRecipe::default();
    let invalid = ColoursRecipe { images: 1, ..recipe.clone() };
    let error = run_now(&invalid, usize::MAX, &folder).expect_err("refused");
    assert!(
        matches!(error, TrainError::InvalidRecipe { field: "images", .. }) && !folder.exists(),
        "{error}"
    );

    // One of an earlier version, without a field: it goes on where the field has the value that was meant then.
    run(&recipe, EarlierRecipe::from(&recipe), 40, &folder, &Silent).expect_err("stops");
    for (name, other) in [
        ("loss", ColoursRecipe { loss: QualityLoss::of(Term::Mse), ..recipe.clone() }),
        ("noise", ColoursRecipe { noise: 0.1, ..recipe.clone() }),
        ("epochs", ColoursRecipe { epochs: 3, ..recipe.clone() }),
    ] {
        let error = run_now(&other, usize::MAX, &folder).expect_err("refused");
        assert!(matches!(&error, TrainError::RecipeChanged { field, .. } if field == name), "{error}");
    }
    let whole = parent.path().join("whole");
    let expected = run_now(&recipe, usize::MAX, &whole).expect("trains");
    assert!(run_now(&recipe, usize::MAX, &folder).expect("goes on") == expected);
    // And one of a later version, with a field that this one would leave out.
    let error = run(&recipe, EarlierRecipe::from(&recipe), 40, &whole, &Silent).expect_err("refused");
    assert!(matches!(&error, TrainError::RecipeChanged { field, .. } if field == "noise"), "{error}");
}

#[test]
fn without_validation_the_last_weights_count_and_nothing_is_selected() {
    let parent = tempfile::tempdir().expect("a folder");
    let recipe = ColoursRecipe::default();
    let run = |folder: &Path, fails_after: usize| {
        let training = Pictures::new(fails_after);
        let (data, device) = (training.key()?, Device::flex().autodiff());
        let task = Run {
            recipe: &recipe,
            recorded: recipe.clone(),
            data,
            training: &training,
            validates: false,
            device,
        };
        train(&task, Colours::new(&task.device), AdamConfig::new().init(), folder, &Silent)
    };
    let folder = parent.path().join("run");
    let outcome = run(&folder, usize::MAX).expect("trains");
    assert_eq!((&outcome.best, outcome.best_epoch + 1), (&outcome.last, outcome.log.len()));
    assert!(outcome.last.exists() && !folder.join("best.safetensors").exists());
    let last = outcome.log[outcome.best_epoch];
    assert_eq!((last.validation_loss, last.validation_srcc), (None, None));
    assert!(last.to_string().ends_with(", no validation"), "{last}");
    let log = std::fs::read_to_string(folder.join("log.csv")).expect("reads");
    assert!(log.lines().skip(1).all(|row| row.contains(",,,,")), "{log}");
    let curve = std::fs::read_to_string(folder.join("loss.svg")).expect("reads");
    assert!(curve.contains("training") && !curve.contains("validation"), "a curve that there is not");

    // What it learns is what a run with validation learns, and a stopped one goes on.
    let expected = std::fs::read(outcome.last).expect("reads");
    assert!(run_now(&recipe, usize::MAX, &parent.path().join("validated")).expect("trains") == expected);
    let stopped = parent.path().join("stopped");
    run(&stopped, 17).expect_err("stops");
    let outcome = run(&stopped, usize::MAX).expect("goes on");
    assert!(std::fs::read(outcome.last).expect("reads") == expected);
}
