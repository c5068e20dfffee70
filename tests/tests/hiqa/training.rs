//! Whole runs.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::tensor::Device;
use iqa_models::core::Silent;
use iqa_models::heads::hiqa::{HiqaScoreOptions, MapSource};
use iqa_models::image::{Rgb, RgbImage, imageops, open};
use iqa_models::nn::{NamedTensors, image_to_tensor};
use iqa_models::train::hiqa::{
    HiqaOutcome, HiqaRecipe, Optimiser, Perceptual, Phase, Rung, sample_sheet, train,
};
use iqa_models::train::{
    DataKey, Recipe, Schedule, TrainError, TrainingPair, TrainingPairs, ValidationPairs,
};
use iqa_models::{ModelError, ReferenceNeed, Scorer};
use iqa_testkit::textured;

use super::{alone, load};

/// Pictures with noise; the label is what is left of the first.
struct Noisy {
    count: usize,
    side: u32,
    /// Calls after which reading fails, as on a full disk or a kill.
    fails_after: usize,
    calls: AtomicUsize,
}

impl Noisy {
    fn new(count: usize, side: u32) -> Self {
        Self { count, side, fails_after: usize::MAX, calls: AtomicUsize::new(0) }
    }

    fn make(&self, index: usize) -> TrainingPair {
        // Smooth pictures, so that there is something to find under the noise.
        let phase = index as f32;
        let reference = RgbImage::from_fn(self.side, self.side, |x, y| {
            let wave = |a: f32, b: f32| (128.0 + 90.0 * (x as f32 * a + y as f32 * b + phase).sin()) as u8;
            Rgb([wave(0.07, 0.02), wave(0.03, -0.05), wave(-0.04, 0.06)])
        });
        let grain = textured(self.side, self.side, index as u32 + 9);
        let strength = [0.6, 0.2][index % 2];
        let mut distorted = reference.clone();
        for (pixel, grain) in distorted.pixels_mut().zip(grain.pixels()) {
            for (value, &grain) in pixel.0.iter_mut().zip(&grain.0) {
                *value = (f32::from(*value) + strength * (f32::from(grain) - 120.0)) as u8;
            }
        }
        TrainingPair {
            distorted,
            reference: Some(reference),
            quality01: f64::from(1.0 - strength),
            source: 0,
            name: index.to_string(),
        }
    }
}

impl TrainingPairs for Noisy {
    fn samples(&self) -> usize {
        self.count
    }

    fn pair(&self, _epoch: u64, index: usize) -> Result<TrainingPair, TrainError> {
        if self.calls.fetch_add(1, Ordering::SeqCst) >= self.fails_after {
            return Err(TrainError::Empty { set: "training" });
        }
        Ok(self.make(index))
    }

    fn key(&self) -> Result<DataKey, TrainError> {
        Ok(DataKey::from([("images".into(), self.count.to_string())]))
    }
}

impl ValidationPairs for Noisy {
    fn samples(&self) -> usize {
        self.count
    }

    fn pair(&self, index: usize) -> Result<TrainingPair, TrainError> {
        Ok(self.make(index))
    }

    fn key(&self) -> Result<DataKey, TrainError> {
        Ok(DataKey::from([("images".into(), self.count.to_string())]))
    }
}

fn run(recipe: &HiqaRecipe, data: &Noisy, folder: &Path) -> Result<HiqaOutcome, TrainError> {
    let _alone = alone();
    train(recipe, data, &Noisy::new(2, data.side), folder, &Device::flex(), &Silent)
}

/// Two pairs by heart: the pixel loss falls by ten times, with the generator of the specification (no residual output).
#[test]
fn a_narrow_generator_learns_two_pairs_by_heart() {
    let folder = tempfile::tempdir().expect("a folder");
    let recipe = HiqaRecipe {
        rung: Rung::Map,
        patches: 4,
        joint_steps: 300,
        regressor_steps: 1,
        report_every: 25,
        generator_optimiser: Optimiser::Adam { rate: 5e-3 },
        schedule: Schedule::WarmupLinear { warmup_steps: 0, final_fraction: 0.05 },
        flip: false,
        ..HiqaRecipe::practical(Perceptual::None).tiny()
    };
    // Larger than a patch: running statistics of a batch that is the whole population would be off by its size.
    let data = Noisy::new(2, 80);
    let outcome = run(&recipe, &data, folder.path()).expect("trains");
    let pixel: Vec<f64> = outcome.log.iter().filter_map(|row| row.pixel).collect();
    assert_eq!(pixel.len(), 12);
    assert!(pixel[11] < pixel[0] / 10.0, "{pixel:?}");

    // The sheets have four columns and two rows; on the last, the hallucinated picture is far closer to the reference.
    let squares = |name: &str| -> f64 {
        let sheet = open(folder.path().join(name)).expect("a picture").into_rgb8();
        assert_eq!(sheet.dimensions(), (4 * 80 + 3 * 4, 2 * 80 + 4));
        let column = |index: u32| imageops::crop_imm(&sheet, index * 84, 0, 80, 80).to_image();
        let (hallucinated, reference) = (column(1), column(2));
        assert_eq!(Some(&reference), data.make(0).reference.as_ref());
        let pairs = hallucinated.as_raw().iter().zip(reference.as_raw());
        pairs.map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2)).sum()
    };
    assert!(squares("sheet_000300.png") < squares("sheet_000025.png") / 3.0);
}

