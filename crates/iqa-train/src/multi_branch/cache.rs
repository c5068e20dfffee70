//! What the frozen branch says of pairs it has seen.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

use image::RgbImage;

/// The distances of the frozen branch by the pixels of a pair, in memory. One cache can serve the runs of many seeds and
/// branch settings, as long as the frozen branch is the same.
///
/// A pair takes four bytes a channel: 5.6 KB for VGG16, so 230 MB for the four flips of all KADID-10k.
#[derive(Clone, Debug, Default)]
pub struct FrozenCache(Arc<Mutex<HashMap<u64, Arc<[f32]>>>>);

impl FrozenCache {
    /// An empty cache.
    pub fn new() -> Self {
        Self::default()
    }

    /// Pairs in it.
    pub fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The distances of a pair, computed where it is new. Two threads with the same new pair both compute it.
    pub(super) fn get(
        &self,
        distorted: &RgbImage,
        reference: Option<&RgbImage>,
        compute: impl FnOnce() -> Vec<f32>,
    ) -> Arc<[f32]> {
        let mut hasher = DefaultHasher::new();
        (distorted.dimensions(), distorted.as_raw(), reference.map(RgbImage::as_raw)).hash(&mut hasher);
        let key = hasher.finish();
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = lock().get(&key) {
            return Arc::clone(found);
        }
        let values: Arc<[f32]> = compute().into();
        lock().insert(key, Arc::clone(&values));
        values
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_is_computed_once_and_its_two_images_have_their_places() {
        let cache = FrozenCache::new();
        let (a, b) = (RgbImage::new(2, 3), RgbImage::from_pixel(2, 3, image::Rgb([1, 2, 3])));
        assert_eq!(*cache.get(&a, Some(&b), || vec![1.0]), [1.0]);
        assert_eq!(*cache.get(&a, Some(&b), || unreachable!("kept")), [1.0]);
        assert_eq!(*cache.get(&b, Some(&a), || vec![2.0]), [2.0]);
        assert_eq!(
            *cache.get(&RgbImage::new(3, 2), Some(&b), || vec![3.0]),
            [3.0],
            "another shape of the same pixels"
        );
        assert_eq!(cache.len(), 3);
    }
}
