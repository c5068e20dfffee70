//! The training loop with data of a caller's own.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use iqa_models::Device;
use iqa_models::core::{CoreError, Silent};
use iqa_models::datasets::augment::PairAugment;
use iqa_models::datasets::{DataSet, Direction, ScoreKind, ScoreScale, Strictness};
use iqa_models::heads::wadiqam::{ScoreOptions, Wadiqam, WadiqamConfig};
use iqa_models::train::gsn::GsnRecipe;
use iqa_models::train::hiqa::HiqaRecipe;
use iqa_models::train::multi_branch::MultiBranchRecipe;
use iqa_models::train::wadiqam::{WadiqamRecipe, train};
use iqa_models::train::{
    DataKey, Mixture, Outcome, QualityLoss, Recipe, Schedule, SetTraining, SetValidation, Term, TrainError,
    TrainingPair, TrainingPairs, ValidationMixture, ValidationPairs, read_log,
};
use iqa_testkit::textured;

/// Pictures mixed with another one; the label is the part that is left of the first.
struct Mixed {
    count: usize,
    /// Calls after which reading fails, as on a full disk or a kill.
    fails_after: usize,
    calls: AtomicUsize,
}

impl Mixed {
    fn new(count: usize) -> Self {
        Self { count, fails_after: usize::MAX, calls: AtomicUsize::new(0) }
    }

    fn make(index: u32) -> TrainingPair {
        let reference = textured(48, 40, index);
        let quality01 = f64::from(index % 5) / 4.0;
        let mut distorted = textured(48, 40, index + 50);
        for (pixel, original) in distorted.pixels_mut().zip(reference.pixels()) {
            for (value, &original) in pixel.0.iter_mut().zip(&original.0) {
                *value = (f64::from(*value) * (1.0 - quality01) + f64::from(original) * quality01) as u8;
            }
        }
        TrainingPair { distorted, reference: Some(reference), quality01, source: 0, name: index.to_string() }
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
        Ok(Self::make((epoch * 7 + index as u64) as u32))
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
        Ok(Self::make(1000 + index as u32))
    }

    fn key(&self) -> Result<DataKey, TrainError> {
        Ok(DataKey::from([("images".into(), self.count.to_string())]))
    }
}

fn recipe(model: WadiqamConfig) -> WadiqamRecipe {
    let fast = WadiqamRecipe::fast(model);
    WadiqamRecipe {
        model: fast.model.clone().tiny(),
        epochs: 4,
        steps_per_epoch: None,
        images: 2,
        patches: 3,
        validation_patches: 2,
        ..fast
    }
}

static RUNNING: Mutex<()> = Mutex::new(());

/// Dropout and initial weights draw from a generator that is global on a device: one run at a time.
fn train_alone(recipe: &WadiqamRecipe, data: &Mixed, folder: &Path) -> Result<Outcome, TrainError> {
    let _alone = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
    train(recipe, data, &Mixed::new(5), folder, &Device::flex(), &Silent)
}

fn run(recipe: &WadiqamRecipe, data: &Mixed, folder: &Path) -> Result<Vec<u8>, TrainError> {
    Ok(std::fs::read(train_alone(recipe, data, folder)?.last).expect("reads"))
}

#[test]
fn training_lowers_the_loss_and_keeps_the_best_epoch() {
    for model in [
        WadiqamConfig::wadiqam_fr(),
        WadiqamConfig::diqam_fr(),
        WadiqamConfig::wadiqam_nr(),
        WadiqamConfig::diqam_nr(),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let recipe =
            WadiqamRecipe { epochs: 8, learning_rate: 2e-3, schedule: Schedule::Constant, ..recipe(model) };
        let outcome = train_alone(&recipe, &Mixed::new(16), folder.path()).expect("trains");
        let losses: Vec<f64> =
            outcome.log.iter().map(|row| row.validation_loss.expect("validated")).collect();
        assert_eq!(losses.len(), 8);
        let lowest = losses.iter().copied().fold(f64::INFINITY, f64::min);
        assert_eq!(losses[outcome.best_epoch], lowest);
        assert!(lowest < losses[0], "{losses:?}");
        assert_eq!(read_log(&folder.path().join("log.csv")).expect("reads").len(), 8);
        let curve = std::fs::read_to_string(folder.path().join("loss.svg")).expect("reads");
        assert!(curve.contains("<svg"));
        Wadiqam::load(&outcome.best, &recipe.model, &Device::flex()).expect("loads");
    }
}

