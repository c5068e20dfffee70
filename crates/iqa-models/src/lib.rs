//! Deep image-quality assessment on Burn.

pub use iqa_core as core;
pub use iqa_datasets as datasets;
pub use iqa_heads as heads;
pub use iqa_metrics as metrics;
pub use iqa_train as train;

pub use burn::tensor::Device;
