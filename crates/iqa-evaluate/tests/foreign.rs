//! Scores of other programs, and what intervals are drawn from.

use std::path::Path;

use iqa_core::Direction;
use iqa_datasets::{DataSet, ScoreKind, ScoreScale, Strictness};
use iqa_evaluate::{EvaluateError, ReportConfig, Scores, report};
use tempfile::TempDir;

/// Images that nobody decodes, with their ratings.
fn set(folder: &Path, header: &str, rows: &[&str]) -> DataSet {
    let mut list = format!("{header}\n");
    for row in rows {
        let image = folder.join(row.split(',').next().expect("an image"));
        std::fs::create_dir_all(image.parent().expect("a folder")).expect("creates");
        std::fs::write(image, "").expect("writes");
        list += &format!("{row}\n");
    }
    std::fs::write(folder.join("ratings.csv"), list).expect("writes");
    let scale = ScoreScale::new(ScoreKind::Mos, Direction::HigherIsBetter, 1.0, 5.0).expect("a scale");
    DataSet::open_csv(&folder.join("ratings.csv"), folder, "made", scale, Strictness::Strict).expect("a set")
}

fn four(folder: &Path) -> DataSet {
    set(folder, "image,mos", &["set/a/1.png,1", "set/a/2.png,2", "set/b/1.png,3.5", "set/b/3.png,4"])
}

fn read(folder: &TempDir, set: &DataSet, list: &str) -> Result<Scores, EvaluateError> {
    let path = folder.path().join("brisque.csv");
    std::fs::write(&path, list).expect("writes");
    Scores::read_list(&path, set, Some(Direction::LowerIsBetter))
}

#[test]
fn scores_of_another_program_are_found_by_path_and_else_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let set = four(folder.path());
    let absolute = format!(
        "image,score\n{0}/set/b/3.png,4\n{0}/set/b/1.png,3\n{0}/set/a/2.png,2\n{0}/set/a/1.png,1\n",
        folder.path().display()
    );
    for list in [
        // From the folder of the set, from the one above, and as `iqa score --format csv` writes them.
        "image,score\na/1.png,1\na/2.png,2\nb/1.png,3\nb/3.png,4\n",
        "Filename;MOS\r\nset\\b\\1.PNG;3\r\n./set/a/1.png;1\r\nset/a/2.png;2\r\nset/b/3.png;4\r\n",
        "path,reference,model,score\nset/a/1.png,x,m,1\nset/a/2.png,x,m,2\nset/b/1.png,x,m,3\nset/b/3.png,x,m,4\n",
        // Other images are not asked for.
        "image,score\na/1.png,1\nc/1.png,9\na/2.png,2\nb/1.png,3\n3.png,4\nz.png,inf\n",
        &absolute,
    ] {
        let scores = read(&folder, &set, list).expect(list);
        assert_eq!((&scores.values[..], scores.found), (&[1.0, 2.0, 3.0, 4.0][..], 4), "{list}");
        assert_eq!((scores.key.model.as_str(), scores.key.direction), ("brisque", Direction::LowerIsBetter));
        assert_eq!(scores.key.range, [None, None]);
    }
    let other = tempfile::tempdir().expect("a folder");
    let unique = self::set(other.path(), "image,mos", &["a/1.png,1", "b/2.png,2", "c/3.png,3"]);
    let scores =
        read(&folder, &unique, "image,score\nd:\\set\\1.png,7\nd:\\set\\3.png,-inf\nd:\\set\\2.png,8\n");
    assert_eq!(scores.expect("by name").values, [7.0, 8.0, f64::NEG_INFINITY]);
}