fn short() -> HiqaRecipe {
    HiqaRecipe {
        baseline_steps: 4,
        joint_steps: 4,
        regressor_steps: 4,
        report_every: 2,
        ..HiqaRecipe::practical(Perceptual::None).tiny()
    }
}

/// Stopped in each of the three phases, between checkpoints and at one.
#[test]
fn a_stopped_run_ends_with_the_weights_of_an_unbroken_one() {
    let recipe = short();
    let whole = tempfile::tempdir().expect("a folder");
    let outcome = run(&recipe, &Noisy::new(5, 70), whole.path()).expect("trains");
    let expected = std::fs::read(&outcome.weights).expect("reads");
    let phases: Vec<Phase> = outcome.log.iter().map(|row| row.phase).collect();
    let [a, b, c] = [Phase::Baseline, Phase::Joint, Phase::Regressor];
    assert_eq!(phases, [a, a, b, b, c, c]);
    assert!(outcome.log.iter().all(|row| row.accepted.is_some() == (row.phase == b)));
    for name in ["baseline.safetensors", "log.csv", "loss.svg", "sheet_000002.png", "sheet_000004.png"] {
        assert!(whole.path().join(name).exists(), "{name}");
    }
    // Batches of two: eight samples a phase, drawn a few batches ahead.
    for fails_after in [0, 5, 8, 13, 15, 17, 21, 23] {
        let folder = tempfile::tempdir().expect("a folder");
        let stops = Noisy { fails_after, ..Noisy::new(5, 70) };
        assert!(run(&recipe, &stops, folder.path()).is_err());
        let outcome = run(&recipe, &Noisy::new(5, 70), folder.path()).expect("goes on");
        let found = std::fs::read(outcome.weights).expect("reads");
        assert!(found == expected, "stopped after {fails_after} samples");
    }
}

