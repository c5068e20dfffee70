//! Distances between features of a published network, as models that score.

use std::fmt::Debug;
use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor};
use image::RgbImage;
use iqa_backbones::pretrained::{PretrainedFile, PretrainedSource};
use iqa_backbones::{Backbone, BackboneConfig};
use iqa_core::{Direction, ReferenceNeed, ScoreSpec};
use iqa_nn::{
    Chosen, Identity, ModelError, NamedTensors, OptionInfo, Prepared, QualityModel, ScoreError, Scored,
    image_to_tensor,
};

use crate::HeadError;

/// Of models on a published network.
pub(crate) const TRUNK: OptionInfo =
    OptionInfo { name: "trunk", help: "file or folder of torchvision's weights (the cache folder)" };

/// The scale of these models, `(direction, range)`.
pub(crate) const DISTANCE: Option<(Direction, (f64, f64))> = Some((Direction::LowerIsBetter, (0.0, 1.0)));

/// The file with the weights of the published network, which may be downloaded first.
pub(crate) fn trunk_file(chosen: &Chosen<'_>, config: &BackboneConfig) -> Result<PathBuf, ModelError> {
    let path: Option<String> = chosen.parse(TRUNK.name, "a path")?;
    let source = path.map_or_else(PretrainedSource::from_env, PretrainedSource::from_path);
    let file = PretrainedFile::torchvision(config.architecture).map_err(HeadError::from)?;
    Ok(source.locate_observed(file, chosen.observer).map_err(HeadError::from)?)
}

/// A network that compares features.
pub trait FeatureDistance: Debug + Send + Sync {
    /// The device that holds the weights.
    fn device(&self) -> Device;

    /// What is compared of images.
    ///
    /// # Shapes
    /// - `images`: `[n, 3, height, width]`, RGB in `[0, 1]`
    fn features(&self, images: Tensor<4>) -> Vec<Tensor<4>>;

    /// The distances of images by their [`Self::features`], lower is better.
    ///
    /// # Shapes
    /// - returns `[n]`
    fn distance(&self, distorted: Vec<Tensor<4>>, reference: Vec<Tensor<4>>) -> Tensor<1>;

    /// The distances of pairs.
    ///
    /// # Shapes
    /// - both: `[n, 3, height, width]`, RGB in `[0, 1]`
    /// - returns `[n]`
    fn forward(&self, distorted: Tensor<4>, reference: Tensor<4>) -> Tensor<1> {
        self.distance(self.features(distorted), self.features(reference))
    }
}

/// A [`FeatureDistance`] with what its scores depend on.
#[derive(Debug)]
pub struct FeatureModel<N> {
    network: N,
    name: &'static str,
    minimum: (u32, u32),
    digest: String,
}

impl<N: FeatureDistance> FeatureModel<N> {
    /// The network that `make` puts together of `tensors` and torchvision's network, whose weights are in the file `trunk`.
    ///
    /// # Errors
    /// [`HeadError::Backbone`] when the network is not one that can be made, [`HeadError::Nn`] for weights that do not fit.
    pub(crate) fn open(
        name: &'static str,
        tensors: &NamedTensors,
        config: &BackboneConfig,
        trunk: &Path,
        device: &Device,
        make: impl FnOnce(&NamedTensors, Backbone) -> Result<N, HeadError>,
    ) -> Result<Self, HeadError> {
        let file = NamedTensors::read(trunk)?;
        let digest = format!("{} on {}", tensors.digest()?, file.digest()?);
        let network = make(tensors, Backbone::from_tensors(file, config, device)?)?;
        let side = config.minimum_size()? as u32;
        Ok(Self { network, name, minimum: (side, side), digest })
    }

    fn features(&self, image: &RgbImage) -> Vec<Tensor<4>> {
        self.network.features(image_to_tensor(image, &self.network.device()))
    }

    fn against(&self, distorted: &RgbImage, reference: Vec<Tensor<4>>) -> Scored {
        self.network.distance(self.features(distorted), reference).into_scalar::<f64>().into()
    }
}

impl<N: FeatureDistance> QualityModel for FeatureModel<N> {
    fn name(&self) -> &str {
        self.name
    }

    fn spec(&self) -> ScoreSpec {
        ScoreSpec::new(Direction::LowerIsBetter, 0.0, 1.0, ReferenceNeed::FullReference)
    }

    fn identity(&self) -> Identity {
        Identity::weights(&self.digest, &self.network.device())
    }

    fn minimum_size(&self) -> (u32, u32) {
        self.minimum
    }

    fn score(&self, distorted: &RgbImage, reference: Option<&RgbImage>) -> Result<Scored, ModelError> {
        let reference = self.features(reference.ok_or(ScoreError::ReferenceMissing)?);
        Ok(self.against(distorted, reference))
    }

    fn prepare(&self, reference: &RgbImage) -> Result<Prepared, ModelError> {
        Ok(Prepared::new(self.features(reference)))
    }

    fn score_prepared(&self, distorted: &RgbImage, reference: &Prepared) -> Result<Scored, ModelError> {
        Ok(self.against(distorted, reference.get::<Vec<Tensor<4>>>()?.clone()))
    }

    fn score_tensors(
        &self,
        distorted: Tensor<4>,
        reference: Option<Tensor<4>>,
    ) -> Result<Tensor<1>, ModelError> {
        Ok(self.network.forward(distorted, reference.ok_or(ScoreError::ReferenceMissing)?))
    }
}
