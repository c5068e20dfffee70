//! One way to score images, whatever the model.

use std::any::Any;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use burn::tensor::{Device, Tensor};
use image::RgbImage;
use iqa_core::{DecodeOptions, Direction, NamedTensors, ReferenceNeed, ScoreSpec, sha256, sha256_of_file};
use iqa_heads::HeadError;
use iqa_heads::wadiqam::{PatchMap, ScoreOptions};

use crate::models::{AnyModel, Scored};
use crate::registry::model_by_name;
use crate::{Identity, ImageInput, ModelError};

/// Decoded images that wait for the network in [`Scorer::score_each`]; one more is being decoded.
const READ_AHEAD: usize = 1;

/// A score with what it means.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    /// The score; may lie outside [`Self::range`], see [`Self::in_range`].
    pub value: f64,
    /// Which way it grows.
    pub direction: Direction,
    /// Nominal range, `(lowest, highest)`.
    pub range: (f64, f64),
    /// Each patch's share in it, where the model scores patches.
    pub patches: Option<PatchMap>,
}

impl Score {
    /// Whether the score lies in the nominal range, its ends included.
    ///
    /// No model's score is clamped: a network may leave the range of the scores that it was trained on, on images unlike
    /// those of its training above all, and by how much is worth knowing.
    pub fn in_range(&self) -> bool {
        let (low, high) = self.range;
        (low..=high).contains(&self.value)
    }
}

/// A reference image of which a model keeps what it needs, to score many distorted versions of it.
///
/// Only the scorer that made it, or one of the same [`Identity`], can use it.
#[derive(Clone, Debug)]
pub struct PreparedReference {
    made_by: Arc<Identity>,
    kept: Arc<dyn Any + Send + Sync>,
}

/// A model on a device, ready to score. `Send + Sync`: one can serve many threads.
///
/// ```
/// use iqa_models::{Device, Scorer};
/// # let picture = |step: u32| image::RgbImage::from_fn(64, 64, |x, y| image::Rgb([(x * y / step * step) as u8; 3]));
/// # let (reference, distorted) = (picture(1), picture(40));
/// let scorer = Scorer::new("wadiqam_fr", &Device::flex())?;
/// // Paths, file contents and decoded images all do.
/// let score = scorer.score_pair(&distorted, &reference)?;
/// println!("{:.3} of {:?}, {}", score.value, score.range, score.direction);
///
/// // Many versions of one reference: its features are computed once.
/// let prepared = scorer.prepare(&reference)?;
/// assert_eq!(scorer.score_prepared(&distorted, &prepared)?.value, score.value);
/// # Ok::<(), iqa_models::ModelError>(())
/// ```
#[derive(Debug)]
pub struct Scorer {
    model: Box<dyn AnyModel>,
    options: ScoreOptions,
    decode: DecodeOptions,
    remark: Option<String>,
    /// Shared with the references that this scorer prepares.
    identity: Arc<Identity>,
}

impl Scorer {
    /// A model with its bundled weights.
    ///
    /// # Errors
    /// [`ModelError::UnknownModel`], [`ModelError::WeightsNeeded`].
    pub fn new(name: &str, device: &Device) -> Result<Self, ModelError> {
        let info = model_by_name(name)?;
        let model = info.open_bundled(device)?;
        let weights = info.bundled_weights().map_or_else(|| "none".into(), sha256);
        Ok(Self::of(model, Identity::new(info.name, weights, device)))
    }

    /// A model with the weights of a file: ours, or one of the public ones that
    /// [`WeightLayout`](iqa_heads::wadiqam::WeightLayout) lists.
    ///
    /// # Errors
    /// [`ModelError::UnknownModel`], [`ModelError::Core`], [`ModelError::Head`].
    pub fn with_weights(name: &str, weights: impl AsRef<Path>, device: &Device) -> Result<Self, ModelError> {
        let info = model_by_name(name)?;
        let tensors = NamedTensors::read(&weights)?;
        let remark = tensors.remark().map(Into::into);
        let model = info.open(tensors, device)?;
        let identity = Identity::new(info.name, sha256_of_file(weights.as_ref())?, device);
        Ok(Self { remark, ..Self::of(model, identity) })
    }

