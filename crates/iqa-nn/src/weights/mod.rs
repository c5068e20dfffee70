//! Named tensors in files, and the one strict way into a module.
//!
//! [`NamedTensors`] reads safetensors, PyTorch checkpoints (`.pt`, `.pth`, `.ckpt`) and, with the feature `hdf5`,
//! Chainer's HDF5. Nothing is guessed: a tensor that is missing, unused, misshapen or not finite, or a variance below
//! zero, is an error that names it.

use std::collections::{BTreeMap, HashMap};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::tensor::{DType, TensorData};
use burn_store::{ApplyError, BurnToPyTorchAdapter, ModuleSnapshot, PyTorchToBurnAdapter, bridge};

use iqa_core::{CoreError, sha256, sha256_of_file};

use crate::NnError;
pub use safe_file::content_digest;
use safe_file::is_safetensors;

#[cfg(feature = "hdf5")]
mod hdf5;
mod pytorch;
mod safe_file;
mod wrappers;

/// First bytes of an HDF5 file, or of what follows the block of the user's before it: of 512 bytes, or twice, four
/// times, ... as many.
const HDF5_MAGIC: &[u8] = b"\x89HDF\r\n\x1a\n";
const HDF5_FIRST_BLOCK: u64 = 512;
/// Bytes that are read from a pipe.
const MAX_STREAM: u64 = 2 << 30;
/// Values in all tensors of a file. Bounds memory where a damaged file claims absurd shapes.
const MAX_ELEMENTS: u64 = 1 << 28;
/// How the paths of [`crate::BatchNorm2d::running_var`] end.
const RUNNING_VARIANCE: &str = "running_var";
/// Squares of larger amounts are beyond `f32`, or nearly.
const LARGE: f32 = 1e19;
/// Names that an error about unknown ones lists.
const FIRST_NAMES: usize = 6;

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
    remark: Option<String>,
    content: Content,
}

/// What the digest of tensors is of.
#[derive(Clone, Debug)]
enum Content {
    /// The file at `origin`.
    File,
    /// Bytes in memory; their digest.
    Bytes(String),
    /// The tensors themselves.
    Tensors,
}

impl NamedTensors {
    /// Reads a weights file, its format told by its content: safetensors, PyTorch, or HDF5.
    ///
    /// The tensors may stand in the wrappers of a training checkpoint (`state_dict`, `model_state_dict`, `model`, `net`,
    /// `network`, `params`, `module`, `_orig_mod`, ...), beside an optimiser, a loss or an epoch, which are passed over.
    /// Of averaged weights (`params_ema`, `ema`, ...) and those as trained the averaged ones are taken, if they have the
    /// same names; [`Self::remark`] says which.
    ///
    /// # Errors
    /// [`CoreError::Io`], [`NnError::WeightsFolder`], [`NnError::UnknownWeights`], [`NnError::WeightsFormat`],
    /// [`NnError::WeightsNotCompiled`], [`NnError::NoTensors`], [`NnError::TensorNotFinite`].
    pub fn read(path: impl AsRef<Path>) -> Result<Self, NnError> {
        let path = path.as_ref();
        let io = |source| CoreError::Io { path: path.into(), source };
        let mut file = std::fs::File::open(path).map_err(io)?;
        let metadata = file.metadata().map_err(io)?;
        if metadata.is_dir() {
            return Err(NnError::WeightsFolder { path: path.into() });
        }
        if !metadata.is_file() {
            return Self::read_stream(file, path);
        }
        let length = metadata.len();
        let mut head = Vec::new();
        file.by_ref().take(pytorch::HEAD as u64).read_to_end(&mut head).map_err(io)?;
        // A header's length may look like the start of a pickle: safetensors first.
        if is_safetensors(&head) {
            Self::parse(&std::fs::read(path).map_err(io)?, path.into(), Content::File)
        } else if pytorch::is_pytorch(&head) {
            Self::read_pytorch(path)
        } else if is_hdf5(&mut file, length).map_err(io)? {
            Self::read_hdf5(path)
        } else {
            Err(NnError::UnknownWeights { path: path.into() })
        }
    }

