//! Whether convolutions multiply bf16 values.

use std::sync::OnceLock;

use crate::cpu::Unit;

static UNIT: OnceLock<Unit> = OnceLock::new();

/// Has all convolutions on `flex` from now on, in this process, multiply bf16 values: what goes in is rounded to eight digits
/// of the binary system, sums and what comes out are f32. By AMX-BF16 (Intel's Xeons since 2023) sixteen times as many
/// products a cycle as of f32; by AVX512-BF16 at most twice as many, of layers that are not 3x3 with stride 1.
///
/// Gradients, and convolutions with dilation, are f32 as before.
///
/// # Errors
/// [`NoBf16`] where the processor has neither.
pub fn multiply_in_bf16() -> Result<(), NoBf16> {
    let unit = Unit::all().first().ok_or(NoBf16)?;
    UNIT.get_or_init(|| *unit);
    Ok(())
}

/// Whether [`multiply_in_bf16`] was called.
pub fn multiplies_in_bf16() -> bool {
    unit().is_some()
}

/// What multiplies bf16 values, where it was asked for.
pub(crate) fn unit() -> Option<Unit> {
    UNIT.get().copied()
}

/// The processor does not multiply bf16 values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoBf16;

impl std::fmt::Display for NoBf16 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("this processor multiplies no bf16 values")
    }
}

impl std::error::Error for NoBf16 {}
