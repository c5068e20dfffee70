//! What the recipes ask of their data, and the sets that give it.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use image::RgbImage;
use iqa_core::{Direction, ScoreSpec, sha256, sha256_of_file};
use iqa_datasets::DataSet;
use iqa_datasets::augment::PairAugment;
use iqa_datasets::loader::{ReferenceCache, load_sample};
use iqa_datasets::synthetic::{SyntheticGrid, SyntheticSample, SyntheticTrain};
use iqa_nn::check_minimum;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::{QualityLoss, TrainError, seed};

/// Bytes of decoded images that a [`SetTraining`] or [`SetValidation`] keeps, unless told otherwise; the same again of
/// references.
const CACHE_BYTES: usize = 256 << 20;

/// An image with its label.
#[derive(Clone, Debug)]
pub struct TrainingPair {
    /// The distorted image.
    pub distorted: RgbImage,
    /// Its original, of the same size; `None` in sets without references. Not looked at by a no-reference model.
    pub reference: Option<RgbImage>,
    /// Quality from 0 (worst end of the label's range) to 1 (best end). The recipe maps it to the direction and
    /// range of the model's score.
    pub quality01: f64,
    /// Which source of a [`Mixture`](crate::Mixture) it is from; 0 where there is one.
    pub source: usize,
    /// What errors call it: the path of its file, say.
    pub name: String,
}

impl TrainingPair {
    /// The reference.
    ///
    /// # Errors
    /// [`TrainError::ReferenceMissing`] of this picture.
    pub fn needed_reference(&self) -> Result<&RgbImage, TrainError> {
        self.reference.as_ref().ok_or_else(|| self.refused(TrainError::ReferenceMissing))
    }

    /// That error of this picture.
    pub fn refused(&self, error: impl Into<TrainError>) -> TrainError {
        TrainError::Picture { name: self.name.clone(), source: Box::new(error.into()) }
    }
}

/// What samples depend on, by names in the plural (`images`, `labels`): numbers as they are, contents of files by digests.
pub type DataKey = BTreeMap<String, String>;

/// The keys of both sets of a run.
pub(crate) fn data_key(
    training: &dyn TrainingPairs,
    validation: &dyn ValidationPairs,
) -> Result<DataKey, TrainError> {
    let named = |set: &str, key: DataKey| {
        let set = set.to_owned();
        key.into_iter().map(move |(name, value)| (format!("{set} {name}"), value))
    };
    Ok(named("training", training.key()?).chain(named("validation", validation.key()?)).collect())
}

/// That every picture of a set can be read, is no smaller than a network takes, and has its `reference` where one is needed: told
/// before a run of hours, and not after it. They are read on all cores.
///
/// # Errors
/// What reading the first such picture gives; [`TrainError::Picture`].
pub fn check_pictures(
    pairs: &dyn ValidationPairs,
    reference: bool,
    minimum: (u32, u32),
) -> Result<(), TrainError> {
    let check = |index: usize| -> Result<(), TrainError> {
        let pair = pairs.pair(index)?;
        if reference {
            pair.needed_reference()?;
        }
        check_minimum(pair.distorted.dimensions(), minimum).map_err(|error| pair.refused(error))
    };
    (0..pairs.samples()).into_par_iter().find_map_first(|index| check(index).err()).map_or(Ok(()), Err)
}

/// That a loss which compares the images of a batch has something to compare: the labels of the first source are not all the
/// same. Those of a batch may be.
///
/// # Errors
/// [`TrainError::ConstantBatch`], and what reading the data gives.
pub(crate) fn check_labels(training: &dyn TrainingPairs, loss: &QualityLoss) -> Result<(), TrainError> {
    match if loss.compares() { training.only_label()? } else { None } {
        Some(value) => Err(TrainError::ConstantBatch { what: "targets", value }),
        None => Ok(()),
    }
}

/// A training set: samples that may differ from epoch to epoch, but not from call to call.
pub trait TrainingPairs: Sync {
    /// Samples in an epoch.
    fn samples(&self) -> usize;

    /// Sources with labels of their own scale; one, but for a [`Mixture`](crate::Mixture).
    fn sources(&self) -> usize {
        1
    }

    /// Sample `index` of an epoch; a pure function of its arguments.
    ///
    /// # Errors
    /// When the sample cannot be read.
    fn pair(&self, epoch: u64, index: usize) -> Result<TrainingPair, TrainError>;

