//! Evaluation: files that grow, and figures with a sign.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use image::{Rgb, RgbImage};
use iqa_core::{CoreError, Direction, ReferenceNeed, ScoreSpec};
use iqa_datasets::split::SplitPreset;
use iqa_datasets::{DataSet, DataSetKind, ScoreKind, ScoreScale, Strictness};
use iqa_evaluate::{EvaluateError, FIGURES, Report, ReportConfig, Scores, report, score_set, write_scatter};
use iqa_metrics::agreement::{plcc, srcc};
use iqa_nn::{CheckedModel, Identity, ModelError, Prepared, QualityModel, Scored};
use tempfile::TempDir;

#[derive(Debug, thiserror::Error)]
#[error("no score today")]
struct Tired;

/// The difference in brightness to the reference; keeps count of its work, and stops after some.
#[derive(Clone, Debug)]
struct Brightness {
    spec: ScoreSpec,
    weights: &'static str,
    most: usize,
    free_scale: bool,
    scored: Arc<Mutex<usize>>,
    prepared: Arc<Mutex<Vec<u8>>>,
}

impl Brightness {
    fn new() -> Self {
        Self {
            spec: ScoreSpec::new(Direction::LowerIsBetter, 0.0, 255.0, ReferenceNeed::FullReference),
            weights: "one",
            most: usize::MAX,
            free_scale: false,
            scored: Arc::default(),
            prepared: Arc::default(),
        }
    }

    fn at_most(most: usize) -> Self {
        Self { most, ..Self::new() }
    }
}

impl Brightness {
    fn scored(&self) -> usize {
        *self.scored.lock().expect("no panic")
    }

    fn prepared(&self) -> Vec<u8> {
        self.prepared.lock().expect("no panic").clone()
    }
}

impl QualityModel for Brightness {
    fn name(&self) -> &str {
        "brightness"
    }

    fn identity(&self) -> Identity {
        Identity::formula().with("weights", self.weights)
    }

    fn spec(&self) -> ScoreSpec {
        self.spec
    }

    fn has_free_scale(&self) -> bool {
        self.free_scale
    }

    fn prepare(&self, reference: &RgbImage) -> Result<Prepared, ModelError> {
        let value = reference.get_pixel(0, 0)[0];
        self.prepared.lock().expect("no panic").push(value);
        Ok(Prepared::new(value))
    }

    fn score(&self, _: &RgbImage, _: Option<&RgbImage>) -> Result<Scored, ModelError> {
        unreachable!("every reference is prepared")
    }

    fn score_prepared(&self, distorted: &RgbImage, reference: &Prepared) -> Result<Scored, ModelError> {
        let mut scored = self.scored.lock().expect("no panic");
        if *scored == self.most {
            return Err(ModelError::model(Tired));
        }
        *scored += 1;
        let difference = f64::from(distorted.get_pixel(0, 0)[0]) - f64::from(*reference.get::<u8>()?);
        // A number whose decimal digits do not end soon.
        Ok((difference.abs() + 1.0 / 3.0).into())
    }
}

const REFERENCES: u8 = 4;
const VERSIONS: u8 = 6;

/// Four references of six versions each, listed version by version, rated from 1 to 5.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let save = |value: u8, name: &str| {
        RgbImage::from_pixel(4, 4, Rgb([value; 3])).save(folder.path().join(name)).expect("saves");
    };
    let mut list = "distorted,reference,score,type\n".to_owned();
    for version in 0..VERSIONS {
        for reference in 0..REFERENCES {
            save(100 + 7 * version + reference, &format!("{reference}, {version}.png"));
            let mos = 4.7 - 0.6 * f64::from(version) + 0.1 * f64::from(reference);
            let kind = if version % 2 == 0 { "even" } else { "odd" };
            writeln!(list, "\"{reference}, {version}.png\",ref{reference}.png,{mos},{kind}").expect("text");
        }
    }
    for reference in 0..REFERENCES {
        save(100 + reference, &format!("ref{reference}.png"));
    }
    std::fs::write(folder.path().join("list.csv"), list).expect("writes");
    folder
}

