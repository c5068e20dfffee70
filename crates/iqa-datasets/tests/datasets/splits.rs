use std::collections::BTreeSet;
use std::path::Path;

use iqa_datasets::split::{LeakyImageSplit, Parts, Split, SplitPreset};
use iqa_datasets::{DataSet, DataSetKind, DatasetError, Strictness};

use super::trees::{Folder, koniq10k_images};

/// Every sample on one side, and no reference on two.
fn check(set: &DataSet, split: &Split) {
    let sides = [split.train(), split.validation(), split.test()];
    assert!(sides.iter().all(|side| side.is_sorted()));
    let mut all = sides.concat();
    all.sort_unstable();
    assert_eq!(all, (0..set.samples().len()).collect::<Vec<_>>(), "{}", set.name());
    let references = sides.map(|side| references(set, side));
    for (a, b) in [(0, 1), (0, 2), (1, 2)] {
        assert!(references[a].is_disjoint(&references[b]), "{}: a reference on two sides", set.name());
    }
}

fn references(set: &DataSet, side: &[usize]) -> BTreeSet<String> {
    // By what is on the disk, not by the id that the split went by.
    side.iter()
        .filter_map(|&index| set.samples()[index].reference.as_ref())
        .map(|path| path.display().to_string())
        .collect()
}

fn sizes(set: &DataSet, split: &Split) -> [usize; 3] {
    [split.train(), split.validation(), split.test()]
        .map(|side| if set.has_references() { references(set, side).len() } else { side.len() })
}

#[test]
fn no_reference_is_on_two_sides_of_any_preset_on_any_set() {
    for kind in DataSetKind::ALL {
        let folder = Folder::of(kind);
        let set = folder.strict(kind);
        for preset in SplitPreset::ALL {
            for seed in [0, 1, 2018] {
                let Ok(splits) = preset.splits(&set, seed) else { continue };
                assert_eq!(splits.len(), preset.repeats());
                splits.iter().for_each(|split| check(&set, split));
                assert_eq!(splits, preset.splits(&set, seed).expect("again"), "same seed");
                if splits.len() > 1 {
                    assert!(splits.windows(2).all(|pair| pair[0] != pair[1]), "{preset:?}");
                }
            }
        }
        for (parts, seed) in [([0.6, 0.2, 0.2], 7), ([0.8, 0.0, 0.2], 8), ([0.5, 0.25, 0.25], 9)] {
            check(&set, &Split::random(&set, Parts::Ratios(parts), seed).expect("splits"));
        }
    }
}

#[test]
fn nor_of_a_set_read_from_a_list() {
    for kind in DataSetKind::ALL {
        let folder = Folder::of(kind);
        let published = folder.strict(kind);
        let relative =
            |path: &Path| path.strip_prefix(folder.path()).expect("in the folder").display().to_string();
        let mut list = "distorted,reference,score\n".to_owned();
        for sample in published.samples() {
            let reference = sample.reference.as_deref().map(relative).unwrap_or_default();
            list += &format!("{},{reference},{}\n", relative(&sample.distorted), sample.raw);
        }
        let list = folder.write("list.csv", list);
        let set = DataSet::open_csv(&list, folder.path(), "a list", published.scale(), Strictness::Strict)
            .expect("a good list");
        assert_eq!(set.samples().len(), published.samples().len());
        assert_eq!(set.reference_ids().len(), published.reference_ids().len());
        for preset in SplitPreset::ALL {
            // What fits the set fits its list, but for a split that is read from the set's folder.
            let splits = preset.splits(&set, 4).ok();
            let fits = preset != SplitPreset::Koniq10k && preset.splits(&published, 4).is_ok();
            assert_eq!(splits.is_some(), fits, "{preset:?} on {kind:?}");
            splits.iter().flatten().for_each(|split| check(&set, split));
        }
    }
}

#[test]
fn presets_have_the_sizes_of_the_papers() {
    // References, or images in a set without them.
    let cases = [
        (SplitPreset::BosseLive, DataSetKind::Live, [17, 6, 6], 10),
        (SplitPreset::BosseLiveCross, DataSetKind::Live, [23, 6, 0], 1),
        (SplitPreset::BosseTid2013, DataSetKind::Tid2013, [15, 5, 5], 10),
        (SplitPreset::BosseTid2013Cross, DataSetKind::Tid2013, [20, 5, 0], 1),
        (SplitPreset::BosseLiveChallenge, DataSetKind::LiveChallenge, [698, 232, 232], 10),
        (SplitPreset::DuttaKadid10k, DataSetKind::Kadid10k, [65, 0, 16], 1),
        (SplitPreset::Gsn, DataSetKind::Kadid10k, [81, 0, 0], 1),
        (SplitPreset::Koniq10k, DataSetKind::Koniq10k, [7058, 1000, 2015], 1),
        (SplitPreset::Hiqa, DataSetKind::Live, [23, 0, 6], 10),
        (SplitPreset::Hiqa, DataSetKind::Csiq, [24, 0, 6], 10),
        (SplitPreset::Hiqa, DataSetKind::Tid2013, [20, 0, 5], 10),
    ];
    for (preset, kind, expected, repeats) in cases {
        let folder = Folder::of(kind);
        let set = folder.strict(kind);
        let splits = preset.splits(&set, 1).expect("fits");
        assert_eq!(splits.len(), repeats);
        assert!(splits.iter().all(|split| sizes(&set, split) == expected), "{preset:?} on {kind:?}");
        assert_eq!(preset.name().parse::<SplitPreset>().expect("known"), preset);
    }
}

