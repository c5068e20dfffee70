//! Sets made of pristine photographs: in the style of KADID-10k on the fly, in that of KADID-10k or TID2013 on disk.

mod published;
mod set;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use image::{RgbImage, imageops};
use iqa_core::{images_in, sha256};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::DatasetError;
use crate::distort::{Distortion, Level};
use crate::loader::ReferenceCache;

pub use published::{Opinions, PublishedCrop};
pub use set::{Photograph, SetItem, SetStyle, SyntheticSet};

/// Width and height of the images of KADID-10k and TID2013, in pixels.
pub const KADID_SIZE: (u32, u32) = (512, 384);
/// Score given to an undistorted image, on KADID-10k's scale of 1 to 5. That set rates no undistorted image; this
/// is a little above the best mean of its mildest distortions (4.61).
pub const PRISTINE_MOS: f32 = 4.8;

/// A pristine photograph: what is known of it, and where its pixels are, in memory or in a file.
#[derive(Clone, Debug)]
pub struct Reference {
    /// File name without extension.
    pub name: String,
    /// The file, by which it is told from others of its name.
    pub path: PathBuf,
    size: (u32, u32),
    /// Of the pixels.
    digest: String,
    pixels: ReferenceCache,
}

impl Reference {
    /// A photograph in memory, where it stays.
    pub fn new(name: String, path: PathBuf, image: RgbImage) -> Self {
        let (size, digest) = (image.dimensions(), sha256(image.as_raw()));
        let pixels = ReferenceCache::holding(&path, image);
        Self { name, path, size, digest, pixels }
    }

    /// Reads a photograph. Its pixels stay in `cache` for as long as there is room, and are read again when they are used after
    /// that.
    ///
    /// # Errors
    /// [`DatasetError::Image`], which names the file.
    pub fn open(path: &Path, cache: &ReferenceCache) -> Result<Self, DatasetError> {
        let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let image = cache.load(path)?;
        let digest = sha256(image.as_raw());
        Ok(Self { name, path: path.into(), size: image.dimensions(), digest, pixels: cache.clone() })
    }

    /// Width and height, in pixels.
    pub fn dimensions(&self) -> (u32, u32) {
        self.size
    }

    /// The pixels.
    ///
    /// # Errors
    /// [`DatasetError::Image`] where the file is gone, [`DatasetError::PhotographChanged`] where it has other pixels than it had.
    pub fn image(&self) -> Result<Arc<RgbImage>, DatasetError> {
        self.pixels.load_checked(&self.path, |image| {
            if image.dimensions() == self.size && sha256(image.as_raw()) == self.digest {
                return Ok(());
            }
            Err(DatasetError::PhotographChanged { path: self.path.clone() })
        })
    }
}

/// Opens every image of a folder, sorted by file name, each of which is read once for that.
///
/// # Errors
/// Those of [`reference_files`] and [`Reference::open`].
pub fn load_references(folder: &Path, cache: &ReferenceCache) -> Result<Vec<Reference>, DatasetError> {
    reference_files(folder)?.iter().map(|path| Reference::open(path, cache)).collect()
}

/// The images of a folder, sorted by file name, as [`images_in`] tells them.
///
/// # Errors
/// [`DatasetError::Image`] for a folder that cannot be read, [`DatasetError::NoImages`].
pub fn reference_files(folder: &Path) -> Result<Vec<PathBuf>, DatasetError> {
    let paths = images_in(folder, false)?;
    if paths.is_empty() {
        return Err(DatasetError::NoImages { path: folder.into() });
    }
    Ok(paths)
}

/// A distorted image with its original and its label.
#[derive(Clone, Debug)]
pub struct SyntheticSample {
    /// The distorted image.
    pub distorted: RgbImage,
    /// Its pristine original, of the same size.
    pub reference: RgbImage,
    /// Mean opinion score, 1 to 5, higher is better.
    pub mos: f32,
    /// Index of the reference.
    pub reference_index: usize,
    /// What was done; `None` for an undistorted image.
    pub distortion: Option<Distortion>,
    /// Severity, 1 to 5; 0 for an undistorted image.
    pub level: f32,
}

/// How samples are made.
#[derive(Clone, Debug)]
pub struct SyntheticConfig {
    /// Width and height of a sample; a portrait photograph gives a portrait sample.
    pub size: (u32, u32),
    /// The distortions used; each must be [labelled](Distortion::is_labelled).
    pub distortions: Vec<Distortion>,
    /// Levels between the published ones too (training only).
    pub continuous_levels: bool,
    /// Part of the training samples left undistorted, with the label [`PRISTINE_MOS`].
    pub pristine_part: f32,
}

