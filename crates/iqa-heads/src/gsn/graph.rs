//! How the layers follow each other, in training and in inference.

use burn::nn::Linear;
use burn::tensor::Tensor;
use burn::tensor::activation::{relu, sigmoid};
use iqa_kernels::{Conv2d, max_pool};

use super::config::{GsnConfig, PairFusion};
use super::resize::resize_bilinear;

/// The layers of a network. Each convolution but [`Self::squeeze`] comes with batch norm and ReLU.
pub(super) trait Layers {
    fn config(&self) -> &GsnConfig;
    fn stem(&self, x: Tensor<4>) -> Tensor<4>;
    /// The convolutions of a block, without its pool.
    fn block(&self, level: usize, x: Tensor<4>) -> Tensor<4>;
    fn attention(&self, level: usize) -> &Conv2d;
    fn fusion(&self, level: usize, x: Tensor<4>) -> Tensor<4>;
    fn squeeze(&self, x: Tensor<4>) -> Tensor<4>;
    fn fc(&self) -> &Linear;
}

/// The attended maps of images at each level, `[n, channels, side, side]`, the side halved from level to level.
pub(super) fn level_maps(layers: &impl Layers, images: Tensor<4>) -> Vec<Tensor<4>> {
    let config = layers.config();
    let mut x = layers.stem(images * config.input_scale + config.input_offset);
    let mut levels = Vec::with_capacity(config.blocks.len());
    for level in 0..config.blocks.len() {
        let pooled = max_pool(layers.block(level, x), 3, 2, 1);
        let attended = attend(layers.attention(level), pooled.clone());
        x = if config.attend_before_next { attended.clone() } else { pooled };
        levels.push(attended);
    }
    levels
}

/// [`level_maps`] on the grid, `[n, channels, grid, grid]`.
pub(super) fn grid_maps(layers: &impl Layers, images: Tensor<4>) -> Vec<Tensor<4>> {
    let grid = layers.config().grid;
    level_maps(layers, images).into_iter().map(|maps| resize_bilinear(maps, [grid, grid])).collect()
}

/// Scores from the maps of [`grid_maps`], `[n]`.
pub(super) fn scores(
    layers: &impl Layers,
    distorted: Vec<Tensor<4>>,
    reference: Vec<Tensor<4>>,
) -> Tensor<1> {
    let config = layers.config();
    let mut fused: Option<Tensor<4>> = None;
    for (level, (d, r)) in distorted.into_iter().zip(reference).enumerate() {
        let mut maps: Vec<_> = fused.into_iter().collect();
        match config.pair_fusion {
            PairFusion::Concat => maps.extend([r, d]),
            PairFusion::Diff => maps.push(d - r),
            PairFusion::ConcatDiff => maps.extend([r.clone(), d.clone(), d - r]),
        }
        fused = Some(layers.fusion(level, Tensor::cat(maps, 1)));
    }
    let Some(fused) = fused else { panic!("a network has at least one level") };
    let squeezed = layers.squeeze(fused);
    let squeezed = if config.final_relu { relu(squeezed) } else { squeezed };
    let [n, _, height, width] = squeezed.dims();
    layers.fc().forward(squeezed.reshape([n, height * width])).reshape([n])
}

/// Scores of pairs, `[n]`. Both images go through in one batch, so that in training they are normalised by the same
/// statistics: apart, a difference in brightness or contrast would be normalised away.
pub(super) fn pair_scores(layers: &impl Layers, distorted: Tensor<4>, reference: Tensor<4>) -> Tensor<1> {
    assert_eq!(distorted.dims(), reference.dims(), "a reference for each distorted image, of its size");
    let [n, channels, ..] = distorted.dims();
    assert_eq!(channels, 3, "RGB images");
    let both = grid_maps(layers, Tensor::cat(vec![distorted, reference], 0));
    let (distorted, reference) =
        both.into_iter().map(|maps| (maps.clone().narrow(0, 0, n), maps.narrow(0, n, n))).unzip();
    scores(layers, distorted, reference)
}

/// Spatial attention: a map in `[0, 1]` from mean and maximum over the channels, multiplied in.
///
/// Source: Cong et al. 2022, equation 2; Woo et al., "CBAM", ECCV 2018; the order is `mean, max`, as in CDCN++.
fn attend(conv: &Conv2d, maps: Tensor<4>) -> Tensor<4> {
    // Channels last, as the maps lie in memory.
    let maps = maps.permute([0, 2, 3, 1]);
    let summary = Tensor::cat(vec![maps.clone().mean_dim(3), maps.clone().max_dim(3)], 3);
    let attention = sigmoid(conv.forward(summary.permute([0, 3, 1, 2]))).permute([0, 2, 3, 1]);
    (maps * attention).permute([0, 3, 1, 2])
}
