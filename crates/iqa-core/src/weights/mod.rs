//! Named tensors in files, and the one strict way into a module.
//!
//! [`NamedTensors`] reads safetensors, PyTorch checkpoints (`.pt`, `.pth`) and, with the feature `hdf5`,
//! Chainer's HDF5. Nothing is guessed: a tensor that is missing, unused, misshapen or not finite is an error
//! that names it.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::tensor::{DType, TensorData};
use burn_store::{
    ApplyError, BurnToPyTorchAdapter, ModuleSnapshot, PyTorchToBurnAdapter, bridge,
    pytorch_reader::PytorchReader,
};
use half::f16;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::{CoreError, write_atomically};

#[cfg(feature = "hdf5")]
mod hdf5;

/// First bytes of an HDF5 file.
const HDF5_MAGIC: &[u8] = b"\x89HDF\r\n\x1a\n";
/// First bytes of a zip archive, which is what `torch.save` writes.
const ZIP_MAGIC: &[u8] = b"PK\x03\x04";
/// Wrappers that training frameworks put round a state dict.
const PYTORCH_WRAPPERS: [&str; 4] = ["state_dict.", "model_state_dict.", "params.", "module."];

/// A tensor of 32-bit floats in row-major order.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedTensor {
    /// Extents, outermost first; empty for a scalar.
    pub shape: Vec<usize>,
    /// The values, as many as the product of the extents.
    pub values: Vec<f32>,
}

/// How [`NamedTensors::write_safetensors`] stores values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// 32-bit floats, exact.
    F32,
    /// 16-bit floats, rounded to nearest: half the size, about three decimal digits.
    F16,
}

/// The tensors and metadata of a weights file, by name.
///
/// Axes are in PyTorch's order: convolutions `[out, in, height, width]`, linear layers `[out, in]`.
#[derive(Clone, Debug)]
pub struct NamedTensors {
    origin: PathBuf,
    tensors: BTreeMap<String, NamedTensor>,
    metadata: BTreeMap<String, String>,
}

impl NamedTensors {
    /// Reads a weights file, its format told by its content: safetensors, PyTorch, or HDF5.
    ///
    /// A PyTorch file may wrap its tensors in `state_dict`, `model_state_dict`, `params` or `module`.
    ///
    /// # Errors
    /// [`CoreError::Io`], [`CoreError::WeightsFormat`], [`CoreError::WeightsNotCompiled`],
    /// [`CoreError::TensorNotFinite`].
    pub fn read(path: impl AsRef<Path>) -> Result<Self, CoreError> {
        let path = path.as_ref();
        let io = |source| CoreError::Io { path: path.into(), source };
        let mut magic = [0u8; 8];
        let found = {
            use std::io::Read;
            let mut file = std::fs::File::open(path).map_err(io)?;
            let mut found = 0;
            loop {
                match file.read(&mut magic[found..]).map_err(io)? {
                    0 => break found,
                    n => found += n,
                }
                if found == magic.len() {
                    break found;
                }
            }
        };
        let magic = &magic[..found];
        if magic == HDF5_MAGIC {
            Self::read_hdf5(path)
        } else if magic.starts_with(ZIP_MAGIC) || looks_like_pickle(magic) {
            Self::read_pytorch(path)
        } else {
            Self::from_safetensors(&std::fs::read(path).map_err(io)?, path)
        }
    }

    /// Reads safetensors (f16, bf16, f32, f64, or the 64-bit integers of PyTorch's counters) from memory; `origin` is what errors call the source.
    ///
    /// # Errors
    /// [`CoreError::WeightsFormat`] when the bytes are damaged or hold another element type,
    /// [`CoreError::TensorNotFinite`].
    pub fn from_safetensors(bytes: &[u8], origin: impl Into<PathBuf>) -> Result<Self, CoreError> {
        let origin = origin.into();
        let format = |source: Box<dyn std::error::Error + Send + Sync>| CoreError::WeightsFormat {
            path: origin.clone(),
            source,
        };
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(|error| format(error.into()))?;
        let file = SafeTensors::deserialize(bytes).map_err(|error| format(error.into()))?;
        let mut tensors = BTreeMap::new();
        for (key, view) in file.iter() {
            let values = decode(&view).ok_or_else(|| {
                format(format!("tensor `{key}` has the element type {:?}", view.dtype()).into())
            })?;
            tensors.insert(key.to_owned(), NamedTensor { shape: view.shape().to_vec(), values });
        }
        let metadata = header.metadata().clone().unwrap_or_default().into_iter().collect();
        Self { origin, tensors, metadata }.checked()
    }

