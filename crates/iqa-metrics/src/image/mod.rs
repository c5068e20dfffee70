//! Image measures that need no learned weights: how far is a distorted image from its reference?
//!
//! Every paper compares with these. Each function follows the program that its authors published, down to the
//! conversion to luma, the downsampling and the borders; its documentation names these conventions, its direction and
//! its range. `docs/MEASURES.md` sets them beside what Python packages do under the same names.
//!
//! Arguments go `(distorted, reference)`. [`Measure`] offers all of them under one signature.
//!
//! ```
//! use image::{Rgb, RgbImage};
//! use iqa_metrics::image::{Measure, psnr};
//! let reference = RgbImage::from_fn(64, 48, |x, y| Rgb([(4 * x) as u8, (5 * y) as u8, 90]));
//! let mut distorted = reference.clone();
//! distorted.pixels_mut().for_each(|pixel| pixel[2] += 10);
//! // 10 log10(255^2 / (100 / 3)).
//! assert!((psnr(&distorted, &reference)? - 32.902).abs() < 1e-3);
//! for measure in Measure::ALL.into_iter().filter(|measure| measure.minimum_side() <= 48) {
//!     println!("{}: {:.4}", measure.name(), measure.score(&distorted, &reference)?);
//! }
//! # Ok::<(), iqa_metrics::MetricsError>(())
//! ```

mod fourier;
mod fsim;
mod gmsd;
mod phase;
mod plane;
mod psnr;
mod saliency;
mod ssim;
mod steerable;
mod vif;
mod vifp;
mod vsi;

pub use fsim::{fsim, fsimc};
pub use gmsd::gmsd;
pub use plane::Plane;
pub use psnr::{PSNR_CAP, psnr};
pub use ssim::{Downsampling, ms_ssim, ssim};
pub use vif::vif;
pub use vifp::vifp;
pub use vsi::vsi;

use image::RgbImage;

use crate::MetricsError;

/// A full-reference image measure, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Measure {
    /// [`psnr`].
    Psnr,
    /// [`ssim`], with automatic downsampling.
    Ssim,
    /// [`ms_ssim`].
    MsSsim,
    /// [`gmsd`].
    Gmsd,
    /// [`fsim`].
    Fsim,
    /// [`fsimc`].
    Fsimc,
    /// [`vsi`].
    Vsi,
    /// [`vif`], in the wavelet domain.
    Vif,
    /// [`vifp`], in the pixel domain.
    Vifp,
}

impl Measure {
    /// All measures.
    pub const ALL: [Self; 9] = [
        Self::Psnr,
        Self::Ssim,
        Self::MsSsim,
        Self::Gmsd,
        Self::Fsim,
        Self::Fsimc,
        Self::Vsi,
        Self::Vif,
        Self::Vifp,
    ];

    /// The name: that of the function.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Psnr => "psnr",
            Self::Ssim => "ssim",
            Self::MsSsim => "ms_ssim",
            Self::Gmsd => "gmsd",
            Self::Fsim => "fsim",
            Self::Fsimc => "fsimc",
            Self::Vsi => "vsi",
            Self::Vif => "vif",
            Self::Vifp => "vifp",
        }
    }

    /// The measure of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|measure| measure.name() == name)
    }

    /// Whether a higher score is a better image.
    pub const fn higher_is_better(self) -> bool {
        !matches!(self, Self::Gmsd)
    }

    /// Nominal range, `(lowest, highest)`. SSIM may fall below it, VIF and VIFp rise above it (enhanced contrast).
    pub const fn range(self) -> (f64, f64) {
        match self {
            Self::Psnr => (0.0, PSNR_CAP),
            Self::Gmsd => (0.0, 0.5),
            _ => (0.0, 1.0),
        }
    }

    /// The least width and height of an image, in pixels.
    pub const fn minimum_side(self) -> u32 {
        let minimum = match self {
            Self::Psnr => 1,
            Self::Ssim => ssim::SSIM_MINIMUM,
            Self::MsSsim => ssim::MS_SSIM_MINIMUM,
            Self::Gmsd => gmsd::MINIMUM,
            Self::Fsim | Self::Fsimc => fsim::MINIMUM,
            Self::Vsi => vsi::MINIMUM,
            Self::Vif => vif::MINIMUM,
            Self::Vifp => vifp::MINIMUM,
        };
        minimum as u32
    }

    /// Scores a pair of 8-bit images; those measures that look at luma alone take it from [`Plane::luma`].
    ///
    /// # Errors
    /// [`MetricsError::SizeMismatch`], [`MetricsError::TooSmall`] below [`Self::minimum_side`].
    pub fn score(self, distorted: &RgbImage, reference: &RgbImage) -> Result<f64, MetricsError> {
        same_size(self.name(), distorted.dimensions(), reference.dimensions(), self.minimum_side() as usize)?;
        let luma = |of: fn(&Plane, &Plane) -> Result<f64, MetricsError>| {
            of(&Plane::luma(distorted), &Plane::luma(reference))
        };
        match self {
            Self::Psnr => psnr(distorted, reference),
            Self::Ssim => luma(|d, r| ssim(d, r, Downsampling::Automatic)),
            Self::MsSsim => luma(ms_ssim),
            Self::Gmsd => luma(gmsd),
            Self::Fsim => fsim(distorted, reference),
            Self::Fsimc => fsimc(distorted, reference),
            Self::Vsi => vsi(distorted, reference),
            Self::Vif => luma(vif),
            Self::Vifp => luma(vifp),
        }
    }
}

impl std::fmt::Display for Measure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Checks the sizes, width and height, of a pair.
fn same_size(
    measure: &'static str,
    distorted: (u32, u32),
    reference: (u32, u32),
    minimum: usize,
) -> Result<(), MetricsError> {
    if distorted != reference {
        return Err(MetricsError::SizeMismatch { distorted, reference });
    }
    let minimum = minimum as u32;
    if distorted.0.min(distorted.1) < minimum {
        return Err(MetricsError::TooSmall { measure, size: distorted, minimum });
    }
    Ok(())
}
