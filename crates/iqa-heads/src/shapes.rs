//! Names and shapes of a network's parameters, from its configuration alone: to compare with a file before the network is
//! made.

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
}
