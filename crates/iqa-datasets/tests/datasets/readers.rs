use std::fmt::Write;
use std::fs;

use iqa_datasets::readers::{SHARED_TYPES, TID2013_SUBSETS};
use iqa_datasets::{DataSet, DataSetKind, DatasetError, Direction, Sample, ScoreKind, Strictness};

use super::trees::{Folder, csiq_images};

/// The sample whose file has a name.
fn named<'a>(set: &'a DataSet, name: &str) -> &'a Sample {
    let mut found = set.samples().iter().filter(|sample| sample.distorted.ends_with(name));
    let sample = found.next().unwrap_or_else(|| panic!("no {name} in {}", set.name()));
    assert!(found.next().is_none(), "{name} twice");
    sample
}

fn of_type(set: &DataSet, name: &str) -> usize {
    set.samples().iter().filter(|sample| sample.type_name.as_deref() == Some(name)).count()
}

#[test]
fn complete_sets_open_strictly_with_the_published_counts() {
    // Samples, references, direction, nominal range.
    let sets = [
        (DataSetKind::Live, 779, 29, ScoreKind::Dmos, (0.0, 100.0)),
        (DataSetKind::LiveOriginal, 779, 29, ScoreKind::Dmos, (0.0, 100.0)),
        (DataSetKind::Csiq, 866, 30, ScoreKind::Dmos, (0.0, 1.0)),
        (DataSetKind::Tid2008, 1700, 25, ScoreKind::Mos, (0.0, 9.0)),
        (DataSetKind::Tid2013, 3000, 25, ScoreKind::Mos, (0.0, 9.0)),
        (DataSetKind::Kadid10k, 10_125, 81, ScoreKind::Mos, (1.0, 5.0)),
        (DataSetKind::Pipal, 23_200, 200, ScoreKind::Mos, (916.7136, 1835.9856)),
        (DataSetKind::LiveChallenge, 1162, 0, ScoreKind::Mos, (0.0, 100.0)),
        (DataSetKind::Koniq10k, 10_073, 0, ScoreKind::Mos, (1.0, 5.0)),
    ];
    for (kind, samples, references, score, range) in sets {
        let set = Folder::of(kind).strict(kind);
        assert_eq!((set.samples().len(), set.reference_ids().len()), (samples, references), "{kind:?}");
        assert_eq!(set.missing_images(), 0);
        assert_eq!((set.scale().kind(), set.scale().range()), (score, range));
        let direction =
            if score == ScoreKind::Mos { Direction::HigherIsBetter } else { Direction::LowerIsBetter };
        assert_eq!(set.scale().direction(), direction);
        for sample in set.samples() {
            assert_eq!(sample.reference.is_some(), references > 0);
            assert_eq!(sample.reference.is_some(), sample.reference_id.is_some());
            assert_ne!(Some(&sample.distorted), sample.reference.as_ref());
        }
        let from_scratch =
            ![DataSetKind::Pipal, DataSetKind::LiveChallenge, DataSetKind::Koniq10k].contains(&kind);
        assert!(SHARED_TYPES.iter().all(|name| (of_type(&set, name) > 0) == from_scratch), "{kind:?}");
    }
}

#[test]
fn live_drops_undistorted_copies_and_keeps_the_realigned_scores_as_they_are() {
    let folder = Folder::of(DataSetKind::Live);
    let set = folder.strict(DataSetKind::Live);
    // The web swaps the first two.
    let types = [
        ("jpeg2000", 169),
        ("jpeg", 175),
        ("white_noise", 145),
        ("gaussian_blur", 145),
        ("fast_fading", 145),
    ];
    for (name, count) in types {
        assert_eq!(of_type(&set, name), count, "{name}");
    }
    // Outside the nominal range at both ends, and not clamped.
    assert_eq!(named(&set, "jp2k/img1.bmp").raw, -2.640);
    assert_eq!(named(&set, "jp2k/img2.bmp").raw, 111.775);
    // Entry 228 is the first of the second group; its reference is the first again.
    let sample = named(&set, "jpeg/img1.bmp");
    assert_eq!((sample.raw, sample.std), (22.8, Some(2.28)));
    assert!(sample.reference.as_ref().is_some_and(|path| path.ends_with("refimgs/reference00.bmp")));
    assert_eq!(
        (sample.reference_id.as_deref(), sample.type_id, sample.level),
        (Some("reference00.bmp"), Some(2), None)
    );
    assert!(!set.samples().iter().any(|sample| sample.distorted.ends_with("jp2k/img170.bmp")), "a copy");

    // The first release: other scores, no deviations.
    let original = folder.strict(DataSetKind::LiveOriginal);
    assert_eq!((original.samples()[0].raw, original.samples()[0].std), (0.05, None));
    assert_eq!(named(&original, "fastfading/img145.bmp").raw, f64::from(227 + 233 + 174 + 174 + 145) / 20.0);
}