/// Wherever it stops: in the middle of an epoch, and with dropout in play.
#[test]
fn a_stopped_run_ends_with_the_weights_of_an_unbroken_one() {
    let recipe = recipe(WadiqamConfig::wadiqam_fr());
    assert!(recipe.model.dropout > 0.0);
    let whole = tempfile::tempdir().expect("a folder");
    let expected = run(&recipe, &Mixed::new(6), whole.path()).expect("trains");
    for fails_after in [0, 9, 15] {
        let folder = tempfile::tempdir().expect("a folder");
        let stops = Mixed { fails_after, ..Mixed::new(6) };
        assert!(run(&recipe, &stops, folder.path()).is_err());
        let found = run(&recipe, &Mixed::new(6), folder.path()).expect("goes on");
        assert!(found == expected, "stopped after {fails_after} samples");
    }
}

/// The opposite of what is learned.
struct Inverted(Mixed);

impl ValidationPairs for Inverted {
    fn samples(&self) -> usize {
        ValidationPairs::samples(&self.0)
    }

    fn pair(&self, index: usize) -> Result<TrainingPair, TrainError> {
        let pair = ValidationPairs::pair(&self.0, index)?;
        Ok(TrainingPair { quality01: 1.0 - pair.quality01, ..pair })
    }

    fn key(&self) -> Result<DataKey, TrainError> {
        ValidationPairs::key(&self.0)
    }
}

/// A folder that was copied in part, or put together from two runs.
#[test]
fn a_run_does_not_go_on_beside_other_best_weights_than_its_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let model = WadiqamConfig::wadiqam_nr();
    let recipe =
        WadiqamRecipe { epochs: 6, learning_rate: 2e-3, schedule: Schedule::Constant, ..recipe(model) };
    let run = || {
        let _alone = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        let validation = Inverted(Mixed::new(5));
        train(&recipe, &Mixed::new(16), &validation, folder.path(), &Device::flex(), &Silent)
    };
    let outcome = run().expect("trains");
    assert!(outcome.best_epoch + 1 < outcome.log.len(), "the last epoch is not the best: {:?}", outcome.log);
    assert_eq!(run().expect("is done").best_epoch, outcome.best_epoch);
    let own = std::fs::read(&outcome.best).expect("reads");
    std::fs::copy(&outcome.last, &outcome.best).expect("copies");
    assert!(matches!(run(), Err(TrainError::KeptWeights { path }) if path == outcome.best));
    std::fs::remove_file(&outcome.best).expect("removes");
    let gone = run().expect_err("gone").to_string();
    assert!(gone.contains("best.safetensors"), "{gone}");
    std::fs::write(&outcome.best, own).expect("writes");
    assert!(run().is_ok());
}

/// A second study of the same pictures, whose labels are on another scale.
struct Rescaled(Mixed);

impl Rescaled {
    fn new(count: usize) -> Self {
        Self(Mixed::new(count))
    }

    fn relabelled(pair: TrainingPair) -> TrainingPair {
        TrainingPair { quality01: 0.4 * pair.quality01 + 0.5, ..pair }
    }
}

impl TrainingPairs for Rescaled {
    fn samples(&self) -> usize {
        TrainingPairs::samples(&self.0)
    }

    fn pair(&self, epoch: u64, index: usize) -> Result<TrainingPair, TrainError> {
        TrainingPairs::pair(&self.0, epoch, index).map(Self::relabelled)
    }

    fn key(&self) -> Result<DataKey, TrainError> {
        TrainingPairs::key(&self.0)
    }
}

impl ValidationPairs for Rescaled {
    fn samples(&self) -> usize {
        ValidationPairs::samples(&self.0)
    }

    fn pair(&self, index: usize) -> Result<TrainingPair, TrainError> {
        ValidationPairs::pair(&self.0, index).map(Self::relabelled)
    }

