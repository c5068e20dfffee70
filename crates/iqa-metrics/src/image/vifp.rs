use super::plane::{Plane, gaussian};
use super::same_size;
use crate::MetricsError;

/// Variance of the neural noise.
const NOISE: f64 = 2.0;
/// Variances below this count as none.
const TINY: f64 = 1e-10;
/// Sides of the Gaussian windows of the four scales; the standard deviation is a fifth of the side.
const WINDOWS: [usize; 4] = [17, 9, 5, 3];
/// Smallest side: the coarsest scale must hold a window.
pub(super) const MINIMUM: usize = 41;

/// Visual information fidelity in the pixel domain: higher is better, from 0; 1 for the reference itself, above 1 for an
/// image with enhanced contrast.
///
/// Conventions of the authors' `vifp_mscale.m`: luma in 0..255, four scales (Gaussian of 9, 5 and 3 pixels between them,
/// every second pixel kept), windows of 17, 9, 5 and 3 pixels only where they lie inside, noise variance 2. This is
/// what `piq` calls `vif_p`; [`vif`](super::vif) is the measure of the paper. A reference without any information, for
/// which the published program divides 0 by 0, gives 1 to itself and 0 to all else.
///
/// Source: H. R. Sheikh, A. C. Bovik, "Image Information and Visual Quality", IEEE TIP 15(2), 2006, in the simplified form
/// that the authors published beside it.
///
/// # Errors
/// [`MetricsError::SizeMismatch`], [`MetricsError::TooSmall`] below 41 pixels.
pub fn vifp(distorted: &Plane, reference: &Plane) -> Result<f64, MetricsError> {
    same_size("vifp", distorted.size(), reference.size(), MINIMUM)?;
    let (mut d, mut r) = (distorted.clone(), reference.clone());
    let (mut preserved, mut whole) = (0.0, 0.0);
    for (scale, &side) in WINDOWS.iter().enumerate() {
        let taps = gaussian(side, side as f64 / 5.0);
        if scale > 0 {
            [d, r] = [d, r].map(|plane| every_second(&plane.correlate_valid(&taps)));
        }
        let mean = |plane: Plane| plane.correlate_valid(&taps);
        let moments = [
            mean(d.clone()),
            mean(r.clone()),
            mean(d.zip(&d, |a, b| a * b)),
            mean(r.zip(&r, |a, b| a * b)),
            mean(d.zip(&r, |a, b| a * b)),
        ];
        for at in 0..moments[0].values().len() {
            let [mean_d, mean_r, dd, rr, dr] = std::array::from_fn(|index| moments[index].values()[at]);
            let (var_d, var_r) = ((dd - mean_d * mean_d).max(0.0), (rr - mean_r * mean_r).max(0.0));
            let (gain, noise, var_r) = channel(var_d, var_r, dr - mean_d * mean_r);
            preserved += (1.0 + gain * gain * var_r / (noise + NOISE)).log10();
            whole += (1.0 + var_r / NOISE).log10();
        }
    }
    Ok(ratio(preserved, whole, distorted, reference))
}

/// Gain, noise variance and source variance of the distortion channel at one place, with the published program's
/// treatment of windows without variance.
fn channel(var_d: f64, var_r: f64, covariance: f64) -> (f64, f64, f64) {
    if var_d < TINY {
        return (0.0, TINY, if var_r < TINY { 0.0 } else { var_r });
    }
    if var_r < TINY {
        return (0.0, var_d, 0.0);
    }
    let gain = covariance / (var_r + TINY);
    if gain < 0.0 { (0.0, var_d, var_r) } else { (gain, (var_d - gain * covariance).max(TINY), var_r) }
}

/// Information preserved over information there was.
pub(super) fn ratio(preserved: f64, whole: f64, distorted: &Plane, reference: &Plane) -> f64 {
    if whole > 0.0 {
        preserved / whole
    } else if distorted == reference {
        1.0
    } else {
        0.0
    }
}

fn every_second(plane: &Plane) -> Plane {
    Plane::from_rows(
        plane.width().div_ceil(2),
        plane.height().div_ceil(2),
        #[inline(always)]
        |y, out| {
            out.iter_mut().zip(plane.row(2 * y).iter().step_by(2)).for_each(|(out, value)| *out = *value);
        },
    )
}
