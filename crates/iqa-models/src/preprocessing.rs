//! What is done to images before they are scored.

use std::borrow::Cow;

use image::imageops::{self, FilterType};
use image::{Rgb, RgbImage};
use iqa_nn::ModelError;

/// What is done to images before they are scored, as comparisons of restored pictures do; nothing by default.
///
/// In this order: the reference is brought to the size of the distorted image, borders are cut off both, and both become
/// luma. Scores after another preprocessing have another [`Identity`](iqa_nn::Identity).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Preprocessing {
    /// The filter that resizes a reference of another size; without one such a pair is an error. Where it shrinks, a filter is
    /// as much wider as the reference is larger (no aliases), as Pillow's and MATLAB's are.
    pub resize_reference: Option<FilterType>,
    /// Pixels to cut off on each side: super-resolution is compared without as many as its factor.
    pub crop_border: u32,
    /// Score the luma alone: Y of MATLAB's `rgb2ycbcr` for 8 bits (ITU-R BT.601, 16 to 235, rounded), in all three channels.
    pub luma: bool,
}

impl Preprocessing {
    /// What it adds to an identity: nothing where it does nothing.
    pub(crate) fn identity(&self) -> String {
        let mut parts = Vec::new();
        if let Some(filter) = self.resize_reference {
            parts.push(format!("reference resized by {filter:?}"));
        }
        if self.crop_border > 0 {
            parts.push(format!("without {} pixels of border", self.crop_border));
        }
        if self.luma {
            parts.push("luma alone".into());
        }
        parts.join(", ")
    }

    /// One image alone.
    pub(crate) fn image<'a>(&self, image: Cow<'a, RgbImage>) -> Result<Cow<'a, RgbImage>, ModelError> {
        let mut image = image;
        if self.crop_border > 0 {
            let (border, size) = (self.crop_border, image.dimensions());
            let [width, height] = [size.0, size.1].map(|side| side.saturating_sub(border.saturating_mul(2)));
            if width == 0 || height == 0 {
                return Err(ModelError::BorderTooWide { border, size });
            }
            image = Cow::Owned(imageops::crop_imm(&*image, border, border, width, height).to_image());
        }
        if self.luma {
            let mut grey = image.into_owned();
            for pixel in grey.pixels_mut() {
                *pixel = Rgb([luma(*pixel); 3]);
            }
            image = Cow::Owned(grey);
        }
        Ok(image)
    }

    /// A reference, for a distorted image of `size`.
    pub(crate) fn reference<'a>(
        &self,
        reference: Cow<'a, RgbImage>,
        size: (u32, u32),
    ) -> Result<Cow<'a, RgbImage>, ModelError> {
        self.image(match self.resize_reference {
            Some(filter) if reference.dimensions() != size => {
                Cow::Owned(imageops::resize(&*reference, size.0, size.1, filter))
            }
            _ => reference,
        })
    }
}

fn luma(Rgb([r, g, b]): Rgb<u8>) -> u8 {
    let [r, g, b] = [r, g, b].map(|value| f64::from(value) / 255.0);
    (16.0 + 65.481 * r + 128.553 * g + 24.966 * b).round() as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn luma_is_that_of_matlab() {
        // BT.601 in the studio range: black 16, white 235; the others by hand from its coefficients.
        for (pixel, expected) in
            [([0, 0, 0], 16), ([255; 3], 235), ([255, 0, 0], 81), ([0, 255, 0], 145), ([0, 0, 255], 41)]
        {
            assert_eq!(luma(Rgb(pixel)), expected);
        }
    }

    #[test]
    fn a_border_is_cut_off_and_one_that_leaves_nothing_is_an_error() {
        let image = RgbImage::from_fn(7, 6, |x, y| Rgb([x as u8, y as u8, 0]));
        let cut = |crop_border| {
            Preprocessing { crop_border, ..Preprocessing::default() }.image(Cow::Borrowed(&image))
        };
        let inner = cut(2).expect("an inner part");
        assert_eq!(
            (inner.dimensions(), inner.get_pixel(0, 0), inner.get_pixel(2, 1)),
            ((3, 2), &Rgb([2, 2, 0]), &Rgb([4, 3, 0]))
        );
        for border in [3, u32::MAX] {
            assert!(matches!(cut(border), Err(ModelError::BorderTooWide { size: (7, 6), .. })));
        }
    }
}