    fn key(&self) -> Result<DataKey, TrainError> {
        ValidationPairs::key(&self.0)
    }
}

/// The score stays on the first study's scale, a line leads to the second's, and a stopped run goes on with it.
#[test]
fn sources_of_other_scales_are_learned_together() {
    let recipe = WadiqamRecipe {
        epochs: 30,
        images: 8,
        patches: 6,
        validation_patches: 6,
        learning_rate: 5e-3,
        correlation: 0.2,
        schedule: Schedule::Constant,
        ..recipe(WadiqamConfig::wadiqam_fr())
    };
    let recipe =
        WadiqamRecipe { model: WadiqamConfig { dropout: 0.0, scales: 1, ..recipe.model.clone() }, ..recipe };
    let validation =
        || -> Vec<Box<dyn ValidationPairs>> { vec![Box::new(Mixed::new(20)), Box::new(Rescaled::new(20))] };
    let both = |fails_after| {
        let first: Box<dyn TrainingPairs> = Box::new(Mixed { fails_after, ..Mixed::new(40) });
        let second: Box<dyn TrainingPairs> = Box::new(Rescaled::new(40));
        Mixture::new(vec![(first, 1.0), (second, 1.0)]).expect("sources")
    };
    let _alone = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
    let run = |fails_after, folder: &Path| {
        let validation = ValidationMixture::new(validation());
        train(&recipe, &both(fails_after), &validation, folder, &Device::flex(), &Silent)
    };
    let whole = tempfile::tempdir().expect("a folder");
    let outcome = run(usize::MAX, whole.path()).expect("trains");
    let [first, last] =
        [0, outcome.best_epoch].map(|epoch| outcome.log[epoch].validation_loss.expect("validated"));
    assert!(last < 0.6 * first, "{first} {last}");

    // Without the line the labels of the second study would pull the scores towards its own scale.
    let model = Wadiqam::load(&outcome.best, &recipe.model, &Device::flex()).expect("loads");
    let errors: Vec<f64> = (0..20)
        .map(|index| {
            let pair = ValidationPairs::pair(&Mixed::new(20), index).expect("made");
            let found = model.score(&pair.distorted, pair.reference.as_ref(), &Default::default());
            found.expect("scores").score - pair.quality01
        })
        .collect();
    let bias = errors.iter().sum::<f64>() / errors.len() as f64;
    assert!(bias.abs() < 0.12, "{bias}: {errors:?}");

    let stopped = tempfile::tempdir().expect("a folder");
    assert!(run(50, stopped.path()).is_err());
    let resumed = run(usize::MAX, stopped.path()).expect("goes on");
    let bytes = |path| std::fs::read(path).expect("reads");
    assert!(bytes(&resumed.last) == bytes(&outcome.last));
}

#[test]
fn the_seed_decides() {
    let at = |seed| {
        let folder = tempfile::tempdir().expect("a folder");
        let recipe = WadiqamRecipe { seed, epochs: 1, ..recipe(WadiqamConfig::wadiqam_nr()) };
        run(&recipe, &Mixed::new(4), folder.path()).expect("trains")
    };
    assert!(at(1) == at(1));
    assert!(at(1) != at(2));
}

#[test]
fn another_recipe_does_not_go_on_with_a_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let first =
        WadiqamRecipe { schedule: Schedule::Constant, epochs: 1, ..recipe(WadiqamConfig::wadiqam_nr()) };
    run(&first, &Mixed::new(4), folder.path()).expect("trains");
    let other = WadiqamRecipe { learning_rate: 1e-5, ..first.clone() };
    let error = run(&other, &Mixed::new(4), folder.path()).expect_err("refused");
    assert!(matches!(&error, TrainError::RecipeChanged { field, .. } if field == "learning_rate"), "{error}");
    // More epochs change nothing about those done, under a constant rate.
    let longer = WadiqamRecipe { epochs: 2, ..first };
    run(&longer, &Mixed::new(4), folder.path()).expect("goes on");
    assert_eq!(read_log(&folder.path().join("log.csv")).expect("reads").len(), 2);
}

