//! Correlations in SQL.

mod common;

use common::{attempt, doubles, query, session};
use iqa_models::metrics::agreement::{krcc, plcc, srcc};

/// Scores and opinions with ties, of no pattern.
fn values(count: u32) -> Vec<(f64, f64)> {
    let random = |seed: u32| (f64::from(seed.wrapping_mul(2_654_435_761) >> 8) / 1000.0).round() / 100.0;
    (0..count).map(|index| (random(index + 1), random(7 * index + 3) + random(index + 1) / 3.0)).collect()
}

fn table(values: &[(f64, f64)]) -> String {
    let rows: Vec<String> = values.iter().map(|(a, b)| format!("({a:?}, {b:?})")).collect();
    format!("(VALUES {}) AS t (score, mos)", rows.join(", "))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn correlations_are_those_of_scipy() {
    // scipy 1.17.1 stats.spearmanr, pearsonr, kendalltau of these.
    let table = "(VALUES (1.0, 2.5), (2.0, 1.0), (2.0, 4.0), (5.5, 3.0), (7.25, 9.0), (0.5, 3.0), (9.0, 9.0), (NULL, 1.0),
        (3.0, NULL)) AS t (score, mos)";
    let found = query(
        &session(2, 8),
        &format!("SELECT srcc(score, mos) AS s, plcc(score, mos) AS p, krcc(score, mos) AS k FROM {table}"),
    )
    .await;
    for (column, expected) in
        [("s", 0.678_927_655_161_255_7), ("p", 0.843_297_538_954_473_8), ("k", 0.512_989_176_042_577)]
    {
        let value = doubles(&found, column)[0].expect("a value");
        assert!((value - expected).abs() < 1e-12, "{column}: {value} {expected}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_division_gives_the_same_bits_and_the_figures_of_an_evaluation() {
    let values = values(500);
    let (scores, mos): (Vec<f64>, Vec<f64>) = values.iter().copied().unzip();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("t.parquet").display().to_string();
    let copy = format!(
        "COPY (SELECT * FROM {}) TO '{path}' STORED AS PARQUET OPTIONS ('format.max_row_group_size' 10)",
        table(&values)
    );
    query(&session(1, 10), &copy).await;
    let statement = "SELECT srcc(score, mos) AS s, plcc(score, mos) AS p, krcc(score, mos) AS k FROM ";
    let first = query(&session(1, 1000), &format!("{statement} '{path}'")).await;
    for (column, expected) in
        [("s", srcc(&scores, &mos)), ("p", plcc(&scores, &mos)), ("k", krcc(&scores, &mos))]
    {
        let value = doubles(&first, column)[0].expect("a value");
        assert!((value - expected.expect("a value")).abs() < 1e-12, "{column}");
    }
    for (partitions, batch) in [(2, 7), (7, 3), (16, 100)] {
        let found = query(&session(partitions, batch), &format!("{statement} '{path}'")).await;
        assert_eq!(found, first, "{partitions}, {batch}");
    }
    // Groups, as of a type of distortion.
    let found = query(
        &session(3, 10),
        &format!(
            "SELECT score > 50 AS part, srcc(score, mos) AS s FROM '{path}' GROUP BY part ORDER BY part"
        ),
    )
    .await;
    let half: Vec<&(f64, f64)> = values.iter().filter(|value| value.0 > 50.0).collect();
    let (scores, mos): (Vec<f64>, Vec<f64>) = half.into_iter().copied().unzip();
    let value = doubles(&found, "s")[1].expect("a value");
    assert!((value - srcc(&scores, &mos).expect("a value")).abs() < 1e-12);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_no_correlation_is_null_and_what_is_no_number_is_told() {
    let context = session(2, 8);
    for values in
        ["(1.0, 2.0)", "(1.0, 2.0), (1.0, 3.0)", "(1.0, 2.0), (2.0, 2.0)", "(CAST(NULL AS DOUBLE), 2.0)"]
    {
        let statement = format!("SELECT srcc(a, b) AS s FROM (VALUES {values}) AS t (a, b)");
        assert_eq!(doubles(&query(&context, &statement).await, "s"), [None], "{values}");
    }
    let error =
        attempt(&context, "SELECT srcc(a, b) FROM (VALUES (1.0, 2.0), ('NaN'::DOUBLE, 3.0)) AS t (a, b)")
            .await;
    let error = error.expect_err("not a number").to_string();
    assert!(error.contains("srcc: ") && error.contains("not finite"), "{error}");
}
