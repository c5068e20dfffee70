//! Where patches are cut.

use iqa_core::PatchPosition;
use iqa_heads::wadiqam::{PATCH, PatchSampler};
use iqa_nn::ScoreError;

use super::recipe::WadiqamRecipe;
use crate::{TrainError, TrainingPair};

/// Random patches of a distorted image, as many at each of the network's scales.
pub(super) fn random_patches(
    recipe: &WadiqamRecipe,
    patches: usize,
    seed: u64,
    pair: &TrainingPair,
) -> Result<Vec<PatchPosition>, TrainError> {
    let sampler = PatchSampler::Random { patches, seed };
    let (width, height) = pair.distorted.dimensions();
    let positions = sampler.positions_at_scales(width, height, recipe.model.scales);
    let positions = positions.map_err(|error| pair.refused(error))?;
    if positions.len() < patches * recipe.model.scales {
        let least = (PATCH as u32) << (recipe.model.scales - 1);
        return Err(pair.refused(ScoreError::TooSmall { size: (width, height), minimum: (least, least) }));
    }
    Ok(positions)
}