fn open(folder: &Path) -> DataSet {
    let scale = ScoreScale::new(ScoreKind::Mos, Direction::HigherIsBetter, 1.0, 5.0).expect("a scale");
    DataSet::open_csv(&folder.join("list.csv"), folder, "made", scale, Strictness::Strict).expect("a set")
}

fn run(model: &Brightness, set: &DataSet, path: &Path) -> Result<Scores, EvaluateError> {
    score_set(&CheckedModel::new(Box::new(model.clone())), set, path, &iqa_core::Silent)
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).expect("reads")
}

#[test]
fn each_reference_is_prepared_once_however_the_list_is_ordered() {
    let folder = folder();
    let set = open(folder.path());
    let model = Brightness::new();
    let scores = run(&model, &set, &folder.path().join("scores.csv")).expect("scores");
    assert_eq!(model.prepared(), [100, 101, 102, 103]);
    assert_eq!(model.scored(), set.samples().len());
    for (sample, score) in set.samples().iter().zip(&scores.values) {
        let version = sample.distorted.to_string_lossy().trim_end_matches(".png").chars().last();
        let version = version.and_then(|digit| digit.to_digit(10)).expect("a digit");
        assert_eq!(*score, f64::from(7 * version) + 1.0 / 3.0);
    }
    assert_eq!(scores.found, 0);
}

#[test]
fn a_run_that_was_stopped_goes_on_without_scoring_twice() {
    let folder = folder();
    let set = open(folder.path());
    let (whole, stopped) = (folder.path().join("whole.csv"), folder.path().join("stopped.csv"));
    let scores = run(&Brightness::new(), &set, &whole).expect("scores");

    let error = run(&Brightness::at_most(9), &set, &stopped).expect_err("stopped").to_string();
    assert!(error.contains(".png: no score today"), "{error}");
    assert_eq!(read(&stopped).lines().count(), 2 + 9);
    let model = Brightness::new();
    let resumed = run(&model, &set, &stopped).expect("goes on");
    assert_eq!(model.scored(), 24 - 9);
    assert_eq!((resumed.found, &resumed.values), (9, &scores.values));
    assert_eq!(read(&stopped), read(&whole));

    let model = Brightness::new();
    assert_eq!(run(&model, &set, &whole).expect("nothing to do").found, 24);
    assert_eq!((model.scored(), model.prepared().len()), (0, 0));
    assert_eq!(Scores::read(&whole, &set).expect("complete").values, scores.values);
}

#[test]
fn a_torn_line_is_written_again() {
    let folder = folder();
    let set = open(folder.path());
    let path = folder.path().join("scores.csv");
    run(&Brightness::new(), &set, &path).expect("scores");
    let text = read(&path);
    let last = text.trim_end().rfind('\n').expect("lines") + 1;
    for length in [last + 1, last + 8, text.len() - 3, text.len() - 1] {
        std::fs::write(&path, &text[..length]).expect("writes");
        let error = Scores::read(&path, &set).expect_err("not complete").to_string();
        assert!(error.contains("scores.csv, line 26: expected scores of 24 images"), "{error}");
        let model = Brightness::new();
        run(&model, &set, &path).expect("goes on");
        assert_eq!((model.scored(), read(&path)), (1, text.clone()), "cut at {length}");
    }
}