#[test]
fn a_damaged_checkpoint_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let recipe = WadiqamRecipe { epochs: 2, ..recipe(WadiqamConfig::diqam_nr()) };
    run(&recipe, &Mixed::new(4), folder.path()).expect("trains");
    let path = folder.path().join("checkpoint.safetensors");
    let whole = std::fs::read(&path).expect("reads");
    let cut = [0, 100, whole.len() / 2, whole.len() - 1].map(|length| whole[..length].to_vec());
    // A bit of a weight, of a running mean of the optimiser or of the state goes another way.
    let flipped = (1..20).map(|part| {
        let mut damaged = whole.clone();
        damaged[whole.len() * part / 20] ^= 1;
        damaged
    });
    for bytes in cut.into_iter().chain(flipped) {
        std::fs::write(&path, bytes).expect("writes");
        let error = run(&recipe, &Mixed::new(4), folder.path()).expect_err("refused");
        assert!(matches!(error, TrainError::Checkpoint { .. }), "{error}");
        assert!(error.to_string().contains("checkpoint.safetensors"), "{error}");
    }
    std::fs::write(&path, &whole).expect("writes");
    run(&recipe, &Mixed::new(4), folder.path()).expect("as it was");
    let error = iqa_models::nn::NamedTensors::read(&path).expect_err("no weights file").to_string();
    assert!(error.contains("its weights are in best.safetensors"), "{error}");
}

#[test]
fn recipes_that_make_no_sense_are_refused_by_field() {
    let folder = tempfile::tempdir().expect("a folder");
    let good = recipe(WadiqamConfig::wadiqam_fr());
    let cases = [
        ("epochs", WadiqamRecipe { epochs: 0, ..good.clone() }),
        ("images", WadiqamRecipe { images: 0, ..good.clone() }),
        ("learning_rate", WadiqamRecipe { learning_rate: f64::NAN, ..good.clone() }),
        ("learning_rate", WadiqamRecipe { learning_rate: 1e300, ..good.clone() }),
        // Numbers that would overflow, or ask for all memory, before a first step.
        ("epochs", WadiqamRecipe { epochs: usize::MAX, ..good.clone() }),
        ("steps_per_epoch", WadiqamRecipe { steps_per_epoch: Some(usize::MAX), ..good.clone() }),
        ("images", WadiqamRecipe { images: usize::MAX, ..good.clone() }),
        ("patches", WadiqamRecipe { patches: 1 << 40, ..good.clone() }),
        ("patches", WadiqamRecipe { patches: 4096, images: 4096, ..good.clone() }),
        ("validation_patches", WadiqamRecipe { validation_patches: 1 << 40, ..good.clone() }),
        ("start_from", {
            let foreign = iqa_testkit::fixture_path("wadiqam/tiny_wadiqam_fr.safetensors");
            WadiqamRecipe { start_from: Some(foreign), ..good.clone() }
        }),
    ];
    for (name, recipe) in cases {
        let error = run(&recipe, &Mixed::new(4), folder.path()).expect_err("refused");
        assert!(matches!(&error, TrainError::InvalidRecipe { field, .. } if *field == name), "{error}");
    }
    let empty = run(&good, &Mixed::new(0), folder.path()).expect_err("nothing to train on");
    assert!(matches!(empty, TrainError::Empty { set: "training" }));
}

/// A checkpoint from before a field was there goes on where the field has the value that was meant then.
#[test]
fn a_recipe_without_a_field_has_its_default() {
    fn check<R: Recipe + Default + PartialEq + std::fmt::Debug>() {
        let whole = serde_json::to_value(R::default()).expect("writes");
        for field in whole.as_object().expect("fields").keys() {
            let mut fields = whole.clone();
            fields.as_object_mut().expect("fields").remove(field);
            assert_eq!(serde_json::from_value::<R>(fields).expect("reads"), R::default(), "{field}");
        }
        R::default().validate().expect("sound");
    }
    check::<WadiqamRecipe>();
    check::<GsnRecipe>();
    check::<MultiBranchRecipe>();
    check::<HiqaRecipe>();
}

