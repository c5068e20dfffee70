use std::fs;

use iqa_datasets::{DataSet, DataSetKind, DatasetError, Strictness};

use super::trees::Folder;

#[test]
fn what_is_missing_is_named_or_skipped_and_counted() {
    // An image and a line of the labels that lists it; `None` where the labels are no text.
    let cases = [
        (DataSetKind::Live, "wn/img3.bmp", "dmos_realigned.mat, line 463"),
        (DataSetKind::Csiq, "dst_imgs/awgn/1600.AWGN.2.png", "csiq.DMOS.xlsx, line 6"),
        (DataSetKind::Tid2008, "distorted_images/i01_01_1.bmp", "mos_with_names.txt, line 1"),
        (DataSetKind::Tid2013, "distorted_images/i01_01_3.bmp", "mos_with_names.txt, line 3"),
        (DataSetKind::Kadid10k, "images/I01_01_03.png", "dmos.csv, line 4"),
        (DataSetKind::LiveChallenge, "Images/5.bmp", "AllMOS_release.mat, line 10"),
        (DataSetKind::Koniq10k, "1024x768/1001.jpg", "koniq10k_scores_and_distributions.csv, line 3"),
    ];
    for (kind, image, line) in cases {
        let folder = Folder::of(kind);
        let whole = folder.strict(kind).samples().len();
        folder.remove(image);
        let message = folder.error(kind);
        assert!(message.contains(&format!("{line}: expected the image")), "{message}");
        let file = image.rsplit('/').next().expect("a name").to_lowercase();
        assert!(message.to_lowercase().contains(&file), "{message}");
        let set = folder.open(kind, Strictness::Lenient).expect("lenient");
        assert_eq!((set.samples().len(), set.missing_images()), (whole - 1, 1), "{kind:?}");
    }
    // A reference takes all its versions with it.
    let folder = Folder::of(DataSetKind::Kadid10k);
    folder.remove("images/I07.png");
    assert!(folder.error(DataSetKind::Kadid10k).contains("dmos.csv, line 752: expected the image"));
    let set = folder.open(DataSetKind::Kadid10k, Strictness::Lenient).expect("lenient");
    assert_eq!((set.samples().len(), set.missing_images(), set.reference_ids().len()), (10_000, 125, 80));
    // Nothing there at all.
    fs::remove_dir_all(folder.join("images")).expect("removed");
    let error = folder.open(DataSetKind::Kadid10k, Strictness::Lenient).expect_err("no image");
    assert!(matches!(&error, DatasetError::EmptySet { labels } if labels.ends_with("dmos.csv")));
    let error =
        DataSet::open(DataSetKind::Csiq, &folder.join("none"), Strictness::Strict).expect_err("no folder");
    assert!(matches!(&error, DatasetError::Io { path, .. } if path.ends_with("none")));
}

#[test]
fn labels_that_are_not_the_published_number_are_told() {
    let folder = Folder::of(DataSetKind::Kadid10k);
    folder.edit("dmos.csv", "I81_25_05.png,I81.png,1.50,0.25\n", "");
    let message = folder.error(DataSetKind::Kadid10k);
    assert!(message.ends_with("dmos.csv: expected 10125 rated images, found 10124"), "{message}");
    assert_eq!(
        folder.open(DataSetKind::Kadid10k, Strictness::Lenient).expect("lenient").samples().len(),
        10_124
    );

    let folder = Folder::of(DataSetKind::Koniq10k);
    let labels = "koniq10k_scores_and_distributions.csv";
    folder.edit(labels, "10003.jpg,0,0,25,73,7,105,1.000000,0.5273,0.0000\n", "");
    let message = folder.error(DataSetKind::Koniq10k);
    assert!(message.ends_with(&format!("{labels}: expected 10073 rated images, found 10072")), "{message}");
    let set = folder.open(DataSetKind::Koniq10k, Strictness::Lenient).expect("lenient");
    assert_eq!(set.samples().len(), 10_072);

    let folder = Folder::of(DataSetKind::Pipal);
    folder.remove("Train_Label/A0001.txt");
    let message = folder.error(DataSetKind::Pipal);
    assert!(message.ends_with("expected 23200 rated images, found 23084"), "{message}");
    let set = folder.open(DataSetKind::Pipal, Strictness::Lenient).expect("lenient");
    assert_eq!((set.samples().len(), set.missing_images()), (23_084, 0));

    // As many images, but one class has one more and another one less.
    let folder = Folder::of(DataSetKind::Pipal);
    folder.edit("Train_Label/A0001.txt", "A0001_06_26.bmp", "A0001_00_12.bmp");
    folder.write("Distortion_1/A0001_00_12.bmp", "");
    let message = folder.error(DataSetKind::Pipal);
    assert!(message.ends_with("expected 2400 images of type 0, found 2401"), "{message}");
}
