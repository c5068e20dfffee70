//! What a model says of the places of an image.

use ndarray::{Array2, s};
use serde::{Deserialize, Serialize};

/// Where a square patch lies in an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PatchPosition {
    /// Column of its top-left corner, in pixels of the image.
    pub x: u32,
    /// Row of its top-left corner, in pixels of the image.
    pub y: u32,
    /// Side of the square of pixels whose mean is one value of the patch: 1 for the image as it is, 2 for the image at
    /// half its size.
    pub shrink: u32,
}

impl PatchPosition {
    /// A patch of the image as it is.
    pub const fn new(x: u32, y: u32) -> Self {
        Self { x, y, shrink: 1 }
    }
}

/// How much each patch counts beside its own weight, so that every scale counts the same however many patches it has:
/// 1 on the finest scale, and there alone when there is no other.
pub fn scale_shares(positions: &[PatchPosition]) -> Vec<f32> {
    let count = |shrink: u32| positions.iter().filter(|at| at.shrink == shrink).count();
    let finest = count(1) as f32;
    let mut known = Vec::new();
    positions
        .iter()
        .map(|at| match known.iter().find(|(shrink, _)| *shrink == at.shrink) {
            Some((_, share)) => *share,
            None => {
                let share = finest / count(at.shrink) as f32;
                known.push((at.shrink, share));
                share
            }
        })
        .collect()
}

/// Quality and weight of every patch of an image (figures 3 to 5 of Bosse et al.).
#[derive(Clone, Debug, PartialEq)]
pub struct PatchMap {
    /// Width of the image, in pixels.
    pub width: u32,
    /// Height of the image, in pixels.
    pub height: u32,
    /// Side of a patch of the image as it is, in pixels; one of the half-size image covers twice as many.
    pub side: u32,
    /// Where the patches lie; the order of the other two lists.
    pub positions: Vec<PatchPosition>,
    /// Patch qualities, in the units of the score.
    pub quality: Vec<f32>,
    /// Patch weights, positive; all 1 where the model weighs all the same.
    pub weight: Vec<f32>,
}

impl PatchMap {
    /// The image score: the mean of the qualities, weighted by the weights, summed in double precision
    /// (Bosse et al., equations 2 and 6). Of several scales each counts the same.
    pub fn pool(&self) -> f64 {
        let shares = scale_shares(&self.positions);
        let weights = self.weight.iter().zip(&shares).map(|(&a, &share)| f64::from(a) * f64::from(share));
        let pairs = || self.quality.iter().map(|&y| f64::from(y)).zip(weights.clone());
        pairs().map(|(y, a)| y * a).sum::<f64>() / pairs().map(|(_, a)| a).sum::<f64>()
    }

    /// The quality at each pixel, in the units of the score: the mean over the patches that cover it, NaN where none does.
    ///
    /// # Shapes
    /// - returns `[height, width]`
    ///
    /// # Panics
    /// When a patch reaches out of the image.
    ///
    /// ```
    /// use iqa_core::{PatchMap, PatchPosition};
    ///
    /// let positions = vec![PatchPosition::new(0, 0), PatchPosition::new(1, 0)];
    /// let (quality, weight) = (vec![0.25, 0.75], vec![1.0, 3.0]);
    /// let map = PatchMap { width: 4, height: 2, side: 2, positions, quality, weight };
    /// let quality = map.quality_array();
    /// assert_eq!(quality.row(0).to_vec()[..3], [0.25, 0.5, 0.75]);
    /// assert!(quality[(0, 3)].is_nan());
    /// ```
    pub fn quality_array(&self) -> Array2<f32> {
        self.spread(&self.quality)
    }

    /// The weight at each pixel, as [`Self::quality_array`].
    ///
    /// # Panics
    /// As [`Self::quality_array`].
    pub fn weight_array(&self) -> Array2<f32> {
        self.spread(&self.weight)
    }

    fn spread(&self, values: &[f32]) -> Array2<f32> {
        let shape = (self.height as usize, self.width as usize);
        let (mut sums, mut counts) = (Array2::<f32>::zeros(shape), Array2::<f32>::zeros(shape));
        for (at, value) in self.positions.iter().zip(values) {
            let (x, y, side) = (at.x as usize, at.y as usize, (self.side * at.shrink) as usize);
            let covered = s![y..y + side, x..x + side];
            sums.slice_mut(covered).map_inplace(|sum| *sum += value);
            counts.slice_mut(covered).map_inplace(|count| *count += 1.0);
        }
        // Where the count is 0 the sum is too, and their quotient NaN.
        sums / counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(quality: &[f32], weight: &[f32]) -> PatchMap {
        let positions = vec![PatchPosition::new(0, 0); quality.len()];
        PatchMap {
            width: 96,
            height: 32,
            side: 32,
            positions,
            quality: quality.into(),
            weight: weight.into(),
        }
    }

    #[test]
    fn weighted_pooling_gives_the_closed_form() {
        // y = [30, 50, 70], raw weights [0.2, -0.5, 0.8]: (0.200001*30 + 1e-6*50 + 0.800001*70) / 1.000003.
        let weight = [0.2f32, -0.5, 0.8].map(|raw| raw.max(0.0) + 1e-6);
        assert!((map(&[30.0, 50.0, 70.0], &weight).pool() - 61.999_964).abs() < 1e-5);
        assert!((map(&[30.0, 50.0, 70.0], &[1.0; 3]).pool() - 50.0).abs() < 1e-12);
    }

    #[test]
    fn arrays_have_the_mean_of_what_covers_a_pixel() {
        let positions = vec![
            PatchPosition::new(0, 0),
            PatchPosition::new(1, 1),
            PatchPosition { shrink: 2, ..PatchPosition::new(0, 0) },
        ];
        let (quality, weight) = (vec![1.0, 2.0, 6.0], vec![3.0, 5.0, 1.0]);
        let map = PatchMap { width: 5, height: 4, side: 2, positions, quality, weight };
        // By hand; 0 stands for NaN.
        let expected = [
            [
                [3.5, 3.5, 6.0, 6.0, 0.0],
                [3.5, 3.0, 4.0, 6.0, 0.0],
                [6.0, 4.0, 4.0, 6.0, 0.0],
                [6.0, 6.0, 6.0, 6.0, 0.0],
            ],
            [
                [2.0, 2.0, 1.0, 1.0, 0.0],
                [2.0, 3.0, 3.0, 1.0, 0.0],
                [1.0, 3.0, 3.0, 1.0, 0.0],
                [1.0, 1.0, 1.0, 1.0, 0.0],
            ],
        ];
        for (found, expected) in [map.quality_array(), map.weight_array()].into_iter().zip(expected) {
            assert_eq!(found.dim(), (4, 5));
            let found = found.mapv(|value| if value.is_nan() { 0.0 } else { value });
            assert_eq!(found, ndarray::arr2(&expected));
        }
    }
}
