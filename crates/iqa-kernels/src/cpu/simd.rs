//! The vector unit, and the one inner loop of all convolutions.

use std::cell::RefCell;
use std::sync::OnceLock;

use pulp::{Arch, Simd, WithSimd};

/// The vector unit of this computer, looked up once.
pub(super) fn arch() -> Arch {
    static ARCH: OnceLock<Arch> = OnceLock::new();
    *ARCH.get_or_init(Arch::new)
}

/// Output channels computed at once: two vectors.
pub(super) const fn panel_width<S: Simd>() -> usize {
    2 * S::F32_LANES
}

/// [`panel_width`] of this computer.
pub(super) fn panel() -> usize {
    struct Width;
    impl WithSimd for Width {
        type Output = usize;
        fn with_simd<S: Simd>(self, _: S) -> usize {
            panel_width::<S>()
        }
    }
    static WIDTH: OnceLock<usize> = OnceLock::new();
    *WIDTH.get_or_init(|| arch().dispatch(Width))
}

#[inline(always)]
pub(super) fn load<S: Simd>(values: &[f32]) -> S::f32s {
    S::as_simd_f32s(&values[..S::F32_LANES]).0[0]
}

#[inline(always)]
pub(super) fn store<S: Simd>(values: &mut [f32], vector: S::f32s) {
    S::as_mut_simd_f32s(&mut values[..S::F32_LANES]).0[0] = vector;
}

/// `sums[r] += rows[r][k] * panel[k]` over all `k`: six or twelve rows by two vectors, all in registers.
#[inline(always)]
pub(super) fn accumulate<S: Simd, const ROWS: usize>(
    simd: S,
    sums: &mut [[S::f32s; 2]; ROWS],
    rows: [&[f32]; ROWS],
    panel: &[f32],
) {
    let depth = rows[0].len();
    let mut rows = rows;
    for row in &mut rows {
        *row = &row[..depth];
    }
    let (panel, _) = S::as_simd_f32s(panel);
    let panel = &panel[..2 * depth];
    for k in 0..depth {
        let [first, second] = [panel[2 * k], panel[2 * k + 1]];
        for r in 0..ROWS {
            let value = simd.splat_f32s(rows[r][k]);
            sums[r][0] = simd.mul_add_e_f32s(value, first, sums[r][0]);
            sums[r][1] = simd.mul_add_e_f32s(value, second, sums[r][1]);
        }
    }
}

/// Calls `work` with a buffer of this thread, of `len` values that are whatever an earlier call left.
pub(super) fn with_scratch<R>(len: usize, work: impl FnOnce(&mut [f32]) -> R) -> R {
    thread_local! {
        static SCRATCH: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
    }
    SCRATCH.with_borrow_mut(|scratch| {
        if scratch.len() < len {
            scratch.resize(len, 0.0);
        }
        work(&mut scratch[..len])
    })
}