    /// Tensors made in memory; `origin` is what errors call the source.
    pub fn new(origin: impl Into<PathBuf>, tensors: impl IntoIterator<Item = (String, NamedTensor)>) -> Self {
        Self { origin: origin.into(), tensors: tensors.into_iter().collect(), metadata: BTreeMap::new() }
    }

    fn read_pytorch(path: &Path) -> Result<Self, CoreError> {
        let format = |source: Box<dyn std::error::Error + Send + Sync>| CoreError::WeightsFormat {
            path: path.into(),
            source,
        };
        let reader = PytorchReader::new(path).map_err(|error| format(error.into()))?;
        let mut tensors = BTreeMap::new();
        for (key, tensor) in reader.into_tensors() {
            let shape = tensor.shape().to_vec();
            let data = bridge::into_data(bridge::from_pytorch(tensor))
                .map_err(|error| format(error.into()))?
                .convert::<f32>();
            let values = data.try_to_vec::<f32>().map_err(|error| format(format!("{error:?}").into()))?;
            tensors.insert(key, NamedTensor { shape, values });
        }
        for wrapper in PYTORCH_WRAPPERS {
            if !tensors.is_empty() && tensors.keys().all(|key| key.starts_with(wrapper)) {
                tensors = tensors.into_iter().map(|(key, t)| (key[wrapper.len()..].to_owned(), t)).collect();
            }
        }
        Self { origin: path.into(), tensors, metadata: BTreeMap::new() }.checked()
    }

    #[cfg(feature = "hdf5")]
    fn read_hdf5(path: &Path) -> Result<Self, CoreError> {
        let tensors = hdf5::read_hdf5(path)
            .map_err(|source| CoreError::WeightsFormat { path: path.into(), source: source.into() })?
            .into_iter()
            .map(|(key, shape, values)| (key, NamedTensor { shape, values }))
            .collect();
        Self { origin: path.into(), tensors, metadata: BTreeMap::new() }.checked()
    }

    #[cfg(not(feature = "hdf5"))]
    fn read_hdf5(path: &Path) -> Result<Self, CoreError> {
        Err(CoreError::WeightsNotCompiled { path: path.into(), format: "HDF5", feature: "hdf5" })
    }

    fn checked(self) -> Result<Self, CoreError> {
        let bad = self.tensors.iter().find(|(_, tensor)| !tensor.values.iter().all(|v| v.is_finite()));
        match bad {
            Some((key, _)) => Err(CoreError::TensorNotFinite { path: self.origin.clone(), key: key.clone() }),
            None => Ok(self),
        }
    }

    /// Where the tensors came from, as errors name it.
    pub fn origin(&self) -> &Path {
        &self.origin
    }

    /// The names, sorted.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// Whether there is a tensor of that name.
    pub fn contains(&self, key: &str) -> bool {
        self.tensors.contains_key(key)
    }

    /// A tensor to inspect.
    ///
    /// # Errors
    /// [`CoreError::MissingTensor`].
    pub fn get(&self, key: &str) -> Result<&NamedTensor, CoreError> {
        self.tensors
            .get(key)
            .ok_or_else(|| CoreError::MissingTensor { path: self.origin.clone(), key: key.into() })
    }

