//! The mean under a window; zeros beyond the border count.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::{Buffer, Size, Window, buffers, simd};

/// The mean of each window.
pub fn average_pool(x: &[f32], input: Size, window: Window) -> (Buffer, Size) {
    let output = window.output(input);
    let mut result = buffers::take(output.values());
    if result.is_empty() {
        return (result, output);
    }
    let row = input.width * input.channels;
    let arch = simd::arch();
    result.par_chunks_mut(output.width * input.channels).enumerate().for_each(|(index, result)| {
        let [image, y] = [index / output.height, index % output.height];
        let x = &x[image * input.height * row..][..input.height * row];
        simd::with_scratch(row, |sums| arch.dispatch(Means { x, input, window, y, sums, result }));
    });
    (result, output)
}

/// A row of the result; `sums` is room for one of the image.
struct Means<'a> {
    x: &'a [f32],
    input: Size,
    window: Window,
    y: usize,
    sums: &'a mut [f32],
    result: &'a mut [f32],
}

impl WithSimd for Means<'_> {
    type Output = ();

    /// First down the columns, then along the row of sums.
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { x, input, window, y, sums, result } = self;
        let channels = input.channels;
        let row = input.width * channels;
        let share = share(window);
        let under = window.range(y, input.height);
        sums.copy_from_slice(&x[under.start * row..][..row]);
        for from in under.start + 1..under.end {
            add(sums, &x[from * row..][..row]);
        }
        for (column, result) in result.chunks_exact_mut(channels).enumerate() {
            let under = window.range(column, input.width);
            result.copy_from_slice(&sums[under.start * channels..][..channels]);
            for from in under.start + 1..under.end {
                add(result, &sums[from * channels..][..channels]);
            }
            for value in result {
                *value *= share;
            }
        }
    }
}

/// The gradient before [`average_pool`] of images of size `input`: that of each window in equal parts to all under it.
pub fn average_pool_backward(input: Size, gradient: &[f32], window: Window) -> Buffer {
    let output = window.output(input);
    assert_eq!(gradient.len(), output.values(), "a gradient of another size");
    let mut result = buffers::zeros(input.values());
    if gradient.is_empty() {
        return result;
    }
    let channels = input.channels;
    let row = input.width * channels;
    let line = output.width * channels;
    let share = share(window);
    let images = result.par_chunks_mut(input.height * row).zip(gradient.par_chunks(output.height * line));
    images.for_each(|(result, gradient)| {
        simd::with_scratch(row, |parts| {
            for (y, gradient) in gradient.chunks_exact(line).enumerate() {
                parts.fill(0.0);
                for (column, gradient) in gradient.chunks_exact(channels).enumerate() {
                    let under = window.range(column, input.width);
                    for parts in
                        parts[under.start * channels..under.end * channels].chunks_exact_mut(channels)
                    {
                        add(parts, gradient);
                    }
                }
                for value in &mut *parts {
                    *value *= share;
                }
                for to in window.range(y, input.height) {
                    add(&mut result[to * row..][..row], parts);
                }
            }
        });
    });
    result
}

fn share(window: Window) -> f32 {
    1.0 / (window.side * window.side) as f32
}

#[inline(always)]
fn add(sums: &mut [f32], values: &[f32]) {
    for (sum, value) in sums.iter_mut().zip(values) {
        *sum += value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_beyond_the_border_count() {
        let size = Size { images: 1, height: 2, width: 3, channels: 1 };
        let window = Window { side: 3, stride: 1, padding: 1 };
        let (means, output) = average_pool(&[9.0, 18.0, 27.0, 0.0, 9.0, 36.0], size, window);
        assert_eq!([output.height, output.width], [2, 3]);
        assert_eq!(means[..], [4.0, 11.0, 10.0, 4.0, 11.0, 10.0]);
    }

    #[test]
    fn the_gradient_is_the_transposed_of_the_means() {
        let size = Size { images: 2, height: 7, width: 5, channels: 3 };
        for window in [
            Window { side: 3, stride: 1, padding: 1 },
            Window { side: 3, stride: 2, padding: 0 },
            Window { side: 2, stride: 2, padding: 1 },
        ] {
            let wave = |length: usize, step: f32| -> Vec<f32> {
                (0..length).map(|index| (index as f32 * step).sin()).collect()
            };
            let dot = |a: &[f32], b: &[f32]| -> f64 {
                a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
            };
            let x = wave(size.values(), 0.7);
            let (means, output) = average_pool(&x, size, window);
            let gradient = wave(output.values(), 1.3);
            let back = average_pool_backward(size, &gradient, window);
            assert!((dot(&means, &gradient) - dot(&x, &back)).abs() < 1e-5);
        }
    }
}
