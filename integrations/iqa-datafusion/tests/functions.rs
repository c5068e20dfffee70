//! The scalar functions and the table function, in one process.

mod common;

use common::{Pictures, attempt, doubles, query, same, session, texts};
use datafusion::arrow::array::{Array, AsArray};

const MODELS: [&str; 3] = ["psnr", "ssim_full", "wadiqam_fr"];

fn column(scores: &[Vec<Option<f64>>], model: usize) -> Vec<Option<f64>> {
    scores.iter().map(|scores| scores[model]).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn contents_give_the_scores_of_files_bit_for_bit_and_a_bad_picture_is_null_with_a_reason() {
    let pictures = Pictures::new(30, 64);
    let whole = std::fs::read(pictures.file("dist/0007.jpg")).expect("reads");
    std::fs::write(pictures.file("dist/0007.jpg"), &whole[..whole.len() / 2]).expect("writes");
    std::fs::write(pictures.file("ref/0012.png"), "no picture").expect("writes");
    let table = pictures.contents(8).await;
    let expected = pictures.scores(&MODELS);
    assert_eq!(expected.iter().filter(|scores| scores[0].is_none()).count(), 2);
    let each: Vec<String> =
        MODELS.iter().map(|model| format!("iqa_score('{model}', distorted, reference) AS {model}")).collect();
    let statement = format!(
        "SELECT {}, iqa_error('psnr', distorted, reference) AS why FROM '{table}' ORDER BY path",
        each.join(", ")
    );
    for (partitions, batch) in [(1, 100), (2, 7), (5, 1)] {
        let found = query(&session(partitions, batch), &statement).await;
        for (model, name) in MODELS.iter().enumerate() {
            assert!(
                same(&doubles(&found, name), &column(&expected, model)),
                "{name} by {partitions}, {batch}"
            );
        }
        let why = texts(&found, "why");
        for (row, why) in why.iter().enumerate() {
            match row {
                7 => assert!(why.as_ref().is_some_and(|why| why.contains("truncated")), "{why:?}"),
                12 => {
                    assert!(why.as_ref().is_some_and(|why| why.contains("reference: not a PNG")), "{why:?}");
                }
                _ => assert_eq!(*why, None, "{row}"),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_models_are_a_struct_and_files_are_read_where_paths_stand() {
    let pictures = Pictures::new(9, 48);
    std::fs::remove_file(pictures.file("ref/0004.png")).expect("removes");
    let expected = pictures.scores(&MODELS);
    let statement = format!(
        "SELECT distorted, reference, iqa_scores('psnr, ssim_full,wadiqam_fr,wadiqam_nr', distorted, reference) AS s
         FROM iqa_pairs('{}', '{}') ORDER BY distorted",
        pictures.path("dist"),
        pictures.path("ref")
    );
    let found = query(&session(2, 3), &statement).await;
    assert_eq!(texts(&found, "distorted")[4], Some(pictures.path("dist/0004.jpg")));
    assert_eq!(texts(&found, "reference")[3..5], [Some(pictures.path("ref/0003.png")), None]);
    let scores = found.column_by_name("s").expect("the struct").as_struct();
    let scores = datafusion::arrow::array::RecordBatch::from(scores);
    for (model, name) in MODELS.iter().enumerate() {
        assert!(same(&doubles(&scores, name), &column(&expected, model)), "{name}");
    }
    // Without need of a reference.
    assert!(doubles(&scores, "wadiqam_nr").iter().all(Option::is_some));
    let why = texts(&scores, "error").swap_remove(4).expect("a reason");
    assert_eq!(why, "psnr: no reference; ssim_full: no reference; wadiqam_fr: no reference");
    let identity = texts(&scores, "identity").swap_remove(0).expect("an identity");
    assert!(identity.starts_with("psnr: none; ") && identity.contains("; wadiqam_nr: "), "{identity}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_picture_is_scored_once_for_all_that_is_asked_of_it() {
    let pictures = Pictures::new(2, 32);
    let table = pictures.contents(8).await;
    let statement = format!(
        "EXPLAIN SELECT iqa_score('psnr', distorted, reference), iqa_error('psnr', distorted, reference),
            iqa_identity('psnr', distorted, reference) FROM '{table}'"
    );
    let found = query(&session(2, 8), &statement).await;
    let plan = texts(&found, "plan").swap_remove(1).expect("the physical plan");
    assert_eq!(plan.matches("iqa_scores_of(").count(), 1, "{plan}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn null_pictures_have_null_scores_and_constants_are_pictures_too() {
    let pictures = Pictures::new(1, 32);
    let (distorted, reference) = (pictures.path("dist/0000.jpg"), pictures.path("ref/0000.png"));
    let context = session(2, 8);
    let of = |a: &str, b: &str| {
        format!("SELECT iqa_score('psnr', {a}, {b}) AS s, iqa_error('psnr', {a}, {b}) AS e")
    };
    let (distorted, reference) = (format!("'{distorted}'"), format!("'{reference}'"));
    let found = query(&context, &of(&distorted, &reference)).await;
    assert!(same(&doubles(&found, "s"), &[pictures.scores(&["psnr"])[0][0]]));
    let url = distorted.replacen('\'', "'file://", 1);
    assert_eq!(doubles(&query(&context, &of(&url, &reference)).await, "s"), doubles(&found, "s"));
    for (a, b, why) in [
        ("NULL", &*reference, "no picture"),
        (&distorted, "NULL", "no reference"),
        ("'file:///nowhere/none.png'", &reference, "file:///nowhere/none.png: "),
        ("'none.png'", &reference, "none.png: No such file"),
        (
            &*url.replace(".jpg", ".jpg?width=16"),
            &reference,
            &*format!("{}?width=16: expected a URL without", url.trim_matches('\'')),
        ),
    ] {
        let found = query(&context, &of(a, b)).await;
        assert_eq!(doubles(&found, "s"), [None]);
        let e = texts(&found, "e").swap_remove(0).expect("a reason");
        assert!(e.starts_with(why), "{e}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_call_is_told_before_anything_is_scored() {
    let context = session(2, 8);
    for (call, expected) in [
        ("iqa_score('psnr', 'a.png')", "iqa_score: `psnr` needs a reference"),
        ("iqa_score('wadiqam_nr', 'a.png', 'b.png')", "`wadiqam_nr` takes no reference"),
        ("iqa_score('psnr,vsi', 'a.png', 'b.png')", "iqa_scores takes them"),
        ("iqa_scores('psnr,psnr', 'a.png', 'b.png')", "`psnr` is there twice"),
        ("iqa_score('nope', 'a.png')", "nope"),
        ("iqa_score('wadiqam_nr=', 'a.png')", "NAME=FILE"),
        ("iqa_score(column1, 'a.png')", "as a constant text"),
        ("iqa_score('wadiqam_nr', 3)", "not Int64"),
        ("iqa_score('wadiqam_nr')", "not 1 arguments"),
        ("srcc('a')", "srcc"),
    ] {
        let error = attempt(&context, &format!("SELECT {call} FROM (VALUES ('psnr'))")).await;
        let error = error.expect_err(call).to_string();
        assert!(error.contains(expected), "{call}: {error}");
    }
    // Weights that are not there are the query's fault, not a picture's.
    let error = attempt(&context, "SELECT iqa_score('wadiqam_nr=none.safetensors', 'a.png')").await;
    let error = error.expect_err("no weights").to_string();
    assert!(error.contains("none.safetensors"), "{error}");
    let error = attempt(&context, "SELECT * FROM iqa_pairs('no/such/folder')").await.expect_err("no folder");
    assert!(error.to_string().contains("no/such/folder"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_identity_tells_weights_apart() {
    let context = session(2, 8);
    let found =
        query(&context, "SELECT iqa_identity('wadiqam_nr') AS a, iqa_identity('wadiqam_fr') AS b").await;
    assert_ne!(texts(&found, "a"), texts(&found, "b"));
    assert_eq!(found.column(0).null_count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_weights_than_those_of_the_plan_are_refused() {
    let context = session(2, 8);
    let error = attempt(&context, "SELECT iqa_scores_of('other weights', 'wadiqam_nr', 'a.png')").await;
    let error = error.expect_err("refused").to_string();
    assert!(error.contains("is of weights `other weights`, and this machine has `"), "{error}");
}
