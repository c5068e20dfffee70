//! LIVE release 2.

use std::path::Path;

use super::collect::{Collector, Place, Rating};
use super::entry::{Counts, Entry};
use super::list;
use super::tree::Tree;
use crate::dataset::{DataSet, ScoreScale};
use crate::mat::MatFile;
use crate::{DatasetError, Strictness};

pub(super) static LIVE: Entry = Entry {
    name: "live",
    title: "LIVE",
    citation: "H. R. Sheikh, M. F. Sabir, A. C. Bovik, \"A Statistical Evaluation of Recent Full Reference Image Quality \
               Assessment Algorithms\", IEEE TIP 15(11), 2006",
    scale: ScoreScale::dmos(0.0, 100.0),
    // Less the undistorted copies.
    counts: Counts { samples: 779, references: 29, first_type: 1, types: &[169, 175, 145, 145, 145] },
    open: open_realigned,
};
pub(super) static LIVE_ORIGINAL: Entry = Entry {
    name: "live_original",
    title: "LIVE (original DMOS)",
    citation: LIVE.citation,
    scale: ScoreScale::dmos(0.0, 100.0),
    counts: Counts { samples: 779, references: 29, first_type: 1, types: &[169, 175, 145, 145, 145] },
    open: open_original,
};
/// Folder, name and entries in the label files of each type.
const TYPES: [(&str, &str, usize); 5] = [
    ("jp2k", "jpeg2000", 227),
    ("jpeg", "jpeg", 233),
    ("wn", "white_noise", 174),
    ("gblur", "gaussian_blur", 174),
    ("fastfading", "fast_fading", 174),
];
/// Entries of each vector in the label files.
const ENTRIES: usize = 982;
/// What some copies call the folder `gblur`.
const OTHER_BLUR: &str = "blur";

fn open_realigned(entry: &Entry, tree: &Tree, strictness: Strictness) -> Result<DataSet, DatasetError> {
    let collector = match (tree.at("dmos_realigned.mat"), tree.at("live.csv")) {
        (Ok(path), _) => from_mat(&path, "dmos_new", tree, strictness)?,
        (Err(_), Ok(path)) => from_csv(&path, tree, strictness)?,
        _ => return Err(tree.no_labels("dmos_realigned.mat, or live.csv")),
    };
    collector.complete(entry)
}

fn open_original(entry: &Entry, tree: &Tree, strictness: Strictness) -> Result<DataSet, DatasetError> {
    let path = tree.labels("dmos.mat", "dmos.mat")?;
    from_mat(&path, "dmos", tree, strictness)?.complete(entry)
}

fn from_mat(
    path: &Path,
    scores: &'static str,
    tree: &Tree,
    strictness: Strictness,
) -> Result<Collector, DatasetError> {
    let labels = MatFile::open(path)?;
    let entries = |name: &str| {
        let numbers = labels.numbers(name)?;
        if numbers.len() == ENTRIES {
            Ok(numbers)
        } else {
            Err(labels.error(format!("{ENTRIES} entries in `{name}`, not {}", numbers.len())))
        }
    };
    let (scores, copies) = (entries(scores)?, entries("orgs")?);
    // Only the realigned file has it.
    let stds = labels.numbers("dmos_std").is_ok().then(|| entries("dmos_std")).transpose()?;
    let references = MatFile::open(&tree.labels("refnames_all.mat", "refnames_all.mat")?)?;
    let names = references.texts("refnames_all")?;
    if names.len() != ENTRIES {
        return Err(references.error(format!("{ENTRIES} entries in `refnames_all`, not {}", names.len())));
    }

    let mut collector = Collector::new(path, strictness);
    let mut start = 0;
    for ((folder, type_name, entries), type_id) in TYPES.into_iter().zip(1..) {
        for number in 1..=entries {
            let index = start + number - 1;
            let place = Place { labels: path, line: index + 1 };
            // An undistorted copy of a reference, rated but no sample.
            if copies[index] != 0.0 {
                continue;
            }
            let image = tree.at(&format!("{folder}/img{number}.bmp")).or_else(|expected| {
                let other = if folder == "gblur" { OTHER_BLUR } else { folder };
                tree.at(&format!("{other}/img{number}.bmp")).map_err(|_| expected)
            });
            let rating = Rating {
                raw: place.finite(scores[index])?,
                std: stds.map(|stds| place.spread(stds[index])).transpose()?,
                reference_id: Some(names[index].to_lowercase()),
                type_id: Some(type_id),
                type_name: Some(type_name.into()),
                level: None,
            };
            collector.push(place, image, Some(tree.at(&format!("refimgs/{}", names[index]))), rating)?;
        }
        start += entries;
    }
    Ok(collector)
}

/// A list with the columns of [`DataSet::open_csv`], the undistorted copies left out already.
fn from_csv(path: &Path, tree: &Tree, strictness: Strictness) -> Result<Collector, DatasetError> {
    let mut collector = Collector::new(path, strictness);
    for row in list::rows(path)? {
        let place = Place { labels: path, line: row.line };
        let (folder, file) = last_two(&row.distorted);
        let lower = folder.to_lowercase();
        let found = TYPES
            .iter()
            .zip(1..)
            .find(|((known, ..), _)| *known == lower || (*known == "gblur" && lower == OTHER_BLUR));
        let Some((&(known, type_name, ..), type_id)) = found else {
            return Err(
                place.malformed("an image in the folder jp2k, jpeg, wn, gblur or fastfading", row.distorted)
            );
        };
        let Some(reference) = row.reference else {
            return Err(place.malformed("a reference", ""));
        };
        let (_, reference) = last_two(&reference);
        let image = tree
            .at(&format!("{known}/{file}"))
            .or_else(|expected| tree.at(&format!("{folder}/{file}")).map_err(|_| expected));
        let rating = Rating {
            raw: row.score,
            std: row.std,
            reference_id: Some(reference.to_lowercase()),
            type_id: Some(type_id),
            type_name: Some(type_name.into()),
            level: None,
        };
        collector.push(place, image, Some(tree.at(&format!("refimgs/{reference}"))), rating)?;
    }
    Ok(collector)
}

/// The folder right above a file, and the file's name.
fn last_two(path: &str) -> (&str, &str) {
    let (rest, file) = path.rsplit_once('/').unwrap_or(("", path));
    (rest.rsplit('/').next().unwrap_or(rest), file)
}
