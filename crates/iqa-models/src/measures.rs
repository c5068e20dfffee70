//! Image measures as models: formulas, without weights.

use image::RgbImage;
use iqa_core::{Direction, ReferenceNeed, ScoreSpec};
use iqa_metrics::image::Measure;
use iqa_nn::{Identity, ModelError, ModelInfo, QualityModel, ScoreError, Scored, Source};

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
}

macro_rules! measures {
    ($($measure:ident),*) => {
        &[$(ModelInfo {
            name: Measure::$measure.name(),
            reference: ReferenceNeed::FullReference,
            paper: "see docs/MEASURES.md",
            options: &[],
            source: Source::Formula(|| Box::new(MeasureModel(Measure::$measure))),
        }),*]
    };
}

/// The measures by name.
pub(crate) static MODELS: &[ModelInfo] = measures!(Psnr, Ssim, SsimFull, MsSsim, Gmsd, Fsim, Fsimc, Vsi, Vif, Vifp);