#[test]
fn scores_of_another_run_are_not_mixed_in() {
    let folder = folder();
    let set = open(folder.path());
    let path = folder.path().join("scores.csv");
    run(&Brightness::at_most(5), &set, &path).expect_err("stopped");
    let text = read(&path);

    let other = Brightness { weights: "two", ..Brightness::new() };
    let error = run(&other, &set, &path).expect_err("other weights");
    assert!(matches!(error, EvaluateError::Core(CoreError::OtherResults { what: "weights", .. })), "{error}");
    assert!(error.to_string().contains("expected two, found one"), "{error}");
    let fewer = set.filtered(|sample| sample.raw > 2.0).expect("some");
    let error = run(&Brightness::new(), &fewer, &path).expect_err("another set");
    assert!(
        matches!(error, EvaluateError::Core(CoreError::OtherResults { what: "list of images", .. })),
        "{error}"
    );

    for (from, to, message) in [
        ("0.3333", "x", "line 3: expected an image, its score, its rating and two digests"),
        ("\"0, 1.png\"", "\"0, 0.png\"", "line 4: expected an image of the set, not listed before"),
        ("\"0, 1.png\"", "nowhere.png", "line 4: expected an image of the set, not listed before"),
        ("image,score", "picture,score", "line 2: expected image,score,subjective"),
        ("# {", "{", "line 1: expected `# ` and what the scores depend on"),
    ] {
        std::fs::write(&path, text.replacen(from, to, 1)).expect("writes");
        let error = run(&Brightness::new(), &set, &path).expect_err("damaged").to_string();
        assert!(error.contains("scores.csv") && error.contains(message), "{error}");
    }
}

/// Names that make records of CSV of two lines: cut anywhere, the file ends as a whole one.
#[cfg(unix)]
#[test]
fn names_with_line_breaks_are_gone_on_with() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut list = "distorted,reference,score\n".to_owned();
    let names = ["two\nlines.png", "\"q\".png", "a, b.png", "#.png"];
    for (name, value) in names.iter().zip(1u8..) {
        RgbImage::from_pixel(4, 4, Rgb([40 * value; 3])).save(folder.path().join(name)).expect("saves");
        writeln!(list, "\"{}\",#.png,{value}", name.replace('"', "\"\"")).expect("text");
    }
    std::fs::write(folder.path().join("list.csv"), list).expect("writes");
    let set = open(folder.path());
    let (path, cut) = (folder.path().join("scores.csv"), folder.path().join("cut.csv"));
    let scores = run(&Brightness::new(), &set, &path).expect("scores");
    let text = read(&path);
    assert_eq!(text.lines().count(), 2 + 5, "one record of two lines");
    for length in 0..=text.len() {
        std::fs::write(&cut, &text[..length]).expect("writes");
        let resumed = run(&Brightness::new(), &set, &cut).expect("goes on");
        assert_eq!((read(&cut), resumed.values), (text.clone(), scores.values.clone()), "cut at {length}");
    }
    std::fs::write(&cut, "no line break").expect("writes");
    let error = run(&Brightness::new(), &set, &cut).expect_err("not ours").to_string();
    assert!(error.contains("cut.csv, line 1: expected results of this program"), "{error}");
    assert_eq!(read(&cut), "no line break");
}

#[test]
fn two_runs_do_not_write_one_file() {
    let folder = folder();
    let set = open(folder.path());
    let path = folder.path().join("scores.csv");
    run(&Brightness::at_most(5), &set, &path).expect_err("stopped");
    let held = std::fs::File::options().append(true).open(&path).expect("opens");
    held.lock().expect("locks");
    let error = run(&Brightness::new(), &set, &path).expect_err("in use").to_string();
    assert!(error.contains("another run is writing"), "{error}");
    drop(held);
    run(&Brightness::new(), &set, &path).expect("free again");
}

