//! One way to score images, whatever the model.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor};
use image::{DynamicImage, RgbImage};
use iqa_core::{DecodeOptions, Direction, NamedTensors, ScoreSpec, decode_image, read_image, to_rgb8};
use iqa_heads::HeadError;
use iqa_heads::wadiqam::{ImageScore, PatchMap, PreparedReference, ScoreOptions, Wadiqam};

use crate::ModelError;
use crate::registry::{ModelInfo, model_by_name};

/// An image in one of the forms a caller may have it in.
#[derive(Clone, Debug)]
pub enum ImageInput<'a> {
    /// An image file.
    Path(Cow<'a, Path>),
    /// The content of an image file.
    Bytes(&'a [u8]),
    /// A decoded image of any kind.
    Dynamic(&'a DynamicImage),
    /// RGB with 8 bits a channel.
    Rgb(&'a RgbImage),
}

impl<'a> From<&'a Path> for ImageInput<'a> {
    fn from(path: &'a Path) -> Self {
        Self::Path(path.into())
    }
}

impl<'a> From<&'a PathBuf> for ImageInput<'a> {
    fn from(path: &'a PathBuf) -> Self {
        Self::Path(path.as_path().into())
    }
}

impl<'a> From<&'a str> for ImageInput<'a> {
    fn from(path: &'a str) -> Self {
        Self::Path(Path::new(path).into())
    }
}

impl<'a> From<&'a [u8]> for ImageInput<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Bytes(bytes)
    }
}

impl<'a> From<&'a Vec<u8>> for ImageInput<'a> {
    fn from(bytes: &'a Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

impl<'a> From<&'a DynamicImage> for ImageInput<'a> {
    fn from(image: &'a DynamicImage) -> Self {
        Self::Dynamic(image)
    }
}

impl<'a> From<&'a RgbImage> for ImageInput<'a> {
    fn from(image: &'a RgbImage) -> Self {
        Self::Rgb(image)
    }
}

/// A score with what it means.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    /// The score; may lie a little outside [`Self::range`].
    pub value: f64,
    /// Which way it grows.
    pub direction: Direction,
    /// Nominal range, `(lowest, highest)`.
    pub range: (f64, f64),
    /// Each patch's share in it.
    pub patches: PatchMap,
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
    model: Wadiqam,
    name: &'static str,
    options: ScoreOptions,
    decode: DecodeOptions,
}

impl Scorer {
    /// A model with its bundled weights.
    ///
    /// # Errors
    /// [`ModelError::UnknownModel`], [`ModelError::WeightsNeeded`].
    pub fn new(name: &str, device: &Device) -> Result<Self, ModelError> {
        let info = model_by_name(name)?;
        let Some(bytes) = info.bundled else {
            return Err(ModelError::WeightsNeeded { name: info.name });
        };
        let tensors = NamedTensors::from_safetensors(bytes, format!("bundled weights of {name}"))?;
        Self::from_tensors(info, tensors, device)
    }

    /// A model with the weights of a file: ours, or one of the public ones that
    /// [`WeightLayout`](iqa_heads::wadiqam::WeightLayout) lists.
    ///
    /// # Errors
    /// [`ModelError::UnknownModel`], [`ModelError::Core`], [`ModelError::Head`].
    pub fn with_weights(name: &str, weights: impl AsRef<Path>, device: &Device) -> Result<Self, ModelError> {
        Self::from_tensors(model_by_name(name)?, NamedTensors::read(weights)?, device)
    }

    fn from_tensors(info: &ModelInfo, tensors: NamedTensors, device: &Device) -> Result<Self, ModelError> {
        let model = Wadiqam::from_tensors(tensors, &(info.config)(), device)?;
        Ok(Self {
            model,
            name: info.name,
            options: ScoreOptions::default(),
            decode: DecodeOptions::default(),
        })
    }

    /// Changes which patches are looked at.
    #[must_use]
    pub fn with_options(mut self, options: ScoreOptions) -> Self {
        self.options = options;
        self
    }

