//! Image measures that need no learned weights: how far is a distorted image from its reference?
//!
//! Every paper compares with these. Each function follows the program that its authors published, down to the
//! conversion to luma, the downsampling and the borders; its documentation names these conventions, its direction and
//! its range. `docs/MEASURES.md` sets them beside what Python packages do under the same names.
//!
//! Arguments go `(distorted, reference)`. [`Measure`] offers all of them under one signature, for pictures of the crate
//! `image` and for arrays of the crate `ndarray`.
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
mod roots;
mod saliency;
mod ssim;
mod steerable;
mod vif;
mod vifp;
mod vsi;

/// The numbers and windows behind PSNR, SSIM, MS-SSIM, GMSD and VSI, on the scale 0 to 255: for those who write them for
/// another kind of array.
pub mod conventions {
    pub use super::fsim::SCHARR;
    pub use super::gmsd::{C as GMSD_C, PREWITT};
    pub use super::plane::{LUMA, automatic_factor, gaussian, mirrored};
    pub use super::saliency::{
        SIDE as SALIENCY_SIDE, SIGMA_C as WARM_SIGMA, WHITE, XYZ, band_pass, centre_prior,
        triangles as resize_weights,
    };
    pub use super::ssim::{C1 as SSIM_C1, C2 as SSIM_C2, SCALES as MS_SSIM_EXPONENTS, WINDOW as SSIM_WINDOW};
    pub use super::vsi::{
        ALPHA as VSI_ALPHA, BETA as VSI_BETA, CHROMA as VSI_CHROMA, GRADIENT as VSI_GRADIENT, LMN,
        SALIENCY as VSI_SALIENCY,
    };
}

pub use fsim::{fsim, fsimc};
pub use gmsd::gmsd;
pub use plane::Plane;
pub use psnr::{PSNR_CAP, psnr};
pub use ssim::{Downsampling, ms_ssim, ssim};
pub use vif::vif;
pub use vifp::vifp;
pub use vsi::vsi;

use image::RgbImage;
use ndarray::ArrayView3;

use crate::MetricsError;

/// A full-reference image measure, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Measure {
    /// [`psnr`].
    Psnr,
    /// [`ssim`] with [`Downsampling::Automatic`], as its authors' program.
    Ssim,
    /// [`ssim`] with [`Downsampling::None`], as most packages.
    SsimFull,
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
    pub const ALL: [Self; 10] = [
        Self::Psnr,
        Self::Ssim,
        Self::SsimFull,
        Self::MsSsim,
        Self::Gmsd,
        Self::Fsim,
        Self::Fsimc,
        Self::Vsi,
        Self::Vif,
        Self::Vifp,
    ];

    /// The name: that of the function; `ssim_full` for [`Self::SsimFull`].
    pub const fn name(self) -> &'static str {
        match self {
            Self::Psnr => "psnr",
            Self::Ssim => "ssim",
            Self::SsimFull => "ssim_full",
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
            Self::Ssim | Self::SsimFull => ssim::SSIM_MINIMUM,
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
        self.score_array(rgb_view(distorted), rgb_view(reference))
    }

    /// [`Self::score`] of arrays of `(height, width, channel)`, the channels red, green and blue. They may be parts of
    /// larger arrays, or have their axes in another order in memory.
    ///
    /// ```
    /// use iqa_metrics::image::Measure;
    /// use iqa_metrics::ndarray::{Array3, s};
    /// let reference = Array3::from_shape_fn((48, 64, 3), |(y, x, c)| (4 * x + 5 * y + 90 * c) as u8);
    /// let mut distorted = reference.clone();
    /// distorted.slice_mut(s![.., .., 2]).map_inplace(|blue| *blue ^= 8);
    /// // 10 log10(255^2 / (64 / 3)).
    /// assert!((Measure::Psnr.score_array(distorted.view(), reference.view())? - 34.840).abs() < 1e-3);
    /// # Ok::<(), iqa_metrics::MetricsError>(())
    /// ```
    ///
    /// # Errors
    /// As [`Self::score`]; [`MetricsError::Channels`] unless both have three channels.
    pub fn score_array(
        self,
        distorted: ArrayView3<'_, u8>,
        reference: ArrayView3<'_, u8>,
    ) -> Result<f64, MetricsError> {
        if let Some(found) = [distorted.dim().2, reference.dim().2].into_iter().find(|&found| found != 3) {
            return Err(MetricsError::Channels { found });
        }
        same_size(self.name(), size(&distorted), size(&reference), self.minimum_side() as usize)?;
        // Copied once where they lie otherwise in memory.
        let (distorted, reference) = (distorted.as_standard_layout(), reference.as_standard_layout());
        let (distorted, reference) = (distorted.view(), reference.view());
        let luma = |of: fn(&Plane, &Plane) -> Result<f64, MetricsError>| {
            of(&Plane::luma_of(distorted), &Plane::luma_of(reference))
        };
        match self {
            Self::Psnr => psnr::score(distorted, reference),
            Self::Ssim => luma(|d, r| ssim(d, r, Downsampling::Automatic)),
            Self::SsimFull => luma(|d, r| ssim(d, r, Downsampling::None)),
            Self::MsSsim => luma(ms_ssim),
            Self::Gmsd => luma(gmsd),
            Self::Fsim => fsim::score(distorted, reference),
            Self::Fsimc => fsim::score_with_colour(distorted, reference),
            Self::Vsi => vsi::score(distorted, reference),
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

/// A picture as an array of `(height, width, channel)`.
fn rgb_view(image: &RgbImage) -> ArrayView3<'_, u8> {
    let shape = (image.height() as usize, image.width() as usize, 3);
    ArrayView3::from_shape(shape, image).expect("three values a pixel")
}

/// Width and height of an array of `(height, width, channel)`.
fn size(image: &ArrayView3<'_, u8>) -> (usize, usize) {
    (image.dim().1, image.dim().0)
}

/// Checks the sizes, width and height, of a pair.
fn same_size(
    measure: &'static str,
    distorted: (usize, usize),
    reference: (usize, usize),
    minimum: usize,
) -> Result<(), MetricsError> {
    let told = |(width, height): (usize, usize)| (width as u32, height as u32);
    if distorted != reference {
        return Err(MetricsError::SizeMismatch { distorted: told(distorted), reference: told(reference) });
    }
    if distorted.0.min(distorted.1) < minimum {
        return Err(MetricsError::TooSmall { measure, size: told(distorted), minimum: minimum as u32 });
    }
    Ok(())
}
