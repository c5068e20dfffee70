//! Convolutions that are fast on a CPU, for Burn.
//!
//! [`Conv2d`] is Burn's convolution with one more thing to say: what follows it ([`Conv2d::forward_relu`],
//! [`Conv2d::forward_relu_max_pool2`]). On the `flex` backend all of that is one pass of this crate's own kernels:
//! Winograd's for 3x3 kernels with stride 1, sums in the order of the definition for all others. Between layers images stay
//! channels-last, by their strides alone: shapes are `[n, channels, height, width]` everywhere. On an autodiff
//! device the gradients come from the same kernels. On every other backend the same calls are Burn's own operations.
//!
//! Vector instructions (AVX-512, AVX2 with FMA, NEON; else plain code) are chosen at run time; threads are those of
//! the rayon pool of the caller. Results do not depend on the number of threads, nor on how a batch is divided.
//!
//! Weights are kept twice: as they are, and in the order of the kernels, which for Winograd's takes four times the memory
//! (F(4x4)) or not quite twice (F(2x2)).
//!
//! A process may have convolutions multiply bf16 values where the processor does ([`multiply_in_bf16`]).
//!
//! Vectors come from [`pulp`], without `unsafe`; of the modules that have some, `memory` makes results tensors without a
//! copy, whose memory goes to later results when they are dropped ([`cpu::Buffer`]), `allocator` is
//! [`keep_freed_memory`], and two are the inner loops in bf16, for whose instructions `pulp` has no functions.
//!
//! Between convolutions [`Norm`], [`max_pool`], [`average_pool`] and [`add_relu`] keep images in that order too; [`adam`] is the step after
//! their gradients.

mod adam;
mod allocator;
#[cfg(feature = "flex")]
mod bf16;
pub mod cpu;
mod layout;
#[cfg(feature = "flex")]
mod memory;
mod module;
mod normalise;
#[cfg(feature = "flex")]
mod ops;
mod pool;
mod residual;

pub use adam::{AdamTensors, adam};
pub use allocator::keep_freed_memory;
#[cfg(feature = "flex")]
pub use bf16::{NoBf16, multiplies_in_bf16, multiply_in_bf16};
pub use layout::{channels_first, channels_last};
pub use module::Conv2d;
pub use normalise::{BatchNormed, Norm};
pub use pool::{average_pool, max_pool};
pub use residual::add_relu;
