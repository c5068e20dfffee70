//! Files of results: whole records, one run at a time.

use std::path::Path;

use iqa_core::{CoreError, RecordForm, ResultsFile, read_records};

/// The records of a file, with the lines they begin in.
fn records(path: &Path, form: RecordForm) -> Result<Vec<(usize, String)>, CoreError> {
    let mut records = Vec::new();
    read_records(path, form, |line, record| {
        records.push((line, String::from_utf8_lossy(record).into_owned()));
        Ok::<(), CoreError>(())
    })?;
    Ok(records)
}

fn open(path: &Path, start: &str) -> Result<ResultsFile, CoreError> {
    ResultsFile::open(
        path,
        RecordForm::Csv,
        start.as_bytes(),
        |rest| rest.starts_with(b"a,"),
        |line, record| {
            let ours = line <= start.lines().count() || record.contains(&b',');
            if ours { Ok(()) } else { Err(CoreError::not_results(path, line, "a comma", "none")) }
        },
    )
}

#[test]
fn a_line_break_inside_quotes_does_not_end_a_record_of_csv() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("results");
    std::fs::write(&path, "{\"a\\\"\"}\n\"two\nlines \"\"q\"\"\",1\nb,2\n\"torn\n").expect("writes");
    let after_line = records(&path, RecordForm::CsvAfterLine).expect("reads");
    let found: Vec<(usize, &str)> = after_line.iter().map(|(line, text)| (*line, text.as_str())).collect();
    assert_eq!(found, [(1, "{\"a\\\"\"}"), (2, "\"two\nlines \"\"q\"\"\",1"), (4, "b,2")]);
    assert_eq!(records(&path, RecordForm::Lines).expect("reads").len(), 5);
    std::fs::write(&path, vec![b'x'; 3 << 20]).expect("writes");
    let error = records(&path, RecordForm::Csv).expect_err("no record is that long").to_string();
    assert!(error.contains("results, line 1: expected a record of at most a MiB"), "{error}");
}

#[test]
fn a_file_cut_anywhere_is_gone_on_with() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("results.csv");
    for start in ["", "# key\nname,value\n"] {
        let whole = format!("{start}a,1\n\"b\nb\",2\n");
        for length in 0..=whole.len() {
            // One byte of a first record is not enough to tell it from others.
            if start.is_empty() && length == 1 {
                continue;
            }
            std::fs::write(&path, &whole[..length]).expect("writes");
            let mut file = open(&path, start).expect("goes on");
            let kept = std::fs::read_to_string(&path).expect("reads");
            assert!(whole.starts_with(&kept) && kept.len() >= start.len(), "{kept:?} of {length}");
            file.append(&whole.as_bytes()[kept.len()..]).expect("writes");
            assert_eq!(std::fs::read_to_string(&path).expect("reads"), whole);
        }
    }
}

#[test]
fn what_is_not_ours_stays_as_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("notes.txt");
    for (foreign, start) in
        [("no line break", ""), ("no line break", "name\n"), ("a line\nrest", ""), ("nam", "other\n")]
    {
        std::fs::write(&path, foreign).expect("writes");
        let error = open(&path, start).expect_err("not ours");
        assert!(matches!(error, CoreError::NotResults { line: 1, .. }), "{error}");
        assert_eq!(std::fs::read_to_string(&path).expect("reads"), foreign);
    }
}

#[test]
fn a_second_run_is_refused_while_the_first_has_the_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("results.csv");
    let mut first = open(&path, "name,value\n").expect("new");
    first.append(b"a,1\n").expect("writes");
    let error = open(&path, "name,value\n").expect_err("in use");
    assert!(matches!(&error, CoreError::InUse { .. }), "{error}");
    assert!(error.to_string().contains("results.csv: another run is writing this file"), "{error}");
    first.append(b"b,2\n").expect("writes");
    drop(first);
    open(&path, "name,value\n").expect("free again");
    assert_eq!(std::fs::read_to_string(&path).expect("reads"), "name,value\na,1\nb,2\n");
}