#[test]
fn live_opens_with_another_name_for_blur_and_from_a_list() {
    let folder = Folder::of(DataSetKind::Live);
    folder.rename("gblur", "Blur");
    let from_mat = folder.strict(DataSetKind::Live);
    assert_eq!(of_type(&from_mat, "gaussian_blur"), 145);

    let mut list = "dis,ref,score\n".to_owned();
    for sample in from_mat.samples() {
        let [distorted, reference] =
            [Some(&sample.distorted), sample.reference.as_ref()].map(|path| path.expect("given"));
        let short =
            |path: &std::path::Path| path.strip_prefix(folder.path()).expect("inside").display().to_string();
        writeln!(
            list,
            "databaserelease2\\{},{},{}",
            short(distorted).replace('/', "\\"),
            short(reference),
            sample.raw
        )
        .expect("text");
    }
    folder.write("live.csv", &list);
    folder.remove("dmos_realigned.mat");
    let from_list = folder.strict(DataSetKind::Live);
    assert_eq!(from_list.samples().len(), 779);
    for (a, b) in from_mat.samples().iter().zip(from_list.samples()) {
        assert_eq!(&Sample { std: None, ..a.clone() }, b);
    }

    folder.write("live.csv", list.replace("jp2k\\img3.bmp", "jp3k\\img3.bmp"));
    let message = folder.error(DataSetKind::Live);
    assert!(message.contains("live.csv, line 4: expected an image in the folder jp2k"), "{message}");
    folder.remove("live.csv");
    let message = folder.error(DataSetKind::Live);
    assert!(message.ends_with("expected the label file dmos_realigned.mat, or live.csv"), "{message}");
}

#[test]
fn damaged_matlab_files_are_named() {
    let folder = Folder::of(DataSetKind::Live);
    let whole = fs::read(folder.join("dmos_realigned.mat")).expect("fixture");
    folder.write("dmos_realigned.mat", &whole[..whole.len() - 20]);
    let message = folder.error(DataSetKind::Live);
    assert!(message.contains("dmos_realigned.mat: expected a whole"), "{message}");
    // A file with other variables.
    fs::copy(folder.join("dmos.mat"), folder.join("dmos_realigned.mat")).expect("copied");
    let message = folder.error(DataSetKind::Live);
    assert!(message.ends_with("dmos_realigned.mat: expected a numeric array `dmos_new`"), "{message}");
    folder.remove("refnames_all.mat");
    assert!(folder.error(DataSetKind::LiveOriginal).ends_with("expected the label file refnames_all.mat"));

    let folder = Folder::of(DataSetKind::LiveChallenge);
    let shorter = Folder::of(DataSetKind::Live);
    fs::copy(shorter.join("dmos.mat"), folder.join("Data/AllStdDev_release.mat")).expect("copied");
    let message = folder.error(DataSetKind::LiveChallenge);
    assert!(
        message.ends_with("AllStdDev_release.mat: expected a numeric array `AllStdDev_release`"),
        "{message}"
    );
}

