//! Where patches lie in an image, and cutting them out.

use burn::tensor::{Device, Tensor, TensorData};
use image::RgbImage;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::config::PATCH;
use crate::HeadError;

/// Most random patches of an image: its features are kept in memory.
pub const MAX_PATCHES: usize = 1 << 16;

/// Top-left corner of a patch, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PatchPosition {
    /// Column.
    pub x: u32,
    /// Row.
    pub y: u32,
}

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

    /// Top-left corners of the patches of an image.
    ///
    /// # Errors
    /// [`HeadError::TooSmall`] for an image that holds no patch, and as [`Self::validate`].
    pub fn positions(&self, width: u32, height: u32) -> Result<Vec<PatchPosition>, HeadError> {
        let least = self.minimum_side();
        if width < least || height < least {
            return Err(HeadError::TooSmall { size: (width, height), minimum: (least, least) });
        }
        self.validate()?;
        match *self {
            Self::Random { patches, seed } => {
                let mut rng = ChaCha8Rng::seed_from_u64(seed);
                let (last_x, last_y) = (width - PATCH as u32, height - PATCH as u32);
                Ok((0..patches)
                    .map(|_| PatchPosition {
                        x: rng.random_range(0..=last_x),
                        y: rng.random_range(0..=last_y),
                    })
                    .collect())
            }
            Self::Grid { stride, inclusive } => {
                let along = |side: u32| {
                    let end = side - PATCH as u32 + u32::from(inclusive);
                    (0..end).step_by(stride)
                };
                Ok(along(height).flat_map(|y| along(width).map(move |x| PatchPosition { x, y })).collect())
            }
        }
    }
}

/// Cuts patches out of an image.
///
/// # Shapes
/// - returns `[positions, 3, 32, 32]`, RGB in `[0, 1]`
///
/// # Panics
/// When a patch does not lie inside the image.
pub fn cut_patches(image: &RgbImage, positions: &[PatchPosition], device: &Device) -> Tensor<4> {
    // Channels last, as in the image, and as this workspace's convolutions like it best.
    let row = PATCH * 3;
    let stride = image.width() as usize * 3;
    let mut values = vec![0f32; positions.len() * PATCH * row];
    for (position, patch) in positions.iter().zip(values.chunks_exact_mut(PATCH * row)) {
        let corner = position.y as usize * stride + position.x as usize * 3;
        for (y, values) in patch.chunks_exact_mut(row).enumerate() {
            let pixels = &image.as_raw()[corner + y * stride..][..row];
            for (value, pixel) in values.iter_mut().zip(pixels) {
                *value = f32::from(*pixel) / 255.0;
            }
        }
    }
    let patches = TensorData::new(values, [positions.len(), PATCH, PATCH, 3]);
    Tensor::<4>::from_data(patches, device).permute([0, 3, 1, 2])
}

/// Cuts the patches of every image of a batch, image after image; differentiable.
///
/// # Shapes
/// - `images`: `[n, 3, height, width]`; returns `[n * positions, 3, 32, 32]`
pub(super) fn cut_patches_tensor(images: Tensor<4>, sampler: PatchSampler) -> Result<Tensor<4>, HeadError> {
    let [n, channels, height, width] = images.dims();
    let positions = sampler.positions(width as u32, height as u32)?;
    if let PatchSampler::Grid { stride: PATCH, inclusive } = sampler {
        // One reshape for the whole grid, where a slice a patch would cost a full-size gradient each.
        let count = |side: usize| (side - PATCH + usize::from(inclusive)).div_ceil(PATCH);
        let (rows, columns) = (count(height), count(width));
        let grid = images.slice([0..n, 0..channels, 0..rows * PATCH, 0..columns * PATCH]);
        let grid: Tensor<6> = grid.reshape([n, channels, rows, PATCH, columns, PATCH]);
        return Ok(grid.permute([0, 2, 4, 1, 3, 5]).reshape([n * rows * columns, channels, PATCH, PATCH]));
    }
    let patches = positions.iter().map(|position| {
        let (x, y) = (position.x as usize, position.y as usize);
        let patch: Tensor<4> = images.clone().slice([0..n, 0..channels, y..y + PATCH, x..x + PATCH]);
        patch.unsqueeze_dim::<5>(1)
    });
    let stacked: Tensor<5> = Tensor::cat(patches.collect(), 1);
    Ok(stacked.reshape([n * positions.len(), channels, PATCH, PATCH]))
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
            assert!(at(1).contains(&PatchPosition { x, y }), "({x}, {y}) never drawn");
        }
        assert!(at(1).iter().all(|p| p.x <= 2 && p.y <= 1));
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
