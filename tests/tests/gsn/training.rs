//! The recipe: learning, exact resume, batches that must not reach the weights; and the model by its name.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use iqa_models::core::Silent;
use iqa_models::heads::Stored;
use iqa_models::heads::gsn::{Gsn, GsnConfig, ScoreOptions};
use iqa_models::nn::NamedTensors;
use iqa_models::train::gsn::{Ablation, GsnRecipe, train};
use iqa_models::train::{
    DataKey, Outcome, QualityLoss, Recipe, Schedule, Term, TrainError, TrainingPair, TrainingPairs,
    ValidationPairs,
};
use iqa_models::{Device, Direction, ModelError, ScoreError, Scorer};
use iqa_testkit::{Tolerance, assert_close, fixture_path, textured};

/// Pictures mixed with another one; the label is the part that is left of the first.
struct Mixed {
    count: usize,
    /// Calls after which reading fails, as on a full disk or a kill.
    fails_after: usize,
    calls: AtomicUsize,
    /// In place of the label.
    label: Option<f64>,
    with_reference: bool,
    /// The same pictures in every epoch.
    fixed: bool,
    size: (u32, u32),
}

impl Mixed {
    fn new(count: usize) -> Self {
        let calls = AtomicUsize::new(0);
        Self {
            count,
            fails_after: usize::MAX,
            calls,
            label: None,
            with_reference: true,
            fixed: false,
            size: (41, 36),
        }
    }

    fn make(&self, index: u32) -> TrainingPair {
        let (width, height) = self.size;
        let reference = textured(width, height, index);
        let quality01 = f64::from(index % 5) / 4.0;
        let mut distorted = textured(width, height, index + 50);
        for (pixel, original) in distorted.pixels_mut().zip(reference.pixels()) {
            for (value, &original) in pixel.0.iter_mut().zip(&original.0) {
                *value = (f64::from(*value) * (1.0 - quality01) + f64::from(original) * quality01) as u8;
            }
        }
        let reference = self.with_reference.then_some(reference);
        let quality01 = self.label.unwrap_or(quality01);
        TrainingPair { distorted, reference, quality01, source: 0, name: index.to_string() }
    }
}

impl TrainingPairs for Mixed {
    fn samples(&self) -> usize {
        self.count
    }

    fn pair(&self, epoch: u64, index: usize) -> Result<TrainingPair, TrainError> {
        if self.calls.fetch_add(1, Ordering::SeqCst) >= self.fails_after {
            return Err(TrainError::Empty { set: "training" });
        }
        Ok(self.make(if self.fixed { 0 } else { epoch as u32 * 7 } + index as u32))
    }

    fn key(&self) -> Result<DataKey, TrainError> {
        Ok(DataKey::from([("images".into(), self.count.to_string())]))
    }
}

impl ValidationPairs for Mixed {
    fn samples(&self) -> usize {
        self.count
    }

    fn pair(&self, index: usize) -> Result<TrainingPair, TrainError> {
        Ok(self.make(1000 + index as u32))
    }

    fn key(&self) -> Result<DataKey, TrainError> {
        Ok(DataKey::from([("images".into(), self.count.to_string())]))
    }
}

fn recipe() -> GsnRecipe {
    let model = GsnConfig { crop: 32, grid: 6, ..GsnConfig::new().scaled(0.0625) };
    GsnRecipe { epochs: 4, images: 4, ..GsnRecipe::paper(model) }
}

/// Initial weights draw from a generator that is global on a device: one run at a time.
fn train_alone(recipe: &GsnRecipe, data: &dyn TrainingPairs, folder: &Path) -> Result<Outcome, TrainError> {
    static RUNNING: Mutex<()> = Mutex::new(());
    let _alone = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
    train(recipe, data, &Mixed::new(10), folder, &Device::flex(), &Silent)
}

