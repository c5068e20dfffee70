//! Few colours: a palette of least variance and error diffusion (KADID-10k type 6, TID2013 type 22).

use std::collections::BinaryHeap;

use image::{Rgb, RgbImage};

/// Bits of a channel by which colours are gathered before the palette is made; each cell keeps its exact mean.
const CELL_BITS: u32 = 6;

/// Shares of a pixel's error for its right, lower left, lower and lower right neighbours (Floyd and Steinberg 1976).
const DIFFUSION: [(isize, usize, f32); 4] =
    [(1, 0, 7.0 / 16.0), (-1, 1, 3.0 / 16.0), (0, 1, 5.0 / 16.0), (1, 1, 1.0 / 16.0)];

/// Weight and weighted sums of R, G, B and of their squares.
#[derive(Clone, Copy, Default)]
struct Moments {
    weight: f64,
    sums: [f64; 3],
    squares: f64,
}

impl Moments {
    fn add(&mut self, other: &Self) {
        self.weight += other.weight;
        self.squares += other.squares;
        self.sums.iter_mut().zip(other.sums).for_each(|(sum, value)| *sum += value);
    }

    fn mean(&self) -> [f64; 3] {
        self.sums.map(|sum| sum / self.weight)
    }

    /// `weight |mean|^2`: what a split gains in it, the squared error loses.
    fn explained(&self) -> f64 {
        self.sums.iter().map(|sum| sum * sum).sum::<f64>() / self.weight
    }

    fn squared_error(&self) -> f64 {
        (self.squares - self.explained()).max(0.0)
    }
}

/// Cells that share a colour; the heap gives the one of largest squared error.
struct Cluster {
    error: f64,
    cells: Vec<Moments>,
}

impl Cluster {
    fn new(cells: Vec<Moments>) -> Self {
        let error = if cells.len() > 1 { total(&cells).squared_error() } else { 0.0 };
        Self { error, cells }
    }

    /// Two parts by a plane across one axis, such that their squared errors have the least sum.
    fn split(mut self) -> (Self, Self) {
        let whole = total(&self.cells);
        let mut best = (f64::NEG_INFINITY, 0, 1);
        for axis in 0..3 {
            self.sort(axis);
            let mut below = Moments::default();
            for (count, cell) in self.cells.iter().enumerate() {
                if count > 0 {
                    let mut above = whole;
                    above.weight -= below.weight;
                    above.sums.iter_mut().zip(below.sums).for_each(|(sum, part)| *sum -= part);
                    let explained = below.explained() + above.explained();
                    if explained > best.0 {
                        best = (explained, axis, count);
                    }
                }
                below.add(cell);
            }
        }
        self.sort(best.1);
        let above = self.cells.split_off(best.2);
        (Self::new(self.cells), Self::new(above))
    }

    fn sort(&mut self, axis: usize) {
        // By means, compared without a division; stable, so that the result does not depend on how ties fall.
        self.cells.sort_by(|a, b| (a.sums[axis] * b.weight).total_cmp(&(b.sums[axis] * a.weight)));
    }
}