    /// All that the samples depend on: a checkpoint keeps it, and a run goes on only on samples of the same key.
    ///
    /// # Errors
    /// When a file cannot be read.
    fn key(&self) -> Result<DataKey, TrainError>;

    /// The mean label, from 0 to 1: by default that of 64 samples of the first epoch, evenly spread.
    ///
    /// # Errors
    /// As [`Self::pair`].
    fn mean_quality01(&self) -> Result<f64, TrainError> {
        mean_of_some(self.samples(), |index| self.pair(0, index))
    }

    /// The label of all samples, from 0 to 1, where it is the same; of the first source where there are several. By default
    /// samples of the first epoch are made until two differ.
    ///
    /// # Errors
    /// As [`Self::pair`].
    fn only_label(&self) -> Result<Option<f64>, TrainError> {
        only((0..self.samples()).map(|index| Ok(self.pair(0, index)?.quality01)))
    }

    /// The pairs of a step, `count` of them: one epoch after another, without a gap. They are made on all cores.
    ///
    /// # Errors
    /// As [`Self::pair`].
    fn batch(&self, step: usize, count: usize) -> Result<Vec<TrainingPair>, TrainError> {
        let samples = self.samples();
        (step * count..(step + 1) * count)
            .into_par_iter()
            .map(|sample| self.pair((sample / samples) as u64, sample % samples))
            .collect()
    }
}

/// A validation set: always the same samples.
pub trait ValidationPairs: Sync {
    /// Samples.
    fn samples(&self) -> usize;

    /// Sample `index`.
    ///
    /// # Errors
    /// When the sample cannot be read.
    fn pair(&self, index: usize) -> Result<TrainingPair, TrainError>;

    /// As [`TrainingPairs::key`].
    ///
    /// # Errors
    /// As [`TrainingPairs::key`].
    fn key(&self) -> Result<DataKey, TrainError>;

    /// The mean label, from 0 to 1: by default that of 64 samples, evenly spread.
    ///
    /// # Errors
    /// As [`Self::pair`].
    fn mean_quality01(&self) -> Result<f64, TrainError> {
        mean_of_some(self.samples(), |index| self.pair(index))
    }

    /// As [`TrainingPairs::only_label`].
    ///
    /// # Errors
    /// As [`Self::pair`].
    fn only_label(&self) -> Result<Option<f64>, TrainError> {
        only((0..self.samples()).map(|index| Ok(self.pair(index)?.quality01)))
    }
}

/// The one value of all; `None` where two differ, of which no more are asked for then.
fn only(mut labels: impl Iterator<Item = Result<f64, TrainError>>) -> Result<Option<f64>, TrainError> {
    let Some(first) = labels.next().transpose()? else { return Ok(None) };
    for label in labels {
        if label? != first {
            return Ok(None);
        }
    }
    Ok(Some(first))
}

fn mean_of_some(
    samples: usize,
    pair: impl Fn(usize) -> Result<TrainingPair, TrainError>,
) -> Result<f64, TrainError> {
    let count = samples.min(64);
    let labels = (0..count).map(|index| Ok(pair(index * samples / count)?.quality01));
    Ok(labels.sum::<Result<f64, TrainError>>()? / count as f64)
}

impl From<SyntheticSample> for TrainingPair {
    fn from(sample: SyntheticSample) -> Self {
        // KADID-10k rates from 1 to 5.
        let quality01 = (f64::from(sample.mos) - 1.0) / 4.0;
        let done = sample.distortion.map_or("no distortion".into(), |distortion| format!("{distortion:?}"));
        let name = format!("reference {}, {done} at level {}", sample.reference_index, sample.level);
        Self { distorted: sample.distorted, reference: Some(sample.reference), quality01, source: 0, name }
    }
}

impl TrainingPairs for SyntheticTrain {
    fn samples(&self) -> usize {
        self.len()
    }

    fn pair(&self, epoch: u64, index: usize) -> Result<TrainingPair, TrainError> {
        Ok(self.sample(epoch, index)?.into())
    }

    fn key(&self) -> Result<DataKey, TrainError> {
        Ok(Self::key(self))
    }
}

impl ValidationPairs for SyntheticGrid {
    fn samples(&self) -> usize {
        self.len()
    }

