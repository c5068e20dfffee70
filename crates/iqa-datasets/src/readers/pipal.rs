//! PIPAL.

use std::path::Path;

use super::collect::{Collector, Place, Rating, lines, numbers};
use super::entry::{Counts, Entry};
use super::tree::Tree;
use crate::dataset::{DataSet, ScoreScale};
use crate::{DatasetError, Strictness};

/// The training part. The numbers of its references lie between 1 and 248, with gaps.
pub(super) static PIPAL: Entry = Entry {
    name: "pipal",
    title: "PIPAL",
    citation: "J. Gu, H. Cai, H. Chen, X. Ye, J. Ren, C. Dong, \"PIPAL: a Large-Scale Image Quality Assessment Dataset for \
               Perceptual Image Restoration\", ECCV 2020 (arXiv 2007.12142 and 2011.15002)",
    // Elo ratings have no nominal range: the extremes of the training part stand in.
    scale: ScoreScale::mos(916.7136, 1835.9856),
    counts: Counts {
        samples: 23_200,
        references: 200,
        first_type: 0,
        // 12, 16, 10, 24, 13, 14 and 27 versions of each reference.
        types: &[2400, 3200, 2000, 4800, 2600, 2800, 5400],
    },
    open,
};

/// Archives differ in their folders (`Train_Label` or `MOS_Scores_train`, `Distortion_1` to `Distortion_4`,
/// `Distortion1`, `Dist_Imgs`), but file names are unique: everything is found by name.
fn open(entry: &Entry, tree: &Tree, strictness: Strictness) -> Result<DataSet, DatasetError> {
    let labels: Vec<(&str, &Path)> = tree
        .names()
        .into_iter()
        .filter_map(|(name, path)| {
            let reference = name.strip_suffix(".txt")?;
            is_reference(reference).then_some((reference, path))
        })
        .collect();
    let Some(&(_, first)) = labels.first() else {
        return Err(tree.no_labels("Train_Label/A0001.txt and its likes, one for each reference"));
    };
    // Errors about the whole name the folder of the label files; those about a line its file.
    let mut collector = Collector::new(first.parent().unwrap_or(first), strictness);
    for (reference, path) in labels {
        for (line, text) in lines(path)? {
            let place = Place { labels: path, line };
            let (file, score) = text
                .split_once(',')
                .ok_or_else(|| place.malformed("`<reference>_<class>_<index>.bmp,<score>`", &text))?;
            let file = file.trim().to_lowercase();
            let parts = file
                .strip_prefix(reference)
                .and_then(|rest| rest.strip_prefix('_'))
                .and_then(|rest| rest.strip_suffix(".bmp"))
                .and_then(numbers);
            let Some([class, _index]) = parts else {
                return Err(place.malformed("the name `<reference>_<class>_<index>.bmp`", file));
            };
            if class as usize >= entry.counts.types.len() {
                return Err(place.malformed("a class from 0 to 6", file));
            }
            let rating = Rating {
                raw: place.score(score.trim())?,
                reference_id: Some(reference.into()),
                type_id: Some(class),
                ..Rating::default()
            };
            let original = tree.anywhere(&format!("Train_Ref/{}.bmp", reference.to_uppercase()));
            let distorted = tree.anywhere(&file);
            collector.push(place, distorted, Some(original), rating)?;
        }
    }
    collector.complete(entry)
}

/// `a` and four digits, in lower case.
fn is_reference(name: &str) -> bool {
    name.len() == 5 && name.starts_with('a') && name.bytes().skip(1).all(|byte| byte.is_ascii_digit())
}