/// Each image of a batch by itself, and the images of a batch beside each other; patches and images alike.
#[test]
fn other_terms_of_the_loss_are_learned() {
    for model in [WadiqamConfig::wadiqam_nr(), WadiqamConfig::diqam_nr()] {
        let folder = tempfile::tempdir().expect("a folder");
        let recipe = WadiqamRecipe {
            loss: QualityLoss::of(Term::Mse).with(0.2, Term::Ranking { margin: 0.1 }),
            epochs: 8,
            images: 4,
            learning_rate: 2e-3,
            schedule: Schedule::Constant,
            ..recipe(model)
        };
        let outcome = train_alone(&recipe, &Mixed::new(16), folder.path()).expect("trains");
        let [first, last] =
            [0, outcome.best_epoch].map(|epoch| outcome.log[epoch].validation_loss.expect("validated"));
        assert!(last < first, "{first} {last}");
        let alone = WadiqamRecipe { images: 1, ..recipe };
        let error = alone.validate().expect_err("nothing to compare");
        assert!(matches!(error, TrainError::InvalidRecipe { field: "images", .. }), "{error}");
    }
}

/// The second epoch learns 1e30 times as fast as the first.
#[test]
fn a_diverging_run_stops_and_keeps_what_was_before() {
    let folder = tempfile::tempdir().expect("a folder");
    let recipe = WadiqamRecipe {
        epochs: 3,
        learning_rate: 1e-3,
        steps_per_epoch: Some(3),
        schedule: Schedule::Step { every: 3, factor: 1e30 },
        ..recipe(WadiqamConfig::wadiqam_fr())
    };
    let read = |name: &str| std::fs::read(folder.path().join(name)).expect("reads");
    let mut before = None;
    for attempt in 0..2 {
        let error = run(&recipe, &Mixed::new(6), folder.path()).expect_err("diverges");
        let TrainError::NonFiniteLoss { step, value, learning_rate, .. } = error else { panic!("{error}") };
        assert!((3..6).contains(&step) && !value.is_finite(), "{step}: {value}");
        assert!((learning_rate - 1e-3).abs() < 1e-12, "{learning_rate}");
        let message = error.to_string();
        let named = message.contains(&format!("step {step}")) && message.contains(&value.to_string());
        assert!(named && message.contains("below its 1.0e-3"), "{message}");
        // One epoch, whose weights are the best; the next attempt goes on from there, and ends there.
        assert_eq!(read_log(&folder.path().join("log.csv")).expect("reads").len(), 1, "{attempt}");
        assert!(!folder.path().join("last.safetensors").exists());
        let files = ["checkpoint.safetensors", "best.safetensors", "loss.svg"].map(read);
        assert!(before.is_none_or(|before| before == files), "{attempt}");
        before = Some(files);
        Wadiqam::load(folder.path().join("best.safetensors"), &recipe.model, &Device::flex()).expect("loads");
    }
}

/// Killed between the last checkpoint and its row.
#[test]
fn a_finished_run_mends_its_log_and_its_plot() {
    let folder = tempfile::tempdir().expect("a folder");
    let recipe = WadiqamRecipe { epochs: 2, ..recipe(WadiqamConfig::diqam_nr()) };
    run(&recipe, &Mixed::new(4), folder.path()).expect("trains");
    let at = |name: &str| folder.path().join(name);
    let whole = ["log.csv", "loss.svg"].map(|name| std::fs::read_to_string(at(name)).expect("reads"));
    let shorter = whole[0].lines().take(2).map(|line| format!("{line}\n")).collect::<String>();
    std::fs::write(at("log.csv"), shorter).expect("writes");
    std::fs::remove_file(at("loss.svg")).expect("removes");
    run(&recipe, &Mixed::new(4), folder.path()).expect("has nothing to do");
    for (name, whole) in ["log.csv", "loss.svg"].into_iter().zip(whole) {
        assert_eq!(std::fs::read_to_string(at(name)).expect("reads"), whole, "{name}");
    }
}

