//! Patch maps as pictures.

use image::{Rgb, RgbImage};
use iqa_core::{Direction, PatchMap};
use ndarray::Array2;

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
/// Where patches lie over each other, their mean is shown; places that no patch covers stay grey. The values themselves are
/// [`PatchMap::quality_array`] and [`PatchMap::weight_array`].
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
    let sign: f32 = match direction {
        Direction::HigherIsBetter => -1.0,
        Direction::LowerIsBetter => 1.0,
    };
    let badness: Vec<f32> = map.quality.iter().map(|quality| sign * quality).collect();
    [panel(image, &badness, &(map.quality_array() * sign)), panel(image, &map.weight, &map.weight_array())]
}

/// The grey image under what `places` has at each pixel, on the scale of the patches' values.
fn panel(image: &RgbImage, values: &[f32], places: &Array2<f32>) -> RgbImage {
    let low = values.iter().copied().fold(f32::INFINITY, f32::min);
    let high = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let span = if high > low { high - low } else { 1.0 };
    let grey = image::imageops::grayscale(image);
    let mut out = RgbImage::from_fn(grey.width(), grey.height(), |x, y| Rgb([grey.get_pixel(x, y)[0]; 3]));
    for (pixel, value) in out.pixels_mut().zip(places).filter(|(_, value)| !value.is_nan()) {
        let heat = color((value - low) / span);
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
