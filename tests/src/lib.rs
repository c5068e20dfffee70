//! Tests across crates, against values of PyTorch, NumPy and SciPy; they lie in `tests/`.
