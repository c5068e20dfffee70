//! PyTorch's files: the zip archives of today, the pickles in a row of before 1.6, the tar archives of before 0.1.10.
//!
//! Nothing is run. Of a whole model that was saved its `state_dict()` is read; what stands beside tensors in a training
//! checkpoint is passed over.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::Path;

use thiserror::Error;

use self::pickle::{Object, Pickle, key};
use self::tensor::{Storage, Tensor};
use self::zip::Archive;
use super::{MAX_ELEMENTS, NamedTensor};

mod pickle;
mod tar;
mod tensor;
mod zip;

/// Bytes of the pickle in a zip archive: names and shapes, no values.
const MAX_PICKLE: u64 = 100 << 20;
/// Dictionaries within dictionaries that are followed.
const MAX_DEPTH: usize = 64;
/// Objects that are passed on the way to the tensors, and tensors; one in two places counts twice.
const MAX_VISITS: usize = 1 << 24;
const MAX_TENSORS: usize = 1 << 16;
/// First bytes of a zip archive.
const ZIP_MAGIC: &[u8] = b"PK\x03\x04";
/// Where a tar archive has its mark.
const TAR_MAGIC: std::ops::Range<usize> = 257..262;
/// First object of a file of before 1.6, as protocol 2 and those after it write it, and as text.
const LEGACY_MAGIC: [&[u8]; 2] = [b"\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", b"119547037146038801333356"];
/// Bytes at the start of a file that its kind is told by.
pub(super) const HEAD: usize = 512;

