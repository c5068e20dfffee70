use super::plane::{Border, Plane, similarity};
use super::same_size;
use crate::MetricsError;

/// The constant `c` of the similarity, for the data range 255.
pub const C: f64 = 170.0;
/// Smoothing across a Prewitt gradient.
pub const PREWITT: [f64; 3] = [1.0 / 3.0; 3];
/// Smallest side: half of it must hold a 3x3 gradient.
pub(super) const MINIMUM: usize = 5;

/// Gradient magnitude similarity deviation: lower is better, 0 to 0.5.
///
/// Conventions of the authors' `GMSD.m`: luma in 0..255, averaged over 2x2 pixels and halved, Prewitt gradients, zeros
/// beyond the edges throughout (so that the rim counts as an edge in both images), standard deviation over all pixels
/// with `n - 1`.
///
/// Source: W. Xue, L. Zhang, X. Mou, A. C. Bovik, "Gradient Magnitude Similarity Deviation: A Highly Efficient
/// Perceptual Image Quality Index", IEEE TIP 23(2), 2014, equations 4 and 6.
///
/// # Errors
/// [`MetricsError::SizeMismatch`], [`MetricsError::TooSmall`] below 5 pixels.
pub fn gmsd(distorted: &Plane, reference: &Plane) -> Result<f64, MetricsError> {
    same_size("gmsd", distorted.size(), reference.size(), MINIMUM)?;
    let gradient = |plane: &Plane| plane.decimate(2, Border::Zero).gradient_magnitude(PREWITT);
    let map = gradient(distorted).zip(&gradient(reference), |a, b| similarity(a, b, C));
    let count = map.values().len() as f64;
    let mean = map.values().iter().sum::<f64>() / count;
    let squares: f64 = map.values().iter().map(|value| (value - mean).powi(2)).sum();
    Ok((squares / (count - 1.0)).sqrt())
}