    /// A tensor to change, for layouts that differ by more than names.
    ///
    /// # Errors
    /// [`CoreError::MissingTensor`].
    pub fn get_mut(&mut self, key: &str) -> Result<&mut NamedTensor, CoreError> {
        let Self { origin, tensors, .. } = self;
        tensors.get_mut(key).ok_or_else(|| CoreError::MissingTensor { path: origin.clone(), key: key.into() })
    }

    /// Drops tensors that a format carries though the model has no use for them.
    pub fn discard(&mut self, unwanted: impl Fn(&str) -> bool) {
        self.tensors.retain(|key, _| !unwanted(key));
    }

    /// The tensors of both; where a name is in both, that of `other`.
    #[must_use]
    pub fn joined(mut self, other: Self) -> Self {
        self.tensors.extend(other.tensors);
        self
    }

    /// A metadata entry; only safetensors files have any.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.metadata.get(key).map(String::as_str)
    }

    /// Adds a metadata entry for [`Self::write_safetensors`].
    #[must_use]
    pub fn with_metadata(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.metadata.insert(key.into(), value.into());
        self
    }

    /// Puts the tensors into `module`.
    ///
    /// `names` lists the module's parameters, all of them, as `(path in the module, name in the file)`.
    /// Linear layers are transposed from PyTorch's `[out, in]` to Burn's `[in, out]`.
    ///
    /// # Errors
    /// [`CoreError::MissingTensor`] for a name that the file lacks, [`CoreError::UnusedTensors`] for tensors
    /// of the file that `names` does not list, [`CoreError::TensorShape`].
    pub fn load_into<M: Module>(mut self, mut module: M, names: &[(String, String)]) -> Result<M, CoreError> {
        // On a device set to half precision the weights are too.
        let float = module.devices().first().map(|device| DType::from(device.settings().float_dtype));
        let mut file_names = HashMap::new();
        let mut snapshots = Vec::with_capacity(names.len());
        for (path, key) in names {
            let Some(NamedTensor { shape, values }) = self.tensors.remove(key) else {
                return Err(CoreError::MissingTensor { path: self.origin, key: key.clone() });
            };
            let values = TensorData::new(values, shape);
            let values = match float {
                Some(float) => values.convert_dtype(float),
                None => values,
            };
            snapshots.push(bridge::from_data(values, path.clone(), None));
            file_names.insert(path.as_str(), key.as_str());
        }
        if !self.tensors.is_empty() {
            return Err(CoreError::UnusedTensors {
                path: self.origin,
                keys: self.tensors.into_keys().collect(),
            });
        }
        let in_file = |path: &str| file_names.get(path).map_or_else(|| path.to_owned(), |key| (*key).into());
        let result = module.apply(snapshots, None, Some(Box::new(PyTorchToBurnAdapter)), true);
        if let Some(error) = result.errors.into_iter().next() {
            return Err(match error {
                ApplyError::ShapeMismatch { path, expected, found } => {
                    let in_file_order = |shape: Vec<usize>| match shape.len() {
                        2 => vec![shape[1], shape[0]],
                        _ => shape,
                    };
                    CoreError::TensorShape {
                        path: self.origin,
                        key: in_file(&path),
                        expected: in_file_order(expected.to_vec()),
                        found: in_file_order(found.to_vec()),
                    }
                }
                other => CoreError::WeightsFormat { path: self.origin, source: Box::new(other) },
            });
        }
        if let Some((path, _)) = result.missing.first() {
            return Err(CoreError::MissingTensor { path: self.origin, key: in_file(path) });
        }
        Ok(module)
    }

    /// The parameters of `module` under the file names of `names`, in PyTorch's axis order.
    ///
    /// # Errors
    /// [`CoreError::WeightsFormat`] when a tensor cannot be read back from its device,
    /// [`CoreError::MissingTensor`] when `names` lacks one.
    pub fn from_module<M: Module>(
        module: &M,
        names: &[(String, String)],
        origin: impl Into<PathBuf>,
    ) -> Result<Self, CoreError> {
        let origin = origin.into();
        let names: HashMap<&str, &str> =
            names.iter().map(|(path, key)| (path.as_str(), key.as_str())).collect();
        let mut tensors = BTreeMap::new();
        for snapshot in module.collect(None, Some(Box::new(BurnToPyTorchAdapter)), true) {
            let path = snapshot.name.clone();
            let Some(key) = names.get(path.as_str()) else {
                return Err(CoreError::MissingTensor { path: origin, key: path });
            };
            let data = bridge::into_data(snapshot)
                .map_err(|error| CoreError::WeightsFormat { path: origin.clone(), source: error.into() })?
                .convert::<f32>();
            let shape = data.shape().to_vec();
            let values = data.try_to_vec::<f32>().map_err(|error| CoreError::WeightsFormat {
                path: origin.clone(),
                source: format!("{error:?}").into(),
            })?;
            tensors.insert((*key).to_owned(), NamedTensor { shape, values });
        }
        Ok(Self { origin, tensors, metadata: BTreeMap::new() })
    }

    /// Writes a safetensors file, atomically.
    ///
    /// # Errors
    /// [`CoreError::Io`], [`CoreError::WeightsFormat`].
    pub fn write_safetensors(&self, path: &Path, precision: Precision) -> Result<(), CoreError> {
        write_atomically(path, &self.to_safetensors(precision)?)
    }

    fn to_safetensors(&self, precision: Precision) -> Result<Vec<u8>, CoreError> {
        let format = |source: safetensors::SafeTensorError| CoreError::WeightsFormat {
            path: self.origin.clone(),
            source: source.into(),
        };
        let dtype = match precision {
            Precision::F32 => Dtype::F32,
            Precision::F16 => Dtype::F16,
        };
        let encoded: Vec<(&str, &[usize], Vec<u8>)> = self
            .tensors
            .iter()
            .map(|(key, tensor)| (key.as_str(), tensor.shape.as_slice(), encode(&tensor.values, precision)))
            .collect();
        let views = encoded
            .iter()
            .map(|(key, shape, bytes)| Ok((*key, TensorView::new(dtype, shape.to_vec(), bytes)?)))
            .collect::<Result<Vec<_>, _>>()
            .map_err(format)?;
        let metadata = self.metadata.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
        safetensors::serialize(views, Some(metadata)).map_err(format)
    }

    /// Every parameter's path in `module`, sorted; to build the `names` of [`Self::load_into`].
    pub fn module_paths<M: Module>(module: &M) -> Vec<String> {
        let mut paths: Vec<_> =
            module.collect(None, None, true).into_iter().map(|snapshot| snapshot.name.clone()).collect();
        paths.sort();
        paths
    }
}

