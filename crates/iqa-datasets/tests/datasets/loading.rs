use std::io::Cursor;
use std::sync::Arc;

use image::{ImageFormat, Rgb, RgbImage};
use iqa_core::CoreError;
use iqa_datasets::loader::{Loader, LoaderConfig, ReferenceCache};
use iqa_datasets::{DataSet, DatasetError, Direction, ScoreKind, ScoreScale, Strictness};

use super::trees::Folder;

/// Bytes of pixels of one 8x8 image.
const IMAGE: usize = 8 * 8 * 3;

fn png(width: u32, height: u32, value: u8) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    RgbImage::from_pixel(width, height, Rgb([value; 3]))
        .write_to(&mut bytes, ImageFormat::Png)
        .expect("encodes");
    bytes.into_inner()
}

/// Forty images of four references; image `i` is filled with `i`, reference `r` with `200 + r`.
fn forty() -> (Folder, DataSet) {
    let folder = Folder::new();
    let mut list = "distorted,reference,score\n".to_owned();
    for i in 0..40u8 {
        // PNG under the name of a bitmap: the content decides.
        folder.write(&format!("d{i}.bmp"), png(8, 8, i));
        list += &format!("d{i}.bmp,r{}.png,{i}\n", i % 4);
    }
    for r in 0..4u8 {
        folder.write(&format!("r{r}.png"), png(8, 8, 200 + r));
    }
    let set = open(&folder, &list);
    (folder, set)
}

fn open(folder: &Folder, list: &str) -> DataSet {
    let scale = ScoreScale::new(ScoreKind::Mos, Direction::HigherIsBetter, 0.0, 40.0).expect("a range");
    let path = folder.write("list.csv", list);
    DataSet::open_csv(&path, folder.path(), "forty", scale, Strictness::Strict).expect("opens")
}

#[test]
fn order_is_kept_whatever_the_threads_and_the_cache() {
    let (_folder, set) = forty();
    let order: Vec<usize> = (0..40).map(|i| i * 7 % 40).chain([3, 3]).collect();
    for (threads, read_ahead) in [(0, 0), (1, 1), (2, 8), (3, 100), (64, 5)] {
        for bytes in [0, IMAGE, 2 * IMAGE + 1, 1 << 20] {
            let cache = ReferenceCache::new(bytes);
            let loader =
                Loader::new(&set, &order, LoaderConfig { threads, read_ahead }, &cache).expect("starts");
            assert_eq!(loader.len(), 42);
            let mut seen = Vec::new();
            for sample in loader {
                let sample = sample.expect("decodes");
                assert_eq!(sample.distorted.get_pixel(7, 7).0, [sample.index as u8; 3]);
                let reference = sample.reference.expect("given");
                assert_eq!(reference.get_pixel(0, 0).0, [200 + (sample.index % 4) as u8; 3]);
                assert!(cache.bytes() <= bytes);
                seen.push(sample.index);
            }
            assert_eq!(seen, order);
            assert_eq!(cache.bytes(), (bytes / IMAGE).min(4) * IMAGE);
        }
    }
}

#[test]
fn the_cache_outlasts_an_epoch_and_forgets_the_one_used_longest_ago() {
    let (folder, set) = forty();
    let one = LoaderConfig { threads: 1, read_ahead: 1 };
    let cache = ReferenceCache::new(2 * IMAGE);
    let references = |order: &[usize]| -> Vec<Result<Arc<RgbImage>, DatasetError>> {
        Loader::new(&set, order, one, &cache)
            .expect("starts")
            .map(|sample| sample.map(|sample| sample.reference.expect("given")))
            .collect()
    };
    // References 0, 1, 0, 2: 1 makes room for 2.
    let first = references(&[0, 1, 4, 2]);
    let first: Vec<_> = first.into_iter().map(|image| image.expect("decodes")).collect();
    assert!(Arc::ptr_eq(&first[0], &first[2]));
    folder.remove("r0.png");
    folder.remove("r1.png");
    let second = references(&[8, 6, 1]);
    assert!(Arc::ptr_eq(second[0].as_ref().expect("held"), &first[0]));
    assert!(second[1].is_ok());
    assert!(
        matches!(&second[2], Err(DatasetError::Image(CoreError::Io { path, .. })) if path.ends_with("r1.png"))
    );
}

#[test]
fn an_error_takes_the_place_of_its_sample() {
    let (folder, set) = forty();
    let whole = png(8, 8, 5);
    folder.write("d5.bmp", &whole[..whole.len() / 2]);
    folder.write("d6.bmp", "no image");
    folder.write("d9.bmp", png(8, 7, 9));
    folder.remove("d11.bmp");
    let order: Vec<usize> = (0..40).collect();
    let cache = ReferenceCache::new(1 << 20);
    let loaded: Vec<_> =
        Loader::new(&set, &order, LoaderConfig::default(), &cache).expect("starts").collect();
    assert_eq!(loaded.len(), 40);
    for (index, sample) in loaded.iter().enumerate() {
        let named = |path: &std::path::Path| path.ends_with(format!("d{index}.bmp"));
        match (index, sample) {
            (5, Err(DatasetError::Image(CoreError::Decode { path, .. })))
            | (6, Err(DatasetError::Image(CoreError::UnknownFormat { path })))
            | (11, Err(DatasetError::Image(CoreError::Io { path, .. }))) => {
                assert!(named(path));
            }
            (9, Err(DatasetError::PairSize { distorted, found: (8, 7), expected: (8, 8), .. })) => {
                assert!(named(distorted));
            }
            (5 | 6 | 9 | 11, other) => panic!("{index}: {other:?}"),
            (_, sample) => assert_eq!(sample.as_ref().expect("decodes").index, index),
        }
    }
}

#[test]
fn a_loader_dropped_early_stops_its_threads_and_read_ahead_is_bounded() {
    let (folder, set) = forty();
    let order: Vec<usize> = (0..40).collect();
    let cache = ReferenceCache::new(0);
    let mut loader =
        Loader::new(&set, &order, LoaderConfig { threads: 2, read_ahead: 4 }, &cache).expect("starts");
    assert_eq!(loader.next().expect("first").expect("decodes").index, 0);
    // Of the samples 1 to 39, 4 and the one that each thread may have begun were decoded ahead at most: an image
    // removed now is missed by a later sample.
    folder.remove("d20.bmp");
    let failed: Vec<usize> =
        loader.by_ref().enumerate().filter(|(_, s)| s.is_err()).map(|(i, _)| i + 1).collect();
    assert_eq!(failed, [20]);
    drop(loader);
    // Without taking anything: returns, though the queues are full.
    drop(Loader::new(&set, &order[..19], LoaderConfig::default(), &cache).expect("starts"));
    assert_eq!(Loader::new(&set, &[], LoaderConfig::default(), &cache).expect("starts").count(), 0);
}
