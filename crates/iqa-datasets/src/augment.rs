//! Flips and crops, the same for a distorted image and its reference.

use image::{RgbImage, imageops};
use rand::Rng;

use crate::DatasetError;

/// What is done to a pair at random; nothing by default.
///
/// Sources: GSN (CVPR workshops 2022) flips horizontally, then crops to 192x192; Dutta, Das and Shah flip both ways.
///
/// ```
/// use iqa_datasets::augment::PairAugment;
/// use rand::SeedableRng;
///
/// let gsn = PairAugment { horizontal_flip: true, crop: Some((192, 192)), ..PairAugment::default() };
/// let image = image::RgbImage::new(288, 288);
/// let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
/// let (distorted, reference) = gsn.apply(&image, Some(&image), &mut rng)?;
/// assert_eq!(distorted.dimensions(), (192, 192));
/// assert_eq!(reference, Some(distorted));
/// # Ok::<(), iqa_datasets::DatasetError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PairAugment {
    /// Left and right change places in half of the pairs.
    pub horizontal_flip: bool,
    /// Top and bottom change places in half of the pairs.
    pub vertical_flip: bool,
    /// Width and height, in pixels, of a crop at a random place.
    pub crop: Option<(u32, u32)>,
}

impl PairAugment {
    /// Flips, then crops, both images alike. The same state of `rng` gives the same result, and as many numbers
    /// are drawn from it whatever the settings.
    ///
    /// # Errors
    /// [`DatasetError::ImageSize`] when the images differ in size, or are smaller than the crop or it has no
    /// pixels.
    pub fn apply(
        &self,
        distorted: &RgbImage,
        reference: Option<&RgbImage>,
        rng: &mut impl Rng,
    ) -> Result<(RgbImage, Option<RgbImage>), DatasetError> {
        let found = distorted.dimensions();
        if let Some(reference) = reference.map(RgbImage::dimensions)
            && reference != found
        {
            return Err(DatasetError::ImageSize {
                found,
                expected: "the size of its reference",
                size: reference,
            });
        }
        let (width, height) = self.crop.unwrap_or(found);
        if width == 0 || height == 0 || width > found.0 || height > found.1 {
            return Err(DatasetError::ImageSize {
                found,
                expected: "at least a crop of",
                size: (width, height),
            });
        }
        let (horizontal, vertical) = (rng.random::<bool>(), rng.random::<bool>());
        let x = rng.random_range(0..=found.0 - width);
        let y = rng.random_range(0..=found.1 - height);
        let both = |image: &RgbImage| {
            // A crop that is flipped is the mirrored crop of the flipped image: fewer pixels to move.
            let mut image = match self.crop {
                Some(_) => imageops::crop_imm(image, x, y, width, height).to_image(),
                None => image.clone(),
            };
            if self.horizontal_flip && horizontal {
                imageops::flip_horizontal_in_place(&mut image);
            }
            if self.vertical_flip && vertical {
                imageops::flip_vertical_in_place(&mut image);
            }
            image
        };
        Ok((both(distorted), reference.map(both)))
    }
}

#[cfg(test)]
mod tests {
    use image::Rgb;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    /// Each pixel tells where it was.
    fn image() -> RgbImage {
        RgbImage::from_fn(9, 7, |x, y| Rgb([x as u8, y as u8, 0]))
    }

    #[test]
    fn a_pair_stays_a_pair_and_every_flip_and_place_occurs() {
        let reference = RgbImage::from_fn(9, 7, |x, y| Rgb([x as u8, y as u8, 255]));
        let augment = PairAugment { horizontal_flip: true, vertical_flip: true, crop: Some((4, 3)) };
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..2000 {
            let at = || augment.apply(&image(), Some(&reference), &mut ChaCha8Rng::seed_from_u64(seed));
            let (a, b) = at().expect("fits");
            let b = b.expect("given");
            assert_eq!((a.clone(), Some(b.clone())), at().expect("fits"), "same seed");
            assert_eq!(a.dimensions(), (4, 3));
            assert!(a.pixels().zip(b.pixels()).all(|(a, b)| a.0[..2] == b.0[..2] && b.0[2] == 255));
            // A window of the image: neighbours stay neighbours, in one direction or the other.
            let (first, last) = (a.get_pixel(0, 0).0, a.get_pixel(3, 2).0);
            let step = [i32::from(last[0]) - i32::from(first[0]), i32::from(last[1]) - i32::from(first[1])];
            assert_eq!(step.map(i32::abs), [3, 2]);
            seen.insert((first.min(last), step));
        }
        // Four ways to flip at 6 by 5 places, told apart by where the corners were.
        let ways: std::collections::BTreeSet<_> = seen.iter().map(|(_, step)| *step).collect();
        assert_eq!(ways.len(), 4);
        assert!(seen.len() >= 4 * 30, "{}", seen.len());
    }

    #[test]
    fn nothing_is_done_unless_asked_for() {
        let (a, b) =
            PairAugment::default().apply(&image(), None, &mut ChaCha8Rng::seed_from_u64(3)).expect("fits");
        assert_eq!((a, b), (image(), None));
    }

    #[test]
    fn sizes_that_do_not_fit_are_refused() {
        let rng = &mut ChaCha8Rng::seed_from_u64(0);
        for crop in [(10, 7), (9, 8), (0, 3)] {
            let augment = PairAugment { crop: Some(crop), ..PairAugment::default() };
            assert!(matches!(augment.apply(&image(), None, rng), Err(DatasetError::ImageSize { .. })));
        }
        let smaller = RgbImage::new(8, 7);
        let message = PairAugment::default()
            .apply(&image(), Some(&smaller), rng)
            .expect_err("sizes differ")
            .to_string();
        assert_eq!(message, "an image of 9x7: expected the size of its reference 8x7");
    }
}