/// Ranger takes the mean off the gradient of the last layer, so that it moves single weights and hardly their mean: a network whose
/// score should grow with how much there is anywhere has to start with one.
#[test]
fn a_head_that_starts_as_the_mean_keeps_its_mean_and_learns_places() {
    let folder = tempfile::tempdir().expect("a folder");
    let recipe = GsnRecipe { learning_rate: 1e-2, steps_per_epoch: Some(15), mean_head: true, ..recipe() };
    let data = Mixed { fixed: true, ..Mixed::new(8) };
    let outcome = train_alone(&recipe, &data, folder.path()).expect("trains");
    let weights = NamedTensors::read(&outcome.best).expect("reads");
    let moved = weights.get("fc.weight").expect("there").values.iter().map(|weight| weight - 1.0 / 36.0);
    let mean = moved.clone().sum::<f32>() / 36.0;
    let single = (moved.map(|by| by * by).sum::<f32>() / 36.0).sqrt();
    assert!(single > 1e-3 && mean.abs() < 0.1 * single, "single weights by {single}, their mean by {mean}");
}

#[test]
fn training_lowers_the_loss_in_every_cell_of_the_ablation() {
    for cell in Ablation::ALL {
        let folder = tempfile::tempdir().expect("a folder");
        let recipe = GsnRecipe { learning_rate: 1e-2, images: 8, steps_per_epoch: Some(15), ..recipe() };
        let recipe = recipe.ablation(cell);
        assert_eq!(recipe.model.theta == 0.0, cell.name().starts_with("CNN"));
        let terms = recipe.loss.terms().iter();
        assert_eq!(terms.len() == 2, cell.name().ends_with("KL"));
        let data = Mixed { fixed: true, ..Mixed::new(8) };
        let outcome = train_alone(&recipe, &data, folder.path()).expect("trains");
        let losses: Vec<f64> = outcome.log.iter().map(|row| row.train_loss).collect();
        assert!(losses[3] < 0.5 * losses[0], "{}: {losses:?}", cell.name());
        assert!(outcome.log[3].validation_plcc.is_some_and(f64::is_finite));
        let model = Gsn::load(&outcome.best, &GsnConfig::new(), &Device::flex()).expect("loads");
        assert_eq!(model.config(), &GsnConfig { free_scale: Some(true), ..recipe.model });
    }
}

/// Wherever it stops: batch norm statistics, slow weights and the optimiser's steps come back too.
#[test]
fn a_stopped_run_ends_with_the_weights_of_an_unbroken_one() {
    let recipe = GsnRecipe { schedule: Schedule::FlatCosine { flat_fraction: 0.5 }, ..recipe() };
    let run = |data: &Mixed, folder: &Path| -> Result<Vec<u8>, TrainError> {
        Ok(std::fs::read(train_alone(&recipe, data, folder)?.last).expect("reads"))
    };
    let whole = tempfile::tempdir().expect("a folder");
    let expected = run(&Mixed::new(9), whole.path()).expect("trains");
    // Two batches an epoch, the ninth image is left for the next: stopped in the first, second and third epoch.
    for fails_after in [5, 13, 20] {
        let folder = tempfile::tempdir().expect("a folder");
        let stops = Mixed { fails_after, ..Mixed::new(9) };
        assert!(run(&stops, folder.path()).is_err());
        let found = run(&Mixed::new(9), folder.path()).expect("goes on");
        assert!(found == expected, "stopped after {fails_after} samples");
    }
}

#[test]
fn batches_without_a_loss_end_the_run_before_they_reach_the_weights() {
    let error = |data: Mixed, recipe: &GsnRecipe| {
        let folder = tempfile::tempdir().expect("a folder");
        let error = train_alone(recipe, &data, folder.path()).expect_err("no loss");
        assert!(!folder.path().join("last.safetensors").exists());
        error
    };
    let nan = Mixed { label: Some(f64::NAN), ..Mixed::new(8) };
    assert!(matches!(error(nan, &recipe()), TrainError::NonFiniteTarget { index: 0, .. }));
    let constant = Mixed { label: Some(0.5), ..Mixed::new(8) };
    assert!(matches!(error(constant, &recipe()), TrainError::ConstantBatch { what: "targets", value: 0.5 }));
    let single = GsnRecipe { images: 1, ..recipe() };
    assert!(matches!(error(Mixed::new(8), &single), TrainError::InvalidRecipe { field: "images", .. }));
    let alone = Mixed { with_reference: false, ..Mixed::new(8) };
    let TrainError::Picture { name, source } = error(alone, &recipe()) else { panic!("of a picture") };
    assert!(name.parse::<u32>().is_ok(), "{name}");
    assert!(matches!(*source, TrainError::ReferenceMissing), "{source}");
    let small = error(Mixed { size: (40, 31), ..Mixed::new(8) }, &recipe()).to_string();
    assert!(small.contains("40x31") && small.contains("crop of 32x32"), "{small}");
    let empty = error(Mixed::new(0), &recipe());
    assert!(matches!(empty, TrainError::Empty { set: "training" }));
}

