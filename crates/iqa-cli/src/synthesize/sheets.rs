//! Contact sheets: the levels of a distortion side by side.

use std::error::Error;
use std::path::Path;

use iqa_models::core::{FolderClaim, write_atomically};
use iqa_models::datasets::synthetic::{Photograph, SetItem, SyntheticSet};
use iqa_models::image::codecs::jpeg::JpegEncoder;
use iqa_models::image::{Rgb, RgbImage, imageops};

/// Width and height of a tile, and the gap between tiles, in pixels.
const TILE: (u32, u32) = (144, 108);
const GAP: u32 = 4;
/// JPEG quality of a sheet.
const QUALITY: u8 = 72;

/// Draws one JPEG for each type: the undistorted tile, then its levels from 1 to 5.
pub(crate) fn draw(set: &SyntheticSet, image: &RgbImage, folder: &Path) -> Result<(), Box<dyn Error>> {
    let items: Vec<_> = set.items(1).collect();
    let name = |item: &SetItem| format!("{}_{:02}_{}.jpg", set.style.name(), item.type_id, item.type_name());
    let names: Vec<String> =
        items.chunk_by(|a, b| a.type_id == b.type_id).map(|levels| name(&levels[0])).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let _claim = FolderClaim::new(folder, "synthesize", &names)?;
    let photographs = Photograph::numbered([set.photographs[0].name.clone()]);
    let set = SyntheticSet { size: TILE, photographs, ..set.clone() };
    let tile = set.crop(&set.photographs[0], image)?;
    let (width, height) = tile.dimensions();
    for levels in items.chunk_by(|a, b| a.type_id == b.type_id) {
        let columns = levels.len() as u32 + 1;
        let mut sheet = RgbImage::from_pixel(columns * (width + GAP) - GAP, height, Rgb([255; 3]));
        imageops::replace(&mut sheet, &tile, 0, 0);
        for (item, column) in levels.iter().zip(1..) {
            let (distorted, _) = item.make(&tile, set.seed)?;
            imageops::replace(&mut sheet, &distorted, column * i64::from(width + GAP), 0);
        }
        let mut bytes = Vec::new();
        JpegEncoder::new_with_quality(&mut bytes, QUALITY).encode_image(&sheet)?;
        write_atomically(&folder.join(name(&levels[0])), &bytes)?;
    }
    Ok(())
}