/// Why a PyTorch file could not be read.
#[derive(Debug, Error)]
pub(super) enum PytorchFailure {
    #[error("cannot read the file: {0}")]
    Io(#[from] std::io::Error),
    #[error("not a sound zip archive: {0}")]
    Zip(&'static str),
    #[error("not a sound tar archive: {0}")]
    Tar(&'static str),
    #[error("entry `{name}` of the archive {what}")]
    Entry { name: String, what: &'static str },
    #[error("not a sound pickle: {0}")]
    Pickle(&'static str),
    #[error("not a sound pickle: no operation has the code 0x{0:02x}")]
    Opcode(u8),
    #[error("it was saved on a big-endian machine, which is not supported")]
    BigEndian,
    #[error("tensor `{name}` {what}")]
    Tensor { name: String, what: &'static str },
    #[error("tensor `{name}` is a `{class}`, which is not supported")]
    Unsupported { name: String, class: String },
    #[error("above the limit of {limit} {what}")]
    Limit { what: &'static str, limit: usize },
}

/// Whether a file starts as one of PyTorch's.
pub(super) fn is_pytorch(head: &[u8]) -> bool {
    let starts_pickle = matches!(head, [0x80, 2..=5, ..] | [b'(' | b'}' | b']' | b'c', ..]);
    head.starts_with(ZIP_MAGIC) || is_tar(head) || is_legacy(head) || starts_pickle
}

fn is_tar(head: &[u8]) -> bool {
    head.get(TAR_MAGIC).is_some_and(|mark| mark == b"ustar")
}

fn is_legacy(head: &[u8]) -> bool {
    let head = &head[..head.len().min(64)];
    LEGACY_MAGIC.iter().any(|magic| head.windows(magic.len()).any(|window| window == *magic))
}

/// A tensor of the file, its values not yet read.
#[derive(Clone, Debug)]
pub(super) enum Found {
    Tensor(Tensor),
    /// A tensor of a kind that cannot be read, by its class.
    Unsupported(String),
}

/// Where the values lie.
enum Values {
    Zip {
        archive: Box<Archive<BufReader<File>>>,
        root: String,
    },
    /// Start and length of each storage in the file.
    Legacy {
        file: BufReader<File>,
        places: HashMap<String, (u64, u64)>,
    },
    Tar {
        bytes: Vec<u8>,
        places: HashMap<String, (usize, usize)>,
    },
    None,
}

/// A file whose tensors are known by name and shape.
pub(super) struct Checkpoint {
    values: Values,
    elements: usize,
    /// The tensors by their way through dictionaries and lists, joined with dots.
    pub(super) tensors: Vec<(String, Found)>,
    /// Names in the outermost dictionary, for messages.
    pub(super) keys: Vec<String>,
}

impl Checkpoint {
    pub(super) fn open(path: &Path) -> Result<Self, PytorchFailure> {
        let mut file = BufReader::new(File::open(path)?);
        let mut head = Vec::new();
        file.by_ref().take(HEAD as u64).read_to_end(&mut head)?;
        file.rewind()?;
        let (pickle, values) = if head.starts_with(ZIP_MAGIC) {
            open_zip(file)?
        } else if is_tar(&head) {
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            let (pickle, bytes, places) = tar::read(&bytes)?;
            (pickle, Values::Tar { bytes, places })
        } else if is_legacy(&head) {
            open_legacy(file)?
        } else {
            (Pickle::read(&mut file)?, Values::None)
        };
        let mut walk = Walk { pickle: &pickle, visits: 0, tensors: Vec::new() };
        walk.object(pickle.root(), "", 0)?;
        let tensors = walk.tensors;
        let keys = match pickle.root() {
            Object::Dict(pairs) => pairs.iter().filter_map(|pair| key(pickle.get(pair.0))).collect(),
            _ => Vec::new(),
        };
        Ok(Self { values, elements: 0, tensors, keys })
    }

    /// The values of one of [`Self::tensors`].
    pub(super) fn values(&mut self, name: &str, found: &Found) -> Result<NamedTensor, PytorchFailure> {
        let tensor = match found {
            Found::Tensor(tensor) => tensor,
            Found::Unsupported(class) => {
                return Err(PytorchFailure::Unsupported { name: name.into(), class: class.clone() });
            }
        };
        let failed = |what| PytorchFailure::Tensor { name: name.into(), what };
        let (start, length) = tensor.window(name)?;
        let total = tensor.count().and_then(|count| count.checked_add(self.elements));
        let within = |total: &usize| *total as u64 <= MAX_ELEMENTS && length as u64 <= 8 * MAX_ELEMENTS;
        let Some(total) = total.filter(within) else {
            return Err(PytorchFailure::Limit { what: "values", limit: MAX_ELEMENTS as usize });
        };
        self.elements = total;
        let storage = &tensor.storage.key;
        let window = match &mut self.values {
            Values::Zip { archive, root } => {
                archive.read(&format!("{root}data/{storage}"), start as u64, length as u64)?
            }
            Values::Legacy { file, places } => {
                let &(at, bytes) = places.get(storage).ok_or(failed("has no storage in the file"))?;
                let end = (start as u64).checked_add(length as u64);
                if end.is_none_or(|end| end > bytes) {
                    return Err(failed("reaches behind the end of its storage"));
                }
                file.seek(SeekFrom::Start(at + start as u64))?;
                let mut window = Vec::new();
                file.by_ref().take(length as u64).read_to_end(&mut window)?;
                window
            }
            Values::Tar { bytes, places } => {
                let place = places.get(storage).and_then(|&(at, length)| bytes.get(at..at + length));
                let window = place.and_then(|place| place.get(start..start.checked_add(length)?));
                window.ok_or(failed("reaches behind the end of its storage"))?.to_vec()
            }
            Values::None => return Err(failed("has no values: this is a pickle alone")),
        };
        if window.len() != length {
            return Err(failed("reaches behind the end of its storage"));
        }
        Ok(NamedTensor { shape: tensor.shape.clone(), values: tensor.values(&window) })
    }
}

fn open_zip(file: BufReader<File>) -> Result<(Pickle, Values), PytorchFailure> {
    let mut archive = Archive::open(file)?;
    let roots = archive.names().filter_map(|name| name.strip_suffix("data.pkl"));
    let root = roots.filter(|root| root.is_empty() || root.ends_with('/')).min_by_key(|root| root.len());
    let Some(root) = root.map(str::to_owned) else {
        return Err(PytorchFailure::Entry { name: "data.pkl".into(), what: "is not there" });
    };
    let order = format!("{root}byteorder");
    if archive.contains(&order) && archive.read_whole(&order, 64)?.trim_ascii() != b"little" {
        return Err(PytorchFailure::BigEndian);
    }
    let bytes = archive.read_whole(&format!("{root}data.pkl"), MAX_PICKLE)?;
    let pickle = Pickle::read(&mut Cursor::new(bytes))?;
    Ok((pickle, Values::Zip { archive: Box::new(archive), root }))
}

/// Pickles in a row: a mark, a version, the machine, the object, the names of the storages; then their bytes.
fn open_legacy(mut file: BufReader<File>) -> Result<(Pickle, Values), PytorchFailure> {
    Pickle::read(&mut file)?;
    if !matches!(Pickle::read(&mut file)?.root(), Object::Int(1001)) {
        return Err(PytorchFailure::Pickle("it has another version than 1001"));
    }
    check_byte_order(&Pickle::read(&mut file)?)?;
    let pickle = Pickle::read(&mut file)?;
    let names = Pickle::read(&mut file)?;
    let storages: HashMap<&str, &Storage> = pickle
        .objects()
        .iter()
        .filter_map(|object| if let Object::Storage(storage) = object { Some(storage) } else { None })
        .map(|storage| (storage.key.as_str(), storage))
        .collect();
    let mut places = HashMap::new();
    for name in names.fields() {
        let name = key(name).ok_or(PytorchFailure::Pickle("a storage has no name"))?;
        let failed = |what| PytorchFailure::Entry { name: name.clone(), what };
        let storage = storages.get(name.as_str()).ok_or(failed("is not referred to"))?;
        let size = storage.bytes().ok_or(failed("is larger than memory"))? as u64;
        let mut count = [0; 8];
        file.read_exact(&mut count).map_err(|_| failed("reaches behind the end of the file"))?;
        if usize::try_from(i64::from_le_bytes(count)) != Ok(storage.elements) {
            return Err(failed("has two sizes"));
        }
        let at = file.stream_position()?;
        let end = at.checked_add(size).ok_or(failed("reaches behind the end of the file"))?;
        file.seek(SeekFrom::Start(end))?;
        places.insert(name, (at, size));
    }
    Ok((pickle, Values::Legacy { file, places }))
}

fn check_byte_order(info: &Pickle) -> Result<(), PytorchFailure> {
    match info.entry(info.root(), "little_endian") {
        Some(Object::Bool(true)) => Ok(()),
        Some(Object::Bool(false)) => Err(PytorchFailure::BigEndian),
        _ => Err(PytorchFailure::Pickle("it does not say which byte order it has")),
    }
}

/// Collects tensors with their names.
struct Walk<'a> {
    pickle: &'a Pickle,
    visits: usize,
    tensors: Vec<(String, Found)>,
}

impl Walk<'_> {
    fn object(&mut self, object: &Object, name: &str, depth: usize) -> Result<(), PytorchFailure> {
        self.visits += 1;
        if depth > MAX_DEPTH {
            return Err(PytorchFailure::Limit { what: "nested dictionaries", limit: MAX_DEPTH });
        }
        if self.visits > MAX_VISITS {
            return Err(PytorchFailure::Limit { what: "objects", limit: MAX_VISITS });
        }
        if self.tensors.len() >= MAX_TENSORS {
            return Err(PytorchFailure::Limit { what: "tensors", limit: MAX_TENSORS });
        }
        let pickle = self.pickle;
        let inner = |part: &str| if name.is_empty() { part.to_owned() } else { format!("{name}.{part}") };
        match object {
            Object::Dict(pairs) => {
                for &(part, value) in pairs {
                    if let Some(part) = key(pickle.get(part)) {
                        self.object(pickle.get(value), &inner(&part), depth + 1)?;
                    }
                }
            }
            Object::Sequence(items) => {
                for (index, &item) in items.iter().enumerate() {
                    self.object(pickle.get(item), &inner(&index.to_string()), depth + 1)?;
                }
            }
            Object::Other { class, of_storage: true, .. } => {
                self.tensors.push((name.into(), Found::Unsupported(class.clone())));
            }
            Object::Other { attributes: Some(attributes), .. } => {
                self.object(pickle.get(*attributes), name, depth + 1)?;
            }
            Object::Tensor(tensor) => self.tensors.push((name.into(), Found::Tensor(tensor.clone()))),
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::NamedTensors;
    use crate::weights::mutants;

    fn fixture(name: &str) -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/checkpoints").join(name)
    }

    /// The tensors of a file by name.
    fn tensors(name: &str) -> BTreeMap<String, NamedTensor> {
        let mut file = Checkpoint::open(&fixture(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let found = std::mem::take(&mut file.tensors);
        let read = |(name, found): (String, Found)| {
            let values = file.values(&name, &found).unwrap_or_else(|error| panic!("{error}"));
            (name, values)
        };
        found.into_iter().map(read).collect()
    }

    #[test]
    fn every_form_of_a_tensor_has_the_values_that_pytorch_gives() {
        for (file, expected) in [
            ("forms.pth", "forms.safetensors"),
            ("forms_legacy.pth", "forms.safetensors"),
            ("module.pth", "module.safetensors"),
            ("old.pth", "old.safetensors"),
        ] {
            let found = tensors(file);
            let bytes = std::fs::read(fixture(expected)).expect("a fixture");
            let expected = safetensors::SafeTensors::deserialize(&bytes).expect("sound");
            let names: Vec<_> = expected.names().into_iter().collect();
            assert_eq!(found.len(), names.len(), "{file}");
            for name in names {
                let view = expected.tensor(name).expect("a tensor");
                let values: Vec<f32> =
                    view.data().as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
                let tensor = found.get(name).unwrap_or_else(|| panic!("{file} lacks {name}"));
                assert_eq!(tensor.shape, view.shape(), "{file}: {name}");
                assert_eq!(tensor.values, values, "{file}: {name}");
            }
        }
    }

    #[test]
    fn of_a_training_checkpoint_the_averaged_weights_are_read() {
        let file = NamedTensors::read(fixture("training.pth")).expect("reads");
        assert_eq!(file.keys().collect::<Vec<_>>(), ["conv1.weight", "fc1.weight"]);
        // The average was made twice the weights, which begin at -1 and rise by 1/8.
        assert_eq!(file.get("conv1.weight").expect("there").values, [-2.0, -1.75, -1.5, -1.25]);
        let expected = "of `model`, `ema`, the averaged weights under `ema` were taken";
        assert_eq!(file.remark(), Some(expected));
    }

    #[test]
    fn kinds_of_tensors_that_are_not_read_are_named() {
        for (name, class) in [("quantised.pth", "qtensor"), ("complex.pth", "ComplexFloatStorage")] {
            let error = NamedTensors::read(fixture(name)).expect_err(name).to_string();
            for part in [name, "PyTorch", "tensor `w`", class, "not supported"] {
                assert!(error.contains(part), "{error}");
            }
        }
    }

    #[test]
    fn damaged_files_are_errors_and_no_panics() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("damaged.pth");
        let read = |bytes: &[u8]| {
            std::fs::write(&path, bytes).expect("writes");
            NamedTensors::read(&path)
        };
        for name in ["forms.pth", "forms_legacy.pth", "module.pth", "old.pth", "training.pth"] {
            let bytes = std::fs::read(fixture(name)).expect("a fixture");
            for length in (0..bytes.len()).step_by(1 + bytes.len() / 40) {
                // The end of a tar archive is empty blocks.
                assert!(name == "old.pth" || read(&bytes[..length]).is_err(), "{name} cut to {length} bytes");
            }
            for damaged in mutants(&bytes) {
                if let Ok(file) = read(&damaged) {
                    for key in file.keys() {
                        let tensor = file.get(key).expect("there");
                        assert_eq!(tensor.shape.iter().product::<usize>(), tensor.values.len(), "{key}");
                    }
                }
            }
        }
    }
}