#[test]
fn signs_are_kept_and_errors_are_in_the_units_of_the_ratings() {
    let folder = folder();
    let set = open(folder.path());
    let path = folder.path().join("scores.csv");
    let scores = run(&Brightness::new(), &set, &path).expect("scores");
    let found = report(&set, &scores, None, &ReportConfig::default()).expect("a report");
    let figures = found.whole.figures.expect("defined");
    assert!(
        figures.plcc > 0.98 && figures.srcc > 0.9,
        "a difference is taken as lack of quality: {figures:?}"
    );
    // By hand: 0 to 255, lower better, onto 1 to 5, higher better.
    let errors = set.samples().iter().zip(&scores.values).map(|(s, v)| 5.0 - 4.0 * v / 255.0 - s.raw);
    let rmse = (errors.clone().map(|e| e * e).sum::<f64>() / 24.0).sqrt();
    let mae = errors.map(f64::abs).sum::<f64>() / 24.0;
    assert!((figures.rmse.expect("a range") - rmse).abs() < 1e-12);
    assert!((figures.mae.expect("a range") - mae).abs() < 1e-12);
    let intervals = found.intervals.expect("defined");
    // Four references are few: their interval is near the figure, and need not hold it.
    assert_eq!(intervals.references, Some(4));
    assert!(intervals.srcc.iter().all(|end| (end - figures.srcc).abs() < 0.02), "{intervals:?}");
    assert!(intervals.srcc[0] < intervals.srcc[1]);
    assert_eq!(found.types.iter().map(|part| part.images).collect::<Vec<_>>(), [12, 12]);

    // The same numbers, declared to grow with quality: every correlation turns its sign.
    let mut inverted = scores.clone();
    inverted.key.direction = Direction::HigherIsBetter;
    let turned = report(&set, &inverted, None, &ReportConfig::default()).expect("a report");
    let turned = turned.whole.figures.expect("defined");
    for (name, figure) in &FIGURES[..4] {
        let sum = figure(&turned).expect("defined") + figure(&figures).expect("defined");
        assert!(sum.abs() < 1e-12, "{name}");
    }

    // A third above 0, 7, 14, 21, 28 and 35, four times each.
    assert_eq!(found.outside_range, 0);
    let mut narrow = scores.clone();
    narrow.key.range = [Some(0.0), Some(20.0)];
    let narrow = report(&set, &narrow, None, &ReportConfig::default()).expect("a report");
    assert_eq!(narrow.outside_range, 12);

    // Without a range there is no error in the units of the ratings; the fit's is there.
    let mut open_ended = scores.clone();
    open_ended.key.range = [Some(0.0), None];
    open_ended.values[3] = f64::INFINITY;
    let found = report(&set, &open_ended, None, &ReportConfig::default()).expect("a report");
    let figures = found.whole.figures.expect("defined");
    assert_eq!((found.not_finite, found.whole.images, figures.rmse, figures.mae), (1, 23, None, None));
    assert!(figures.five_parameters.is_some());
}

#[test]
fn a_figure_that_is_not_defined_is_missing_with_its_reason() {
    let folder = folder();
    let set = open(folder.path());
    let mut scores = run(&Brightness::new(), &set, &folder.path().join("scores.csv")).expect("scores");
    scores.values.fill(1.5);
    let found = report(&set, &scores, None, &ReportConfig::default()).expect("a report");
    assert_eq!((found.whole.figures, found.intervals), (None, None));
    assert_eq!(found.whole.undefined.as_deref(), Some("all predicted scores are the same"));
}

#[test]
fn a_model_is_compared_with_another_on_the_images_that_both_score() {
    let folder = folder();
    let set = open(folder.path());
    let scores = run(&Brightness::new(), &set, &folder.path().join("scores.csv")).expect("scores");
    let mut other = scores.clone();
    // Pairs of neighbours swapped: a worse order.
    other.values.chunks_mut(2).for_each(<[f64]>::reverse);
    other.values.rotate_left(5);
    other.values[0] = f64::INFINITY;
    let found = report(&set, &scores, Some(&other), &ReportConfig::default()).expect("a report");
    let found = found.against.expect("compared");
    assert_eq!(found.images, 23);
    let turned = |scores: &Scores| scores.values[1..].iter().map(|value| -value).collect::<Vec<f64>>();
    let ratings: Vec<f64> = set.samples()[1..].iter().map(|sample| sample.raw).collect();
    for (figure, difference) in [(plcc as fn(&[f64], &[f64]) -> _, found.plcc), (srcc, found.srcc)] {
        let [first, second] =
            [&scores, &other].map(|scores| figure(&turned(scores), &ratings).expect("defined"));
        assert!((difference.value - (first - second)).abs() < 1e-12);
        assert!(difference.interval[0] < difference.value && difference.value < difference.interval[1]);
        assert!(difference.value > 0.0 && difference.p_value < 0.05, "{difference:?}");
    }
    assert!(found.williams.statistic > 0.0 && found.williams.p_value < 0.05);
    assert!(found.f_test.is_some_and(|test| test.statistic < 1.0 && test.p_value < 0.05));

    let same = report(&set, &scores, Some(&scores), &ReportConfig::default()).expect("a report");
    let same = same.against.expect("compared");
    assert_eq!((same.srcc.value, same.srcc.p_value, same.williams.statistic), (0.0, 1.0, 0.0));
}

