//! Samples decoded on background threads while earlier ones are worked on.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use image::RgbImage;
use iqa_core::{DecodeOptions, read_image};

use crate::DatasetError;
use crate::dataset::DataSet;

/// A decoded sample.
#[derive(Clone, Debug)]
pub struct LoadedSample {
    /// Index in [`DataSet::samples`].
    pub index: usize,
    /// The rated image.
    pub distorted: RgbImage,
    /// Its reference, of the same size; shared with other samples through the cache.
    pub reference: Option<Arc<RgbImage>>,
}

/// Threads and read-ahead of a [`Loader`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoaderConfig {
    /// Background threads; 0 counts as 1.
    pub threads: usize,
    /// Samples decoded ahead of the one asked for, rounded up to a multiple of the threads.
    pub read_ahead: usize,
}

impl Default for LoaderConfig {
    /// Two threads, eight samples ahead.
    fn default() -> Self {
        Self { threads: 2, read_ahead: 8 }
    }
}

/// Decoded references, at most so many bytes of pixels of them; clones share one store, so that it outlasts an
/// epoch. The one used longest ago makes room first.
#[derive(Clone, Debug)]
pub struct ReferenceCache(Arc<Mutex<Store>>);

#[derive(Debug)]
struct Store {
    limit: usize,
    bytes: usize,
    /// Counts uses.
    clock: u64,
    images: HashMap<PathBuf, (Arc<RgbImage>, u64)>,
}

impl ReferenceCache {
    /// An empty cache; with 0 bytes it keeps nothing.
    pub fn new(bytes: usize) -> Self {
        Self(Arc::new(Mutex::new(Store { limit: bytes, bytes: 0, clock: 0, images: HashMap::new() })))
    }

    /// A cache that holds this image, and has no room for more.
    pub(crate) fn holding(path: &Path, image: RgbImage) -> Self {
        let cache = Self::new(image.as_raw().len());
        cache.store().insert(path, &Arc::new(image));
        cache
    }

    /// Bytes of pixels held now; never above the limit.
    pub fn bytes(&self) -> usize {
        self.store().bytes
    }

    /// The image at a path: the one held, or decoded now.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn load(&self, path: &Path) -> Result<Arc<RgbImage>, DatasetError> {
        self.load_checked(path, |_| Ok(()))
    }

    /// [`Self::load`], with a check of what is decoded now.
    pub(crate) fn load_checked(
        &self,
        path: &Path,
        check: impl FnOnce(&RgbImage) -> Result<(), DatasetError>,
    ) -> Result<Arc<RgbImage>, DatasetError> {
        if let Some(image) = self.store().get(path) {
            return Ok(image);
        }
        // Not under the lock: other threads go on. Two may decode the same reference, once.
        let image = Arc::new(read_image(path, &DecodeOptions::default())?);
        check(&image)?;
        self.store().insert(path, &image);
        Ok(image)
    }

    fn store(&self) -> std::sync::MutexGuard<'_, Store> {
        // No code under the lock leaves the store half-changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    fn get(&mut self, path: &Path) -> Option<Arc<RgbImage>> {
        self.clock += 1;
        let (image, used) = self.images.get_mut(path)?;
        *used = self.clock;
        Some(Arc::clone(image))
    }

    fn insert(&mut self, path: &Path, image: &Arc<RgbImage>) {
        let size = image.as_raw().len();
        if size > self.limit || self.images.contains_key(path) {
            return;
        }
        while self.bytes + size > self.limit {
            let oldest = self.images.iter().min_by_key(|(_, (_, used))| *used).map(|(path, _)| path.clone());
            let Some((removed, _)) = oldest.and_then(|path| self.images.remove(&path)) else { break };
            self.bytes -= removed.as_raw().len();
        }
        self.bytes += size;
        self.images.insert(path.into(), (Arc::clone(image), self.clock));
    }
}