impl PartialEq for Cluster {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Cluster {}

impl PartialOrd for Cluster {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Cluster {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.error.total_cmp(&other.error)
    }
}

fn total(cells: &[Moments]) -> Moments {
    let mut total = Moments::default();
    cells.iter().for_each(|cell| total.add(cell));
    total
}

/// At most `count` colours of this image: the cluster of largest squared error is split, again and again, where the
/// error falls most.
///
/// Source: S. J. Wan, P. Prusinkiewicz, S. K. M. Wong, "Variance-based color image quantization for frame buffer
/// display", Color Research and Application 15(1), 1990.
pub(super) fn least_variance(image: &RgbImage, count: usize) -> Vec<[f32; 3]> {
    let mut cells = vec![Moments::default(); 1 << (3 * CELL_BITS)];
    for pixel in image.pixels() {
        let cell = pixel.0.iter().fold(0, |cell, &v| (cell << CELL_BITS) | usize::from(v >> (8 - CELL_BITS)));
        let sums = pixel.0.map(f64::from);
        cells[cell].add(&Moments { weight: 1.0, sums, squares: sums.iter().map(|v| v * v).sum() });
    }
    cells.retain(|cell| cell.weight > 0.0);
    let mut clusters = BinaryHeap::from([Cluster::new(cells)]);
    while clusters.len() < count {
        match clusters.pop() {
            Some(largest) if largest.error > 0.0 => {
                let (below, above) = largest.split();
                clusters.push(below);
                clusters.push(above);
            }
            single => {
                clusters.extend(single);
                break;
            }
        }
    }
    let mean = |cluster: Cluster| total(&cluster.cells).mean().map(|value| value.round() as f32);
    clusters.into_sorted_vec().into_iter().map(mean).collect()
}

/// The image in the colours of a palette; each pixel hands on `dither` (0 to 1) of its error.
///
/// # Panics
/// On an empty palette.
pub(super) fn map(image: &RgbImage, palette: &[[f32; 3]], dither: f32) -> RgbImage {
    let mut palette = palette.to_vec();
    palette.sort_by(|a, b| a[1].total_cmp(&b[1]));
    let (width, height) = (image.width() as usize, image.height() as usize);
    // Errors of this row and the next.
    let mut errors = [vec![[0f32; 3]; width], vec![[0f32; 3]; width]];
    let mut out = image.clone();
    for y in 0..height {
        for x in 0..width {
            let pixel = out.get_pixel_mut(x as u32, y as u32);
            let wanted: [f32; 3] =
                std::array::from_fn(|c| (f32::from(pixel[c]) + errors[0][x][c]).clamp(0.0, 255.0));
            let colour = nearest(&palette, wanted);
            *pixel = Rgb(colour.map(|value| value as u8));
            for (dx, dy, share) in DIFFUSION {
                if let Some(error) = x.checked_add_signed(dx).and_then(|x| errors[dy].get_mut(x)) {
                    for ((error, wanted), got) in error.iter_mut().zip(wanted).zip(colour) {
                        *error += dither * share * (wanted - got);
                    }
                }
            }
        }
        errors.swap(0, 1);
        errors[1].fill([0.0; 3]);
    }
    out
}

/// The closest colour of a palette sorted by green: outwards from the closest green, until green alone is further.
fn nearest(palette: &[[f32; 3]], wanted: [f32; 3]) -> [f32; 3] {
    let middle = palette.partition_point(|colour| colour[1] < wanted[1]);
    let (mut below, mut above) = (middle, middle);
    let (mut best, mut least) = (palette[middle.min(palette.len() - 1)], f32::INFINITY);
    loop {
        let green = |index: Option<&[f32; 3]>| index.map(|colour| (colour[1] - wanted[1]).powi(2));
        let down = below.checked_sub(1).and_then(|index| green(palette.get(index)));
        let up = green(palette.get(above));
        let colour = match (down, up) {
            (Some(down), up) if up.is_none_or(|up| down <= up) && down < least => {
                below -= 1;
                palette[below]
            }
            (_, Some(up)) if up < least => {
                above += 1;
                palette[above - 1]
            }
            _ => return best,
        };
        let distance = colour.iter().zip(wanted).map(|(a, b)| (a - b).powi(2)).sum();
        if distance < least {
            (best, least) = (colour, distance);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texture() -> RgbImage {
        RgbImage::from_fn(48, 40, |x, y| Rgb([(x * 5) as u8, (y * 6) as u8, ((x * y) % 256) as u8]))
    }

    #[test]
    fn as_many_colours_as_there_are_give_the_image_back() {
        let colours = [[0, 0, 0], [255, 255, 255], [200, 30, 40], [20, 180, 60], [10, 20, 240]];
        let image = RgbImage::from_fn(30, 20, |x, y| Rgb(colours[((x * 7 + y * 3) % 5) as usize]));
        let palette = least_variance(&image, 5);
        assert_eq!(palette.len(), 5);
        assert_eq!(map(&image, &palette, 1.0), image);
        assert_eq!(least_variance(&image, 100).len(), 5);
    }

    #[test]
    fn two_colours_part_a_ramp_in_the_middle() {
        // Halves of a uniform ramp: means 63.5 and 191.5.
        let ramp = RgbImage::from_fn(256, 2, |x, _| Rgb([x as u8; 3]));
        let mut greens: Vec<f32> = least_variance(&ramp, 2).iter().map(|colour| colour[1]).collect();
        greens.sort_by(f32::total_cmp);
        assert!((greens[0] - 63.5).abs() <= 0.5 && (greens[1] - 191.5).abs() <= 0.5, "{greens:?}");
    }

    #[test]
    fn the_closest_colour_is_the_closest() {
        let image = texture();
        let mut palette = least_variance(&image, 23);
        palette.sort_by(|a, b| a[1].total_cmp(&b[1]));
        for pixel in image.pixels() {
            let wanted = pixel.0.map(f32::from);
            let distance =
                |colour: &[f32; 3]| colour.iter().zip(wanted).map(|(a, b)| (a - b).powi(2)).sum::<f32>();
            let least = palette.iter().map(distance).fold(f32::INFINITY, f32::min);
            assert_eq!(distance(&nearest(&palette, wanted)), least);
        }
    }

    #[test]
    fn dither_keeps_the_mean_where_its_absence_does_not() {
        let grey = RgbImage::from_pixel(64, 64, Rgb([100; 3]));
        let mean = |image: &RgbImage| image.iter().map(|&v| f64::from(v)).sum::<f64>() / image.len() as f64;
        let palette = [[0.0; 3], [255.0; 3]];
        assert!((mean(&map(&grey, &palette, 1.0)) - 100.0).abs() < 2.0);
        assert_eq!(mean(&map(&grey, &palette, 0.0)), 0.0);
    }
}