    /// Changes how files are decoded.
    #[must_use]
    pub fn with_decoding(mut self, decode: DecodeOptions) -> Self {
        self.decode = decode;
        self
    }

    /// The model's name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Direction, range and reference need of the scores.
    pub fn spec(&self) -> ScoreSpec {
        self.model.score_spec()
    }

    /// Scores a distorted image against its reference.
    ///
    /// # Errors
    /// [`ModelError::Core`] for a file that cannot be read; [`ModelError::Head`] (or [`ModelError::Pair`], which adds
    /// the file) for images of unequal or too small size, or a no-reference model.
    pub fn score_pair<'a>(
        &self,
        distorted: impl Into<ImageInput<'a>>,
        reference: impl Into<ImageInput<'a>>,
    ) -> Result<Score, ModelError> {
        let distorted = distorted.into();
        let image = self.open(&distorted)?;
        let reference = reference.into();
        let reference = self.open(&reference)?;
        self.named(&distorted, self.model.score(&image, Some(&reference), &self.options))
    }

    /// Scores an image without a reference.
    ///
    /// # Errors
    /// As [`Self::score_pair`].
    pub fn score_single<'a>(&self, distorted: impl Into<ImageInput<'a>>) -> Result<Score, ModelError> {
        let distorted = distorted.into();
        let image = self.open(&distorted)?;
        self.named(&distorted, self.model.score(&image, None, &self.options))
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
        let prepared = match reference {
            Some(reference) => Some(self.prepare(reference)?),
            None if self.model.config().is_full_reference() => return Err(HeadError::ReferenceMissing.into()),
            None => None,
        };
        Ok(distorted
            .into_iter()
            .map(|distorted| match &prepared {
                Some(prepared) => self.score_prepared(distorted, prepared),
                None => self.score_single(distorted),
            })
            .collect())
    }

    /// Computes and keeps the features of a reference.
    ///
    /// # Errors
    /// [`ModelError::Core`], [`ModelError::Head`].
    pub fn prepare<'a>(&self, reference: impl Into<ImageInput<'a>>) -> Result<PreparedReference, ModelError> {
        Ok(self.model.prepare(&*self.open(&reference.into())?, &self.options)?)
    }

    /// Scores a distorted image against a prepared reference: the score of [`Self::score_pair`] at half the work.
    ///
    /// # Errors
    /// As [`Self::score_pair`].
    pub fn score_prepared<'a>(
        &self,
        distorted: impl Into<ImageInput<'a>>,
        reference: &PreparedReference,
    ) -> Result<Score, ModelError> {
        let distorted = distorted.into();
        let image = self.open(&distorted)?;
        self.named(&distorted, self.model.score_prepared(&image, reference))
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
        Ok(self.model.score_tensor(distorted, reference, self.options.sampler)?)
    }

    fn open<'i>(&self, input: &'i ImageInput<'_>) -> Result<Cow<'i, RgbImage>, ModelError> {
        Ok(match input {
            ImageInput::Path(path) => Cow::Owned(read_image(path, &self.decode)?),
            ImageInput::Bytes(bytes) => Cow::Owned(decode_image(bytes, "image in memory", &self.decode)?),
            ImageInput::Dynamic(DynamicImage::ImageRgb8(image)) => Cow::Borrowed(image),
            ImageInput::Dynamic(image) => {
                Cow::Owned(to_rgb8((*image).clone(), "image in memory", &self.decode)?)
            }
            ImageInput::Rgb(image) => Cow::Borrowed(*image),
        })
    }

    /// Gives a score its meaning, and an error the name of its file.
    fn named(
        &self,
        input: &ImageInput<'_>,
        score: Result<ImageScore, HeadError>,
    ) -> Result<Score, ModelError> {
        let spec = self.spec();
        match (score, input) {
            (Ok(ImageScore { score, patches }), _) => {
                Ok(Score { value: score, direction: spec.direction, range: spec.range, patches })
            }
            (Err(source), ImageInput::Path(path)) => {
                Err(ModelError::Pair { distorted: path.to_path_buf(), source })
            }
            (Err(source), _) => Err(source.into()),
        }
    }
}