    /// From a pipe, which can be read once and has no length: formats that need no jumping about.
    fn read_stream(file: std::fs::File, path: &Path) -> Result<Self, NnError> {
        let io = |source| CoreError::Io { path: path.into(), source };
        let mut bytes = Vec::new();
        file.take(MAX_STREAM + 1).read_to_end(&mut bytes).map_err(io)?;
        if bytes.len() as u64 > MAX_STREAM {
            let source = "a pipe of more than 2 GiB; expected a file".into();
            return Err(NnError::WeightsFormat { path: path.into(), format: "safetensors", source });
        }
        if is_safetensors(&bytes) {
            return Self::from_safetensors(&bytes, path);
        }
        if pytorch::is_pytorch(&bytes) || bytes.starts_with(HDF5_MAGIC) {
            let format = if bytes.starts_with(HDF5_MAGIC) { "HDF5" } else { "PyTorch" };
            let source = "it comes through a pipe, which only safetensors can; expected a file".into();
            return Err(NnError::WeightsFormat { path: path.into(), format, source });
        }
        Err(NnError::UnknownWeights { path: path.into() })
    }

    /// Tensors made in memory; `origin` is what errors call the source.
    pub fn new(origin: impl Into<PathBuf>, tensors: impl IntoIterator<Item = (String, NamedTensor)>) -> Self {
        let tensors = tensors.into_iter().collect();
        Self {
            origin: origin.into(),
            tensors,
            metadata: BTreeMap::new(),
            remark: None,
            content: Content::Tensors,
        }
    }

    /// SHA-256 of the file that the tensors were read from, as 64 hexadecimal digits; of tensors made in memory that of
    /// the safetensors file which would hold them.
    ///
    /// # Errors
    /// [`CoreError::Io`] for a file that is gone, [`NnError::WeightsUnfit`].
    pub fn digest(&self) -> Result<String, NnError> {
        match &self.content {
            Content::File => Ok(sha256_of_file(&self.origin)?),
            Content::Bytes(digest) => Ok(digest.clone()),
            Content::Tensors => Ok(sha256(&self.to_safetensors(Precision::F32)?)),
        }
    }

    fn read_pytorch(path: &Path) -> Result<Self, NnError> {
        let format = |source: pytorch::PytorchFailure| NnError::WeightsFormat {
            path: path.into(),
            format: "PyTorch",
            source: source.into(),
        };
        let mut file = pytorch::Checkpoint::open(path).map_err(format)?;
        let selected = wrappers::select(std::mem::take(&mut file.tensors));
        let mut tensors = BTreeMap::new();
        for (key, tensor) in selected.tensors {
            let values = file.values(&key, &tensor).map_err(format)?;
            tensors.insert(key, values);
        }
        let (metadata, content) = (BTreeMap::new(), Content::File);
        Self { origin: path.into(), tensors, metadata, remark: selected.remark, content }.checked(&file.keys)
    }

    #[cfg(feature = "hdf5")]
    fn read_hdf5(path: &Path) -> Result<Self, NnError> {
        let format = |source: hdf5::Hdf5Failure| NnError::WeightsFormat {
            path: path.into(),
            format: "HDF5",
            source: source.into(),
        };
        let arrays = hdf5::read_hdf5(path).map_err(format)?.into_iter();
        let selected = wrappers::select(
            arrays.map(|(key, shape, values)| (key, NamedTensor { shape, values })).collect(),
        );
        let tensors = selected.tensors.into_iter().collect();
        let (metadata, content) = (BTreeMap::new(), Content::File);
        Self { origin: path.into(), tensors, metadata, remark: selected.remark, content }.checked(&[])
    }

    #[cfg(not(feature = "hdf5"))]
    fn read_hdf5(path: &Path) -> Result<Self, NnError> {
        Err(NnError::WeightsNotCompiled { path: path.into(), format: "HDF5", feature: "hdf5" })
    }