#[test]
fn a_folder_is_looked_at_before_the_first_step() {
    let parent = tempfile::tempdir().expect("a folder");
    let recipe = recipe(WadiqamConfig::diqam_nr());
    let at = |name: &str| parent.path().join(name);
    // One that cannot be made, and one whose log cannot be replaced.
    std::fs::write(at("file"), "").expect("writes");
    std::fs::create_dir_all(at("taken").join("log.csv").join("inside")).expect("makes it");
    for (folder, named) in
        [(at("file").join("run"), at("file").join("run")), (at("taken"), at("taken").join("log.csv"))]
    {
        let data = Mixed::new(4);
        let message = run(&recipe, &data, &folder).expect_err("cannot be written").to_string();
        assert!(message.starts_with(&named.display().to_string()), "{message}");
        assert_eq!(data.calls.load(Ordering::SeqCst), recipe.images, "one batch at most");
    }
    // Data that give no batch leave no folder behind.
    let stops = Mixed { fails_after: 0, ..Mixed::new(4) };
    assert!(run(&recipe, &stops, &at("none")).is_err() && !at("none").exists());
}

#[test]
fn two_runs_do_not_share_a_folder() {
    /// Starts a second run in the folder of the first from within it.
    struct Nosy<'a>(Mixed, &'a Path, Mutex<Option<TrainError>>);
    impl TrainingPairs for Nosy<'_> {
        fn samples(&self) -> usize {
            4
        }
        fn pair(&self, epoch: u64, index: usize) -> Result<TrainingPair, TrainError> {
            if epoch == 1 && index == 0 {
                let other = WadiqamRecipe { seed: 2, ..recipe(WadiqamConfig::diqam_nr()) };
                let second = train(&other, &Mixed::new(4), &Mixed::new(5), self.1, &Device::flex(), &Silent);
                *self.2.lock().unwrap_or_else(PoisonError::into_inner) = second.err();
            }
            TrainingPairs::pair(&self.0, epoch, index)
        }
        fn key(&self) -> Result<DataKey, TrainError> {
            TrainingPairs::key(&self.0)
        }
    }
    let _alone = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir().expect("a folder");
    let data = Nosy(Mixed::new(4), folder.path(), Mutex::new(None));
    let recipe = WadiqamRecipe { epochs: 3, ..recipe(WadiqamConfig::diqam_nr()) };
    train(&recipe, &data, &Mixed::new(5), folder.path(), &Device::flex(), &Silent).expect("trains");
    let second = data.2.into_inner().unwrap_or_else(PoisonError::into_inner).expect("refused");
    assert!(
        matches!(&second, TrainError::Core(CoreError::FolderInUse { path }) if path == folder.path()),
        "{second}"
    );
    assert_eq!(read_log(&folder.path().join("log.csv")).expect("reads").len(), 3);
}

/// All of a model of the same kind, the convolutions alone of another kind.
#[test]
fn a_run_can_start_from_an_earlier_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = recipe(WadiqamConfig::wadiqam_fr());
    let weights = train_alone(&first, &Mixed::new(4), &folder.path().join("first")).expect("trains").last;
    let load = |path: &Path, recipe: &WadiqamRecipe| {
        Wadiqam::load(path, &recipe.model, &Device::flex()).expect("loads")
    };
    let before = load(&weights, &first);
    for (name, config) in [("fr", WadiqamConfig::wadiqam_fr()), ("nr", WadiqamConfig::wadiqam_nr())] {
        let second = WadiqamRecipe {
            start_from: Some(weights.clone()),
            epochs: 1,
            steps_per_epoch: Some(1),
            learning_rate: 1e-12,
            ..recipe(config)
        };
        let outcome = train_alone(&second, &Mixed::new(4), &folder.path().join(name)).expect("trains");
        let after = load(&outcome.last, &second);
        for (a, b) in before.convs().iter().zip(after.convs()) {
            let difference = (a.weight.val() - b.weight.val()).abs().max().into_scalar::<f32>();
            assert!(difference < 1e-9, "{difference}");
        }
        let image = textured(64, 64, 3);
        let reference = textured(64, 64, 4);
        let score = |model: &Wadiqam| {
            let reference = model.config().is_full_reference().then_some(&reference);
            model.score(&image, reference, &ScoreOptions::default()).expect("scores").score
        };
        assert_eq!((score(&before) - score(&after)).abs() < 1e-6, name == "fr", "{name}");
    }
}