#[test]
fn the_order_of_the_labels_does_not_matter_to_the_references() {
    let folder = Folder::of(DataSetKind::Kadid10k);
    let set = folder.strict(DataSetKind::Kadid10k);
    let text = std::fs::read_to_string(folder.join("dmos.csv")).expect("labels");
    let (header, lines) = text.split_once('\n').expect("a header");
    let mut lines: Vec<&str> = lines.lines().collect();
    lines.reverse();
    folder.write("dmos.csv", format!("{header}\n{}\n", lines.join("\n")));
    let reversed = folder.strict(DataSetKind::Kadid10k);
    let [a, b] = [&set, &reversed].map(|set| SplitPreset::DuttaKadid10k.splits(set, 5).expect("splits"));
    assert_eq!(references(&set, a[0].test()), references(&reversed, b[0].test()));
    assert_ne!(a, b);
}

#[test]
fn a_split_that_cannot_be_is_refused() {
    let live = Folder::of(DataSetKind::Live).strict(DataSetKind::Live);
    for counts in [[17, 6, 5], [17, 6, 7], [0, 20, 9], [usize::MAX, 29, 1]] {
        let error = Split::random(&live, Parts::Counts(counts), 0).expect_err("not 29");
        assert!(matches!(error, DatasetError::Split { references: 29, .. }), "{error}");
    }
    // 1 % of 29 rounds to none.
    assert!(Split::random(&live, Parts::Ratios([0.99, 0.0, 0.01]), 0).is_err());
    for ratios in [[0.5, 0.2, 0.2], [1.2, -0.1, -0.1], [f64::NAN, 0.5, 0.5], [0.0, 0.5, 0.5]] {
        let error = Split::random(&live, Parts::Ratios(ratios), 0).expect_err("no ratios");
        assert!(matches!(error, DatasetError::SplitRatios { .. }), "{error}");
    }
    let message = SplitPreset::BosseLiveChallenge.splits(&live, 0).expect_err("references").to_string();
    assert_eq!(message, "LIVE: expected a set without references");
    let message = "bosse".parse::<SplitPreset>().expect_err("unknown").to_string();
    assert!(message.starts_with("unknown split preset `bosse`: expected one of bosse_live, "), "{message}");
}

