//! KADID-10k.

use super::collect::{Collector, Place, Rating, numbers};
use super::entry::{Counts, Entry};
use super::table::Table;
use super::tree::Tree;
use crate::dataset::{DataSet, ScoreScale};
use crate::distort::Distortion;
use crate::{DatasetError, Strictness};

pub(super) static KADID10K: Entry = Entry {
    name: "kadid10k",
    title: "KADID-10k",
    citation: "H. Lin, V. Hosu, D. Saupe, \"KADID-10k: A Large-scale Artificially Distorted IQA Database\", QoMEX 2019",
    scale: ScoreScale::mos(1.0, 5.0),
    counts: Counts { samples: 10_125, references: 81, first_type: 1, types: &[81 * LEVELS as usize; 25] },
    open,
};
const LEVELS: u32 = 5;

fn open(entry: &Entry, tree: &Tree, strictness: Strictness) -> Result<DataSet, DatasetError> {
    let path = tree.labels("dmos.csv", "dmos.csv")?;
    let table = Table::read(&path)?;
    let [distorted, reference, score] =
        [table.need(&["dist_img"])?, table.need(&["ref_img"])?, table.need(&["dmos"])?];
    // Called a variance, but a deviation: the first image's 4.57 and 0.496 fit the 30 ratings only as 17 fives and
    // 13 fours with their standard deviation.
    let std = table.find(&["var"])?;
    let mut collector = Collector::new(&path, strictness);
    for (line, record) in &table.records {
        let place = Place { labels: &path, line: *line };
        let field = |column: usize| record.get(column).unwrap_or_default();
        let (file, original) = (field(distorted).to_lowercase(), field(reference).to_lowercase());
        let parts = file.strip_prefix('i').and_then(|rest| rest.strip_suffix(".png")).and_then(numbers);
        let Some([number, type_id, level]) = parts else {
            return Err(place.malformed("the name `I<reference>_<type>_<level>.png`", field(distorted)));
        };
        if original != format!("i{number:02}.png") {
            return Err(place.malformed("the reference that the image's name says", field(reference)));
        }
        let Some(distortion) = (type_id as usize).checked_sub(1).and_then(|index| Distortion::ALL.get(index))
        else {
            return Err(place.malformed("a type from 1 to 25", field(distorted)));
        };
        if !(1..=LEVELS).contains(&level) {
            return Err(place.malformed("a level from 1 to 5", field(distorted)));
        }
        let rating = Rating {
            raw: place.score(field(score))?,
            std: std.map(|column| place.std(field(column))).transpose()?,
            reference_id: Some(format!("i{number:02}")),
            type_id: Some(type_id),
            type_name: Some(distortion.name().into()),
            level: Some(level),
        };
        let image = |name: &str| tree.at(&format!("images/{name}"));
        collector.push(place, image(field(distorted)), Some(image(field(reference))), rating)?;
    }
    collector.complete(entry)
}
