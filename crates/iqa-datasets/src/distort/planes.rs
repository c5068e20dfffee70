//! Images as three planes of floats, and filters on a plane.

use image::{Rgb, RgbImage};

/// One channel, row by row.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Plane {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) values: Vec<f32>,
}

/// A tap of a filter: the value `dx` to the right and `dy` below counts with `weight`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tap {
    pub(super) dx: isize,
    pub(super) dy: isize,
    pub(super) weight: f32,
}

impl Plane {
    pub(super) fn new(width: usize, height: usize) -> Self {
        Self { width, height, values: vec![0.0; width * height] }
    }

    pub(super) fn row(&self, y: usize) -> &[f32] {
        &self.values[y * self.width..(y + 1) * self.width]
    }

    /// A plane of `width` by `height` in which this one begins `left` from the left and `top` from the top; outside
    /// it its border goes on.
    pub(super) fn padded(&self, left: usize, top: usize, width: usize, height: usize) -> Self {
        let mut values = Vec::with_capacity(width * height);
        for y in 0..height {
            let row = self.row(y.saturating_sub(top).min(self.height - 1));
            values.extend((0..width).map(|x| row[x.saturating_sub(left).min(self.width - 1)]));
        }
        Self { width, height, values }
    }

    /// Each value through `f`.
    pub(super) fn map(mut self, f: impl Fn(f32) -> f32) -> Self {
        self.values.iter_mut().for_each(|value| *value = f(*value));
        self
    }

    /// Correlates with a sparse kernel; outside the image its border goes on.
    pub(super) fn filter(&self, taps: &[Tap]) -> Self {
        let reach = taps.iter().map(|tap| tap.dx.unsigned_abs()).max().unwrap_or(0);
        let padded = self.pad_columns(reach);
        let padded_width = self.width + 2 * reach;
        let mut out = Self::new(self.width, self.height);
        for (y, row) in out.values.chunks_exact_mut(self.width).enumerate() {
            for tap in taps {
                let source = (y as isize + tap.dy).clamp(0, self.height as isize - 1) as usize;
                let start = source * padded_width + (reach as isize + tap.dx) as usize;
                for (sum, value) in row.iter_mut().zip(&padded[start..start + self.width]) {
                    *sum += tap.weight * value;
                }
            }
        }
        out
    }

    fn pad_columns(&self, reach: usize) -> Vec<f32> {
        let mut padded = Vec::with_capacity((self.width + 2 * reach) * self.height);
        for y in 0..self.height {
            let row = self.row(y);
            padded.extend(std::iter::repeat_n(row[0], reach));
            padded.extend_from_slice(row);
            padded.extend(std::iter::repeat_n(row[self.width - 1], reach));
        }
        padded
    }

    /// Gaussian blur of standard deviation `sigma`, in pixels; the kernel's side is `2 * ceil(2 sigma) + 1`.
    pub(super) fn gaussian(&self, sigma: f32) -> Self {
        self.gaussian_within(sigma, (2.0 * sigma).ceil() as isize)
    }

    /// Gaussian blur whose kernel reaches `radius` pixels from its middle.
    pub(super) fn gaussian_within(&self, sigma: f32, radius: isize) -> Self {
        let weight = |d: isize| (-((d * d) as f32) / (2.0 * sigma * sigma)).exp();
        let sum: f32 = (-radius..=radius).map(weight).sum();
        let kernel: Vec<(isize, f32)> = (-radius..=radius).map(|d| (d, weight(d) / sum)).collect();
        let along = |dx: isize, dy: isize| -> Vec<Tap> {
            kernel.iter().map(|&(d, weight)| Tap { dx: d * dx, dy: d * dy, weight }).collect()
        };
        self.filter(&along(1, 0)).filter(&along(0, 1))
    }

    /// The value at fractional coordinates, bilinear; outside the image its border goes on.
    pub(super) fn sample(&self, x: f32, y: f32) -> f32 {
        let x = x.clamp(0.0, (self.width - 1) as f32);
        let y = y.clamp(0.0, (self.height - 1) as f32);
        let (x0, y0) = (x as usize, y as usize);
        let (x1, y1) = ((x0 + 1).min(self.width - 1), (y0 + 1).min(self.height - 1));
        let (fx, fy) = (x - x0 as f32, y - y0 as f32);
        let (top, bottom) = (self.row(y0), self.row(y1));
        let upper = top[x0] + fx * (top[x1] - top[x0]);
        let lower = bottom[x0] + fx * (bottom[x1] - bottom[x0]);
        upper + fy * (lower - upper)
    }
}

/// Three planes, in `[0, 1]` when they are RGB.
pub(super) type Planes = [Plane; 3];

/// Splits an image into planes of `[0, 1]`.
pub(super) fn to_planes(image: &RgbImage) -> Planes {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let mut planes = [(); 3].map(|()| Plane::new(width, height));
    for (index, pixel) in image.as_raw().chunks_exact(3).enumerate() {
        for (plane, &value) in planes.iter_mut().zip(pixel) {
            plane.values[index] = f32::from(value) / 255.0;
        }
    }
    planes
}

/// Luma (ITU-R BT.601) of RGB planes.
pub(super) fn luma([red, green, blue]: &Planes) -> Plane {
    let mut out = Plane::new(red.width, red.height);
    for (index, value) in out.values.iter_mut().enumerate() {
        *value = 0.299 * red.values[index] + 0.587 * green.values[index] + 0.114 * blue.values[index];
    }
    out
}

/// Joins planes, clamping to `[0, 1]` and rounding to 8 bits.
pub(super) fn to_image([red, green, blue]: &Planes) -> RgbImage {
    let byte = |value: f32| (value.clamp(0.0, 1.0) * 255.0 + 0.5) as u8;
    RgbImage::from_fn(red.width as u32, red.height as u32, |x, y| {
        let at = y as usize * red.width + x as usize;
        Rgb([byte(red.values[at]), byte(green.values[at]), byte(blue.values[at])])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gaussian_turns_an_impulse_into_its_kernel_and_keeps_a_constant() {
        let mut impulse = Plane::new(21, 21);
        impulse.values[10 * 21 + 10] = 1.0;
        let blurred = impulse.gaussian(2.0);
        let g = |d: f64| (-d * d / 8.0).exp();
        let sum: f64 = (-4..=4).map(|d| g(f64::from(d))).sum();
        for (dx, dy) in [(0usize, 0usize), (1, 0), (3, 2), (4, 4)] {
            let expected = g(dx as f64) * g(dy as f64) / (sum * sum);
            let found = f64::from(blurred.values[(10 + dy) * 21 + 10 + dx]);
            assert!((found - expected).abs() < 1e-7, "{dx},{dy}: {found} {expected}");
        }
        assert_eq!(blurred.values[10 * 21 + 15], 0.0, "outside the kernel");
        let constant = Plane { width: 5, height: 4, values: vec![0.25; 20] };
        assert!(constant.gaussian(3.0).values.iter().all(|v| (v - 0.25).abs() < 1e-6));
    }

    #[test]
    fn sampling_is_bilinear() {
        let plane = Plane { width: 2, height: 2, values: vec![0.0, 1.0, 2.0, 3.0] };
        assert_eq!(plane.sample(0.5, 0.5), 1.5);
        assert_eq!(plane.sample(0.25, 0.0), 0.25);
        assert_eq!(plane.sample(-3.0, 9.0), 2.0);
    }
}