#[test]
fn csiq_opens_from_the_sheet_or_the_plain_list_nested_or_flat() {
    let folder = Folder::of(DataSetKind::Csiq);
    let sheet = folder.strict(DataSetKind::Csiq);
    assert_eq!(of_type(&sheet, "contrast_decrement"), 116);
    // Row 1 of the sheet: the image with a number for a name.
    let first = &sheet.samples()[0];
    assert!(first.distorted.ends_with("dst_imgs/awgn/1600.AWGN.1.png"));
    assert_eq!((first.raw, first.std, first.level), (0.001, Some(0.01), Some(1)));
    assert_eq!(first.reference_id.as_deref(), Some("1600"));
    assert!(
        named(&sheet, "lady_liberty.contrast.3.png")
            .reference
            .as_ref()
            .is_some_and(|path| path.ends_with("src_imgs/lady_liberty.png"))
    );
    assert_eq!(named(&sheet, "elk.jpeg2000.5.png").type_name.as_deref(), Some("jpeg2000"));

    folder.remove("csiq.DMOS.xlsx");
    let mut list = String::new();
    fs::create_dir(folder.join("dst_imgs_all")).expect("folder");
    for ((reference, token, level), row) in csiq_images().into_iter().zip(1..) {
        let file = format!("{reference}.{token}.{level}.png");
        writeln!(list, "{file} {}", f64::from(row) / 1000.0).expect("text");
        folder.rename(&format!("dst_imgs/{}/{file}", token.to_lowercase()), &format!("dst_imgs_all/{file}"));
    }
    folder.write("csiq_label.txt", &list);
    let plain = folder.strict(DataSetKind::Csiq);
    for (a, b) in sheet.samples().iter().zip(plain.samples()) {
        assert_eq!(&Sample { std: None, distorted: b.distorted.clone(), ..a.clone() }, b);
        assert_eq!(a.distorted.file_name(), b.distorted.file_name());
    }

    for (to, expected) in [
        ("0.001 1600.AWGN.1.png", "line 1: expected `<name>.<type>.<level>.png <dmos>`, found `0.001 1600"),
        ("1600.AWGN.1.png nan", "line 1: expected a finite score, found `NaN`"),
        ("1600.AWGN.1.png", "line 1: expected `<name>"),
        ("1600.AWGM.1.png 0.001", "line 1: expected a type: AWGN"),
    ] {
        folder.write("csiq_label.txt", list.replace("1600.AWGN.1.png 0.001", to));
        let message = folder.error(DataSetKind::Csiq);
        assert!(message.contains(&format!("csiq_label.txt, {expected}")), "{message}");
    }
    folder.write("csiq.DMOS.xlsx", "not a spreadsheet");
    let error = folder.open(DataSetKind::Csiq, Strictness::Lenient).expect_err("no spreadsheet");
    assert!(
        matches!(&error, DatasetError::Spreadsheet { path, .. } if path.ends_with("csiq.DMOS.xlsx")),
        "{error}"
    );
}

