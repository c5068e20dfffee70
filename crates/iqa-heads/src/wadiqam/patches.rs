//! Where patches lie in an image, and cutting them out.

use burn::tensor::{Device, Tensor, TensorData};
use image::RgbImage;
use iqa_core::{PatchPosition, sha256};
use iqa_kernels::average_pool;
use iqa_nn::{check_minimum, pixels_to_tensor, takes_bytes};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::config::PATCH;
use crate::HeadError;

/// Most random patches of an image: its features are kept in memory.
pub const MAX_PATCHES: usize = 1 << 16;

/// Which patches of an image are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PatchSampler {
    /// Patches at random places, overlap allowed; the same seed gives the same places for the same image
    /// size (Bosse et al., section III-E: 32 patches).
    Random {
        /// Number of patches.
        patches: usize,
        /// Seed of the generator.
        seed: u64,
    },
    /// A grid from the top-left corner, row by row; what remains at the right and bottom is left out.
    Grid {
        /// Distance between neighbours, in pixels.
        stride: usize,
        /// Whether a patch may end exactly at the border, as in the official code. The PyTorch ports iterate
        /// `range(0, side - 32, stride)` and so lose the last row and column when the side is a multiple of
        /// the stride.
        inclusive: bool,
    },
}

impl Default for PatchSampler {
    fn default() -> Self {
        Self::official()
    }
}

impl PatchSampler {
    /// The grid of the official code (deepIQA): 512x384 gives 16 x 12 = 192 patches.
    pub const fn official() -> Self {
        Self::Grid { stride: PATCH, inclusive: true }
    }

    /// The grid of the PyTorch ports (lidq92, pyiqa): 512x384 gives 15 x 11 = 165 patches.
    pub const fn ports() -> Self {
        Self::Grid { stride: PATCH, inclusive: false }
    }

    /// The same with places of its own for this picture: a seed that comes from the sampler's and the picture's pixels, so that
    /// they are the same again whenever the picture is scored, in whatever company. A grid stays.
    #[must_use]
    pub fn for_picture(self, picture: &RgbImage) -> Self {
        match self {
            Self::Random { patches, seed } => {
                let digest = sha256(picture.as_raw());
                let of_picture = u64::from_str_radix(&digest[..16], 16).unwrap_or_default();
                Self::Random { patches, seed: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ of_picture }
            }
            grid @ Self::Grid { .. } => grid,
        }
    }

    /// Smallest side of an image that holds a patch, in pixels.
    pub fn minimum_side(&self) -> u32 {
        match self {
            Self::Grid { inclusive: false, .. } => PATCH as u32 + 1,
            _ => PATCH as u32,
        }
    }

    /// That this sampler cuts patches, and not too many of them.
    ///
    /// # Errors
    /// [`HeadError::EmptySampler`]; [`HeadError::InvalidConfig`] for more than [`MAX_PATCHES`] random patches.
    pub fn validate(&self) -> Result<(), HeadError> {
        match *self {
            Self::Random { patches: 0, .. } => Err(HeadError::EmptySampler { what: "patches" }),
            Self::Grid { stride: 0, .. } => Err(HeadError::EmptySampler { what: "stride" }),
            Self::Random { patches, .. } if patches > MAX_PATCHES => Err(HeadError::InvalidConfig {
                field: "patches",
                found: patches.to_string(),
                expected: "at most 65536",
            }),
            _ => Ok(()),
        }
    }

    /// The patches of an image at its own size and, for more than one scale, at half, a quarter, ... of it, finest
    /// first. Every scale has its own grid or as many random patches; one at which the image is too small is left out.
    ///
    /// # Errors
    /// As [`Self::positions`].
    pub fn positions_at_scales(
        &self,
        width: u32,
        height: u32,
        scales: usize,
    ) -> Result<Vec<PatchPosition>, HeadError> {
        let mut all = self.positions(width, height)?;
        for scale in 1..scales as u32 {
            let shrink = 1 << scale;
            let (width, height) = (width / shrink, height / shrink);
            if width.min(height) < self.minimum_side() {
                break;
            }
            let sampler = match *self {
                Self::Random { patches, seed } => {
                    Self::Random { patches, seed: seed.wrapping_add(u64::from(scale)) }
                }
                grid @ Self::Grid { .. } => grid,
            };
            let positions = sampler.positions(width, height)?;
            all.extend(positions.iter().map(|at| PatchPosition {
                x: at.x * shrink,
                y: at.y * shrink,
                shrink,
            }));
        }
        Ok(all)
    }