#[test]
fn the_split_of_koniq10k_is_the_one_in_its_folder() {
    let folder = Folder::of(DataSetKind::Koniq10k);
    let set = folder.strict(DataSetKind::Koniq10k);
    let split = |set: &DataSet| SplitPreset::Koniq10k.splits(set, 1);
    let splits = split(&set).expect("it is there");
    assert_eq!(splits.len(), 1);
    assert_eq!(sizes(&set, &splits[0]), [7058, 1000, 2015]);
    check(&set, &splits[0]);
    let names = |set: &DataSet, side: &[usize]| -> BTreeSet<String> {
        let name = |&index: &usize| set.samples()[index].distorted.file_name();
        side.iter().filter_map(name).map(|name| name.to_string_lossy().into()).collect()
    };
    let published = |part| {
        koniq10k_images()
            .into_iter()
            .filter(|image| image.2 == part)
            .map(|image| image.0)
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(names(&set, splits[0].train()), published("training"));
    assert_eq!(names(&set, splits[0].validation()), published("validation"));
    assert_eq!(names(&set, splits[0].test()), published("test"));
    // The same file serves as any other, for a set opened from a list too.
    let file = folder.join("koniq10k_distributions_sets.csv");
    assert_eq!(Split::from_file(&set, &file).expect("a good file"), splits[0]);

    // What is missing, or was filtered out, is missing in its part.
    let some = set.filtered(|sample| sample.raw < 2.0).expect("some");
    let [part] = &split(&some).expect("splits")[..] else { panic!("one split") };
    check(&some, part);
    assert!(names(&some, part.test()).is_subset(&published("test")) && !part.test().is_empty());
    assert!(Split::from_file(&some, &file).is_err());
    folder.remove("1024x768/10003.jpg");
    let lacking = folder.open(DataSetKind::Koniq10k, Strictness::Lenient).expect("lenient");
    assert_eq!(split(&lacking).expect("splits")[0].train().len(), 7057);

    let text = std::fs::read_to_string(&file).expect("read");
    let line = "\n10003.jpg,0,0,0.2381,0.6952,0.0667,105,0.0000,0.5273,";
    for (from, to, expected) in [
        (
            format!("{line}training"),
            format!("{line}train set"),
            "line 2: expected the part train, validation or test, found `train set`",
        ),
        (
            "\n1001.jpg".into(),
            "\n10003.jpg".into(),
            "line 3: expected a name of the set, not listed before, found `10003.jpg`",
        ),
        ("\n1001.jpg".into(), "\n7.jpg".into(), "expected 10073 images of KonIQ-10k, found 10072"),
        (
            format!("{line}training"),
            format!("{line}test"),
            "expected 7058 images in the part train, found 7057",
        ),
        ("image_name".into(), "picture".into(), "line 1: expected a column named distorted or dist"),
    ] {
        folder.write("koniq10k_distributions_sets.csv", text.replace(&from, &to));
        let message = split(&set).expect_err("not the split").to_string();
        assert!(
            message.contains("koniq10k_distributions_sets.csv") && message.contains(expected),
            "{message}"
        );
    }
    folder.remove("koniq10k_distributions_sets.csv");
    let message = split(&set).expect_err("not there").to_string();
    assert!(message.contains("koniq10k_distributions_sets.csv: "), "{message}");
    let challenge = Folder::of(DataSetKind::LiveChallenge).strict(DataSetKind::LiveChallenge);
    let message = split(&challenge).expect_err("has none").to_string();
    assert_eq!(message, "LIVE Challenge: expected a set with a published split");
}

#[test]
fn a_split_by_image_of_a_set_with_references_is_another_type() {
    let live = Folder::of(DataSetKind::Live).strict(DataSetKind::Live);
    let leaky = LeakyImageSplit::random(&live, Parts::Ratios([0.6, 0.2, 0.2]), 3).expect("splits");
    assert_eq!([leaky.train().len(), leaky.validation().len(), leaky.test().len()], [467, 156, 156]);
    assert!(!references(&live, leaky.train()).is_disjoint(&references(&live, leaky.test())), "it leaks");
    let challenge = Folder::of(DataSetKind::LiveChallenge).strict(DataSetKind::LiveChallenge);
    let message = LeakyImageSplit::random(&challenge, Parts::Ratios([1.0, 0.0, 0.0]), 3)
        .expect_err("not leaky")
        .to_string();
    assert_eq!(message, "LIVE Challenge: expected a set with references");
}

#[test]
fn official_splits_come_from_a_file() {
    let folder = Folder::of(DataSetKind::Tid2008);
    let set = folder.strict(DataSetKind::Tid2008);
    let mut text = "part,reference\n".to_owned();
    for reference in 1..=25 {
        let part = if reference <= 15 {
            "train"
        } else if reference <= 20 {
            "validation"
        } else {
            "TEST"
        };
        text += &format!("{part},I{reference:02}\n");
    }
    let path = folder.write("split.csv", &text);
    let split = Split::from_file(&set, &path).expect("a good file");
    check(&set, &split);
    assert_eq!(sizes(&set, &split), [15, 5, 5]);
    assert!(split.test().iter().all(|&index| set.samples()[index].reference_id.as_deref() > Some("i20")));
    for (from, to, expected) in [
        (
            "train,I03",
            "tuning,I03",
            "split.csv, line 4: expected the part train, validation or test, found `tuning`",
        ),
        (
            "train,I03",
            "train,I33",
            "split.csv, line 4: expected a name of the set, not listed before, found `I33`",
        ),
        (
            "train,I03",
            "train,I02",
            "split.csv, line 4: expected a name of the set, not listed before, found `I02`",
        ),
        ("train,I03\n", "", "split.csv: expected 25 references of TID2008, found 24"),
        ("part,reference", "part,image", "split.csv, line 1: expected a column named reference"),
    ] {
        folder.write("split.csv", text.replace(from, to));
        let message = Split::from_file(&set, &path).expect_err("not a good file").to_string();
        assert!(message.contains(expected), "{message}");
    }

    let folder = Folder::of(DataSetKind::LiveChallenge);
    let set = folder.strict(DataSetKind::LiveChallenge);
    let mut text = "Filename;part\r\n".to_owned();
    for sample in set.samples() {
        let name = sample.distorted.file_name().expect("a name").to_string_lossy();
        text += &format!("Images\\{name};{}\r\n", if name.starts_with('1') { "test" } else { "train" });
    }
    let split = Split::from_file(&set, &folder.write("split.csv", text)).expect("a good file");
    check(&set, &split);
    assert!(!split.test().is_empty() && split.validation().is_empty());
}
