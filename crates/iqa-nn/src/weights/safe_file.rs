//! Safetensors, as [`NamedTensors`] reads and writes them: with a digest of their content, which the format lacks.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use half::f16;
use iqa_core::{sha256, write_atomically};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use super::{Content, NamedTensor, NamedTensors, Precision, wrappers};
use crate::NnError;

/// Bytes of a header of safetensors, by their definition.
const MAX_HEADER: u64 = 100_000_000;
/// The metadata of files of ours that holds a digest of all else in them: safetensors have no checksum.
const DIGEST: &str = "iqa_sha256";
/// A part that every checkpoint of a run has, as bytes.
const CHECKPOINT_STATE: &str = "state";

impl NamedTensors {
    /// Reads safetensors (f16, bf16, f32, f64, or the 64-bit integers of PyTorch's counters) from memory, as
    /// [`Self::read`] does from a file; `origin` is what errors call the source.
    ///
    /// Files that [`Self::write_safetensors`] wrote carry a digest of their content, which is checked.
    ///
    /// # Errors
    /// [`NnError::WeightsFormat`] when the bytes are damaged or hold another element type,
    /// [`NnError::NoTensors`], [`NnError::TensorNotFinite`].
    pub fn from_safetensors(bytes: &[u8], origin: impl Into<PathBuf>) -> Result<Self, NnError> {
        Self::parse(bytes, origin.into(), Content::Bytes(sha256(bytes)))
    }

    pub(super) fn parse(bytes: &[u8], origin: PathBuf, content: Content) -> Result<Self, NnError> {
        let format = |source| NnError::WeightsFormat { path: origin.clone(), format: "safetensors", source };
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(|error| format(error.into()))?;
        let file = SafeTensors::deserialize(bytes).map_err(|error| format(error.into()))?;
        let mut metadata: BTreeMap<_, _> =
            header.metadata().clone().unwrap_or_default().into_iter().collect();
        if let Some(digest) = metadata.remove(DIGEST)
            && digest != content_digest(&file.tensors(), &metadata)
        {
            return Err(format(
                format!("damaged, or changed by a program that kept its metadata `{DIGEST}`, which is to be left out then")
                    .into(),
            ));
        }
        if file.tensor(CHECKPOINT_STATE).is_ok_and(|view| view.dtype() == Dtype::U8) {
            let expected =
                "a checkpoint, from which a run goes on: its weights are in best.safetensors beside it";
            return Err(format(expected.into()));
        }
        let views = file.iter().map(|(key, view)| (key.to_owned(), view)).collect();
        let selected = wrappers::select(views);
        let mut tensors = BTreeMap::new();
        for (key, view) in selected.tensors {
            let values = decode(&view).ok_or_else(|| {
                format(format!("tensor `{key}` has the element type {:?}", view.dtype()).into())
            })?;
            tensors.insert(key, NamedTensor { shape: view.shape().to_vec(), values });
        }
        Self { origin, tensors, metadata, remark: selected.remark, content }.checked(&[])
    }

    /// Writes a safetensors file, atomically, with a digest of its content among the metadata.
    ///
    /// # Errors
    /// [`CoreError::Io`](iqa_core::CoreError::Io), [`NnError::WeightsUnfit`].
    pub fn write_safetensors(&self, path: &Path, precision: Precision) -> Result<(), NnError> {
        Ok(write_atomically(path, &self.to_safetensors(precision)?)?)
    }

