//! One way to score images, whatever the model.

use std::borrow::Cow;
use std::path::Path;

use burn::tensor::{Device, Tensor};
use image::RgbImage;
use iqa_core::ReferenceNeed::{self, FullReference, NoReference};
use iqa_core::{AlphaPolicy, DecodeOptions, Direction, Observer, PatchMap, ScoreSpec, Silent};
use iqa_heads::family_of;
use iqa_nn::{
    CheckedModel, Identity, ModelError, ModelInfo, NamedTensors, PreparedReference, QualityModel, Scored,
    WeightSource,
};

use crate::read_ahead::ReadAhead;
use crate::registry::{model_by_name, models};
use crate::{ImageInput, Preprocessing};

const WHITE: [u8; 3] = [255; 3];

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
///
/// [`Self::from_model`] takes a model of your own.
#[derive(Debug)]
pub struct Scorer {
    model: CheckedModel,
    decode: DecodeOptions,
    preprocessing: Preprocessing,
    remark: Option<String>,
}

impl Scorer {
    /// A model with its bundled weights.
    ///
    /// # Errors
    /// [`ModelError::UnknownModel`], [`ModelError::WeightsNeeded`].
    pub fn new(name: &str, device: &Device) -> Result<Self, ModelError> {
        Self::open(name, None, &[], device)
    }

    /// A model with the weights of a file: ours, or one of the public ones that
    /// [`WeightLayout`](iqa_heads::wadiqam::WeightLayout) lists.
    ///
    /// # Errors
    /// [`ModelError::UnknownModel`], [`ModelError::WeightsUnexpected`], and what reading the file gives.
    pub fn with_weights(name: &str, weights: impl AsRef<Path>, device: &Device) -> Result<Self, ModelError> {
        Self::open(name, Some(weights.as_ref()), &[], device)
    }

    /// A model by name, with its own weights or those of a file, and with some of its
    /// [options](iqa_nn::ModelInfo::options): `&[("patches", "32")]`, say.
    ///
    /// # Errors
    /// As [`Self::new`] and [`Self::with_weights`]; [`ModelError::UnknownOption`], [`ModelError::OptionValue`].
    pub fn open(
        name: &str,
        weights: Option<&Path>,
        options: &[(&str, &str)],
        device: &Device,
    ) -> Result<Self, ModelError> {
        Self::open_observed(name, weights, options, device, &Silent)
    }

