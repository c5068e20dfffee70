//! A model over a data set.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use iqa_core::{Observer, ReferenceNeed, Work};
use iqa_datasets::loader::{Loader, LoaderConfig, ReferenceCache};
use iqa_datasets::{DataSet, DatasetError};
use iqa_nn::{CheckedModel, ModelError, PreparedReference};

use super::scores::{ScoreFile, ScoreKey, Scores, contents};
use crate::EvaluateError;

/// Decoded references held; they are asked for one after the other.
const CACHE_BYTES: usize = 64 << 20;

/// Scores every image of a set, into a file that grows by a line an image. Images that the file holds already are not
/// scored again; a line that was being written when an earlier run ended is.
///
/// Images are scored reference by reference, each reference being prepared once, and decoded ahead on threads. Before that
/// all pictures are read once for their digests. `observer` sees the images of both passes.
///
/// # Errors
/// [`CoreError::OtherResults`] when the file is of another set, model or weights; [`CoreError::NotResults`] when it is
/// damaged; [`CoreError::OtherPicture`] when it has a score of a picture whose content, or whose reference's, is another
/// now; [`CoreError::InUse`] while another run writes it; [`CoreError::Io`] for what cannot be written;
/// [`EvaluateError::Dataset`] for an image that cannot be decoded, or a set without references where the model needs them;
/// [`EvaluateError::Scoring`] for one that the model refuses. Scores before the failure are kept.
///
/// [`CoreError::OtherResults`]: iqa_core::CoreError::OtherResults
/// [`CoreError::NotResults`]: iqa_core::CoreError::NotResults
/// [`CoreError::OtherPicture`]: iqa_core::CoreError::OtherPicture
/// [`CoreError::InUse`]: iqa_core::CoreError::InUse
/// [`CoreError::Io`]: iqa_core::CoreError::Io
pub fn score_set(
    model: &CheckedModel,
    set: &DataSet,
    path: &Path,
    observer: &dyn Observer,
) -> Result<Scores, EvaluateError> {
    let mut spec = model.spec();
    if model.has_free_scale() {
        spec.range = (f64::NEG_INFINITY, f64::INFINITY);
    }
    let needs_reference = spec.reference == ReferenceNeed::FullReference;
    if needs_reference && set.samples().iter().any(|sample| sample.reference.is_none()) {
        return Err(DatasetError::SplitUnit { name: set.name().into(), expected: "with" }.into());
    }
    let key = ScoreKey::new(set, model.name().into(), model.identity().to_string(), spec);
    let images = set.samples().len() as u64;
    let begin = |done| observer.begin(Work { name: "", unit: "images", units: Some(images), done });
    let one_done = || observer.advance(1, format_args!(""));
    begin(0);
    let contents = contents(set, one_done);
    // The first image that cannot be read, and how many others.
    let mut unread: Option<(DatasetError, usize)> = None;
    let mut known = Vec::with_capacity(contents.len());
    for content in contents {
        known.push(content.map_err(|error| count(&mut unread, error.into())).ok());
    }
    let readable: Vec<bool> = known.iter().map(Option::is_some).collect();
    let mut file = ScoreFile::open(path, key, set, known)?;
    let mut order = by_reference(set);
    order.retain(|&index| readable[index] && !file.has(index));
    begin(images - order.len() as u64);

    let mut prepared: Option<(PathBuf, PreparedReference)> = None;
    for loaded in Loader::new(set, &order, LoaderConfig::default(), &ReferenceCache::new(CACHE_BYTES))? {
        let loaded = match loaded {
            Ok(loaded) => loaded,
            // It costs only itself; the others are scored.
            Err(source) => {
                count(&mut unread, source);
                continue;
            }
        };
        let sample = &set.samples()[loaded.index];
        let refused = |image: &Path, source: ModelError| EvaluateError::Scoring {
            image: image.into(),
            source: Box::new(source),
        };
        if let (true, Some(path), Some(image)) = (needs_reference, &sample.reference, &loaded.reference)
            && prepared.as_ref().is_none_or(|(held, _)| held != path)
        {
            // The old one goes first: two at once would be twice the memory.
            drop(prepared.take());
            let reference = model.prepare(image).map_err(|source| refused(path, source))?;
            prepared = Some((path.clone(), reference));
        }
        let score = match &prepared {
            Some((_, reference)) => model.score_prepared(&loaded.distorted, reference),
            None => model.score(&loaded.distorted, None),
        };
        let score = score.map_err(|source| refused(&sample.distorted, source))?.score;
        file.push(loaded.index, score)?;
        one_done();
    }
    observer.end();
    match unread {
        Some((source, others)) => Err(EvaluateError::Unread { source, others }),
        None => Ok(file.finish()?),
    }
}

/// Keeps the first error, and counts the others.
fn count(unread: &mut Option<(DatasetError, usize)>, error: DatasetError) {
    match unread {
        Some((_, others)) => *others += 1,
        None => *unread = Some((error, 0)),
    }
}

/// Indices of the samples: those of one reference after those of another, each in the order of the labels.
fn by_reference(set: &DataSet) -> Vec<usize> {
    let mut first_seen: HashMap<&PathBuf, usize> = HashMap::new();
    let mut order: Vec<(usize, usize)> = set
        .samples()
        .iter()
        .enumerate()
        .map(|(index, sample)| {
            let group = sample.reference.as_ref().map_or(0, |path| *first_seen.entry(path).or_insert(index));
            (group, index)
        })
        .collect();
    order.sort_unstable();
    order.into_iter().map(|(_, index)| index).collect()
}
