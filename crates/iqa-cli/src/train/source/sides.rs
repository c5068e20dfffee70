//! The sides of a source: what is trained on, what selects the weights, and what is reported on.

use std::collections::HashSet;
use std::error::Error;
use std::path::Path;

use iqa_models::core::FileId;
use iqa_models::datasets::split::{LeakyImageSplit, Parts, Split, SplitPreset};
use iqa_models::datasets::synthetic::Reference;
use iqa_models::datasets::{DataSet, Sample};

use super::OneSource;
use crate::options::repeated;

/// Names of references that an error lists.
const SHOWN_NAMES: usize = 6;

/// Indices of a set's samples for training, validation and testing.
pub(crate) struct Sides {
    pub(crate) train: Vec<usize>,
    pub(crate) validation: Vec<usize>,
    pub(crate) test: Vec<usize>,
    /// Whether references are on all of them.
    pub(crate) leaky: bool,
}

impl From<Split> for Sides {
    fn from(split: Split) -> Self {
        let [train, validation, test] =
            [split.train(), split.validation(), split.test()].map(<[usize]>::to_vec);
        Self { train, validation, test, leaky: false }
    }
}

impl From<LeakyImageSplit> for Sides {
    fn from(split: LeakyImageSplit) -> Self {
        let [train, validation, test] =
            [split.train(), split.validation(), split.test()].map(<[usize]>::to_vec);
        Self { train, validation, test, leaky: true }
    }
}

/// That no photograph is, by another name, in two parts.
pub(super) fn check_links(references: &[Reference], parts: [&Vec<usize>; 3]) -> Result<(), Box<dyn Error>> {
    let mut earlier: HashSet<FileId> = HashSet::new();
    for part in parts {
        let mut files = HashSet::new();
        for &index in part {
            let path = &references[index].path;
            let Some(file) = FileId::of(path) else { continue };
            if earlier.contains(&file) {
                return Err(format!(
                    "{}: by another name it is in --validation or --test, and a photograph is in one part alone",
                    path.display()
                )
                .into());
            }
            files.insert(file);
        }
        earlier.extend(files);
    }
    Ok(())
}

pub(super) fn split(set: &DataSet, options: &OneSource, seed: u64) -> Result<Sides, Box<dyn Error>> {
    if !options.validation.is_empty() || !options.test.is_empty() {
        return by_name(set, &options.validation, &options.test);
    }
    let text = options.split.as_str();
    let (preset, file) = (text.parse::<SplitPreset>(), Path::new(text));
    if options.leaky_image_split && (preset.is_ok() || file.is_file()) {
        return Err(
            format!("--split {text} is a split of its own: give shares with --leaky-image-split").into()
        );
    }
    if let Ok(preset) = preset {
        return Ok(preset.first(set, seed)?.into());
    }
    if file.is_file() {
        return Ok(Split::from_file(set, file)?.into());
    }
    let shares: Vec<f64> = text
        .split(',')
        .map(str::parse)
        .collect::<Result<_, _>>()
        .map_err(|_| format!("--split {text}: expected a preset, a file or three shares"))?;
    let shares: [f64; 3] = shares.try_into().map_err(|_| format!("--split {text}: expected three shares"))?;
    if options.leaky_image_split {
        remark!("LEAKY split by image: the model sees every photograph of the test part in training");
        return Ok(LeakyImageSplit::random(set, Parts::Ratios(shares), seed)?.into());
    }
    Ok(Split::random(set, Parts::Ratios(shares), seed)?.into())
}

/// The references of those names on their sides, all others in training.
fn by_name(set: &DataSet, validation: &[String], test: &[String]) -> Result<Sides, Box<dyn Error>> {
    if !set.has_references() {
        return Err(format!(
            "{} has no references, which --validation and --test name: give --split, three shares such as 0.6,0.2,0.2 or \
             a file",
            set.name()
        )
        .into());
    }
    let [validation, test] = [("validation", validation), ("test", test)].map(|(option, names)| {
        let ids = names.iter().map(|name| reference_id(set, name)).collect::<Result<Vec<&str>, String>>()?;
        match repeated(&ids) {
            Some(id) => Err(format!("--{option} names {id} twice")),
            None => Ok(ids),
        }
    });
    let (validation, test) = (validation?, test?);
    let mut sides = Sides { train: Vec::new(), validation: Vec::new(), test: Vec::new(), leaky: false };
    for (index, sample) in set.samples().iter().enumerate() {
        let named = |ids: &[&str]| sample.reference_id.as_deref().is_some_and(|id| ids.contains(&id));
        match (named(&validation), named(&test)) {
            (true, true) => return Err("a reference is both in --validation and in --test".into()),
            (true, false) => sides.validation.push(index),
            (false, true) => sides.test.push(index),
            (false, false) => sides.train.push(index),
        }
    }
    Ok(sides)
}

/// The reference that is called so: by its id, in any case, or by its file, over whatever link the list has it.
fn reference_id<'a>(set: &'a DataSet, name: &str) -> Result<&'a str, String> {
    let mut ids = set.reference_ids();
    let exact = ids.iter().find(|&&id| id == name);
    if let Some(&id) = exact.or_else(|| ids.iter().find(|id| id.eq_ignore_ascii_case(name))) {
        return Ok(id);
    }
    let file = Path::new(name);
    let file = file.strip_prefix(".").unwrap_or(file);
    let is_file = |sample: &&Sample| {
        // Every path ends with the empty one.
        !name.is_empty() && sample.reference.as_ref().is_some_and(|path| path.ends_with(file))
    };
    let found: HashSet<&str> =
        set.samples().iter().filter(is_file).filter_map(|sample| sample.reference_id.as_deref()).collect();
    if let (1, Some(id)) = (found.len(), found.iter().next()) {
        return Ok(id);
    }
    let more = ids.len().saturating_sub(SHOWN_NAMES);
    ids.truncate(SHOWN_NAMES);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Err(format!(
        "no reference of {} is called `{name}`: its references are {}{more}",
        set.name(),
        ids.join(", ")
    ))
}
