use std::time::{Duration, Instant};

use iqa_datasets::{
    DataSet, DatasetError, Direction, ListedPair, ScoreKind, ScoreScale, Strictness, read_pairs,
};

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
        (
            "dis,score\na1.png,1\na2.png\n",
            "list.csv, line 3: expected as many fields as the header has, found `1 of 2`",
        ),
        ("dis,score\n", "list.csv: the set is empty"),
    ] {
        let message = error(list);
        assert!(message.contains(expected), "{list:?}: {message}");
    }
    let error = open(b"dis,score\na\xff.png,1\n", Strictness::Strict).expect_err("not UTF-8").to_string();
    assert!(error.contains("list.csv, line 2: expected text in UTF-8"), "{error}");
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

/// By its own name again, and by links of either kind; two files that differ by case are two.
#[cfg(unix)]
#[test]
fn a_picture_that_is_rated_twice_is_named_with_both_rows() {
    let folder = Folder::new();
    for image in ["a.png", "A.png", "b.png"] {
        folder.write(&format!("images/{image}"), "");
    }
    let images = folder.join("images");
    std::os::unix::fs::symlink("a.png", images.join("soft.png")).expect("links");
    std::fs::hard_link(images.join("a.png"), images.join("hard.png")).expect("links");
    let open = |again: &str| {
        let list = format!("distorted,score\na.png,1\nA.png,3\n{again},2\n");
        let path = folder.write("list.csv", list.as_bytes());
        DataSet::open_csv(&path, &images, "mine", scale(), Strictness::Strict)
    };
    for again in ["a.png", "soft.png", "hard.png"] {
        let message = open(again).expect_err("rated twice").to_string();
        assert!(
            message.contains("list.csv, line 4: expected an image not listed before, found `"),
            "{message}"
        );
        assert!(message.ends_with(&format!("{again}`, the picture of line 2")), "{message}");
    }
    assert_eq!(open("b.png").expect("three pictures").samples().len(), 3);
}

/// By another name, over links of either kind or from the top of the file system, a reference would be in two parts of a split.
#[cfg(unix)]
#[test]
fn a_reference_is_in_one_group_whatever_path_leads_to_it() {
    let folder = Folder::new();
    for image in ["d1.png", "d2.png", "d3.png", "r1.png", "r2.png"] {
        folder.write(&format!("images/{image}"), "");
    }
    let images = folder.join("images");
    std::os::unix::fs::symlink("r1.png", images.join("soft.png")).expect("links");
    std::fs::hard_link(images.join("r1.png"), images.join("hard.png")).expect("links");
    let open = |rows: &str| {
        let path = folder.write("list.csv", format!("distorted,score,reference,group\n{rows}"));
        DataSet::open_csv(&path, &images, "mine", scale(), Strictness::Strict)
    };
    let absolute = images.join("r1.png").display().to_string();
    for other in ["soft.png", "hard.png", absolute.as_str()] {
        let rows = |groups: [&str; 3]| {
            let [a, b, c] = groups;
            format!("d1.png,1,r1.png,{a}\nd2.png,2,r2.png,{b}\nd3.png,3,{other},{c}\n")
        };
        // By its first name, where no column has another.
        assert_eq!(open(&rows([""; 3])).expect("two groups").reference_ids(), ["r1.png", "r2.png"]);
        assert_eq!(open(&rows(["x", "y", "x"])).expect("two groups").reference_ids(), ["x", "y"]);
        for groups in [["x", "y", "y"], ["x", "y", ""]] {
            let message = open(&rows(groups)).expect_err("one photograph in two groups").to_string();
            assert!(
                message.contains("list.csv, line 4: expected one group for each reference image"),
                "{message}"
            );
            assert!(message.contains(other), "{message}");
        }
    }
    // Nor is it rated under another name in the group of another.
    let message = open("d1.png,1,r1.png,\nsoft.png,2,r2.png,\n").expect_err("another's").to_string();
    assert!(
        message.contains("list.csv, line 3: expected an image that is not another group's reference"),
        "{message}"
    );
}

