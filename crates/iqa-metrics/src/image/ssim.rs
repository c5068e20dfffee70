use super::plane::{Border, Plane, automatic_factor, gaussian};
use super::same_size;
use crate::MetricsError;

/// Side and standard deviation of the Gaussian window, in pixels.
pub const WINDOW: (usize, f64) = (11, 1.5);
/// `(K1 L)^2` for the data range 255.
pub const C1: f64 = (0.01 * 255.0) * (0.01 * 255.0);
/// `(K2 L)^2` for the data range 255.
pub const C2: f64 = (0.03 * 255.0) * (0.03 * 255.0);
/// Exponents of the five scales of MS-SSIM (table 1 of the paper).
pub const SCALES: [f64; 5] = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333];
/// Smallest side: the coarsest of the five scales must hold a window.
pub(super) const MS_SSIM_MINIMUM: usize = WINDOW.0 << (SCALES.len() - 1);
/// Smallest side of SSIM.
pub(super) const SSIM_MINIMUM: usize = WINDOW.0;

/// Whether an image is shrunk before it is compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Downsampling {
    /// So that its shorter side comes near 256 pixels: the authors' advice for images seen from the usual distance,
    /// and what the tables of most papers hold.
    #[default]
    Automatic,
    /// Not at all: what most Python packages do.
    None,
}

/// Structural similarity: higher is better, -1 to 1, in practice 0 to 1.
///
/// Conventions of the authors' `ssim.m`: luma in 0..255, Gaussian window of 11x11 and 1.5 pixels, only where it lies
/// inside (a border of 5 pixels is cropped), population variances, `K = (0.01, 0.03)`. With
/// [`Downsampling::Automatic`] both images are first averaged over `f x f` pixels, mirrored at the edges, and every
/// `f`-th pixel kept; `f` is the shorter side over 256, rounded, at least 1.
///
/// Source: Z. Wang, A. C. Bovik, H. R. Sheikh, E. P. Simoncelli, "Image Quality Assessment: From Error Visibility to
/// Structural Similarity", IEEE TIP 13(4), 2004, equation 13.
///
/// # Errors
/// [`MetricsError::SizeMismatch`], [`MetricsError::TooSmall`] below 11 pixels.
pub fn ssim(distorted: &Plane, reference: &Plane, downsampling: Downsampling) -> Result<f64, MetricsError> {
    same_size("ssim", distorted.size(), reference.size(), SSIM_MINIMUM)?;
    let factor = match downsampling {
        Downsampling::Automatic => automatic_factor(reference.size()),
        Downsampling::None => 1,
    };
    let shrink = |plane: &Plane| plane.decimate(factor, Border::Symmetric);
    Ok(mean_ssim(&shrink(distorted), &shrink(reference)).0)
}

/// Multi-scale structural similarity: higher is better, 0 to 1.
///
/// Conventions of the authors' `msssim.m`, method `'product'`: [`ssim`]'s window and constants on luma in 0..255, five
/// scales, each half the size of the one before by averages of 2x2 pixels (mirrored at the edges). Contrast and
/// structure of a scale are averaged over the image before they are raised to its exponent; where such an average is
/// negative the authors' program has a complex score, and this one 0.
///
/// Source: Z. Wang, E. P. Simoncelli, A. C. Bovik, "Multiscale Structural Similarity for Image Quality Assessment",
/// Asilomar Conference on Signals, Systems and Computers, 2003, equation 7.
///
/// # Errors
/// [`MetricsError::SizeMismatch`], [`MetricsError::TooSmall`] below 176 pixels.
pub fn ms_ssim(distorted: &Plane, reference: &Plane) -> Result<f64, MetricsError> {
    same_size("ms_ssim", distorted.size(), reference.size(), MS_SSIM_MINIMUM)?;
    let (mut distorted, mut reference) = (distorted.clone(), reference.clone());
    let mut score = 1.0;
    for (scale, exponent) in SCALES.iter().enumerate() {
        let (whole, contrast_structure) = mean_ssim(&distorted, &reference);
        let last = scale + 1 == SCALES.len();
        score *= if last { whole } else { contrast_structure }.max(0.0).powf(*exponent);
        if !last {
            distorted = distorted.decimate(2, Border::Symmetric);
            reference = reference.decimate(2, Border::Symmetric);
        }
    }
    Ok(score)
}

/// Means over the image of SSIM and of its contrast-structure part.
///
/// Four filtered planes do instead of five: those of `x + y` and `x - y` and of their squares.
fn mean_ssim(x: &Plane, y: &Plane) -> (f64, f64) {
    let taps = gaussian(WINDOW.0, WINDOW.1);
    let (sum, difference) = (x.zip(y, |x, y| x + y), x.zip(y, |x, y| x - y));
    let square = |plane: &Plane| plane.zip(plane, |a, b| a * b);
    let (sums, differences) = (square(&sum), square(&difference));
    let [sum, difference, sums, differences] =
        [sum, difference, sums, differences].map(|plane| plane.correlate_valid(&taps));
    let (mut whole, mut contrast_structure) = (0.0, 0.0);
    let count = sum.values().len() as f64;
    for (((s, d), ss), dd) in
        sum.values().iter().zip(difference.values()).zip(sums.values()).zip(differences.values())
    {
        let (s, d) = (s * s, d * d);
        // 2 mu_x mu_y, mu_x^2 + mu_y^2, 2 sigma_xy, sigma_x^2 + sigma_y^2.
        let (product, squares) = ((s - d) / 2.0, (s + d) / 2.0);
        let (covariance, variances) = ((ss - dd) / 2.0 - product, (ss + dd) / 2.0 - squares);
        let part = (covariance + C2) / (variances + C2);
        whole += part * (product + C1) / (squares + C1);
        contrast_structure += part;
    }
    (whole / count, contrast_structure / count)
}