impl Default for SyntheticConfig {
    fn default() -> Self {
        Self {
            size: KADID_SIZE,
            distortions: Distortion::labelled().collect(),
            continuous_levels: true,
            pristine_part: 0.02,
        }
    }
}

impl SyntheticConfig {
    /// What all samples depend on, by name; the pictures by a digest of their pixels.
    fn key(&self, references: &[Reference], indices: &[usize], seed: u64) -> BTreeMap<String, String> {
        let pixels = |&index: &usize| {
            let Reference { size: (width, height), digest, .. } = &references[index];
            format!("{width}x{height} {digest}\n")
        };
        let pixels: String = indices.iter().map(pixels).collect();
        let distortions: Vec<&str> = self.distortions.iter().map(|distortion| distortion.name()).collect();
        BTreeMap::from([
            ("photographs".into(), sha256(pixels.as_bytes())),
            ("distortions".into(), distortions.join(", ")),
            ("sizes".into(), format!("{}x{}", self.size.0, self.size.1)),
            ("seeds".into(), seed.to_string()),
        ])
    }

    fn check(&self, references: &[Reference], indices: &[usize]) -> Result<(), DatasetError> {
        if self.size.0 == 0 || self.size.1 == 0 {
            return Err(DatasetError::EmptyCrop { size: self.size });
        }
        if indices.is_empty() {
            return Err(DatasetError::Empty { what: "reference" });
        }
        if self.distortions.is_empty() {
            return Err(DatasetError::Empty { what: "distortion" });
        }
        if let Some(distortion) = self.distortions.iter().find(|distortion| !distortion.is_labelled()) {
            return Err(DatasetError::Unlabelled { name: distortion.name() });
        }
        indices
            .iter()
            .map(|&index| &references[index])
            .try_for_each(|reference| check_size(&reference.name, reference.dimensions(), self.size))
    }
}

/// Training samples: random scale, crop and flip of a photograph, then a distortion.
///
/// In an epoch each (reference, distortion, level) comes once, in an order of its own. A sample depends on the
/// seed, the epoch and its index alone, so that a run can be resumed anywhere.
#[derive(Debug)]
pub struct SyntheticTrain {
    references: Arc<Vec<Reference>>,
    indices: Vec<usize>,
    config: SyntheticConfig,
    seed: u64,
    /// The order of the epoch asked for last.
    order: Mutex<Option<(u64, Arc<Vec<u32>>)>>,
}

impl SyntheticTrain {
    /// A training set on the references of `indices`.
    ///
    /// # Errors
    /// [`DatasetError::EmptyCrop`], [`DatasetError::Empty`], [`DatasetError::ReferenceTooSmall`],
    /// [`DatasetError::Unlabelled`].
    ///
    /// # Panics
    /// When an index is beyond the references.
    pub fn new(
        references: Arc<Vec<Reference>>,
        indices: &[usize],
        config: SyntheticConfig,
        seed: u64,
    ) -> Result<Self, DatasetError> {
        config.check(&references, indices)?;
        Ok(Self { references, indices: indices.to_vec(), config, seed, order: Mutex::new(None) })
    }

    /// Samples in an epoch: references x distortions x 5 levels.
    pub fn len(&self) -> usize {
        self.indices.len() * self.config.distortions.len() * 5
    }

    /// Never: a set without samples cannot be made.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All that the samples depend on, by names in the plural.
    pub fn key(&self) -> BTreeMap<String, String> {
        let SyntheticConfig { continuous_levels, pristine_part, .. } = self.config;
        let levels = format!("continuous: {continuous_levels}; undistorted: {pristine_part}");
        let mut key = self.config.key(&self.references, &self.indices, self.seed);
        key.insert("levels".into(), levels);
        key
    }

    fn order(&self, epoch: u64) -> Arc<Vec<u32>> {
        let mut cached = self.order.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match &*cached {
            Some((of, order)) if *of == epoch => Arc::clone(order),
            _ => {
                let mut order: Vec<u32> = (0..self.len() as u32).collect();
                order.shuffle(&mut self.rng(epoch, u64::MAX));
                let order = Arc::new(order);
                *cached = Some((epoch, Arc::clone(&order)));
                order
            }
        }
    }

