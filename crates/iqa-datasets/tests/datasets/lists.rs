use iqa_datasets::{DataSet, DatasetError, Direction, ScoreKind, ScoreScale, Strictness};

use super::trees::Folder;

fn scale() -> ScoreScale {
    ScoreScale::new(ScoreKind::Mos, Direction::HigherIsBetter, 0.0, 10.0).expect("a range")
}

/// A list beside a folder with six images.
fn open(list: &[u8], strictness: Strictness) -> Result<DataSet, DatasetError> {
    let folder = Folder::new();
    for image in ["a1.png", "a2.png", "b1.png", "B1.png", "refs/a.png", "refs/b.png"] {
        folder.write(&format!("images/{image}"), "");
    }
    let path = folder.write("list.csv", list);
    DataSet::open_csv(&path, &folder.join("images"), "mine", scale(), strictness)
}

fn error(list: &str) -> String {
    open(list.as_bytes(), Strictness::Strict).expect_err("not a good list").to_string()
}

#[test]
fn columns_are_found_by_name_in_any_order() {
    let list = "\u{feff}Level, STD ,score,type,reference,distorted,comment\r\n\
                2,0.5,7.25,jpeg,refs/a.png,a1.png,\"one, two\"\r\n\
                ,,-1e-3,,refs/b.png,./refs/../b1.png,\r\n";
    let set = open(list.as_bytes(), Strictness::Strict).expect("a good list");
    assert_eq!((set.name(), set.scale()), ("mine", scale()));
    let [a, b] = set.samples() else { panic!("two samples") };
    assert_eq!((a.raw, a.std, a.level), (7.25, Some(0.5), Some(2)));
    assert_eq!((a.type_name.as_deref(), a.reference_id.as_deref()), (Some("jpeg"), Some("refs/a.png")));
    assert!(a.distorted.ends_with("images/a1.png"));
    assert!(a.reference.as_ref().is_some_and(|path| path.ends_with("images/refs/a.png")));
    assert_eq!((b.raw, b.std, b.level, b.type_name.as_ref()), (-1e-3, None, None, None));
    assert!(b.distorted.ends_with("images/b1.png"));
}

#[test]
fn only_an_image_and_a_score_are_needed() {
    let set = open(b"dis,dmos\na1.png,1\na2.png,2\n", Strictness::Strict).expect("a good list");
    assert!(!set.has_references());
    let set = open(b"dis,mos,group\na1.png,1,x\na2.png,2,x\nb1.png,3,y\n", Strictness::Strict)
        .expect("a good list");
    assert_eq!(set.reference_ids(), ["x", "y"]);
    // One photograph spelt in two ways is one, lest it fall on two sides of a split.
    let spelt = "dis,mos,ref\na1.png,1,refs/a.png\na2.png,2,refs\\.\\a.png\n";
    assert_eq!(
        open(spelt.as_bytes(), Strictness::Strict).expect("a good list").reference_ids(),
        ["refs/a.png"]
    );
}

#[test]
fn a_bad_list_is_refused_with_file_and_line() {
    for (list, expected) in [
        ("", "list.csv, line 1: expected a column named distorted or dis"),
        (
            "distorted,value\na1.png,1\n",
            "list.csv, line 1: expected a column named score or mos or dmos, found",
        ),
        (
            "distorted,mos,dmos\na1.png,1,2\n",
            "list.csv, line 1: expected a column exactly one of score or mos or dmos",
        ),
        ("dis,score\na1.png,nan\n", "list.csv, line 2: expected a finite score, found `NaN`"),
        ("dis,score\na1.png,1\na2.png,\n", "list.csv, line 3: expected a finite score, found ``"),
        ("dis,score\na1.png,1\n,2\n", "list.csv, line 3: expected the path of a distorted image"),
        ("dis,score,std\na1.png,1,-1\n", "list.csv, line 2: expected a finite standard deviation"),
        (
            "dis,score,level\na1.png,1,mild\n",
            "list.csv, line 2: expected a level: a whole number, found `mild`",
        ),
        ("dis,score\na1.png,1\na1.png,1\n", "list.csv, line 3: expected an image not listed before"),
        ("dis,score\na1.png,1\n./a1.png,1\n", "list.csv, line 3: expected an image not listed before"),
        (
            "dis,score,ref\na1.png,1,refs/a.png\na2.png,1,\n",
            "list.csv, line 3: expected a reference or group in every line",
        ),
        (
            "dis,score,ref,group\na1.png,1,refs/a.png,x\na2.png,1,refs/a.png,y\n",
            "list.csv, line 3: expected one group for each reference image",
        ),
        (
            "dis,score,ref\na1.png,1,refs/a.png\nrefs/a.png,1,refs/b.png\n",
            "list.csv, line 3: expected an image that is not another group's reference",
        ),
        ("dis,score\na1.png,1\nnone.png,1\n", "list.csv, line 3: expected the image"),
        ("dis,score,ref\na1.png,1,refs/none.png\n", "list.csv, line 2: expected the image"),
        ("dis,score\na1.png,1\na2.png\n", "line: 3"),
        ("dis,score\n", "list.csv: the set is empty"),
    ] {
        let message = error(list);
        assert!(message.contains(expected), "{list:?}: {message}");
    }
    let error = open(b"dis,score\na\xff.png,1\n", Strictness::Strict).expect_err("not UTF-8");
    assert!(matches!(&error, DatasetError::Csv { path, .. } if path.ends_with("list.csv")), "{error}");
    let missing = DataSet::open_csv("none.csv".as_ref(), "".as_ref(), "none", scale(), Strictness::Lenient);
    assert!(missing.expect_err("no list").to_string().starts_with("none.csv: "));
}

#[test]
fn missing_images_are_skipped_and_counted_when_lenient() {
    let list = b"dis,score,ref\na1.png,1,refs/a.png\nnone.png,1,refs/a.png\nb1.png,1,refs/none.png\n";
    let set = open(list, Strictness::Lenient).expect("one is there");
    assert_eq!((set.samples().len(), set.missing_images()), (1, 2));
    // Lines keep their numbers when others were skipped before them.
    let list = b"dis,score\nnone.png,1\na1.png,1\na1.png,1\n";
    let message = open(list, Strictness::Lenient).expect_err("twice").to_string();
    assert!(message.contains("line 4: expected an image not listed before"), "{message}");
}