    fn pair(&self, index: usize) -> Result<TrainingPair, TrainError> {
        Ok(self.sample(index)?.into())
    }

    fn key(&self) -> Result<DataKey, TrainError> {
        Ok(Self::key(self))
    }
}

/// Samples to train on, each once an epoch, in an order of its own. One is made when its turn comes.
#[derive(Debug)]
pub struct Shuffled<V> {
    samples: V,
    augment: PairAugment,
    seed: u64,
    /// The order of the epoch asked for last.
    order: Mutex<Option<(u64, Vec<usize>)>>,
}

/// Rated images of a set on disk to train on.
pub type SetTraining<'a> = Shuffled<SetValidation<'a>>;

impl<'a> SetTraining<'a> {
    /// The samples of `indices`, a part of a [`Split`](iqa_datasets::split::Split), flipped and cropped by `augment`.
    ///
    /// # Panics
    /// When an index is not below the number of samples.
    pub fn new(set: &'a DataSet, indices: &[usize], augment: PairAugment, seed: u64) -> Self {
        Self::over(SetValidation::new(set, indices), augment, seed)
    }
}

impl<V: ValidationPairs> Shuffled<V> {
    /// Samples that are otherwise the same in every epoch, flipped and cropped by `augment`.
    pub fn over(samples: V, augment: PairAugment, seed: u64) -> Self {
        Self { samples, augment, seed, order: Mutex::new(None) }
    }

    /// Which of the samples comes at a place of an epoch.
    fn shuffled(&self, epoch: u64, place: usize) -> usize {
        let mut cached = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        match &*cached {
            Some((of, order)) if *of == epoch => order[place],
            _ => {
                let mut order: Vec<usize> = (0..self.samples.samples()).collect();
                order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed::derive(self.seed, &[seed::ORDER, epoch])));
                let index = order[place];
                *cached = Some((epoch, order));
                index
            }
        }
    }
}

impl<V: ValidationPairs> TrainingPairs for Shuffled<V> {
    fn samples(&self) -> usize {
        self.samples.samples()
    }

    fn pair(&self, epoch: u64, index: usize) -> Result<TrainingPair, TrainError> {
        let pair = self.samples.pair(self.shuffled(epoch, index))?;
        let mut rng =
            ChaCha8Rng::seed_from_u64(seed::derive(self.seed, &[seed::AUGMENT, epoch, index as u64]));
        let augmented = self.augment.apply(&pair.distorted, pair.reference.as_ref(), &mut rng);
        let (distorted, reference) = augmented.map_err(|error| pair.refused(error))?;
        Ok(TrainingPair { distorted, reference, ..pair })
    }

    fn key(&self) -> Result<DataKey, TrainError> {
        let mut key = self.samples.key()?;
        key.insert("flips and crops".into(), format!("{:?}", self.augment));
        key.insert("orders".into(), format!("seed {}", self.seed));
        Ok(key)
    }

    fn mean_quality01(&self) -> Result<f64, TrainError> {
        self.samples.mean_quality01()
    }

    fn only_label(&self) -> Result<Option<f64>, TrainError> {
        self.samples.only_label()
    }
}

/// Rated images of a set on disk to validate with, as they are.
#[derive(Debug)]
pub struct SetValidation<'a> {
    set: &'a DataSet,
    indices: Vec<usize>,
    references: ReferenceCache,
    images: ImageCache,
}

/// Decoded images by index, the first that fit: samples come in another order every epoch, so that what was used
/// longest ago is as likely to come next as any other.
#[derive(Debug)]
struct ImageCache {
    limit: usize,
    store: Mutex<(usize, HashMap<usize, Arc<RgbImage>>)>,
}

impl ImageCache {
    fn new(limit: usize) -> Self {
        Self { limit, store: Mutex::default() }
    }

    fn get(&self, index: usize) -> Option<Arc<RgbImage>> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner).1.get(&index).cloned()
    }

    fn keep(&self, index: usize, image: &RgbImage) {
        let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = store.0 + image.as_raw().len();
        if bytes <= self.limit && !store.1.contains_key(&index) {
            store.1.insert(index, Arc::new(image.clone()));
            store.0 = bytes;
        }
    }
}

