//! Overlapped patches, and putting patches together again.

use burn::tensor::{Device, Tensor};
use image::{Rgb, RgbImage, imageops};
use iqa_core::PatchPosition;
use iqa_nn::{check_minimum, image_to_tensor};

use crate::HeadError;

/// Top-left corners of overlapped patches, row by row: a grid from the top-left corner, whose last column and row are
/// moved in to end at the border.
///
/// Source: Lin and Wang 2018, section 3.6, "overlapped patches at a fixed stride"; 512x384 gives 3 x 2 patches of 256 at
/// stride 128.
///
/// # Errors
/// [`ScoreError::TooSmall`](iqa_nn::ScoreError::TooSmall) for an image smaller than a patch, [`HeadError::EmptySampler`] for a stride of 0.
pub fn overlapped_positions(
    (width, height): (u32, u32),
    patch: usize,
    stride: usize,
) -> Result<Vec<PatchPosition>, HeadError> {
    let patch = patch as u32;
    check_minimum((width, height), (patch, patch))?;
    if stride == 0 {
        return Err(HeadError::EmptySampler { what: "stride" });
    }
    let stride = u32::try_from(stride).unwrap_or(u32::MAX);
    let along = |side: u32| -> Vec<u32> {
        let last = side - patch;
        let steps = last.div_ceil(stride);
        (0..=steps).map(|step| step.saturating_mul(stride).min(last)).collect()
    };
    let columns = along(width);
    Ok(along(height)
        .into_iter()
        .flat_map(|y| columns.iter().map(move |&x| PatchPosition::new(x, y)))
        .collect())
}

/// The patches of an image, `[positions, 3, side, side]`, RGB in `[0, 1]`.
pub(super) fn cut(image: &RgbImage, positions: &[PatchPosition], side: usize, device: &Device) -> Tensor<4> {
    let patches = positions.iter().map(|position| {
        let patch = imageops::crop_imm(image, position.x, position.y, side as u32, side as u32).to_image();
        image_to_tensor(&patch, device)
    });
    Tensor::cat(patches.collect(), 0)
}

/// The patches of a batch of images, image after image; differentiable.
pub(super) fn cut_tensor(images: &Tensor<4>, positions: &[PatchPosition], side: usize) -> Tensor<4> {
    let [n, channels, ..] = images.dims();
    let patches = positions.iter().map(|position| {
        let (x, y) = (position.x as usize, position.y as usize);
        let patch: Tensor<4> = images.clone().slice([0..n, 0..channels, y..y + side, x..x + side]);
        patch.unsqueeze_dim::<5>(1)
    });
    let stacked: Tensor<5> = Tensor::cat(patches.collect(), 1);
    stacked.reshape([n * positions.len(), channels, side, side])
}

/// Overlapping patches laid over each other, each fading out towards its own border.
pub(super) struct Blend {
    width: usize,
    side: usize,
    /// Weighted sums, `[height, width, 3]`.
    sums: Vec<f32>,
    weights: Vec<f32>,
}

impl Blend {
    pub(super) fn new(width: u32, height: u32, side: usize) -> Self {
        let pixels = width as usize * height as usize;
        Self { width: width as usize, side, sums: vec![0.0; 3 * pixels], weights: vec![0.0; pixels] }
    }

    /// Weight along one axis: from almost nothing at the border of a patch to 1 in its middle.
    fn weight(&self, place: usize) -> f32 {
        let from_border = place.min(self.side - 1 - place) as f32 + 0.5;
        from_border / (self.side as f32 / 2.0)
    }

    /// `values`: `[3, side, side]`.
    pub(super) fn add(&mut self, position: PatchPosition, values: &[f32]) {
        let plane = self.side * self.side;
        for y in 0..self.side {
            for x in 0..self.side {
                let weight = self.weight(x) * self.weight(y);
                let pixel = (position.y as usize + y) * self.width + position.x as usize + x;
                self.weights[pixel] += weight;
                for channel in 0..3 {
                    self.sums[3 * pixel + channel] += weight * values[channel * plane + y * self.side + x];
                }
            }
        }
    }

