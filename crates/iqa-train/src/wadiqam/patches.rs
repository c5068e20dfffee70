//! Where patches are cut.

use image::RgbImage;
use iqa_core::PatchPosition;
use iqa_heads::wadiqam::{PATCH, PatchSampler};
use iqa_nn::ScoreError;

use super::recipe::WadiqamRecipe;
use crate::TrainError;

/// Random patches of an image, as many at each of the network's scales.
pub(super) fn random_patches(
    recipe: &WadiqamRecipe,
    patches: usize,
    seed: u64,
    image: &RgbImage,
) -> Result<Vec<PatchPosition>, TrainError> {
    let sampler = PatchSampler::Random { patches, seed };
    let (width, height) = image.dimensions();
    let positions = sampler.positions_at_scales(width, height, recipe.model.scales)?;
    if positions.len() < patches * recipe.model.scales {
        let least = (PATCH as u32) << (recipe.model.scales - 1);
        return Err(ScoreError::TooSmall { size: (width, height), minimum: (least, least) }.into());
    }
    Ok(positions)
}
