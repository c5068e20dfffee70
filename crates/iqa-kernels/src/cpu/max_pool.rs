//! The largest value under a window, for windows that overlap or have a border.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::simd::{self, larger_of};
use super::{Buffer, Size, buffers};

/// A square window, its step and its border, in pixels, in both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Side of the window.
    pub side: usize,
    /// Step from one window to the next.
    pub stride: usize,
    /// Pixels that windows reach over the border, where there is nothing; less than `side`.
    pub padding: usize,
}

impl Window {
    /// Windows along a side of that length; as in PyTorch an incomplete one at the end does not count.
    fn count(self, length: usize) -> usize {
        (length + 2 * self.padding).checked_sub(self.side).map_or(0, |rest| rest / self.stride + 1)
    }

    /// Size of the pooled image.
    pub fn output(self, input: Size) -> Size {
        Size { height: self.count(input.height), width: self.count(input.width), ..input }
    }

    /// The pixels under window `index`, along a side of that length.
    pub(super) fn range(self, index: usize, length: usize) -> std::ops::Range<usize> {
        let start = index * self.stride;
        start.saturating_sub(self.padding)..(start + self.side - self.padding).min(length)
    }
}

/// The largest of each window.
pub fn max_pool(x: &[f32], input: Size, window: Window) -> (Buffer, Size) {
    let output = window.output(input);
    let mut result = buffers::take(output.values());
    if result.is_empty() {
        return (result, output);
    }
    let row = input.width * input.channels;
    let arch = simd::arch();
    result.par_chunks_mut(output.width * output.channels).enumerate().for_each(|(index, result)| {
        let [image, y] = [index / output.height, index % output.height];
        let x = &x[image * input.height * row..][..input.height * row];
        arch.dispatch(Row { x, input, window, y, result });
    });
    (result, output)
}

/// A row of the result.
struct Row<'a> {
    /// One image.
    x: &'a [f32],
    input: Size,
    window: Window,
    y: usize,
    result: &'a mut [f32],
}

impl WithSimd for Row<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { x, input: Size { height, width, channels, .. }, window, y, result } = self;
        result.fill(f32::NEG_INFINITY);
        for from in window.range(y, height) {
            let x = &x[from * width * channels..][..width * channels];
            for (column, result) in result.chunks_exact_mut(channels).enumerate() {
                let under = window.range(column, width);
                for pixel in x[under.start * channels..under.end * channels].chunks_exact(channels) {
                    for (largest, value) in result.iter_mut().zip(pixel) {
                        *largest = larger_of(*largest, *value);
                    }
                }
            }
        }
    }
}

/// The gradient before [`max_pool`]: that of each window goes to the first of its largest values, in row order.
///
/// `x` are the values that were pooled, `pooled` the result, `gradient` its gradient.
pub fn max_pool_backward(x: &[f32], input: Size, pooled: &[f32], gradient: &[f32], window: Window) -> Buffer {
    let output = window.output(input);
    assert_eq!(gradient.len(), output.values(), "a gradient of another size");
    let mut result = buffers::zeros(input.values());
    if gradient.is_empty() {
        return result;
    }
    let channels = input.channels;
    let row = input.width * channels;
    let image = input.height * row;
    let pooled_image = output.height * output.width * channels;
    result.par_chunks_mut(image).zip(x.par_chunks(image)).enumerate().for_each(|(index, (result, x))| {
        let part = index * pooled_image..(index + 1) * pooled_image;
        let (pooled, gradient) = (&pooled[part.clone()], &gradient[part]);
        // Per channel, the gradient that has not yet found its place.
        let mut left = vec![0.0; channels];
        let windows = pooled.chunks_exact(channels).zip(gradient.chunks_exact(channels));
        for (at, (pooled, gradient)) in windows.enumerate() {
            left.copy_from_slice(gradient);
            let [y, column] = [at / output.width, at % output.width];
            for from in window.range(y, input.height) {
                for under in window.range(column, input.width) {
                    let place = from * row + under * channels;
                    let (x, result) = (&x[place..][..channels], &mut result[place..][..channels]);
                    for (((x, result), pooled), left) in x.iter().zip(result).zip(pooled).zip(&mut left) {
                        let found = x == pooled;
                        *result += if found { *left } else { 0.0 };
                        *left = if found { 0.0 } else { *left };
                    }
                }
            }
        }
    });
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Window = Window { side: 3, stride: 2, padding: 1 };

    #[test]
    fn windows_stop_at_the_border() {
        let size = Size { images: 1, height: 4, width: 5, channels: 1 };
        let x: Vec<f32> = (0..20).map(|value| -(value as f32)).collect();
        let (pooled, output) = max_pool(&x, size, WINDOW);
        assert_eq!([output.height, output.width], [2, 3]);
        assert_eq!(pooled[..], [0.0, -1.0, -3.0, -5.0, -6.0, -8.0]);
    }

    #[test]
    fn a_gradient_goes_to_the_first_of_equal_values_and_sums_up_where_windows_overlap() {
        let size = Size { images: 1, height: 3, width: 5, channels: 1 };
        let mut x = vec![0.0; 15];
        // Under both windows in the middle; and a tie of zeros elsewhere.
        x[6] = 1.0;
        x[8] = 1.0;
        let window = Window { side: 3, stride: 2, padding: 0 };
        let (pooled, _) = max_pool(&x, size, window);
        let gradient = max_pool_backward(&x, size, &pooled, &[2.0, 5.0], window);
        assert_eq!(gradient.iter().position(|value| *value == 2.0), Some(6));
        assert_eq!(gradient.iter().position(|value| *value == 5.0), Some(8));
        assert_eq!(gradient.iter().sum::<f32>(), 7.0);
    }
}
