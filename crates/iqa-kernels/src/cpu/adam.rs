//! A step of Adam.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::simd;

/// Values that one thread takes at a time.
const PIECE: usize = 1 << 14;

/// The numbers of a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamStep {
    /// Learning rate.
    pub rate: f32,
    /// Part of the running mean of gradients kept in a step.
    pub beta_1: f32,
    /// Part of the running mean of squared gradients kept in a step.
    pub beta_2: f32,
    /// Added to the root of the squared gradients.
    pub epsilon: f32,
    /// Which step it is, from 1.
    pub time: i32,
}

/// A parameter with its gradient and the running means of that and of its square.
pub struct AdamValues<'a> {
    /// Moves.
    pub parameter: &'a mut [f32],
    /// Stays.
    pub gradient: &'a [f32],
    /// Moves.
    pub mean: &'a mut [f32],
    /// Moves.
    pub square: &'a mut [f32],
}

/// A step of all values in one pass.
///
/// Source: Kingma and Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, algorithm 1 with the corrections of both means in
/// one factor, as at the end of their section 2; each operation rounds as in Burn's `Adam`.
///
/// # Panics
/// When there are not as many of each.
pub fn adam(values: AdamValues<'_>, step: &AdamStep) {
    let AdamValues { parameter, gradient, mean, square } = values;
    let count = parameter.len();
    assert!([gradient.len(), mean.len(), square.len()] == [count; 3], "values of one parameter");
    let pieces = parameter.par_chunks_mut(PIECE).zip(gradient.par_chunks(PIECE));
    let means = mean.par_chunks_mut(PIECE).zip(square.par_chunks_mut(PIECE));
    pieces.zip(means).for_each(|((parameter, gradient), (mean, square))| {
        simd::arch().dispatch(Pass { values: AdamValues { parameter, gradient, mean, square }, step });
    });
}

struct Pass<'a> {
    values: AdamValues<'a>,
    step: &'a AdamStep,
}

impl WithSimd for Pass<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let AdamStep { rate, beta_1, beta_2, epsilon, time } = *self.step;
        let (part_1, part_2) = (1.0 - beta_1, 1.0 - beta_2);
        let root = (1.0 - beta_2.powi(time)).sqrt();
        let (factor, epsilon) = (root / (1.0 - beta_1.powi(time)), epsilon * root);
        let AdamValues { parameter, gradient, mean, square } = self.values;
        for (((parameter, gradient), mean), square) in
            parameter.iter_mut().zip(gradient).zip(mean).zip(square)
        {
            *mean = *mean * beta_1 + gradient * part_1;
            *square = *square * beta_2 + gradient * gradient * part_2;
            *parameter -= *mean * factor / (square.sqrt() + epsilon) * rate;
        }
    }
}