#[test]
fn a_generator_from_elsewhere_gets_a_regressor_and_an_oracle() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let recipe = HiqaRecipe { rung: Rung::Map, ..short() };
    let first = run(&recipe, &Noisy::new(5, 70), &at("first")).expect("trains");
    assert!(first.baseline.is_none());

    let plug_in = HiqaRecipe { plug_in: Some(first.weights.clone()), rung: Rung::Fusion, ..recipe.clone() };
    let oracle = HiqaRecipe { map_source: MapSource::Reference, ..plug_in.clone() };
    let device = Device::flex();
    let generator = |path: &Path| {
        let model = load(path, &device).expect("reads");
        super::parity::all_tensors(model.generator().expect("has one"))
    };
    for (name, recipe) in [("plug_in", &plug_in), ("oracle", &oracle)] {
        let outcome = run(recipe, &Noisy::new(5, 70), &at(name)).expect("trains");
        assert!(outcome.log.iter().all(|row| row.phase == Phase::Regressor));
        let (before, after) = (generator(&first.weights), generator(&outcome.weights));
        for key in before.keys() {
            assert_eq!(before.get(key).expect("listed"), after.get(key).expect("the same"), "{key}");
        }
    }
    let [plug, oracle_weights] = ["plug_in", "oracle"].map(|name| at(name).join("hiqa.safetensors"));
    assert!(std::fs::read(&plug).expect("reads") != std::fs::read(&oracle_weights).expect("reads"));
    // By name each is what it was trained as.
    let open = |name: &str, file: &Path| {
        let _alone = alone();
        Scorer::open(name, Some(file), &[], &device)
    };
    let (distorted, reference) = (textured(70, 70, 1), textured(70, 70, 2));
    let by_name = open("hiqa_oracle", &oracle_weights).expect("opens");
    assert_eq!(by_name.spec().reference, ReferenceNeed::FullReference);
    let network = load(&oracle_weights, &device).expect("reads").fuse();
    let expected =
        network.score_oracle(&distorted, &reference, &HiqaScoreOptions::default()).expect("scores");
    let found = by_name.score_pair(&distorted, &reference).expect("scores");
    assert_eq!(found.value, expected.score);
    let [distorted, reference] = [&distorted, &reference].map(|image| image_to_tensor(image, &device));
    let found = by_name.model().score_tensors(distorted, Some(reference)).expect("scores");
    let found = f64::from(found.into_scalar::<f32>());
    assert!((found - expected.score).abs() < 1e-5, "{found}, {}", expected.score);
    let refused = |name, file: &Path| open(name, file).expect_err("refused").to_string();
    assert!(refused("hiqa", &oracle_weights).contains("`hiqa_oracle`"));
    assert!(open("hiqa", &plug).is_ok() && open("hiqa_oracle", &plug).is_ok());
    let baseline = HiqaRecipe { rung: Rung::Baseline, ..recipe.clone() };
    let baseline = run(&baseline, &Noisy::new(5, 70), &at("baseline")).expect("trains");
    assert!(refused("hiqa_oracle", &baseline.weights).contains("the baseline"));

    // A generator may go on learning; at a rate below all rounding it is still the one that it was.
    let from = HiqaRecipe {
        start_from: Some(first.weights.clone()),
        generator_optimiser: Optimiser::paper(1e-30),
        seed: 3,
        ..recipe.clone()
    };
    let went_on = run(&from, &Noisy::new(5, 70), &at("from")).expect("trains");
    let (before, after) = (generator(&first.weights), generator(&went_on.weights));
    for key in before.keys().filter(|key| !key.contains("running")) {
        let [before, after] = [&before, &after].map(|all| &all.get(key).expect("listed").values);
        assert_eq!(after, before, "{key}");
    }
    // Where no generator is trained it is the regressor, in all that both have.
    let still = Optimiser::paper(1e-30);
    let weights_of = |outcome: &HiqaOutcome| NamedTensors::read(&outcome.weights).expect("reads");
    let learned = |key: &str| key.starts_with("regressor.") && !key.contains("running");
    let again =
        HiqaRecipe { start_from: Some(oracle_weights.clone()), regressor_optimiser: still, ..oracle.clone() };
    let hallucinated = HiqaRecipe { map_source: MapSource::Hallucination, ..again.clone() };
    let before = NamedTensors::read(&oracle_weights).expect("reads");
    for (name, recipe) in [("again", again), ("hallucinated", hallucinated)] {
        let after = weights_of(&run(&recipe, &Noisy::new(5, 70), &at(name)).expect("trains"));
        for key in before.keys().filter(|key| learned(key)) {
            assert_eq!(
                after.get(key).expect(key).values,
                before.get(key).expect(key).values,
                "{name}: {key}"
            );
        }
    }
    let fused = HiqaRecipe {
        rung: Rung::Fusion,
        plug_in: Some(plug.clone()),
        start_from: Some(baseline.weights.clone()),
        regressor_optimiser: still,
        ..recipe.clone()
    };
    let after = weights_of(&run(&fused, &Noisy::new(5, 70), &at("fused")).expect("trains"));
    let before = weights_of(&baseline);
    let joined = "regressor.fc1.weight";
    for key in before.keys().filter(|key| learned(key) && *key != joined) {
        assert_eq!(after.get(key).expect(key).values, before.get(key).expect(key).values, "{key}");
    }
    let (wide, narrow) = (after.get(joined).expect(joined), before.get(joined).expect(joined));
    let columns = narrow.shape[1];
    assert_eq!(wide.shape, [narrow.shape[0], 2 * columns]);
    for (wide, narrow) in wide.values.chunks(2 * columns).zip(narrow.values.chunks(columns)) {
        assert_eq!(wide[columns..], *narrow, "the features of the generator come first");
    }
    // Widths that the other's rows fit into and those that they do not.
    for regressor_width in [1, 2, 3, 5, 6, 8] {
        let other = HiqaRecipe { regressor_width, ..fused.clone() };
        let error = run(&other, &Noisy::new(5, 70), &at("other")).expect_err("another width");
        assert!(matches!(error, TrainError::InvalidRecipe { field: "start_from", .. }), "{error}");
    }
    assert!(by_name.weights_remark().is_none());
    assert!(open("hiqa_oracle", &plug).expect("opens").weights_remark().is_some());
    // Without a name each is what it was trained as too, beside references or not.
    let found = |file: &Path, need| {
        let _alone = alone();
        Scorer::of_weights(file, need, &[], &device).map(|scorer| scorer.name().to_owned())
    };
    let (full, none) = (Some(ReferenceNeed::FullReference), Some(ReferenceNeed::NoReference));
    for need in [None, none] {
        assert_eq!(found(&plug, need).expect("opens"), "hiqa");
    }
    assert!(matches!(found(&plug, full), Err(ModelError::WeightsOfAnother { name: "hiqa", .. })));
    for need in [None, full] {
        assert_eq!(found(&oracle_weights, need).expect("opens"), "hiqa_oracle");
    }
    assert!(matches!(found(&oracle_weights, none), Err(ModelError::WeightsOfAnother { .. })));
    let nothing = HiqaRecipe { rung: Rung::Baseline, ..oracle.clone() };
    assert!(matches!(nothing.validate(), Err(TrainError::InvalidRecipe { field: "plug_in", .. })));
    let without = HiqaRecipe { plug_in: None, ..oracle };
    assert!(matches!(without.validate(), Err(TrainError::InvalidRecipe { field: "plug_in", .. })));
    let wider = HiqaRecipe { generator: plug_in.generator.clone().with_width(8), ..plug_in };
    assert!(matches!(
        run(&wider, &Noisy::new(5, 70), &at("wider")),
        Err(TrainError::InvalidRecipe { field: "plug_in", .. })
    ));
}

