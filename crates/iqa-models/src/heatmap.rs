//! Patch maps as pictures.

use image::{Rgb, RgbImage};
use iqa_core::{Direction, PatchMap};

/// From calm to alarming: seven stops of matplotlib's `inferno` (CC0).
const STOPS: [[u8; 3]; 7] =
    [[0, 0, 4], [51, 10, 95], [120, 28, 109], [188, 55, 84], [237, 105, 37], [252, 181, 25], [252, 255, 164]];
/// Part of the heat in the mix with the grey image.
const HEAT: f32 = 0.75;
/// White columns between the panels, in pixels.
const GAP: u32 = 8;

/// Draws where an image is bad: the image, the local distortion, and the weight of each place, side by side.
///
/// In the second panel brighter is worse, in the third brighter counts more; each panel uses its whole scale.
/// Where patches of several sizes lie over each other, their mean is shown; places that no patch covers stay grey.
///
/// # Panics
/// When `image` is not of the size the map was made from.
pub fn heatmap(image: &RgbImage, map: &PatchMap, direction: Direction) -> RgbImage {
    let [distortion, weight] = heatmap_panels(image, map, direction);
    let mut sheet = RgbImage::from_pixel(3 * map.width + 2 * GAP, map.height, Rgb([255; 3]));
    for (index, panel) in [image, &distortion, &weight].into_iter().enumerate() {
        image::imageops::replace(&mut sheet, panel, index as i64 * i64::from(map.width + GAP), 0);
    }
    sheet
}

/// The second and the third panel of [`heatmap`]: the local distortion, and the weight of each place.
///
/// # Panics
/// When `image` is not of the size the map was made from.
pub fn heatmap_panels(image: &RgbImage, map: &PatchMap, direction: Direction) -> [RgbImage; 2] {
    assert_eq!(image.dimensions(), (map.width, map.height), "the map is of another image");
    let badness: Vec<f32> = match direction {
        Direction::HigherIsBetter => map.quality.iter().map(|quality| -quality).collect(),
        Direction::LowerIsBetter => map.quality.clone(),
    };
    [panel(image, map, &badness), panel(image, map, &map.weight)]
}

fn panel(image: &RgbImage, map: &PatchMap, values: &[f32]) -> RgbImage {
    let low = values.iter().copied().fold(f32::INFINITY, f32::min);
    let high = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let span = if high > low { high - low } else { 1.0 };
    let grey = image::imageops::grayscale(image);
    let mut out = RgbImage::from_fn(grey.width(), grey.height(), |x, y| Rgb([grey.get_pixel(x, y)[0]; 3]));
    let mut covering = vec![(0f32, 0u32); (map.width * map.height) as usize];
    for (position, value) in map.positions.iter().zip(values) {
        let side = map.side * position.shrink;
        for y in position.y..position.y + side {
            for x in position.x..position.x + side {
                let (sum, count) = &mut covering[(y * map.width + x) as usize];
                *sum += value;
                *count += 1;
            }
        }
    }
    for (pixel, (sum, count)) in out.pixels_mut().zip(covering).filter(|(_, (_, count))| *count > 0) {
        let heat = color((sum / count as f32 - low) / span);
        for (channel, heat) in pixel.0.iter_mut().zip(heat) {
            *channel = (HEAT * f32::from(heat) + (1.0 - HEAT) * f32::from(*channel)).round() as u8;
        }
    }
    out
}

fn color(value: f32) -> [u8; 3] {
    let position = value.clamp(0.0, 1.0) * (STOPS.len() - 1) as f32;
    let below = (position as usize).min(STOPS.len() - 2);
    let part = position - below as f32;
    std::array::from_fn(|channel| {
        let (low, high) = (f32::from(STOPS[below][channel]), f32::from(STOPS[below + 1][channel]));
        (low + part * (high - low)).round() as u8
    })
}
