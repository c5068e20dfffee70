//! TID2008 and TID2013.

use std::path::Path;

use super::collect::{Collector, Place, Rating, lines, numbers};
use super::entry::{Counts, Entry};
use super::tree::Tree;
use crate::dataset::{DataSet, ScoreScale};
use crate::distort::tid::TidDistortion;
use crate::{DatasetError, Strictness};

pub(super) static TID2008: Entry = Entry {
    name: "tid2008",
    title: "TID2008",
    citation: "N. Ponomarenko et al., \"TID2008 - A Database for Evaluation of Full-Reference Visual Quality Assessment \
               Metrics\", Advances of Modern Radioelectronics 10, 2009",
    scale: ScoreScale::mos(0.0, 9.0),
    counts: Counts { samples: 1700, references: 25, first_type: 1, types: &[25 * 4; 17] },
    open: |entry, tree, strictness| open(entry, 4, tree, strictness),
};
pub(super) static TID2013: Entry = Entry {
    name: "tid2013",
    title: "TID2013",
    citation: "N. Ponomarenko et al., \"Image database TID2013: Peculiarities, results and perspectives\", Signal \
               Processing: Image Communication 30, 2015",
    scale: ScoreScale::mos(0.0, 9.0),
    counts: Counts { samples: 3000, references: 25, first_type: 1, types: &[25 * 5; 24] },
    open: |entry, tree, strictness| open(entry, 5, tree, strictness),
};
/// The subsets of TID2013 and the types they hold, for [`DataSet::filtered`].
///
/// Source: the set's readme; Bosse et al., IEEE TIP 27(1), 2018, table II, reports on them.
pub const TID2013_SUBSETS: [(&str, &[u32]); 6] = [
    ("noise", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 19, 21]),
    ("actual", &[1, 3, 4, 5, 6, 8, 9, 10, 11, 19, 21]),
    ("simple", &[1, 8, 10]),
    ("exotic", &[12, 13, 14, 15, 16, 17, 20, 23, 24]),
    ("new", &[18, 19, 20, 21, 22, 23, 24]),
    ("color", &[2, 7, 10, 18, 22, 23]),
];

fn open(entry: &Entry, levels: u32, tree: &Tree, strictness: Strictness) -> Result<DataSet, DatasetError> {
    let labels = tree.labels("mos_with_names.txt", "mos_with_names.txt")?;
    let ratings = lines(&labels)?;
    let stds = tree.at("mos_std.txt").ok().map(|path| deviations(&path, ratings.len())).transpose()?;
    let mut collector = Collector::new(&labels, strictness);
    for (index, (line, text)) in ratings.iter().enumerate() {
        let place = Place { labels: &labels, line: *line };
        // The score stands first, unlike in most lists.
        let (score, file) = text
            .split_once(char::is_whitespace)
            .ok_or_else(|| place.malformed("`<mos> I<reference>_<type>_<level>.bmp`", text))?;
        let (score, file) = (place.score(score)?, file.trim());
        let lower = file.to_lowercase();
        let parts = lower.strip_prefix('i').and_then(|rest| rest.strip_suffix(".bmp")).and_then(numbers);
        let Some([reference, type_id, level]) = parts else {
            return Err(place.malformed("the name `I<reference>_<type>_<level>.bmp`", file));
        };
        if !(1..=entry.counts.types.len() as u32).contains(&type_id) || !(1..=levels).contains(&level) {
            return Err(place.malformed("a type and a level of this set", file));
        }
        let rating = Rating {
            raw: score,
            std: stds.as_ref().map(|stds| stds[index]),
            reference_id: Some(format!("i{reference:02}")),
            type_id: Some(type_id),
            type_name: TidDistortion::ALL
                .get(type_id as usize - 1)
                .map(|distortion| distortion.name().into()),
            level: Some(level),
        };
        // Neither these names nor those of the references (I01.BMP, but i25.bmp) agree in case with the disk.
        let distorted = tree.at(&format!("distorted_images/{file}"));
        let reference = tree.at(&format!("reference_images/i{reference:02}.bmp"));
        collector.push(place, distorted, Some(reference), rating)?;
    }
    collector.complete(entry)
}

/// The deviations, one a line in the order of the scores.
fn deviations(path: &Path, expected: usize) -> Result<Vec<f64>, DatasetError> {
    let stds = lines(path)?
        .iter()
        .map(|(line, text)| Place { labels: path, line: *line }.std(text))
        .collect::<Result<Vec<_>, _>>()?;
    if stds.len() == expected {
        return Ok(stds);
    }
    Err(DatasetError::Count {
        labels: path.into(),
        what: "deviations, one for each line of mos_with_names.txt".into(),
        expected,
        found: stds.len(),
    })
}
