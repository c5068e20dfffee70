//! Fixtures, tolerance tiers and generated images for the tests of this workspace.
//!
//! Fixtures lie in `tests/fixtures`, each folder with the script of `tests/fixtures/generate` that made it.

pub mod closed_form;
pub mod generated;

use std::path::{Path, PathBuf};

use image::{Rgb, RgbImage};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};

/// A file or folder of the workspace, by its path from the top: of the one that this was compiled in, or that `IQA_WORKSPACE`
/// names, for a program that was carried to another machine.
pub fn workspace_path(path: impl AsRef<Path>) -> PathBuf {
    let top = std::env::var_os("IQA_WORKSPACE").map(PathBuf::from);
    top.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")).join(path)
}

/// A fixture, by its path below `tests/fixtures`.
pub fn fixture_path(path: impl AsRef<Path>) -> PathBuf {
    workspace_path("tests/fixtures").join(path)
}

/// The names in a folder, sorted.
///
/// # Panics
/// When it cannot be read.
pub fn names_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("lists").flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// How far a value may lie from its oracle, as a part of the oracle's largest absolute value.
///
/// The oracles are computed in double precision from the same single-precision weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerance(pub f64);

impl Tolerance {
    /// The same operations in another order: chunked against whole, batch against single.
    pub const REORDERED: Self = Self(2e-6);
    /// One pass through a network in single precision.
    pub const FORWARD: Self = Self(1e-5);
    /// One pass forward and back; also weights after a few optimiser steps.
    pub const BACKWARD: Self = Self(1e-4);
    /// The same network on another backend.
    pub const BACKEND: Self = Self(1e-3);
    /// Weights rounded to half precision, through ten layers.
    pub const HALF: Self = Self(5e-3);
}

/// The largest difference between two lists, as a part of the largest absolute value expected.
///
/// # Panics
/// When the lists differ in length or are empty.
pub fn relative_error(found: &[f32], expected: &[f32]) -> f64 {
    assert_eq!(found.len(), expected.len(), "unequal numbers of values");
    let largest = expected.iter().map(|v| f64::from(v.abs())).fold(0.0, f64::max);
    assert!(largest > 0.0, "nothing but zeros is expected");
    let difference = found.iter().zip(expected).map(|(&f, &e)| (f64::from(f) - f64::from(e)).abs());
    difference.fold(0.0, |worst, d| if d.is_nan() { f64::INFINITY } else { worst.max(d) }) / largest
}

/// Compares values with their oracle.
///
/// # Panics
/// When they are farther apart than the tolerance; `what` is named.
#[track_caller]
pub fn assert_close(what: &str, found: &[f32], expected: &[f32], tolerance: Tolerance) {
    let error = relative_error(found, expected);
    assert!(error <= tolerance.0, "{what}: relative error {error:.2e} above {:.0e}", tolerance.0);
}

/// The arrays of a safetensors file.
#[derive(Debug)]
pub struct Arrays(Vec<u8>);

impl Arrays {
    /// Reads a fixture, by its path below `tests/fixtures`.
    ///
    /// # Panics
    /// When it cannot be read.
    pub fn read(path: &str) -> Self {
        let bytes = std::fs::read(fixture_path(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        Self(bytes)
    }

    fn view<T>(&self, key: &str, then: impl FnOnce(&TensorView<'_>) -> T) -> T {
        let file = SafeTensors::deserialize(&self.0).expect("a sound fixture");
        then(&file.tensor(key).unwrap_or_else(|error| panic!("{key}: {error}")))
    }

    /// Whether there is an array of that name.
    pub fn contains(&self, key: &str) -> bool {
        SafeTensors::deserialize(&self.0).expect("a sound fixture").tensor(key).is_ok()
    }

    /// The extents of an array.
    ///
    /// # Panics
    /// When there is none of that name.
    pub fn shape(&self, key: &str) -> Vec<usize> {
        self.view(key, |view| view.shape().to_vec())
    }

    /// The values of an array of 32-bit floats.
    ///
    /// # Panics
    /// When there is none of that name and type.
    pub fn f32s(&self, key: &str) -> Vec<f32> {
        self.view(key, |view| {
            assert_eq!(view.dtype(), Dtype::F32, "{key}");
            view.data().as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
        })
    }

    /// The values of an array of bytes.
    ///
    /// # Panics
    /// When there is none of that name and type.
    pub fn bytes(&self, key: &str) -> Vec<u8> {
        self.view(key, |view| {
            assert_eq!(view.dtype(), Dtype::U8, "{key}");
            view.data().to_vec()
        })
    }

    /// An image kept as bytes `[3, height, width]`.
    ///
    /// # Panics
    /// When there is none of that name and shape.
    pub fn image(&self, key: &str) -> RgbImage {
        let (shape, bytes) = (self.shape(key), self.bytes(key));
        let &[3, height, width] = shape.as_slice() else { panic!("{key} is no image: {shape:?}") };
        RgbImage::from_fn(width as u32, height as u32, |x, y| {
            let at = y as usize * width + x as usize;
            Rgb([0, 1, 2].map(|channel| bytes[channel * height * width + at]))
        })
    }
}

/// A picture with slopes, waves and fine texture in every channel; another one for each seed.
pub fn textured(width: u32, height: u32, seed: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        Rgb([0u32, 1, 2].map(|channel| {
            let phase = (seed * 7 + channel * 3) as f32;
            let wave = (x as f32 * 0.11 + phase).sin() * (y as f32 * 0.07 - phase).cos();
            let mut bits = x.wrapping_mul(0x9e37_79b9) ^ y.wrapping_mul(0x85eb_ca6b) ^ (seed * 3 + channel);
            bits = (bits ^ (bits >> 15)).wrapping_mul(0xc2b2_ae35);
            let grain = (bits >> 24) as f32 / 255.0 - 0.5;
            (120.0 + 60.0 * wave + 40.0 * grain + 0.05 * x as f32) as u8
        }))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_is_relative_to_the_largest_value_and_sees_nan() {
        assert_eq!(relative_error(&[1.0, -3.0], &[1.0, -4.0]), 0.25);
        assert_eq!(relative_error(&[1.0, f32::NAN], &[1.0, -4.0]), f64::INFINITY);
    }
}
