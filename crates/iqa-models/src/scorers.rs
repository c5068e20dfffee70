//! Several models on the same images.

use std::borrow::Cow;

use image::RgbImage;
use iqa_core::{DecodeOptions, ReferenceNeed};
use iqa_nn::{ModelError, PreparedReference, ScoreError, Scored};

use crate::read_ahead::ReadAhead;
use crate::scorer::of;
use crate::{ImageInput, Preprocessing, Score, Scorer};

/// An image to score, with its reference where there is one.
#[derive(Clone, Debug)]
pub struct Pair<'a> {
    /// The image.
    pub distorted: ImageInput<'a>,
    /// Its pristine original.
    pub reference: Option<ImageInput<'a>>,
}

impl<'a> Pair<'a> {
    /// An image with its reference.
    pub fn new(distorted: impl Into<ImageInput<'a>>, reference: impl Into<ImageInput<'a>>) -> Self {
        Self { distorted: distorted.into(), reference: Some(reference.into()) }
    }

    /// An image alone.
    pub fn single(distorted: impl Into<ImageInput<'a>>) -> Self {
        Self { distorted: distorted.into(), reference: None }
    }
}

/// Several models that score the same images: each file is read and decoded once.
///
/// ```no_run
/// use iqa_models::{Device, ModelError, Pair, Scorer, Scorers};
/// let device = Device::flex();
/// let scorers = Scorers::new(vec![Scorer::new("psnr", &device)?, Scorer::new("wadiqam_fr", &device)?]);
/// let pairs = [Pair::new("restored/1.png", "originals/1.png"), Pair::new("restored/2.png", "originals/2.png")];
/// scorers.score_pairs(&pairs, |index, scores| {
///     for (scorer, score) in scorers.each().zip(scores?) {
///         println!("{index} {}: {}", scorer.name(), score?.value);
///     }
///     Ok::<(), ModelError>(())
/// })?;
/// # Ok::<(), ModelError>(())
/// ```
#[derive(Debug)]
pub struct Scorers {
    scorers: Vec<Scorer>,
    decode: DecodeOptions,
    preprocessing: Preprocessing,
}

/// The scores of one image, by each model; the outer error where the image or its reference could not be read.
pub type Scores = Result<Vec<Result<Score, ModelError>>, ModelError>;

/// The pictures that models were given, after [`Preprocessing`].
#[derive(Clone, Copy, Debug)]
pub struct Pictures<'a> {
    /// The image.
    pub distorted: &'a RgbImage,
    /// Its reference, if a model needs one and there is one.
    pub reference: Option<&'a RgbImage>,
}

impl Scorers {
    /// Of models whose files are decoded as usual, and scored without preprocessing.
    pub fn new(scorers: Vec<Scorer>) -> Self {
        let plain =
            Self { scorers, decode: DecodeOptions::default(), preprocessing: Preprocessing::default() };
        plain.with_decoding(DecodeOptions::default()).with_preprocessing(Preprocessing::default())
    }

    /// Changes how files are decoded, for all models.
    #[must_use]
    pub fn with_decoding(mut self, decode: DecodeOptions) -> Self {
        self.scorers = self.scorers.into_iter().map(|scorer| scorer.with_decoding(decode)).collect();
        Self { decode, ..self }
    }

    /// Changes what is done to images before they are scored, for all models.
    #[must_use]
    pub fn with_preprocessing(mut self, preprocessing: Preprocessing) -> Self {
        let with = |scorer: Scorer| scorer.with_preprocessing(preprocessing);
        self.scorers = self.scorers.into_iter().map(with).collect();
        Self { preprocessing, ..self }
    }

    /// The models, in their order.
    pub fn each(&self) -> impl Iterator<Item = &Scorer> {
        self.scorers.iter()
    }

