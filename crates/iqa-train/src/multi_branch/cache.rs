//! What the frozen branch says of images it has seen.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use image::RgbImage;
use iqa_backbones::Backbone;
use iqa_core::{CoreError, lock, output_target, sha256};

use super::run::fingerprint;
use crate::TrainError;

/// First bytes of a file.
const MAGIC: &[u8; 16] = b"iqa features v2\n";
/// Bytes of the name of an image or pair, and of the check at the end of a record: hexadecimal digits of a digest.
const KEY: usize = 32;

/// The features of the frozen branch by the pixels of an image or pair, in memory, and in a file if asked. One cache can
/// serve the runs of many seeds and branch settings, as long as the frozen branch is the same.
///
/// A pair takes four bytes a channel: 5.6 KB for VGG16, so 230 MB for the four flips of all KADID-10k.
#[derive(Clone, Debug, Default)]
pub struct FrozenCache(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    features: HashMap<[u8; KEY], Arc<[f32]>>,
    file: Option<(File, PathBuf)>,
    /// Whether this run has made the file.
    made: bool,
}

impl Drop for Kept {
    /// A file of no features, of a run that was refused, is not left behind.
    fn drop(&mut self) {
        if let (true, true, Some((_, path))) = (self.made, self.features.is_empty(), &self.file)
            && let Ok(file) = output_target(path)
        {
            let _ = std::fs::remove_file(file);
        }
    }
}

impl FrozenCache {
    /// An empty cache, in memory alone.
    pub fn new() -> Self {
        Self::default()
    }

    /// A cache that is also written to a file, and starts with what is there. What a killed run left half written at its
    /// end is cut off; a record that was damaged since is computed again.
    ///
    /// # Errors
    /// [`TrainError::FeatureFile`] for a file of something else, or of another frozen branch or other features of it;
    /// [`TrainError::Core`] when it cannot be read or written, or another run is writing it.
    pub fn open(path: &Path, frp: &Backbone, features: usize) -> Result<Self, TrainError> {
        let failed = |source| TrainError::from(CoreError::Io { path: path.into(), source });
        let header = format!("{} {features:8}\n", fingerprint(frp)?);
        let made = !path.exists();
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path).map_err(failed)?;
        lock(&file, path)?;
        let length = file.metadata().map_err(failed)?.len();
        let mut kept = Kept::default();
        if length == 0 {
            file.write_all(MAGIC).and_then(|()| file.write_all(header.as_bytes())).map_err(failed)?;
        } else {
            let mut reader = BufReader::new(&file);
            let mut found = vec![0; MAGIC.len() + header.len()];
            let told = reader.read_exact(&mut found);
            if told.is_err() || !found.starts_with(MAGIC) || !found.ends_with(header.as_bytes()) {
                return Err(TrainError::FeatureFile { path: path.into() });
            }
            let mut record = vec![0; KEY + 4 * features + KEY];
            let mut whole = found.len() as u64;
            while whole + record.len() as u64 <= length {
                reader.read_exact(&mut record).map_err(failed)?;
                whole += record.len() as u64;
                let (content, check) = record.split_at(KEY + 4 * features);
                if check != digits(content) {
                    continue;
                }
                let (key, values) = content.split_at(KEY);
                let values = values.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
                kept.features.insert(key.try_into().expect("as many bytes"), values);
            }
            file.set_len(whole).map_err(failed)?;
        }
        kept.file = Some((file, path.into()));
        kept.made = made;
        Ok(Self(Arc::new(Mutex::new(kept))))
    }

    /// Images or pairs in it.
    pub fn len(&self) -> usize {
        self.lock().features.len()
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The features of an image or pair, computed where it is new. Two threads with the same new one both compute it.
    pub(super) fn get(
        &self,
        distorted: &RgbImage,
        reference: Option<&RgbImage>,
        compute: impl FnOnce() -> Vec<f32>,
    ) -> Result<Arc<[f32]>, TrainError> {
        let key = key(distorted, reference);
        if let Some(found) = self.lock().features.get(&key) {
            return Ok(Arc::clone(found));
        }
        let values: Arc<[f32]> = compute().into();
        let mut kept = self.lock();
        if kept.features.insert(key, Arc::clone(&values)).is_none()
            && let Some((file, path)) = &mut kept.file
        {
            let mut record = key.to_vec();
            record.extend(values.iter().flat_map(|value| value.to_le_bytes()));
            record.extend(digits(&record));
            file.write_all(&record).map_err(|source| CoreError::Io { path: path.clone(), source })?;
        }
        Ok(values)
    }
}

