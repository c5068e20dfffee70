//! The order in which convolutions of this crate leave images, for what is computed between them.

use burn::tensor::Tensor;

/// `[n, channels, height, width]` as `[n, height, width, channels]`: a view.
///
/// Of an image that comes from a convolution of this crate these are the values as they lie in memory, over which sums and
/// joins are quick.
pub fn channels_last(x: Tensor<4>) -> Tensor<4> {
    x.permute([0, 2, 3, 1])
}

/// `[n, height, width, channels]` as `[n, channels, height, width]`: a view, the way back from [`channels_last`].
pub fn channels_first(x: Tensor<4>) -> Tensor<4> {
    x.permute([0, 3, 1, 2])
}
