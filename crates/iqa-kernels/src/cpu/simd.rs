//! The vector unit, and the one inner loop of all convolutions.

use std::cell::RefCell;
use std::sync::OnceLock;
use std::sync::atomic::{Ordering, compiler_fence};

use pulp::{Arch, Simd, WithSimd};

use super::{Buffer, buffers};

/// The vector unit of this computer, looked up once.
pub(super) fn arch() -> Arch {
    static ARCH: OnceLock<Arch> = OnceLock::new();
    *ARCH.get_or_init(Arch::new)
}

/// Output channels computed at once: two vectors.
pub(super) const fn panel_width<S: Simd>() -> usize {
    2 * S::F32_LANES
}

/// Steps of the inner loop written out.
pub(super) const RUN: usize = 4;

/// Bytes of a core's second-level cache; half a MiB where the processor does not tell.
pub(super) fn second_level_cache() -> usize {
    static BYTES: OnceLock<usize> = OnceLock::new();
    *BYTES.get_or_init(|| told_cache().unwrap_or(512 << 10))
}

#[cfg(target_arch = "x86_64")]
fn told_cache() -> Option<usize> {
    use std::arch::x86_64::{__cpuid, __cpuid_count};
    // Intel's leaf of caches, and AMD's of the same layout; each tells none where it does not exist.
    let leaves = [(4, __cpuid(0).eax), (0x8000_001d, __cpuid(0x8000_0000).eax)];
    let told = leaves.into_iter().filter(|(leaf, largest)| leaf <= largest);
    told.flat_map(|(leaf, _)| (0..8).map(move |index| __cpuid_count(leaf, index)))
        .find(|cache| cache.eax & 31 != 0 && cache.eax >> 5 & 7 == 2)
        .map(|cache| {
            let [ways, parts, line] = [cache.ebx >> 22, cache.ebx >> 12 & 0x3ff, cache.ebx & 0xfff];
            [ways, parts, line, cache.ecx].map(|field| field as usize + 1).into_iter().product()
        })
}

#[cfg(not(target_arch = "x86_64"))]
fn told_cache() -> Option<usize> {
    None
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

/// The value or zero, whichever is larger. What is not a number stays so, as in PyTorch: x86 gives the second operand then,
/// ARM what is not a number.
#[inline(always)]
pub(super) fn relu<S: Simd>(simd: S, value: S::f32s) -> S::f32s {
    simd.max_f32s(simd.splat_f32s(0.0), value)
}

/// The larger; not a number where one of them is not.
#[inline(always)]
pub(super) fn larger<S: Simd>(simd: S, left: S::f32s, right: S::f32s) -> S::f32s {
    simd.select_f32s(simd.equal_f32s(left, left), simd.max_f32s(left, right), left)
}

/// The larger of two values, one at a time; not a number where one of them is not.
#[inline(always)]
pub(super) fn larger_of(left: f32, right: f32) -> f32 {
    if left > right || left.is_nan() { left } else { right }
}

/// `sums[r] += rows[r][k] * panel[k]` over all `k`: six or twelve rows by two vectors, all in registers.
#[inline(always)]
pub(super) fn accumulate<S: Simd, const ROWS: usize>(
    simd: S,
    sums: &mut [[S::f32s; 2]; ROWS],
    rows: [&[f32]; ROWS],
    panel: &[f32],
) {
    let (panel, _) = S::as_simd_f32s(panel);
    let depth = rows[0].len();
    // Runs of a fixed length: one pointer a row and no arithmetic on addresses between the products.
    let (panel_runs, panel_rest) = panel[..2 * depth].as_chunks::<{ 2 * RUN }>();
    let mut runs: [&[[f32; RUN]]; ROWS] = [&[]; ROWS];
    let mut rests: [&[f32]; ROWS] = [&[]; ROWS];
    for (row, (run, rest)) in rows.into_iter().zip(runs.iter_mut().zip(&mut rests)) {
        let (whole, last) = row.as_chunks();
        *run = &whole[..panel_runs.len()];
        *rest = &last[..panel_rest.len() / 2];
    }
    // A copy that nothing points to stays in registers, whatever the caller does with its own.
    let mut held = *sums;
    for (k, panel) in panel_runs.iter().enumerate() {
        for place in 0..RUN {
            for (sum, run) in held.iter_mut().zip(runs) {
                let value = simd.splat_f32s(run[k][place]);
                sum[0] = simd.mul_add_e_f32s(value, panel[2 * place], sum[0]);
                sum[1] = simd.mul_add_e_f32s(value, panel[2 * place + 1], sum[1]);
            }
            // Else the compiler may read all values of a run first, and finds no registers for them.
            compiler_fence(Ordering::SeqCst);
        }
    }
    for k in 0..panel_rest.len() / 2 {
        for (sum, rest) in held.iter_mut().zip(rests) {
            let value = simd.splat_f32s(rest[k]);
            sum[0] = simd.mul_add_e_f32s(value, panel_rest[2 * k], sum[0]);
            sum[1] = simd.mul_add_e_f32s(value, panel_rest[2 * k + 1], sum[1]);
        }
    }
    *sums = held;
}

/// Values, filled up with zeros to so many.
pub(super) fn filled_up(values: &[f32], len: usize) -> Vec<f32> {
    let mut filled = vec![0.0; len];
    filled[..values.len()].copy_from_slice(values);
    filled
}

/// Calls `work` with a buffer of this thread, of `len` values that are whatever an earlier call left.
pub(super) fn with_scratch<R>(len: usize, work: impl FnOnce(&mut [f32]) -> R) -> R {
    thread_local! {
        static SCRATCH: RefCell<Buffer> = RefCell::default();
    }
    // Taken, and not lent: what waits for other threads, as large memory from the system does, may meanwhile do other work on
    // this one, which wants a buffer too.
    let mut scratch = SCRATCH.take();
    if scratch.len() < len {
        scratch = buffers::take(len);
    }
    let result = work(&mut scratch[..len]);
    SCRATCH.set(scratch);
    result
}

#[cfg(test)]
mod tests {
    use rayon::prelude::*;

    use super::*;

    /// Work that waits for the pool while it holds a buffer, with more tasks than threads: each thread takes up others meanwhile.
    #[test]
    fn work_within_work_has_a_buffer_of_its_own() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(4).build().expect("a pool");
        pool.install(|| {
            (0..64_usize).into_par_iter().with_max_len(1).for_each(|index| {
                // So large that its memory is made by several threads.
                with_scratch((1 << 18) + index, |scratch| {
                    let mark = index as f32;
                    scratch.fill(mark);
                    (0..8).into_par_iter().with_max_len(1).for_each(|inner| {
                        with_scratch(100 + inner, |scratch| scratch.fill(-1.0));
                    });
                    assert!(scratch.iter().all(|value| *value == mark));
                });
            });
        });
    }
}
