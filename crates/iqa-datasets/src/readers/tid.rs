//! TID2008: N. Ponomarenko et al., Advances of Modern Radioelectronics 10, 2009. TID2013: N. Ponomarenko et al.,
//! Signal Processing: Image Communication 30, 2015.

use std::path::Path;

use super::DataSetKind;
use super::collect::{Collector, Counts, Place, Rating, lines, numbers};
use super::tree::Tree;
use crate::dataset::DataSet;
use crate::distort::tid::TidDistortion;
use crate::{DatasetError, Strictness};

const REFERENCES: usize = 25;
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

pub(super) fn open(kind: DataSetKind, tree: &Tree, strictness: Strictness) -> Result<DataSet, DatasetError> {
    let (name, types, levels) =
        if kind == DataSetKind::Tid2008 { ("TID2008", 17, 4) } else { ("TID2013", 24, 5) };
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
        if !(1..=types).contains(&type_id) || !(1..=levels).contains(&level) {
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
    let each = REFERENCES * levels as usize;
    let counts = Counts {
        samples: each * types as usize,
        references: REFERENCES,
        types: (1..=types).map(|id| (id, each)).collect(),
    };
    collector.finish(name, kind.scale(), Some(&counts))
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