#[test]
fn another_recipe_does_not_go_on_with_a_run_and_small_images_are_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let recipe = HiqaRecipe { rung: Rung::Baseline, baseline_steps: 2, ..short() };
    let outcome = run(&recipe, &Noisy::new(3, 64), folder.path()).expect("trains");
    let model = load(&outcome.weights, &Device::flex()).expect("reads");
    assert!(model.score(&textured(64, 64, 1), None, &HiqaScoreOptions::default()).is_ok());
    assert!(sample_sheet(&model, &[(textured(8, 8, 1), textured(8, 8, 1))]).is_err(), "no generator");
    let other = HiqaRecipe { seed: 2, ..recipe.clone() };
    let error = run(&other, &Noisy::new(3, 64), folder.path()).expect_err("refused");
    assert!(matches!(&error, TrainError::RecipeChanged { field, .. } if field == "seed"), "{error}");
    let small = tempfile::tempdir().expect("a folder");
    let error = run(&recipe, &Noisy::new(3, 63), small.path()).expect_err("too small").to_string();
    assert!(error.contains("63x63") && error.contains("64x64"), "{error}");
}

/// The joint phase learns so fast that its first step takes everything beyond single precision.
#[test]
fn a_diverging_run_stops_and_keeps_what_was_before() {
    let folder = tempfile::tempdir().expect("a folder");
    let recipe = HiqaRecipe { generator_optimiser: Optimiser::paper(1e3), ..short() };
    for _ in 0..2 {
        let error = run(&recipe, &Noisy::new(5, 70), folder.path()).expect_err("diverges");
        // The baseline's four steps are done.
        assert!(matches!(error, TrainError::NonFiniteLoss { step: 4..=7, .. }), "{error}");
        let log = std::fs::read_to_string(folder.path().join("log.csv")).expect("reads");
        assert_eq!(log.lines().count(), 3, "{log}");
        assert!(!folder.path().join("hiqa.safetensors").exists());
    }
}

#[test]
fn recipes_beyond_all_memory_are_refused_by_field() {
    let wide = |width| short().generator.with_width(width);
    let cases = [
        ("generator.width", HiqaRecipe { generator: wide(usize::MAX / 2), ..short() }),
        ("regressor_width", HiqaRecipe { regressor_width: usize::MAX, ..short() }),
        ("discriminator_width", HiqaRecipe { discriminator_width: 1 << 40, ..short() }),
        ("patch", HiqaRecipe { patch: 1 << 40, ..short() }),
        ("patch", HiqaRecipe { patch: 192, ..short() }),
        ("images", HiqaRecipe { images: usize::MAX, ..short() }),
        ("patches", HiqaRecipe { patches: usize::MAX, ..short() }),
        ("joint", HiqaRecipe { joint_steps: usize::MAX, ..short() }),
    ];
    for (name, recipe) in cases {
        let error = recipe.validate().expect_err(name);
        assert!(matches!(&error, TrainError::InvalidRecipe { field, .. } if *field == name), "{error}");
    }
}
