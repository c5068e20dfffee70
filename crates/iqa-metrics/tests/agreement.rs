//! Figures of agreement against SciPy (`tests/fixtures/generate/agreement.py`), closed forms and their own laws.

use iqa_metrics::agreement::{
    Agreement, Bootstrap, LogisticFit, LogisticKind, TestResult, average_ranks, bootstrap_interval, krcc,
    mae, main_score, paired_bootstrap, plcc, rmse, srcc, variance_f_test, williams_test,
};
use iqa_metrics::{List, MetricsError};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Value;

/// Two ways to sum a few hundred doubles.
const CLOSED_FORM: f64 = 1e-12;
/// Two least-squares searches that end in the same valley.
const FITTED: f64 = 1e-6;

fn fixture(name: &str) -> Value {
    let path = format!("{}/../../tests/fixtures/agreement/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).expect("a fixture")).expect("JSON")
}

fn number(value: &Value) -> f64 {
    value.as_f64().expect("a number")
}

fn list(value: &Value) -> Vec<f64> {
    value.as_array().expect("a list").iter().map(number).collect()
}

type Figure = fn(&[f64], &[f64]) -> Result<f64, MetricsError>;

#[track_caller]
fn assert_near(what: &str, found: f64, expected: f64, tolerance: f64) {
    let error = (found - expected).abs() / expected.abs().max(1.0);
    assert!(error <= tolerance, "{what}: {found} against {expected}, {error:.1e} apart");
}

#[test]
fn figures_agree_with_scipy() {
    for (name, case) in fixture("agreement")["cases"].as_object().expect("cases") {
        let (x, y) = (list(&case["predicted"]), list(&case["subjective"]));
        let found = Agreement::new(&x, &y).expect("defined");
        let figures = [
            ("plcc", found.plcc),
            ("srcc", found.srcc),
            ("krcc", found.krcc),
            ("rmse", found.rmse),
            ("mae", found.mae),
        ];
        for (figure, value) in figures {
            // Pearson's of values around 1e6 loses half of the digits, in SciPy as well as here.
            let tolerance = if name == "offset" && figure == "plcc" { 1e-9 } else { CLOSED_FORM };
            assert_near(&format!("{name} {figure}"), value, number(&case[figure]), tolerance);
        }
        assert_eq!(average_ranks(&x), list(&case["ranks"]), "{name}");
        assert_eq!(found.main_score(), main_score(&x, &y).expect("defined"));
    }
}

#[test]
fn a_thousand_vectors_with_ties_agree_with_scipy() {
    let fixture = fixture("ties");
    let cases = fixture["cases"].as_array().expect("cases");
    assert_eq!(cases.len(), 1000);
    for (index, case) in cases.iter().enumerate() {
        let (x, y) = (list(&case[0]), list(&case[1]));
        for (at, name, figure) in [(2, "plcc", plcc as Figure), (3, "srcc", srcc), (4, "krcc", krcc)] {
            let found = figure(&x, &y).expect("defined");
            assert_near(&format!("{index} {name}"), found, number(&case[at]), CLOSED_FORM);
        }
    }
}

#[test]
fn logistic_fits_agree_with_scipy() {
    for (name, case) in fixture("agreement")["cases"].as_object().expect("cases") {
        let (x, y) = (list(&case["predicted"]), list(&case["subjective"]));
        for (kind, key) in [(LogisticKind::FourParameter, "four"), (LogisticKind::FiveParameter, "five")] {
            let Some(expected) = case.get(key) else { continue };
            let found =
                Agreement::after_fit(kind, &x, &y).unwrap_or_else(|error| panic!("{name} {key}: {error}"));
            assert_near(&format!("{name} {key} plcc"), found.plcc, number(&expected["plcc"]), FITTED);
            assert_near(&format!("{name} {key} rmse"), found.rmse, number(&expected["rmse"]), FITTED);
            assert_eq!(found.srcc, srcc(&x, &y).expect("defined"), "ranks are those of the predictions");
            // The parameters are of the printed formula, in the units of the predictions.
            let fit = LogisticFit::new(kind, &x, &y).expect("fits");
            let p = fit.parameters();
            let at = x[17];
            let value = match kind {
                LogisticKind::FourParameter => {
                    (p[0] - p[1]) / (1.0 + (-(at - p[2]) / p[3].abs()).exp()) + p[1]
                }
                LogisticKind::Line => panic!("{name}: enough distinct predictions"),
                LogisticKind::FiveParameter => {
                    p[0] * (0.5 - 1.0 / (1.0 + (p[1] * (at - p[2])).exp())) + p[3] * at + p[4]
                }
            };
            assert_near(&format!("{name} {key} formula"), value, fit.predict(at), 1e-6);
        }
    }
}

#[test]
fn a_million_pairs_give_kendalls_closed_forms_in_two_seconds() {
    const N: u32 = 1_000_000;
    let rising: Vec<f64> = (0..N).map(f64::from).collect();
    // Blocks of 1000 in reverse: of the n(n-1)/2 pairs, 1000 * (1000 * 999 / 2) are discordant.
    let blocks: Vec<f64> = (0..N).map(|i| f64::from(i / 1000 * 1000 + (999 - i % 1000))).collect();
    let start = std::time::Instant::now();
    let tau = krcc(&rising, &blocks).expect("defined");
    let elapsed = start.elapsed();
    let pairs = f64::from(N) * f64::from(N - 1) / 2.0;
    assert_near("blocks", tau, 1.0 - 2.0 * 1000.0 * 499_500.0 / pairs, CLOSED_FORM);
    assert!(cfg!(debug_assertions) || elapsed.as_secs_f64() < 2.0, "{elapsed:?}");
    let falling: Vec<f64> = rising.iter().map(|x| -x).collect();
    assert_eq!(krcc(&rising, &falling).expect("defined"), -1.0);
    // Groups of ten equal values against no ties: sqrt((all - tied) / all).
    let tied: Vec<f64> = (0..N).map(|i| f64::from(i / 10)).collect();
    let expected = ((pairs - 100_000.0 * 45.0) / pairs).sqrt();
    assert_near("ties", krcc(&rising, &tied).expect("defined"), expected, CLOSED_FORM);
}

#[test]
fn what_has_no_figure_is_refused_with_the_reason() {
    let (good, nan) = ([1.0, 2.0, 3.0], [1.0, f64::NAN, 3.0]);
    for figure in [plcc, srcc, krcc, main_score] {
        assert_eq!(
            figure(&good, &good[..2]),
            Err(MetricsError::UnequalLength { predicted: 3, subjective: 2 })
        );
        assert_eq!(figure(&[1.0], &[1.0]), Err(MetricsError::TooShort { found: 1, needed: 2 }));
        assert_eq!(figure(&good, &nan), Err(MetricsError::NotFinite { list: List::Subjective, index: 1 }));
        let infinite = [f64::INFINITY, 0.0, 1.0];
        assert_eq!(
            figure(&infinite, &good),
            Err(MetricsError::NotFinite { list: List::Predicted, index: 0 })
        );
        assert_eq!(figure(&[4.0; 3], &good), Err(MetricsError::Constant { list: List::Predicted }));
    }
    for figure in [rmse, mae] {
        assert_eq!(figure(&[], &[]), Err(MetricsError::TooShort { found: 0, needed: 1 }));
        assert_eq!(figure(&[4.0; 3], &[1.0; 3]), Ok(3.0), "errors of constant lists are defined");
        assert!(figure(&nan, &good).is_err());
    }
    let fit = |n: usize| {
        let x: Vec<f64> = (0..n).map(|i| i as f64).collect();
        LogisticFit::new(LogisticKind::FiveParameter, &x, &x).map(|_| ())
    };
    assert_eq!(fit(5), Err(MetricsError::TooShort { found: 5, needed: 6 }));
    for (resamples, level) in [(0, 0.95), (100, 1.0), (100, f64::NAN)] {
        let error =
            bootstrap_interval(plcc, &good, &good, &single(resamples, level, 1)).expect_err("refused");
        assert!(matches!(error, MetricsError::Interval { .. }));
    }
    assert_eq!(
        MetricsError::Constant { list: List::Subjective }.to_string(),
        "all subjective scores are the same"
    );
}

#[test]
fn huge_and_tiny_values_do_not_overflow() {
    let x: Vec<f64> = (1..20).map(f64::from).collect();
    let y: Vec<f64> = x.iter().map(|x| (x * 0.7).sin() + x).collect();
    let expected = plcc(&x, &y).expect("defined");
    for scale in [1e-300, 1e300] {
        let scaled: Vec<f64> = x.iter().map(|x| x * scale).collect();
        assert_near("scaled", plcc(&scaled, &y).expect("defined"), expected, CLOSED_FORM);
    }
}

/// Correlated normal pairs, from uniform ones by Box and Muller.
fn bivariate(n: usize, rho: f64) -> (Vec<f64>, Vec<f64>) {
    bivariate_from(n, rho, 0)
}

fn bivariate_from(n: usize, rho: f64, seed: u64) -> (Vec<f64>, Vec<f64>) {
    let mut state = 88_172_645_463_325_252u64 ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut uniform = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        ((state >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    };
    (0..n)
        .map(|_| {
            let (radius, angle) = ((-2.0 * uniform().ln()).sqrt(), std::f64::consts::TAU * uniform());
            let (a, b) = (radius * angle.cos(), radius * angle.sin());
            (a, rho * a + (1.0 - rho * rho).sqrt() * b)
        })
        .unzip()
}

#[test]
fn the_bootstrap_interval_is_close_to_fishers() {
    let (x, y) = bivariate(400, 0.7);
    let r = plcc(&x, &y).expect("defined");
    let interval = bootstrap_interval(plcc, &x, &y, &single(2000, 0.95, 3)).expect("defined");
    // Fisher: atanh(r) is nearly normal with deviation 1 / sqrt(n - 3).
    let ends = [-1.0, 1.0].map(|sign| (r.atanh() + sign * 1.959_964 / 397f64.sqrt()).tanh());
    assert!(
        (interval.low - ends[0]).abs() < 0.02 && (interval.high - ends[1]).abs() < 0.02,
        "{interval:?} {ends:?}"
    );
    assert_eq!(interval.undefined, 0);
    assert_eq!(bootstrap_interval(plcc, &x, &y, &single(2000, 0.95, 3)), Ok(interval));
    let quarter = bootstrap_interval(plcc, &x[..100], &y[..100], &single(2000, 0.95, 3)).expect("defined");
    assert!(quarter.high - quarter.low > 1.5 * (interval.high - interval.low));
}

/// A bootstrap of single pairs.
fn single(resamples: usize, level: f64, seed: u64) -> Bootstrap<'static> {
    Bootstrap { resamples, level, seed, groups: None }
}

#[test]
fn groups_are_drawn_as_in_all_the_draws_there_are() {
    let case = fixture("groups");
    let groups: Vec<usize> = list(&case["groups"]).into_iter().map(|group| group as usize).collect();
    let [first, second, subjective] = ["first", "second", "subjective"].map(|name| list(&case[name]));
    let resamples = number(&case["draws"]) as usize;
    let grouped = Bootstrap { groups: Some(&groups), ..single(resamples, number(&case["level"]), 7) };
    for (name, figure) in [("plcc", plcc as Figure), ("srcc", srcc)] {
        let interval = bootstrap_interval(figure, &first, &subjective, &grouped).expect("defined");
        let paired = paired_bootstrap(figure, &first, &second, &subjective, &grouped).expect("defined");
        for (what, found) in [("interval", interval), ("difference", paired.interval)] {
            for (end, found) in [found.low, found.high].into_iter().enumerate() {
                let between = list(&case[name][what][end]);
                let rounding = 1e-12;
                assert!(
                    found >= between[0] - rounding && found <= between[1] + rounding,
                    "{name} {what} {end}: {found} is not in {between:?}"
                );
            }
        }
        assert!((paired.p_value - number(&case[name]["p_value"])).abs() < 0.015, "{name}: {paired:?}");
    }
    // Each pair a group: as without groups, draw by draw.
    let each: Vec<usize> = (0..groups.len()).rev().collect();
    let alone = Bootstrap { groups: Some(&each), ..single(500, 0.9, 3) };
    assert_eq!(
        bootstrap_interval(srcc, &first, &subjective, &alone),
        bootstrap_interval(srcc, &first, &subjective, &single(500, 0.9, 3))
    );
    let one = Bootstrap { groups: Some(&vec![9; groups.len()]), ..single(500, 0.9, 3) };
    assert_eq!(bootstrap_interval(srcc, &first, &subjective, &one), Err(MetricsError::OneGroup));
}

/// Four copies of each pair tell no more than one: drawn as groups, they give its interval.
#[test]
fn copies_of_pairs_do_not_narrow_an_interval_over_groups() {
    let (x, y) = bivariate(60, 0.7);
    let groups: Vec<usize> = (0..4 * x.len()).map(|copy| copy / 4).collect();
    let copied = |values: &[f64]| values.iter().flat_map(|&value| [value; 4]).collect::<Vec<f64>>();
    let (many_x, many_y) = (copied(&x), copied(&y));
    let grouped = Bootstrap { groups: Some(&groups), ..single(1000, 0.95, 5) };
    let once = bootstrap_interval(plcc, &x, &y, &single(1000, 0.95, 5)).expect("defined");
    let found = bootstrap_interval(plcc, &many_x, &many_y, &grouped).expect("defined");
    assert_near("low", found.low, once.low, CLOSED_FORM);
    assert_near("high", found.high, once.high, CLOSED_FORM);
    // Taken one by one, four times as many pairs halve it.
    let taken = bootstrap_interval(plcc, &many_x, &many_y, &single(1000, 0.95, 5)).expect("defined");
    assert!(taken.high - taken.low < 0.65 * (once.high - once.low), "{taken:?} {once:?}");
}

#[test]
fn resamples_without_a_figure_are_counted() {
    let interval =
        bootstrap_interval(srcc, &[1.0, 2.0, 3.0], &[1.0, 3.0, 2.0], &single(1000, 0.9, 1)).expect("defined");
    // All three draws alike: 3 of 27 cases.
    assert!((60..170).contains(&interval.undefined), "{interval:?}");
}

#[test]
fn five_parameters_fit_at_least_as_well_as_four() {
    for seed in 0..200 {
        let (x, y) = bivariate_from(30, 0.6, seed);
        let [four, five] = [LogisticKind::FourParameter, LogisticKind::FiveParameter]
            .map(|kind| Agreement::after_fit(kind, &x, &y).expect("fits"));
        assert!(five.rmse <= four.rmse * (1.0 + 1e-9), "{seed}: {} above {}", five.rmse, four.rmse);
        assert!(five.plcc.is_finite() && four.plcc > 0.0);
    }
}

/// The best that predictions of two values can do is the mean rating of each; of three, a line is fitted.
#[test]
fn few_distinct_predictions_get_fewer_parameters() {
    let ratings = [1.2, 1.8, 2.1, 1.6, 4.4, 3.9, 4.8, 3.1, 2.9, 3.4, 4.1, 4.6];
    let deviation = |values: &[f64]| {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt()
    };
    let two: Vec<f64> = (0..12).map(|i| if i < 4 { 0.25 } else { 0.75 }).collect();
    let [low, high] = [&ratings[..4], &ratings[4..]].map(deviation);
    let expected = ((4.0 * low.powi(2) + 8.0 * high.powi(2)) / 12.0).sqrt();
    for kind in [LogisticKind::FourParameter, LogisticKind::FiveParameter, LogisticKind::Line] {
        let fit = LogisticFit::new(kind, &two, &ratings).expect("fits");
        assert_eq!((fit.kind(), fit.parameters().len()), (LogisticKind::Line, 2));
        let found = Agreement::after_fit(kind, &two, &ratings).expect("fits");
        assert_near("two values", found.rmse, expected, CLOSED_FORM);
        assert!(found.plcc > 0.0);
    }
    // A line leaves a part of 1 - r^2 of the variance.
    let three: Vec<f64> = (0..12).map(|i| f64::from(i / 4)).collect();
    let found = Agreement::after_fit(LogisticKind::FiveParameter, &three, &ratings).expect("fits");
    let r = plcc(&three, &ratings).expect("defined");
    assert_near("three values", found.rmse, deviation(&ratings) * (1.0 - r * r).sqrt(), CLOSED_FORM);
    for (values, kind) in [(4, LogisticKind::FourParameter), (5, LogisticKind::FiveParameter)] {
        let x: Vec<f64> = (0..12).map(|i| f64::from(i % values)).collect();
        let fit = LogisticFit::new(LogisticKind::FiveParameter, &x, &ratings).expect("fits");
        assert_eq!(fit.kind(), kind, "{values} distinct values");
    }
}

#[test]
fn fits_of_huge_and_tiny_values_are_those_of_ordinary_ones() {
    let (x, y) = bivariate(60, 0.8);
    for kind in [LogisticKind::FourParameter, LogisticKind::FiveParameter] {
        let expected = Agreement::after_fit(kind, &x, &y).expect("fits");
        for scale in [1e-290, 1e290] {
            let scaled = |values: &[f64]| values.iter().map(|value| value * scale).collect::<Vec<f64>>();
            let (x, y) = (scaled(&x), scaled(&y));
            let fit = LogisticFit::new(kind, &x, &y).expect("fits");
            let mapped: Vec<f64> = x.iter().map(|&x| fit.predict(x)).collect();
            assert_near("plcc", plcc(&mapped, &y).expect("defined"), expected.plcc, FITTED);
        }
        // No search ends, whatever it finds.
        let ends: Vec<f64> = (0..40).map(|i| if i % 3 == 0 { 1e308 } else { -1e308 }).collect();
        let _ = LogisticFit::new(kind, &x[..40], &ends);
    }
}

#[test]
fn tests_of_significance_agree_with_scipy() {
    for (index, case) in fixture("significance")["cases"].as_array().expect("cases").iter().enumerate() {
        let [first, second, subjective] = ["first", "second", "subjective"].map(|key| list(&case[key]));
        let errors = |list: &[f64]| list.iter().zip(&subjective).map(|(a, b)| a - b).collect::<Vec<f64>>();
        for (test, found) in [
            ("williams", williams_test(&first, &second, &subjective)),
            ("f_test", variance_f_test(&errors(&first), &errors(&second))),
        ] {
            let (found, expected) = (found.expect("defined"), list(&case[test]));
            assert_near(&format!("{index} {test}"), found.statistic, expected[0], 1e-9);
            // Of the value itself, so that small probabilities count.
            let error = (found.p_value / expected[1] - 1.0).abs();
            assert!(error < 1e-8, "{index} {test}: p {} against {}", found.p_value, expected[1]);
        }
    }
}

/// Lists of zero mean and given correlations, by Cholesky's factor of their matrix.
fn with_correlations(n: usize, r12: f64, r13: f64, r23: f64) -> [Vec<f64>; 3] {
    let wave = |k: usize| {
        let angle = move |i: usize| std::f64::consts::TAU * (k * i) as f64 / n as f64;
        (0..n).map(move |i| angle(i).cos()).collect::<Vec<f64>>()
    };
    // Waves of different lengths are orthogonal, and of one norm.
    let [a, b, c] = [wave(1), wave(2), wave(3)];
    let side = (1.0 - r12 * r12).sqrt();
    let (x, y) = (r13, (r23 - r12 * r13) / side);
    let z = (1.0 - x * x - y * y).sqrt();
    let first = a.iter().zip(&b).map(|(a, b)| r12 * a + side * b).collect();
    let second = (0..n).map(|i| x * a[i] + y * b[i] + z * c[i]).collect();
    [first, second, a]
}

#[test]
fn williams_test_gives_a_published_example() {
    // The R package psych, `r.test(n = 103, r12 = .4, r13 = .5, r23 = .1)`: t -0.89, p 0.37.
    let [first, second, subjective] = with_correlations(103, 0.4, 0.5, 0.1);
    assert_near("r12", plcc(&first, &subjective).expect("defined"), 0.4, CLOSED_FORM);
    assert_near("r23", plcc(&first, &second).expect("defined"), 0.1, CLOSED_FORM);
    let found = williams_test(&first, &second, &subjective).expect("defined");
    assert!((found.statistic + 0.89).abs() < 0.005 && (found.p_value - 0.37).abs() < 0.005, "{found:?}");
    let turned = williams_test(&second, &first, &subjective).expect("defined");
    assert_eq!((turned.statistic, turned.p_value), (-found.statistic, found.p_value));
}

#[test]
fn equal_models_are_not_told_apart_and_unequal_ones_are() {
    let [mut williams, mut bootstrap] = [0; 2];
    const TRIALS: usize = 400;
    for trial in 0..TRIALS {
        let (_, subjective) = bivariate_from(60, 0.0, 1 + trial as u64);
        let (first, second): (Vec<f64>, Vec<f64>) = bivariate_from(60, 0.4, 5000 + trial as u64);
        let add = |noise: &[f64]| subjective.iter().zip(noise).map(|(s, n)| s + n).collect::<Vec<f64>>();
        let (first, second) = (add(&first), add(&second));
        let test = williams_test(&first, &second, &subjective).expect("defined");
        williams += usize::from(test.p_value < 0.05);
        let paired =
            paired_bootstrap(srcc, &first, &second, &subjective, &single(200, 0.95, 1)).expect("defined");
        bootstrap += usize::from(paired.p_value < 0.05);
        assert_eq!(paired.interval.undefined, 0);
    }
    // 5 % of the trials, within four standard deviations (and what a bootstrap of 60 pairs adds).
    let share = |count: usize| count as f64 / TRIALS as f64;
    assert!((share(williams) - 0.05).abs() < 0.044, "Williams {williams}");
    assert!((share(bootstrap) - 0.05).abs() < 0.06, "bootstrap {bootstrap}");

    let (close, subjective) = bivariate(200, 0.8);
    let (far, _) = bivariate_from(200, 0.0, 7);
    let found = paired_bootstrap(srcc, &close, &far, &subjective, &single(500, 0.95, 1)).expect("defined");
    assert!(found.p_value < 0.01 && found.interval.low > 0.0, "{found:?}");
    let found = williams_test(&far, &close, &subjective).expect("defined");
    assert!(found.p_value < 1e-6 && found.statistic < 0.0, "{found:?}");
}

#[test]
fn a_model_does_not_differ_from_itself() {
    let (x, y) = bivariate(50, 0.8);
    assert_eq!(williams_test(&x, &x, &y), Ok(TestResult { statistic: 0.0, p_value: 1.0 }));
    let paired = paired_bootstrap(srcc, &x, &x, &y, &single(100, 0.9, 1)).expect("defined");
    assert_eq!((paired.difference, paired.interval.low, paired.interval.high), (0.0, 0.0, 0.0));
    assert_eq!(paired.p_value, 1.0);
    let errors: Vec<f64> = x.iter().zip(&y).map(|(x, y)| x - y).collect();
    let same = variance_f_test(&errors, &errors).expect("defined");
    assert_eq!(same.statistic, 1.0);
    assert_near("p", same.p_value, 1.0, CLOSED_FORM);
    assert!(williams_test(&x[..3], &x[..3], &y[..3]).is_err());
    assert!(variance_f_test(&errors, &[1.0; 50]).is_err());
}

/// Tau-b by its definition, over all pairs.
fn naive_tau_b(x: &[f64], y: &[f64]) -> f64 {
    let sign = |a: f64, b: f64| {
        if a > b {
            1.0
        } else if a < b {
            -1.0
        } else {
            0.0
        }
    };
    let (mut score, mut in_x, mut in_y) = (0.0, 0.0, 0.0);
    for i in 0..x.len() {
        for j in 0..i {
            let (a, b): (f64, f64) = (sign(x[i], x[j]), sign(y[i], y[j]));
            score += a * b;
            in_x += a.abs();
            in_y += b.abs();
        }
    }
    score / (in_x * in_y).sqrt()
}

fn pairs() -> impl Strategy<Value = (Vec<f64>, Vec<f64>)> {
    let value = || prop_oneof![(-4i32..5).prop_map(f64::from), -100.0..100.0];
    vec((value(), value()), 3..60).prop_map(|pairs| pairs.into_iter().unzip()).prop_filter(
        "varied",
        |(x, y): &(Vec<f64>, Vec<f64>)| {
            let varied = |v: &[f64]| v.iter().any(|value| value != &v[0]);
            varied(x) && varied(y)
        },
    )
}

proptest! {
    #[test]
    fn correlations_are_symmetric_bounded_and_turn_with_the_sign((x, y) in pairs()) {
        for figure in [plcc, srcc, krcc] {
            let value = figure(&x, &y).expect("defined");
            prop_assert!(value.abs() <= 1.0);
            assert_near("symmetric", figure(&y, &x).expect("defined"), value, CLOSED_FORM);
            let negated: Vec<f64> = x.iter().map(|x| -x).collect();
            assert_near("negated", figure(&negated, &y).expect("defined"), -value, CLOSED_FORM);
            assert_near("itself", figure(&x, &x).expect("defined"), 1.0, CLOSED_FORM);
        }
    }

    #[test]
    fn rank_correlations_do_not_see_a_rising_map((x, y) in pairs()) {
        let mapped: Vec<f64> = x.iter().map(|x| x.powi(3) + 5.0 * x).collect();
        for figure in [srcc, krcc] {
            prop_assert_eq!(figure(&mapped, &y).expect("defined"), figure(&x, &y).expect("defined"));
        }
        let line: Vec<f64> = x.iter().map(|x| 3.0 * x - 7.0).collect();
        assert_near("line", plcc(&line, &y).expect("defined"), plcc(&x, &y).expect("defined"), 1e-9);
    }

    #[test]
    fn kendalls_tau_is_that_of_its_definition((x, y) in pairs()) {
        assert_near("tau-b", krcc(&x, &y).expect("defined"), naive_tau_b(&x, &y), CLOSED_FORM);
    }

    #[test]
    fn spearmans_is_pearsons_of_the_ranks((x, y) in pairs()) {
        let ranked = plcc(&average_ranks(&x), &average_ranks(&y)).expect("defined");
        prop_assert_eq!(srcc(&x, &y).expect("defined"), ranked);
        let sum: f64 = average_ranks(&x).iter().sum();
        let n = x.len() as f64;
        prop_assert!((sum - n * (n + 1.0) / 2.0).abs() < 1e-9);
    }

    #[test]
    fn the_mean_error_is_at_most_the_root_of_the_mean_square((x, y) in pairs()) {
        let (mean, root) = (mae(&x, &y).expect("defined"), rmse(&x, &y).expect("defined"));
        prop_assert!(mean <= root * (1.0 + CLOSED_FORM));
        prop_assert_eq!(rmse(&x, &x).expect("defined"), 0.0);
    }

    #[test]
    fn no_fit_is_worse_than_the_mean((x, y) in pairs()) {
        let n = y.len() as f64;
        let mean = y.iter().sum::<f64>() / n;
        let deviation = (y.iter().map(|y| (y - mean).powi(2)).sum::<f64>() / n).sqrt();
        for kind in [LogisticKind::Line, LogisticKind::FourParameter, LogisticKind::FiveParameter] {
            if x.len() <= kind.parameters() {
                continue;
            }
            let fit = LogisticFit::new(kind, &x, &y).expect("fits");
            let mapped: Vec<f64> = x.iter().map(|&x| fit.predict(x)).collect();
            prop_assert!(rmse(&mapped, &y).expect("finite") <= deviation * (1.0 + 1e-9));
        }
    }
}
