//! LIVE In the Wild Image Quality Challenge.

use super::collect::{Collector, Place, Rating};
use super::entry::{Counts, Entry};
use super::tree::Tree;
use crate::dataset::{DataSet, ScoreScale};
use crate::mat::MatFile;
use crate::{DatasetError, Strictness};

pub(super) static LIVE_CHALLENGE: Entry = Entry {
    name: "live_challenge",
    title: "LIVE Challenge",
    citation: "D. Ghadiyaram, A. C. Bovik, \"Massive Online Crowdsourced Study of Subjective and Objective Picture \
               Quality\", IEEE TIP 25(1), 2016",
    scale: ScoreScale::mos(0.0, 100.0),
    counts: Counts { samples: 1162, references: 0, first_type: 1, types: &[] },
    open,
};
/// The first entries: t1 to t7, shown to raters for practice.
const PRACTICE: usize = 7;

fn open(entry: &Entry, tree: &Tree, strictness: Strictness) -> Result<DataSet, DatasetError> {
    let labels = |file: &str, expected| MatFile::open(&tree.labels(&format!("Data/{file}"), expected)?);
    let path = tree.labels("Data/AllMOS_release.mat", "Data/AllMOS_release.mat")?;
    let scores = MatFile::open(&path)?;
    let images = labels("AllImages_release.mat", "Data/AllImages_release.mat")?;
    let stds = labels("AllStdDev_release.mat", "Data/AllStdDev_release.mat")?;
    // Three lists in the same order: none is ever sorted.
    let (raw, names) = (scores.numbers("AllMOS_release")?, images.texts("AllImages_release")?);
    let deviations = stds.numbers("AllStdDev_release")?;
    for (file, name, found) in
        [(&scores, "AllMOS_release", raw.len()), (&stds, "AllStdDev_release", deviations.len())]
    {
        if found != names.len() {
            return Err(
                file.error(format!("{} entries in `{name}`, as there are images, not {found}", names.len()))
            );
        }
    }
    let mut collector = Collector::new(&path, strictness);
    for (index, name) in names.iter().enumerate() {
        let place = Place { labels: &path, line: index + 1 };
        if is_practice(name) != (index < PRACTICE) {
            return Err(images.error(format!(
                "practice images t1 to t7 first and nowhere else, not `{name}` at {}",
                index + 1
            )));
        }
        if index < PRACTICE {
            continue;
        }
        let rating = Rating {
            raw: place.finite(raw[index])?,
            std: Some(place.spread(deviations[index])?),
            type_name: Some("authentic".into()),
            ..Rating::default()
        };
        collector.push(place, tree.at(&format!("Images/{name}")), None, rating)?;
    }
    collector.complete(entry)
}

/// `t` and a number before the extension.
fn is_practice(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name);
    stem.strip_prefix(['t', 'T'])
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}