#[test]
fn scores_that_are_not_of_every_image_once_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let set = four(folder.path());
    for (list, expected) in [
        ("image,score\na/1.png,1\na/2.png,2\nb/3.png,4\n", "no score of "),
        ("image,score\nz.png,1\n", "set/a/1.png (and 3 more)"),
        ("image,score\n", "set/a/1.png (and 3 more)"),
        (
            "image,score\na/1.png,1\na/2.png,2\nb/1.png,3\nb/3.png,4\n3.png,4\n",
            "line 6: expected an image not listed before, found `3.png`",
        ),
        (
            "image,score\na/2.png,2\n1.png,1\n",
            "line 3: expected a path that is that of one image of the set, found `1.png`",
        ),
        // Elsewhere, and two are called so.
        (
            "image,score\n/x/2.png,2\n/x/1.png,1\n",
            "line 3: expected a path that is that of one image of the set, found `/x/1.png`",
        ),
        ("image,score\na/1.png,NaN\n", "line 2: expected a score: a number, found `NaN`"),
        ("image,score\na/1.png,\n", "line 2: expected a score: a number"),
        ("image,value\na/1.png,1\n", "line 1: expected a column named score or mos or dmos"),
    ] {
        let error = read(&folder, &set, list).expect_err(list).to_string();
        assert!(error.contains("brisque.csv") && error.contains(expected), "{list:?}: {error}");
    }
}

#[test]
fn references_are_drawn_where_there_are_several() {
    let config = ReportConfig { resamples: 50, ..ReportConfig::default() };
    let drawn = |header: &str, rows: &[&str]| {
        let folder = tempfile::tempdir().expect("a folder");
        let set = set(folder.path(), header, rows);
        let list: String = set
            .samples()
            .iter()
            .zip(1..)
            .map(|(sample, score)| format!("{},{score}\n", sample.distorted.display()))
            .collect();
        let scores = read(&folder, &set, &format!("image,score\n{list}")).expect("scores");
        let turned = Scores {
            values: scores.values.iter().map(|value| value * value - 7.0 * value).collect(),
            ..scores.clone()
        };
        let report = report(&set, &scores, Some(&turned), &config).expect("a report");
        let (intervals, against) =
            (report.intervals.expect("intervals"), report.against.as_ref().expect("another"));
        assert_eq!(intervals.references, against.references);
        (intervals.references, report.markdown())
    };
    let rows = ["1.png,1,x", "2.png,2.5,y", "3.png,2,x", "4.png,4,z", "5.png,3,y", "6.png,4.5,z"];
    let (references, text) = drawn("image,mos,group", &rows);
    assert_eq!(references, Some(3));
    assert!(text.contains("(50 resamples of 3 references): PLCC"), "{text}");
    assert!(text.contains("Of so few references an interval is rough"), "{text}");
    assert!(text.contains("| SRCC, paired bootstrap of 3 references | "), "{text}");
    let (references, text) = drawn("image,mos,other", &rows);
    assert_eq!(references, None);
    assert!(text.contains("(50 resamples of single images): PLCC"), "{text}");
    // Of one reference nothing is known but of its images.
    let one: Vec<String> = rows.iter().map(|row| format!("{}x", &row[..row.len() - 1])).collect();
    let one: Vec<&str> = one.iter().map(String::as_str).collect();
    assert_eq!(drawn("image,mos,group", &one).0, None);
}

#[test]
fn a_list_that_says_which_way_its_scores_grow_is_believed() {
    let folder = tempfile::tempdir().expect("a folder");
    let set = set(folder.path(), "image,mos", &["1.png,1", "2.png,2"]);
    let path = folder.path().join("gmsd.csv");
    let read = |direction: [&str; 2], asked| {
        let rows = format!("path,score,direction\n1.png,0.2,{}\n2.png,0.1,{}\n", direction[0], direction[1]);
        std::fs::write(&path, rows).expect("writes");
        Scores::read_list(&path, &set, asked).map(|scores| scores.key.direction)
    };
    let (lower, higher) = (Direction::LowerIsBetter, Direction::HigherIsBetter);
    assert_eq!(read(["lower_is_better"; 2], None).expect("reads"), lower);
    assert_eq!(read(["lower_is_better"; 2], Some(lower)).expect("reads"), lower);
    assert_eq!(read(["higher_is_better"; 2], None).expect("reads"), higher);
    for (direction, asked, line) in [
        (["lower_is_better"; 2], Some(higher), "gmsd.csv, line 2: "),
        (["lower_is_better", "higher_is_better"], None, "gmsd.csv, line 3: "),
        (["lower_is_better", "down"], None, "gmsd.csv, line 3: "),
    ] {
        let error = read(direction, asked).expect_err("refused").to_string();
        assert!(
            error.contains(line) && (error.contains("is_better") || error.contains("is better")),
            "{error}"
        );
    }
}
