//! The five crops of an evaluation.

use image::RgbImage;
use image::imageops::crop_imm;
use iqa_nn::{ScoreError, check_minimum};

/// Top-left corner of a crop, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CropPosition {
    /// Column.
    pub x: u32,
    /// Row.
    pub y: u32,
}

/// The four corners and the middle of an image, in the order of torchvision's `five_crop`: top left, top right, bottom
/// left, bottom right, middle. Half a pixel is rounded to the even side, as there.
///
/// Source: Cong et al. 2022, on the evaluation.
///
/// # Errors
/// [`ScoreError::TooSmall`] for an image smaller than the crop: images are not scaled.
pub fn five_crops((width, height): (u32, u32), side: u32) -> Result<[CropPosition; 5], ScoreError> {
    check_minimum((width, height), (side, side))?;
    let (right, bottom) = (width - side, height - side);
    let half = |space: u32| (f64::from(space) / 2.0).round_ties_even() as u32;
    let at = |x, y| CropPosition { x, y };
    Ok([at(0, 0), at(right, 0), at(0, bottom), at(right, bottom), at(half(right), half(bottom))])
}

/// A crop of an image.
pub(super) fn crop(image: &RgbImage, at: CropPosition, side: u32) -> RgbImage {
    crop_imm(image, at.x, at.y, side, side).to_image()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(size: (u32, u32)) -> Vec<(u32, u32)> {
        five_crops(size, 192).expect("large enough").iter().map(|at| (at.x, at.y)).collect()
    }

    #[test]
    fn corners_and_middle() {
        assert_eq!(places((288, 288)), [(0, 0), (96, 0), (0, 96), (96, 96), (48, 48)]);
        assert_eq!(places((512, 384)), [(0, 0), (320, 0), (0, 192), (320, 192), (160, 96)]);
        // torchvision 0.24: `int(round((193 - 192) / 2.0))` is 0, of 195 it is 2.
        assert_eq!(places((193, 195))[4], (0, 2));
        assert_eq!(places((192, 192)), [(0, 0); 5]);
    }

    #[test]
    fn a_small_image_is_refused() {
        let error = five_crops((288, 191), 192).expect_err("too small").to_string();
        assert_eq!(error, "the image is 288x191, the smallest this model takes is 192x192");
    }
}