/// Labels of which batches of two are often alike, as opinions in whole numbers are.
#[test]
fn a_batch_of_one_label_by_chance_does_not_end_a_run() {
    struct Labelled(Mixed, fn(usize) -> f64);
    impl TrainingPairs for Labelled {
        fn samples(&self) -> usize {
            self.0.count
        }

        fn pair(&self, epoch: u64, index: usize) -> Result<TrainingPair, TrainError> {
            let quality01 = self.1(index);
            Ok(TrainingPair { quality01, ..TrainingPairs::pair(&self.0, epoch, index)? })
        }

        fn key(&self) -> Result<DataKey, TrainError> {
            TrainingPairs::key(&self.0)
        }
    }
    // By pairs; and one alone of many, which comes late.
    let by_pairs = Labelled(Mixed::new(8), |index| (index / 2 % 2) as f64);
    let one_alone = Labelled(Mixed::new(40), |index| f64::from(u8::from(index == 39)));
    let losses = [QualityLoss::gsn(), QualityLoss::gsn_pair().with(1.0, Term::Mse)];
    for (loss, data) in losses.into_iter().zip([by_pairs, one_alone]) {
        let folder = tempfile::tempdir().expect("a folder");
        let recipe = GsnRecipe { images: 2, epochs: 2, loss, ..recipe() };
        let outcome = train_alone(&recipe, &data, folder.path()).expect("trains");
        assert_eq!(outcome.log.len(), 2);
        assert!(outcome.log.iter().all(|row| row.train_loss.is_finite()), "{:?}", outcome.log);
    }
}

/// The same run towards the other direction: scores that fall with the quality, and figures with the same sign.
#[test]
fn a_network_whose_lower_scores_are_better_learns_those() {
    let score_correlation = |direction| {
        let folder = tempfile::tempdir().expect("a folder");
        let mut recipe = GsnRecipe { learning_rate: 1e-2, images: 8, steps_per_epoch: Some(15), ..recipe() };
        recipe.model.direction = direction;
        let data = Mixed { fixed: true, ..Mixed::new(8) };
        let outcome = train_alone(&recipe, &data, folder.path()).expect("trains");
        let losses: Vec<f64> = outcome.log.iter().map(|row| row.train_loss).collect();
        assert!(losses[3] < 0.5 * losses[0], "{direction}: {losses:?}");
        let model = Gsn::load(&outcome.last, &recipe.model, &Device::flex()).expect("loads").fuse();
        let (scores, labels): (Vec<f64>, Vec<f64>) = (0..8)
            .map(|index| {
                let pair = TrainingPairs::pair(&data, 0, index).expect("makes it");
                let found = model.score(&pair.distorted, pair.reference.as_ref(), &ScoreOptions::default());
                (found.expect("scores").score, pair.quality01)
            })
            .unzip();
        iqa_models::metrics::agreement::plcc(&scores, &labels).expect("defined")
    };
    let higher = score_correlation(Direction::HigherIsBetter);
    let lower = score_correlation(Direction::LowerIsBetter);
    assert!(higher > 0.5 && lower < -0.5, "{higher} {lower}");
}

#[test]
fn recipes_are_checked() {
    for recipe in [GsnRecipe::paper(GsnConfig::new()), GsnRecipe::fast(GsnConfig::new()), recipe()] {
        recipe.validate().expect("sound");
    }
    let paper = GsnRecipe::paper(GsnConfig::new());
    assert_eq!((paper.images, paper.epochs, paper.learning_rate), (32, 300, 1e-3));
    assert_eq!(paper.optimiser.weight_decay, 1e-5);
    let nothing = QualityLoss::of(Term::Mse).with(0.0, Term::Plcc);
    let invalid = [
        ("epochs", GsnRecipe { epochs: 0, ..recipe() }),
        ("steps_per_epoch", GsnRecipe { steps_per_epoch: Some(0), ..recipe() }),
        ("images", GsnRecipe { images: 1, ..recipe() }),
        ("learning_rate", GsnRecipe { learning_rate: f64::NAN, ..recipe() }),
        ("loss", GsnRecipe { loss: nothing, ..recipe() }),
        ("images", GsnRecipe { images: usize::MAX, ..recipe() }),
        ("crop", GsnRecipe { model: GsnConfig { crop: usize::MAX, ..recipe().model }, ..recipe() }),
        ("width", GsnRecipe { model: GsnConfig::new().scaled(1e12), ..recipe() }),
    ];
    for (field, recipe) in invalid {
        let error = recipe.validate().expect_err(field);
        assert!(
            matches!(&error, TrainError::InvalidRecipe { field: found, .. } if *found == field),
            "{error}"
        );
    }
}

