//! The measures by name.

use burn::tensor::Tensor;
use image::RgbImage;
use iqa_core::{Direction, ReferenceNeed, ScoreSpec};
use iqa_metrics::image::{Downsampling, Measure};
use iqa_nn::{Accuracy, Identity, ModelError, ModelInfo, QualityModel, ScoreError, Scored, Source};

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
        ScoreSpec {
            direction: direction(self.0),
            range: self.0.range(),
            reference: ReferenceNeed::FullReference,
        }
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

const fn direction(measure: Measure) -> Direction {
    if measure.higher_is_better() { Direction::HigherIsBetter } else { Direction::LowerIsBetter }
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
    ($($measure:ident: $srcc:literal, $plcc:literal;)*) => {
        &[$(ModelInfo {
            name: Measure::$measure.name(),
            reference: ReferenceNeed::FullReference,
            scale: Some((direction(Measure::$measure), Measure::$measure.range())),
            paper: paper(Measure::$measure),
            options: &[],
            accuracy: &[Accuracy::tid2013($srcc, $plcc)],
            source: Source::Formula(|| Box::new(MeasureModel(Measure::$measure))),
        }),*]
    };
}

/// The models of the family, with SRCC and PLCC on the pairs that [`Accuracy::tid2013`] names, by `iqa evaluate`.
pub static MODELS: &[ModelInfo] = measures![
    Psnr: 0.684, 0.646;
    Ssim: 0.666, 0.720;
    SsimFull: 0.548, 0.618;
    MsSsim: 0.718, 0.765;
    Gmsd: 0.734, 0.805;
    Fsim: 0.735, 0.791;
    Fsimc: 0.799, 0.810;
    Vsi: 0.849, 0.825;
    Vif: 0.593, 0.656;
    Vifp: 0.541, 0.533;
];