/// The samples of a set in a given order, decoded on background threads: an iterator that yields one item for each
/// index, in that order whatever the threads do. An error takes the place of its sample; the others still come.
///
/// ```no_run
/// use iqa_datasets::loader::{Loader, LoaderConfig, ReferenceCache};
/// use iqa_datasets::{DataSet, DataSetKind, Strictness};
///
/// let set = DataSet::open(DataSetKind::Csiq, "data/csiq".as_ref(), Strictness::Strict)?;
/// let cache = ReferenceCache::new(256 << 20);
/// let order: Vec<usize> = (0..set.samples().len()).collect();
/// for sample in Loader::new(&set, &order, LoaderConfig::default(), &cache)? {
///     let sample = sample?;
///     let score = set.samples()[sample.index].raw;
/// }
/// # Ok::<(), iqa_datasets::DatasetError>(())
/// ```
#[derive(Debug)]
pub struct Loader {
    jobs: Arc<[Job]>,
    next: usize,
    /// One queue for each thread; sample `i` comes through queue `i % threads`.
    queues: Vec<Receiver<Result<LoadedSample, DatasetError>>>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Job {
    index: usize,
    distorted: PathBuf,
    reference: Option<PathBuf>,
}

impl Job {
    fn new(set: &DataSet, index: usize) -> Self {
        let sample = &set.samples()[index];
        Self { index, distorted: sample.distorted.clone(), reference: sample.reference.clone() }
    }
}

impl Loader {
    /// Starts decoding `order`, indices into the set's samples.
    ///
    /// # Errors
    /// [`DatasetError::Thread`] when the system gives no thread.
    ///
    /// # Panics
    /// When an index is not below the number of samples.
    pub fn new(
        set: &DataSet,
        order: &[usize],
        config: LoaderConfig,
        cache: &ReferenceCache,
    ) -> Result<Self, DatasetError> {
        let jobs: Arc<[Job]> = order.iter().map(|&index| Job::new(set, index)).collect();
        let threads = config.threads.clamp(1, jobs.len().max(1));
        // Beside its queue, each thread holds one sample more, until there is room.
        let room = config.read_ahead.div_ceil(threads).saturating_sub(1);
        let mut loader = Self { jobs, next: 0, queues: Vec::new(), threads: Vec::new() };
        for thread in 0..threads {
            let (queue, receiver) = sync_channel(room);
            let (jobs, cache) = (Arc::clone(&loader.jobs), cache.clone());
            let work = move || decode_each(jobs.iter().skip(thread).step_by(threads), &cache, &queue);
            let handle = std::thread::Builder::new()
                .name(format!("iqa-decode-{thread}"))
                .spawn(work)
                .map_err(|source| DatasetError::Thread { source })?;
            loader.queues.push(receiver);
            loader.threads.push(handle);
        }
        Ok(loader)
    }
}

impl Iterator for Loader {
    type Item = Result<LoadedSample, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        let job = self.jobs.get(self.next)?;
        let queue = &self.queues[self.next % self.queues.len()];
        self.next += 1;
        // A queue closes early only when a decoder panicked.
        Some(queue.recv().unwrap_or_else(|_| Err(DatasetError::Decoder { path: job.distorted.clone() })))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.jobs.len() - self.next;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Loader {}

impl Drop for Loader {
    /// Waits for the threads, which stop after the sample at hand.
    fn drop(&mut self) {
        self.queues.clear();
        for thread in self.threads.drain(..) {
            // A panic in a decoder has been told as an error.
            let _ = thread.join();
        }
    }
}

fn decode_each<'a>(
    jobs: impl Iterator<Item = &'a Job>,
    cache: &ReferenceCache,
    queue: &SyncSender<Result<LoadedSample, DatasetError>>,
) {
    for job in jobs {
        // Nobody listens any more: the loader was dropped.
        if queue.send(load(job, cache)).is_err() {
            return;
        }
    }
}

/// Decodes one sample of a set now.
///
/// # Errors
/// [`DatasetError::Image`], [`DatasetError::PairSize`].
///
/// # Panics
/// When the index is not below the number of samples.
pub fn load_sample(
    set: &DataSet,
    index: usize,
    cache: &ReferenceCache,
) -> Result<LoadedSample, DatasetError> {
    load(&Job::new(set, index), cache)
}

fn load(job: &Job, cache: &ReferenceCache) -> Result<LoadedSample, DatasetError> {
    let distorted = read_image(&job.distorted, &DecodeOptions::default())?;
    let reference = job.reference.as_deref().map(|path| cache.load(path)).transpose()?;
    if let (Some(path), Some(reference)) = (&job.reference, &reference)
        && reference.dimensions() != distorted.dimensions()
    {
        return Err(DatasetError::PairSize {
            distorted: job.distorted.clone(),
            found: distorted.dimensions(),
            reference: path.clone(),
            expected: reference.dimensions(),
        });
    }
    Ok(LoadedSample { index: job.index, distorted, reference })
}