#[test]
fn the_scorer_opens_gsn_with_a_file_of_weights() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("gsn.safetensors");
    let device = Device::flex();
    let config = GsnConfig::new().tiny();
    let model = Gsn::load(fixture_path("gsn/tiny.safetensors"), &config, &device).expect("loads");
    model.save(&path, iqa_models::nn::Precision::F32).expect("writes");
    let scorer = Scorer::with_weights("gsn", &path, &device).expect("opens");
    assert_eq!(scorer.spec().direction, Direction::HigherIsBetter);
    let (distorted, reference) = (textured(50, 40, 1), textured(50, 40, 2));
    let expected =
        model.fuse().score(&distorted, Some(&reference), &ScoreOptions::default()).expect("scores").score;
    assert_eq!(scorer.score_pair(&distorted, &reference).expect("scores").value, expected);
    let prepared = scorer.prepare(&reference).expect("prepares");
    let again = scorer.score_prepared(&distorted, &prepared).expect("scores").value;
    assert!((again - expected).abs() < 1e-6);
    assert!(matches!(scorer.score_single(&distorted), Err(ModelError::Score(ScoreError::ReferenceMissing))));
}

#[test]
fn a_network_goes_on_from_weights_of_its_kind_and_says_what_its_scale_is_worth() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let device = Device::flex();
    let first =
        train_alone(&GsnRecipe { epochs: 1, ..recipe() }, &Mixed::new(8), &at("first")).expect("trains");
    // At next to no rate it is still the network that it started from.
    let loss = QualityLoss::of(Term::Mse);
    let still = GsnRecipe {
        epochs: 1,
        learning_rate: 1e-12,
        seed: 7,
        loss,
        start_from: Some(first.last.clone()),
        ..recipe()
    };
    let second = train_alone(&still, &Mixed::new(8), &at("second")).expect("trains");
    let weights = |path: &Path| NamedTensors::read(path).expect("reads");
    let (before, after) = (weights(&first.last), weights(&second.last));
    for key in before.keys().filter(|key| !key.contains("running")) {
        let [before, after] = [&before, &after].map(|all| all.get(key).expect("listed").values.clone());
        assert_close(key, &after, &before, Tolerance::REORDERED);
    }
    // The paper's losses leave the scale free, a squared error does not.
    for (outcome, free) in [(&first, true), (&second, false)] {
        let scorer = Scorer::with_weights("gsn", &outcome.last, &device).expect("opens");
        assert_eq!(scorer.model().has_free_scale(), free);
    }
    // And on crops of another side, and back, though neither grid is a multiple of the other.
    let smaller = GsnConfig { crop: 20, grid: recipe().model.grid_for(20), ..recipe().model };
    let third = train_alone(&GsnRecipe { model: smaller, ..still.clone() }, &Mixed::new(8), &at("third"));
    let third = third.expect("trains").last;
    let back = GsnRecipe { start_from: Some(third.clone()), ..still.clone() };
    let back = train_alone(&back, &Mixed::new(8), &at("back")).expect("trains").last;
    let places = |path: &Path| weights(path).get("fc.weight").expect("listed").values.clone();
    for (path, count) in [(&third, 16), (&back, 36)] {
        let (before, after) = (places(&first.last), places(path));
        assert_eq!(after.len(), count);
        assert!(
            (before.iter().sum::<f32>() - after.iter().sum::<f32>()).abs() < 1e-5,
            "{before:?} {after:?}"
        );
    }
    let other = GsnRecipe { model: GsnConfig { fusion: 3, ..recipe().model }, ..still };
    assert!(matches!(
        train_alone(&other, &Mixed::new(8), &at("other")),
        Err(TrainError::InvalidRecipe { field: "start_from", .. })
    ));
}
