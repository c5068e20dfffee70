//! PIPAL: J. Gu et al., ECCV 2020 (arXiv 2007.12142 and 2011.15002).

use std::path::Path;

use super::DataSetKind;
use super::collect::{Collector, Counts, Place, Rating, lines, numbers};
use super::tree::Tree;
use crate::dataset::DataSet;
use crate::{DatasetError, Strictness};

/// References of the training part. Their numbers lie between 1 and 248, with gaps.
const REFERENCES: usize = 200;
/// Versions of each reference in the classes 0 to 6, 116 in all.
const CLASSES: [usize; 7] = [12, 16, 10, 24, 13, 14, 27];

/// Archives differ in their folders (`Train_Label` or `MOS_Scores_train`, `Distortion_1` to `Distortion_4`,
/// `Distortion1`, `Dist_Imgs`), but file names are unique: everything is found by name.
pub(super) fn open(folder: &Path, tree: &Tree, strictness: Strictness) -> Result<DataSet, DatasetError> {
    let labels: Vec<(&str, &Path)> = tree
        .names()
        .into_iter()
        .filter_map(|(name, path)| {
            let reference = name.strip_suffix(".txt")?;
            is_reference(reference).then_some((reference, path))
        })
        .collect();
    let Some(&(_, first)) = labels.first() else {
        return Err(DatasetError::NoLabels {
            folder: folder.into(),
            expected: "Train_Label/A0001.txt and its likes, one for each reference",
        });
    };
    // Errors about the whole name the folder of the label files; those about a line its file.
    let mut collector = Collector::new(first.parent().unwrap_or(folder), strictness);
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
            if class as usize >= CLASSES.len() {
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
    let types = (0..).zip(CLASSES).map(|(class, size)| (class, size * REFERENCES)).collect();
    let counts =
        Counts { samples: CLASSES.iter().sum::<usize>() * REFERENCES, references: REFERENCES, types };
    collector.finish("PIPAL", DataSetKind::Pipal.scale(), Some(&counts))
}

/// `a` and four digits, in lower case.
fn is_reference(name: &str) -> bool {
    name.len() == 5 && name.starts_with('a') && name.bytes().skip(1).all(|byte| byte.is_ascii_digit())
}