    /// As [`Self::open`], with somebody who looks on where weights are downloaded first.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_observed(
        name: &str,
        weights: Option<&Path>,
        options: &[(&str, &str)],
        device: &Device,
        observer: &dyn Observer,
    ) -> Result<Self, ModelError> {
        let info = model_by_name(name)?;
        Self::of_tensors(info, weights.map(NamedTensors::read).transpose()?, options, device, observer)
    }

    fn of_tensors(
        info: &ModelInfo,
        tensors: Option<NamedTensors>,
        options: &[(&str, &str)],
        device: &Device,
        observer: &dyn Observer,
    ) -> Result<Self, ModelError> {
        let taken: Option<String> = tensors.as_ref().and_then(NamedTensors::remark).map(Into::into);
        let model = CheckedModel::new(info.open(tensors, options, device, observer)?).named(info.name);
        let assumed = model.remark().map(str::to_owned);
        let remarks: Vec<String> = taken.into_iter().chain(assumed).collect();
        Ok(Self { remark: (!remarks.is_empty()).then(|| remarks.join("; ")), ..Self::of(model) })
    }

    /// The model whose weights a file holds: the first one of that need whose network takes them, or, with `None`, of either.
    /// Weights of HIQA that learned from hallucinated references are those of `hiqa`, though `hiqa_oracle` could take them.
    /// Weights that go on top of a published network are not looked at: it would have to be there.
    ///
    /// # Errors
    /// [`ModelError::WeightsOfAnother`] where a model of the other kind takes them, [`ModelError::WeightsAmbiguous`] where models of
    /// both kinds do, [`ModelError::WeightsUnknown`] where none does, and as [`Self::open`].
    pub fn of_weights(
        weights: &Path,
        reference: Option<ReferenceNeed>,
        options: &[(&str, &str)],
        device: &Device,
    ) -> Result<Self, ModelError> {
        let tensors = NamedTensors::read(weights)?;
        let open = |info, options| Self::of_tensors(info, Some(tensors.clone()), options, device, &Silent);
        let whole = |info: &&ModelInfo| {
            matches!(info.weights(), Some(WeightSource::Bundled(..) | WeightSource::File(_)))
        };
        let of_need = |need| {
            let mut of_need = models().filter(whole).filter(move |info| info.reference == need);
            of_need.find_map(|info| Some((info, open(info, &[]).ok()?)))
        };
        let path = weights.to_path_buf();
        let (info, scorer) = match (of_need(FullReference), of_need(NoReference)) {
            (None, None) => return Err(ModelError::WeightsUnknown { path }),
            (Some(found), None) | (None, Some(found)) => found,
            // What is ours says of which model it is; of HIQA's there are two, one of each kind.
            (Some(full), Some(alone)) if family_of(&tensors).is_some() => {
                let learned_otherwise = full.1.model.remark().is_some();
                if learned_otherwise || reference == Some(NoReference) { alone } else { full }
            }
            (Some((full, _)), Some((alone, _))) => {
                let names = match reference {
                    Some(NoReference) => [alone.name, full.name],
                    _ => [full.name, alone.name],
                };
                return Err(ModelError::WeightsAmbiguous { path, names });
            }
        };
        if reference.is_some_and(|need| need != info.reference) {
            return Err(ModelError::WeightsOfAnother { path, name: info.name, reference: info.reference });
        }
        if options.is_empty() { Ok(scorer) } else { open(info, options) }
    }

    /// A model of your own.
    pub fn from_model(model: impl QualityModel + 'static) -> Self {
        Self::of(CheckedModel::new(Box::new(model)))
    }

    fn of(model: CheckedModel) -> Self {
        let (decode, preprocessing) = (DecodeOptions::default(), Preprocessing::default());
        Self { model, decode, preprocessing, remark: None }
    }

    /// Changes how files are decoded.
    #[must_use]
    pub fn with_decoding(self, decode: DecodeOptions) -> Self {
        // An image that `AlphaPolicy::Refuse` lets through has no transparency: its score is that over any colour.
        let background = match decode.alpha {
            AlphaPolicy::Composite(WHITE) | AlphaPolicy::Refuse => String::new(),
            AlphaPolicy::Composite([r, g, b]) => format!("over #{r:02x}{g:02x}{b:02x}"),
        };
        let model = self.model.with_identity("background of transparent images", background);
        Self { model, decode, ..self }
    }

    /// Changes what is done to images before they are scored. A reference of another size is resized where it is given together
    /// with its image; one that is prepared keeps its size.
    #[must_use]
    pub fn with_preprocessing(self, preprocessing: Preprocessing) -> Self {
        let model = self.model.with_identity("preprocessing", preprocessing.identity());
        Self { model, preprocessing, ..self }
    }

    /// The model, as an evaluation takes it.
    pub fn model(&self) -> &CheckedModel {
        &self.model
    }

    /// What the user should know of the weights: which were taken of a file that holds averaged ones beside those as
    /// trained, and what had to be assumed of weights without their configuration.
    pub fn weights_remark(&self) -> Option<&str> {
        self.remark.as_deref()
    }

    /// What the scores depend on, besides the images.
    pub fn identity(&self) -> &Identity {
        self.model.identity()
    }

    /// The model's name.
    pub fn name(&self) -> &str {
        self.model.name()
    }

    /// Direction, range and reference need of the scores.
    pub fn spec(&self) -> ScoreSpec {
        self.model.spec()
    }

    /// Scores a distorted image against its reference.
    ///
    /// # Errors
    /// [`ModelError::Core`] for a file that cannot be read; [`ModelError::Score`] (in a [`ModelError::Pair`], which
    /// names the file, where there is one) for images of unequal or too small size, or a no-reference model.
    pub fn score_pair<'a>(
        &self,
        distorted: impl Into<ImageInput<'a>>,
        reference: impl Into<ImageInput<'a>>,
    ) -> Result<Score, ModelError> {
        self.model.check_reference(true)?;
        let (distorted, reference) = (distorted.into(), reference.into());
        let image = distorted.open(&self.decode)?;
        let original = reference.open(&self.decode)?;
        let original = self.preprocessing.reference(original, image.dimensions());
        let original = original.map_err(|error| of(&reference, error))?;
        let image = self.preprocessing.image(image).map_err(|error| of(&distorted, error))?;
        self.named(&distorted, self.model.score(&image, Some(&original)))
    }

    /// Scores an image without a reference.
    ///
    /// # Errors
    /// As [`Self::score_pair`].
    pub fn score_single<'a>(&self, distorted: impl Into<ImageInput<'a>>) -> Result<Score, ModelError> {
        let distorted = distorted.into();
        let image = self.read(&distorted)?;
        self.named(&distorted, self.score_decoded(&image, None))
    }

    /// Scores many images, in their order; one that fails does not stop the others. `reference` is the same for all:
    /// it is prepared once, and must be given to a full-reference model. [`Scorers`](crate::Scorers) takes a reference for each.
    ///
    /// ```no_run
    /// # use iqa_models::{Device, Scorer};
    /// let scores = Scorer::new("wadiqam_nr", &Device::flex())?.score_batch(["a.png", "b.png"], None)?;
    /// # Ok::<(), iqa_models::ModelError>(())
    /// ```
    ///
    /// # Errors
    /// When the reference cannot be read, is missing, or is not wanted.
    pub fn score_batch<'a>(
        &self,
        distorted: impl IntoIterator<Item: Into<ImageInput<'a>>>,
        reference: Option<ImageInput<'a>>,
    ) -> Result<Vec<Result<Score, ModelError>>, ModelError> {
        let prepared = reference.map(|reference| self.prepare(reference)).transpose()?;
        let inputs: Vec<ImageInput<'a>> = distorted.into_iter().map(Into::into).collect();
        let mut scores = Vec::with_capacity(inputs.len());
        self.score_each(&inputs, prepared.as_ref(), |_, score| {
            scores.push(score);
            Ok::<(), ModelError>(())
        })?;
        Ok(scores)
    }

    /// Scores many images, in their order, and hands over each score as it comes, with the image's index. The next
    /// images are decoded while the network works, on all cores, as far as some 256 MiB of them wait.
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
        self.model.check_reference(reference.is_some())?;
        let read = ReadAhead {
            count: distorted.len(),
            before: |_| (),
            read: |index: usize| self.read(&distorted[index]),
            size: |index: usize| distorted[index].expected_bytes(),
        };
        read.each(|index, (), image| {
            let score =
                image.and_then(|image| self.named(&distorted[index], self.score_decoded(&image, reference)));
            each(index, score)
        })
    }

    /// Computes and keeps what the model needs of a reference.
    ///
    /// # Errors
    /// [`ModelError::Core`], [`ModelError::Score`].
    pub fn prepare<'a>(&self, reference: impl Into<ImageInput<'a>>) -> Result<PreparedReference, ModelError> {
        self.model.check_reference(true)?;
        let reference = reference.into();
        let image = self.read(&reference)?;
        self.model.prepare(&image)
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
        let image = self.read(&distorted)?;
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
    /// [`ModelError::Score`]; [`ModelError::ImagesOnly`] of FSIM, FSIMc, VIF and VIFp.
    pub fn score_tensors(
        &self,
        distorted: Tensor<4>,
        reference: Option<Tensor<4>>,
    ) -> Result<Tensor<1>, ModelError> {
        self.model.score_tensors(distorted, reference)
    }

    /// An image as the model is given it; a reference in the size that it has.
    fn read<'a>(&self, input: &'a ImageInput<'_>) -> Result<Cow<'a, RgbImage>, ModelError> {
        let image = input.open(&self.decode)?;
        self.preprocessing.image(image).map_err(|error| of(input, error))
    }

    fn score_decoded(
        &self,
        image: &RgbImage,
        reference: Option<&PreparedReference>,
    ) -> Result<Scored, ModelError> {
        match reference {
            None => self.model.score(image, None),
            Some(reference) => self.model.score_prepared(image, reference),
        }
    }

    /// Gives a score its meaning, and an error the name of its file.
    pub(crate) fn named(
        &self,
        input: &ImageInput<'_>,
        score: Result<Scored, ModelError>,
    ) -> Result<Score, ModelError> {
        let spec = self.spec();
        let Scored { score, patches } = score.map_err(|error| of(input, error))?;
        Ok(Score { value: score, direction: spec.direction, range: spec.range, patches })
    }
}

/// An error with the name of its file, if it has one.
pub(crate) fn of(input: &ImageInput<'_>, error: ModelError) -> ModelError {
    match input.path() {
        Some(path) => ModelError::Pair { distorted: path.into(), source: Box::new(error) },
        None => error,
    }
}