    /// Scores images in their order by all models, and hands over the scores of each as they come, with its index. A
    /// model without need of a reference is given none. The next images are decoded while the models work, on all cores, as far as
    /// some 256 MiB of them wait; a reference that follows itself is decoded, and prepared, once.
    ///
    /// # Errors
    /// The first error of `each`, which ends the work. What concerns one image goes to `each`.
    pub fn score_pairs<E: From<ModelError>>(
        &self,
        pairs: &[Pair<'_>],
        mut each: impl FnMut(usize, Scores) -> Result<(), E>,
    ) -> Result<(), E> {
        self.score_pictures(pairs, |_| (), |index, (), _, scores| each(index, scores))
    }

    /// As [`Self::score_pairs`], with the pictures that were scored, to draw them, say; none where they could not be read. And
    /// with something to do before each image is read, in their order: what it gives comes with the scores. A
    /// digest of a file, say, that is to be of the picture that was scored, or of one before it.
    ///
    /// # Errors
    /// As [`Self::score_pairs`].
    pub fn score_pictures<T: Send, E: From<ModelError>>(
        &self,
        pairs: &[Pair<'_>],
        before: impl FnMut(usize) -> T + Send,
        mut each: impl FnMut(usize, T, Option<Pictures<'_>>, Scores) -> Result<(), E>,
    ) -> Result<(), E> {
        let is_same = |a: usize, b: usize| match (pairs.get(a), pairs.get(b)) {
            (Some(Pair { reference: Some(a), .. }), Some(Pair { reference: Some(b), .. })) => {
                self.preprocessing.resize_reference.is_none() && a.path().is_some() && a.path() == b.path()
            }
            _ => false,
        };
        let wanted =
            self.scorers.iter().any(|scorer| scorer.spec().reference == ReferenceNeed::FullReference);
        let follows = |index: usize| index > 0 && is_same(index - 1, index);
        let reference = |index: usize| pairs[index].reference.as_ref().filter(|_| wanted);
        let to_read = |index: usize| reference(index).filter(|_| !follows(index));
        let read = ReadAhead {
            count: pairs.len(),
            before,
            read: |index: usize| {
                self.read(&pairs[index].distorted, to_read(index), is_same(index, index + 1))
            },
            size: |index: usize| {
                let distorted = pairs[index].distorted.expected_bytes()?;
                let Some(reference) = to_read(index) else { return Some(distorted) };
                let reference = reference.expected_bytes()?;
                let resized = self.preprocessing.resize_reference.map_or(0, |_| distorted);
                Some(distorted.saturating_add(reference.max(resized)))
            },
        };
        let mut kept: Option<Kept<'_>> = None;
        read.each(|index, before, read| {
            if !follows(index) {
                kept = None;
            }
            let Read { distorted, reference: mut read } = read;
            // Where it could not be read for the image before, it cannot be read for this one either, but for another reason perhaps.
            if let (Ok(image), None, None, Some(reference)) = (&distorted, &read, &kept, reference(index)) {
                read = Some(self.read_reference(reference, image.dimensions()));
            }
            let error = match read {
                Some(Ok(image)) => {
                    let shared = is_same(index, index + 1);
                    let prepared = shared.then(|| self.scorers.iter().map(|_| None).collect());
                    kept = Some(Kept { image, prepared });
                    None
                }
                Some(Err(error)) => Some(error),
                None => None,
            };
            let distorted = match (distorted, error) {
                (Ok(distorted), None) => distorted,
                (Err(error), _) | (Ok(_), Some(error)) => return each(index, before, None, Err(error)),
            };
            let score = |(place, scorer): (usize, &Scorer)| {
                let score = score(scorer, place, &distorted, kept.as_mut());
                scorer.named(&pairs[index].distorted, score)
            };
            let scores = self.scorers.iter().enumerate().map(score).collect();
            let reference = kept.as_ref().map(|kept| &*kept.image);
            each(index, before, Some(Pictures { distorted: &distorted, reference }), Ok(scores))
        })
    }
}

/// A reference that the models are at.
struct Kept<'a> {
    image: Cow<'a, RgbImage>,
    /// What each model has prepared of it, where more than one image is scored against it.
    prepared: Option<Vec<Option<PreparedReference>>>,
}

fn score(
    scorer: &Scorer,
    place: usize,
    image: &RgbImage,
    reference: Option<&mut Kept<'_>>,
) -> Result<Scored, ModelError> {
    let model = scorer.model();
    if model.spec().reference == ReferenceNeed::NoReference {
        return model.score(image, None);
    }
    let reference = reference.ok_or(ScoreError::ReferenceMissing)?;
    let Some(prepared) = &mut reference.prepared else { return model.score(image, Some(&reference.image)) };
    let prepared = match &mut prepared[place] {
        Some(prepared) => prepared,
        none => none.insert(model.prepare(&reference.image)?),
    };
    model.score_prepared(image, prepared)
}

/// What the models are given next.
struct Read<'a> {
    distorted: Result<Cow<'a, RgbImage>, ModelError>,
    /// None where there is none, and where it is that of the image before.
    reference: Option<Result<Cow<'a, RgbImage>, ModelError>>,
}

impl Scorers {
    /// A reference that others share is read whether or not its first image can be: it may be a pipe, which is read in its turn or
    /// not at all.
    fn read<'a>(
        &self,
        distorted: &'a ImageInput<'_>,
        reference: Option<&'a ImageInput<'_>>,
        shared: bool,
    ) -> Read<'a> {
        let image = distorted.open(&self.decode);
        // A shared reference is not resized.
        let size = image.as_ref().map_or((0, 0), |image| image.dimensions());
        let image = image.map_err(ModelError::from);
        let image =
            image.and_then(|image| self.preprocessing.image(image).map_err(|error| of(distorted, error)));
        let reference = reference.filter(|_| shared || image.is_ok());
        Read { reference: reference.map(|reference| self.read_reference(reference, size)), distorted: image }
    }

    /// The reference of an image of `size`.
    fn read_reference<'a>(
        &self,
        reference: &'a ImageInput<'_>,
        size: (u32, u32),
    ) -> Result<Cow<'a, RgbImage>, ModelError> {
        let read = self.preprocessing.reference(reference.open(&self.decode)?, size);
        read.map_err(|error| of(reference, error))
    }
}