    pub(super) fn to_safetensors(&self, precision: Precision) -> Result<Vec<u8>, NnError> {
        let unfit = |source| NnError::WeightsUnfit { path: self.origin.clone(), source };
        let dtype = match precision {
            Precision::F32 => Dtype::F32,
            Precision::F16 => Dtype::F16,
        };
        let encoded: Vec<(&String, &[usize], Vec<u8>)> = self
            .tensors
            .iter()
            .map(|(key, tensor)| (key, tensor.shape.as_slice(), encode(&tensor.values, precision)))
            .collect();
        let views = encoded
            .iter()
            .map(|(key, shape, bytes)| Ok(((*key).clone(), TensorView::new(dtype, shape.to_vec(), bytes)?)))
            .collect::<Result<Vec<_>, safetensors::SafeTensorError>>()
            .map_err(|error| unfit(error.into()))?;
        let mut metadata = self.metadata.clone();
        metadata.insert(DIGEST.into(), content_digest(&views, &self.metadata));
        let bytes = safetensors::serialize(views, None).map_err(|error| unfit(error.into()))?;
        described(&bytes, &metadata).map_err(|error| unfit(error.into()))
    }
}

/// A file of safetensors without metadata, with those given: the library writes them in an order that differs from one call to
/// the next, and equal weights make equal files.
fn described(file: &[u8], metadata: &BTreeMap<String, String>) -> Result<Vec<u8>, serde_json::Error> {
    let (length, rest) = file.split_first_chunk().expect("written with its length");
    let (header, data) = rest.split_at(u64::from_le_bytes(*length) as usize);
    let mut header: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(header)?;
    header.insert("__metadata__".into(), serde_json::to_value(metadata)?);
    let mut header = serde_json::to_vec(&header)?;
    header.resize(header.len().next_multiple_of(size_of::<u64>()), b' ');
    Ok([&(header.len() as u64).to_le_bytes(), header.as_slice(), data].concat())
}

/// SHA-256 of lines that say everything in a file of safetensors, in the order of their names, however the file orders and pads
/// them; `metadata` without the digest itself.
pub fn content_digest(tensors: &[(String, TensorView<'_>)], metadata: &BTreeMap<String, String>) -> String {
    let tensor = |(name, view): &(String, TensorView<'_>)| {
        format!("{name:?} {:?} {:?} {}", view.dtype(), view.shape(), sha256(view.data()))
    };
    let mut lines: Vec<String> = tensors.iter().map(tensor).collect();
    lines.extend(metadata.iter().map(|(key, value)| format!("{key:?} {value:?}")));
    lines.sort();
    sha256(lines.join("\n").as_bytes())
}

/// Whether a file starts like safetensors: with the length of a header, and the header in braces.
pub(super) fn is_safetensors(head: &[u8]) -> bool {
    let length = head.first_chunk().map(|length| u64::from_le_bytes(*length));
    length.is_some_and(|length| length <= MAX_HEADER) && head.get(8) == Some(&b'{')
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bit_that_changed_in_a_file_of_ours_is_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ours.safetensors");
        let tensor = NamedTensor { shape: vec![2], values: vec![1.5, -2.0] };
        let written = NamedTensors::new("here", [("w".to_owned(), tensor)]).with_metadata("range", "[0,1]");
        for precision in [Precision::F32, Precision::F16] {
            written.write_safetensors(&path, precision).expect("writes");
            let again = written.to_safetensors(precision).expect("writes");
            assert_eq!(std::fs::read(&path).expect("reads"), again, "the same bytes each time");
            let good = std::fs::read(&path).expect("reads");
            let read = NamedTensors::read(&path).expect("reads");
            assert_eq!(read.get("w").expect("there").values, [1.5, -2.0]);
            assert_eq!(read.all_metadata().collect::<Vec<_>>(), [("range", "[0,1]")]);
            for at in 8..good.len() {
                let mut bad = good.clone();
                bad[at] ^= 1;
                // A name of the digest's own that changed leaves a file without one: all else is as it was.
                if let Ok(read) = NamedTensors::from_safetensors(&bad, "bad") {
                    assert_eq!(read.get("w").expect("there").values, [1.5, -2.0], "byte {at}");
                    assert_eq!(read.metadata("range"), Some("[0,1]"), "byte {at}");
                }
            }
        }
    }
}