/// A list on disk as a training set: every image once an epoch, in an order that the epoch and the seed decide.
#[test]
fn a_set_on_disk_is_gone_through_once_an_epoch() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut list = String::from("distorted,reference,score\n");
    for index in 0..6 {
        textured(40, 36, index).save(folder.path().join(format!("d{index}.png"))).expect("saves");
        list += &format!("d{index}.png,r{}.png,{index}\n", index % 2);
    }
    for index in 0..2 {
        textured(40, 36, 90 + index).save(folder.path().join(format!("r{index}.png"))).expect("saves");
    }
    let path = folder.path().join("list.csv");
    std::fs::write(&path, list).expect("writes");
    let scale = ScoreScale::new(ScoreKind::Mos, Direction::HigherIsBetter, 0.0, 5.0).expect("a scale");
    let set = DataSet::open_csv(&path, folder.path(), "six", scale, Strictness::Strict).expect("opens");

    let augment = PairAugment { horizontal_flip: true, crop: Some((32, 32)), ..PairAugment::default() };
    let training = SetTraining::new(&set, &[1, 2, 3, 4, 5], augment, 7);
    let qualities = |training: &SetTraining<'_>, epoch| -> Vec<f64> {
        (0..5).map(|index| training.pair(epoch, index).expect("reads").quality01).collect()
    };
    let (first, second) = (qualities(&training, 0), qualities(&training, 1));
    let sorted = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values
    };
    assert_eq!(sorted(first.clone()), [0.2, 0.4, 0.6, 0.8, 1.0]);
    assert_eq!(sorted(second.clone()), sorted(first.clone()));
    assert_ne!(first, second);
    let again = SetTraining::new(&set, &[1, 2, 3, 4, 5], augment, 7);
    assert_eq!(qualities(&again, 1), second, "the same for the same seed, whatever was asked before");
    let (a, b) = (training.pair(1, 3).expect("reads"), again.pair(1, 3).expect("reads"));
    assert_eq!(a.distorted, b.distorted);
    assert_eq!(a.distorted.dimensions(), (32, 32));
    assert_eq!(a.reference.map(|image| image.dimensions()), Some((32, 32)));

    let validation = SetValidation::new(&set, &[0, 5]);
    let pair = validation.pair(1).expect("reads");
    assert_eq!((pair.quality01, pair.distorted), (1.0, textured(40, 36, 5)));
    assert_eq!(pair.reference, Some(textured(40, 36, 91)));

    // A network learns from it as from any other data.
    let recipe = WadiqamRecipe { epochs: 1, ..recipe(WadiqamConfig::wadiqam_fr()) };
    let _alone = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
    let run = folder.path().join("run");
    let outcome = train(&recipe, &training, &validation, &run, &Device::flex(), &Silent).expect("trains");
    assert_eq!(outcome.log[0].steps, 3, "five images, two a batch");
}

#[test]
fn a_full_reference_model_cannot_learn_without_references() {
    struct Alone(Mixed);
    impl TrainingPairs for Alone {
        fn samples(&self) -> usize {
            2
        }
        fn pair(&self, epoch: u64, index: usize) -> Result<TrainingPair, TrainError> {
            Ok(TrainingPair { reference: None, ..TrainingPairs::pair(&self.0, epoch, index)? })
        }
        fn key(&self) -> Result<DataKey, TrainError> {
            TrainingPairs::key(&self.0)
        }
    }
    let folder = tempfile::tempdir().expect("a folder");
    let _alone = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
    let run = |config| {
        let data = Alone(Mixed::new(2));
        train(&recipe(config), &data, &Mixed::new(5), folder.path(), &Device::flex(), &Silent)
    };
    let error = run(WadiqamConfig::wadiqam_fr()).expect_err("nothing to compare with");
    let TrainError::Picture { name, source } = error else { panic!("{error}") };
    assert!(name.parse::<u32>().is_ok(), "{name}");
    assert!(matches!(*source, TrainError::ReferenceMissing), "{source}");
}
