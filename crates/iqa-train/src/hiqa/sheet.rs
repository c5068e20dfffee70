//! What a generator makes of a few images, side by side.

use image::{Rgb, RgbImage, imageops};
use iqa_heads::hiqa::{Hiqa, HiqaScoreOptions};

use crate::TrainError;

/// White between the pictures, in pixels.
const GAP: u32 = 4;

/// A row for each pair: distorted, hallucinated, true reference, discrepancy map.
///
/// The pairs are `(distorted, reference)`.
///
/// # Errors
/// [`TrainError::Head`] for a model without a generator, or an empty image.
pub fn sample_sheet(model: &Hiqa, pairs: &[(RgbImage, RgbImage)]) -> Result<RgbImage, TrainError> {
    let widest = pairs.iter().map(|(image, _)| image.width()).max().unwrap_or(0);
    let height: u32 = pairs.iter().map(|(image, _)| image.height() + GAP).sum();
    let mut sheet =
        RgbImage::from_pixel(4 * widest + 3 * GAP, height.saturating_sub(GAP).max(1), Rgb([255; 3]));
    let mut top = 0;
    for (distorted, reference) in pairs {
        let found = model.hallucinate(distorted, &HiqaScoreOptions::default())?;
        for (column, picture) in [distorted, &found.image, reference, &found.map].into_iter().enumerate() {
            let left = column as i64 * i64::from(widest + GAP);
            imageops::replace(&mut sheet, picture, left, i64::from(top));
        }
        top += distorted.height() + GAP;
    }
    Ok(sheet)
}