/// A zip of parts that are stored as they are.
fn stored_zip(parts: &[(&str, &str)]) -> Vec<u8> {
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    for (name, text) in parts {
        let mut crc = flate2::Crc::new();
        crc.update(text.as_bytes());
        let mut header = vec![20, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        header.extend(crc.sum().to_le_bytes());
        header.extend([(text.len() as u32).to_le_bytes(); 2].concat());
        header.extend((name.len() as u16).to_le_bytes());
        header.extend([0, 0]);
        directory.extend(b"PK\x01\x02\x14\0");
        directory.extend(&header);
        directory.extend([0; 10]);
        directory.extend((file.len() as u32).to_le_bytes());
        directory.extend(name.as_bytes());
        file.extend(b"PK\x03\x04");
        file.extend(&header);
        file.extend(name.as_bytes());
        file.extend(text.as_bytes());
    }
    let (count, start) = ((parts.len() as u16).to_le_bytes(), file.len() as u32);
    file.extend(&directory);
    file.extend(b"PK\x05\x06\0\0\0\0");
    file.extend([count, count].concat());
    file.extend((directory.len() as u32).to_le_bytes());
    file.extend(start.to_le_bytes());
    file.extend([0, 0]);
    file
}

/// As a rectangle, 17 thousand million cells.
#[test]
fn a_stray_far_cell_takes_no_memory() {
    const TYPES: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    let cell =
        |place: &str, text: &str| format!(r#"<c r="{place}" t="inlineStr"><is><t>{text}</t></is></c>"#);
    let number = |place: &str, value: f64| format!(r#"<c r="{place}"><v>{value}</v></c>"#);
    let header =
        ["image", "dst_type", "dst_lev", "dmos_std", "dmos"].into_iter().zip(["B4", "C4", "D4", "E4", "F4"]);
    let header: String = header.map(|(name, place)| cell(place, name)).collect();
    let row = number("B5", 1600.0)
        + &cell("C5", "noise")
        + &number("D5", 1.0)
        + &number("E5", 0.01)
        + &number("F5", 0.5);
    let sheet = format!(
        r#"<worksheet><sheetData><row r="4">{header}</row><row r="5">{row}</row><row r="1048576">{}</row></sheetData></worksheet>"#,
        cell("XFD1048576", "stray"),
    );
    let book = format!(
        r#"<workbook xmlns:r="{TYPES}"><sheets><sheet name="all_by_image" sheetId="1" r:id="rId1"/></sheets></workbook>"#
    );
    let relation = |target: &str, kind: &str| {
        format!(
            r#"<Relationships><Relationship Id="rId1" Type="{TYPES}/{kind}" Target="{target}"/></Relationships>"#
        )
    };
    let folder = Folder::of(DataSetKind::Csiq);
    folder.write(
        "csiq.DMOS.xlsx",
        stored_zip(&[
            ("_rels/.rels", &relation("xl/workbook.xml", "officeDocument")),
            ("xl/workbook.xml", &book),
            ("xl/_rels/workbook.xml.rels", &relation("worksheets/sheet1.xml", "worksheet")),
            ("xl/worksheets/sheet1.xml", &sheet),
        ]),
    );
    let set = folder.open(DataSetKind::Csiq, Strictness::Lenient).expect("reads");
    assert_eq!((set.samples().len(), set.samples()[0].raw), (1, 0.5));
}

#[test]
fn tid_is_found_in_any_case_and_a_score_of_zero_is_a_score() {
    let set = Folder::of(DataSetKind::Tid2008).strict(DataSetKind::Tid2008);
    assert_eq!(named(&set, "I09_11_4.bmp").raw, 0.0);
    assert_eq!(set.samples().iter().filter(|sample| sample.raw == 0.0).count(), 3);
    assert_eq!(set.samples()[0].std, Some(0.0001));

    let folder = Folder::of(DataSetKind::Tid2013);
    let set = folder.strict(DataSetKind::Tid2013);
    assert_eq!(
        set.samples()
            .iter()
            .filter(|sample| sample.distorted.extension().is_some_and(|e| e == "BMP"))
            .count(),
        50
    );
    let sample = named(&set, "I25_13_1.BMP");
    assert!(sample.reference.as_ref().is_some_and(|path| path.ends_with("reference_images/i25.bmp")));
    assert!(named(&set, "i24_08_5.bmp").reference.as_ref().is_some_and(|path| path.ends_with("I24.BMP")));
    assert_eq!((sample.type_id, sample.level), (Some(13), Some(1)));
    // Bosse et al., table II: 11, 11, 3, 9, 7 and 6 of the 24 types.
    for ((name, types), count) in TID2013_SUBSETS.into_iter().zip([11, 11, 3, 9, 7, 6]) {
        let subset =
            set.filtered(|sample| sample.type_id.is_some_and(|id| types.contains(&id))).expect("some");
        assert_eq!(subset.samples().len(), count * 125, "{name}");
    }

    folder.edit("mos_std.txt", "0.30000\n", "");
    assert!(folder.error(DataSetKind::Tid2013).contains("mos_std.txt: expected 3000 deviations"));
    folder.remove("mos_std.txt");
    assert_eq!(folder.strict(DataSetKind::Tid2013).samples()[0].std, None);
    let first = "0.00100 I01_01_1.bmp";
    for (to, expected) in [
        ("I01_01_1.bmp 0.00100", "expected a finite score, found `I01_01_1.bmp`"),
        ("0.001 I01_1.bmp", "expected the name `I<reference>_<type>_<level>.bmp`"),
        ("0.001 I01_25_1.bmp", "expected a type and a level of this set"),
        ("0.001 I01_01_6.bmp", "expected a type and a level of this set"),
        ("inf I01_01_1.bmp", "expected a finite score"),
        ("0.001 I01_01_2.bmp", ""),
    ] {
        folder.edit("mos_with_names.txt", first, to);
        let message = folder.error(DataSetKind::Tid2013);
        // The last makes line 2 the second that lists an image.
        let line = if expected.is_empty() { 2 } else { 1 };
        assert!(message.contains(&format!("mos_with_names.txt, line {line}: {expected}")), "{message}");
        folder.edit("mos_with_names.txt", &format!("{to}\r\n{}", "0.00200"), &format!("{first}\r\n0.00200"));
    }
}

#[test]
fn kadid10k_calls_a_mos_dmos() {
    let folder = Folder::of(DataSetKind::Kadid10k);
    let set = folder.strict(DataSetKind::Kadid10k);
    let mildest = named(&set, "I01_01_01.png");
    assert_eq!((mildest.raw, mildest.std), (4.3, Some(0.01)));
    let worst = named(&set, "I01_01_05.png");
    assert!(set.scale().quality01(mildest.raw) > set.scale().quality01(worst.raw));
    assert_eq!(worst.type_name.as_deref(), Some("gaussian_blur"));
    for (from, to, expected) in [
        (
            "I01_01_01.png,I01.png,",
            "I01_01_01.png,I02.png,",
            "line 2: expected the reference that the image's name says",
        ),
        ("I81_25_05.png,", "I81_26_05.png,", "line 10126: expected a type from 1 to 25"),
        ("I81_25_05.png,", "I81_25_00.png,", "line 10126: expected a level from 1 to 5"),
        ("dist_img,ref_img,dmos", "dist_img,ref_img,mos", "line 1: expected a column named dmos, found"),
        (
            "I02_01_01.png,I02.png,4.30,0.01",
            "I02_01_01.png,I02.png,,0.01",
            "line 127: expected a finite score",
        ),
    ] {
        folder.edit("dmos.csv", from, to);
        let message = folder.error(DataSetKind::Kadid10k);
        assert!(message.contains(&format!("dmos.csv, {expected}")), "{message}");
        folder.edit("dmos.csv", to, from);
    }
    folder.edit("dmos.csv", "I02_01_01.png,I02.png,4.30,0.01", "I02_01_01.png,I02.png");
    let message = folder.error(DataSetKind::Kadid10k);
    assert!(message.contains("dmos.csv, line 127: expected as many fields as the header has"), "{message}");
}

#[test]
fn pipal_opens_however_its_folders_are_called() {
    let folder = Folder::of(DataSetKind::Pipal);
    let set = folder.strict(DataSetKind::Pipal);
    let sample = named(&set, "A0248_06_26.bmp");
    assert!(sample.distorted.ends_with("Distortion_4/A0248_06_26.bmp"));
    assert_eq!((sample.raw, sample.type_id), (1274.0, Some(6)));
    assert!(sample.reference.as_ref().is_some_and(|path| path.ends_with("Train_Ref/A0248.bmp")));

    folder.rename("Train_Label", "MOS_Scores_train");
    folder.rename("Train_Ref", "Reference_train");
    fs::create_dir(folder.join("Distortion")).expect("folder");
    for part in 1..=4 {
        folder.rename(&format!("Distortion_{part}"), &format!("Distortion/Distortion{part}"));
    }
    let other = folder.strict(DataSetKind::Pipal);
    assert_eq!(other.samples().len(), 23_200);
    assert!(set.samples().iter().zip(other.samples()).all(|(a, b)| a.raw == b.raw && a.type_id == b.type_id));

    folder.edit("MOS_Scores_train/A0007.txt", "A0007_00_01.bmp,1008", "A0007_00_01.bmp 1008");
    let message = folder.error(DataSetKind::Pipal);
    assert!(
        message.contains("A0007.txt, line 2: expected `<reference>_<class>_<index>.bmp,<score>`"),
        "{message}"
    );
    folder.edit("MOS_Scores_train/A0007.txt", "A0007_00_01.bmp 1008", "A0008_00_01.bmp,1008");
    let message = folder.error(DataSetKind::Pipal);
    assert!(message.contains("A0007.txt, line 2: expected the name"), "{message}");
    assert!(
        Folder::new().error(DataSetKind::Pipal).contains("expected the label file Train_Label/A0001.txt")
    );
}

#[test]
fn live_challenge_drops_practice_images_and_never_sorts() {
    let folder = Folder::of(DataSetKind::LiveChallenge);
    let set = folder.strict(DataSetKind::LiveChallenge);
    // Entries 8 and 9 of the lists.
    assert!(set.samples()[0].distorted.ends_with("Images/3.bmp"));
    assert_eq!((set.samples()[0].raw, set.samples()[0].std), (0.4, Some(0.08)));
    let last = named(&set, "1164.JPG");
    assert_eq!((last.raw, last.std, last.level), (1169.0 / 20.0, Some(11.69), None));
    let jpeg = set.samples().iter().filter(|sample| sample.distorted.extension().is_some_and(|e| e == "JPG"));
    assert_eq!(jpeg.count(), 627);
    assert!(!set.samples().iter().any(|sample| sample.distorted.ends_with("t1.bmp")));
    assert!(set.reference_ids().is_empty() && !set.has_references());
}

#[test]
fn koniq10k_takes_the_mean_opinion_scores_from_1_to_5() {
    let folder = Folder::of(DataSetKind::Koniq10k);
    let set = folder.strict(DataSetKind::Koniq10k);
    // In the order of the list.
    let [first, second] = &set.samples()[..2] else { panic!("two samples") };
    assert!(first.distorted.ends_with("1024x768/10003.jpg"), "{first:?}");
    assert_eq!((first.raw, first.std, first.type_name.as_deref()), (1.0, Some(0.5273), Some("authentic")));
    assert_eq!(second.raw, 1.000397);
    assert_eq!(set.samples()[10_072].raw, 5.0);
    assert!(set.scale().quality01(second.raw) > set.scale().quality01(first.raw));
    assert!(set.reference_ids().is_empty() && !set.has_references());

    let labels = "koniq10k_scores_and_distributions.csv";
    let line = "\n10003.jpg,0,0,25,73,7,105,1.000000,0.5273,";
    for (from, to, expected) in [
        (line, "\n,0,0,25,73,7,105,1.000000,0.5273,", "line 2: expected the name of an image, found ``"),
        (line, "\n10003.jpg,0,0,25,73,7,105,,0.5273,", "line 2: expected a finite score, found ``"),
        (line, "\n10003.jpg,0,0,25,73,7,105,NaN,0.5273,", "line 2: expected a finite score, found `NaN`"),
        // A line of the list of the split, whose MOS is another.
        (
            line,
            "\n10003.jpg,0,0,25,73,7,105,77.38,0.5273,",
            "line 2: expected a mean opinion score from 1 to 5, found `77.38`",
        ),
        (
            line,
            "\n10003.jpg,0,0,25,73,7,105,1.000000,-1,",
            "line 2: expected a finite standard deviation, 0 or above, found `-1`",
        ),
        (
            "\n1001.jpg,0,0,25,73,7,105,1.000397",
            "\n10003.jpg,0,0,25,73,7,105,1.000397",
            "line 3: expected an image not listed before",
        ),
        (",SD,", ",sigma,", "line 1: expected a column named sd, found"),
        (",MOS,", ",mean,", "line 1: expected a column named mos, found"),
    ] {
        folder.edit(labels, from, to);
        let message = folder.error(DataSetKind::Koniq10k);
        assert!(message.contains(&format!("{labels}, {expected}")), "{message}");
        folder.edit(labels, to, from);
    }
    folder.edit(labels, line, "\n10003.jpg,0.5273,");
    let message = folder.error(DataSetKind::Koniq10k);
    assert!(message.contains(labels) && message.contains("line 2: expected as many fields"), "{message}");
    folder.remove(labels);
    let message = folder.error(DataSetKind::Koniq10k);
    assert!(message.ends_with(&format!("expected the label file {labels}")), "{message}");
}

#[test]
fn koniq10k_opens_in_the_smaller_size_and_mixes_none() {
    let folder = Folder::of(DataSetKind::Koniq10k);
    fs::create_dir(folder.join("512x384")).expect("folder");
    folder.rename("1024x768/10003.jpg", "512x384/10003.jpg");
    let message = folder.error(DataSetKind::Koniq10k);
    assert!(message.contains("line 2: expected the image") && message.contains("1024x768"), "{message}");
    folder.rename("512x384/10003.jpg", "1024x768/10003.jpg");
    fs::remove_dir(folder.join("512x384")).expect("empty");
    folder.rename("1024x768", "512x384");
    // The list in a folder of its own, as some unpack it.
    let labels = "koniq10k_scores_and_distributions.csv";
    fs::create_dir(folder.join("scores")).expect("folder");
    folder.rename(labels, &format!("scores/{labels}"));
    let set = folder.strict(DataSetKind::Koniq10k);
    assert!(set.samples().iter().all(|sample| sample.distorted.starts_with(folder.join("512x384"))));
}

#[test]
fn kinds_parse_by_name() {
    for kind in DataSetKind::ALL {
        assert_eq!(kind.name().parse::<DataSetKind>().expect("known"), kind);
        assert!(!kind.title().is_empty() && kind.citation().contains(" 20"), "{kind:?}");
    }
    assert_eq!("LIVE Challenge".parse::<DataSetKind>().expect("known"), DataSetKind::LiveChallenge);
    assert_eq!("KonIQ-10k".parse::<DataSetKind>().expect("known"), DataSetKind::Koniq10k);
    let message = "ava".parse::<DataSetKind>().expect_err("unknown").to_string();
    assert!(
        message.starts_with("unknown data set `ava`: expected one of live, live_original, csiq"),
        "{message}"
    );
}