impl<'a> SetValidation<'a> {
    /// The samples of `indices`, a part of a [`Split`](iqa_datasets::split::Split).
    ///
    /// # Panics
    /// When an index is not below the number of samples.
    pub fn new(set: &'a DataSet, indices: &[usize]) -> Self {
        assert!(indices.iter().all(|&index| index < set.samples().len()), "an index beyond the set");
        Self {
            set,
            indices: indices.to_vec(),
            references: ReferenceCache::new(CACHE_BYTES),
            images: ImageCache::new(CACHE_BYTES),
        }
    }

    /// Keeps up to so many bytes of decoded images, and as many of references, so that later epochs do not decode them
    /// again.
    #[must_use]
    pub fn with_cache(self, bytes: usize) -> Self {
        Self { references: ReferenceCache::new(bytes), images: ImageCache::new(bytes), ..self }
    }

    fn labels(&self) -> impl Iterator<Item = f64> + '_ {
        self.indices.iter().map(|&index| self.set.scale().quality01(self.set.samples()[index].raw))
    }
}

impl ValidationPairs for SetValidation<'_> {
    fn samples(&self) -> usize {
        self.indices.len()
    }

    fn pair(&self, index: usize) -> Result<TrainingPair, TrainError> {
        let index = self.indices[index];
        let sample = &self.set.samples()[index];
        let reference = |path: &PathBuf| Ok::<_, TrainError>((*self.references.load(path)?).clone());
        let (distorted, reference) = match self.images.get(index) {
            Some(image) => ((*image).clone(), sample.reference.as_ref().map(reference).transpose()?),
            None => {
                let loaded = load_sample(self.set, index, &self.references)?;
                self.images.keep(index, &loaded.distorted);
                (loaded.distorted, loaded.reference.map(|image| (*image).clone()))
            }
        };
        let quality01 = self.set.scale().quality01(sample.raw);
        Ok(TrainingPair {
            distorted,
            reference,
            quality01,
            source: 0,
            name: sample.distorted.display().to_string(),
        })
    }

    /// Of the contents of the files, wherever they lie, and of the labels on the scale of 0 to 1.
    fn key(&self) -> Result<DataKey, TrainError> {
        let samples = || self.indices.iter().map(|&index| &self.set.samples()[index]);
        let labels = self.labels().map(|label| format!("{label}\n"));
        let images: Vec<&Path> = samples().map(|sample| sample.distorted.as_path()).collect();
        let references: Vec<Option<&Path>> = samples().map(|sample| sample.reference.as_deref()).collect();
        let mut each: Vec<&Path> = references.iter().flatten().copied().chain(images.clone()).collect();
        each.sort_unstable();
        each.dedup();
        let digest = |path: &&Path| Ok::<_, TrainError>(sha256_of_file(path)?);
        let digests = each.par_iter().map(digest).collect::<Result<Vec<String>, _>>()?;
        let digests: HashMap<&Path, String> = each.into_iter().zip(digests).collect();
        let digest = |path: Option<&Path>| path.map_or("none", |path| digests[path].as_str());
        let all = |paths: &mut dyn Iterator<Item = Option<&Path>>| {
            sha256(paths.map(|path| format!("{}\n", digest(path))).collect::<String>().as_bytes())
        };
        Ok(DataKey::from([
            ("images".into(), all(&mut images.iter().copied().map(Some))),
            ("references".into(), all(&mut references.iter().copied())),
            ("labels".into(), sha256(labels.collect::<String>().as_bytes())),
        ]))
    }

    fn mean_quality01(&self) -> Result<f64, TrainError> {
        Ok(self.labels().sum::<f64>() / self.indices.len() as f64)
    }

    fn only_label(&self) -> Result<Option<f64>, TrainError> {
        only(self.labels().map(Ok))
    }
}

/// In which of several lists an index into all of them falls, and where there.
///
/// # Panics
/// When it is beyond the last.
pub(crate) fn place(lengths: impl Iterator<Item = usize>, mut index: usize) -> (usize, usize) {
    for (list, length) in lengths.enumerate() {
        if index < length {
            return (list, index);
        }
        index -= length;
    }
    panic!("an index beyond the samples");
}

/// The label on the scale of a score.
pub(crate) fn target(spec: &ScoreSpec, quality01: f64) -> f64 {
    let (low, high) = spec.range;
    match spec.direction {
        Direction::HigherIsBetter => low + quality01 * (high - low),
        Direction::LowerIsBetter => high - quality01 * (high - low),
    }
}