    /// The blended image, `[height, width, 3]`.
    pub(super) fn finish(self) -> Vec<f32> {
        self.sums.iter().zip(0..).map(|(sum, index): (&f32, usize)| sum / self.weights[index / 3]).collect()
    }
}

/// An image enlarged to at least `least` on each side by its mirror image; the original lies at the top left.
pub(super) fn mirrored_to(image: &RgbImage, least: u32) -> RgbImage {
    let (width, height) = image.dimensions();
    let mirror = |place: u32, side: u32| {
        let place = place % (2 * side);
        place.min(2 * side - 1 - place)
    };
    RgbImage::from_fn(width.max(least), height.max(least), |x, y| {
        *image.get_pixel(mirror(x, width), mirror(y, height))
    })
}

/// Values of `[height, width, 3]` in `[0, 1]` as the top-left `width` x `height` pixels of a picture.
pub(super) fn picture(values: &[f32], row: usize, width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let pixel = y as usize * row + x as usize;
        Rgb([0, 1, 2].map(|channel| (values[3 * pixel + channel].clamp(0.0, 1.0) * 255.0).round() as u8))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn corners(size: (u32, u32), patch: usize, stride: usize) -> Vec<(u32, u32)> {
        let positions = overlapped_positions(size, patch, stride).expect("large enough");
        positions.iter().map(|position| (position.x, position.y)).collect()
    }

    #[test]
    fn a_kadid_image_has_six_overlapped_patches() {
        let six = [(0, 0), (128, 0), (256, 0), (0, 128), (128, 128), (256, 128)];
        assert_eq!(corners((512, 384), 256, 128), six);
    }

    #[test]
    fn the_last_patches_end_at_the_border() {
        assert_eq!(corners((300, 256), 256, 128), [(0, 0), (44, 0)]);
        assert_eq!(corners((256, 256), 256, 128), [(0, 0)]);
        assert!(overlapped_positions((255, 300), 256, 128).is_err());
        assert!(overlapped_positions((256, 256), 256, 0).is_err());
    }

    /// Patches of one grey each: the steps between them are spread over the overlap.
    #[test]
    fn a_blend_has_no_seams_and_keeps_what_all_patches_agree_on() {
        let (width, height, side) = (150, 64, 64);
        let positions = overlapped_positions((width, height), side, 32).expect("large enough");
        let mut blend = Blend::new(width, height, side);
        let mut same = Blend::new(width, height, side);
        for (index, position) in positions.iter().enumerate() {
            blend.add(*position, &vec![(index % 2) as f32; 3 * side * side]);
            same.add(*position, &vec![0.25; 3 * side * side]);
        }
        assert!(same.finish().iter().all(|value| (value - 0.25).abs() < 1e-6));
        let blended = blend.finish();
        let steps = blended.chunks_exact(3 * width as usize).flat_map(|row| {
            row.chunks_exact(3).zip(row.chunks_exact(3).skip(1)).map(|(a, b)| (a[0] - b[0]).abs())
        });
        let largest = steps.fold(0.0, f32::max);
        assert!(largest < 0.12, "a step of {largest} from one pixel to the next");
    }

    #[test]
    fn a_small_image_goes_on_as_its_mirror_image() {
        let image = RgbImage::from_fn(3, 2, |x, y| Rgb([(10 * x + y) as u8; 3]));
        let large = mirrored_to(&image, 8);
        let row: Vec<u8> = (0..8).map(|x| large.get_pixel(x, 0)[0]).collect();
        assert_eq!(row, [0, 10, 20, 20, 10, 0, 0, 10]);
        let column: Vec<u8> = (0..8).map(|y| large.get_pixel(0, y)[0]).collect();
        assert_eq!(column, [0, 1, 1, 0, 0, 1, 1, 0]);
    }
}