/// A bare pickle begins with the protocol opcode and a version of 2 to 5; so could a safetensors header of
/// 640 bytes and more, whose length is a little-endian u64 and therefore ends in zero bytes.
fn looks_like_pickle(magic: &[u8]) -> bool {
    magic.first() == Some(&0x80)
        && matches!(magic.get(1), Some(2..=5))
        && magic.get(2..8).is_some_and(|rest| rest.iter().any(|&b| b != 0))
}

fn decode(view: &TensorView<'_>) -> Option<Vec<f32>> {
    let bytes = view.data();
    Some(match view.dtype() {
        Dtype::F32 => bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
        Dtype::F16 => bytes.as_chunks::<2>().0.iter().map(|b| f16::from_le_bytes(*b).to_f32()).collect(),
        Dtype::BF16 => {
            bytes.as_chunks::<2>().0.iter().map(|b| half::bf16::from_le_bytes(*b).to_f32()).collect()
        }
        Dtype::F64 => bytes.as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b) as f32).collect(),
        Dtype::I64 => bytes.as_chunks::<8>().0.iter().map(|b| i64::from_le_bytes(*b) as f32).collect(),
        _ => return None,
    })
}

fn encode(values: &[f32], precision: Precision) -> Vec<u8> {
    match precision {
        Precision::F32 => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        Precision::F16 => values.iter().flat_map(|v| f16::from_f32(*v).to_le_bytes()).collect(),
    }
}