/// The labels of TID2013 with files that hold nothing.
fn tid2013(folder: &Path) -> DataSet {
    let mut labels = String::new();
    let touch = |name: String| drop(std::fs::File::create(folder.join(name)).expect("creates"));
    for name in ["distorted_images", "reference_images"] {
        std::fs::create_dir_all(folder.join(name)).expect("creates");
    }
    for reference in 1..=25 {
        touch(format!("reference_images/I{reference:02}.BMP"));
        for (kind, level) in (1..=24).flat_map(|kind| (1..=5).map(move |level| (kind, level))) {
            let score = 7.0 - f64::from(level) + f64::from(kind * 7 % 10 + reference % 4) / 10.0;
            writeln!(labels, "{score:.5} I{reference:02}_{kind:02}_{level}.bmp").expect("text");
            touch(format!("distorted_images/i{reference:02}_{kind:02}_{level}.bmp"));
        }
    }
    std::fs::write(folder.join("mos_with_names.txt"), labels).expect("writes");
    DataSet::open(DataSetKind::Tid2013, folder, Strictness::Strict).expect("complete")
}

#[test]
fn subsets_and_splits_are_those_of_the_papers() {
    let folder = tempfile::tempdir().expect("a folder");
    let set = tid2013(folder.path());
    // A model of some use: it knows the level, and not the rest.
    let made = self::folder();
    let small = open(made.path());
    let mut scores = run(&Brightness::new(), &small, &made.path().join("scores.csv")).expect("scores");
    let noise = |index: usize| (index as f64 * 0.7).sin();
    scores.values = set
        .samples()
        .iter()
        .enumerate()
        .map(|(index, sample)| f64::from(sample.level.expect("levels")) + noise(index))
        .collect();
    let preset = SplitPreset::BosseTid2013;
    let config = ReportConfig { splits: Some(preset), resamples: 20, seed: 3, ..ReportConfig::default() };
    let found = report(&set, &scores, None, &config).expect("a report");
    let sizes = |parts: &[iqa_evaluate::Part]| {
        parts.iter().map(|part| (part.name.clone(), part.images)).collect::<Vec<_>>()
    };
    // 25 references at 5 levels are 125 images of a type; numbers of types from the set's readme.
    let expected = [
        ("noise", 11),
        ("actual", 11),
        ("simple", 3),
        ("exotic", 9),
        ("new", 7),
        ("color", 6),
        ("shared types", 4),
    ];
    assert_eq!(sizes(&found.subsets), expected.map(|(name, types)| (name.to_owned(), 125 * types)));
    assert_eq!(found.types.len(), 24);
    assert_eq!(found.types[7].name, "gaussian_blur");

    let splits = found.splits.expect("asked for");
    assert_eq!((splits.parts.len(), splits.preset.as_str(), splits.seed), (10, "bosse_tid2013", 3));
    assert!(splits.parts.iter().all(|part| part.images == 5 * 24 * 5), "five references");
    let mut values: Vec<f64> = preset
        .splits(&set, 3)
        .expect("splits")
        .iter()
        .map(|split| {
            let predicted: Vec<f64> = split.test().iter().map(|&index| -scores.values[index]).collect();
            let ratings: Vec<f64> = split.test().iter().map(|&index| set.samples()[index].raw).collect();
            srcc(&predicted, &ratings).expect("defined")
        })
        .collect();
    values.sort_by(f64::total_cmp);
    let row = splits.summary.iter().find(|row| row.figure == "SRCC").expect("there");
    let mean = values.iter().sum::<f64>() / 10.0;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / 9.0;
    assert!((row.mean - mean).abs() < 1e-12 && (row.std - variance.sqrt()).abs() < 1e-12);
    assert_eq!(row.median, (values[4] + values[5]) / 2.0);

    let config = ReportConfig { splits: Some(SplitPreset::BosseTid2013Cross), ..config };
    let error = report(&set, &scores, None, &config).expect_err("no test part").to_string();
    assert_eq!(error, "the splits of `bosse_tid2013_cross` have no test part: its tests are on other sets");
}