#[test]
fn a_general_name_of_a_column_counts_where_there_is_no_other() {
    let names =
        ["dist", "image", "image_name", "filename", "FILE", "Path", "name", "restored", "img", "img_path"];
    let references = ["Original", "gt", "ground_truth", "GT_path", "ref_path", "reference_image", "pristine"];
    for (name, reference) in names.into_iter().zip(references.into_iter().cycle()) {
        let list = format!("{name};{reference};MOS\na1.png;refs/a.png;1\n");
        let set = open(list.as_bytes(), Strictness::Strict).expect("a good list");
        assert!(set.samples()[0].distorted.ends_with("a1.png") && set.has_references(), "{name}");
    }
    let both = b"name\tdistorted\toriginal\tref\tscore\nsunset\ta1.png\tno file\trefs/a.png\t1\n";
    let set = open(both, Strictness::Strict).expect("a good list");
    assert!(set.samples()[0].reference.as_ref().is_some_and(|path| path.ends_with("refs/a.png")));
    let two = error("name,path,score\na1.png,a1.png,1\n");
    assert!(two.contains("line 1: expected a column exactly one of image or image_name"), "{two}");
    let two = error("image,original,pristine,score\na1.png,refs/a.png,refs/a.png,1\n");
    assert!(two.contains("line 1: expected a column exactly one of original or pristine"), "{two}");
    let none = error("picture,score\na1.png,1\n");
    assert!(
        none.contains("named distorted or dist or dis or dist_img") && none.contains(" or image or "),
        "{none}"
    );
}

#[test]
fn the_header_says_what_separates_fields() {
    for list in [
        "dis;score;type\na1.png;1.5;\"noise, white\"\n",
        "dis\tscore\ttype\na1.png\t1.5\tnoise, white\n",
        "dis,score,type\na1.png,1.5,\"noise, white\"\n",
        "dis;score;type;\"a, b, c, d\"\na1.png;1.5;noise, white;\n",
    ] {
        let set = open(list.as_bytes(), Strictness::Strict).expect("a good list");
        let sample = &set.samples()[0];
        assert_eq!((sample.raw, sample.type_name.as_deref()), (1.5, Some("noise, white")), "{list}");
    }
    // A decimal comma is no number that is guessed at.
    let comma = error("dis;score\na1.png;1,5\n");
    assert!(comma.contains("line 2: expected a finite score, found `1,5`"), "{comma}");
}

#[test]
fn errors_name_the_line_whatever_ends_it() {
    for end in ["\n", "\r\n", "\r"] {
        for (list, line) in [
            ("dis,score|a1.png,1|a2.png,x|", 3),
            ("dis,score|a1.png,1|a2.png|", 3),
            ("dis,score|a1.png,1|a2.png,x", 3),
            ("||dis,score||a1.png,1|||a2.png,x|", 8),
            ("dis,score|a1.png,1|   |a2.png,x|", 4),
            ("dis,score,note|a1.png,1,\"one|two|three\"|a2.png,x,|", 5),
            ("dis,score,\"of|raters\"|a1.png,1,|a2.png,x,\"a|b\"|", 4),
        ] {
            let message = error(&list.replace('|', end));
            assert!(message.contains(&format!("list.csv, line {line}: ")), "{list:?} {end:?}: {message}");
        }
    }
}

#[test]
fn a_file_is_found_in_another_case_unless_two_are_meant() {
    let set = open(
        b"dis,score,ref\nA1.PNG,1,Refs\\A.png\nb1.png,2,refs/B.png\nB1.png,3,refs/b.png\n",
        Strictness::Strict,
    )
    .expect("a good list");
    let images: Vec<_> = set.samples().iter().filter_map(|sample| sample.distorted.file_name()).collect();
    assert_eq!(images, ["a1.png", "b1.png", "B1.png"]);
    assert_eq!(set.reference_ids(), ["refs/a.png", "refs/b.png"]);
    assert!(error("dis,score\nb1.PNG,1\n").contains("b1.PNG: no such file"));
    // Spelt in two ways, it is listed twice.
    assert!(error("dis,score\na1.png,1\nA1.png,1\n").contains("line 3: expected an image not listed before"));
}