    /// There are tensors, all of them finite; `others` is what else there is, for the message.
    fn checked(self, others: &[String]) -> Result<Self, NnError> {
        if self.tensors.is_empty() {
            return Err(NnError::NoTensors { path: self.origin, found: first_names(others) });
        }
        let bad = self.tensors.iter().find(|(_, tensor)| !tensor.values.iter().all(|v| v.is_finite()));
        match bad {
            Some((key, _)) => Err(NnError::TensorNotFinite { path: self.origin.clone(), key: key.clone() }),
            None => Ok(self),
        }
    }

    fn missing(&self, key: &str) -> NnError {
        NnError::MissingTensor { path: self.origin.clone(), key: key.into(), found: self.first_names() }
    }

    /// Where the tensors came from, as errors name it.
    pub fn origin(&self) -> &Path {
        &self.origin
    }

    /// Which weights were taken, where the file holds several: a line to show the user.
    pub fn remark(&self) -> Option<&str> {
        self.remark.as_deref()
    }

    /// The first names, and how many more there are: what errors show of a file that is not as expected.
    pub fn first_names(&self) -> Vec<String> {
        first_names(&self.tensors.keys().cloned().collect::<Vec<_>>())
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
    /// [`NnError::MissingTensor`].
    pub fn get(&self, key: &str) -> Result<&NamedTensor, NnError> {
        self.tensors.get(key).ok_or_else(|| self.missing(key))
    }

    /// A tensor to change, for layouts that differ by more than names.
    ///
    /// # Errors
    /// [`NnError::MissingTensor`].
    pub fn get_mut(&mut self, key: &str) -> Result<&mut NamedTensor, NnError> {
        if !self.contains(key) {
            return Err(self.missing(key));
        }
        Ok(self.tensors.get_mut(key).expect("it is there"))
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

    /// All metadata, by their keys.
    pub fn all_metadata(&self) -> impl Iterator<Item = (&str, &str)> {
        self.metadata.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Adds a metadata entry for [`Self::write_safetensors`].
    #[must_use]
    pub fn with_metadata(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.metadata.insert(key.into(), value.into());
        self
    }

    /// Compares shapes, in PyTorch's axis order, with those that a configuration asks for, which may be absurd in a
    /// damaged file: before a network of it is made.
    ///
    /// # Errors
    /// [`NnError::MissingTensor`], [`NnError::TensorShape`].
    pub fn check_shapes(&self, expected: &[(String, Vec<usize>)]) -> Result<(), NnError> {
        for (key, expected) in expected {
            let found = &self.get(key)?.shape;
            if found != expected {
                return Err(NnError::TensorShape {
                    path: self.origin.clone(),
                    key: key.clone(),
                    expected: expected.clone(),
                    found: found.clone(),
                });
            }
        }
        Ok(())
    }

    /// Puts the tensors into `module`.
    ///
    /// `names` lists the module's parameters, all of them, as `(path in the module, name in the file)`.
    /// Linear layers are transposed from PyTorch's `[out, in]` to Burn's `[in, out]`.
    ///
    /// # Errors
    /// [`NnError::MissingTensor`] for a name that the file lacks, [`NnError::UnusedTensors`] for tensors
    /// of the file that `names` does not list, [`NnError::TensorShape`], [`NnError::TensorValue`].
    pub fn load_into<M: Module>(mut self, mut module: M, names: &[(String, String)]) -> Result<M, NnError> {
        // On a device set to half precision the weights are too.
        let float = module.devices().first().map(|device| DType::from(device.settings().float_dtype));
        let mut file_names = HashMap::new();
        let mut snapshots = Vec::with_capacity(names.len());
        if let Some((_, key)) = names.iter().find(|(_, key)| !self.contains(key)) {
            return Err(self.missing(key));
        }
        for (path, key) in names {
            let Some(NamedTensor { shape, values }) = self.tensors.remove(key) else {
                return Err(self.missing(key));
            };
            let (least, expected) = if path.ends_with(RUNNING_VARIANCE) {
                (0.0, "variances: 0 or above, and below 1e19")
            } else {
                (-LARGE, "values between -1e19 and 1e19")
            };
            if let Some(&found) = values.iter().find(|value| !(least..LARGE).contains(value)) {
                return Err(NnError::TensorValue { path: self.origin, key: key.clone(), found, expected });
            }
            let values = TensorData::new(values, shape);
            let values = match float {
                Some(float) => values.convert_dtype(float),
                None => values,
            };
            snapshots.push(bridge::from_data(values, path.clone(), None));
            file_names.insert(path.as_str(), key.as_str());
        }
        if !self.tensors.is_empty() {
            return Err(NnError::UnusedTensors {
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
                    NnError::TensorShape {
                        path: self.origin,
                        key: in_file(&path),
                        expected: in_file_order(expected.to_vec()),
                        found: in_file_order(found.to_vec()),
                    }
                }
                other => return Err(NnError::WeightsUnfit { path: self.origin, source: Box::new(other) }),
            });
        }
        if let Some((path, _)) = result.missing.first() {
            return Err(self.missing(&in_file(path)));
        }
        Ok(module)
    }

    /// The parameters of `module` under the file names of `names`, in PyTorch's axis order.
    ///
    /// # Errors
    /// [`NnError::WeightsUnfit`] when a tensor cannot be read back from its device,
    /// [`NnError::MissingTensor`] when `names` lacks one.
    pub fn from_module<M: Module>(
        module: &M,
        names: &[(String, String)],
        origin: impl Into<PathBuf>,
    ) -> Result<Self, NnError> {
        let origin = origin.into();
        let unfit = |source| NnError::WeightsUnfit { path: origin.clone(), source };
        let names: HashMap<&str, &str> =
            names.iter().map(|(path, key)| (path.as_str(), key.as_str())).collect();
        let mut tensors = BTreeMap::new();
        for snapshot in module.collect(None, Some(Box::new(BurnToPyTorchAdapter)), true) {
            let path = snapshot.name.clone();
            let Some(key) = names.get(path.as_str()) else {
                let found = first_names(&names.keys().map(|&name| name.into()).collect::<Vec<_>>());
                return Err(NnError::MissingTensor { path: origin, key: path, found });
            };
            let data = bridge::into_data(snapshot).map_err(|error| unfit(error.into()))?.convert::<f32>();
            let shape = data.shape().to_vec();
            let values = data.try_to_vec::<f32>().map_err(|error| unfit(format!("{error:?}").into()))?;
            tensors.insert((*key).to_owned(), NamedTensor { shape, values });
        }
        Ok(Self { origin, tensors, metadata: BTreeMap::new(), remark: None, content: Content::Tensors })
    }

    /// Every parameter's path in `module`, sorted; to build the `names` of [`Self::load_into`].
    pub fn module_paths<M: Module>(module: &M) -> Vec<String> {
        let mut paths: Vec<_> =
            module.collect(None, None, true).into_iter().map(|snapshot| snapshot.name.clone()).collect();
        paths.sort();
        paths
    }
}

/// The first of `names`, cut where they are long, and how many more there are.
pub(crate) fn first_names(names: &[String]) -> Vec<String> {
    let cut = |name: &String| name.chars().take(80).collect::<String>();
    let mut first: Vec<String> = names.iter().take(FIRST_NAMES).map(cut).collect();
    if names.len() > first.len() {
        first.push(format!("and {} more", names.len() - first.len()));
    }
    first
}

fn is_hdf5(file: &mut std::fs::File, length: u64) -> std::io::Result<bool> {
    let mut at = 0;
    while at + HDF5_MAGIC.len() as u64 <= length {
        let mut magic = [0; HDF5_MAGIC.len()];
        file.seek(SeekFrom::Start(at))?;
        file.read_exact(&mut magic)?;
        if magic == HDF5_MAGIC {
            return Ok(true);
        }
        at = (2 * at).max(HDF5_FIRST_BLOCK);
    }
    Ok(false)
}

/// Files with up to four bytes changed; 300 of them, or as many as `IQA_MUTANTS` says.
#[cfg(test)]
fn mutants(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let count = std::env::var("IQA_MUTANTS").map_or(300, |count| count.parse().expect("a number"));
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    (0..count).map(move |case: usize| {
        let mut damaged = bytes.to_vec();
        for _ in 0..=random(4) {
            // Half of the hits near the start, where the structure is dense.
            let reach = if random(2) == 0 { bytes.len().min(4096) } else { bytes.len() };
            let at = random(reach);
            damaged[at] = [0, 0xff, damaged[at] ^ (1 << random(8)), random(256) as u8][case % 4];
        }
        damaged
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Safetensors of one value `w`, with a header of `length` bytes.
    fn with_header(length: usize) -> Vec<u8> {
        let header = r#"{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}"#;
        let padding = " ".repeat(length - header.len() - 1);
        let mut bytes = (length as u64).to_le_bytes().to_vec();
        bytes.extend(format!("{header}{padding}}}").bytes());
        bytes.extend(2.5f32.to_le_bytes());
        bytes
    }

    /// What a file of these bytes reads as.
    fn read(name: &str, bytes: &[u8]) -> Result<NamedTensors, NnError> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).expect("writes");
        NamedTensors::read(&path)
    }

    #[test]
    fn a_header_whose_length_looks_like_a_pickle_is_one_of_safetensors() {
        // 0x280, 0x580, and with a third byte: all begin as pickles of protocol 2 to 5 do.
        for length in [0x280, 0x580, 0x1_0280, 0x7d_0280, 0x12_0480, 64 << 10, 0x1_0528] {
            let tensors = read("big.safetensors", &with_header(length)).expect("reads");
            assert_eq!(tensors.get("w").expect("there").values, [2.5], "a header of {length:#x} bytes");
        }
    }

    #[test]
    fn what_cannot_be_read_is_named_with_its_file_and_the_format_it_was_taken_for() {
        let cut = with_header(0x1_0280);
        let cases: [(&str, &[u8], &str); 8] = [
            ("empty.pth", b"", "neither safetensors nor PyTorch nor HDF5"),
            ("page.pth", b"<!DOCTYPE html><html>", "neither safetensors nor PyTorch nor HDF5"),
            ("pointer.safetensors", b"version https://git-lfs.github.com/spec/v1", "neither safetensors nor"),
            ("cut.safetensors", &cut[..cut.len() / 2], "taken for safetensors"),
            ("zip.pth", b"PK\x03\x04 and nothing behind", "taken for PyTorch"),
            ("pickle.pth", b"\x80\x02}q\x00X\x05", "taken for PyTorch"),
            ("none.pth", b"\x80\x02}(X\x05\x00\x00\x00epochK\x03u.", "holds no tensors; it has epoch"),
            ("short.h5", b"\x89HDF\r\n\x1a\n", "HDF5"),
        ];
        for (name, bytes, part) in cases {
            let error = read(name, bytes).expect_err(name).to_string();
            assert!(error.contains(name) && error.contains(part), "{error}");
            assert!(!error.contains("JSON") || part.contains("safetensors"), "{error}");
        }
    }

    #[test]
    fn errors_list_the_first_names_and_no_more() {
        let tensor = NamedTensor { shape: vec![1], values: vec![0.0] };
        let names = (0..1000).map(|i| (format!("layer{i:04}.{}", "x".repeat(i)), tensor.clone()));
        let tensors = NamedTensors::new("big.pth", names);
        let error = tensors.get("conv1.weight").expect_err("missing").to_string();
        assert!(error.starts_with(
            "big.pth: tensor `conv1.weight` is missing; the file has layer0000., layer0001.x, "
        ));
        assert!(error.ends_with("and 994 more") && error.len() < 700, "{error}");
    }
}