    /// The patches of an image at its own size.
    ///
    /// # Errors
    /// [`ScoreError::TooSmall`](iqa_nn::ScoreError::TooSmall) for an image that holds no patch, and as [`Self::validate`].
    pub fn positions(&self, width: u32, height: u32) -> Result<Vec<PatchPosition>, HeadError> {
        let least = self.minimum_side();
        check_minimum((width, height), (least, least))?;
        self.validate()?;
        match *self {
            Self::Random { patches, seed } => {
                let mut rng = ChaCha8Rng::seed_from_u64(seed);
                let (last_x, last_y) = (width - PATCH as u32, height - PATCH as u32);
                Ok((0..patches)
                    .map(|_| PatchPosition::new(rng.random_range(0..=last_x), rng.random_range(0..=last_y)))
                    .collect())
            }
            Self::Grid { stride, inclusive } => {
                let along = |side: u32| {
                    let end = side - PATCH as u32 + u32::from(inclusive);
                    (0..end).step_by(stride)
                };
                Ok(along(height).flat_map(|y| along(width).map(move |x| PatchPosition::new(x, y))).collect())
            }
        }
    }
}

/// Cuts patches out of an image: on the device, where that [takes bytes](iqa_nn::takes_bytes) and the patches are whole rows of
/// a grid without gaps, of which it then gets the part of the image that they cover.
///
/// # Shapes
/// - returns `[positions, 3, 32, 32]`, RGB in `[0, 1]`
///
/// # Panics
/// When a patch does not lie inside the image.
pub fn cut_patches(image: &RgbImage, positions: &[PatchPosition], device: &Device) -> Tensor<4> {
    if takes_bytes(device) {
        let scales = positions.chunk_by(|a, b| a.shrink == b.shrink);
        let scales: Option<Vec<_>> = scales.map(|of_scale| cut_rows(image, of_scale, device)).collect();
        if let Some(patches) = scales.filter(|scales| !scales.is_empty()) {
            return Tensor::cat(patches, 0);
        }
    }
    patches_to_tensor(patch_values(image, positions), device)
}

/// The patches of one scale, where they are whole rows of a grid from the left border, without gaps.
fn cut_rows(image: &RgbImage, positions: &[PatchPosition], device: &Device) -> Option<Tensor<4>> {
    let (first, side) = (positions[0], PATCH as u32 * positions[0].shrink);
    let columns = positions.iter().take_while(|at| at.y == first.y).count();
    let of_grid = |(index, at): (usize, &PatchPosition)| {
        let (row, column) = ((index / columns) as u32, (index % columns) as u32);
        (at.x, at.y) == (column * side, first.y + row * side)
    };
    if !positions.len().is_multiple_of(columns) || !positions.iter().enumerate().all(of_grid) {
        return None;
    }
    let (side, shrink) = (side as usize, first.shrink as usize);
    let (width, top, height) = (image.width() as usize, first.y as usize, positions.len() / columns * side);
    let rows = &image.as_raw()[top * width * 3..][..height * width * 3];
    let rows = pixels_to_tensor(rows, [height, width], device).narrow(3, 0, columns * side);
    Some(cut_grid(shrunk(rows, shrink), [positions.len() / columns, columns]))
}

/// As many patches at once as a pass of the network takes, `most` or whole rows of them, so that a device can cut them.
pub(super) fn chunks<'a>(
    positions: &'a [PatchPosition],
    most: usize,
    device: &Device,
) -> Vec<&'a [PatchPosition]> {
    if !takes_bytes(device) {
        return positions.chunks(most.max(1)).collect();
    }
    let mut chunks = Vec::new();
    let (mut start, mut end) = (0, 0);
    for row in positions.chunk_by(|a, b| (a.shrink, a.y) == (b.shrink, b.y)) {
        if end > start && end - start + row.len() > most {
            chunks.push(&positions[start..end]);
            start = end;
        }
        end += row.len();
    }
    if end > start {
        chunks.push(&positions[start..end]);
    }
    chunks
}

/// Patches as [`patch_values`] cuts them, as a tensor `[patches, 3, 32, 32]`.
///
/// # Panics
/// When the values are no whole number of patches.
pub fn patches_to_tensor(values: Vec<f32>, device: &Device) -> Tensor<4> {
    // Channels last, as in the image, and as this workspace's convolutions like it best.
    let patches = values.len() / (PATCH * PATCH * 3);
    let patches = TensorData::new(values, [patches, PATCH, PATCH, 3]);
    Tensor::<4>::from_data(patches, device).permute([0, 3, 1, 2])
}