#[test]
fn a_range_that_is_not_given_is_that_of_the_labels() {
    let open = |list: &str| {
        let folder = Folder::new();
        for image in ["a1.png", "a2.png", "a3.png"] {
            folder.write(image, "");
        }
        let path = folder.write("list.csv", list);
        let (kind, direction) = (ScoreKind::Dmos, Direction::LowerIsBetter);
        DataSet::open_csv_inferring_range(&path, folder.path(), "mine", kind, direction, Strictness::Lenient)
    };
    // Of all that are listed, there or not.
    let set = open("image,score\na1.png,-1.5\na2.png,0.25\na3.png,-0.5\nnone.png,2\n").expect("a good list");
    let expected = ScoreScale::new(ScoreKind::Dmos, Direction::LowerIsBetter, -1.5, 2.0).expect("a range");
    assert_eq!((set.scale(), set.outside_range()), (expected, 0));
    let same = open("image,score\na1.png,3\na2.png,3\n").expect_err("no range").to_string();
    assert!(same.contains("list.csv, line 2: expected scores that differ"), "{same}");
    assert!(open("image,score\n").expect_err("empty").to_string().contains("the set is empty"));
}

#[test]
fn labels_outside_the_range_are_counted() {
    let set = open(b"image,score\na1.png,-0.1\na2.png,0\nb1.png,10\nB1.png,88\n", Strictness::Strict);
    assert_eq!(set.expect("a good list").outside_range(), 2);
}

#[test]
fn pairs_are_read_from_the_folder_of_their_list() {
    let folder = Folder::new();
    for image in ["set/one two.png", "set/b.PNG", "refs/a.png"] {
        folder.write(image, "");
    }
    let absolute = folder.join("refs/a.png");
    let list = format!(
        "\u{feff}Filename;mos;Original\r\n\"one two.png\";;..\\refs\\a.png\r\n\r\nb.png;x;{}\r\n./none.png;;\r\n",
        absolute.display()
    );
    let path = folder.write("set/list.csv", &list);
    let pair = |distorted: &str, reference: Option<&str>, line| ListedPair {
        distorted: folder.join("set").join(distorted),
        reference: reference.map(|path| folder.join("set").join(path)),
        line,
    };
    assert_eq!(
        read_pairs(&path).expect("a good list"),
        [
            pair("one two.png", Some("../refs/a.png"), 2),
            pair("b.PNG", absolute.to_str(), 4),
            pair("none.png", None, 5),
        ]
    );
    for (list, expected) in [
        ("image\n", "line 2: expected a row for each image, found `the end of the file`"),
        ("", "line 1: expected a column named distorted or"),
        ("image,ref\n,a.png\n", "line 2: expected the path of a distorted image"),
        ("image,ref\na.png\n", "line 2: expected as many fields as the header has"),
        ("ref\na.png\n", "line 1: expected a column named distorted or"),
    ] {
        let message = read_pairs(&folder.write("bad.csv", list)).expect_err("refused").to_string();
        assert!(message.contains(expected), "{list:?}: {message}");
    }
    assert!(read_pairs(&folder.join("none.csv")).expect_err("no list").to_string().contains("none.csv: "));
}

#[test]
fn ten_thousand_pairs_are_quick() {
    let folder = Folder::new();
    let rows = (0..10_000).map(|row| format!("a_{row}.png,\"refs/{}.png\"\r\n", row / 100));
    let path = folder.write("list.csv", format!("image,reference\r\n{}", rows.collect::<String>()));
    let start = Instant::now();
    let pairs = read_pairs(&path).expect("a good list");
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    assert_eq!((pairs.len(), pairs[9_999].line), (10_000, 10_001));
    assert_eq!(pairs[9_999].reference, Some(folder.join("refs/99.png")));
}