    fn of(model: Box<dyn AnyModel>, identity: Identity) -> Self {
        Self {
            model,
            options: ScoreOptions::default(),
            decode: DecodeOptions::default(),
            remark: None,
            identity: Arc::new(identity),
        }
    }

    /// Changes which patches are looked at; for patch networks, see [`Self::has_options`].
    #[must_use]
    pub fn with_options(mut self, options: ScoreOptions) -> Self {
        if self.has_options() {
            Arc::make_mut(&mut self.identity).look_at(options.sampler);
        }
        self.options = options;
        self
    }

    /// Changes how files are decoded.
    #[must_use]
    pub fn with_decoding(mut self, decode: DecodeOptions) -> Self {
        Arc::make_mut(&mut self.identity).decode(decode.alpha);
        self.decode = decode;
        self
    }

    /// What the user should know of the weights: which were taken of a file that holds averaged ones beside those as
    /// trained.
    pub fn weights_remark(&self) -> Option<&str> {
        self.remark.as_deref()
    }

    /// Whether [`ScoreOptions`] change the scores: those of DIQaM and WaDIQaM, and of no other model.
    pub fn has_options(&self) -> bool {
        self.model.has_options()
    }

    /// What the scores depend on, besides the images.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The model's name.
    pub fn name(&self) -> &'static str {
        self.identity.model()
    }

    /// Direction, range and reference need of the scores.
    pub fn spec(&self) -> ScoreSpec {
        self.model.spec()
    }

    /// Scores a distorted image against its reference.
    ///
    /// # Errors
    /// [`ModelError::Core`] for a file that cannot be read; [`ModelError::Head`] (in a [`ModelError::Pair`], which
    /// names the file, where there is one) for images of unequal or too small size, or a no-reference model.
    pub fn score_pair<'a>(
        &self,
        distorted: impl Into<ImageInput<'a>>,
        reference: impl Into<ImageInput<'a>>,
    ) -> Result<Score, ModelError> {
        self.reference_is_given(true)?;
        let distorted = distorted.into();
        let image = distorted.open(&self.decode)?;
        let reference = reference.into();
        let reference = reference.open(&self.decode)?;
        self.named(&distorted, self.model.score(&image, Some(&reference), &self.options))
    }

    /// Scores an image without a reference.
    ///
    /// # Errors
    /// As [`Self::score_pair`].
    pub fn score_single<'a>(&self, distorted: impl Into<ImageInput<'a>>) -> Result<Score, ModelError> {
        let distorted = distorted.into();
        let image = distorted.open(&self.decode)?;
        self.named(&distorted, self.score_decoded(&image, None))
    }

    /// Scores many images, in their order; one that fails does not stop the others. `reference` is the same for all:
    /// it is prepared once, and must be given to a full-reference model.
    ///
    /// # Errors
    /// When the reference cannot be read, is missing, or is not wanted.
    pub fn score_batch<'a>(
        &self,
        distorted: impl IntoIterator<Item = ImageInput<'a>>,
        reference: Option<ImageInput<'a>>,
    ) -> Result<Vec<Result<Score, ModelError>>, ModelError> {
        let prepared = reference.map(|reference| self.prepare(reference)).transpose()?;
        let inputs: Vec<ImageInput<'a>> = distorted.into_iter().collect();
        let mut scores = Vec::with_capacity(inputs.len());
        self.score_each(&inputs, prepared.as_ref(), |_, score| {
            scores.push(score);
            Ok::<(), ModelError>(())
        })?;
        Ok(scores)
    }

    /// Scores many images, in their order, and hands over each score as it comes, with the image's index. The next
    /// image is decoded while the network works.
    ///
    /// # Errors
    /// A reference that is missing or not wanted, before anything is scored; the first error of `each`, which ends
    /// the work. What concerns one image goes to `each`.
    pub fn score_each<E: From<ModelError>>(
        &self,
        distorted: &[ImageInput<'_>],
        reference: Option<&PreparedReference>,
        mut each: impl FnMut(usize, Result<Score, ModelError>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.reference_is_given(reference.is_some())?;
        std::thread::scope(|scope| {
            // Dropped at the end of this closure, before the thread is waited for.
            let (sender, images) = sync_channel(READ_AHEAD);
            scope.spawn(move || {
                for input in distorted {
                    if sender.send(input.open(&self.decode)).is_err() {
                        return;
                    }
                }
            });
            for (index, image) in images.iter().enumerate() {
                let score = image
                    .map_err(ModelError::from)
                    .and_then(|image| self.named(&distorted[index], self.score_decoded(&image, reference)));
                each(index, score)?;
            }
            Ok(())
        })
    }

    /// Computes and keeps what the model needs of a reference.
    ///
    /// # Errors
    /// [`ModelError::Core`], [`ModelError::Head`].
    pub fn prepare<'a>(&self, reference: impl Into<ImageInput<'a>>) -> Result<PreparedReference, ModelError> {
        self.reference_is_given(true)?;
        let reference = reference.into();
        let kept = self.model.prepare(&*reference.open(&self.decode)?, &self.options)?;
        Ok(PreparedReference { made_by: Arc::clone(&self.identity), kept })
    }

    /// Scores a distorted image against a prepared reference: the score of [`Self::score_pair`] at half the work.
    ///
    /// # Errors
    /// As [`Self::score_pair`]; [`ModelError::ForeignReference`] for a reference prepared by a scorer of another
    /// [`Identity`].
    pub fn score_prepared<'a>(
        &self,
        distorted: impl Into<ImageInput<'a>>,
        reference: &PreparedReference,
    ) -> Result<Score, ModelError> {
        let distorted = distorted.into();
        let image = distorted.open(&self.decode)?;
        self.named(&distorted, self.score_decoded(&image, Some(reference)))
    }

    /// Scores a batch of tensors; differentiable with respect to them when they are on an autodiff device and the
    /// scorer was opened on it.
    ///
    /// # Shapes
    /// - both: `[n, 3, height, width]`, RGB in `[0, 1]`
    /// - returns `[n]`
    ///
    /// # Errors
    /// [`ModelError::Head`].
    pub fn score_tensors(
        &self,
        distorted: Tensor<4>,
        reference: Option<Tensor<4>>,
    ) -> Result<Tensor<1>, ModelError> {
        self.reference_is_given(reference.is_some())?;
        self.model.score_tensors(distorted, reference, &self.options)
    }

    fn reference_is_given(&self, given: bool) -> Result<(), ModelError> {
        match (self.spec().reference, given) {
            (ReferenceNeed::FullReference, false) => Err(HeadError::ReferenceMissing.into()),
            (ReferenceNeed::NoReference, true) => Err(HeadError::ReferenceUnexpected.into()),
            _ => Ok(()),
        }
    }

    fn score_decoded(
        &self,
        image: &RgbImage,
        reference: Option<&PreparedReference>,
    ) -> Result<Scored, ModelError> {
        self.reference_is_given(reference.is_some())?;
        match reference {
            None => self.model.score(image, None, &self.options),
            Some(reference) => match self.identity.difference(&reference.made_by) {
                Some((what, expected, found)) => Err(ModelError::ForeignReference { what, expected, found }),
                None => self.model.score_prepared(image, &*reference.kept),
            },
        }
    }

    /// Gives a score its meaning, and an error the name of its file.
    fn named(&self, input: &ImageInput<'_>, score: Result<Scored, ModelError>) -> Result<Score, ModelError> {
        let spec = self.spec();
        match (score, input) {
            (Ok(Scored { score, patches }), _) => {
                Ok(Score { value: score, direction: spec.direction, range: spec.range, patches })
            }
            (Err(source), ImageInput::Path(path)) => {
                Err(ModelError::Pair { distorted: path.to_path_buf(), source: Box::new(source) })
            }
            (Err(source), _) => Err(source),
        }
    }
}
