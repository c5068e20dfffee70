//! Criterion benchmarks of every backend; they lie in `benches/`.