/// The name of an image or pair, by its pixels.
fn key(distorted: &RgbImage, reference: Option<&RgbImage>) -> [u8; KEY] {
    let of = |image: &RgbImage| format!("{}x{} {}", image.width(), image.height(), sha256(image));
    digits(format!("{} {}", of(distorted), reference.map(of).unwrap_or_default()).as_bytes())
}

fn digits(bytes: &[u8]) -> [u8; KEY] {
    *sha256(bytes).as_bytes().first_chunk().expect("sixty-four digits")
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use iqa_heads::multi_branch::{Branches, MultiBranchConfig};

    use super::*;

    fn images() -> (RgbImage, RgbImage) {
        (RgbImage::new(2, 3), RgbImage::from_pixel(2, 3, image::Rgb([1, 2, 3])))
    }

    #[test]
    fn a_pair_is_computed_once_and_its_two_images_have_their_places() {
        let cache = FrozenCache::new();
        let (a, b) = images();
        let get = |a: &RgbImage, b: Option<&RgbImage>, compute: fn() -> Vec<f32>| {
            cache.get(a, b, compute).expect("no file").to_vec()
        };
        assert_eq!(get(&a, Some(&b), || vec![1.0]), [1.0]);
        assert_eq!(get(&a, Some(&b), || unreachable!("kept")), [1.0]);
        assert_eq!(get(&b, Some(&a), || vec![2.0]), [2.0]);
        let other = RgbImage::new(3, 2);
        assert_eq!(get(&other, Some(&b), || vec![3.0]), [3.0], "another shape of the same pixels");
        assert_eq!(get(&a, None, || vec![4.0]), [4.0]);
        assert_eq!(cache.len(), 4);
    }

    #[test]
    fn a_file_goes_on_where_it_was_cut_and_belongs_to_one_network() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("features");
        let device = Device::flex();
        let frp = MultiBranchConfig::lite(Branches::FrozenNr).tiny().frp().init(&device);
        let (a, b) = images();
        // Of a run that was refused.
        drop(FrozenCache::open(&path, &frp, 2).expect("opens"));
        assert!(!path.exists());
        let cache = FrozenCache::open(&path, &frp, 2).expect("opens");
        for (image, value) in [(&a, 1.0), (&b, 2.0)] {
            cache.get(image, None, || vec![value, -value]).expect("writes");
        }
        drop(cache);
        // Killed in the middle of the second record.
        let length = std::fs::metadata(&path).expect("there").len();
        OpenOptions::new().write(true).open(&path).and_then(|file| file.set_len(length - 3)).expect("cuts");
        let cache = FrozenCache::open(&path, &frp, 2).expect("opens");
        assert_eq!(*cache.get(&a, None, || unreachable!("kept")).expect("kept"), [1.0, -1.0]);
        assert_eq!(cache.len(), 1);
        cache.get(&b, None, || vec![2.0, -2.0]).expect("writes");
        drop(cache);
        assert_eq!(std::fs::metadata(&path).expect("there").len(), length);
        let cache = FrozenCache::open(&path, &frp, 2).expect("opens");
        assert_eq!(cache.len(), 2);
        let second = FrozenCache::open(&path, &frp, 2).expect_err("one run at a time");
        assert!(matches!(second, TrainError::Core(CoreError::InUse { .. })), "{second}");
        drop(cache);

        // A bit of the second record changes.
        let mut bytes = std::fs::read(&path).expect("reads");
        let last = bytes.len() - KEY - 1;
        bytes[last] ^= 1;
        std::fs::write(&path, bytes).expect("writes");
        let cache = FrozenCache::open(&path, &frp, 2).expect("opens");
        assert_eq!(cache.len(), 1);
        assert_eq!(*cache.get(&b, None, || vec![2.0, -2.0]).expect("writes"), [2.0, -2.0]);
        drop(cache);
        let cache = FrozenCache::open(&path, &frp, 2).expect("opens");
        assert_eq!(*cache.get(&b, None, || unreachable!("kept")).expect("kept"), [2.0, -2.0]);
        drop(cache);

        let other = MultiBranchConfig::lite(Branches::FrozenNr).tiny().frp().init(&device);
        for (frp, features) in [(&frp, 3), (&other, 2)] {
            let error = FrozenCache::open(&path, frp, features).expect_err("another network");
            assert!(matches!(error, TrainError::FeatureFile { .. }), "{error}");
        }
        std::fs::write(&path, b"something else").expect("writes");
        assert!(FrozenCache::open(&path, &frp, 2).is_err());
        assert_eq!(std::fs::read(&path).expect("reads"), b"something else");
    }
}
