//! A model of one's own, from outside of the workspace's crates: scored, evaluated, refused what it cannot take.

use std::fmt::Write as _;

use iqa_models::core::Silent;
use iqa_models::datasets::{DataSet, Direction as Better, ScoreKind, ScoreScale, Strictness};
use iqa_models::evaluate::{ReportConfig, report, score_set};
use iqa_models::image::{Rgb, RgbImage};
use iqa_models::nn::Prepared;
use iqa_models::{
    Direction, Identity, ModelError, QualityModel, ReferenceNeed, ScoreError, ScoreSpec, Scored, Scorer,
};

/// The mean absolute difference of two images, in steps of 8 bits, some times over.
#[derive(Debug)]
struct Difference {
    gain: f64,
}

impl QualityModel for Difference {
    fn name(&self) -> &str {
        "difference"
    }

    fn spec(&self) -> ScoreSpec {
        ScoreSpec::new(Direction::LowerIsBetter, 0.0, 255.0, ReferenceNeed::FullReference)
    }

    fn identity(&self) -> Identity {
        Identity::formula().with("gain", self.gain.to_string())
    }

    fn minimum_size(&self) -> (u32, u32) {
        (4, 2)
    }

    fn score(&self, distorted: &RgbImage, reference: Option<&RgbImage>) -> Result<Scored, ModelError> {
        let reference = reference.ok_or(ScoreError::ReferenceMissing)?;
        let pairs = distorted.as_raw().iter().zip(reference.as_raw());
        let sum: f64 = pairs.map(|(&a, &b)| f64::from(a.abs_diff(b))).sum();
        Ok((self.gain * sum / distorted.as_raw().len() as f64).into())
    }
}

fn plain(value: u8) -> RgbImage {
    RgbImage::from_pixel(8, 6, Rgb([value; 3]))
}

#[test]
fn a_model_of_ones_own_is_scored_as_any_other() {
    let scorer = Scorer::from_model(Difference { gain: 1.0 });
    let score = scorer.score_pair(plain(30), plain(12)).expect("scores");
    assert_eq!((score.value, score.direction, score.in_range()), (18.0, Direction::LowerIsBetter, true));
    assert_eq!((scorer.name(), scorer.identity().to_string()), ("difference", "none, 1".into()));
    let prepared = scorer.prepare(plain(12)).expect("prepares");
    assert_eq!(scorer.score_prepared(plain(30), &prepared).expect("scores").value, 18.0);

    // What it need not look at itself.
    assert!(matches!(scorer.score_single(plain(1)), Err(ModelError::Score(ScoreError::ReferenceMissing))));
    let other = RgbImage::new(9, 6);
    assert!(matches!(
        scorer.score_pair(&other, plain(1)),
        Err(ModelError::Score(ScoreError::SizeMismatch { .. }))
    ));
    let small = RgbImage::new(3, 6);
    assert!(matches!(scorer.score_pair(&small, &small), Err(ModelError::TooSmall { minimum: (4, 2), .. })));
    let infinite = Scorer::from_model(Difference { gain: f64::INFINITY });
    assert!(matches!(
        infinite.score_pair(plain(3), plain(1)),
        Err(ModelError::Score(ScoreError::NonFiniteScore { .. }))
    ));
    let doubled = Scorer::from_model(Difference { gain: 2.0 });
    assert!(matches!(
        doubled.score_prepared(plain(30), &prepared),
        Err(ModelError::ForeignReference { what: "gain", .. })
    ));
    assert!(Prepared::new(3u8).get::<u16>().is_err());
}

#[test]
fn a_model_of_ones_own_is_evaluated_as_any_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let mut list = "distorted,reference,score\n".to_owned();
    plain(100).save(folder.join("reference.png")).expect("saves");
    for (index, mos) in [5, 3, 4, 2, 1].into_iter().enumerate() {
        plain(100 + 10 * index as u8).save(folder.join(format!("{index}.png"))).expect("saves");
        writeln!(list, "{index}.png,reference.png,{mos}").expect("text");
    }
    std::fs::write(folder.join("list.csv"), list).expect("writes");
    let scale = ScoreScale::new(ScoreKind::Mos, Better::HigherIsBetter, 1.0, 5.0).expect("a scale");
    let set = DataSet::open_csv(&folder.join("list.csv"), folder, "five", scale, Strictness::Strict);
    let set = set.expect("a set");
    let scorer = Scorer::from_model(Difference { gain: 1.0 });
    let path = folder.join("scores.csv");
    let scores = score_set(scorer.model(), &set, &path, &Silent).expect("scores");
    assert_eq!(scores.values, [0.0, 10.0, 20.0, 30.0, 40.0]);
    let report = report(&set, &scores, None, &ReportConfig::default()).expect("a report");
    assert_eq!(report.model, "difference");
    // Ranks 5 3 4 2 1 against 5 4 3 2 1: 1 - 6 * 2 / (5 * 24).
    assert!((report.whole.figures.expect("defined").srcc - 0.9).abs() < 1e-12);

    let doubled = Scorer::from_model(Difference { gain: 2.0 });
    let error = score_set(doubled.model(), &set, &path, &Silent).expect_err("other scores");
    assert!(error.to_string().contains("expected none, 2, found none, 1"), "{error}");
}
