//! Short programs that show how the library is used: one for each use, in `examples/examples`.
