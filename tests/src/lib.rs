//! Tests across crates, against values of PyTorch, NumPy and SciPy; they lie in `tests/`.

/// Compiles and runs the README's examples.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
