//! The measures by name.

use burn::tensor::Tensor;
use image::RgbImage;
use iqa_core::{Direction, ReferenceNeed, ScoreSpec};
use iqa_metrics::image::{Downsampling, Measure};
use iqa_nn::{Identity, ModelError, ModelInfo, QualityModel, ScoreError, Scored, Source};

use super::gmsd::gmsd;
use super::psnr::psnr;
use super::ssim::{ms_ssim, ssim};
use super::vsi::vsi;

/// A [`Measure`] as a model.
#[derive(Clone, Copy, Debug)]
pub struct MeasureModel(pub Measure);

impl QualityModel for MeasureModel {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn spec(&self) -> ScoreSpec {
        let direction =
            if self.0.higher_is_better() { Direction::HigherIsBetter } else { Direction::LowerIsBetter };
        ScoreSpec { direction, range: self.0.range(), reference: ReferenceNeed::FullReference }
    }

    fn identity(&self) -> Identity {
        Identity::formula()
    }

    fn minimum_size(&self) -> (u32, u32) {
        (self.0.minimum_side(), self.0.minimum_side())
    }

    fn score(&self, distorted: &RgbImage, reference: Option<&RgbImage>) -> Result<Scored, ModelError> {
        let reference = reference.ok_or(ScoreError::ReferenceMissing)?;
        Ok(self.0.score(distorted, reference).map_err(ModelError::model)?.into())
    }

    /// [`ModelError::ImagesOnly`] of FSIM, FSIMc, VIF and VIFp.
    fn score_tensors(
        &self,
        distorted: Tensor<4>,
        reference: Option<Tensor<4>>,
    ) -> Result<Tensor<1>, ModelError> {
        let reference = reference.ok_or(ScoreError::ReferenceMissing)?;
        Ok(match self.0 {
            Measure::Psnr => psnr(distorted, reference),
            Measure::Ssim => ssim(distorted, reference, Downsampling::Automatic),
            Measure::SsimFull => ssim(distorted, reference, Downsampling::None),
            Measure::MsSsim => ms_ssim(distorted, reference),
            Measure::Gmsd => gmsd(distorted, reference),
            Measure::Vsi => vsi(distorted, reference),
            Measure::Fsim | Measure::Fsimc | Measure::Vif | Measure::Vifp => {
                return Err(ModelError::ImagesOnly { name: self.0.name().into() });
            }
        })
    }
}

/// Which of those that share a name it is, too.
const fn paper(measure: Measure) -> &'static str {
    match measure {
        Measure::Psnr => "of RGB; see docs/MEASURES.md",
        Measure::Ssim => {
            "Wang et al., IEEE TIP 13(4), 2004; large images are shrunk first, as the authors' program does"
        }
        Measure::SsimFull => "Wang et al., IEEE TIP 13(4), 2004; not shrunk, as scikit-image and pyiqa",
        Measure::MsSsim => "Wang et al., Asilomar 2003",
        Measure::Gmsd => "Xue et al., IEEE TIP 23(2), 2014",
        Measure::Fsim | Measure::Fsimc => "Zhang et al., IEEE TIP 20(8), 2011",
        Measure::Vsi => "Zhang et al., IEEE TIP 23(10), 2014",
        Measure::Vif => "Sheikh and Bovik, IEEE TIP 15(2), 2006; in the wavelet domain",
        Measure::Vifp => "Sheikh and Bovik, IEEE TIP 15(2), 2006; simplified, in the pixel domain",
    }
}

macro_rules! measures {
    ($($measure:ident),*) => {
        &[$(ModelInfo {
            name: Measure::$measure.name(),
            reference: ReferenceNeed::FullReference,
            paper: paper(Measure::$measure),
            options: &[],
            source: Source::Formula(|| Box::new(MeasureModel(Measure::$measure))),
        }),*]
    };
}

/// The models of the family.
pub static MODELS: &[ModelInfo] = measures!(Psnr, Ssim, SsimFull, MsSsim, Gmsd, Fsim, Fsimc, Vsi, Vif, Vifp);
