//! Names and shapes of a network's parameters, from its configuration alone: to compare with a file before the network is
//! made.

use std::path::Path;

use burn::module::Module;
use iqa_nn::{NamedTensors, NnError};

/// A list of parameters, shapes in PyTorch's axis order.
#[derive(Debug, Default)]
pub(crate) struct Shapes(pub(crate) Vec<(String, Vec<usize>)>);

impl Shapes {
    fn push(&mut self, layer: &str, parameter: &str, shape: &[usize]) {
        self.0.push((format!("{layer}.{parameter}"), shape.to_vec()));
    }

    /// A convolution of a square kernel.
    pub(crate) fn conv(&mut self, layer: &str, [channels, out]: [usize; 2], kernel: usize, bias: bool) {
        self.push(layer, "weight", &[out, channels, kernel, kernel]);
        if bias {
            self.push(layer, "bias", &[out]);
        }
    }

    /// Batch normalisation.
    pub(crate) fn norm(&mut self, layer: &str, channels: usize) {
        for parameter in ["weight", "bias", "running_mean", "running_var"] {
            self.push(layer, parameter, &[channels]);
        }
    }

    pub(crate) fn linear(&mut self, layer: &str, inputs: usize, out: usize) {
        self.push(layer, "weight", &[out, inputs]);
        self.push(layer, "bias", &[out]);
    }

    /// `(path in the module, name in the file)`: the same.
    pub(crate) fn names(&self) -> Vec<(String, String)> {
        self.0.iter().map(|(name, _)| (name.clone(), name.clone())).collect()
    }

    /// The network of these parameters with the weights of a file, all of them and no others.
    pub(crate) fn load<M: Module>(
        &self,
        tensors: NamedTensors,
        network: impl FnOnce() -> M,
    ) -> Result<M, NnError> {
        tensors.check_shapes(&self.0)?;
        tensors.load_into(network(), &self.names())
    }

    /// The weights of a network of these parameters.
    pub(crate) fn weights<M: Module>(&self, network: &M, origin: &Path) -> Result<NamedTensors, NnError> {
        NamedTensors::from_module(network, &self.names(), origin)
    }
}