/// The values of patches of an image, in `[0, 1]`: patch by patch, row by row, R, G and B of each pixel.
///
/// # Panics
/// When a patch does not lie inside the image.
pub fn patch_values(image: &RgbImage, positions: &[PatchPosition]) -> Vec<f32> {
    const ROW: usize = PATCH * 3;
    let stride = image.width() as usize * 3;
    let mut values = vec![0f32; positions.len() * PATCH * ROW];
    for (position, patch) in positions.iter().zip(values.chunks_exact_mut(PATCH * ROW)) {
        let shrink = position.shrink as usize;
        let most = (255 * shrink * shrink) as f32;
        let corner = position.y as usize * stride + position.x as usize * 3;
        for (y, values) in patch.chunks_exact_mut(ROW).enumerate() {
            let first = corner + y * shrink * stride;
            let mut sums = [0u32; ROW];
            for down in 0..shrink {
                let pixels = &image.as_raw()[first + down * stride..][..ROW * shrink];
                for (sums, pixels) in sums.chunks_exact_mut(3).zip(pixels.chunks_exact(3 * shrink)) {
                    for pixel in pixels.chunks_exact(3) {
                        for (sum, value) in sums.iter_mut().zip(pixel) {
                            *sum += u32::from(*value);
                        }
                    }
                }
            }
            for (value, sum) in values.iter_mut().zip(sums) {
                *value = sum as f32 / most;
            }
        }
    }
    values
}

/// Cuts the patches of every image of a batch, image after image, each as [`PatchSampler::positions_at_scales`] says;
/// differentiable.
///
/// # Shapes
/// - `images`: `[n, 3, height, width]`; returns `[n * positions, 3, 32, 32]`
pub(super) fn cut_patches_tensor(
    images: Tensor<4>,
    sampler: PatchSampler,
    positions: &[PatchPosition],
) -> Tensor<4> {
    let n = images.dims()[0];
    let scales: Vec<Tensor<5>> = positions
        .chunk_by(|a, b| a.shrink == b.shrink)
        .map(|positions| {
            let shrink = positions[0].shrink;
            let shrunk = shrunk(images.clone(), shrink as usize);
            let positions: Vec<_> =
                positions.iter().map(|at| PatchPosition::new(at.x / shrink, at.y / shrink)).collect();
            let patches = cut_at_one_scale(shrunk, sampler, &positions);
            patches.reshape([n, positions.len(), 3, PATCH, PATCH])
        })
        .collect();
    Tensor::cat(scales, 1).reshape([n * positions.len(), 3, PATCH, PATCH])
}

fn shrunk(images: Tensor<4>, by: usize) -> Tensor<4> {
    if by == 1 { images } else { average_pool(images, by, by, 0) }
}

/// The patches of grids of `[rows, columns]` from the corner, without gaps.
fn cut_grid(images: Tensor<4>, [rows, columns]: [usize; 2]) -> Tensor<4> {
    let [n, channels, _, _] = images.dims();
    let grid = images.slice([0..n, 0..channels, 0..rows * PATCH, 0..columns * PATCH]);
    let grid: Tensor<6> = grid.reshape([n, channels, rows, PATCH, columns, PATCH]);
    grid.permute([0, 2, 4, 1, 3, 5]).reshape([n * rows * columns, channels, PATCH, PATCH])
}