    /// A generator for one sample: ChaCha's streams keep epochs and samples apart.
    fn rng(&self, epoch: u64, stream: u64) -> ChaCha8Rng {
        let mut rng =
            ChaCha8Rng::seed_from_u64(self.seed.wrapping_add(epoch.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        rng.set_stream(stream);
        rng
    }

    /// Sample `index` of an epoch.
    ///
    /// # Errors
    /// Those of [`Distortion::apply`] and [`Reference::image`].
    ///
    /// # Panics
    /// When `index` is not below [`Self::len`].
    pub fn sample(&self, epoch: u64, index: usize) -> Result<SyntheticSample, DatasetError> {
        let combination = self.order(epoch)[index] as usize;
        let kinds = self.config.distortions.len();
        let (level, rest) = (combination % 5, combination / 5);
        let (distortion, reference_index) =
            (self.config.distortions[rest % kinds], self.indices[rest / kinds]);
        let rng = &mut self.rng(epoch, index as u64);
        let reference = self.augment(&*self.references[reference_index].image()?, rng);
        if rng.random::<f32>() < self.config.pristine_part {
            return Ok(pristine(reference, reference_index));
        }
        let mut level = level as f32 + 1.0;
        if self.config.continuous_levels {
            level = (level + rng.random_range(-0.5f32..0.5)).clamp(1.0, 5.0);
        }
        distorted(
            reference,
            reference_index,
            distortion,
            Level::new(level).unwrap_or(Level::WORST),
            rng.random(),
        )
    }

    fn augment(&self, image: &RgbImage, rng: &mut ChaCha8Rng) -> RgbImage {
        let (width, height) = crop_size(self.config.size, image.dimensions());
        let smallest = (width as f32 / image.width() as f32).max(height as f32 / image.height() as f32);
        let scale = rng.random_range(smallest.min(1.0)..=1.0);
        // Half of the samples keep the photograph's own pixels.
        let scale = if rng.random() { scale } else { 1.0 };
        // The crop before scaling, so that only what is needed is resampled.
        let before = |side: u32, limit: u32| ((side as f32 / scale).round() as u32).clamp(side, limit);
        let (crop_width, crop_height) = (before(width, image.width()), before(height, image.height()));
        let x = rng.random_range(0..=image.width() - crop_width);
        let y = rng.random_range(0..=image.height() - crop_height);
        let crop = imageops::crop_imm(image, x, y, crop_width, crop_height);
        let mut sample = if (crop_width, crop_height) == (width, height) {
            crop.to_image()
        } else {
            imageops::resize(&*crop, width, height, imageops::FilterType::CatmullRom)
        };
        if rng.random() {
            imageops::flip_horizontal_in_place(&mut sample);
        }
        if rng.random() {
            imageops::flip_vertical_in_place(&mut sample);
        }
        sample
    }
}

/// Evaluation samples: the central crop of each photograph, every distortion, the five published levels.
#[derive(Debug)]
pub struct SyntheticGrid {
    references: Arc<Vec<Reference>>,
    indices: Vec<usize>,
    config: SyntheticConfig,
    seed: u64,
}

impl SyntheticGrid {
    /// An evaluation set on the references of `indices`.
    ///
    /// # Errors
    /// [`DatasetError::EmptyCrop`], [`DatasetError::Empty`], [`DatasetError::ReferenceTooSmall`],
    /// [`DatasetError::Unlabelled`].
    ///
    /// # Panics
    /// When an index is beyond the references.
    pub fn new(
        references: Arc<Vec<Reference>>,
        indices: &[usize],
        config: SyntheticConfig,
        seed: u64,
    ) -> Result<Self, DatasetError> {
        config.check(&references, indices)?;
        Ok(Self { references, indices: indices.to_vec(), config, seed })
    }

    /// Samples: references x distortions x 5 levels.
    pub fn len(&self) -> usize {
        self.indices.len() * self.config.distortions.len() * 5
    }

    /// Never: a set without samples cannot be made.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Sample `index`: levels change fastest, then distortions, then references.
    ///
    /// # Errors
    /// Those of [`Distortion::apply`] and [`Reference::image`].
    ///
    /// # Panics
    /// When `index` is not below [`Self::len`].
    pub fn sample(&self, index: usize) -> Result<SyntheticSample, DatasetError> {
        assert!(index < self.len(), "sample {index} of {}", self.len());
        let kinds = self.config.distortions.len();
        let (level, rest) = (index % 5, index / 5);
        let (distortion, reference_index) =
            (self.config.distortions[rest % kinds], self.indices[rest / kinds]);
        let level = Level::new(level as f32 + 1.0).unwrap_or(Level::WORST);
        let seed = self.seed.wrapping_add(index as u64);
        distorted(self.crop(reference_index)?, reference_index, distortion, level, seed)
    }

    /// All that the samples depend on, by names in the plural.
    pub fn key(&self) -> BTreeMap<String, String> {
        self.config.key(&self.references, &self.indices, self.seed)
    }

    /// The undistorted photographs of the set, cropped alike.
    ///
    /// # Errors
    /// Of each photograph those of [`Reference::image`].
    pub fn pristine(&self) -> impl Iterator<Item = Result<SyntheticSample, DatasetError>> + '_ {
        self.indices.iter().map(|&index| Ok(pristine(self.crop(index)?, index)))
    }

    fn crop(&self, reference_index: usize) -> Result<RgbImage, DatasetError> {
        Ok(central_crop(&*self.references[reference_index].image()?, self.config.size))
    }
}

/// The size of a sample of this photograph: a portrait photograph gives a portrait sample.
fn crop_size((width, height): (u32, u32), photograph: (u32, u32)) -> (u32, u32) {
    if (photograph.0 < photograph.1) == (width < height) { (width, height) } else { (height, width) }
}

fn check_size(name: &str, found: (u32, u32), size: (u32, u32)) -> Result<(), DatasetError> {
    let needed = crop_size(size, found);
    if found.0 < needed.0 || found.1 < needed.1 {
        return Err(DatasetError::ReferenceTooSmall { name: name.into(), found, needed });
    }
    Ok(())
}

/// That a photograph holds the part with this upper left corner.
fn check_crop(
    name: &str,
    found: (u32, u32),
    (x, y): (u32, u32),
    size: (u32, u32),
) -> Result<(), DatasetError> {
    let needed = (x.saturating_add(size.0), y.saturating_add(size.1));
    if found.0 < needed.0 || found.1 < needed.1 {
        return Err(DatasetError::ReferenceTooSmall { name: name.into(), found, needed });
    }
    Ok(())
}

/// The middle of an image that is large enough.
fn central_crop(image: &RgbImage, size: (u32, u32)) -> RgbImage {
    let (width, height) = crop_size(size, image.dimensions());
    let (x, y) = ((image.width() - width) / 2, (image.height() - height) / 2);
    imageops::crop_imm(image, x, y, width, height).to_image()
}

fn pristine(reference: RgbImage, reference_index: usize) -> SyntheticSample {
    SyntheticSample {
        distorted: reference.clone(),
        reference,
        mos: PRISTINE_MOS,
        reference_index,
        distortion: None,
        level: 0.0,
    }
}

fn distorted(
    reference: RgbImage,
    reference_index: usize,
    distortion: Distortion,
    level: Level,
    seed: u64,
) -> Result<SyntheticSample, DatasetError> {
    Ok(SyntheticSample {
        distorted: distortion.apply(&reference, level, seed)?,
        reference,
        mos: distortion.mean_mos(level).ok_or(DatasetError::Unlabelled { name: distortion.name() })?,
        reference_index,
        distortion: Some(distortion),
        level: level.value(),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use image::Rgb;

    use super::*;

    fn references(count: usize) -> Arc<Vec<Reference>> {
        let image = |seed: u32, width, height| {
            RgbImage::from_fn(width, height, |x, y| Rgb([(x * 3 + seed) as u8, (y * 5) as u8, (x ^ y) as u8]))
        };
        Arc::new(
            (0..count as u32)
                .map(|i| {
                    let image = if i % 2 == 0 { image(i, 96, 80) } else { image(i, 80, 96) };
                    Reference::new(format!("r{i}"), format!("r{i}.png").into(), image)
                })
                .collect(),
        )
    }

    fn config() -> SyntheticConfig {
        SyntheticConfig {
            size: (64, 48),
            distortions: vec![Distortion::WhiteNoise, Distortion::Pixelate],
            continuous_levels: false,
            pristine_part: 0.0,
        }
    }

    #[test]
    fn an_epoch_holds_each_combination_once_and_the_next_in_another_order() {
        let set = SyntheticTrain::new(references(3), &[0, 2], config(), 1).expect("fits");
        let epoch = |epoch| -> Vec<_> {
            (0..set.len())
                .map(|index| set.sample(epoch, index).expect("distorts"))
                .map(|s| (s.reference_index, s.distortion, s.level as u8))
                .collect()
        };
        let unique: BTreeSet<_> = epoch(0).into_iter().collect();
        assert_eq!(unique.len(), 2 * 2 * 5);
        assert!(unique.iter().all(|(reference, ..)| [0, 2].contains(reference)));
        assert_ne!(epoch(0), epoch(1));
    }

    #[test]
    fn a_sample_depends_on_nothing_but_its_place() {
        let sample = |index| {
            let set = SyntheticTrain::new(references(2), &[0, 1], config(), 9).expect("fits");
            let _ = set.sample(7, 0);
            set.sample(3, index).expect("distorts").distorted
        };
        assert_eq!(sample(4), sample(4));
        assert_ne!(sample(4), sample(5));
    }

    #[test]
    fn portrait_photographs_give_portrait_samples() {
        let set = SyntheticGrid::new(references(2), &[0, 1], config(), 1).expect("fits");
        let sample = |index| set.sample(index).expect("distorts");
        assert_eq!(sample(0).distorted.dimensions(), (64, 48));
        assert_eq!(sample(10).reference.dimensions(), (48, 64));
        let mos = Distortion::WhiteNoise.mean_mos(Level::new(4.0).expect("in range"));
        assert_eq!(Some(sample(3).mos), mos);
        for sample in set.pristine() {
            let sample = sample.expect("in memory");
            assert!(sample.distorted == sample.reference && sample.mos == PRISTINE_MOS);
        }
    }

    #[test]
    fn small_references_and_empty_sets_are_refused() {
        let large = SyntheticConfig { size: (90, 90), ..config() };
        let message = SyntheticGrid::new(references(1), &[0], large, 1).expect_err("too small").to_string();
        assert_eq!(message, "reference `r0` is 96x80, smaller than the crop of 90x90");
        assert!(SyntheticGrid::new(references(1), &[], config(), 1).is_err());
        for size in [(0, 0), (64, 0), (0, 48)] {
            let error = SyntheticTrain::new(references(1), &[0], SyntheticConfig { size, ..config() }, 1);
            assert!(matches!(error, Err(DatasetError::EmptyCrop { .. })), "{size:?}");
        }
        let nothing = SyntheticConfig { distortions: Vec::new(), ..config() };
        assert!(SyntheticTrain::new(references(1), &[0], nothing, 1).is_err());
    }

    #[test]
    fn a_folder_is_read_in_order_and_a_bad_file_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["b.png", "a.png"] {
            RgbImage::new(4, 4).save(folder.path().join(name)).expect("saves");
        }
        std::fs::write(folder.path().join("notes.txt"), "no image").expect("writes");
        let cache = ReferenceCache::new(1 << 10);
        let read = load_references(folder.path(), &cache).expect("reads");
        let found: Vec<_> =
            read.iter().map(|reference| (reference.name.as_str(), reference.path.clone())).collect();
        assert_eq!(found, ["a", "b"].map(|name| (name, folder.path().join(name).with_extension("png"))));
        std::fs::write(folder.path().join("c.png"), "no image").expect("writes");
        assert!(load_references(folder.path(), &cache).expect_err("damaged").to_string().contains("c.png"));
    }

    /// Samples are the same whatever of the photographs there is room for; one that is another by now is told.
    #[test]
    fn photographs_that_are_not_kept_are_read_again() {
        let folder = tempfile::tempdir().expect("a folder");
        for (number, reference) in references(4).iter().enumerate() {
            let path = folder.path().join(format!("{number}.png"));
            reference.image().expect("in memory").save(path).expect("saves");
        }
        let samples = |bytes| {
            let cache = ReferenceCache::new(bytes);
            let opened = Arc::new(load_references(folder.path(), &cache).expect("reads"));
            let train = SyntheticTrain::new(Arc::clone(&opened), &[0, 1], config(), 1).expect("fits");
            let grid = SyntheticGrid::new(opened, &[2, 3], config(), 1).expect("fits");
            let mut found = vec![format!("{:?}", (train.key(), grid.key()))];
            for index in 0..train.len() {
                for sample in [train.sample(1, index), grid.sample(index)] {
                    let sample = sample.expect("distorts");
                    found.push(sha256(sample.distorted.as_raw()) + &sha256(sample.reference.as_raw()));
                }
            }
            assert!(cache.bytes() <= bytes);
            found
        };
        let all = samples(1 << 20);
        assert_eq!(samples(0), all);
        assert_eq!(samples(2 * 96 * 80 * 3), all);

        let opened = load_references(folder.path(), &ReferenceCache::new(0)).expect("reads");
        let path = folder.path().join("1.png");
        for size in [(70, 70), opened[1].dimensions()] {
            RgbImage::new(size.0, size.1).save(&path).expect("saves");
            let error = opened[1].image().expect_err("another").to_string();
            assert_eq!(
                error,
                format!("{}: not the pixels that it had when it was first read", path.display())
            );
        }
        std::fs::remove_file(&path).expect("removes");
        assert!(opened[1].image().expect_err("gone").to_string().contains("1.png"));
    }
}
