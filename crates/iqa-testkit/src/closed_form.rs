//! Weights and images by a rule that Rust and NumPy (`tests/fixtures/generate/closed_form.py`) compute to the same bits,
//! so that a fixture of a large network need not hold its weights.

use safetensors::tensor::{Dtype, TensorView};

/// `count` values in `[-1, 1)`: FNV-1a of the name, mixed with the place by SplitMix64's finaliser.
pub fn uniform(name: &str, count: usize) -> Vec<f32> {
    let seed = name
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    let value = |place: u64| {
        let mut z = seed.wrapping_add(place.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        (z >> 40) as f32 / (1u32 << 23) as f32 - 1.0
    };
    (1..=count as u64).map(value).collect()
}

/// `count` places below `of`.
pub fn places(name: &str, count: usize, of: usize) -> Vec<usize> {
    let place = |unit: f32| (((f64::from(unit) + 1.0) / 2.0 * of as f64) as usize).min(of - 1);
    uniform(name, count).into_iter().map(place).collect()
}

/// The parameter or running statistic of that PyTorch name.
pub fn weights(name: &str, shape: &[usize]) -> Vec<f32> {
    let mut values = uniform(name, shape.iter().product());
    let (offset, scale) = if shape.len() > 1 {
        let fan_in: usize = shape[1..].iter().product();
        (0.0, (6.0 / fan_in as f64).sqrt() as f32)
    } else if name.ends_with(".running_var") || name.ends_with(".weight") {
        (1.0, 0.5)
    } else {
        (0.0, 0.25)
    };
    for value in &mut values {
        *value = offset + scale * *value;
    }
    values
}

/// A safetensors file of [`weights`]: each tensor under its name, drawn under `prefix` and its name.
///
/// # Panics
/// When a name comes twice.
pub fn weights_file(prefix: &str, tensors: &[(String, Vec<usize>)]) -> Vec<u8> {
    let bytes: Vec<Vec<u8>> = tensors
        .iter()
        .map(|(name, shape)| {
            weights(&format!("{prefix}{name}"), shape).into_iter().flat_map(f32::to_le_bytes).collect()
        })
        .collect();
    let views = tensors.iter().zip(&bytes).map(|((name, shape), bytes)| {
        (name, TensorView::new(Dtype::F32, shape.clone(), bytes).expect("as many bytes as the shape says"))
    });
    safetensors::serialize(views, None).expect("each name once")
}
