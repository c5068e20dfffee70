//! KonIQ-10k.

use super::collect::{Collector, Place, Rating};
use super::entry::{Counts, Entry};
use super::table::Table;
use super::tree::Tree;
use crate::dataset::{DataSet, ScoreScale};
use crate::{DatasetError, Strictness};

pub(super) static KONIQ10K: Entry = Entry {
    name: "koniq10k",
    title: "KonIQ-10k",
    citation: "V. Hosu, H. Lin, T. Sziranyi, D. Saupe, \"KonIQ-10k: An Ecologically Valid Database for Deep Learning \
               of Blind Image Quality Assessment\", IEEE TIP 29, 2020",
    scale: ScoreScale::mos(1.0, 5.0),
    counts: Counts { samples: 10_073, references: 0, first_type: 1, types: &[] },
    open,
};
const LABELS: &str = "koniq10k_scores_and_distributions.csv";
/// The authors' split. What it calls `MOS` is `MOS_zscore` in [`LABELS`].
const SPLIT: &str = "koniq10k_distributions_sets.csv";
/// Folders of the two sizes, that of the ratings first.
const SIZES: [&str; 2] = ["1024x768", "512x384"];

fn open(entry: &Entry, tree: &Tree, strictness: Strictness) -> Result<DataSet, DatasetError> {
    let path = tree.anywhere(LABELS).map_err(|_| tree.no_labels(LABELS))?;
    let table = Table::read(&path)?;
    let [image, score, std] = [table.need(&["image_name"])?, table.need(&["mos"])?, table.need(&["sd"])?];
    let at = |size: &str, record: &csv::StringRecord| {
        tree.at(&format!("{size}/{}", record.get(image).unwrap_or_default()))
    };
    // One size for all: a few images that are missing in one folder do not come from the other.
    let there = |size: &&str| table.records.iter().any(|(_, record)| at(size, record).is_ok());
    let size = SIZES.into_iter().find(there).unwrap_or(SIZES[0]);
    let mut collector = Collector::new(&path, strictness);
    for (line, record) in &table.records {
        let place = Place { labels: &path, line: *line };
        let field = |column: usize| record.get(column).unwrap_or_default();
        if field(image).is_empty() {
            return Err(place.malformed("the name of an image", ""));
        }
        let raw = place.score(field(score))?;
        // A file with the scores of MOS_zscore, which reach 88, in this column goes around too.
        if !(1.0..=5.0).contains(&raw) {
            return Err(place.malformed("a mean opinion score from 1 to 5", field(score)));
        }
        let rating = Rating {
            raw,
            std: Some(place.std(field(std))?),
            type_name: Some("authentic".into()),
            ..Rating::default()
        };
        collector.push(place, at(size, record), None, rating)?;
    }
    let split = tree.anywhere(SPLIT).unwrap_or_else(|expected| expected);
    Ok(collector.complete(entry)?.with_split(split))
}