fn cut_at_one_scale(images: Tensor<4>, sampler: PatchSampler, positions: &[PatchPosition]) -> Tensor<4> {
    let [n, channels, height, width] = images.dims();
    if let PatchSampler::Grid { stride: PATCH, inclusive } = sampler {
        // One reshape for the whole grid, where a slice a patch would cost a full-size gradient each.
        let count = |side: usize| (side - PATCH + usize::from(inclusive)).div_ceil(PATCH);
        return cut_grid(images, [count(height), count(width)]);
    }
    let patches = positions.iter().map(|position| {
        let (x, y) = (position.x as usize, position.y as usize);
        let patch: Tensor<4> = images.clone().slice([0..n, 0..channels, y..y + PATCH, x..x + PATCH]);
        patch.unsqueeze_dim::<5>(1)
    });
    let stacked: Tensor<5> = Tensor::cat(patches.collect(), 1);
    stacked.reshape([n * positions.len(), channels, PATCH, PATCH])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(sampler: PatchSampler, width: u32, height: u32) -> usize {
        sampler.positions(width, height).expect("large enough").len()
    }

    #[test]
    fn grids_have_the_counts_of_the_official_code_and_of_the_ports() {
        assert_eq!(count(PatchSampler::official(), 512, 384), 192);
        assert_eq!(count(PatchSampler::official(), 768, 512), 384);
        assert_eq!(count(PatchSampler::official(), 513, 415), 192, "the remainder is dropped");
        assert_eq!(count(PatchSampler::ports(), 512, 384), 165);
        assert_eq!(count(PatchSampler::ports(), 513, 385), 192);
        assert_eq!(count(PatchSampler::official(), 32, 32), 1);
    }

    #[test]
    fn a_grid_goes_row_by_row() {
        let grid = PatchSampler::official().positions(96, 64).expect("large enough");
        let corners: Vec<_> = grid.iter().map(|p| (p.x, p.y)).collect();
        assert_eq!(corners, [(0, 0), (32, 0), (64, 0), (0, 32), (32, 32), (64, 32)]);
    }

    #[test]
    fn random_places_follow_the_seed_and_reach_both_borders() {
        let at = |seed| PatchSampler::Random { patches: 500, seed }.positions(34, 33).expect("large enough");
        assert_eq!(at(1), at(1));
        assert_ne!(at(1), at(2));
        for (x, y) in [(0, 0), (2, 1), (2, 0), (0, 1)] {
            assert!(at(1).contains(&PatchPosition::new(x, y)), "({x}, {y}) never drawn");
        }
        assert!(at(1).iter().all(|p| p.x <= 2 && p.y <= 1));
    }

    #[test]
    fn every_picture_has_random_places_of_its_own() {
        let picture = |shade| RgbImage::from_pixel(500, 400, image::Rgb([shade; 3]));
        let at = |seed, shade| {
            let sampler = PatchSampler::Random { patches: 32, seed }.for_picture(&picture(shade));
            sampler.positions(500, 400).expect("large enough")
        };
        assert_eq!(at(1, 7), at(1, 7));
        assert_ne!(at(1, 7), at(1, 8));
        assert_ne!(at(1, 7), at(2, 7));
        assert_eq!(PatchSampler::official().for_picture(&picture(7)), PatchSampler::official());
    }

    #[test]
    fn coarser_scales_have_grids_of_their_own_and_count_as_much_as_the_finest() {
        let at = |width, height| {
            PatchSampler::official().positions_at_scales(width, height, 3).expect("large enough")
        };
        let positions = at(512, 384);
        let count = |shrink| positions.iter().filter(|at| at.shrink == shrink).count();
        assert_eq!([count(1), count(2), count(4)], [192, 48, 12]);
        // Eight a row.
        assert_eq!(positions[192 + 17], PatchPosition { x: 64, y: 128, shrink: 2 });
        let shares = iqa_core::scale_shares(&positions);
        assert_eq!([shares[0], shares[192], shares[240]], [1.0, 4.0, 16.0]);
        assert_eq!(at(127, 100).iter().map(|at| at.shrink).max(), Some(2), "too small for a quarter");
        assert_eq!(at(40, 40), PatchSampler::official().positions(40, 40).expect("large enough"));
    }

    #[test]
    fn a_patch_of_the_half_size_picture_holds_means_of_four_pixels() {
        let image =
            RgbImage::from_fn(80, 70, |x, y| image::Rgb([(x * 3) as u8, (y * 3) as u8, (x + y) as u8]));
        let position = PatchPosition { x: 12, y: 4, shrink: 2 };
        let patch = cut_patches(&image, &[position], &Device::flex()).into_data();
        let values: Vec<f32> = patch.iter::<f32>().collect();
        // Columns 12 + 2 * 5 and the next: 3 * 22.5; rows 4 + 2 * 7 and the next: 3 * 18.5.
        let at = |channel: usize| values[channel * PATCH * PATCH + 7 * PATCH + 5] * 255.0;
        for (channel, expected) in [67.5, 55.5, 41.0].into_iter().enumerate() {
            assert!((at(channel) - expected).abs() < 1e-4, "{channel}: {}", at(channel));
        }
    }

    #[test]
    fn what_holds_no_patch_is_refused_with_the_minimum() {
        let error = PatchSampler::official().positions(20, 20).expect_err("too small");
        assert_eq!(error.to_string(), "the image is 20x20, the smallest this model takes is 32x32");
        assert!(PatchSampler::ports().positions(32, 32).is_err());
        for patches in [0, MAX_PATCHES + 1, usize::MAX] {
            assert!(PatchSampler::Random { patches, seed: 0 }.positions(64, 64).is_err(), "{patches}");
        }
        assert!(PatchSampler::Grid { stride: 0, inclusive: true }.positions(64, 64).is_err());
    }
}