#[test]
fn the_plot_says_what_it_shows() {
    let folder = folder();
    let set = open(folder.path());
    let mut scores = run(&Brightness::new(), &set, &folder.path().join("scores.csv")).expect("scores");
    scores.values[0] = f64::INFINITY;
    let path: PathBuf = folder.path().join("scatter.svg");
    write_scatter(&path, &set, &scores).expect("draws");
    let svg = read(&path);
    for text in
        ["brightness (lower is better)", "MOS of made (higher is better)", "even", "odd", "logistic fit"]
    {
        assert!(svg.contains(text), "{text}");
    }
    // A point an image with a finite score, and one for each entry of the legend.
    assert_eq!(svg.matches("<circle").count(), 23 + 2);
    scores.values.fill(f64::NAN);
    let error = write_scatter(&path, &set, &scores).expect_err("nothing to draw").to_string();
    assert!(error.contains("no image has a finite score"), "{error}");
}

#[test]
fn ratings_and_scores_of_any_size_are_reported_and_drawn() {
    let folder = folder();
    let set = open(folder.path());
    let scores = run(&Brightness::new(), &set, &folder.path().join("s.csv")).expect("scores");
    let list = read(&folder.path().join("list.csv"));
    for (ratings, value) in [([-1e308, 1e308], 1e308), ([1e300, 1e300], 7.0), ([0.0, 1e-310], f64::NAN)] {
        let mut text = String::new();
        for (index, line) in list.lines().enumerate() {
            let fields: Vec<&str> = line.rsplitn(3, ',').collect();
            let [kind, mos, images] = fields[..] else { panic!("{line}") };
            let rating = if index == 0 { mos.to_owned() } else { ratings[index % 2].to_string() };
            writeln!(text, "{images},{rating},{kind}").expect("text");
        }
        let path = folder.path().join("huge.csv");
        std::fs::write(&path, text).expect("writes");
        let scale =
            ScoreScale::new(ScoreKind::Mos, Direction::HigherIsBetter, -1e308, 1e307).expect("a scale");
        let set = DataSet::open_csv(&path, folder.path(), "huge", scale, Strictness::Strict).expect("opens");
        let mut scores = scores.clone();
        scores.values[0] = value;
        scores.values[1] = f64::INFINITY;
        let found = report(&set, &scores, None, &ReportConfig { resamples: 20, ..ReportConfig::default() });
        let json = serde_json::to_string(&found.expect("reports")).expect("writes");
        serde_json::from_str::<Report>(&json).expect("reads");
        let picture = folder.path().join("huge.svg");
        write_scatter(&picture, &set, &scores).expect("draws");
        assert!(read(&picture).contains("</svg>"));
    }
}

#[test]
fn scores_of_a_free_scale_have_no_error_in_the_units_of_the_ratings() {
    let folder = folder();
    let set = open(folder.path());
    let figures = |free_scale| {
        let model = Brightness { free_scale, ..Brightness::new() };
        let name = format!("{free_scale}.csv");
        let scores = run(&model, &set, &folder.path().join(name)).expect("scores");
        report(&set, &scores, None, &ReportConfig::default())
            .expect("a report")
            .whole
            .figures
            .expect("figures")
    };
    let (bound, free) = (figures(false), figures(true));
    assert!(bound.rmse.is_some() && free.rmse.is_none() && free.mae.is_none());
    assert!((bound.srcc - free.srcc).abs() < 1e-12 && (bound.plcc - free.plcc).abs() < 1e-12);
    assert!(free.four_parameters.is_some(), "a fit gives it a scale");
}
